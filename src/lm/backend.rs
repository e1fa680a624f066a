//! The seam between the runtime and what evaluates tokens: llama.cpp, or a script in tests.

pub mod embedded;
#[cfg(feature = "llama")]
pub mod gguf;
#[cfg(feature = "llama")]
pub mod llama;
pub mod measure;
pub mod probe;
pub mod scripted;

use std::sync::Arc;

use crate::lm::model_info::ModelInfo;
use crate::lm::vocabulary::{Token, Vocabulary};
use crate::stdx::cancel::CancelFlag;

/// The setting that names a model file, for sentences about one that can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedBy {
    /// `model.path`.
    Path,
    /// `model.instruct`.
    Instruct,
}

impl NamedBy {
    /// What to do where no such file can be used.
    pub fn set_to_another(self) -> &'static str {
        match self {
            Self::Path => "set model.path to a GGUF file, or leave it empty for the built-in model",
            Self::Instruct => "set model.instruct to a GGUF file, or name one with --model",
        }
    }

    /// The same behind another thing to do.
    pub fn or_else(self) -> &'static str {
        match self {
            Self::Path => "leave model.path empty for the built-in model",
            Self::Instruct => "name another with --model",
        }
    }

    /// How long its context is.
    pub fn context_setting(self) -> &'static str {
        match self {
            Self::Path => "model.context_tokens",
            Self::Instruct => "model.instruct_context_tokens",
        }
    }
}

/// Why an evaluation did not finish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EvaluateError {
    /// The flag was raised; the sequence has `n_resident` tokens now.
    Stopped { n_resident: usize },
    /// The back end failed; a sentence for the log.
    Failed(String),
}

/// One model with one context, whose KV cache holds a few sequences of tokens. What a back end
/// can't do is missing in [`crate::lm::Capabilities`] of its [`ModelInfo`], and is not asked of it.
pub trait Backend {
    fn info(&self) -> &Arc<ModelInfo>;
    fn vocabulary(&self) -> &Vocabulary;

    /// How many sequences the KV cache has room for, each with the whole length.
    fn n_sequences(&self) -> usize;

    /// From how many tokens on a batch is much cheaper a token; 1 where there is no such number.
    fn quick_batch_tokens(&self) -> usize {
        1
    }

    /// Evaluates `tokens` in a sequence at positions from `position` on (prefill); afterwards
    /// [`Backend::logits`] belongs to the last of them. Reads `flag` while it works.
    ///
    /// # Errors
    /// See [`EvaluateError`]. After `Failed` the cache must be cleared.
    fn evaluate(
        &mut self,
        sequence: usize,
        tokens: &[Token],
        position: usize,
        flag: &CancelFlag,
    ) -> Result<(), EvaluateError>;

    /// The same for a few tokens (decode, speculative tokens), after which
    /// [`Backend::logits_after`] belongs to each of them.
    ///
    /// # Errors
    /// Those of [`Backend::evaluate`].
    fn evaluate_each(
        &mut self,
        sequence: usize,
        tokens: &[Token],
        position: usize,
        flag: &CancelFlag,
    ) -> Result<(), EvaluateError>;

    /// The logits of the next token, one a token of the vocabulary.
    fn logits(&self) -> &[f32];

    /// The logits after the token of this index of the last [`Backend::evaluate_each`].
    fn logits_after(&self, index: usize) -> &[f32];

    /// Drops every token of a sequence from `n_tokens` on. `false` where this kind of model can't
    /// drop a part of its state (recurrent and hybrid models, sliding windows): then it has dropped
    /// nothing.
    fn truncate(&mut self, sequence: usize, n_tokens: usize) -> bool;

    /// Makes one sequence the same as another. `false` where that can't be; then `to` is empty.
    fn fork(&mut self, from: usize, to: usize) -> bool;

    /// Drops a sequence.
    fn drop_sequence(&mut self, sequence: usize);

    /// Drops all sequences.
    fn clear(&mut self);

    /// The vector of a text, which is not in the KV cache afterwards. Reads `flag` while it works.
    ///
    /// # Errors
    /// See [`EvaluateError`].
    fn embed(&mut self, tokens: &[Token], flag: &CancelFlag) -> Result<Vec<f32>, EvaluateError>;
}
