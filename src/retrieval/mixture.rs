//! The mixture of experts that one completion is generated with: the model's distribution of the
//! next token, those of attention over the user's texts, and those of the n-gram table,
//! interpolated with weights from a gate.
//!
//! The gate is a small network that reads how good each component's evidence is. It was fitted by
//! model/pipeline/fit_mixture.py on held-out packages, on positions that `keyside eval --positions`
//! wrote, so that what it reads there is what it reads here. It knows no tokens and no language,
//! only match quality and each component's confidence, so it serves any model.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::Deserialize;

use crate::lm::{ModelConfidence, NextTokenContext, NextTokenMixer, NextTokenMixture, Token};
use crate::retrieval::attention::{Attention, Component, Mlp, add};
use crate::retrieval::contexts::{ContextQuery, RetrievedContext};
use crate::retrieval::datastore::{DocumentTokens, RelatedTexts};
use crate::retrieval::features::{
    AttentionFeatures, ModelFeatures, N_COMPONENTS, N_GATE_FEATURES, N_NGRAMS, NgramFeatures,
};
use crate::retrieval::ngram_table::NgramTable;
use crate::text::language::NgramGroup;

/// The fitted weights for the default model, and for whatever others there are.
static EMBEDDED: &str = include_str!("../../model/keyside-mixture.json");
/// Those that were fitted to another model, by its name.
static EMBEDDED_OF: [(&str, &str); 1] =
    [("keyside-nano-v2", include_str!("../../model/keyside-mixture-v2.json"))];

// Every component has as many features, whatever its kind.
const _: () = assert!(AttentionFeatures::N == NgramFeatures::N);

/// Each component's distribution, where it has one.
pub type Components = [Option<Component>; N_COMPONENTS];

/// The three fitted networks that ship with the model.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixtureNetworks {
    /// Scores retrieved contexts.
    pub attention: Attention,
    /// Weights the model and the components.
    pub with_model: MixtureGate,
    /// Weights the components before the model is asked: the model's weight is the probability that
    /// the components should abstain.
    pub without_model: MixtureGate,
}

impl MixtureNetworks {
    /// Those in this program for the model of this name, or `None` where they don't fit the
    /// features, which a test rules out.
    pub fn embedded_for(model: &str) -> Option<Self> {
        let of_model = EMBEDDED_OF.iter().find(|(name, _)| *name == model);
        Self::parse(of_model.map_or(EMBEDDED, |(_, json)| json))
    }

    fn parse(json: &str) -> Option<Self> {
        let networks: Self = serde_json::from_str(json).ok()?;
        let have_right_sizes = networks.attention.has_right_size()
            && networks.with_model.has_right_size()
            && networks.without_model.has_right_size();
        have_right_sizes.then_some(networks)
    }
}

/// A gate: an MLP, then mixture weights by softmax over the model and the components that are
/// present.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct MixtureGate(Mlp);

impl MixtureGate {
    fn has_right_size(&self) -> bool {
        self.0.is_of(N_GATE_FEATURES, 1 + N_COMPONENTS)
    }

    /// The weights of the model and of each component; 0 for a component that is absent. They sum
    /// to 1.
    pub fn weights(
        &self,
        model: ModelConfidence,
        is_constrained: bool,
        components: &Components,
    ) -> [f32; 1 + N_COMPONENTS] {
        let features = gate_features(model, is_constrained, components);
        let mut weights = [0.0; 1 + N_COMPONENTS];
        let mut sum = 0.0;
        let scores: [f32; 1 + N_COMPONENTS] = self.0.scores(&features);
        let is_present = |at: usize| at == 0 || components[at - 1].is_some();
        let present = (0..=N_COMPONENTS).filter(|it| is_present(*it));
        let highest = present.map(|it| scores[it]).fold(f32::MIN, f32::max);
        for (at, weight) in weights.iter_mut().enumerate().filter(|(at, _)| is_present(*at)) {
            *weight = (scores[at] - highest).exp();
            sum += *weight;
        }
        weights.map(|it| it / sum)
    }
}

/// What a gate reads.
fn gate_features(
    model: ModelConfidence,
    is_constrained: bool,
    components: &Components,
) -> [f32; N_GATE_FEATURES] {
    let mut features = [0.0; N_GATE_FEATURES];
    let (of_model, of_components) = features.split_at_mut(ModelFeatures::N);
    of_model.copy_from_slice(
        &ModelFeatures {
            entropy: model.entropy,
            top_probability: model.top_probability,
            is_constrained: f32::from(u8::from(is_constrained)),
        }
        .scaled(),
    );
    let of_components = of_components.chunks_exact_mut(AttentionFeatures::N);
    for (component, features) in components.iter().zip(of_components) {
        if let Some(component) = component {
            features.copy_from_slice(&component.features);
        }
    }
    features
}

/// Retrieves what predicts the next token: contexts in the document and in related texts, and
/// n-grams.
pub struct Retriever {
    document: DocumentTokens,
    related: RelatedTexts,
    ngrams: Option<(NgramTable, NgramGroup)>,
    /// The last tokens before the generation: lines before the caret's, then the caret's.
    before: Vec<Token>,
    end: Token,
}

/// What was retrieved for one next token.
#[derive(Debug, Clone, Default)]
pub struct Retrieved {
    /// In the user's own texts.
    pub contexts: Vec<RetrievedContext>,
    /// In the n-gram table: the longest match and its back-off.
    pub ngrams: [Option<Component>; N_NGRAMS],
}

impl Retriever {
    /// `caret_line` are the tokens of the caret's line as far as the prompt holds them; `end`
    /// stands at the end of each line of all texts.
    pub fn new(
        document: DocumentTokens,
        related: RelatedTexts,
        ngrams: Option<(NgramTable, NgramGroup)>,
        caret_line: &[Token],
        end: Token,
    ) -> Self {
        let lines = &document.tokens[..document.n_before];
        let mut before = lines[lines.len().saturating_sub(ContextQuery::MAX_TOKENS)..].to_vec();
        before.extend(caret_line);
        Self { document, related, ngrams, before, end }
    }

    /// Looks up one next token.
    pub fn retrieve(&self, next: &NextTokenContext) -> Retrieved {
        let history = if next.at_line_start {
            [&[self.end], next.line].concat()
        } else {
            [&self.before, next.line].concat()
        };
        let query = ContextQuery::new(&history, self.end, next.constraint);
        let mut contexts = query.in_document(&self.document.tokens, self.document.n_before);
        contexts.extend(
            query.in_related_texts(&self.related.open_documents, &self.related.workspace_files),
        );
        let ngrams = match &self.ngrams {
            Some((table, group)) => table.longest_matches(*group, &history, next.constraint),
            None => [None, None],
        };
        Retrieved { contexts, ngrams: ngrams.map(|it| it.map(Component::from)) }
    }
}

impl Retrieved {
    /// The distributions that the mixture is made of.
    pub fn components(self, networks: &MixtureNetworks) -> Components {
        let heads = networks.attention.distributions(&self.contexts);
        let mut all = heads.into_iter().chain(self.ngrams);
        std::array::from_fn(|_| all.next().flatten())
    }
}

/// A speculative token, which the model verifies, has at least this probability without the model.
const MIN_SPECULATIVE_PROBABILITY: f32 = 0.6;

/// The confidence of a model that was not asked.
pub const NOT_ASKED: ModelConfidence = ModelConfidence { entropy: 0.0, top_probability: 0.0 };

/// Lookups that are kept: where the components alone are unsure, and after accepted speculative
/// tokens, the model's turn begins at the same position.
const MAX_KEPT_LOOKUPS: usize = 8;

/// Mixes the model with what a [`Retriever`] finds.
pub struct RetrievalMixture {
    retriever: Arc<Retriever>,
    networks: Arc<MixtureNetworks>,
    /// Only the rest of a line is generated. Where lines follow, a retrieved line's end is left to
    /// the model: its vocabulary merges line breaks into what stands before them, in more ways than
    /// retrieval knows.
    one_line: bool,
    /// The latest last.
    lookups: VecDeque<Lookup>,
}

/// What was found after a line's tokens. The rest of a prefix constraint follows from these.
struct Lookup {
    line: Vec<Token>,
    at_line_start: bool,
    components: Components,
}

impl RetrievalMixture {
    pub fn new(retriever: Arc<Retriever>, networks: Arc<MixtureNetworks>, one_line: bool) -> Self {
        Self { retriever, networks, one_line, lookups: VecDeque::new() }
    }

    fn components(&mut self, next: &NextTokenContext) -> &Components {
        let is_same = |it: &Lookup| it.line == next.line && it.at_line_start == next.at_line_start;
        let at = self.lookups.iter().position(is_same).unwrap_or_else(|| {
            let components = self.retriever.retrieve(next).components(&self.networks);
            if self.lookups.len() == MAX_KEPT_LOOKUPS {
                self.lookups.pop_front();
            }
            let (line, at_line_start) = (next.line.to_vec(), next.at_line_start);
            self.lookups.push_back(Lookup { line, at_line_start, components });
            self.lookups.len() - 1
        });
        &self.lookups[at].components
    }

    /// The likeliest token of the components alone, and its probability.
    fn likeliest_without_model(&mut self, next: &NextTokenContext) -> Option<(Token, f32)> {
        let networks = Arc::clone(&self.networks);
        let components = self.components(next);
        let is_constrained = next.constraint.is_some();
        let weights = networks.without_model.weights(NOT_ASKED, is_constrained, components);
        interpolated(components, &weights).into_iter().max_by(|a, b| a.1.total_cmp(&b.1))
    }
}

/// Each token of the components with its part of the mixture.
fn interpolated(components: &Components, weights: &[f32; 1 + N_COMPONENTS]) -> Vec<(Token, f32)> {
    let mut tokens: Vec<(Token, f32)> = Vec::new();
    for (component, weight) in components.iter().zip(&weights[1..]) {
        for (token, probability) in component.iter().flat_map(|it| &it.next) {
            add(*token, weight * probability, &mut tokens);
        }
    }
    tokens
}

impl NextTokenMixer for RetrievalMixture {
    fn mix(&mut self, next: &NextTokenContext, model: ModelConfidence) -> NextTokenMixture {
        let networks = Arc::clone(&self.networks);
        let components = self.components(next);
        let weights = networks.with_model.weights(model, next.constraint.is_some(), components);
        let mut model_weight = weights[0];
        let mut retrieved = interpolated(components, &weights);
        if !self.one_line {
            let end = retrieved.extract_if(.., |it| it.0 == self.retriever.end);
            model_weight += end.map(|it| it.1).sum::<f32>();
        }
        NextTokenMixture { model_weight, retrieved }
    }

    fn predict_without_model(&mut self, next: &NextTokenContext) -> Option<(Token, f32)> {
        if self.one_line { self.likeliest_without_model(next) } else { None }
    }

    fn speculate(&mut self, next: &NextTokenContext, n: usize) -> Vec<Token> {
        let mut line = next.line.to_vec();
        let n_known = line.len();
        while line.len() < n_known + n {
            let next = NextTokenContext { line: &line, constraint: None, ..*next };
            match self.likeliest_without_model(&next) {
                Some((token, p))
                    if p >= MIN_SPECULATIVE_PROBABILITY && token != self.retriever.end =>
                {
                    line.push(token);
                }
                _ => break,
            }
        }
        line.split_off(n_known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIDENCE: ModelConfidence = ModelConfidence { entropy: 2.0, top_probability: 0.4 };

    #[test]
    fn the_embedded_gate_has_the_right_size_and_weights_sum_to_one() {
        for (model, _) in EMBEDDED_OF {
            assert!(MixtureNetworks::embedded_for(model).is_some(), "{model}");
        }
        let gate = MixtureNetworks::embedded_for("").expect("they parse").with_model;
        let next = vec![(1, 0.75), (2, 0.25)];
        let component = Component { next, features: [1.0, 0.75, 0.2, 0.5, 0.4] };
        let none: Components = std::array::from_fn(|_| None);
        assert_eq!(gate.weights(CONFIDENCE, false, &none)[0], 1.0);
        let mut some = none;
        some[0] = Some(component);
        let weights = gate.weights(CONFIDENCE, false, &some);
        assert!(weights[1] > 0.0 && weights[2..].iter().all(|it| *it == 0.0));
        assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }

    #[test]
    fn networks_of_other_sizes_are_not_taken() {
        let small = r#"{"hidden": [[1.0]], "output": [[1.0]]}"#;
        let all =
            format!(r#"{{"attention": {small}, "with_model": {small}, "without_model": {small}}}"#);
        assert!(serde_json::from_str::<MixtureNetworks>(&all).is_ok());
        assert!(MixtureNetworks::parse(&all).is_none());
        assert!(MixtureNetworks::parse("{}").is_none());
    }
}
