//! When to speak: how much of a generated text is shown while somebody types, or nothing.
//!
//! Of the beginnings of a text that end with a whole word and are likely enough to be right, that
//! one is shown which is expected to gain a person most time; where no cost of a wrong text is set,
//! the longest. Who types along it makes what is left more likely: the probability of the rest,
//! given what was typed, is that of the whole divided by that of the beginning.

use crate::config::CompletionConfig;
use crate::lm::{Finish, GeneratedText, TokenEnd};
use crate::prompt::block::begins_block;
use crate::prompt::excerpt::Excerpt;
use crate::text::words::is_word;

/// From here on a character takes several keys of an input method.
const FIRST_IDEOGRAPH: char = '\u{2e80}';
const KEYS_AN_IDEOGRAPH: usize = 3;

/// What a text must be to be shown unasked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShowRule {
    /// The probability that it is right, 0 to 1.
    pub min_confidence: f32,
    /// The same of a text that ends with its first line.
    pub min_line_confidence: f32,
    /// Its length where it first shows.
    pub min_characters: usize,
    /// What looking at a wrong one costs. At 0 the longest beginning is shown and not the one that
    /// gains most time.
    pub wrong_text_seconds: f32,
}

/// What a person gains and spends, after Card, Moran and Newell's keystroke-level model: the same
/// figures as in `pipeline.when_to_speak`.
const SECONDS_A_KEY: f32 = 0.18;
const SECONDS_AN_ACCEPTANCE: f32 = 0.5;

/// The part of a text that is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownPart {
    pub text: String,
    pub finish: Finish,
    pub confidence: f32,
    /// Characters that were typed since it was shown first.
    pub n_typed: usize,
}

impl ShownPart {
    /// What is left of `text` when `n_typed` bytes of it have been typed, all of it.
    pub fn all_of(text: &GeneratedText, n_typed: usize) -> Option<Self> {
        let rest = text.text.get(n_typed..)?.to_owned();
        let n_typed = text.text[..n_typed].chars().count();
        Some(Self { text: rest, finish: text.finish, confidence: text.confidence, n_typed })
    }
}

/// In front of code a person edits, and a few characters are all that is missing.
const MIN_CHARACTERS_WITHIN_LINE: usize = 2;

impl ShowRule {
    /// That of the settings, at a caret.
    pub fn at(excerpt: &Excerpt, settings: &CompletionConfig) -> Self {
        let is_line_end = excerpt.line_after.trim().is_empty();
        let min_characters = match is_line_end {
            true => settings.shown_characters(),
            false => settings.shown_characters().min(MIN_CHARACTERS_WITHIN_LINE),
        };
        let min_confidence = settings.shown_confidence();
        let min_line_confidence = match begins_block(excerpt) {
            true => settings.shown_first_line_confidence().min(min_confidence),
            false => min_confidence,
        };
        // The costs are those of typing at a line's end; a block's first line has its own rule.
        let is_weighed = is_line_end && min_line_confidence >= min_confidence;
        Self {
            min_confidence: min_confidence as f32,
            min_line_confidence: min_line_confidence as f32,
            min_characters,
            wrong_text_seconds: if is_weighed { settings.wrong_text_seconds() as f32 } else { 0.0 },
        }
    }

    /// What is shown of `text` when `n_typed` bytes of it have been typed. What is shown stays as
    /// it is while it is typed along, and comes back where all of it is typed.
    pub fn part_of(&self, text: &GeneratedText, n_typed: usize) -> Option<ShownPart> {
        let (typed, left) = text.text.split_at_checked(n_typed)?;
        if left.trim().is_empty() {
            return ShownPart::all_of(text, n_typed);
        }
        let mut on_screen: Option<(usize, TokenEnd)> = None;
        let starts = typed.char_indices().map(|(at, _)| at).chain([n_typed]);
        for start in starts {
            if on_screen.is_none_or(|(_, shown)| shown.end <= start) {
                on_screen = self.best_end(text, start).map(|it| (start, it));
            }
        }
        let (start, shown) = on_screen?;
        Some(ShownPart {
            text: text.text[n_typed..shown.end].to_owned(),
            finish: match text.text[shown.end..].chars().next() {
                None => text.finish,
                next => Finish::Unsure { next },
            },
            confidence: shown.confidence,
            n_typed: typed[start..].chars().count(),
        })
    }

    /// The best end of the text that begins at `start` of those where it may end, with its
    /// probability.
    fn best_end(&self, text: &GeneratedText, start: usize) -> Option<TokenEnd> {
        let whole = [TokenEnd { end: text.text.len(), confidence: text.confidence }];
        let ends = if text.token_ends.is_empty() { &whole } else { text.token_ends.as_slice() };
        // Nothing typed, nothing known: of the tokens before the caret some are chosen by it.
        let typed = ends.iter().rfind(|it| start > 0 && it.end <= start);
        let of_typed = typed.map_or(1.0, |it| it.confidence).max(f32::MIN_POSITIVE);
        let mut best = None;
        let mut most_seconds = 0.0;
        for (index, it) in ends.iter().enumerate() {
            let is_last_there = ends.get(index + 1).is_none_or(|next| next.end > it.end);
            let confidence = (it.confidence / of_typed).min(1.0);
            let min_confidence = match is_first_line(text, it.end) {
                true => self.min_line_confidence,
                false => self.min_confidence,
            };
            if it.end <= start || !is_last_there || confidence < min_confidence {
                continue;
            }
            if is_within_word(text, it.end) || leaves_open(text, start, it.end) {
                continue;
            }
            let n_keys = n_keys(&text.text[start..it.end]);
            if n_keys < self.min_characters {
                continue;
            }
            let seconds = self.expected_seconds(n_keys, confidence);
            if self.wrong_text_seconds == 0.0 || seconds >= most_seconds {
                (best, most_seconds) = (Some(TokenEnd { end: it.end, confidence }), seconds);
            }
        }
        best
    }

    /// How much time showing so many keys gains, on average.
    fn expected_seconds(&self, n_keys: usize, confidence: f32) -> f32 {
        let right = SECONDS_A_KEY * n_keys as f32 - SECONDS_AN_ACCEPTANCE;
        confidence * right - (1.0 - confidence) * self.wrong_text_seconds
    }
}

/// How many keys it takes to type a text.
pub fn n_keys(text: &str) -> usize {
    let keys = |it: char| if it >= FIRST_IDEOGRAPH { KEYS_AN_IDEOGRAPH } else { 1 };
    text.trim().chars().map(keys).sum()
}

/// Whether a word goes on at `end`, as far as is known.
fn is_within_word(text: &GeneratedText, end: usize) -> bool {
    let (before, after) = text.text.split_at(end);
    let next = match (after.chars().next(), text.finish) {
        (None, Finish::Unsure { next }) => next,
        (next, _) => next,
    };
    before.ends_with(is_word) && next.is_some_and(is_word)
}

/// Whether the first line of a text ends at `end`, as the model says.
fn is_first_line(text: &GeneratedText, end: usize) -> bool {
    let (line, after) = text.text.split_at(end);
    let is_end = after.starts_with('\n') || (after.is_empty() && text.finish.is_end());
    is_end && !line.contains('\n')
}

/// Whether the part of `text` from `start` to `end` opens a bracket that it does not close, in the
/// middle of a line. `prompt::ends` would cut it there, and what is on the screen has to be known
/// without the document.
fn leaves_open(text: &GeneratedText, start: usize, end: usize) -> bool {
    if text.text[end..].is_empty() || text.text[end..].starts_with('\n') {
        return false;
    }
    let mut depth = 0_usize;
    for c in text.text[start..end].chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    depth > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text of tokens, each with its probability.
    fn text(tokens: &[(&str, f32)]) -> GeneratedText {
        let mut text = GeneratedText {
            text: String::new(),
            finish: Finish::EndToken,
            confidence: 1.0,
            token_ends: Vec::new(),
        };
        for (token, probability) in tokens {
            text.text.push_str(token);
            text.confidence *= probability;
            let (end, confidence) = (text.text.len(), text.confidence);
            text.token_ends.push(TokenEnd { end, confidence });
        }
        text
    }

    const RULE: ShowRule = ShowRule {
        min_confidence: 0.6,
        min_line_confidence: 0.6,
        min_characters: 4,
        wrong_text_seconds: 0.0,
    };

    fn shown(text: &GeneratedText, typed: &str) -> Option<String> {
        RULE.part_of(text, typed.len()).map(|it| it.text)
    }

    #[test]
    fn a_text_is_shown_as_far_as_it_is_sure() {
        let text = text(&[("self", 0.9), (".", 0.9), ("items", 0.9), (".len()", 0.5)]);
        assert_eq!(shown(&text, "").as_deref(), Some("self.items"));
        let part = RULE.part_of(&text, 0).expect("a part");
        assert_eq!(part.finish, Finish::Unsure { next: Some('.') });
        assert!((part.confidence - 0.729).abs() < 1e-3);
    }

    #[test]
    fn what_is_typed_along_makes_the_rest_more_sure() {
        let text = text(&[("self", 0.5), (".items", 0.9), (".len()", 0.8)]);
        assert_eq!(shown(&text, ""), None);
        // Half of a token says nothing yet.
        assert_eq!(shown(&text, "se"), None);
        assert_eq!(shown(&text, "self").as_deref(), Some(".items.len()"));
        // It stays as it is.
        assert_eq!(shown(&text, "self.it").as_deref(), Some("ems.len()"));
    }

    #[test]
    fn what_is_shown_stays_until_all_of_it_is_typed() {
        let text = text(&[("return ", 0.8), ("value", 0.9), (".unwrap()", 0.7)]);
        assert_eq!(shown(&text, "").as_deref(), Some("return value"));
        assert_eq!(shown(&text, "return v").as_deref(), Some("alue"));
        assert_eq!(shown(&text, "return value").as_deref(), Some(".unwrap()"));
        assert_eq!(RULE.part_of(&text, 8).map(|it| it.n_typed), Some(8));
    }

    #[test]
    fn words_are_whole_and_texts_no_shorter_than_they_must_be() {
        let halves = text(&[("regis", 0.9), ("ter", 0.9), ("(a)", 0.3)]);
        assert_eq!(shown(&halves, "").as_deref(), Some("register"));
        let unsure = text(&[("regis", 0.9), ("ter", 0.4)]);
        assert_eq!(shown(&unsure, ""), None);
        assert_eq!(shown(&text(&[("abc", 0.99)]), ""), None);
        assert_eq!(shown(&text(&[("顾客", 0.99)]), "").as_deref(), Some("顾客"));
        let cut =
            GeneratedText { finish: Finish::Unsure { next: Some('x') }, ..text(&[("abcd", 0.9)]) };
        assert_eq!(shown(&cut, ""), None);
    }

    #[test]
    fn a_bracket_is_not_left_open_for_the_sake_of_a_little_certainty() {
        let call = text(&[("foo", 0.95), ("(pool, near", 0.8), (")", 0.96), (";", 0.99)]);
        assert_eq!(shown(&call, "").as_deref(), Some("foo(pool, near);"));
    }

    #[test]
    fn where_a_wrong_text_costs_time_the_short_must_be_surer_and_the_unsure_end_is_left_out() {
        let rule = ShowRule { min_characters: 3, wrong_text_seconds: 0.7, ..RULE };
        let shown = |tokens: &[(&str, f32)]| rule.part_of(&text(tokens), 0).map(|it| it.text);
        for (word, least) in [("abc", 0.95), ("abcd", 0.77), ("abcde", 0.64), ("abcdefg", 0.6)] {
            assert_eq!(shown(&[(word, least)]).as_deref(), Some(word));
            assert_eq!(shown(&[(word, least - 0.03)]), None, "{word}");
        }
        // Two keys more are not worth that much doubt, twenty are.
        assert_eq!(shown(&[("self.items", 0.95), (".a", 0.65)]).as_deref(), Some("self.items"));
        let long = ".iter().map(count).sum()";
        let all = format!("self.items{long}");
        assert_eq!(shown(&[("self.items", 0.95), (long, 0.65)]), Some(all));
    }

    #[test]
    fn a_blocks_first_line_is_shown_whole_where_it_is_less_sure() {
        let rule = ShowRule { min_line_confidence: 0.2, ..RULE };
        let text = text(&[("return ", 0.9), ("self", 0.5), (".items", 0.6), ("\n}", 0.9)]);
        let shown = |rule: ShowRule| rule.part_of(&text, 0).map(|it| it.text);
        assert_eq!(shown(rule).as_deref(), Some("return self.items"));
        assert_eq!(shown(RULE).as_deref(), Some("return "));
        assert_eq!(
            shown(ShowRule { min_line_confidence: 0.3, ..RULE }).as_deref(),
            Some("return ")
        );
    }

    #[test]
    fn what_was_asked_for_stays_whole() {
        let text = text(&[("self.items", 0.95), (".", 0.3)]);
        let all = ShownPart::all_of(&text, 5).map(|it| (it.text, it.n_typed));
        assert_eq!(all, Some(("items.".to_owned(), 5)));
    }
}
