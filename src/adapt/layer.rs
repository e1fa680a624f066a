//! A layer of a small network.

use serde::Deserialize;

/// For each output, a weight for each input, and its bias at the end.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Layer(Vec<Vec<f32>>);

impl Layer {
    pub fn n_outputs(&self) -> usize {
        self.0.len()
    }

    /// Whether it is a layer from so many numbers to so many.
    pub fn is_of(&self, n_inputs: usize, n_outputs: usize) -> bool {
        self.0.len() == n_outputs && self.0.iter().all(|it| it.len() == n_inputs + 1)
    }

    pub fn outputs(&self, inputs: &[f32]) -> impl Iterator<Item = f32> {
        self.0.iter().map(move |weights| {
            let bias = weights.last().copied().unwrap_or_default();
            weights.iter().zip(inputs).fold(bias, |sum, (weight, input)| sum + weight * input)
        })
    }
}
