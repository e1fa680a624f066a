//! Runs tasks on a back end, with its KV cache: prefill what of a prompt is new, then decode.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::lm::backend::{Backend, EvaluateError};
use crate::lm::counts::EngineCounts;
use crate::lm::decode::lookup::generated_by_lookup;
use crate::lm::decode::{DecodeLimits, DecodeParams, DecodePosition, TokenChoice};
use crate::lm::grammar::state::{GrammarState, ModelGrammars};
use crate::lm::kv_cache::KvCache;
use crate::lm::logits_cache::LogitsCache;
use crate::lm::model_info::ModelInfo;
use crate::lm::prefill_rate::PrefillRate;
use crate::lm::task::{
    ContinuationScore, EmbedTask, GenerateTask, Generation, NeverStop, PrefillTask, ScoreTask,
    ShortPrompt, Source, TaskError, Times, Usage,
};
use crate::lm::vocabulary::Token;
use crate::stdx::cancel::{CancelFlag, StopReason};

/// See the module.
pub struct Runtime {
    pub(super) backend: Box<dyn Backend>,
    pub(super) cache: KvCache,
    pub(super) logits: LogitsCache,
    pub(super) rate: PrefillRate,
    pub(super) counts: Arc<EngineCounts>,
    grammars: ModelGrammars,
    /// Background work leaves alone what is cached for the next key, and is stopped in the middle
    /// of a chunk when that comes.
    pub(super) is_background: bool,
    /// How many keys in a row were answered from a short prompt.
    pub(super) n_short_prompts: usize,
    pub(super) fixed_chunk_tokens: Option<usize>,
}

impl Runtime {
    pub fn new(backend: Box<dyn Backend>, counts: Arc<EngineCounts>) -> Self {
        let rate = PrefillRate::of_model(backend.info().n_params);
        counts.note_prefill_rate(&rate);
        let logits = LogitsCache::new(backend.info().n_vocab);
        Self {
            backend,
            cache: KvCache::default(),
            logits,
            rate,
            counts,
            grammars: ModelGrammars::default(),
            is_background: false,
            n_short_prompts: 0,
            fixed_chunk_tokens: None,
        }
    }

    /// Evaluates prompts in chunks of this size, whatever the machine's speed is. The last digits
    /// of logits depend on the chunks, so that a measurement is repeated only with the same ones.
    #[must_use]
    pub fn with_fixed_chunks(self, n_tokens: usize) -> Self {
        Self { fixed_chunk_tokens: Some(n_tokens), ..self }
    }

    pub fn info(&self) -> &Arc<ModelInfo> {
        self.backend.info()
    }

    /// How many sequences the KV cache has room for.
    pub fn n_sequences(&self) -> usize {
        self.backend.n_sequences()
    }

    /// Empties the KV cache.
    pub fn clear(&mut self) {
        self.cache.clear(self.backend.as_mut());
        self.logits.clear();
    }

    /// Generates a text. The KV cache is right about what it holds afterwards, however this ends.
    ///
    /// # Errors
    /// Cancelled, superseded and pre-empted within one token; failed with a sentence.
    pub fn generate(
        &mut self,
        task: &mut GenerateTask,
        flag: &CancelFlag,
    ) -> Result<Generation, TaskError> {
        let started = Instant::now();
        self.check_length(task.prompt.len())?;
        // Before the cache is touched: a background task must not cost the next key its prompt.
        check(flag)?;
        if task.cold {
            self.clear();
        }
        let may_look_up = !self.is_background && !task.cold && task.grammar.is_none();
        let by_lookup =
            if may_look_up { generated_by_lookup(self.backend.vocabulary(), task) } else { None };
        if let Some(best) = by_lookup.clone().filter(|_| !task.to_the_end) {
            return Ok(Generation {
                best,
                end_probability: None,
                sure: None,
                alternatives: Vec::new(),
                usage: Usage::default(),
                source: Source::Lookup,
                times: Times { generate: started.elapsed(), ..Times::default() },
            });
        }
        // Before the prompt is evaluated, which is lost where this fails.
        let grammar = self.grammar_of(task)?;
        let is_short = self.takes_short_prompt(task)?;
        let prompt = match &task.short_prompt {
            ShortPrompt::Ready(short) if is_short => short,
            _ => &task.prompt,
        };
        let (prompt, n_prompt) = (prompt.clone(), prompt.len());
        let prompt = prompt.as_slice();
        let generated_before = self.cache.continuation_of(prompt).to_vec();
        let cached_tokens = self.prefill_to_decode(prompt, flag)?;
        let evaluated_tokens = self.cache.tokens().len() - cached_tokens;
        if !self.is_background {
            self.counts.cached_tokens.fetch_add(cached_tokens as u64, Ordering::Relaxed);
        }
        let prompt_done = Instant::now();

        let limits = DecodeLimits {
            n_alternatives: task.n_alternatives,
            max_tokens: task.max_tokens,
            max_speculative_tokens: task.max_speculative_tokens,
            min_confidence: task.min_confidence,
            to_the_end: task.to_the_end,
            deadline: prompt_done.checked_add(task.max_generate),
        };
        let best = params_of(task, prompt, TokenChoice::Likeliest, limits, generated_before);
        let first = self.decode(DecodeParams { grammar, ..best }, flag)?;
        let mut usage = Usage {
            cached_tokens,
            evaluated_tokens: evaluated_tokens + first.n_prompt_tokens,
            generated_tokens: first.n_generated,
            speculative_tokens: first.n_speculative,
            reused_logits: first.n_reused,
        };
        let mut alternatives = Vec::new();
        for other in first.alternatives {
            self.roll_back_to(n_prompt);
            let grammar = self.grammar_of(task)?;
            let choice = TokenChoice::First(other);
            let alternative = params_of(task, prompt, choice, limits, Vec::new());
            let decoded = self.decode(DecodeParams { grammar, ..alternative }, flag)?;
            usage.evaluated_tokens += decoded.n_prompt_tokens;
            usage.generated_tokens += decoded.n_generated;
            usage.speculative_tokens += decoded.n_speculative;
            usage.reused_logits += decoded.n_reused;
            alternatives.push(decoded.text);
        }
        Ok(Generation {
            best: first.text,
            end_probability: first.end_probability,
            sure: by_lookup.or(first.sure),
            alternatives,
            usage,
            source: if is_short { Source::ShortPrompt } else { Source::WholePrompt },
            times: Times {
                queue: Duration::ZERO,
                prompt: prompt_done - started,
                generate: prompt_done.elapsed(),
            },
        })
    }

    fn grammar_of(&mut self, task: &GenerateTask) -> Result<Option<GrammarState>, TaskError> {
        let Some(grammar) = &task.grammar else { return Ok(None) };
        let (vocabulary, info) = (self.backend.vocabulary(), self.backend.info());
        self.grammars.start(grammar, vocabulary, info).map(Some).map_err(TaskError::Failed)
    }

    /// Scores continuations of a prompt, from the one after `done` on, which holds those that were
    /// scored before the task was pre-empted. `on_position` sees each position of each
    /// continuation.
    ///
    /// # Errors
    /// As [`Runtime::generate`]; what is scored until then stays in `done`.
    pub fn score(
        &mut self,
        task: &mut ScoreTask,
        done: &mut Vec<ContinuationScore>,
        mut on_position: Option<&mut dyn FnMut(&DecodePosition)>,
        flag: &CancelFlag,
    ) -> Result<(), TaskError> {
        self.require(self.info().capabilities.score, "score texts")?;
        let n_prompt = task.prompt.len();
        let longest = task.continuations.iter().map(Vec::len).max().unwrap_or_default();
        self.check_length(n_prompt)?;
        self.check_length(n_prompt + longest)?;
        if task.continuations.iter().any(Vec::is_empty) {
            return Err(TaskError::Failed("a continuation to score has no tokens".to_owned()));
        }
        check(flag)?;
        self.prefill_prompt(&task.prompt, flag)?;
        let first_logits = self.backend.logits().to_vec();
        while let Some(tokens) = task.continuations.get(done.len()) {
            let is_at_prompt = self.cache.tokens().len() == n_prompt;
            if self.cache.can_roll_back() == Some(true) {
                self.roll_back_to(n_prompt);
            } else if !is_at_prompt {
                self.prefill_prompt(&task.prompt, flag)?;
            }
            let params = DecodeParams {
                prompt: &task.prompt,
                choice: TokenChoice::Given { tokens, first_logits: &first_logits },
                required_prefix: &task.required_prefix,
                mixer: task.mixer.as_deref_mut(),
                grammar: None,
                stop: &NeverStop,
                limits: DecodeLimits {
                    n_alternatives: 0,
                    max_tokens: usize::MAX,
                    max_speculative_tokens: task.max_batch_tokens.saturating_sub(1),
                    min_confidence: 0.0,
                    to_the_end: false,
                    deadline: None,
                },
                // What comes after the last one is not asked.
                generated_before: tokens[..tokens.len() - 1].to_vec(),
                on_position: on_position.as_deref_mut().map(|it| it as _),
            };
            let decoded = self.decode(params, flag)?;
            done.push(ContinuationScore { tokens: decoded.scores });
        }
        Ok(())
    }

    /// Makes vectors of length 1, from the text after `done` on.
    ///
    /// # Errors
    /// As [`Runtime::score`].
    pub fn embed(
        &mut self,
        task: &EmbedTask,
        done: &mut Vec<Vec<f32>>,
        flag: &CancelFlag,
    ) -> Result<(), TaskError> {
        self.require(self.info().capabilities.embed, "make vectors of texts")?;
        while let Some(text) = task.texts.get(done.len()) {
            self.check_length(text.len())?;
            check(flag)?;
            match self.backend.embed(text, flag) {
                Ok(vector) => done.push(normalized(vector)),
                Err(EvaluateError::Failed(sentence)) => return Err(TaskError::Failed(sentence)),
                Err(EvaluateError::Stopped { .. }) => return Err(stopped(flag)),
            }
        }
        Ok(())
    }

    /// Evaluates a prompt ahead of its task; what is done of it when that comes is kept.
    ///
    /// # Errors
    /// As [`Runtime::generate`].
    pub fn prefill(&mut self, task: &PrefillTask, flag: &CancelFlag) -> Result<(), TaskError> {
        let prompt = &task.prompt;
        self.check_length(prompt.len())?;
        match self.cache.n_cached_of(prompt) + 1 < prompt.len() {
            true => drop(self.evaluate_prompt(prompt, false, flag)?),
            // The next key most likely goes on with it, so nothing else takes its place.
            false => self.cache.turn_to(prompt),
        }
        Ok(())
    }

    pub(super) fn require(&self, can: bool, what: &str) -> Result<(), TaskError> {
        if can {
            return Ok(());
        }
        let name = &self.info().name;
        Err(TaskError::Failed(format!("{name} can't {what}; set model.path to a model that can")))
    }

    pub(super) fn check_length(&self, n_tokens: usize) -> Result<(), TaskError> {
        let n_context = self.info().n_context_tokens;
        if n_tokens == 0 || n_tokens >= n_context {
            let sentence = format!(
                "a prompt of {n_tokens} tokens does not fit the context of {n_context}; raise \
                 model.context_tokens",
            );
            return Err(TaskError::Failed(sentence));
        }
        Ok(())
    }

    /// Drops what was evaluated after a prompt of this length.
    fn roll_back_to(&mut self, n_prompt: usize) {
        let n_after = self.cache.tokens().len().saturating_sub(n_prompt);
        self.cache.take_back(self.backend.as_mut(), n_after);
    }
}

/// One run of the decode loop for a text.
fn params_of<'a>(
    task: &'a mut GenerateTask,
    prompt: &'a [Token],
    choice: TokenChoice<'a>,
    limits: DecodeLimits,
    generated_before: Vec<Token>,
) -> DecodeParams<'a> {
    DecodeParams {
        prompt,
        choice,
        required_prefix: &task.required_prefix,
        mixer: task.mixer.as_deref_mut(),
        grammar: None,
        stop: task.stop.as_ref(),
        limits,
        generated_before,
        on_position: None,
    }
}

/// Whether work should go on.
///
/// # Errors
/// Why not.
pub(super) fn check(flag: &CancelFlag) -> Result<(), TaskError> {
    match flag.stop_reason() {
        None => Ok(()),
        Some(StopReason::Cancelled | StopReason::Closed) => Err(TaskError::Cancelled),
        Some(StopReason::Superseded) => Err(TaskError::Superseded),
        Some(StopReason::Preempted) => Err(TaskError::Preempted),
    }
}

/// Why an evaluation was stopped.
pub(super) fn stopped(flag: &CancelFlag) -> TaskError {
    // Stopped without a reason can't be; a failure rather than going on.
    check(flag).err().unwrap_or_else(|| {
        TaskError::Failed("the evaluation stopped by itself; try again".to_owned())
    })
}

/// The vector with length 1; one of length 0 stays.
fn normalized(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|it| it * it).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|it| *it /= length);
    }
    vector
}
