//! What is in the model's context right now, and how much of it the next prompt can keep.
//!
//! The shadow list is cut before the context is changed and grown after it has been, so that at any
//! failure it claims too little rather than too much (llama.cpp #9113 tells what the other order does).

use crate::engine::model::Model;
use crate::generation::Token;

/// The shadow of one context.
#[derive(Debug, Default)]
pub struct Resident {
    tokens: Vec<Token>,
    /// The logits at hand belong to the last of `tokens`.
    logits_valid: bool,
}

impl Resident {
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Makes the context hold as much of the beginning of `prompt` as it can without evaluating
    /// anything. Returns how many tokens are kept; the rest is to be evaluated. Unless the logits at
    /// hand are already those of the whole prompt, at least its last token is left to evaluate, because
    /// its logits are the answer.
    pub fn keep_prefix_of(&mut self, model: &mut dyn Model, prompt: &[Token]) -> usize {
        let common = self.tokens.iter().zip(prompt).take_while(|(a, b)| a == b).count();
        if common == prompt.len() && common == self.tokens.len() && self.logits_valid {
            return common;
        }
        let keep = common.min(prompt.len().saturating_sub(1));
        if keep < self.tokens.len() {
            self.logits_valid = false;
            self.tokens.truncate(keep);
            if !model.keep(keep) {
                self.clear(model);
            }
        }
        self.tokens.len()
    }

    /// Notes tokens that were evaluated after the present ones.
    pub fn extend(&mut self, tokens: &[Token]) {
        self.tokens.extend_from_slice(tokens);
        self.logits_valid = true;
    }

    /// Notes that an evaluation of `tokens` was stopped when the context held `n_resident` in all.
    pub fn extend_until(&mut self, tokens: &[Token], n_resident: usize) {
        let done = n_resident.saturating_sub(self.tokens.len()).min(tokens.len());
        self.tokens.extend_from_slice(&tokens[..done]);
        self.logits_valid = false;
    }

    /// Empties the context.
    pub fn clear(&mut self, model: &mut dyn Model) {
        self.tokens.clear();
        self.logits_valid = false;
        model.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fake::{FakeModel, FakeScript};
    use crate::stdx::cancel::Ticket;

    /// Evaluates prompts one after the other; how many tokens each could keep.
    fn kept(all_or_nothing: bool, prompts: &[&str]) -> Vec<usize> {
        let script = FakeScript { all_or_nothing, ..FakeScript::saying("x") };
        let mut model = FakeModel::new(script);
        let mut resident = Resident::default();
        let ticket = Ticket::default();
        let mut out = Vec::new();
        for prompt in prompts {
            let prompt: Vec<Token> = prompt.bytes().map(Token::from).collect();
            let n = resident.keep_prefix_of(&mut model, &prompt);
            if n < prompt.len() {
                // The fake asserts that its context is as long as the shadow list says.
                model.evaluate(&prompt[n..], n, &ticket.flag()).expect("it evaluates");
                resident.extend(&prompt[n..]);
            }
            assert_eq!(resident.tokens(), prompt);
            out.push(n);
        }
        out
    }

    #[test]
    fn the_longest_common_prefix_is_kept() {
        assert_eq!(kept(false, &["abc", "abcd", "abx", "b"]), [0, 3, 2, 0]);
    }

    #[test]
    fn the_last_token_is_evaluated_unless_its_logits_are_at_hand() {
        assert_eq!(kept(false, &["abc", "abc", "ab", "abc"]), [0, 3, 1, 2]);
    }

    #[test]
    fn a_model_that_can_not_drop_a_part_starts_over() {
        assert_eq!(kept(true, &["abc", "abcd", "abx"]), [0, 3, 0]);
    }
}
