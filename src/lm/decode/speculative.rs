//! Speculative decoding: tokens that are evaluated before the model has predicted them, which it
//! then verifies (Leviathan et al. 2023, arXiv:2211.17192; by look-up instead of a draft model, as
//! in prompt lookup decoding).

use crate::lm::backend::Backend;
use crate::lm::decode::text::TextSoFar;
use crate::lm::mixer::NextTokenMixer;
use crate::lm::vocabulary::Token;

/// The speculative tokens of one evaluation.
#[derive(Default)]
pub struct SpeculativeTokens {
    pub tokens: Vec<Token>,
    n_accepted: usize,
    /// How many tokens were evaluated before these, in the same batch.
    pub n_before: usize,
    /// The logits at hand are those after each of these tokens, and after those before them.
    pub is_evaluated: bool,
}

impl SpeculativeTokens {
    /// At most `most` tokens: those that came after the same text the last time, or else what the
    /// mixer predicts.
    pub fn draft(
        text: &TextSoFar,
        most: usize,
        generated_before: &[Token],
        mixer: Option<&mut (dyn NextTokenMixer + 'static)>,
    ) -> Self {
        let tokens = if most == 0 || !text.prefix_left().is_empty() {
            Vec::new()
        } else if !generated_before.is_empty() {
            // A key that agrees with what was being generated does not begin all over.
            generated_before[..most.min(generated_before.len())].to_vec()
        } else {
            mixer.and_then(|it| text.line.speculate(it, most)).unwrap_or_default()
        };
        Self { tokens, ..Self::default() }
    }

    /// The logits after the accepted ones.
    pub fn logits<'a>(&self, backend: &'a dyn Backend) -> &'a [f32] {
        match (self.n_before + self.n_accepted).checked_sub(1) {
            Some(index) if self.is_evaluated => backend.logits_after(index),
            _ => backend.logits(),
        }
    }

    /// Whether the next speculative token is this one, which is accepted then.
    pub fn accept(&mut self, token: Token) -> bool {
        let is_accepted = self.tokens.get(self.n_accepted) == Some(&token);
        self.n_accepted += usize::from(is_accepted);
        is_accepted
    }

    /// How many tokens are evaluated and were not accepted.
    pub fn n_rejected(&self) -> usize {
        self.tokens.len() - self.n_accepted
    }
}
