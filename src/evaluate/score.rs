//! Scores a model at a caret: how probable the right text was, and what would have been suggested.

use std::sync::Arc;

use ropey::Rope;

use crate::assist::session::Assembling;
use crate::lm::backend::{EvaluateError, Model, TokenKind};
use crate::lm::decode::distribution::NextToken;
use crate::lm::decode::line::LineSoFar;
use crate::lm::kv_cache::Resident;
use crate::lm::task::Token;
use crate::prompt::assemble::PromptSize;
use crate::prompt::excerpt::Excerpt;
use crate::prompt::healing;
use crate::prompt::lexis::Lexis;
use crate::retrieval::datastore::RelatedTexts;
use crate::retrieval::mixture::{MixtureNetworks, RetrievalMixture, Retriever};
use crate::retrieval::suffix_array::IndexView;
use crate::stdx::cancel::Ticket;

/// A suggestion longer than this has gone wrong.
const MAX_TOKENS: usize = 64;
/// What the right token's probability counts as at least, so that one surprise is not infinitely bad.
const MIN_PROBABILITY: f32 = 1e-6;
/// Tokens evaluated in one call.
const STRETCH: usize = 128;

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
    /// The distribution of the model alone, and that of the mixture.
    pub model: &'a NextToken<'a>,
    pub mixture: &'a NextToken<'a>,
    pub retriever: &'a Retriever,
    pub networks: &'a MixtureNetworks,
    pub line: &'a [Token],
    pub target: Token,
}

/// A model that is asked directly, without the engine's thread and mailbox.
pub struct Scorer {
    model: Box<dyn Model>,
    resident: Resident,
    assembling: Assembling,
    networks: Arc<MixtureNetworks>,
    retrieval: bool,
}

impl Scorer {
    /// Without `retrieval` the model is asked alone.
    pub fn new(model: Box<dyn Model>, networks: Arc<MixtureNetworks>, retrieval: bool) -> Self {
        let assembling = Assembling::new(model.info());
        Self { model, resident: Resident::default(), assembling, networks, retrieval }
    }

    /// Goes without the n-gram table.
    pub fn drop_ngrams(&mut self) {
        self.assembling.ngrams = None;
    }

    pub fn has_ngrams(&self) -> bool {
        self.assembling.ngrams.is_some()
    }

    pub fn model(&self) -> &dyn Model {
        self.model.as_ref()
    }

    /// Scores one caret; `on_position` sees each position of the right text.
    ///
    /// # Errors
    /// The model's sentence.
    pub fn line(
        &mut self,
        case: &LineCase,
        on_position: &mut dyn FnMut(Position),
    ) -> Result<LineScore, String> {
        let rope = Rope::from_str(&format!("{}{}", case.before, case.after));
        let caret = case.before.chars().count();
        let mut excerpt = Excerpt::around(&rope, caret);
        excerpt.lexis = Lexis::of("", case.path);
        let (kept, forced) = healing::split(&excerpt.line_before);
        let info = Arc::clone(self.model.info());
        let tokenize = |text: &str| {
            let mut tokens = Vec::new();
            info.tokenizer.tokenize(text, &mut tokens);
            tokens
        };
        let assembler = &mut self.assembling.assembler;
        let prompt = assembler.assemble(&case.uri, case.path, &excerpt, kept, PromptSize::Full);
        let related =
            RelatedTexts { open_documents: Arc::default(), workspace_files: case.files.clone() };
        let file = (&case.uri, "", case.path);
        let retriever = self.assembling.retriever(file, (&rope, caret), kept, related);
        let networks = Arc::clone(&self.networks);
        let mut mixture = RetrievalMixture::new(retriever, networks, true);
        let retrieval = self.retrieval;

        let mut right = tokenize(&format!("{forced}{}", case.rest));
        right.push(info.end);
        self.resident.keep_prefix_of(self.model.as_mut(), &prompt);
        let known = self.resident.tokens().len();
        self.evaluate(&prompt[known..])?;
        let mut score = LineScore {
            suggested: case.rest.to_owned(),
            exact: true,
            confidence: 1.0,
            bits: 0.0,
            ends: false,
        };
        let mut left = forced.as_bytes();
        let mut line = LineSoFar::default();
        for (index, target) in right.iter().enumerate() {
            let vocabulary = self.model.vocabulary();
            let logits = self.model.logits();
            let mixer = retrieval.then_some(&mut mixture as _);
            let next = NextToken::new(vocabulary, logits, left, &line, mixer);
            on_position(Position {
                model: &NextToken::new(vocabulary, logits, left, &line, None),
                mixture: &next,
                retriever: &mixture.retriever,
                networks: &self.networks,
                line: line.tokens(),
                target: *target,
            });
            let probability = next.probability(*target).max(MIN_PROBABILITY);
            score.bits -= f64::from(probability.log2());
            score.confidence *= probability;
            let hit = next.likeliest() == Some(*target);
            score.exact &= hit;
            if index + 1 == right.len() {
                score.ends = hit;
            } else {
                let piece = vocabulary.bytes_of(*target);
                left = &left[piece.len().min(left.len())..];
                line.push(next.choose(*target), piece);
                self.evaluate(&[*target])?;
            }
        }
        if !score.exact {
            (score.suggested, score.confidence) = self.suggest(&prompt, forced, &mut mixture)?;
            // Other tokens can spell the same text.
            score.exact = score.suggested == case.rest;
        }
        Ok(score)
    }

    /// What is generated greedily up to the line's end, without what is forced, and its probability.
    fn suggest(
        &mut self,
        prompt: &[Token],
        forced: &str,
        mixture: &mut RetrievalMixture,
    ) -> Result<(String, f32), String> {
        let known = self.resident.keep_prefix_of(self.model.as_mut(), prompt);
        self.evaluate(&prompt[known..])?;
        let mut left = forced.as_bytes();
        let mut line = LineSoFar::default();
        let mut bytes: Vec<u8> = Vec::new();
        let mut confidence = 1.0;
        for _ in 0..MAX_TOKENS {
            let vocabulary = self.model.vocabulary();
            let mixer = self.retrieval.then_some(&mut *mixture as _);
            let next = NextToken::new(vocabulary, self.model.logits(), left, &line, mixer);
            let Some(best) = next.likeliest() else { break };
            confidence *= next.probability(best);
            if vocabulary.kind(best) == TokenKind::End {
                break;
            }
            let piece = vocabulary.bytes_of(best);
            let n_forced = piece.len().min(left.len());
            left = &left[n_forced..];
            bytes.extend(&piece[n_forced..]);
            if let Some(end) = bytes.iter().position(|it| *it == b'\n') {
                bytes.truncate(end);
                break;
            }
            line.push(next.choose(best), piece);
            self.evaluate(&[best])?;
        }
        Ok((String::from_utf8_lossy(&bytes).trim_end().to_owned(), confidence))
    }

    fn evaluate(&mut self, tokens: &[Token]) -> Result<(), String> {
        let flag = Ticket::default();
        for stretch in tokens.chunks(STRETCH) {
            let position = self.resident.tokens().len();
            match self.model.evaluate(self.resident.sequence(), stretch, position, &flag.flag()) {
                Ok(()) => self.resident.extend(stretch),
                Err(EvaluateError::Failed(sentence)) => return Err(sentence),
                Err(EvaluateError::Stopped { .. }) => {
                    return Err("the evaluation stopped".to_owned());
                }
            }
        }
        Ok(())
    }
}
