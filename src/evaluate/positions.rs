//! Positions of right texts with what each component predicts there, as JSON lines: what the
//! mixture's networks are fitted on (model/pipeline/fit_mixture.py).
//!
//! A line is one position:
//! * `case`, `package`, `kind` of caret, `fit` (for fitting, or for measuring);
//! * `model` and `ngrams`: the features of the model and of the two n-gram matches, scaled
//!   (`retrieval::features`);
//! * `candidates`: some dozens of candidates, of which `target` is the index of the right one;
//! * `distributions`: the probability of each candidate, by the model and by the two n-gram
//!   matches;
//! * `allowed`: the sums of these over all tokens that may come, which is less than 1 where only
//!   the most frequent are kept;
//! * `contexts`: the retrieved contexts in hexadecimal digits: for each, two bytes for the
//!   candidate that follows it (big-endian), then its quantized match features.
//!
//! What the product made of that, so that the Python side can be held to it: `attention`, the
//! features of each head's distribution; `weights` and `weights_without_model`, the mixture weights
//! by the two gates; and `probability`, that of the right token by the mixture.

use std::fmt::Write;

use serde::Serialize;

use crate::evaluate::cases::Part;
use crate::evaluate::score::Position;
use crate::lm::decode::DecodePosition;
use crate::lm::{NextTokenContext, Token};
use crate::retrieval::features::{
    AttentionFeatures, ModelFeatures, N_COMPONENTS, N_HEADS, N_NGRAMS, NgramFeatures,
};
use crate::retrieval::mixture::{NOT_ASKED, Retrieved};

/// Of each distribution, this many of the likeliest tokens are candidates.
const TOP_OF_MODEL: usize = 8;
const TOP_OF_NGRAMS: usize = 6;

/// One line of the file.
#[derive(Debug, Serialize)]
pub struct PositionRecord<'a> {
    case: usize,
    package: &'a str,
    fit: bool,
    kind: &'a str,
    model: [f32; ModelFeatures::N],
    ngrams: [[f32; NgramFeatures::N]; N_NGRAMS],
    allowed: Vec<f32>,
    target: usize,
    distributions: Vec<Vec<f32>>,
    contexts: String,
    attention: [[f32; AttentionFeatures::N]; N_HEADS],
    weights: [f32; 1 + N_COMPONENTS],
    weights_without_model: [f32; 1 + N_COMPONENTS],
    probability: f32,
}

impl<'a> PositionRecord<'a> {
    /// `None` where the right token is not one that may come.
    pub fn new(case: usize, package: &'a str, kind: &'a str, position: &Position) -> Option<Self> {
        let Position { decode, retriever, networks } = position;
        let DecodePosition { model: next, mixture, line, chosen: target } = decode;
        let context =
            NextTokenContext { line, at_line_start: false, constraint: next.constraint() };
        let retrieved = retriever.retrieve(&context);
        let components = retrieved.clone().components(networks);
        let Retrieved { contexts, ngrams } = retrieved;
        let mut tokens: Vec<Token> = vec![*target];
        tokens.extend(next.top_by_model(TOP_OF_MODEL));
        tokens.extend(contexts.iter().map(|it| it.next));
        for found in ngrams.iter().flatten() {
            tokens.extend(found.next.iter().take(TOP_OF_NGRAMS).map(|it| it.0));
        }
        tokens.retain(|it| next.is_allowed(*it));
        tokens.sort_unstable();
        tokens.dedup();
        let target = tokens.binary_search(target).ok()?;
        let mut distributions =
            vec![tokens.iter().map(|it| next.by_model(*it)).collect::<Vec<f32>>()];
        let mut allowed = vec![1.0];
        for found in &ngrams {
            let next_tokens = || found.iter().flat_map(|it| &it.next);
            let share =
                |token: Token| next_tokens().find(|it| it.0 == token).map_or(0.0, |it| it.1);
            distributions.push(tokens.iter().map(|it| share(*it)).collect());
            allowed.push(next_tokens().filter(|it| next.is_allowed(it.0)).map(|it| it.1).sum());
        }
        let mut hexadecimal = String::new();
        for context in &contexts {
            // Contexts of tokens that may not come have no part in the distribution.
            let Ok(which) = tokens.binary_search(&context.next) else { continue };
            let _ = write!(hexadecimal, "{which:04x}");
            for number in context.features {
                let _ = write!(hexadecimal, "{number:02x}");
            }
        }
        let confidence = next.confidence();
        let is_constrained = next.constraint().is_some();
        let model = ModelFeatures {
            entropy: confidence.entropy,
            top_probability: confidence.top_probability,
            is_constrained: f32::from(u8::from(is_constrained)),
        };
        Some(Self {
            case,
            package,
            fit: Part::of(package) == Part::Fit,
            kind,
            model: model.scaled(),
            ngrams: ngrams.map(|it| it.map_or([0.0; NgramFeatures::N], |it| it.features)),
            allowed,
            target,
            distributions,
            contexts: hexadecimal,
            attention: std::array::from_fn(|head| {
                components[head].as_ref().map_or([0.0; AttentionFeatures::N], |it| it.features)
            }),
            weights: networks.with_model.weights(confidence, is_constrained, &components),
            weights_without_model: networks.without_model.weights(
                NOT_ASKED,
                is_constrained,
                &components,
            ),
            probability: mixture.probability(decode.chosen),
        })
    }
}
