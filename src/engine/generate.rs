//! One generation: evaluate what of the prompt is new, then sample greedily until something says stop.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::engine::actor::EngineCounts;
use crate::engine::model::{EvaluateError, Model, TokenKind, Vocabulary};
use crate::engine::next_token::{LineSoFar, NextToken};
use crate::engine::resident::Resident;
use crate::generation::{
    CompletionRequest, Finish, Generation, GenerationError, NextTokenCounts, Times, Token, Usage,
};
use crate::stdx::cancel::{CancelFlag, StopReason};

/// How long a stretch of a prompt may take between two looks at the flag. A stretch that has begun is
/// finished and kept even if its request is superseded: otherwise a person who types faster than one
/// stretch is evaluated would throw it away at each key, and never see an answer.
const STRETCH: Duration = Duration::from_millis(40);

/// Stretches that nobody waits for end when somebody does, so they are long.
const IDLE_STRETCH_TOKENS: usize = 128;

/// How many of `n_left` tokens to evaluate at once: about `most`, so that the rest makes a quick batch too.
fn stretch(n_left: usize, most: usize, quick_batch: usize) -> usize {
    match n_left.checked_sub(most) {
        None | Some(0) => n_left,
        Some(rest) if rest >= quick_batch => most,
        // Cut in two, both are quick; else the rest comes along.
        Some(_) if n_left >= 2 * quick_batch => n_left - quick_batch,
        Some(_) => n_left,
    }
}

/// How fast this model evaluates prompts on this machine.
#[derive(Debug, Default)]
pub struct Pace {
    /// `None` until the first stretch, which is short.
    tokens_per_second: Option<f64>,
}

impl Pace {
    /// How many tokens make a stretch: a power of two, because llama.cpp builds its graph anew for each
    /// other length.
    fn stretch_tokens(&self) -> usize {
        let tokens = self.tokens_per_second.unwrap_or(0.0) * STRETCH.as_secs_f64();
        [128, 64].into_iter().find(|n| *n as f64 <= tokens).unwrap_or(32)
    }

    fn note(&mut self, n_tokens: usize, took: Duration) {
        // Short ones measure the overhead.
        if n_tokens >= 8 && !took.is_zero() {
            let seen = n_tokens as f64 / took.as_secs_f64();
            let before = self.tokens_per_second.unwrap_or(seen);
            self.tokens_per_second = Some(0.7 * before + 0.3 * seen);
        }
    }
}

/// Runs one request on the model. `resident` is right about the context afterwards, however it ends.
///
/// # Errors
/// Cancelled and superseded within one token; failed with a sentence.
pub fn generate(
    model: &mut dyn Model,
    resident: &mut Resident,
    pace: &mut Pace,
    request: &mut CompletionRequest,
    flag: &CancelFlag,
    counts: &EngineCounts,
) -> Result<Generation, GenerationError> {
    let started = Instant::now();
    if request.prompt.is_empty() || request.prompt.len() >= model.info().n_context_tokens {
        let sentence = format!(
            "a prompt of {} tokens does not fit the context of {}; raise model.context_tokens",
            request.prompt.len(),
            model.info().n_context_tokens
        );
        return Err(GenerationError::Failed(sentence));
    }
    // Before the context is touched: a request that nobody waits for must not cost the next its cache.
    check(flag)?;
    if request.cold {
        resident.clear(model);
    }
    let mut said_before = resident.said_after(&request.prompt).to_vec();
    let cached_tokens = resident.keep_prefix_of(model, &request.prompt);
    let cached_tokens = resident.make_room_for(model, request.prompt.len() - cached_tokens);
    let mut left = &request.prompt[cached_tokens..];
    while !left.is_empty() {
        let n = stretch(left.len(), pace.stretch_tokens(), model.quick_batch());
        let began = Instant::now();
        evaluate(model, resident, &left[..n], flag)?;
        pace.note(n, began.elapsed());
        counts.evaluated_tokens.fetch_add(n as u64, Ordering::Relaxed);
        left = &left[n..];
    }
    counts.cached_tokens.fetch_add(cached_tokens as u64, Ordering::Relaxed);
    let prompt_done = Instant::now();

    let mut sampled = Sampled::new(&request.forced);
    let deadline = prompt_done + request.max_generate;
    let min_log_probability = request.min_confidence.ln();
    let mut draft = Draft::default();
    let mut n_drafted = 0;
    let finish = loop {
        check(flag)?;
        let mix = request.counts.as_deref_mut();
        let logits = draft.logits(model);
        let Some((next, log_probability)) = sampled.next(model.vocabulary(), logits, mix) else {
            break Finish::EndToken;
        };
        counts.generated_tokens.fetch_add(1, Ordering::Relaxed);
        sampled.n_tokens += 1;
        if model.vocabulary().kind(next) == TokenKind::End {
            break Finish::EndToken;
        }
        let piece = model.vocabulary().bytes_of(next);
        if sampled.log_probability + log_probability < min_log_probability {
            break Finish::Unsure { next: first_char(piece) };
        }
        sampled.push(next, piece, log_probability);
        said_before = said_before.strip_prefix(&[next]).unwrap_or_default().to_vec();
        if let Some(end) = (request.stop)(sampled.text()) {
            sampled.end = end;
            break Finish::StopRule;
        }
        let room = (model.info().n_context_tokens - 1).saturating_sub(resident.tokens().len());
        if room == 0 || sampled.n_tokens >= request.max_tokens || Instant::now() >= deadline {
            break Finish::Budget;
        }
        if draft.says(next) {
            n_drafted += 1;
            continue;
        }
        resident.take_back(model, draft.left());
        let most = if resident.can_roll_back() { request.max_draft_tokens } else { 0 };
        let most = most.min(room - 1).min(request.max_tokens - sampled.n_tokens);
        draft = Draft::of(&sampled, most, &said_before, request.counts.as_deref_mut());
        let tokens = [&[next], draft.tokens.as_slice()].concat();
        evaluate_each(model, resident, &tokens, flag)?;
        draft.is_evaluated = true;
    };
    // What was expected and not said is no part of what the next prompt goes on with.
    resident.take_back(model, draft.left());
    counts.drafted_tokens.fetch_add(n_drafted as u64, Ordering::Relaxed);
    Ok(Generation {
        usage: Usage {
            cached_tokens,
            evaluated_tokens: request.prompt.len() - cached_tokens,
            generated_tokens: sampled.n_tokens,
            drafted_tokens: n_drafted,
        },
        times: Times {
            queue: Duration::ZERO,
            prompt: prompt_done - started,
            generate: prompt_done.elapsed(),
        },
        confidence: sampled.log_probability.exp(),
        text: sampled.into_text(),
        finish,
    })
}

/// Evaluates a prompt that nobody has asked yet, until something else is asked. What of a micro-batch is
/// done by then is lost, which is what being there at once costs.
pub fn warm_up(
    model: &mut dyn Model,
    resident: &mut Resident,
    prompt: &[Token],
    flag: &CancelFlag,
    counts: &EngineCounts,
) -> Result<(), GenerationError> {
    if prompt.is_empty() || prompt.len() >= model.info().n_context_tokens || model.n_sequences() < 2
    {
        return Ok(());
    }
    check(flag)?;
    let kept = resident.keep_prefix_beside(model, prompt);
    let kept = resident.make_room_for(model, prompt.len() - kept);
    let mut left = &prompt[kept..];
    while !left.is_empty() {
        let n = stretch(left.len(), IDLE_STRETCH_TOKENS, model.quick_batch());
        evaluate(model, resident, &left[..n], flag)?;
        counts.warmed_tokens.fetch_add(n as u64, Ordering::Relaxed);
        left = &left[n..];
    }
    Ok(())
}

fn check(flag: &CancelFlag) -> Result<(), GenerationError> {
    match flag.stop_reason() {
        None => Ok(()),
        Some(StopReason::Cancelled | StopReason::Closed) => Err(GenerationError::Cancelled),
        Some(StopReason::Superseded) => Err(GenerationError::Superseded),
    }
}

fn evaluate(
    model: &mut dyn Model,
    resident: &mut Resident,
    tokens: &[Token],
    flag: &CancelFlag,
) -> Result<(), GenerationError> {
    check(flag)?;
    let position = resident.tokens().len();
    let evaluated = model.evaluate(resident.sequence(), tokens, position, flag);
    note(model, resident, tokens, flag, evaluated)
}

/// Keeps the shadow of the context right, however an evaluation has ended.
fn note(
    model: &mut dyn Model,
    resident: &mut Resident,
    tokens: &[Token],
    flag: &CancelFlag,
    evaluated: Result<(), EvaluateError>,
) -> Result<(), GenerationError> {
    match evaluated {
        Ok(()) => {
            resident.extend(tokens);
            Ok(())
        }
        Err(EvaluateError::Stopped { n_resident }) => {
            resident.extend_until(tokens, n_resident);
            check(flag)?;
            // Stopped without a reason can't be; treat it as a failure rather than go on.
            Err(GenerationError::Failed("the evaluation stopped by itself; try again".to_owned()))
        }
        Err(EvaluateError::Failed(sentence)) => {
            resident.clear(model);
            Err(GenerationError::Failed(sentence))
        }
    }
}

fn evaluate_each(
    model: &mut dyn Model,
    resident: &mut Resident,
    tokens: &[Token],
    flag: &CancelFlag,
) -> Result<(), GenerationError> {
    check(flag)?;
    let position = resident.tokens().len();
    let evaluated = model.evaluate_each(resident.sequence(), tokens, position, flag);
    note(model, resident, tokens, flag, evaluated)
}

/// Tokens that are evaluated before the model has said them.
#[derive(Default)]
struct Draft {
    tokens: Vec<Token>,
    /// How many of them the model has said by now.
    n_said: usize,
    /// The scores at hand are those after each token of the draft, and after the one before it.
    is_evaluated: bool,
}

impl Draft {
    fn of(
        sampled: &Sampled,
        most: usize,
        said_before: &[Token],
        counts: Option<&mut (dyn NextTokenCounts + 'static)>,
    ) -> Self {
        let tokens = if most == 0 || !sampled.forced.is_empty() {
            Vec::new()
        } else if !said_before.is_empty() {
            // A key that agrees with what was being generated does not begin all over.
            said_before[..most.min(said_before.len())].to_vec()
        } else {
            counts.and_then(|it| sampled.line.draft(it, most)).unwrap_or_default()
        };
        Self { tokens, ..Self::default() }
    }

    fn logits<'a>(&self, model: &'a dyn Model) -> &'a [f32] {
        if self.is_evaluated { model.logits_after(self.n_said) } else { model.logits() }
    }

    /// Whether the next token of the draft is this one, which is then said.
    fn says(&mut self, token: Token) -> bool {
        let says = self.tokens.get(self.n_said) == Some(&token);
        self.n_said += usize::from(says);
        says
    }

    /// How many tokens are evaluated and were not said.
    fn left(&self) -> usize {
        self.tokens.len() - self.n_said
    }
}

fn first_char(piece: &[u8]) -> Option<char> {
    let whole = piece.utf8_chunks().next()?.valid();
    whole.chars().next()
}

/// The text sampled so far.
struct Sampled<'a> {
    /// What is still forced.
    forced: &'a [u8],
    bytes: Vec<u8>,
    /// How much of `bytes` is whole characters.
    valid: usize,
    end: usize,
    n_tokens: usize,
    log_probability: f32,
    line: LineSoFar,
}

impl<'a> Sampled<'a> {
    fn new(forced: &'a [u8]) -> Self {
        Self {
            forced,
            bytes: Vec::new(),
            valid: 0,
            end: usize::MAX,
            n_tokens: 0,
            log_probability: 0.0,
            line: LineSoFar::default(),
        }
    }

    /// The likeliest token that is allowed and the logarithm of its probability among those that are,
    /// or `None` where nothing can spell what is forced.
    fn next(
        &self,
        vocabulary: &Vocabulary,
        logits: &[f32],
        counts: Option<&mut (dyn NextTokenCounts + 'static)>,
    ) -> Option<(Token, f32)> {
        let next = NextToken::new(vocabulary, logits, self.forced, &self.line, counts);
        let best = next.likeliest()?;
        Some((best, next.probability(best).max(f32::MIN_POSITIVE).ln()))
    }

    fn push(&mut self, token: Token, piece: &[u8], log_probability: f32) {
        self.line.push(token, piece);
        let forced = piece.len().min(self.forced.len());
        self.forced = &self.forced[forced..];
        self.bytes.extend_from_slice(&piece[forced..]);
        // A character can span two tokens; the text ends before a character that is not whole yet.
        self.valid += match std::str::from_utf8(&self.bytes[self.valid..]) {
            Ok(rest) => rest.len(),
            Err(error) => error.valid_up_to(),
        };
        self.log_probability += log_probability;
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.valid]).unwrap_or_default()
    }

    fn into_text(mut self) -> String {
        self.bytes.truncate(self.end.min(self.valid));
        String::from_utf8(self.bytes).unwrap_or_default()
    }
}
