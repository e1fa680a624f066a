//! How much each opinion counts: a small network over how good the evidence of each source is.
//!
//! Fitted by model/pipeline/gate.py on held-out packages, on positions that `keyside eval --positions`
//! wrote, so that what it sees there is what it sees here. It knows no tokens and no language, only how
//! good the matches are and how sure everybody is, so it serves any model.

use serde::Deserialize;

use crate::adapt::network::Network;
use crate::adapt::weighing::{N_WAYS, Weighing};
use crate::generation::{ModelOpinion, Token};

/// Places of the user's own texts, each way of weighing them; then the longest and the shorter match of the corpus.
pub const N_SOURCES: usize = N_WAYS + 2;
/// What the gate is told: two numbers of the model, whether a half-typed word is completed, five numbers of
/// each source.
pub const N_FEATURES: usize = 3 + 5 * N_SOURCES;

/// The fitted weights that ship with the model.
static EMBEDDED: &str = include_str!("../../model/keyside-gate.json");

/// What a source says of the next token.
#[derive(Debug, Clone, PartialEq)]
pub struct Opinion {
    /// Each token with its share, likeliest first; together 1 at most.
    pub next: Vec<(Token, f32)>,
    /// What the gate is told of it: 1, then how good the evidence is.
    pub features: [f32; 5],
}

/// Adds what is said of a token to what has been said of it.
pub(super) fn add(token: Token, share: f32, to: &mut Vec<(Token, f32)>) {
    match to.iter_mut().find(|it| it.0 == token) {
        Some(there) => there.1 += share,
        None => to.push((token, share)),
    }
}

/// What each source says, where it has anything to say.
pub type Opinions = [Option<Opinion>; N_SOURCES];

/// What ships with the model.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gates {
    /// Makes opinions of places.
    pub weighing: Weighing,
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
        let is_whole = gates.weighing.is_whole()
            && gates.with_model.is_whole()
            && gates.counts_alone.is_whole();
        is_whole.then_some(gates)
    }
}

/// One hidden layer of tanh, then shares by softmax over what there is: the model, then each source.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Gate(Network);

impl Gate {
    fn is_whole(&self) -> bool {
        self.0.is_of(N_FEATURES, 1 + N_SOURCES)
    }

    /// The shares of the model and of each source; 0 for a source that has nothing. They add up to 1.
    pub fn shares(
        &self,
        model: ModelOpinion,
        half_typed: bool,
        sources: &Opinions,
    ) -> [f32; 1 + N_SOURCES] {
        let features = features(model, half_typed, sources);
        let mut shares = [0.0; 1 + N_SOURCES];
        let mut sum = 0.0;
        let scores: [f32; 1 + N_SOURCES] = self.0.scores(&features);
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
pub fn features(model: ModelOpinion, half_typed: bool, sources: &Opinions) -> [f32; N_FEATURES] {
    let mut out = [0.0; N_FEATURES];
    out[0] = model.entropy;
    out[1] = model.top;
    out[2] = f32::from(u8::from(half_typed));
    for (source, out) in sources.iter().zip(out[3..].chunks_exact_mut(5)) {
        if let Some(found) = source {
            out.copy_from_slice(&found.features);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPINION: ModelOpinion = ModelOpinion { entropy: 2.0, top: 0.4 };

    #[test]
    fn the_embedded_gate_is_one_and_shares_add_up() {
        let gate = Gates::embedded().expect("they parse").with_model;
        let next = vec![(1, 0.75), (2, 0.25)];
        let found = Opinion { next, features: [1.0, 0.75, 0.2, 0.5, 0.4] };
        let none: Opinions = std::array::from_fn(|_| None);
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
        let all =
            format!(r#"{{"weighing": {small}, "with_model": {small}, "counts_alone": {small}}}"#);
        assert!(serde_json::from_str::<Gates>(&all).is_ok());
        assert!(Gates::parse(&all).is_none());
        assert!(Gates::parse("{}").is_none());
    }
}
