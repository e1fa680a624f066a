//! Conversations as a model has learned to read them: an instruction, a question, and the place
//! where the answer comes.

use crate::lm::model_info::ModelInfo;
use crate::lm::vocabulary::Token;

/// What stands around the parts of a conversation, with its markers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatTemplate {
    pub before_instruction: Vec<Token>,
    pub before_question: Vec<Token>,
    pub before_answer: Vec<Token>,
}

impl ChatTemplate {
    /// What every prompt with this instruction begins with, so that it stays in the KV cache.
    pub fn prefix(&self, model: &ModelInfo, instruction: &str) -> Vec<Token> {
        let instruction = model.tokens_of(instruction);
        [&self.before_instruction, instruction.as_slice(), &self.before_question].concat()
    }

    /// The prompt of one question; `prefix` is that of its instruction. A marker that the question
    /// spells is text.
    pub fn prompt(&self, prefix: &[Token], question: &[Token]) -> Vec<Token> {
        [prefix, question, &self.before_answer].concat()
    }
}
