//! What a model is asked for, and what comes back: plain data, whichever back end answers.

use std::fmt;
use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Duration;

use crate::lm::choice::{Choice, ChooseTask};
use crate::lm::grammar::Grammar;
use crate::lm::mixer::NextTokenMixer;
use crate::lm::vocabulary::Token;

/// One task for a model.
pub enum Task {
    /// Text after a prompt.
    Generate(GenerateTask),
    /// How likely given texts are after a prompt.
    Score(ScoreTask),
    /// Which of some texts comes next.
    Choose(ChooseTask),
    /// Vectors of texts.
    Embed(EmbedTask),
    /// A prompt in the KV cache, ahead of the task that needs it.
    Prefill(PrefillTask),
}

/// What came of a [`Task`], of its kind.
#[derive(Debug, Clone)]
pub enum TaskOutput {
    Generation(Box<Generation>),
    /// One for each continuation, in their order.
    Scores(Vec<ContinuationScore>),
    Choice(Choice),
    /// One for each text, in their order; of length 1 each.
    Embeddings(Vec<Vec<f32>>),
    Prefilled,
}

/// A kind of task, with what comes of it.
pub trait TaskKind: Into<Task> {
    type Output;

    /// The output, where it is one of this kind.
    fn output(output: TaskOutput) -> Option<Self::Output>;
}

macro_rules! task_kind {
    ($task:ident, $variant:ident, $output:ty, $pattern:pat => $value:expr) => {
        impl From<$task> for Task {
            fn from(task: $task) -> Self {
                Self::$variant(task)
            }
        }
        impl TaskKind for $task {
            type Output = $output;

            fn output(output: TaskOutput) -> Option<Self::Output> {
                match output {
                    $pattern => Some($value),
                    _ => None,
                }
            }
        }
    };
}

task_kind!(GenerateTask, Generate, Generation, TaskOutput::Generation(it) => *it);
task_kind!(ScoreTask, Score, Vec<ContinuationScore>, TaskOutput::Scores(it) => it);
task_kind!(ChooseTask, Choose, Choice, TaskOutput::Choice(it) => it);
task_kind!(EmbedTask, Embed, Vec<Vec<f32>>, TaskOutput::Embeddings(it) => it);
task_kind!(PrefillTask, Prefill, (), TaskOutput::Prefilled => ());

/// Which queue a task waits in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lane {
    /// A person waits for it. Of one document the newest counts: an older one is superseded. An
    /// older one of another document is pre-empted and goes on after it.
    Interactive {
        document: Arc<str>,
        /// Of two tasks the one with the higher number is the newer. They may be handed in out of
        /// order.
        arrival: u64,
    },
    /// It has time: it is pre-empted by any interactive task and goes on after it. First come,
    /// first served.
    Background,
}

impl Lane {
    /// Of an interactive task.
    pub fn document_and_arrival(&self) -> Option<(&Arc<str>, u64)> {
        match self {
            Self::Interactive { document, arrival } => Some((document, *arrival)),
            Self::Background => None,
        }
    }
}

/// Looks at the text generated so far and says where it must end.
pub trait StopRule: fmt::Debug + Send + Sync {
    /// The end in bytes, or `None` to go on.
    fn end_of(&self, text: &str) -> Option<usize>;
}

/// Only the end token, the token budget or the time ends the generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeverStop;

impl StopRule for NeverStop {
    fn end_of(&self, _: &str) -> Option<usize> {
        None
    }
}

/// Ends before the first line break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopAtLineEnd;

impl StopRule for StopAtLineEnd {
    fn end_of(&self, text: &str) -> Option<usize> {
        text.find('\n')
    }
}

/// Text to generate, greedily.
pub struct GenerateTask {
    pub prompt: Vec<Token>,
    pub short_prompt: ShortPrompt,
    /// The generation must begin with these bytes, which are not part of the answer: what stands
    /// before the caret of a token that the prompt leaves out (token healing,
    /// guidance-ai/guidance).
    pub required_prefix: Vec<u8>,
    pub stop: Arc<dyn StopRule>,
    pub max_tokens: usize,
    /// The most speculative tokens that are evaluated together with the one before them; where the
    /// model then predicts the same, one evaluation gave all of them. 0: none.
    pub max_speculative_tokens: usize,
    /// How many other texts are wanted.
    pub n_alternatives: usize,
    /// Stop before the text's probability of being right falls below this; 0 never stops.
    pub min_confidence: f32,
    /// Where retrieval without the model is so sure of all the text, the model is not asked.
    pub min_lookup_confidence: Option<f32>,
    /// Generate to the end of the line or the block, however unsure that is, and give in
    /// [`Generation::sure`] what would be generated without this.
    pub to_the_end: bool,
    /// How long to generate; evaluating the prompt does not count, it is never wasted.
    pub max_generate: Duration,
    /// Clear the KV cache first. The baseline of every cache measurement.
    pub cold: bool,
    /// What is mixed into the model's distribution; `None`: the model alone.
    pub mixer: Option<Box<dyn NextTokenMixer>>,
    /// What the text has to be: no other token is chosen, and the end token only where the text is
    /// whole. In the second half of `max_tokens` what closes it goes before all else; a text that
    /// is not whole by then ends with [`Finish::Budget`].
    pub grammar: Option<Arc<Grammar>>,
}

impl GenerateTask {
    /// Up to `max_tokens` after a prompt, by the model alone.
    pub fn after(prompt: Vec<Token>, max_tokens: usize) -> Self {
        Self {
            prompt,
            short_prompt: ShortPrompt::Never,
            required_prefix: Vec::new(),
            stop: Arc::new(NeverStop),
            max_tokens,
            max_speculative_tokens: 0,
            n_alternatives: 0,
            min_confidence: 0.0,
            min_lookup_confidence: None,
            to_the_end: false,
            max_generate: Duration::MAX,
            cold: false,
            mixer: None,
            grammar: None,
        }
    }
}

/// What to do where more of a prompt is to be evaluated than a person who types would wait for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ShortPrompt {
    /// Evaluate the whole prompt.
    #[default]
    Never,
    /// Answer [`TaskError::PromptTooLong`], so that the task comes again with a short prompt. One
    /// is rarely needed, so it is not made each time.
    OnDemand,
    /// Use this one, unless not much less of it is to be evaluated.
    Ready(Vec<Token>),
}

/// Texts whose probability is wanted, by teacher forcing.
pub struct ScoreTask {
    pub prompt: Vec<Token>,
    /// The tokens of each text that could follow the prompt; none is empty.
    pub continuations: Vec<Vec<Token>>,
    /// As [`GenerateTask::required_prefix`]; the continuations spell it.
    pub required_prefix: Vec<u8>,
    /// How many tokens of a continuation are evaluated together, at most. 1: figures are the same
    /// whatever the batch is.
    pub max_batch_tokens: usize,
    pub mixer: Option<Box<dyn NextTokenMixer>>,
}

impl ScoreTask {
    /// Scores by the model alone.
    pub fn after(prompt: Vec<Token>, continuations: Vec<Vec<Token>>) -> Self {
        let max_batch_tokens = 64;
        Self { prompt, continuations, required_prefix: Vec::new(), max_batch_tokens, mixer: None }
    }
}

/// The probabilities of one continuation's tokens.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ContinuationScore {
    pub tokens: Vec<TokenScore>,
}

/// One token of a continuation, after those before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenScore {
    /// 0 to 1.
    pub probability: f32,
    /// No token is likelier.
    pub is_likeliest: bool,
}

impl ContinuationScore {
    /// The natural logarithm of the probability of the whole.
    pub fn log_probability(&self) -> f32 {
        self.tokens.iter().map(|it| it.probability.max(f32::MIN_POSITIVE).ln()).sum()
    }

    /// Whether greedy decoding would have generated it.
    pub fn is_greedy(&self) -> bool {
        self.tokens.iter().all(|it| it.is_likeliest)
    }
}

/// Texts whose vectors are wanted.
pub struct EmbedTask {
    /// The tokens of each text; none is empty.
    pub texts: Vec<Vec<Token>>,
}

/// A prompt to evaluate ahead of the task that needs it.
pub struct PrefillTask {
    pub prompt: Vec<Token>,
}

/// Why a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The model predicted its end token.
    EndToken,
    /// The stop rule.
    StopRule,
    /// The token or time budget, or the end of the context.
    Budget,
    /// With one more token the text would have been less likely right than was asked for. `next` is
    /// the character that it would have gone on with, or where that takes several tokens one of its
    /// kind.
    Unsure { next: Option<char> },
}

impl Finish {
    /// Whether the text is all that was to come, as far as the model can tell.
    pub fn is_end(self) -> bool {
        matches!(self, Self::EndToken | Self::StopRule)
    }
}

/// Where a token of a generated text ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenEnd {
    /// In bytes of the text.
    pub end: usize,
    /// The probability, 0 to 1, that the text is right up to there.
    pub confidence: f32,
}

/// A text that was generated.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneratedText {
    /// After the required prefix, whole characters only.
    pub text: String,
    pub finish: Finish,
    /// The probability, 0 to 1, that the text is right in all its parts, as the model sees it: the
    /// product of its tokens' probabilities.
    pub confidence: f32,
    /// Of each of its tokens, in order.
    pub token_ends: Vec<TokenEnd>,
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

/// A finished generation.
#[derive(Debug, Clone)]
pub struct Generation {
    pub best: GeneratedText,
    /// The probability of the end token, where that ended the best text.
    pub end_probability: Option<f32>,
    /// What a task without [`GenerateTask::to_the_end`] would have been answered, where that is
    /// something else.
    pub sure: Option<GeneratedText>,
    /// Texts that begin with another token, likelier ones first.
    pub alternatives: Vec<GeneratedText>,
    pub usage: Usage,
    pub source: Source,
    pub times: Times,
}

/// Tokens of one task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Prompt tokens that the KV cache had already.
    pub cached_tokens: usize,
    /// Prompt tokens that had to be evaluated.
    pub evaluated_tokens: usize,
    /// Tokens sampled, the end token included.
    pub generated_tokens: usize,
    /// Of these, the accepted speculative ones, for which no evaluation of their own was needed.
    pub speculative_tokens: usize,
    /// How often the logits that a token is chosen by were known from an earlier key.
    pub reused_logits: usize,
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.cached_tokens += other.cached_tokens;
        self.evaluated_tokens += other.evaluated_tokens;
        self.generated_tokens += other.generated_tokens;
        self.speculative_tokens += other.speculative_tokens;
        self.reused_logits += other.reused_logits;
    }
}

/// How long each stage of one task took.
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

/// Why a task has no output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskError {
    /// No receiver waits any more.
    Cancelled,
    /// A newer task took its place.
    Superseded,
    /// More urgent work has come. The scheduler keeps the task, so no receiver sees this.
    Preempted,
    /// With [`ShortPrompt::OnDemand`]: come again with a prompt that can be evaluated at this rate.
    PromptTooLong { tokens_per_second: u64 },
    /// The model could not be loaded, failed, or can't do it; a sentence for the user.
    Failed(String),
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("the request was cancelled"),
            Self::Superseded => f.write_str("a newer request took its place"),
            Self::Preempted => f.write_str("a more urgent request took its place for now"),
            Self::PromptTooLong { .. } => f.write_str("the prompt takes too long to evaluate"),
            Self::Failed(sentence) => f.write_str(sentence),
        }
    }
}

impl std::error::Error for TaskError {}
