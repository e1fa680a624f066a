//! What a model takes and gives back, whichever model it is: tokens, a request, a generation.

use std::fmt;
use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Duration;

use crate::lm::fim::FimTemplate;

/// A token id of the resident model's vocabulary.
pub type Token = i32;

/// Text to tokens. Shared between threads; a pure function of the text.
pub trait Tokenizer: Send + Sync {
    /// Appends the tokens of `text`. Markers spelled in the text are text: they never become markers.
    fn tokenize(&self, text: &str, into: &mut Vec<Token>);

    /// Whether text may be cut before a line that is not blank and each part tokenised alone, with the
    /// same tokens as the whole: true for byte-level BPE, whose pre-tokenizers all break there.
    fn splits_at_lines(&self) -> bool;
}

/// What the rest of the program knows of the resident model.
pub struct ModelInfo {
    /// The model's own name, or its file's.
    pub name: String,
    /// Why the model that the settings name is not this one: a sentence for the user, with what to do.
    pub instead_of: Option<String>,
    pub n_params: u64,
    pub n_vocab: usize,
    /// Of the bytes of all text tokens: models with the same one have the same tokens.
    pub vocabulary_hash: u64,
    /// How many tokens the resident context holds, prompt and generation together.
    pub n_context_tokens: usize,
    pub n_threads: usize,
    pub template: FimTemplate,
    pub tokenizer: Arc<dyn Tokenizer>,
    /// The token that the model ends a generation with.
    pub end: Token,
    /// From the start of loading until the first decode could run.
    pub load_time: Duration,
}

impl fmt::Debug for ModelInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelInfo").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Looks at the text generated so far and says where it must end, in bytes, or `None` to go on.
pub type StopRule = Box<dyn Fn(&str) -> Option<usize> + Send>;

/// Interpolates the model's distribution of the next token with what is retrieved from the user's texts
/// and an n-gram table (`retrieval`). Called once a token, so it has to return in a fraction of a
/// millisecond.
pub trait NextTokenMixer: Send {
    /// The mixture for the next token. With a constraint, the distribution is one over the tokens that
    /// can spell it, and so is the model's, whose confidence `model` is.
    fn mix(&mut self, next: &NextTokenContext, model: ModelConfidence) -> NextTokenMixture;

    /// The likeliest next token and its probability without the model. `None`: abstains.
    fn predict_without_model(&mut self, next: &NextTokenContext) -> Option<(Token, f32)>;

    /// At most `n` speculative tokens of the line, which the model then verifies; no constraint is
    /// looked at.
    fn speculate(&mut self, next: &NextTokenContext, n: usize) -> Vec<Token>;
}

/// What stands before the next token, after the prompt, and what it has to satisfy.
#[derive(Clone, Copy)]
pub struct NextTokenContext<'a> {
    /// The tokens of the present line that were generated.
    pub line: &'a [Token],
    /// Whether a line break was generated before `line`; otherwise it continues the caret's line.
    pub at_line_start: bool,
    /// Only tokens that can spell it may come.
    pub constraint: Option<&'a dyn PrefixConstraint>,
}

/// Bytes that the text has to go on with: the part of a token before the caret that the prompt leaves out
/// (token healing).
pub trait PrefixConstraint {
    /// Tokens that spell all of it, or a beginning.
    fn first_tokens(&self) -> &[Token];

    /// Whether these tokens, or the first ones of them, spell all of it.
    fn is_spelled_by(&self, tokens: &[Token]) -> bool;
}

/// How sure the model is of the next token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ModelConfidence {
    /// Of its distribution, in nats.
    pub entropy: f32,
    /// The probability of its likeliest token.
    pub top_probability: f32,
}

/// A next token's probability: `model_weight` times the model's, plus what is retrieved.
#[derive(Debug, Clone, PartialEq)]
pub struct NextTokenMixture {
    /// 0 to 1.
    pub model_weight: f32,
    /// Tokens, each at most once, with what they get; together at most 1 - `model_weight`.
    pub retrieved: Vec<(Token, f32)>,
}

/// One completion to generate.
pub struct CompletionRequest {
    /// Of two requests the one with the higher number is the newer. Tasks may hand them in out of order.
    pub arrival: u64,
    pub prompt: Vec<Token>,
    /// Makes a prompt of less text, for when too little of the whole one is resident to be waited for.
    pub short_prompt: Option<ShortPrompt>,
    /// The generation must begin with these bytes, which are not part of the answer: what the user has
    /// typed of a token that the prompt leaves out (token healing, guidance-ai/guidance).
    pub forced: Vec<u8>,
    pub stop: StopRule,
    pub max_tokens: usize,
    /// The most speculative tokens that are evaluated together with the one before them; where the model
    /// then predicts the same, one evaluation gave all of them. 0: none.
    pub max_speculative_tokens: usize,
    /// How many other texts are wanted.
    pub n_alternatives: usize,
    /// Stop before the text's probability of being right falls below this; 0 never stops.
    pub min_confidence: f32,
    /// Where retrieval without the model is so sure of all the text, the model is not asked.
    pub min_lookup_confidence: Option<f32>,
    /// Generate to the end of the line or the block, however unsure that is, and tell in [`Generation::sure`] what
    /// would be said without this.
    pub to_the_end: bool,
    /// How long to generate; evaluating the prompt does not count, it is never wasted.
    pub max_generate: Duration,
    /// Forget what is resident first. The baseline of every cache measurement.
    pub cold: bool,
    /// What is mixed into the model's distribution; `None`: the model alone.
    pub mixer: Option<Box<dyn NextTokenMixer>>,
    /// The most likely next request, for prefetching while the engine is idle.
    pub ahead: Option<Ahead>,
}

/// From how many tokens a second can be evaluated to a prompt.
pub type ShortPrompt = Box<dyn FnOnce(u64) -> Vec<Token> + Send>;

/// From an answer to the request that is likely to follow it, where one is.
pub type Ahead = Box<dyn FnOnce(&Generation) -> Option<AheadRequest> + Send>;

/// A request to prefetch.
pub struct AheadRequest {
    pub request: CompletionRequest,
    /// Takes its answer.
    pub done: Box<dyn FnOnce(&Generation) + Send>,
}

/// Why a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The model said that it is done.
    EndToken,
    /// The stop rule.
    StopRule,
    /// The token or time budget, or the end of the context.
    Budget,
    /// With one more token the text would have been less likely right than was asked for. `next` is the
    /// character that it would have gone on with, or where that takes several tokens one of its kind.
    Unsure { next: Option<char> },
}

/// A text that was generated.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// After the forced bytes, whole characters only.
    pub text: String,
    pub finish: Finish,
    /// The probability, 0 to 1, that the text is right in all its parts, as the model sees it: the
    /// product of its tokens' probabilities.
    pub confidence: f32,
}

/// What answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The model, to the whole prompt.
    WholePrompt,
    /// The model, to the short one, so that it answered sooner.
    ShortPrompt,
    /// Retrieval alone: the model was not asked.
    Lookup,
}

impl Source {
    /// As statistics name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::WholePrompt => "model",
            Self::ShortPrompt => "model, short prompt",
            Self::Lookup => "lookup",
        }
    }
}

/// A finished generation.
#[derive(Debug, Clone)]
pub struct Generation {
    pub said: Said,
    /// What a request without [`CompletionRequest::to_the_end`] would have been answered, where that is something else.
    pub sure: Option<Said>,
    /// Texts that begin with another token, likelier ones first.
    pub alternatives: Vec<Said>,
    pub usage: Usage,
    pub source: Source,
    pub times: Times,
}

/// Tokens of one completion.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Prompt tokens that were resident already.
    pub cached_tokens: usize,
    /// Prompt tokens that had to be evaluated.
    pub evaluated_tokens: usize,
    /// Tokens sampled, the end token included.
    pub generated_tokens: usize,
    /// Of these, the accepted speculative ones, for which no evaluation of their own was needed.
    pub speculative_tokens: usize,
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.cached_tokens += other.cached_tokens;
        self.evaluated_tokens += other.evaluated_tokens;
        self.generated_tokens += other.generated_tokens;
        self.speculative_tokens += other.speculative_tokens;
    }
}

/// How long each stage of one completion took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Times {
    pub queue: Duration,
    pub prompt: Duration,
    pub generate: Duration,
}

impl AddAssign for Times {
    fn add_assign(&mut self, other: Self) {
        self.queue += other.queue;
        self.prompt += other.prompt;
        self.generate += other.generate;
    }
}

/// Why there is no generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GenerationError {
    /// No receiver waits any more.
    Cancelled,
    /// A newer request took its place.
    Superseded,
    /// The model could not be loaded, or failed; a sentence for the user.
    Failed(String),
}

impl fmt::Display for GenerationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("the request was cancelled"),
            Self::Superseded => f.write_str("a newer request took its place"),
            Self::Failed(sentence) => f.write_str(sentence),
        }
    }
}

impl std::error::Error for GenerationError {}
