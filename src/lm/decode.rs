//! One generation: evaluate what of the prompt is new, then sample greedily until something says stop.

pub mod distribution;
pub mod line;
pub mod text;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::lm::backend::{EvaluateError, Model, TokenKind};
use crate::lm::decode::line::Chosen;
use crate::lm::decode::text::{Draft, Sampled, generated_by_lookup};
use crate::lm::kv_cache::Resident;
use crate::lm::prefill_rate::{Pace, stretch};
use crate::lm::scheduler::EngineCounts;
use crate::lm::task::{
    CompletionRequest, Finish, Generation, GenerationError, Said, Source, StopRule, Times, Token,
    Usage,
};
use crate::stdx::cancel::{CancelFlag, StopReason};

/// A background chunk is lost when a request comes, so it is no longer than this, nor than what a person
/// who types would wait for.
const IDLE_STRETCH: usize = 64;
const LEAST_IDLE_STRETCH: usize = 8;

/// So many keys in a row are answered from a short prompt; if the whole one could not be evaluated between them by
/// then, the next ones pay for it.
const MAX_SHORT_PROMPTS: usize = 24;

/// What a request runs on.
pub struct Machine<'a> {
    pub model: &'a mut dyn Model,
    pub resident: &'a mut Resident,
    pub pace: &'a mut Pace,
    pub counts: &'a EngineCounts,
    /// Background generation: it leaves alone what is resident for the next key, and is stopped
    /// in the middle of a stretch when that comes.
    pub is_idle: bool,
}

impl Machine<'_> {
    /// Runs one request. `resident` is right about the context afterwards, however it ends.
    ///
    /// # Errors
    /// Cancelled and superseded within one token; failed with a sentence.
    pub fn generate(
        &mut self,
        request: &mut CompletionRequest,
        flag: &CancelFlag,
    ) -> Result<Generation, GenerationError> {
        let started = Instant::now();
        self.check_length(&request.prompt)?;
        // Before the context is touched: a background request must not cost the next its cache.
        check(flag)?;
        if request.cold {
            self.resident.clear(self.model);
        }
        let is_asked = !self.is_idle && !request.cold;
        let by_lookup =
            if is_asked { generated_by_lookup(self.model.vocabulary(), request) } else { None };
        if let Some(said) = by_lookup.clone().filter(|_| !request.to_the_end) {
            let times = Times { generate: started.elapsed(), ..Times::default() };
            let (usage, source, alternatives) = (Usage::default(), Source::Lookup, Vec::new());
            return Ok(Generation { said, sure: None, alternatives, usage, source, times });
        }
        let short = self.short_prompt(request);
        let prompt = short.as_ref().unwrap_or(&request.prompt);
        let n_prompt = prompt.len();
        let said_before = self.resident.said_after(prompt).to_vec();
        let cached_tokens = self.evaluate_prompt(prompt, self.is_idle, flag)?;
        if self.resident.can_roll_back().is_none() {
            let last = &prompt[n_prompt - 1..];
            self.resident.take_back(self.model, 1);
            match self.resident.can_roll_back() {
                Some(true) => self.evaluate(last, false, flag)?,
                _ => drop(self.evaluate_prompt(prompt, self.is_idle, flag)?),
            }
        }
        if !self.is_idle {
            self.counts.cached_tokens.fetch_add(cached_tokens as u64, Ordering::Relaxed);
        }
        let prompt_done = Instant::now();

        let forced = std::mem::take(&mut request.forced);
        let deadline = prompt_done + request.max_generate;
        let begun = Begun { said_before, ..Begun::default() };
        let first = self.decode(request, Sampled::new(&forced), begun, deadline, flag)?;
        let mut usage = Usage {
            cached_tokens,
            evaluated_tokens: n_prompt - cached_tokens,
            generated_tokens: first.n_generated,
            speculative_tokens: first.n_speculative,
        };
        let mut alternatives = Vec::new();
        for other in first.others {
            let n_said = self.resident.tokens().len() - n_prompt;
            self.resident.take_back(self.model, n_said);
            let begun = Begun { first: Some(other), ..Begun::default() };
            let decoded = self.decode(request, Sampled::new(&forced), begun, deadline, flag)?;
            usage.generated_tokens += decoded.n_generated;
            usage.speculative_tokens += decoded.n_speculative;
            alternatives.push(decoded.said);
        }
        Ok(Generation {
            said: first.said,
            sure: by_lookup.or(first.sure),
            alternatives,
            usage,
            source: if short.is_some() { Source::ShortPrompt } else { Source::WholePrompt },
            times: Times {
                queue: Duration::ZERO,
                prompt: prompt_done - started,
                generate: prompt_done.elapsed(),
            },
        })
    }

    /// Makes a prompt resident ahead of its request; what is done of it when that comes is kept.
    pub fn warm(&mut self, prompt: &[Token], flag: &CancelFlag) -> Result<(), GenerationError> {
        self.check_length(prompt)?;
        match self.resident.n_resident_of(prompt) + 1 < prompt.len() {
            true => drop(self.evaluate_prompt(prompt, false, flag)?),
            // The next key most likely goes on with it, so nothing else takes its place.
            false => self.resident.turn_to(prompt),
        }
        Ok(())
    }

    fn check_length(&self, prompt: &[Token]) -> Result<(), GenerationError> {
        let (n_prompt, n_context) = (prompt.len(), self.model.info().n_context_tokens);
        if n_prompt == 0 || n_prompt >= n_context {
            let sentence = format!(
                "a prompt of {n_prompt} tokens does not fit the context of {n_context}; raise \
                 model.context_tokens",
            );
            return Err(GenerationError::Failed(sentence));
        }
        Ok(())
    }

    /// A prompt of less text, where too little of the whole one is resident for a person who types to wait for
    /// the rest, and much less of the short one is missing.
    fn short_prompt(&mut self, request: &mut CompletionRequest) -> Option<Vec<Token>> {
        let make = request.short_prompt.take()?;
        let n_missing =
            |it: &Self, prompt: &[Token]| prompt.len() - it.resident.n_resident_of(prompt);
        let n_whole = n_missing(self, &request.prompt);
        if n_whole <= self.pace.patience_tokens() {
            self.pace.n_short_prompts = 0;
            return None;
        }
        let may_be_short = !self.is_idle && self.model.n_sequences() > 1;
        if !may_be_short || self.pace.n_short_prompts >= MAX_SHORT_PROMPTS {
            return None;
        }
        let short = make(self.pace.steady_tokens_per_second());
        self.check_length(&short).ok()?;
        let is_worth_it = 2 * n_missing(self, &short) <= n_whole;
        self.pace.n_short_prompts += usize::from(is_worth_it);
        is_worth_it.then_some(short)
    }

    /// Makes the prompt resident, the scores after it at hand; `beside` what is typed, if the next key goes on with
    /// that. Returns how much of it was resident already.
    fn evaluate_prompt(
        &mut self,
        prompt: &[Token],
        beside: bool,
        flag: &CancelFlag,
    ) -> Result<usize, GenerationError> {
        let kept = match beside {
            false => self.resident.keep_prefix_of(self.model, prompt),
            true => self.resident.keep_prefix_beside(self.model, prompt),
        };
        let kept = self.resident.make_room_for(self.model, prompt.len() - kept);
        let mut left = &prompt[kept..];
        while !left.is_empty() {
            let most = match self.is_idle {
                true => self.pace.patience_tokens().clamp(LEAST_IDLE_STRETCH, IDLE_STRETCH),
                false => self.pace.stretch_tokens(),
            };
            let n = stretch(left.len(), most, self.model.quick_batch());
            let began = Instant::now();
            self.evaluate(&left[..n], false, flag)?;
            self.pace.note(n, began.elapsed());
            let counts = self.counts;
            counts.note_pace(self.pace);
            let counter = if self.is_idle {
                &counts.prefetch_evaluated_tokens
            } else {
                &counts.evaluated_tokens
            };
            counter.fetch_add(n as u64, Ordering::Relaxed);
            left = &left[n..];
        }
        Ok(kept)
    }

    /// Samples greedily after what is resident, until something says stop.
    fn decode(
        &mut self,
        request: &mut CompletionRequest,
        mut sampled: Sampled,
        begun: Begun,
        deadline: Instant,
        flag: &CancelFlag,
    ) -> Result<Decoded, GenerationError> {
        let min_log_probability = request.min_confidence.ln();
        let can_roll_back = self.resident.can_roll_back() == Some(true);
        let mut draft = Draft::default();
        let (mut n_speculative, mut others, mut sure) = (0, Vec::new(), None);
        let Begun { mut first, mut said_before } = begun;
        let finish = loop {
            check(flag)?;
            let logits = draft.logits(self.model);
            let vocabulary = self.model.vocabulary();
            let given = first.take();
            if given.is_none() && sampled.n_tokens == 0 && can_roll_back {
                let mixer = request.mixer.as_deref_mut();
                others = sampled.others(vocabulary, logits, mixer, request.n_alternatives);
            }
            let mixer = request.mixer.as_deref_mut();
            let next = given.or_else(|| sampled.next(vocabulary, logits, mixer));
            let Some(chosen) = next else { break Finish::EndToken };
            let Chosen { token: next, log_probability, .. } = chosen;
            let counts = self.counts;
            let counter = if self.is_idle {
                &counts.prefetch_generated_tokens
            } else {
                &counts.generated_tokens
            };
            counter.fetch_add(1, Ordering::Relaxed);
            sampled.n_tokens += 1;
            if vocabulary.kind(next) == TokenKind::End {
                break Finish::EndToken;
            }
            let piece = vocabulary.bytes_of(next);
            if sampled.log_probability + log_probability < min_log_probability && sure.is_none() {
                let unsure = Finish::Unsure { next: sampled.next_char(piece) };
                if !request.to_the_end {
                    break unsure;
                }
                sure = Some(ended(&mut sampled.clone(), unsure, &request.stop));
            }
            sampled.push(chosen, piece);
            said_before = said_before.strip_prefix(&[next]).unwrap_or_default().to_vec();
            if let Some(end) = (request.stop)(sampled.text()) {
                sampled.end = end;
                break Finish::StopRule;
            }
            let n_most = self.model.info().n_context_tokens - 1;
            let room = n_most.saturating_sub(self.resident.tokens().len());
            if room == 0 || sampled.n_tokens >= request.max_tokens || Instant::now() >= deadline {
                break Finish::Budget;
            }
            if draft.says(next) {
                n_speculative += 1;
                continue;
            }
            self.resident.take_back(self.model, draft.left());
            let most = if can_roll_back { request.max_speculative_tokens } else { 0 };
            let most = most.min(room - 1).min(request.max_tokens - sampled.n_tokens);
            draft = Draft::of(&sampled, most, &said_before, request.mixer.as_deref_mut());
            self.evaluate(&[&[next], draft.tokens.as_slice()].concat(), true, flag)?;
            draft.is_evaluated = true;
        };
        // What was expected and not said is no part of what the next prompt goes on with.
        self.resident.take_back(self.model, draft.left());
        if !self.is_idle {
            self.counts.speculative_tokens.fetch_add(n_speculative as u64, Ordering::Relaxed);
        }
        let said = ended(&mut sampled, finish, &request.stop);
        Ok(Decoded { said, sure, n_generated: sampled.n_tokens, n_speculative, others })
    }

    /// Evaluates tokens after those that are resident, and keeps the shadow right however that ends. `each`:
    /// the scores after each of them are wanted, not only after the last.
    fn evaluate(
        &mut self,
        tokens: &[Token],
        each: bool,
        flag: &CancelFlag,
    ) -> Result<(), GenerationError> {
        check(flag)?;
        let (sequence, position) = (self.resident.sequence(), self.resident.tokens().len());
        let evaluated = match each {
            true => self.model.evaluate_each(sequence, tokens, position, flag),
            false => self.model.evaluate(sequence, tokens, position, flag),
        };
        match evaluated {
            Ok(()) => {
                self.resident.extend(tokens);
                Ok(())
            }
            Err(EvaluateError::Stopped { n_resident }) => {
                self.resident.extend_until(tokens, n_resident);
                check(flag)?;
                // Stopped without a reason can't be; treat it as a failure rather than go on.
                let sentence = "the evaluation stopped by itself; try again".to_owned();
                Err(GenerationError::Failed(sentence))
            }
            Err(EvaluateError::Failed(sentence)) => {
                self.resident.clear(self.model);
                Err(GenerationError::Failed(sentence))
            }
        }
    }
}

fn check(flag: &CancelFlag) -> Result<(), GenerationError> {
    match flag.stop_reason() {
        None => Ok(()),
        Some(StopReason::Cancelled | StopReason::Closed) => Err(GenerationError::Cancelled),
        Some(StopReason::Superseded) => Err(GenerationError::Superseded),
    }
}

/// What is known before the first token.
#[derive(Default)]
struct Begun {
    /// The first token, where it is not the likeliest one.
    first: Option<Chosen>,
    /// What was generated after this prompt the last time.
    said_before: Vec<Token>,
}

struct Decoded {
    said: Said,
    /// What would have been said if generating had ended where it was not sure any more, if that came.
    sure: Option<Said>,
    n_generated: usize,
    n_speculative: usize,
    /// Other tokens that could have been the first.
    others: Vec<Chosen>,
}

/// What is said where generating ends so.
fn ended(sampled: &mut Sampled, finish: Finish, stop: &StopRule) -> Said {
    let mut finish = finish;
    if matches!(finish, Finish::EndToken | Finish::Unsure { .. }) {
        // The rule looks at whole lines, and this one is not followed by another.
        let text = sampled.text();
        if let Some(end) = stop(&format!("{text}\n")).filter(|it| *it < text.len()) {
            (sampled.end, finish) = (end, Finish::StopRule);
        }
    }
    sampled.said(finish)
}
