//! What the rest of the program knows of a model that is loaded.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::lm::chat::ChatTemplate;
use crate::lm::fim::{FimTemplate, PromptTemplate};
use crate::lm::vocabulary::Token;

/// Text to tokens. Shared between threads; a pure function of the text.
pub trait Tokenizer: Send + Sync {
    /// Appends the tokens of `text`. Markers spelled in the text are text: they never become
    /// markers.
    fn tokenize(&self, text: &str, into: &mut Vec<Token>);

    /// Where a text may be cut and each part tokenised alone, with the same tokens as the whole.
    fn splits(&self) -> TextSplits;
}

/// Where the tokens of a text do not depend on each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextSplits {
    /// Before a line that is not blank: vocabularies whose line breaks are tokens of their own
    /// (Qwen, Llama 3, keyside's own).
    BeforeLines,
    /// Behind the last character of a line that is not blank: vocabularies whose line breaks are in
    /// one token with the indentation behind them (GPT-2, StarCoder, SmolLM).
    AfterLines,
    /// Nowhere that is known: SentencePiece.
    Nowhere,
}

/// Which tasks a model can be given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Fill in the middle: how a prompt with text before and after the caret is written. `None` for
    /// models without markers for it, which see the text before the caret alone.
    pub fim: Option<FimTemplate>,
    /// How conversations are written. `None` for models that have learned none.
    pub chat: Option<ChatTemplate>,
    /// It gives logits, so it generates, and continuations can be scored.
    pub score: bool,
    /// It gives vectors of texts.
    pub embed: bool,
}

/// A file's name for people; of a blob, which is called by its hash, the name inside.
pub fn name_of_file(path: &Path, name_inside: impl FnOnce() -> Option<String>) -> String {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let is_hash = name.len() >= 64 && name.trim_start_matches("sha256-").len() == 64;
    let inside = is_hash.then(name_inside).flatten();
    inside.filter(|it| !it.is_empty()).unwrap_or(name)
}

/// What of a model runs on a graphics processor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GpuUse {
    pub n_layers: u32,
    /// The processor's name; `None` where there is none that this program can use.
    pub device: Option<String>,
}

/// Which graphics processors this program was built for, by the names of its features.
pub fn built_for_gpus() -> Vec<&'static str> {
    let all = [
        ("cuda", cfg!(feature = "cuda")),
        // llama.cpp has it there without being asked.
        ("metal", cfg!(any(feature = "metal", all(target_os = "macos", target_arch = "aarch64")))),
        ("vulkan", cfg!(feature = "vulkan")),
    ];
    all.into_iter().filter(|(_, is_on)| *is_on).map(|(name, _)| name).collect()
}

/// Of a model without markers.
pub const FROM_TEXT_BEFORE: &str = "completes from the text before the caret alone";

/// What is known of a model that is loaded.
pub struct ModelInfo {
    /// The model's own name, or its file's.
    pub name: String,
    /// Why the model that the settings name is not this one: a sentence for the user, with what to
    /// do.
    pub instead_of: Option<String>,
    /// The adapter by which its weights are changed, for people: `style (scale 1)`.
    pub adapter: Option<String>,
    pub n_params: u64,
    pub n_vocab: usize,
    /// Of the bytes of all text tokens: models with the same one have the same tokens.
    pub vocabulary_hash: u64,
    /// How many tokens one sequence of the context holds, prompt and generation together.
    pub n_context_tokens: usize,
    /// Prompts of that length that stay.
    pub n_sequences: usize,
    /// What it takes with its KV cache, as far as its file says: about, and rather more.
    pub memory_bytes: Option<u64>,
    pub n_threads: usize,
    pub gpu: GpuUse,
    pub capabilities: Capabilities,
    pub tokenizer: Arc<dyn Tokenizer>,
    /// The token that the model ends a generation with.
    pub end: Token,
    /// The token that the model wants first, if it wants one.
    pub begin_of_text: Option<Token>,
    /// From the start of loading until the first decode could run.
    pub load_time: Duration,
}

impl ModelInfo {
    /// How the model is asked at a caret; `None` where it gives no text.
    pub fn prompt_template(&self) -> Option<PromptTemplate> {
        let Capabilities { fim, score, .. } = &self.capabilities;
        let begin_of_text = self.begin_of_text;
        let text_before = score.then_some(PromptTemplate::TextBefore { begin_of_text });
        fim.clone().map(PromptTemplate::FillInTheMiddle).or(text_before)
    }

    /// What a person should know of how it completes, as the end of a sentence about it; `None`
    /// where there is nothing to know.
    pub fn completes_how(&self) -> Option<&'static str> {
        let is_text_before =
            matches!(self.prompt_template(), Some(PromptTemplate::TextBefore { .. }));
        is_text_before.then_some(FROM_TEXT_BEFORE)
    }

    /// The tokens of a text.
    pub fn tokens_of(&self, text: &str) -> Vec<Token> {
        let mut tokens = Vec::new();
        self.tokenizer.tokenize(text, &mut tokens);
        tokens
    }
}

impl fmt::Debug for ModelInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelInfo").field("name", &self.name).finish_non_exhaustive()
    }
}
