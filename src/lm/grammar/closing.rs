//! Which tokens end a JSON text soonest: for a generation that is running out of room.

use crate::lm::vocabulary::{Token, TokenKind, Vocabulary};

/// Of the tokens that may come those that bring the text nearest to its end: the end itself, then
/// what closes the innermost thing, then what goes on to the next thing that has to be there. What
/// opens something comes last.
pub fn closing_tokens(allowed: Vec<Token>, vocabulary: &Vocabulary) -> Vec<Token> {
    let may_come = |bytes: &[u8]| allowed.iter().any(|it| vocabulary.bytes_of(*it) == bytes);
    // Only one of them closes what is open, so where both may come they are letters of a string.
    let is_in_string = may_come(b"}") && may_come(b"]");
    let step_of = |token: &Token| step(vocabulary, *token, is_in_string);
    let Some(nearest) = allowed.iter().map(step_of).min() else { return allowed };
    allowed.into_iter().filter(|it| step_of(it) == nearest).collect()
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
        let closing = |allowed: &[Token]| closing_tokens(allowed.to_vec(), &vocabulary);
        assert_eq!(closing(&[0, 1, 2, 3, 4, 5, 6, 7]), [7]);
        assert_eq!(closing(&[1, 2, 4, 5]), [1]);
        assert_eq!(closing(&[2, 4, 6]), [6]);
        // Within a string.
        assert_eq!(closing(&[0, 1, 2, 3, 4, 5, 6]), [2]);
        assert_eq!(closing(&[2, 3, 5]), [2]);
        assert_eq!(closing(&[4, 5]), [4]);
        assert_eq!(closing(&[0, 5]), [5]);
        assert_eq!(closing(&[0]), [0]);
        assert_eq!(closing(&[]), [] as [Token; 0]);
    }
}
