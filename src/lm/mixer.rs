//! The place where something else than the model takes part in the distribution of the next token.

use crate::lm::vocabulary::Token;

/// Interpolates the model's distribution of the next token with another one (`retrieval::mixture`:
/// what is retrieved from the user's texts, and an n-gram table). Called once a token, so it has to
/// return in a fraction of a millisecond.
pub trait NextTokenMixer: Send {
    /// The mixture for the next token. With a constraint, the distribution is one over the tokens
    /// that can spell it, and so is the model's, whose confidence `model` is.
    fn mix(&mut self, next: &NextTokenContext, model: ModelConfidence) -> NextTokenMixture;

    /// The likeliest next token and its probability without the model. `None`: abstains.
    fn predict_without_model(&mut self, next: &NextTokenContext) -> Option<(Token, f32)>;

    /// At most `n` speculative tokens of the line, which the model then verifies; no constraint is
    /// looked at.
    fn speculate(&mut self, next: &NextTokenContext, n: usize) -> Vec<Token>;
}

/// What stands before the next token, after the prompt, and what it has to satisfy.
#[derive(Clone, Copy)]
pub struct NextTokenContext<'a> {
    /// The tokens of the present line that were generated.
    pub line: &'a [Token],
    /// Whether a line break was generated before `line`; otherwise it continues the prompt's last
    /// line.
    pub at_line_start: bool,
    /// Only tokens that can spell it may come.
    pub constraint: Option<&'a dyn PrefixConstraint>,
}

/// Bytes that the text has to go on with: the part of a token before the caret that the prompt
/// leaves out (token healing).
pub trait PrefixConstraint {
    /// Tokens that spell all of it, or a beginning.
    fn first_tokens(&self) -> &[Token];

    /// Whether these tokens, or the first ones of them, spell all of it.
    fn is_spelled_by(&self, tokens: &[Token]) -> bool;
}

/// How sure the model is of the next token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ModelConfidence {
    /// Of its distribution, in nats.
    pub entropy: f32,
    /// The probability of its likeliest token.
    pub top_probability: f32,
}

/// A next token's probability: `model_weight` times the model's, plus what is retrieved.
#[derive(Debug, Clone, PartialEq)]
pub struct NextTokenMixture {
    /// 0 to 1.
    pub model_weight: f32,
    /// Tokens, each at most once, with what they get; together at most 1 - `model_weight`.
    pub retrieved: Vec<(Token, f32)>,
}
