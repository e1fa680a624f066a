//! Where a history of tokens occurs in a text, and what follows it there: longest match first.

use crate::generation::Token;

/// A match this long says all there is to say.
pub const MAX_ORDER: usize = 12;
/// One token says little, but where a word has been begun it says which words go on from there.
pub const MIN_ORDER: usize = 1;

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

/// The longest match of the end of `history` in `text`, and the longest shorter one with at least twice
/// its evidence: where the longest was seen once, what was seen often next to it weighs against it.
///
/// `text` holds tokens; a place whose next token belongs to something else is in `borders`, sorted.
pub fn longest_matches(text: &[Token], borders: &[usize], history: &[Token]) -> [Option<Match>; 2] {
    let Some((&last, earlier)) = history.split_last() else { return [None, None] };
    let within = &text[..text.len().saturating_sub(1)];
    let mut places: Vec<usize> = (0..within.len())
        .filter(|at| within[*at] == last && borders.binary_search(at).is_err())
        .collect();
    // Every order's places, longest last; orders only ever lose places.
    let mut levels: Vec<(usize, usize)> = Vec::new();
    let mut by_depth: Vec<Vec<usize>> = Vec::new();
    for order in 1..=MAX_ORDER.min(history.len()) {
        if places.is_empty() {
            break;
        }
        let longer: Vec<usize> = match earlier.len().checked_sub(order) {
            Some(back) => {
                let wanted = earlier[back];
                places
                    .iter()
                    .copied()
                    .filter(|at| *at >= order && text[at - order] == wanted)
                    .collect()
            }
            None => Vec::new(),
        };
        levels.push((order, places.len()));
        by_depth.push(std::mem::replace(&mut places, longer));
    }
    let usable = levels.iter().rposition(|(order, _)| *order >= MIN_ORDER);
    let Some(longest) = usable else { return [None, None] };
    let evidence = levels[longest].1;
    let shorter =
        levels[..longest].iter().rposition(|(order, n)| *order >= MIN_ORDER && *n >= 2 * evidence);
    let counted = |level: usize| counted(text, levels[level].0, &by_depth[level]);
    [Some(counted(longest)), shorter.map(counted)]
}

fn counted(text: &[Token], order: usize, places: &[usize]) -> Match {
    let mut followers: Vec<Token> = places.iter().map(|at| text[at + 1]).collect();
    followers.sort_unstable();
    let mut next: Vec<(Token, u32)> = Vec::new();
    for token in followers {
        match next.last_mut() {
            Some((last, n)) if *last == token => *n += 1,
            _ => next.push((token, 1)),
        }
    }
    next.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let total = next.iter().map(|(_, n)| n).sum();
    Match { order, next, total }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token> {
        text.bytes().map(Token::from).collect()
    }

    fn shown(text: &str, history: &str) -> String {
        let both = longest_matches(&tokens(text), &[], &tokens(history));
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

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(shown("", "ab"), "");
        assert_eq!(shown("ab", "ab"), "");
        assert_eq!(shown("abab", ""), "");
    }

    #[test]
    fn what_stands_behind_a_border_did_not_follow() {
        let found = longest_matches(&tokens("abcabd"), &[1], &tokens("ab"));
        assert_eq!(found[0].as_ref().unwrap().next, [(Token::from(b'd'), 1)]);
    }
}
