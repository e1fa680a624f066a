//! Where a history of tokens occurs in a text, and what follows it there: longest match first.

use crate::adapt::index::BORDER;
use crate::generation::{HalfTyped, Token};

/// A match this long says all there is to say.
pub const MAX_ORDER: usize = 12;

/// What followed one history in one text.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// How many tokens of the history matched.
    pub order: usize,
    /// Each next token once, with how often it followed; most frequent first.
    pub next: Vec<(Token, u32)>,
    /// How often anything followed.
    pub total: u32,
}

impl Match {
    /// Takes in what followed the same history in another text.
    pub fn add(&mut self, other: Self) {
        self.total += other.total;
        for (token, n) in other.next {
            match self.next.iter_mut().find(|it| it.0 == token) {
                Some(there) => there.1 += n,
                None => self.next.push((token, n)),
            }
        }
        self.next.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    }
}

/// The longest match of the end of `history` in `text`, and the longest shorter one with at least twice
/// its evidence: where the longest was seen once, what was seen often next to it weighs against it.
///
/// Where a word is half typed, what others followed is no match, and a match may be of no token at all:
/// the text's own words tell how it goes on wherever they stand.
///
/// `borders`, sorted, are places after which something else begins: no match reaches across one.
pub fn longest_matches(
    text: &[Token],
    borders: &[usize],
    history: &[Token],
    half_typed: Option<&dyn HalfTyped>,
) -> [Option<Match>; 2] {
    let is_border = |at: usize| borders.binary_search(&at).is_ok();
    // Of places, the index of the token before what followed. Orders only ever lose places.
    let goes_on = |at: usize, order: usize| {
        let back = history.len().checked_sub(order).map(|it| history[it]);
        let before = (at + 1).checked_sub(order);
        before.is_some_and(|it| Some(text[it]) == back && !is_border(it))
    };
    let all = (0..text.len().saturating_sub(1)).filter(|at| text[at + 1] != BORDER);
    let first_order = usize::from(half_typed.is_none());
    let mut places: Vec<usize> = match half_typed {
        None => all.filter(|at| goes_on(*at, 1)).collect(),
        Some(it) => all.filter(|at| it.is_spelled_by(&text[at + 1..]) && !is_border(*at)).collect(),
    };
    let mut by_order: Vec<Vec<usize>> = Vec::new();
    for order in first_order..=MAX_ORDER {
        if places.is_empty() {
            break;
        }
        let longer = places.iter().copied().filter(|at| goes_on(*at, order + 1)).collect();
        by_order.push(std::mem::replace(&mut places, longer));
    }
    let Some((longest, shorter)) = by_order.split_last() else { return [None, None] };
    let enough = shorter.iter().rposition(|it| it.len() >= 2 * longest.len());
    let counted = |order: usize, places: &[usize]| {
        counted(places.iter().map(|at| text[at + 1]).collect(), order, 1)
    };
    let shorter = enough.and_then(|at| counted(at + first_order, &shorter[at]));
    [counted(by_order.len() - 1 + first_order, longest), shorter]
}

/// Of matches in ascending order, the longest, and the longest shorter one with at least twice its evidence.
pub(super) fn longest_two(mut found: Vec<Match>) -> [Option<Match>; 2] {
    let Some(longest) = found.pop() else { return [None, None] };
    let shorter = found.into_iter().rfind(|it| it.total >= 2 * longest.total);
    [Some(longest), shorter]
}

/// Counts what followed a match; each stands for `times` places. `None` where nothing did.
pub(super) fn counted(mut followers: Vec<Token>, order: usize, times: usize) -> Option<Match> {
    followers.sort_unstable();
    let mut next: Vec<(Token, u32)> = Vec::new();
    for token in followers {
        match next.last_mut() {
            Some((last, n)) if *last == token => *n += times as u32,
            _ => next.push((token, times as u32)),
        }
    }
    next.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let total = next.iter().map(|(_, n)| n).sum();
    (total > 0).then_some(Match { order, next, total })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token> {
        text.bytes().map(Token::from).collect()
    }

    fn shown(text: &str, history: &str) -> String {
        shown_of(text, history, None)
    }

    fn shown_of(text: &str, history: &str, half_typed: Option<&dyn HalfTyped>) -> String {
        let both = longest_matches(&tokens(text), &[], &tokens(history), half_typed);
        let one = |it: &Match| {
            let next: String =
                it.next.iter().map(|(t, n)| format!(" {}{n}", *t as u8 as char)).collect();
            format!("{}:{next}", it.order)
        };
        both.iter().flatten().map(one).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn the_longest_match_and_a_shorter_one_with_twice_the_evidence() {
        // "xab" was followed by c once; "ab" by c once and by d three times.
        assert_eq!(shown("xabc ab_ abd abd abd", "xab"), "3: c1, 2: d3 _1 c1");
        assert_eq!(shown("abc abd", "ab"), "2: c1 d1");
        assert_eq!(shown("bc bc", "ab"), "1: c2");
    }

    struct Word(&'static str);

    impl HalfTyped for Word {
        fn first_tokens(&self) -> &[Token] {
            &[]
        }
        fn is_spelled_by(&self, it: &[Token]) -> bool {
            it.starts_with(&tokens(self.0))
        }
    }

    #[test]
    fn what_does_not_spell_a_half_typed_word_is_no_match() {
        let shown = |text, history| shown_of(text, history, Some(&Word("cd")));
        // "xa" was followed by b alone, and c is not all that was typed.
        assert_eq!(shown("xab xac acd acd", "xa"), "1: c2");
        assert_eq!(shown("xab ycd", "xa"), "0: c1");
        assert_eq!(shown("xacd xcd", "xa"), "2: c1, 0: c2");
        assert_eq!(shown("xcd", ""), "0: c1");
        assert_eq!(shown("xac", "xa"), "");
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(shown("", "ab"), "");
        assert_eq!(shown("ab", "ab"), "");
        assert_eq!(shown("abab", ""), "");
    }

    #[test]
    fn nothing_reaches_across_a_border() {
        let found = longest_matches(&tokens("abcabd"), &[1], &tokens("ab"), None);
        assert_eq!(found[0].as_ref().unwrap().next, [(Token::from(b'd'), 1)]);
        // "ab|" stands before the border and " x" behind it: "b| " was never written.
        let found = longest_matches(&tokens("ab| x"), &[2], &tokens("ab| "), None);
        assert_eq!(found[0].as_ref().map(|it| it.order), Some(1));
    }
}
