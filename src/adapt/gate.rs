//! How much each opinion counts: a small network over how much evidence each source has.
//!
//! Fitted by model/pipeline/gate.py on held-out packages, on positions that `keyside eval --positions`
//! wrote, so that what it sees there is what it sees here. It knows no tokens and no language, only how
//! long the matches are and how sure everybody is, so it serves any model.

use serde::Deserialize;

use crate::adapt::matches::Match;
use crate::generation::ModelOpinion;

/// The longest and the shorter match of: the document, the workspace, the corpus.
pub const N_SOURCES: usize = 6;
/// What the gate is told: two numbers of the model, whether a half-typed word is completed, five numbers of
/// each source.
pub const N_FEATURES: usize = 3 + 5 * N_SOURCES;

/// The fitted weights that ship with the model.
static EMBEDDED: &str = include_str!("../../model/keyside-gate.json");

/// The gates that ship with the model.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gates {
    /// Weighs counts and the model.
    pub with_model: Gate,
    /// Weighs counts before the model is asked: what would be the model's share is that nobody knows.
    pub counts_alone: Gate,
}

impl Gates {
    /// Those in this program, or `None` where they are none, which a test rules out.
    pub fn embedded() -> Option<Self> {
        Self::parse(EMBEDDED)
    }

    fn parse(json: &str) -> Option<Self> {
        let gates: Self = serde_json::from_str(json).ok()?;
        (gates.with_model.is_whole() && gates.counts_alone.is_whole()).then_some(gates)
    }
}

/// One hidden layer of tanh, then shares by softmax over what there is: the model, then each source.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// For each hidden unit, a weight for each feature, and its bias at the end.
    hidden: Vec<Vec<f32>>,
    /// For the model and each source, a weight for each hidden unit, and its bias at the end.
    output: Vec<Vec<f32>>,
}

impl Gate {
    fn is_whole(&self) -> bool {
        let n_hidden = self.hidden.len();
        self.output.len() == 1 + N_SOURCES
            && self.hidden.iter().all(|it| it.len() == N_FEATURES + 1)
            && self.output.iter().all(|it| it.len() == n_hidden + 1)
    }

    /// The shares of the model and of each source; 0 for a source that has nothing. They add up to 1.
    pub fn shares(
        &self,
        model: ModelOpinion,
        half_typed: bool,
        sources: &[Option<Match>; N_SOURCES],
    ) -> [f32; 1 + N_SOURCES] {
        let features = features(model, half_typed, sources);
        let hidden: Vec<f32> =
            self.hidden.iter().map(|weights| affine(weights, &features).tanh()).collect();
        let mut shares = [0.0; 1 + N_SOURCES];
        let mut sum = 0.0;
        let scores: Vec<f32> = self.output.iter().map(|it| affine(it, &hidden)).collect();
        let there = |at: usize| at == 0 || sources[at - 1].is_some();
        let most =
            (0..=N_SOURCES).filter(|it| there(*it)).map(|it| scores[it]).fold(f32::MIN, f32::max);
        for (at, share) in shares.iter_mut().enumerate().filter(|(at, _)| there(*at)) {
            *share = (scores[at] - most).exp();
            sum += *share;
        }
        shares.map(|it| it / sum)
    }
}

/// What the gate is told.
pub fn features(
    model: ModelOpinion,
    half_typed: bool,
    sources: &[Option<Match>; N_SOURCES],
) -> [f32; N_FEATURES] {
    let mut out = [0.0; N_FEATURES];
    out[0] = model.entropy;
    out[1] = model.top;
    out[2] = f32::from(u8::from(half_typed));
    for (source, out) in sources.iter().zip(out[3..].chunks_exact_mut(5)) {
        if let Some(found) = source {
            let top = found.next.first().map_or(0, |(_, n)| *n);
            out[0] = 1.0;
            out[1] = found.order as f32 / 8.0;
            out[2] = (found.total as f32).ln_1p() / 5.0;
            out[3] = (found.next.len() as f32).ln_1p() / 3.0;
            out[4] = top as f32 / found.total.max(1) as f32;
        }
    }
    out
}

/// Weights times values, plus the bias at the weights' end.
fn affine(weights: &[f32], values: &[f32]) -> f32 {
    let bias = weights.last().copied().unwrap_or_default();
    weights.iter().zip(values).fold(bias, |sum, (weight, value)| sum + weight * value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPINION: ModelOpinion = ModelOpinion { entropy: 2.0, top: 0.4 };

    #[test]
    fn the_embedded_gate_is_one_and_shares_add_up() {
        let gate = Gates::embedded().expect("they parse").with_model;
        let found = Match { order: 5, next: vec![(1, 3), (2, 1)], total: 4 };
        let none: [Option<Match>; N_SOURCES] = std::array::from_fn(|_| None);
        assert_eq!(gate.shares(OPINION, false, &none)[0], 1.0);
        let mut some = none;
        some[0] = Some(found);
        let shares = gate.shares(OPINION, false, &some);
        assert!(shares[1] > 0.0 && shares[2..].iter().all(|it| *it == 0.0));
        assert!((shares.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }

    #[test]
    fn a_gate_of_other_sizes_is_none() {
        let small = r#"{"hidden": [[1.0]], "output": [[1.0]]}"#;
        let both = format!(r#"{{"with_model": {small}, "counts_alone": {small}}}"#);
        assert!(serde_json::from_str::<Gates>(&both).is_ok());
        assert!(Gates::parse(&both).is_none());
        assert!(Gates::parse("{}").is_none());
    }
}
