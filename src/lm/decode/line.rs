//! What is generated of the present line, as far as the next token depends on it.

use crate::lm::mixer::{NextTokenContext, NextTokenMixer, PrefixConstraint};
use crate::lm::vocabulary::Token;

/// The tokens generated of the present line.
#[derive(Debug, Clone, Default)]
pub struct CurrentLine {
    tokens: Vec<Token>,
    after_break: bool,
    /// The line's beginning came in one token with the break before it (`\n    `, in the
    /// vocabularies of StarCoder and its like), so its own tokens are not known.
    unknown: bool,
    /// The last token ended within a word that is not all ASCII.
    in_word_outside_ascii: bool,
    /// What [`ChosenToken::odds_of_retrieval`] of the last token was.
    odds_of_retrieval: Option<f32>,
}

/// A token with what has to be known of it when it is generated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChosenToken {
    pub token: Token,
    pub log_probability: f32,
    /// The logarithm of the odds, once this token is generated, that retrieval and not the model
    /// knows the word that it belongs to; `None` where retrieval has nothing.
    pub odds_of_retrieval: Option<f32>,
}

impl CurrentLine {
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Nothing is known of the line's own tokens.
    pub fn is_unknown(&self) -> bool {
        self.unknown
    }

    /// What stands before the next token.
    pub fn context<'a>(
        &'a self,
        constraint: Option<&'a dyn PrefixConstraint>,
    ) -> NextTokenContext<'a> {
        NextTokenContext { line: &self.tokens, at_line_start: self.after_break, constraint }
    }

    pub fn is_in_word_outside_ascii(&self) -> bool {
        self.in_word_outside_ascii
    }

    /// As [`ChosenToken::odds_of_retrieval`] of the last token.
    pub fn odds_of_retrieval(&self) -> Option<f32> {
        self.odds_of_retrieval
    }

    /// Speculative tokens of this line; `None` where its own tokens are not known.
    pub fn speculate(&self, mixer: &mut dyn NextTokenMixer, n: usize) -> Option<Vec<Token>> {
        (!self.unknown).then(|| mixer.speculate(&self.context(None), n))
    }

    /// Adds a token that was chosen.
    pub fn push(&mut self, chosen: ChosenToken, piece: &[u8]) {
        let is_word = |it: &u8| !it.is_ascii() || it.is_ascii_alphanumeric() || *it == b'_';
        self.in_word_outside_ascii =
            piece.last().is_some_and(is_word) && (!piece.is_ascii() || self.in_word_outside_ascii);
        self.odds_of_retrieval = chosen.odds_of_retrieval;
        let token = chosen.token;
        if piece.contains(&b'\n') {
            self.tokens.clear();
            self.after_break = true;
            self.unknown = !piece.ends_with(b"\n");
        } else {
            self.tokens.push(token);
        }
    }
}
