//! What of an answer is shown at a caret, and in which order.

use crate::completion::when_to_speak::{ShowRule, ShownPart, n_keys};
use crate::lm::{GeneratedText, Generation, TokenEnd};
use crate::prompt::excerpt::Excerpt;
use crate::prompt::finish::{Dropped, Suggestion, finish};
use crate::text::words::is_word;

/// An answer's texts, from the caret on.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub best: GeneratedText,
    /// What is shown unasked, where that is something else; only in the answer to a person.
    pub sure: Option<GeneratedText>,
    pub alternatives: Vec<GeneratedText>,
}

impl From<&Generation> for Answer {
    fn from(generation: &Generation) -> Self {
        let Generation { best, sure, alternatives, .. } = generation.clone();
        Self { best, sure, alternatives }
    }
}

impl Answer {
    /// What is left of it after `typed`; `None` where it does not go on so.
    pub fn after(&self, typed: &str) -> Option<Self> {
        let left = |best: &GeneratedText| {
            let text = best.text.strip_prefix(typed)?.to_owned();
            let after =
                |it: &TokenEnd| Some(TokenEnd { end: it.end.checked_sub(typed.len())?, ..*it });
            let token_ends = best.token_ends.iter().filter_map(after).collect();
            Some(GeneratedText { text, token_ends, ..*best })
        };
        Some(Self {
            best: left(&self.best)?,
            sure: self.sure.as_ref().and_then(left),
            alternatives: self.alternatives.iter().filter_map(left).collect(),
        })
    }

    /// As somebody is answered who has not asked.
    pub fn unasked(self) -> Self {
        match self.sure {
            Some(best) => Self { best, sure: None, alternatives: Vec::new() },
            None => self,
        }
    }
}

/// What is shown while somebody types: a part of what was generated.
///
/// # Errors
/// Why nothing is.
pub fn unasked(
    excerpt: &Excerpt,
    rule: ShowRule,
    part: Option<ShownPart>,
) -> Result<Suggestion, Dropped> {
    let part = part.ok_or(Dropped::Unsure)?;
    let suggestion = finish(excerpt, &part.text, part.finish, false)?;
    // What is on the screen already stays there, however short it has become.
    if n_keys(&suggestion.text) + part.n_typed >= rule.min_characters {
        Ok(suggestion)
    } else {
        Err(Dropped::TooShort)
    }
}

/// Whether a text has something that the entries beside it, of a server that knows the types, have
/// not: more than one name or the call of one.
pub fn is_more_than_a_name(text: &str) -> bool {
    let text = text.trim();
    let name = text.strip_suffix("()").or_else(|| text.strip_suffix('(')).unwrap_or(text);
    name.chars().any(|c| !is_word(c)) && text.chars().any(is_word)
}

/// What a person gets who asks: the whole text, or where that is not worth showing its sure
/// beginning; then others. What is shown `unasked` is the beginning of one of them, always.
///
/// # Errors
/// Why there is nothing.
pub fn asked_for(
    excerpt: &Excerpt,
    rule: ShowRule,
    answer: &Answer,
    shown_unasked: Option<Suggestion>,
) -> Result<Vec<Suggestion>, Dropped> {
    let finished = |best: &GeneratedText| finish(excerpt, &best.text, best.finish, true);
    let whole = finished(&answer.best);
    let mut items: Vec<Suggestion> = whole.iter().cloned().collect();
    if whole.is_err() {
        items.extend(answer.sure.as_ref().and_then(|it| finished(it).ok()));
    }
    let part = rule.part_of(answer.sure.as_ref().unwrap_or(&answer.best), 0);
    let sure = unasked(excerpt, rule, part).ok();
    for it in [sure, shown_unasked].into_iter().flatten() {
        if !items.iter().any(|item| item.text.starts_with(&it.text)) {
            // It stays where it is on the screen.
            items.insert(0, it);
        }
    }
    for other in answer.alternatives.iter().filter_map(|it| finished(it).ok()) {
        add(&mut items, other);
    }
    match (items.is_empty(), whole) {
        (true, Err(dropped)) => Err(dropped),
        _ => Ok(items),
    }
}

/// Adds one that differs from those that are there.
pub fn add(items: &mut Vec<Suggestion>, other: Suggestion) {
    if !items.iter().any(|it| it.text.trim() == other.text.trim()) {
        items.push(other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lm::Finish;
    use crate::prompt::excerpt;

    const RULE: ShowRule = ShowRule {
        min_confidence: 0.45,
        min_line_confidence: 0.45,
        min_characters: 2,
        wrong_text_seconds: 0.0,
    };

    fn best(text: &str, finish: Finish) -> GeneratedText {
        GeneratedText { text: text.to_owned(), finish, confidence: 0.5, token_ends: vec![] }
    }

    /// The items at a caret of Python for a whole text, a sure beginning and others.
    fn items(marked: &str, whole: &str, sure: Option<&str>, others: &[&str]) -> Vec<String> {
        let answer = Answer {
            best: best(whole, Finish::EndToken),
            sure: sure.map(|it| best(it, Finish::Unsure { next: Some('(') })),
            alternatives: others.iter().map(|it| best(it, Finish::EndToken)).collect(),
        };
        let items = asked_for(&excerpt::at(marked), RULE, &answer, None).unwrap_or_default();
        items.into_iter().map(|it| it.text).collect()
    }

    #[test]
    fn a_whole_text_that_is_not_worth_showing_leaves_its_beginning_and_the_others() {
        let marked = "items.append(2)\nitems.app$0";
        assert_eq!(items(marked, "end(2)", Some("end("), &["ly(f)"]), ["end(", "ly(f)"]);
        assert_eq!(items(marked, "end(3)", Some("end("), &["end(3)"]), ["end(3)"]);
        assert_eq!(items(marked, "end(2)", None, &[]), Vec::<String>::new());
        // Counts are sure of something else than the model.
        assert_eq!(items("x = $0", "a + b", Some("cd"), &[]), ["cd", "a + b"]);
    }

    #[test]
    fn a_name_is_the_other_servers() {
        for text in ["len", "len()", "unwrap_or(", " größe", ");", "}", ""] {
            assert!(!is_more_than_a_name(text), "{text:?}");
        }
        for text in ["len();", "unwrap_or(0)", "let x", "a.b", "return\n}"] {
            assert!(is_more_than_a_name(text), "{text:?}");
        }
    }

    #[test]
    fn what_is_on_the_screen_is_offered() {
        let answer = Answer {
            best: best("abc", Finish::EndToken),
            sure: None,
            alternatives: vec![best("xyz", Finish::EndToken)],
        };
        let offered = |shown: &str| {
            let shown = Suggestion { text: shown.to_owned(), replaced_after: 0 };
            let items =
                asked_for(&excerpt::at("v = $0"), RULE, &answer, Some(shown)).expect("items");
            items.into_iter().map(|it| it.text).collect::<Vec<_>>()
        };
        assert_eq!(offered("ab"), ["abc", "xyz"]);
        assert_eq!(offered("zz"), ["zz", "abc", "xyz"]);
    }
}
