//! Places in texts where the text goes on like the one before the caret, and what is alike there.
//!
//! Counts take all places of a match for equally good. They are not: the nearest one counts more than one far
//! away, one in a line that begins the same way more than any other, and one whose lines before speak of the same
//! names most. So each place is described by what it has in common with the caret's, and a small network
//! ([`weighing`](crate::adapt::weighing)) says how much it counts: attention over the user's own text, with
//! features in place of a network's states (after Grave et al. 2016, arXiv:1612.04426, and Khandelwal et al.
//! 2019, arXiv:1911.00172).

use std::cmp::Reverse;

use crate::adapt::index::{BORDER, IndexView};
use crate::generation::{HalfTyped, Token};

/// How many places of the document are looked at, and how many of all other texts.
pub const MAX_PLACES: usize = 48;
/// What a place is described by; see [`Here::likeness`].
pub const N_LIKENESS: usize = 20;
/// In 255ths, so that what the network was fitted on is what it sees.
pub type Likeness = [u8; N_LIKENESS];

/// Tokens before the caret whose names are compared, and those next to it.
const WIDE: usize = 64;
const NEAR: usize = 20;
/// How far back a line's beginning is looked for.
const MAX_LINE: usize = 96;
/// How far back tokens are compared.
const MAX_COMPARED: usize = 24;
/// Places with matches this long are equally good at first.
const LONG: usize = 12;
/// In byte-level vocabularies, tokens below this are bytes and the commonest pairs of them, and say nothing of what a text
/// is about.
const FIRST_NAME: Token = 300;

/// Something followed here.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    pub next: Token,
    pub likeness: Likeness,
}

/// Which text a place is in, seen from the caret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    After,
    Elsewhere,
}

/// A text to look for places in.
struct Text<'a> {
    tokens: &'a [Token],
    /// Behind this token something else begins.
    border: Option<usize>,
}

/// A place that has not been described: the index of the token before what follows, and how many tokens up to it are those
/// before the caret, [`MAX_COMPARED`] at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    at: usize,
    order: usize,
}

/// What stands before the next token.
pub struct Here<'a> {
    tokens: &'a [Token],
    end: Token,
    /// Where the present line begins, and the one before it.
    line: usize,
    line_before: Option<usize>,
    half_typed: Option<&'a dyn HalfTyped>,
    /// By token, whether it is among the last ones: [`SEEN_WIDE`], [`SEEN_NEAR`].
    seen: Vec<u8>,
}

const SEEN_WIDE: u8 = 1;
const SEEN_NEAR: u8 = 2;

impl<'a> Here<'a> {
    /// How many tokens are worth handing in.
    pub const MAX_TOKENS: usize = WIDE + MAX_LINE;

    /// `tokens`, of which `end` ends lines, stand before the next one; what is `half_typed` has to be spelled.
    pub fn new(tokens: &'a [Token], end: Token, half_typed: Option<&'a dyn HalfTyped>) -> Self {
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
        Self { tokens, end, line, line_before, half_typed, seen }
    }

    /// Places in the document, whose first `n_before` tokens stand before the caret's line and the others after it.
    pub fn in_document(&self, tokens: &[Token], n_before: usize) -> Vec<Place> {
        let text = Text { tokens, border: n_before.checked_sub(1) };
        let distance = |at: usize| if at < n_before { n_before - at } else { at + 1 - n_before };
        let side = |at: usize| if at < n_before { Side::Before } else { Side::After };
        let found = self.longest_and_nearest(&text, distance);
        let place = |it: &Found| self.place(&text, it, side(it.at), distance(it.at));
        found.iter().map(place).collect()
    }

    /// Places in other texts: those that are open, joined by borders, and those of an index.
    pub fn in_others(&self, open: &[Token], files: &IndexView) -> Vec<Place> {
        let open = Text { tokens: open, border: None };
        let in_files = files.longest_places(self.tokens, self.half_typed, MAX_PLACES);
        let files = Text { tokens: files.tokens(), border: None };
        let in_open = self.longest_and_nearest(&open, |_| 0).into_iter().map(|it| (&open, it));
        let in_files = in_files.into_iter().map(|at| {
            let order = self.order(&files, at);
            (&files, Found { at, order })
        });
        let mut found: Vec<(&Text, Found)> = in_open.chain(in_files).collect();
        found.sort_by_key(|it| Reverse(it.1.order.min(LONG)));
        found.truncate(MAX_PLACES);
        found.iter().map(|(text, it)| self.place(text, it, Side::Elsewhere, 0)).collect()
    }

    /// The places of a text: the longest matches, of equally long ones the nearest.
    fn longest_and_nearest(&self, text: &Text, distance: impl Fn(usize) -> usize) -> Vec<Found> {
        let last = self.tokens.last();
        let goes_on = |at: &usize| match self.half_typed {
            None => Some(&text.tokens[*at]) == last && text.tokens[at + 1] != BORDER,
            Some(it) => it.is_spelled_by(&text.tokens[at + 1..]),
        };
        let all = 0..text.tokens.len().saturating_sub(1);
        let mut found: Vec<(Reverse<usize>, usize, Found)> = all
            .filter(|at| goes_on(at) && Some(*at) != text.border)
            .map(|at| Found { at, order: self.order(text, at) })
            .map(|it| (Reverse(it.order.min(LONG)), distance(it.at), it))
            .collect();
        if found.len() > MAX_PLACES {
            found.select_nth_unstable(MAX_PLACES - 1);
            found.truncate(MAX_PLACES);
        }
        found.sort_unstable();
        found.into_iter().map(|it| it.2).collect()
    }

    /// Where the part of the text that `at` is in begins.
    fn floor(text: &Text, at: usize) -> usize {
        text.border.filter(|it| at > *it).map_or(0, |it| it + 1)
    }

    /// Whether the token `back` before `at` is the one `back` before the last here.
    fn is_same(&self, text: &Text, at: usize, back: usize) -> bool {
        let there = at.checked_sub(back).filter(|it| *it >= Self::floor(text, at));
        let here = self.tokens.len().checked_sub(back + 1);
        match (there, here) {
            (Some(there), Some(here)) => {
                text.tokens[there] != BORDER && text.tokens[there] == self.tokens[here]
            }
            _ => false,
        }
    }

    fn order(&self, text: &Text, at: usize) -> usize {
        (0..MAX_COMPARED).take_while(|it| self.is_same(text, at, *it)).count()
    }

    fn place(&self, text: &Text, found: &Found, side: Side, distance: usize) -> Place {
        let likeness = self.likeness(text, found, side, distance);
        Place { next: text.tokens[found.at + 1], likeness }
    }

    /// What a place has in common with this one, in this order: the match's length, twice; the side, three times; the distance;
    /// how far the match goes on behind one other token; columns (same, how far apart); the line's beginning (same,
    /// how far); the beginning of the line before; names in the wide window (share, sum) and in the near one;
    /// whether what followed is among the last tokens; whether a word is half typed; whether all of the line
    /// matches; whether what followed is a line's end.
    fn likeness(&self, text: &Text, found: &Found, side: Side, distance: usize) -> Likeness {
        let Found { at, order } = *found;
        let (tokens, next) = (text.tokens, text.tokens[at + 1]);
        let floor = Self::floor(text, at);
        let behind = order + 1..order + 9;
        let behind = behind.take_while(|it| self.is_same(text, at, *it)).count();
        let line = line_start(tokens, at + 1, floor, self.end);
        let (column_there, column) = (at + 1 - line, self.tokens.len() - self.line);
        let same_beginning = |there: &[Token], here: &[Token]| {
            there.iter().zip(here).take_while(|(a, b)| a == b).count() as f32
        };
        let beginning = same_beginning(&tokens[line..=at], &self.tokens[self.line..]);
        let before = match self.line_before {
            Some(here) if line > floor && tokens[line - 1] != BORDER => {
                let there = line_start(tokens, line - 1, floor, self.end);
                same_beginning(&tokens[there..line], &self.tokens[here..self.line])
            }
            _ => 0.0,
        };
        let [wide, near] = self.names(&tokens[floor..(at + 1 - order).max(floor)], order);
        let flag = |it: bool| f32::from(u8::from(it));
        let described = [
            order as f32 / MAX_COMPARED as f32,
            (order as f32).ln_1p() / 3.3,
            flag(side == Side::Before),
            flag(side == Side::After),
            flag(side == Side::Elsewhere),
            (distance as f32).ln_1p() / 10.0,
            behind as f32 / 8.0,
            flag(column_there == column),
            column_there.abs_diff(column) as f32 / 16.0,
            flag(beginning > 0.0),
            beginning / 12.0,
            before / 8.0,
            wide.0,
            wide.1 / 60.0,
            near.0,
            near.1 / 30.0,
            flag(self.seen(next) & SEEN_WIDE != 0),
            flag(self.half_typed.is_some()),
            flag(order >= column && column > 0),
            flag(next == self.end),
        ];
        described.map(|it| (it.clamp(0.0, 1.0) * 255.0) as u8)
    }

    fn seen(&self, token: Token) -> u8 {
        self.seen.get(token as usize).copied().unwrap_or(0)
    }

    /// Of the names before a match, those that are seen here as well: which share of them, and how much all together.
    /// A name counts more the rarer its token, and the later a vocabulary has a token the rarer it is.
    fn names(&self, before: &[Token], order: usize) -> [(f32, f32); 2] {
        let mut sums = [(0.0, 0.0); 2];
        for (back, token) in before.iter().rev().take(WIDE.saturating_sub(order)).enumerate() {
            if *token == BORDER {
                break;
            }
            if *token < FIRST_NAME {
                continue;
            }
            let seen = self.seen(*token);
            let weight = (*token as f32).ln();
            for (sum, (most, flag)) in sums.iter_mut().zip([(WIDE, SEEN_WIDE), (NEAR, SEEN_NEAR)]) {
                if back + order < most {
                    sum.0 += weight;
                    sum.1 += if seen & flag == 0 { 0.0 } else { weight };
                }
            }
        }
        sums.map(|(all, common)| (if all > 0.0 { common / all } else { 0.0 }, common))
    }
}

/// Where the line begins that ends before `until`, no further back than `floor` or [`MAX_LINE`] tokens.
fn line_start(tokens: &[Token], until: usize, floor: usize, end: Token) -> usize {
    let least = until.saturating_sub(MAX_LINE).max(floor);
    let is_break = |it: &Token| *it == end || *it == BORDER;
    let in_line = tokens[least..until].iter().rev().take_while(|it| !is_break(it)).count();
    until - in_line
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::adapt::index::TextIndex;

    /// A token a byte, far enough from the bytes of a vocabulary to be names; `|` ends lines.
    fn tokens(text: &str) -> Vec<Token> {
        text.bytes()
            .map(|it| if it == b'#' { BORDER } else { FIRST_NAME + Token::from(it) })
            .collect()
    }

    const END: Token = FIRST_NAME + b'|' as Token;

    /// How many tokens match.
    fn order(place: &Place) -> usize {
        (f32::from(place.likeness[0]) / 255.0 * MAX_COMPARED as f32).round() as usize
    }

    fn shown(places: &[Place]) -> String {
        let next = |it: &Place| (it.next - FIRST_NAME) as u8 as char;
        places.iter().map(|it| format!("{}{} ", next(it), order(it))).collect::<String>()
    }

    /// Of a document, in which `$` stands for the caret's line.
    fn in_document(document: &str, before: &str) -> Vec<Place> {
        let (n_before, document) = (document.find('$').expect("$"), document.replace('$', ""));
        Here::new(&tokens(before), END, None).in_document(&tokens(&document), n_before)
    }

    #[test]
    fn the_longest_matches_come_first_and_of_equal_ones_the_nearest() {
        assert_eq!(shown(&in_document("xabc|abd|$abe|", "xab")), "c3 e2 d2 ");
        // Nothing reaches across the caret's line, and what was written last follows nothing.
        assert_eq!(shown(&in_document("xa$bc|", "xab")), "c1 ");
        assert_eq!(shown(&in_document("$", "xab")), "");
        assert_eq!(shown(&in_document("abc|$", "")), "");
        let many = in_document(&format!("xabz|{}$", "abc|".repeat(200)), "xab");
        assert_eq!((many.len(), order(&many[0]), many[0].next), (MAX_PLACES, 3, tokens("z")[0]));
    }

    #[test]
    fn other_texts_are_those_that_are_open_and_the_files() {
        let files = IndexView::without(Arc::new(TextIndex::new([tokens("xabf|")])), []);
        let before = tokens("xab");
        let here = Here::new(&before, END, None);
        assert_eq!(shown(&here.in_others(&tokens("abo|#xabp|#"), &files)), "p3 f3 o2 ");
        assert_eq!(shown(&here.in_others(&[], &IndexView::default())), "");
        // A file's last token is followed by another file.
        assert_eq!(shown(&here.in_others(&tokens("ab#c"), &IndexView::default())), "");
    }

    /// What is at one place of a likeness, of the first place.
    fn number(document: &str, before: &str, at: usize) -> u8 {
        in_document(document, before)[0].likeness[at]
    }

    #[test]
    fn what_places_have_in_common_with_the_caret() {
        // Sides.
        assert_eq!([2, 3, 4].map(|at| number("ab|$", "a", at)), [255, 0, 0]);
        assert_eq!([2, 3, 4].map(|at| number("$ab|", "a", at)), [0, 255, 0]);
        // Distance: nearer is less.
        assert!(number("ab|$", "a", 5) < number("ab|ccccccccccc|$", "a", 5));
        // Behind one other token two more are the same: x, y.
        assert_eq!(number("xyqab|$", "xyra", 6), (2.0 / 8.0 * 255.0) as u8);
        // Columns.
        assert_eq!((number("qab|$", "ra", 7), number("ab|$", "ra", 7)), (255, 0));
        // The line's beginning, and that of the line before.
        assert_eq!((number("fqab|$", "fra", 9), number("gqab|$", "fra", 9)), (255, 0));
        assert!(number("fun|qab|$", "fun|ra", 11) > number("xun|qab|$", "fun|ra", 11));
        // Names: all of them, none of them.
        assert_eq!((number("fgab|$", "gfha", 12), number("xyab|$", "gfha", 12)), (255, 0));
        assert!(number("fgab|$", "gfha", 13) > number("xgab|$", "gfha", 13));
        // What followed stands here as well; all of the line matches; it ended there.
        assert_eq!((number("ab|$", "bra", 16), number("ab|$", "ra", 16)), (255, 0));
        assert_eq!((number("|ab|$", "|a", 18), number("ab|$", "ra", 18)), (255, 0));
        assert_eq!((number("a|$", "a", 19), number("ab|$", "a", 19)), (255, 0));
    }
}
