//! Which tokens end a JSON text soonest: for a generation that is running out of room.

use crate::lm::vocabulary::{Token, TokenKind, Vocabulary};

/// The longest way out of a string, in characters.
const MAX_WAY_OUT: usize = 5;
/// What a way out of more than one character is made of where it may be: the signs of addresses,
/// and a letter and a digit to stand between them.
const WAY_OUT: &[u8] = b"@.:/-a0";

/// The next character of the shortest way to the end of a string that can't end yet, `user` without
/// its `@` for one. `characters` are [`single_characters`], with `"` among them; `may_come` says
/// whether some tokens may come one after the other.
pub fn way_out(
    characters: &[(u8, Token)],
    may_come: &mut dyn FnMut(&[Token]) -> bool,
) -> Option<Token> {
    let quote = characters.iter().find(|it| it.0 == b'"')?.1;
    let all: Vec<Token> = characters.iter().map(|it| it.1).collect();
    let n_of_way = characters.iter().filter(|it| WAY_OUT.contains(&it.0)).count();
    let mut way = Vec::new();
    (1..=MAX_WAY_OUT).find_map(|length| {
        // One character may be any; of more, there would be too many ways.
        let n_likely = if length == 1 { all.len() } else { n_of_way };
        let steps = (&all[..], n_likely);
        is_way_out(steps, quote, length, &mut way, may_come).then(|| way[0])
    })
}

/// `steps`: all characters, and how many of them are tried where one of these may come.
fn is_way_out(
    (all, n_likely): (&[Token], usize),
    quote: Token,
    n_left: usize,
    way: &mut Vec<Token>,
    may_come: &mut dyn FnMut(&[Token]) -> bool,
) -> bool {
    let mut goes_on = |steps: &[Token], is_any: &mut bool| {
        steps.iter().any(|step| {
            way.push(*step);
            let is_out = may_come(way) && {
                *is_any = true;
                n_left == 0 || is_way_out((all, n_likely), quote, n_left - 1, way, may_come)
            };
            if !is_out {
                way.pop();
            }
            is_out
        })
    };
    let mut is_any = false;
    if n_left == 0 {
        return goes_on(&[quote], &mut is_any);
    }
    goes_on(&all[..n_likely], &mut is_any) || (!is_any && goes_on(&all[n_likely..], &mut is_any))
}

/// The tokens that are a character of ASCII each, those of [`WAY_OUT`] first and in its order.
pub fn single_characters(vocabulary: &Vocabulary) -> Vec<(u8, Token)> {
    let all = 0..vocabulary.len() as Token;
    let single = |token: Token| match vocabulary.bytes_of(token) {
        [byte @ b' '..=b'~'] if vocabulary.kind(token) == TokenKind::Text => Some((*byte, token)),
        _ => None,
    };
    let mut found: Vec<(u8, Token)> = all.filter_map(single).collect();
    found.sort_by_key(|it| WAY_OUT.iter().position(|byte| *byte == it.0).unwrap_or(WAY_OUT.len()));
    found
}

/// Of the tokens that may come those that bring the text nearest to its end: the end itself, then
/// what closes the innermost thing, then what goes on to the next thing that has to be there. What
/// opens something comes last. `None`: none of them is known to bring it nearer.
pub fn closing_tokens(
    allowed: &[Token],
    vocabulary: &Vocabulary,
    is_in_string: bool,
) -> Option<Vec<Token>> {
    let step_of = |token: &Token| step(vocabulary, *token, is_in_string);
    let nearest = allowed.iter().map(step_of).min().filter(|it| *it != Step::Anything)?;
    Some(allowed.iter().copied().filter(|it| step_of(it) == nearest).collect())
}

/// Whether JSON stands within a string.
#[derive(Debug, Clone, Copy, Default)]
pub struct StringState {
    pub is_in_string: bool,
    is_escaped: bool,
}

impl StringState {
    /// Goes on behind more of the text.
    pub fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = self.is_in_string,
                b'"' => self.is_in_string = !self.is_in_string,
                _ => {}
            }
        }
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    End,
    Close,
    GoOn,
    Anything,
    Open,
}

fn step(vocabulary: &Vocabulary, token: Token, is_in_string: bool) -> Step {
    if vocabulary.kind(token) == TokenKind::End {
        return Step::End;
    }
    // Longer ones would go on behind what they close.
    match (vocabulary.bytes_of(token), is_in_string) {
        (b"\"", true) | (b"}" | b"]", false) => Step::Close,
        (_, true) => Step::Anything,
        ([b',', ..], _) => Step::GoOn,
        ([b'{' | b'[', ..], _) => Step::Open,
        // An empty text, or the rest of a name that has to be there.
        (b"\"", _) => Step::GoOn,
        _ => Step::Anything,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_closes_goes_before_what_goes_on() {
        let pieces = ["{", "}", "\"", "\"}", ", ", "a", "]"];
        let text = pieces.iter().map(|it| (*it, TokenKind::Text));
        let vocabulary = Vocabulary::new(text.chain([("", TokenKind::End)]));
        let closing = |allowed: &[Token]| closing_tokens(allowed, &vocabulary, false);
        assert_eq!(closing(&[0, 1, 2, 3, 4, 5, 6, 7]), Some(vec![7]));
        assert_eq!(closing(&[1, 2, 4, 5]), Some(vec![1]));
        assert_eq!(closing(&[2, 4, 6]), Some(vec![6]));
        assert_eq!(closing(&[4, 5]), Some(vec![4]));
        assert_eq!(closing(&[0]), Some(vec![0]));
        assert_eq!(closing(&[0, 5]), None);
        assert_eq!(closing(&[]), None);
        let in_string = |allowed: &[Token]| closing_tokens(allowed, &vocabulary, true);
        assert_eq!(in_string(&[0, 1, 2, 3, 4, 5, 6]), Some(vec![2]));
        // The names of addresses have braces.
        assert_eq!(in_string(&[0, 1, 4, 5]), None);
    }

    #[test]
    fn a_string_ends_at_a_quote_that_is_not_escaped() {
        let is_in_string = |text: &str| {
            let mut state = StringState::default();
            text.as_bytes().chunks(2).for_each(|it| state.take(it));
            state.is_in_string
        };
        for (text, expected) in [
            (r#"{"a"#, true),
            (r#"{"a": 1, "b"#, true),
            (r#"{"a": "#, false),
            (r#"{"a\\"#, true),
            (r#"{"a\\""#, false),
            (r#"{"a\""#, true),
        ] {
            assert_eq!(is_in_string(text), expected, "{text}");
        }
    }

    #[test]
    fn a_string_that_cannot_end_yet_has_a_way_out() {
        let letters: Vec<String> = (b' '..=b'~').map(|it| char::from(it).to_string()).collect();
        let text = letters.iter().map(|it| (it.as_str(), TokenKind::Text));
        let vocabulary = Vocabulary::new([("ab", TokenKind::Text)].into_iter().chain(text));
        let characters = single_characters(&vocabulary);
        assert_eq!(characters.len(), 95);
        // What follows `before` up to the string's end, one shortest way after the other.
        let end_of = |is_whole: fn(&str) -> bool, before: &str| {
            let mut text = before.to_owned();
            for _ in 0..10 {
                let mut may_come = |tokens: &[Token]| {
                    let bytes = tokens.iter().flat_map(|it| vocabulary.bytes_of(*it).to_vec());
                    let next = String::from_utf8(bytes.collect()).expect("ASCII");
                    match next.strip_suffix('"') {
                        Some(next) => is_whole(&format!("{text}{next}")),
                        // Whether anything could follow, this does not know.
                        None => true,
                    }
                };
                let token = way_out(&characters, &mut may_come)?;
                text.push_str(std::str::from_utf8(vocabulary.bytes_of(token)).expect("ASCII"));
                if is_whole(&text) {
                    return Some(text);
                }
            }
            None
        };
        let is_address = |it: &str| it.split_once('@').is_some_and(|it| !it.1.is_empty());
        assert_eq!(end_of(is_address, "user").as_deref(), Some("user@@"));
        let is_host = |it: &str| it.split('.').count() == 3 && !it.ends_with('.');
        assert_eq!(end_of(is_host, "www").as_deref(), Some("www..@"));
        assert_eq!(end_of(|it| it.ends_with('Z'), "xy").as_deref(), Some("xyZ"));
        assert_eq!(end_of(|it| it.ends_with("QQ"), "xy"), None);
    }

    #[test]
    fn where_one_character_alone_may_come_it_is_the_way() {
        let letters = ["a", "@", "x", "y", "\""].map(|it| (it, TokenKind::Text));
        let vocabulary = Vocabulary::new(letters);
        let characters = single_characters(&vocabulary);
        // `[a]*@xy`, behind the first letters.
        let mut may_come = |tokens: &[Token]| {
            let way = tokens.iter().skip_while(|it| **it == 0);
            way.zip([1, 2, 3, 4]).all(|(token, expected)| *token == expected)
        };
        assert_eq!(way_out(&characters, &mut may_come), Some(1));
    }
}
