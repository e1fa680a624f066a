//! Attention over retrieved contexts: a score for each by its match features, softmax over
//! contexts, and the tokens that follow them become distributions of the next token.
//!
//! As in a neural cache (Grave et al. 2016, arXiv:1612.04426) and kNN-LM (Khandelwal et al. 2019,
//! arXiv:1911.00172), with features in place of a network's hidden states.

use serde::Deserialize;

use crate::lm::Token;
use crate::retrieval::contexts::RetrievedContext;
use crate::retrieval::features::{AttentionFeatures, MatchFeatures, N_HEADS};

/// What one component of the mixture predicts for the next token.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// Each token with its probability, likeliest first; together 1 at most.
    pub next: Vec<(Token, f32)>,
    /// What the gate reads of it.
    pub features: [f32; AttentionFeatures::N],
}

/// From a context's match features to a score for each head; fitted together with the gates by
/// model/pipeline/fit_mixture.py.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Attention(Mlp);

impl Attention {
    pub(super) fn has_right_size(&self) -> bool {
        self.0.is_of(MatchFeatures::N, N_HEADS)
    }

    /// Each head's distribution; `None` where there is no context.
    pub fn distributions(&self, contexts: &[RetrievedContext]) -> [Option<Component>; N_HEADS] {
        if contexts.is_empty() {
            return [const { None }; N_HEADS];
        }
        let scores: Vec<[f32; N_HEADS]> = contexts.iter().map(|it| self.scores(it)).collect();
        std::array::from_fn(|head| {
            let scored =
                contexts.iter().zip(&scores).map(|(context, scores)| (context.next, scores[head]));
            Some(distribution(scored))
        })
    }

    fn scores(&self, context: &RetrievedContext) -> [f32; N_HEADS] {
        self.0.scores(&MatchFeatures::dequantized(&context.features))
    }
}

/// Softmax over contexts, summed by the token that follows.
fn distribution(scored: impl Iterator<Item = (Token, f32)> + Clone) -> Component {
    let highest_score = scored.clone().map(|it| it.1).fold(f32::MIN, f32::max);
    let sum: f32 = scored.clone().map(|it| (it.1 - highest_score).exp()).sum();
    let mut next: Vec<(Token, f32)> = Vec::new();
    for (token, score) in scored {
        add(token, (score - highest_score).exp() / sum, &mut next);
    }
    next.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let features = AttentionFeatures {
        is_present: 1.0,
        top_probability: next.first().map_or(0.0, |it| it.1),
        entropy: next.iter().map(|it| -it.1 * it.1.max(f32::MIN_POSITIVE).ln()).sum(),
        log_sum_exp_score: sum.ln() + highest_score,
        highest_score,
    };
    Component { next, features: features.scaled() }
}

/// Adds a probability to that of a token.
pub(super) fn add(token: Token, probability: f32, to: &mut Vec<(Token, f32)>) {
    match to.iter_mut().find(|it| it.0 == token) {
        Some(there) => there.1 += probability,
        None => to.push((token, probability)),
    }
}

/// A two-layer MLP: one hidden layer of tanh, then a score for each output.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mlp {
    hidden: Layer,
    output: Layer,
}

/// For each output, a weight for each input, and its bias at the end.
type Layer = Vec<Vec<f32>>;

impl Mlp {
    /// Whether it has so many inputs and outputs.
    pub fn is_of(&self, n_inputs: usize, n_outputs: usize) -> bool {
        let takes = |layer: &Layer, n: usize| layer.iter().all(|it| it.len() == n + 1);
        self.output.len() == n_outputs
            && takes(&self.hidden, n_inputs)
            && takes(&self.output, self.hidden.len())
    }

    /// The first `N` scores; 0 for those that it has not.
    pub fn scores<const N: usize>(&self, inputs: &[f32]) -> [f32; N] {
        let hidden: Vec<f32> = self.hidden.iter().map(|it| affine(it, inputs).tanh()).collect();
        let mut scores = self.output.iter().map(|it| affine(it, &hidden));
        std::array::from_fn(|_| scores.next().unwrap_or_default())
    }
}

/// Weights times values, plus the bias at the weights' end.
fn affine(weights: &[f32], values: &[f32]) -> f32 {
    let bias = weights.last().copied().unwrap_or_default();
    weights.iter().zip(values).fold(bias, |sum, (weight, value)| sum + weight * value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_with_higher_scores_get_more_probability() {
        // The first feature is all that counts, with opposite signs in the two heads.
        let json = format!(
            r#"{{"hidden": [[1{}, 0]], "output": [[9, 0], [-9, 0]]}}"#,
            ", 0".repeat(MatchFeatures::N - 1)
        );
        let scorer: Attention = serde_json::from_str(&json).expect("it parses");
        assert!(scorer.has_right_size());
        let context = |next: Token, first: u8| {
            let mut features = [0; MatchFeatures::N];
            features[0] = first;
            RetrievedContext { next, features }
        };
        let contexts = [context(7, 0), context(8, 255), context(7, 0)];
        let [by, against] =
            scorer.distributions(&contexts).map(|it| it.expect("a distribution").next);
        assert_eq!((by[0].0, against[0].0), (8, 7));
        assert!(by[0].1 > 0.99 && against[0].1 > 0.99, "{by:?} {against:?}");
        for distribution in [by, against] {
            assert!((distribution.iter().map(|it| it.1).sum::<f32>() - 1.0).abs() < 1e-5);
        }
        assert!(scorer.distributions(&[]).iter().all(Option::is_none));
    }
}
