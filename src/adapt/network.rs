//! A small network: what weighs places, and what weighs opinions.

use serde::Deserialize;

/// One hidden layer of tanh, then a score for each output.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    hidden: Layer,
    output: Layer,
}

/// For each output, a weight for each input, and its bias at the end.
type Layer = Vec<Vec<f32>>;

impl Network {
    /// Whether it is one from so many numbers to so many.
    pub fn is_of(&self, n_inputs: usize, n_outputs: usize) -> bool {
        let takes = |layer: &Layer, n: usize| layer.iter().all(|it| it.len() == n + 1);
        self.output.len() == n_outputs
            && takes(&self.hidden, n_inputs)
            && takes(&self.output, self.hidden.len())
    }

    /// The first `N` scores; 0 for what it has not.
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
