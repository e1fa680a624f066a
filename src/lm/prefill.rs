//! Prefill: has a prompt in the KV cache, chunk by chunk, and decides when a shorter one does.

use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::lm::backend::EvaluateError;
use crate::lm::prefill_rate::chunk_tokens;
use crate::lm::runtime::{Runtime, check, stopped};
use crate::lm::task::{GenerateTask, ShortPrompt, TaskError};
use crate::lm::vocabulary::Token;
use crate::stdx::cancel::CancelFlag;

/// A background chunk is lost when a request comes, so it is no longer than this, nor than what a
/// person who types would wait for.
const MAX_BACKGROUND_CHUNK_TOKENS: usize = 64;
const MIN_BACKGROUND_CHUNK_TOKENS: usize = 8;

/// So many keys in a row are answered from a short prompt; if the whole one could not be evaluated
/// between them by then, the next ones pay for it.
const MAX_SHORT_PROMPTS_IN_A_ROW: usize = 24;

/// So many tokens of a prompt may be left to the evaluation of what is generated after it.
const MAX_LEFT_TOKENS: usize = 8;

impl Runtime {
    /// Whether the short prompt is taken: too much of the whole one is to be evaluated for a person
    /// who types to wait for it, and much less of the short one.
    pub(super) fn takes_short_prompt(&mut self, task: &GenerateTask) -> Result<bool, TaskError> {
        if task.short_prompt == ShortPrompt::Never {
            return Ok(false);
        }
        let n_missing = |it: &Self, prompt: &[Token]| prompt.len() - it.cache.n_cached_of(prompt);
        let n_whole = n_missing(self, &task.prompt);
        if n_whole <= self.rate.patience_tokens() {
            self.n_short_prompts = 0;
            return Ok(false);
        }
        let may_be_short = !self.is_background && self.n_sequences() > 1;
        if !may_be_short || self.n_short_prompts >= MAX_SHORT_PROMPTS_IN_A_ROW {
            return Ok(false);
        }
        let tokens_per_second = self.rate.steady_tokens_per_second();
        let ShortPrompt::Ready(short) = &task.short_prompt else {
            return Err(TaskError::PromptTooLong { tokens_per_second });
        };
        if self.check_length(short.len()).is_err() {
            return Ok(false);
        }
        let is_worth_it = 2 * n_missing(self, short) <= n_whole;
        self.n_short_prompts += usize::from(is_worth_it);
        Ok(is_worth_it)
    }

    /// Has a prompt in the KV cache with the logits after it at hand, and knows whether the model
    /// can roll back. Returns how many of its tokens were cached already.
    pub(super) fn prefill_prompt(
        &mut self,
        prompt: &[Token],
        flag: &CancelFlag,
    ) -> Result<usize, TaskError> {
        let n_cached = self.evaluate_prompt(prompt, self.is_background, flag)?;
        if self.cache.can_roll_back().is_none() {
            self.cache.take_back(self.backend.as_mut(), 1);
            match self.cache.can_roll_back() {
                Some(true) => self.evaluate(&prompt[prompt.len() - 1..], false, flag)?,
                _ => drop(self.evaluate_prompt(prompt, self.is_background, flag)?),
            }
        }
        Ok(n_cached)
    }

    /// The same for a prompt after which the decode loop runs. Where the logits after it are known,
    /// a few last tokens may be left to that.
    pub(super) fn prefill_to_decode(
        &mut self,
        prompt: &[Token],
        flag: &CancelFlag,
    ) -> Result<usize, TaskError> {
        let n_missing = prompt.len() - self.cache.n_cached_of(prompt);
        if !self.keeps_logits() || n_missing > MAX_LEFT_TOKENS || !self.logits.has(prompt) {
            return self.prefill_prompt(prompt, flag);
        }
        Ok(self.cache.keep_known(self.backend.as_mut(), prompt, self.is_background))
    }

    /// Whether logits are kept. Those of a measurement that is to be repeated are always evaluated
    /// anew, and a model that can't drop a part of a sequence is never behind.
    pub(super) fn keeps_logits(&self) -> bool {
        self.fixed_chunk_tokens.is_none() && self.cache.can_roll_back() == Some(true)
    }

    /// Evaluates what of a prompt is not cached; `beside` what is typed, if the next key goes on
    /// with that. Returns how many of its tokens were cached already.
    pub(super) fn evaluate_prompt(
        &mut self,
        prompt: &[Token],
        beside: bool,
        flag: &CancelFlag,
    ) -> Result<usize, TaskError> {
        let backend = self.backend.as_mut();
        let mut n_kept = match beside {
            false => self.cache.keep_prefix_of(backend, prompt),
            true => self.cache.keep_prefix_beside(backend, prompt),
        };
        if self.fixed_chunk_tokens.is_none() {
            n_kept = self.cache.make_room_for(backend, prompt.len() - n_kept);
        }
        let mut left = &prompt[n_kept..];
        while !left.is_empty() {
            let n = self.next_chunk_tokens(left.len());
            let began = Instant::now();
            self.evaluate(&left[..n], false, flag)?;
            self.rate.note(n, began.elapsed());
            self.counts.note_prefill_rate(&self.rate);
            self.count_evaluated(n);
            left = &left[n..];
        }
        Ok(n_kept)
    }

    /// Counts tokens of a prompt that were evaluated.
    pub(super) fn count_evaluated(&self, n_tokens: usize) {
        let counter = match self.is_background {
            true => &self.counts.prefetch_evaluated_tokens,
            false => &self.counts.evaluated_tokens,
        };
        counter.fetch_add(n_tokens as u64, Ordering::Relaxed);
    }

    fn next_chunk_tokens(&self, n_left: usize) -> usize {
        if let Some(n_tokens) = self.fixed_chunk_tokens {
            return n_tokens.min(n_left);
        }
        let most = match self.is_background {
            true => self
                .rate
                .patience_tokens()
                .clamp(MIN_BACKGROUND_CHUNK_TOKENS, MAX_BACKGROUND_CHUNK_TOKENS),
            false => self.rate.max_chunk_tokens(),
        };
        chunk_tokens(n_left, most, self.backend.quick_batch_tokens())
    }

    /// Evaluates tokens after those that are cached, and keeps the shadow right however that ends.
    /// `each`: the logits after each of them are wanted, not only after the last.
    ///
    /// # Errors
    /// What `flag` says, or failed with a sentence.
    pub(super) fn evaluate(
        &mut self,
        tokens: &[Token],
        each: bool,
        flag: &CancelFlag,
    ) -> Result<(), TaskError> {
        check(flag)?;
        let (sequence, position) = (self.cache.sequence(), self.cache.tokens().len());
        let evaluated = match each {
            true => self.backend.evaluate_each(sequence, tokens, position, flag),
            false => self.backend.evaluate(sequence, tokens, position, flag),
        };
        match evaluated {
            Ok(()) => {
                self.cache.extend(tokens);
                Ok(())
            }
            Err(EvaluateError::Stopped { n_resident }) => {
                self.cache.extend_until(tokens, n_resident);
                Err(stopped(flag))
            }
            Err(EvaluateError::Failed(sentence)) => {
                self.clear();
                Err(TaskError::Failed(sentence))
            }
        }
    }
}
