//! Bytes that a generation must begin with (token healing), as a constraint on its first tokens.

use crate::lm::mixer::PrefixConstraint;
use crate::lm::vocabulary::{Token, Vocabulary};

/// The bytes, and the tokens that can spell them or a beginning of them.
pub struct RequiredPrefix<'a> {
    vocabulary: &'a Vocabulary,
    bytes: &'a [u8],
    pub tokens: Vec<Token>,
    /// By token, whether it is one of them: a text of 100,000 tokens is looked through at a key.
    may_come: Vec<bool>,
}

impl<'a> RequiredPrefix<'a> {
    /// Of a model that gives `n_vocabulary` logits.
    pub fn new(vocabulary: &'a Vocabulary, bytes: &'a [u8], n_vocabulary: usize) -> Self {
        let known = |it: &Token| (*it as usize) < n_vocabulary;
        let tokens: Vec<Token> = vocabulary.tokens_for(bytes).filter(known).collect();
        let mut may_come = vec![false; n_vocabulary];
        tokens.iter().for_each(|it| may_come[*it as usize] = true);
        Self { vocabulary, bytes, tokens, may_come }
    }

    /// How many bytes of the prefix are left after a token.
    pub fn n_bytes_left_by(&self, token: Token) -> usize {
        self.bytes.len().saturating_sub(self.vocabulary.bytes_of(token).len())
    }

    /// Whether a token can spell the prefix, or a beginning of it.
    pub fn may_come(&self, token: Token) -> bool {
        self.may_come.get(token as usize).is_some_and(|it| *it)
    }
}

impl PrefixConstraint for RequiredPrefix<'_> {
    fn first_tokens(&self) -> &[Token] {
        &self.tokens
    }

    fn is_spelled_by(&self, tokens: &[Token]) -> bool {
        let mut left = self.bytes;
        if !tokens.first().is_some_and(|it| self.may_come(*it)) {
            return false;
        }
        for token in tokens {
            let piece = self.vocabulary.bytes_of(*token);
            match left.strip_prefix(piece) {
                Some(rest) if !rest.is_empty() && !piece.is_empty() => left = rest,
                _ => return piece.starts_with(left),
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lm::vocabulary::TokenKind;

    #[test]
    fn tokens_that_spell_the_prefix() {
        const PIECES: [&str; 6] = ["(", "(res", "(result", "ult", "ume", "x"];
        let vocabulary = Vocabulary::new(PIECES.map(|it| (it, TokenKind::Text)));
        let prefix = RequiredPrefix::new(&vocabulary, b"(resu", vocabulary.len());
        let token =
            |piece: &str| PIECES.iter().position(|it| *it == piece).expect("a piece") as Token;
        let spells = |pieces: &[&str]| {
            prefix.is_spelled_by(&pieces.iter().map(|it| token(it)).collect::<Vec<_>>())
        };
        assert!(spells(&["(result"]) && spells(&["(result", "x"]));
        assert!(spells(&["(res", "ult"]) && spells(&["(res", "ume", "x"]));
        assert!(!spells(&["(res", "x"]) && !spells(&["x"]) && !spells(&["(", "x"]));
        // What follows is not known.
        assert!(!spells(&["(res"]) && !spells(&[]));
    }
}
