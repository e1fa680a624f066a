//! Retrieved contexts: earlier positions in the user's texts whose last tokens match those before
//! the caret, the longest and nearest ones, each with the token that follows it and features of the
//! match.
//!
//! Counts of what followed the longest match take all its positions for equally good. They are not:
//! the nearest one says more than one far away, one in a line that starts the same way more than
//! any other, and one whose lines before have the same names most. So each is described by
//! features, and [`attention`](crate::retrieval::attention) scores it by them.

use std::cmp::Reverse;

use crate::lm::{PrefixConstraint, Token};
use crate::retrieval::features::{MatchFeatures, QuantizedMatchFeatures};
use crate::retrieval::suffix_array::{IndexView, SEPARATOR};

/// How many contexts of the document are retrieved, and how many of all other texts.
pub const MAX_CONTEXTS: usize = 48;

/// Tokens before the caret whose names are compared, and the nearest of them.
const WIDE: usize = 64;
const NEAR: usize = 20;
/// How far back a line's start is looked for.
const MAX_LINE: usize = 96;
/// How far back tokens are compared.
const MAX_COMPARED: usize = 24;
/// Matches of this length and longer ones are equally good when contexts are chosen.
const LONG: usize = 12;
/// In byte-level vocabularies, tokens below this are bytes and the commonest pairs of them, and
/// tell nothing about a text's subject.
const FIRST_NAME: Token = 300;

/// An earlier position that matches the caret's.
#[derive(Debug, Clone, PartialEq)]
pub struct RetrievedContext {
    /// The token that follows it.
    pub next: Token,
    pub features: QuantizedMatchFeatures,
}

/// Which text a context is in, relative to the caret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    After,
    OtherText,
}

/// A text to search.
struct Text<'a> {
    tokens: &'a [Token],
    /// After this token another part starts.
    split: Option<usize>,
}

/// A match without its features: the index of its last token, and its length, at most
/// [`MAX_COMPARED`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Match {
    at: usize,
    length: usize,
}

/// The tokens before the next one, prepared for retrieval.
pub struct ContextQuery<'a> {
    tokens: &'a [Token],
    end: Token,
    /// Where the present line starts, and the one before it.
    line: usize,
    line_before: Option<usize>,
    constraint: Option<&'a dyn PrefixConstraint>,
    /// By token, whether it is among the last ones: [`SEEN_WIDE`], [`SEEN_NEAR`].
    seen: Vec<u8>,
}

const SEEN_WIDE: u8 = 1;
const SEEN_NEAR: u8 = 2;

impl<'a> ContextQuery<'a> {
    /// How many of the last tokens are of use.
    pub const MAX_TOKENS: usize = WIDE + MAX_LINE;

    /// `tokens`, in which `end` ends lines, stand before the next one, which has to satisfy
    /// `constraint`.
    pub fn new(
        tokens: &'a [Token],
        end: Token,
        constraint: Option<&'a dyn PrefixConstraint>,
    ) -> Self {
        let line = line_start(tokens, tokens.len(), 0, end);
        let line_before = line.checked_sub(1).map(|it| line_start(tokens, it, 0, end));
        let recent = &tokens[tokens.len().saturating_sub(WIDE)..];
        let most = recent.iter().copied().max().unwrap_or(0).max(0);
        let mut seen = vec![0; most as usize + 1];
        for (back, token) in recent.iter().rev().enumerate() {
            if let Some(it) = usize::try_from(*token).ok().and_then(|it| seen.get_mut(it)) {
                *it |= if back < NEAR { SEEN_WIDE | SEEN_NEAR } else { SEEN_WIDE };
            }
        }
        Self { tokens, end, line, line_before, constraint, seen }
    }

    /// Contexts in the document, whose first `n_before` tokens stand before the caret's line and
    /// the others after it.
    pub fn in_document(&self, tokens: &[Token], n_before: usize) -> Vec<RetrievedContext> {
        let text = Text { tokens, split: n_before.checked_sub(1) };
        let distance = |at: usize| if at < n_before { n_before - at } else { at + 1 - n_before };
        let side = |at: usize| if at < n_before { Side::Before } else { Side::After };
        let matches = self.longest_and_nearest(&text, distance);
        let context = |it: &Match| self.context(&text, it, side(it.at), distance(it.at));
        matches.iter().map(context).collect()
    }

    /// Contexts in other texts: open ones, joined by separators, and those of an index.
    pub fn in_related_texts(&self, open: &[Token], files: &IndexView) -> Vec<RetrievedContext> {
        let open = Text { tokens: open, split: None };
        let in_files = files.longest_matches(self.tokens, self.constraint, MAX_CONTEXTS);
        let files = Text { tokens: files.tokens(), split: None };
        let in_open = self.longest_and_nearest(&open, |_| 0).into_iter().map(|it| (&open, it));
        let in_files = in_files.into_iter().map(|at| {
            let length = self.match_length(&files, at);
            (&files, Match { at, length })
        });
        let mut matches: Vec<(&Text, Match)> = in_open.chain(in_files).collect();
        matches.sort_by_key(|it| Reverse(it.1.length.min(LONG)));
        matches.truncate(MAX_CONTEXTS);
        matches.iter().map(|(text, it)| self.context(text, it, Side::OtherText, 0)).collect()
    }

    /// The longest matches in a text, of equally long ones the nearest.
    fn longest_and_nearest(&self, text: &Text, distance: impl Fn(usize) -> usize) -> Vec<Match> {
        let last = self.tokens.last();
        let matches = |at: &usize| match self.constraint {
            None => Some(&text.tokens[*at]) == last && text.tokens[at + 1] != SEPARATOR,
            Some(it) => it.is_spelled_by(&text.tokens[at + 1..]),
        };
        let all = 0..text.tokens.len().saturating_sub(1);
        let mut found: Vec<(Reverse<usize>, usize, Match)> = all
            .filter(|at| matches(at) && Some(*at) != text.split)
            .map(|at| Match { at, length: self.match_length(text, at) })
            .map(|it| (Reverse(it.length.min(LONG)), distance(it.at), it))
            .collect();
        if found.len() > MAX_CONTEXTS {
            found.select_nth_unstable(MAX_CONTEXTS - 1);
            found.truncate(MAX_CONTEXTS);
        }
        found.sort_unstable();
        found.into_iter().map(|it| it.2).collect()
    }

    /// Where the part of the text that `at` is in starts.
    fn floor(text: &Text, at: usize) -> usize {
        text.split.filter(|it| at > *it).map_or(0, |it| it + 1)
    }

    /// Whether the token `back` before `at` is the one `back` before the last here.
    fn is_same(&self, text: &Text, at: usize, back: usize) -> bool {
        let there = at.checked_sub(back).filter(|it| *it >= Self::floor(text, at));
        let here = self.tokens.len().checked_sub(back + 1);
        match (there, here) {
            (Some(there), Some(here)) => {
                text.tokens[there] != SEPARATOR && text.tokens[there] == self.tokens[here]
            }
            _ => false,
        }
    }

    fn match_length(&self, text: &Text, at: usize) -> usize {
        (0..MAX_COMPARED).take_while(|it| self.is_same(text, at, *it)).count()
    }

    fn context(&self, text: &Text, it: &Match, side: Side, distance: usize) -> RetrievedContext {
        let features = self.features(text, it, side, distance).quantized();
        RetrievedContext { next: text.tokens[it.at + 1], features }
    }

    /// What a match has in common with the tokens before the caret.
    fn features(&self, text: &Text, it: &Match, side: Side, distance: usize) -> MatchFeatures {
        let Match { at, length } = *it;
        let (tokens, next) = (text.tokens, text.tokens[at + 1]);
        let floor = Self::floor(text, at);
        let before_mismatch = length + 1..length + 9;
        let before_mismatch = before_mismatch.take_while(|it| self.is_same(text, at, *it)).count();
        let line = line_start(tokens, at + 1, floor, self.end);
        let (column_there, column) = (at + 1 - line, self.tokens.len() - self.line);
        let same_start = |there: &[Token], here: &[Token]| {
            there.iter().zip(here).take_while(|(a, b)| a == b).count() as f32
        };
        let line_start_match = same_start(&tokens[line..=at], &self.tokens[self.line..]);
        let previous_line_match = match self.line_before {
            Some(here) if line > floor && tokens[line - 1] != SEPARATOR => {
                let there = line_start(tokens, line - 1, floor, self.end);
                same_start(&tokens[there..line], &self.tokens[here..self.line])
            }
            _ => 0.0,
        };
        let [wide, near] = self.names(&tokens[floor..(at + 1 - length).max(floor)], length);
        let flag = |it: bool| f32::from(u8::from(it));
        MatchFeatures {
            match_length: length as f32,
            match_length_log: length as f32,
            is_before_caret: flag(side == Side::Before),
            is_after_caret: flag(side == Side::After),
            is_in_other_text: flag(side == Side::OtherText),
            distance: distance as f32,
            match_before_mismatch: before_mismatch as f32,
            is_same_column: flag(column_there == column),
            column_difference: column_there.abs_diff(column) as f32,
            is_same_line_start: flag(line_start_match > 0.0),
            line_start_match,
            previous_line_match,
            shared_names: wide.0,
            shared_names_weight: wide.1,
            shared_near_names: near.0,
            shared_near_names_weight: near.1,
            is_next_recent: flag(self.seen(next) & SEEN_WIDE != 0),
            is_constrained: flag(self.constraint.is_some()),
            is_whole_line_matched: flag(length >= column && column > 0),
            is_next_line_end: flag(next == self.end),
        }
    }

    fn seen(&self, token: Token) -> u8 {
        self.seen.get(token as usize).copied().unwrap_or(0)
    }

    /// Of the names before a match, those among the caret's last tokens as well: their share of the
    /// weight, and their weight. A name weighs more the rarer its token, and the later a vocabulary
    /// has a token the rarer it is.
    fn names(&self, before: &[Token], length: usize) -> [(f32, f32); 2] {
        let mut sums = [(0.0, 0.0); 2];
        for (back, token) in before.iter().rev().take(WIDE.saturating_sub(length)).enumerate() {
            if *token == SEPARATOR {
                break;
            }
            if *token < FIRST_NAME {
                continue;
            }
            let seen = self.seen(*token);
            let weight = (*token as f32).ln();
            for (sum, (most, flag)) in sums.iter_mut().zip([(WIDE, SEEN_WIDE), (NEAR, SEEN_NEAR)]) {
                if back + length < most {
                    sum.0 += weight;
                    sum.1 += if seen & flag == 0 { 0.0 } else { weight };
                }
            }
        }
        sums.map(|(all, common)| (if all > 0.0 { common / all } else { 0.0 }, common))
    }
}

/// Where the line starts that ends before `until`, no further back than `floor` or [`MAX_LINE`]
/// tokens.
fn line_start(tokens: &[Token], until: usize, floor: usize, end: Token) -> usize {
    let least = until.saturating_sub(MAX_LINE).max(floor);
    let is_break = |it: &Token| *it == end || *it == SEPARATOR;
    let in_line = tokens[least..until].iter().rev().take_while(|it| !is_break(it)).count();
    until - in_line
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::retrieval::suffix_array::SuffixArray;

    /// A token a byte, far enough from the bytes of a vocabulary to be names; `|` ends lines.
    fn tokens(text: &str) -> Vec<Token> {
        text.bytes()
            .map(|it| if it == b'#' { SEPARATOR } else { FIRST_NAME + Token::from(it) })
            .collect()
    }

    const END: Token = FIRST_NAME + b'|' as Token;

    /// A feature by its name, quantized.
    fn feature(context: &RetrievedContext, name: &str) -> u8 {
        let at = MatchFeatures::SCHEMA.iter().position(|it| it.name == name).expect("a feature");
        context.features[at]
    }

    /// How many tokens match.
    fn length(context: &RetrievedContext) -> usize {
        let share = f32::from(feature(context, "match_length")) / 255.0;
        (share * MAX_COMPARED as f32).round() as usize
    }

    fn shown(contexts: &[RetrievedContext]) -> String {
        let next = |it: &RetrievedContext| (it.next - FIRST_NAME) as u8 as char;
        contexts.iter().map(|it| format!("{}{} ", next(it), length(it))).collect::<String>()
    }

    /// Of a document, in which `$` stands for the caret's line.
    fn in_document(document: &str, before: &str) -> Vec<RetrievedContext> {
        let (n_before, document) = (document.find('$').expect("$"), document.replace('$', ""));
        ContextQuery::new(&tokens(before), END, None).in_document(&tokens(&document), n_before)
    }

    #[test]
    fn the_longest_matches_come_first_and_of_equal_ones_the_nearest() {
        assert_eq!(shown(&in_document("xabc|abd|$abe|", "xab")), "c3 e2 d2 ");
        // Nothing reaches across the caret's line, and what was written last follows nothing.
        assert_eq!(shown(&in_document("xa$bc|", "xab")), "c1 ");
        assert_eq!(shown(&in_document("$", "xab")), "");
        assert_eq!(shown(&in_document("abc|$", "")), "");
        let many = in_document(&format!("xabz|{}$", "abc|".repeat(200)), "xab");
        assert_eq!((many.len(), length(&many[0]), many[0].next), (MAX_CONTEXTS, 3, tokens("z")[0]));
    }

    #[test]
    fn other_texts_are_those_that_are_open_and_the_files() {
        let files = IndexView::without(Arc::new(SuffixArray::new([tokens("xabf|")])), []);
        let before = tokens("xab");
        let here = ContextQuery::new(&before, END, None);
        assert_eq!(shown(&here.in_related_texts(&tokens("abo|#xabp|#"), &files)), "p3 f3 o2 ");
        assert_eq!(shown(&here.in_related_texts(&[], &IndexView::default())), "");
        // A file's last token is followed by another file.
        assert_eq!(shown(&here.in_related_texts(&tokens("ab#c"), &IndexView::default())), "");
    }

    /// A feature of the first context.
    fn first(document: &str, before: &str, name: &str) -> u8 {
        feature(&in_document(document, before)[0], name)
    }

    #[test]
    fn what_contexts_have_in_common_with_the_caret() {
        let sides = |document: &str| {
            ["is_before_caret", "is_after_caret"].map(|name| first(document, "a", name))
        };
        assert_eq!((sides("ab|$"), sides("$ab|")), ([255, 0], [0, 255]));
        assert!(first("ab|$", "a", "distance") < first("ab|ccccccccccc|$", "a", "distance"));
        // Before one other token two more are the same: x, y.
        let two_of_eight = (2.0 / 8.0 * 255.0) as u8;
        assert_eq!(first("xyqab|$", "xyra", "match_before_mismatch"), two_of_eight);
        // Each name with a context that has it, and with one that has not.
        for (name, with, without) in [
            ("is_same_column", ("qab|$", "ra"), ("ab|$", "ra")),
            ("is_same_line_start", ("fqab|$", "fra"), ("gqab|$", "fra")),
            ("shared_names", ("fgab|$", "gfha"), ("xyab|$", "gfha")),
            ("is_next_recent", ("ab|$", "bra"), ("ab|$", "ra")),
            ("is_whole_line_matched", ("|ab|$", "|a"), ("ab|$", "ra")),
            ("is_next_line_end", ("a|$", "a"), ("ab|$", "a")),
        ] {
            let features = [with, without].map(|(document, before)| first(document, before, name));
            assert_eq!(features, [255, 0], "{name}");
        }
        let more = |name: &str, a: &str, b: &str, before: &str| {
            assert!(first(a, before, name) > first(b, before, name), "{name}");
        };
        more("previous_line_match", "fun|qab|$", "xun|qab|$", "fun|ra");
        more("shared_names_weight", "fgab|$", "xgab|$", "gfha");
    }
}
