//! What an engine has done since its start.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::lm::prefill_rate::PrefillRate;
use crate::lm::task::{Source, TaskError, TaskOutput};

/// Counts since the start. They rise while a task runs, so that a look from outside can tell
/// whether decoding goes on.
#[derive(Debug, Default)]
pub struct EngineCounts {
    pub generations: AtomicU64,
    pub cancelled: AtomicU64,
    pub superseded: AtomicU64,
    pub failed: AtomicU64,
    /// Tasks that were interrupted for a more urgent one and put back.
    pub preempted: AtomicU64,
    pub cached_tokens: AtomicU64,
    pub evaluated_tokens: AtomicU64,
    pub generated_tokens: AtomicU64,
    /// Of the generated ones, accepted speculative tokens.
    pub speculative_tokens: AtomicU64,
    /// How often the logits that a token was chosen by were known from an earlier key.
    pub reused_logits: AtomicU64,
    /// Of background and idle work: prompts, and answers to them.
    pub prefetch_evaluated_tokens: AtomicU64,
    pub prefetch_generated_tokens: AtomicU64,
    /// Answers that were given from a short prompt, and by retrieval without the model.
    pub short_prompts: AtomicU64,
    pub by_lookup: AtomicU64,
    /// Roughly how fast prompts are evaluated; 0 until that is known.
    pub prompt_tokens_per_second: AtomicU64,
    /// A task that somebody waits for is running right now.
    pub busy: AtomicBool,
}

impl EngineCounts {
    pub fn note_prefill_rate(&self, rate: &PrefillRate) {
        self.prompt_tokens_per_second.store(rate.steady_tokens_per_second(), Ordering::Relaxed);
    }

    /// Counts a task that is answered.
    pub fn note_answer(&self, result: &Result<TaskOutput, TaskError>) {
        let add = |counter: &AtomicU64| {
            counter.fetch_add(1, Ordering::Relaxed);
        };
        match result {
            Ok(TaskOutput::Generation(generation)) => {
                add(&self.generations);
                match generation.source {
                    Source::ShortPrompt => add(&self.short_prompts),
                    Source::Lookup => add(&self.by_lookup),
                    Source::WholePrompt => {}
                }
            }
            Ok(_) | Err(TaskError::Preempted | TaskError::PromptTooLong { .. }) => {}
            Err(TaskError::Cancelled) => add(&self.cancelled),
            Err(TaskError::Superseded) => add(&self.superseded),
            Err(TaskError::Failed(_)) => add(&self.failed),
        }
    }
}
