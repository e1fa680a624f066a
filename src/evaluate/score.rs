//! Scores a model at a caret: how probable the right text was, and what would have been suggested.

use std::sync::Arc;

use ropey::Rope;

use crate::completion::model_context::ModelContext;
use crate::lm::backend::Backend;
use crate::lm::decode::DecodePosition;
use crate::lm::fim::PromptTemplate;
use crate::lm::runtime::Runtime;
use crate::lm::task::{StopAtLineEnd, TokenScore};
use crate::lm::{GenerateTask, ModelInfo, ScoreTask, TaskError};
use crate::prompt::assemble::PromptSize;
use crate::prompt::excerpt::Excerpt;
use crate::prompt::healing;
use crate::prompt::lexis::Lexis;
use crate::retrieval::datastore::RelatedTexts;
use crate::retrieval::mixture::{MixtureNetworks, RetrievalMixture, Retriever};
use crate::retrieval::suffix_array::IndexView;
use crate::stdx::cancel::CancelFlag;

/// A suggestion longer than this has gone wrong.
const MAX_TOKENS: usize = 64;
/// What the right token's probability counts as at least, so that one surprise is not infinitely
/// bad.
const MIN_PROBABILITY: f32 = 1e-6;
/// Tokens of a prompt evaluated in one call.
const CHUNK_TOKENS: usize = 128;

/// A caret in a line whose rest is to be found.
pub struct LineCase<'a> {
    /// Identifies the file, so that its tokens are kept.
    pub uri: Arc<str>,
    pub path: &'a str,
    /// Up to the caret; then what should follow in the line; then the rest of the file.
    pub before: String,
    pub rest: &'a str,
    pub after: &'a str,
    /// Other files to retrieve from.
    pub files: IndexView,
}

/// What came of a [`LineCase`].
#[derive(Debug, Clone)]
pub struct LineScore {
    /// What would have been suggested, up to the line's end.
    pub suggested: String,
    pub exact: bool,
    /// The probability of the suggestion with its end, of the mixture.
    pub confidence: f32,
    /// Of the right rest and the end behind it.
    pub bits: f64,
    /// After the right rest the end was the likeliest.
    pub ends: bool,
}

/// One position of a right text, for fitting the mixture.
pub struct Position<'a> {
    pub decode: &'a DecodePosition<'a>,
    pub retriever: &'a Retriever,
    pub networks: &'a MixtureNetworks,
}

/// A model that runs tasks here, without the engine's thread and scheduler.
pub struct Scorer {
    runtime: Runtime,
    context: ModelContext,
    networks: Arc<MixtureNetworks>,
    retrieval: bool,
}

impl Scorer {
    /// Without `retrieval` the model is asked alone.
    ///
    /// # Errors
    /// Where the model can't complete code.
    pub fn new(
        backend: Box<dyn Backend>,
        networks: Arc<MixtureNetworks>,
        retrieval: bool,
    ) -> Result<Self, String> {
        let context = ModelContext::new(backend.info())?;
        let runtime = Runtime::new(backend, Arc::default()).with_fixed_chunks(CHUNK_TOKENS);
        Ok(Self { runtime, context, networks, retrieval })
    }

    /// Goes without the n-gram table.
    pub fn drop_ngrams(&mut self) {
        self.context.ngrams = None;
    }

    pub fn has_ngrams(&self) -> bool {
        self.context.ngrams.is_some()
    }

    pub fn info(&self) -> &Arc<ModelInfo> {
        self.runtime.info()
    }

    /// Scores one caret; `on_position` sees each position of the right text.
    ///
    /// # Errors
    /// The model's sentence.
    pub fn line(
        &mut self,
        case: &LineCase,
        on_position: Option<&mut dyn FnMut(Position)>,
    ) -> Result<LineScore, String> {
        let rope = Rope::from_str(&format!("{}{}", case.before, case.after));
        let caret = case.before.chars().count();
        let mut excerpt = Excerpt::around(&rope, caret);
        excerpt.lexis = Lexis::of("", case.path);
        let (kept, forced) = healing::split(&excerpt.line_before);
        let assembler = &mut self.context.assembler;
        let prompt = assembler.assemble(&case.uri, case.path, &excerpt, kept, PromptSize::Full);
        let related =
            RelatedTexts { open_documents: Arc::default(), workspace_files: case.files.clone() };
        let file = (&case.uri, "", case.path);
        let retriever = Arc::new(self.context.retriever(file, (&rope, caret), kept, related));
        let networks = Arc::clone(&self.networks);
        let mixer = || {
            let (retriever, networks) = (Arc::clone(&retriever), Arc::clone(&networks));
            self.retrieval.then(|| Box::new(RetrievalMixture::new(retriever, networks, true)) as _)
        };

        let info = self.runtime.info();
        let mut right = info.tokens_of(&format!("{forced}{}", case.rest));
        match info.prompt_template() {
            Some(PromptTemplate::TextBefore { .. }) => right.extend(info.tokens_of("\n")),
            _ => right.push(info.end),
        }
        let mut task = ScoreTask {
            required_prefix: forced.as_bytes().to_vec(),
            max_batch_tokens: 1,
            mixer: mixer(),
            ..ScoreTask::after(prompt.clone(), vec![right])
        };
        let suggestion = GenerateTask {
            required_prefix: forced.as_bytes().to_vec(),
            stop: Arc::new(StopAtLineEnd),
            mixer: mixer(),
            ..GenerateTask::after(prompt, MAX_TOKENS)
        };
        let mut scores = Vec::new();
        let never = CancelFlag::default();
        let failed = |error: TaskError| error.to_string();
        match on_position {
            None => self.runtime.score(&mut task, &mut scores, None, &never),
            Some(on_position) => {
                let mut on_position = |decode: &DecodePosition| {
                    let (retriever, networks) = (&*retriever, &*networks);
                    on_position(Position { decode, retriever, networks });
                };
                self.runtime.score(&mut task, &mut scores, Some(&mut on_position), &never)
            }
        }
        .map_err(failed)?;
        let tokens = scores.pop().unwrap_or_default().tokens;
        let probability = |it: &TokenScore| it.probability.max(MIN_PROBABILITY);
        let mut score = LineScore {
            suggested: case.rest.to_owned(),
            exact: tokens.iter().all(|it| it.is_likeliest),
            confidence: tokens.iter().map(probability).product(),
            bits: -tokens.iter().map(|it| f64::from(probability(it).log2())).sum::<f64>(),
            ends: tokens.last().is_some_and(|it| it.is_likeliest),
        };
        if !score.exact {
            (score.suggested, score.confidence) = self.suggest(suggestion)?;
            // Other tokens can spell the same text.
            score.exact = score.suggested == case.rest;
        }
        Ok(score)
    }

    /// What is generated up to the line's end, and its probability with the end's.
    fn suggest(&mut self, mut task: GenerateTask) -> Result<(String, f32), String> {
        let never = CancelFlag::default();
        let answer = self.runtime.generate(&mut task, &never).map_err(|it| it.to_string())?;
        let confidence = answer.best.confidence * answer.end_probability.unwrap_or(1.0);
        Ok((answer.best.text.trim_end().to_owned(), confidence))
    }
}
