//! The one decode loop: after a prompt that is in the KV cache, a token at a time, until something
//! ends it. Generating takes the likeliest token, scoring the given one (teacher forcing).

pub mod constraint;
pub mod distribution;
pub mod line;
pub mod lookup;
pub mod speculative;
pub mod text;

use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::lm::decode::distribution::NextToken;
use crate::lm::decode::line::ChosenToken;
use crate::lm::decode::speculative::SpeculativeTokens;
use crate::lm::decode::text::TextSoFar;
use crate::lm::grammar::state::GrammarState;
use crate::lm::mixer::NextTokenMixer;
use crate::lm::runtime::{Runtime, check};
use crate::lm::task::{Finish, GeneratedText, StopRule, TaskError, TokenScore};
use crate::lm::vocabulary::{Token, TokenKind, Vocabulary};
use crate::stdx::cancel::CancelFlag;

/// An alternative begins with a token that has at least this probability.
const MIN_ALTERNATIVE_PROBABILITY: f32 = 0.02;

/// How the next token is chosen.
#[derive(Clone, Copy)]
pub enum TokenChoice<'a> {
    Likeliest,
    /// This one first, then the likeliest.
    First(ChosenToken),
    /// These, and what comes after them is not asked. `first_logits` are those after the prompt.
    Given {
        tokens: &'a [Token],
        first_logits: &'a [f32],
    },
}

/// What one run of the loop is given.
pub struct DecodeParams<'a> {
    /// What the text comes after. All of it is evaluated, or its logits are known and the last
    /// tokens are evaluated with those that are generated.
    pub prompt: &'a [Token],
    pub choice: TokenChoice<'a>,
    pub required_prefix: &'a [u8],
    pub mixer: Option<&'a mut (dyn NextTokenMixer + 'static)>,
    /// At its start.
    pub grammar: Option<GrammarState>,
    pub stop: &'a dyn StopRule,
    pub limits: DecodeLimits,
    /// What came after this prompt the last time, as speculative tokens.
    pub generated_before: Vec<Token>,
    pub on_position: Option<&'a mut dyn FnMut(&DecodePosition)>,
}

/// How far one run of the loop goes; see `GenerateTask`.
#[derive(Clone, Copy)]
pub struct DecodeLimits {
    /// How many tokens that could have been the first are wanted beside it.
    pub n_alternatives: usize,
    pub max_tokens: usize,
    pub max_speculative_tokens: usize,
    pub min_confidence: f32,
    pub to_the_end: bool,
    pub deadline: Option<Instant>,
}

/// One position of the loop, for whoever measures the distributions there.
pub struct DecodePosition<'a> {
    /// The distribution of the model alone, and the one that tokens are chosen from.
    pub model: &'a NextToken<'a>,
    pub mixture: &'a NextToken<'a>,
    /// The tokens before this one, of its line.
    pub line: &'a [Token],
    pub chosen: Token,
}

/// What came of one run.
pub struct Decoded {
    pub text: GeneratedText,
    /// What would have been generated if it had ended where it was not sure any more, if that came.
    pub sure: Option<GeneratedText>,
    pub end_probability: Option<f32>,
    pub n_generated: usize,
    pub n_speculative: usize,
    /// How often the logits were known.
    pub n_reused: usize,
    /// How many of the prompt's last tokens were evaluated.
    pub n_prompt_tokens: usize,
    /// Other tokens that could have been the first.
    pub alternatives: Vec<ChosenToken>,
    /// Of each given token.
    pub scores: Vec<TokenScore>,
}

impl Runtime {
    /// Runs the loop after what is in the KV cache.
    ///
    /// # Errors
    /// Those of [`Runtime::evaluate`]; `flag` is read before each token.
    pub fn decode(
        &mut self,
        params: DecodeParams,
        flag: &CancelFlag,
    ) -> Result<Decoded, TaskError> {
        let DecodeParams { prompt, choice, required_prefix, mut mixer, stop, limits, .. } = params;
        let DecodeParams { mut generated_before, mut on_position, mut grammar, .. } = params;
        let min_log_probability = limits.min_confidence.ln();
        let can_roll_back = self.cache.can_roll_back() == Some(true);
        let keeps_logits = self.keeps_logits() && !matches!(choice, TokenChoice::Given { .. });
        let mut tokens = prompt.to_vec();
        let (mut n_prompt_tokens, mut n_reused) = (0, 0);
        let mut text = TextSoFar::new(required_prefix);
        let mut speculative = SpeculativeTokens::default();
        let (mut n_speculative, mut alternatives, mut scores) = (0, Vec::new(), Vec::new());
        let (mut sure, mut end_probability) = (None, None);
        let finish = loop {
            check(flag)?;
            let vocabulary = self.backend.vocabulary();
            let logits = match choice {
                TokenChoice::Given { first_logits, .. } if text.n_tokens == 0 => first_logits,
                // None are asked for.
                TokenChoice::First(_) if text.n_tokens == 0 => &[],
                _ if keeps_logits => {
                    let evaluated = speculative.logits(self.backend.as_ref());
                    let (logits, is_known) = self.logits.after_or_keep(&tokens, evaluated);
                    n_reused += usize::from(is_known);
                    logits
                }
                _ => speculative.logits(self.backend.as_ref()),
            };
            let n_most = self.backend.info().n_context_tokens - 1;
            let room = n_most.saturating_sub(tokens.len());
            let logits = match &mut grammar {
                Some(grammar) => {
                    let budget = limits.max_tokens.min(n_most.saturating_sub(prompt.len()));
                    let is_closing = text.n_tokens >= budget - budget / 2;
                    let masked = grammar.masked(logits, vocabulary, is_closing);
                    masked.map_err(TaskError::Failed)?
                }
                None => logits,
            };
            let distribution = |mixer: Option<&mut (dyn NextTokenMixer + 'static)>| {
                NextToken::new(vocabulary, logits, text.prefix_left(), &text.line, mixer)
            };
            let chosen = match choice {
                TokenChoice::First(first) if text.n_tokens == 0 => first,
                _ => {
                    let next = distribution(mixer.as_deref_mut());
                    if text.n_tokens == 0 && can_roll_back {
                        alternatives = alternatives_of(&next, limits.n_alternatives, vocabulary);
                    }
                    let likeliest = next.likeliest();
                    let token = match choice {
                        TokenChoice::Given { tokens, .. } => Some(tokens[text.n_tokens]),
                        TokenChoice::Likeliest | TokenChoice::First(_) => likeliest,
                    };
                    let Some(token) = token else {
                        if grammar.is_some() {
                            return Err(nothing_allowed());
                        }
                        break Finish::EndToken;
                    };
                    if let Some(on_position) = &mut on_position {
                        let (model, line) = (&distribution(None), text.line.tokens());
                        on_position(&DecodePosition { model, mixture: &next, line, chosen: token });
                    }
                    if let TokenChoice::Given { .. } = choice {
                        let probability = next.probability(token);
                        let is_likeliest =
                            likeliest.is_some_and(|it| next.probability(it) <= probability);
                        scores.push(TokenScore { probability, is_likeliest });
                    }
                    next.choose(token)
                }
            };
            let ChosenToken { token, log_probability, .. } = chosen;
            text.n_tokens += 1;
            if let TokenChoice::Given { tokens, .. } = choice {
                if text.n_tokens == tokens.len() {
                    break Finish::Budget;
                }
            } else {
                self.count_generated();
                if vocabulary.kind(token) == TokenKind::End {
                    end_probability = Some(log_probability.exp());
                    break Finish::EndToken;
                }
            }
            let piece = vocabulary.bytes_of(token);
            if text.log_probability + log_probability < min_log_probability && sure.is_none() {
                let unsure = Finish::Unsure { next: text.next_char(piece) };
                if !limits.to_the_end {
                    break unsure;
                }
                sure = Some(ended(&mut text.clone(), unsure, stop));
            }
            text.push(chosen, piece);
            if let Some(grammar) = &mut grammar {
                grammar.take(token, piece).map_err(TaskError::Failed)?;
                if grammar.is_complete() {
                    break Finish::EndToken;
                }
            }
            generated_before = generated_before.strip_prefix(&[token]).unwrap_or_default().to_vec();
            if let Some(end) = stop.end_of(text.text()) {
                text.end = end;
                break Finish::StopRule;
            }
            let is_late = limits.deadline.is_some_and(|it| Instant::now() >= it);
            if room == 0 || text.n_tokens >= limits.max_tokens || is_late {
                break Finish::Budget;
            }
            tokens.push(token);
            if speculative.accept(token) {
                n_speculative += 1;
                continue;
            }
            self.cache.take_back(self.backend.as_mut(), speculative.n_rejected());
            if keeps_logits && self.logits.has(&tokens) {
                speculative = SpeculativeTokens::default();
                continue;
            }
            let most = if can_roll_back { limits.max_speculative_tokens } else { 0 };
            let most = most.min(room - 1).min(limits.max_tokens - text.n_tokens);
            speculative =
                SpeculativeTokens::draft(&text, most, &generated_before, mixer.as_deref_mut());
            let n_evaluated = self.cache.tokens().len();
            let left = &tokens[n_evaluated..];
            let n_of_prompt = prompt.len().saturating_sub(n_evaluated);
            n_prompt_tokens += n_of_prompt;
            speculative.n_before = left.len();
            self.evaluate(&[left, speculative.tokens.as_slice()].concat(), true, flag)?;
            self.count_evaluated(n_of_prompt);
            speculative.is_evaluated = true;
        };
        // Rejected tokens are no part of what the next prompt goes on with.
        self.cache.take_back(self.backend.as_mut(), speculative.n_rejected());
        if !self.is_background {
            self.counts.speculative_tokens.fetch_add(n_speculative as u64, Ordering::Relaxed);
            self.counts.reused_logits.fetch_add(n_reused as u64, Ordering::Relaxed);
        }
        let n_generated = text.n_tokens;
        let text = ended(&mut text, finish, stop);
        Ok(Decoded {
            text,
            sure,
            end_probability,
            n_generated,
            n_speculative,
            n_reused,
            n_prompt_tokens,
            alternatives,
            scores,
        })
    }

    fn count_generated(&self) {
        let counts = &self.counts;
        let counter = match self.is_background {
            true => &counts.prefetch_generated_tokens,
            false => &counts.generated_tokens,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

fn nothing_allowed() -> TaskError {
    TaskError::Failed(
        "the model gave no token that the answer may go on with; try again".to_owned(),
    )
}

/// The likeliest tokens but the first one, at most `n`, that are not out of the question. Of those
/// that differ in blanks at their ends alone there is one.
fn alternatives_of(next: &NextToken, n: usize, vocabulary: &Vocabulary) -> Vec<ChosenToken> {
    let Some(first) = next.likeliest().filter(|_| n > 0) else { return Vec::new() };
    let line = |token: Token| vocabulary.bytes_of(token).trim_ascii_end();
    let mut lines = vec![line(first)];
    let mut likeliest = next.likeliest_ones(2 * n + 1);
    likeliest.retain(|(token, probability)| {
        let is_another = *token != first && !lines.contains(&line(*token));
        let is_alternative = is_another
            && *probability >= MIN_ALTERNATIVE_PROBABILITY
            && vocabulary.kind(*token) == TokenKind::Text;
        lines.extend(is_alternative.then(|| line(*token)));
        is_alternative
    });
    likeliest.into_iter().take(n).map(|(token, _)| next.choose(token)).collect()
}

/// The text where generating ends so.
fn ended(text: &mut TextSoFar, finish: Finish, stop: &dyn StopRule) -> GeneratedText {
    let mut finish = finish;
    if matches!(finish, Finish::EndToken | Finish::Unsure { .. }) {
        // The rule looks at whole lines, and this one is not followed by another.
        let line = format!("{}\n", text.text());
        if let Some(end) = stop.end_of(&line).filter(|it| *it + 1 < line.len()) {
            (text.end, finish) = (end, Finish::StopRule);
        }
    }
    text.ended(finish)
}
