//! Ridge regression to one-hot targets, in the dual: one coefficient an example and label.
//!
//! [`GramMatrix`] solves it exactly for a few hundred examples and gives what each would have got
//! had it been left out (Allen 1974; Rifkin, Yeo and Poggio 2003). [`LinearHead::fit`] solves it by
//! conjugate gradients (Hestenes and Stiefel 1952) for thousands, without the matrix. The constant
//! is a feature like the others, of weight 1.

use crate::classify::blocks::{BlockWeights, FeatureRow};

/// Of the residual's length to the target's, when conjugate gradients have found a solution.
const TOLERANCE: f32 = 1e-3;
const MAX_STEPS: usize = 60;

/// A score for each label, linear in the features.
#[derive(Debug, Default)]
pub struct LinearHead {
    n_labels: usize,
    /// A row of `n_labels` weights for each column.
    terms: Vec<f32>,
    dense: Vec<f32>,
    constant: Vec<f32>,
}

impl LinearHead {
    /// Fits a head to rows and the places of their labels.
    pub fn fit(
        rows: &[FeatureRow],
        labels: &[usize],
        n_labels: usize,
        n_term_columns: usize,
        penalty: f32,
    ) -> Self {
        let n_dense = rows.first().map_or(0, |it| it.dense.len());
        let mut head = Self::zero(n_labels, n_term_columns, n_dense);
        let mut target = vec![0.0; rows.len() * n_labels];
        for (row, label) in labels.iter().enumerate() {
            target[row * n_labels + label] = 1.0;
        }
        let solution = head.solve(rows, target, penalty);
        head.load(rows, &solution);
        head
    }

    /// A head that gives nothing to anything.
    pub fn zero(n_labels: usize, n_term_columns: usize, n_dense: usize) -> Self {
        Self {
            n_labels,
            terms: vec![0.0; n_term_columns * n_labels],
            dense: vec![0.0; n_dense * n_labels],
            constant: vec![0.0; n_labels],
        }
    }

    /// A score for each label.
    pub fn scores(&self, row: &FeatureRow) -> Vec<f32> {
        let mut scores = vec![0.0; self.n_labels];
        self.add_scores(row, &mut scores);
        scores
    }

    /// Adds a score for each label.
    pub fn add_scores(&self, row: &FeatureRow, scores: &mut [f32]) {
        add_scaled(scores, &self.constant, 1.0);
        for (column, weight) in &row.terms {
            add_scaled(scores, self.term_weights(*column), *weight);
        }
        for (weight, weights) in row.dense.iter().zip(self.dense.chunks_exact(self.n_labels)) {
            add_scaled(scores, weights, *weight);
        }
    }

    /// Adds to each label's weights the row's features, times what the label is given.
    pub fn add_outer(&mut self, row: &FeatureRow, of_labels: &[f32]) {
        let n_labels = self.n_labels;
        for (column, weight) in &row.terms {
            let start = *column as usize * n_labels;
            add_scaled(&mut self.terms[start..start + n_labels], of_labels, *weight);
        }
        for (weight, weights) in row.dense.iter().zip(self.dense.chunks_exact_mut(n_labels)) {
            add_scaled(weights, of_labels, *weight);
        }
        add_scaled(&mut self.constant, of_labels, 1.0);
    }

    /// Multiplies all weights.
    pub fn scale(&mut self, factor: f32) {
        for weights in [&mut self.terms, &mut self.dense, &mut self.constant] {
            weights.iter_mut().for_each(|it| *it *= factor);
        }
    }

    fn term_weights(&self, column: u32) -> &[f32] {
        let start = column as usize * self.n_labels;
        self.terms.get(start..start + self.n_labels).unwrap_or_default()
    }

    /// Makes the weights from the coefficients of the examples.
    fn load(&mut self, rows: &[FeatureRow], coefficients: &[f32]) {
        let n_labels = self.n_labels;
        for weights in [&mut self.terms, &mut self.dense, &mut self.constant] {
            weights.fill(0.0);
        }
        for (row, coefficients) in rows.iter().zip(coefficients.chunks_exact(n_labels)) {
            self.add_outer(row, coefficients);
        }
    }

    /// The coefficients, by conjugate gradients for all labels side by side.
    fn solve(&mut self, rows: &[FeatureRow], target: Vec<f32>, penalty: f32) -> Vec<f32> {
        let n_labels = self.n_labels;
        let mut solution = vec![0.0; target.len()];
        let mut residual = target;
        let mut direction = residual.clone();
        let mut length = squares(&residual, &residual, n_labels);
        let enough: Vec<f32> = length.iter().map(|it| it * TOLERANCE * TOLERANCE).collect();
        for _ in 0..MAX_STEPS {
            if length.iter().zip(&enough).all(|(now, enough)| now <= enough) {
                break;
            }
            self.load(rows, &direction);
            let mut image = Vec::with_capacity(direction.len());
            rows.iter().for_each(|row| image.extend(self.scores(row)));
            add_scaled(&mut image, &direction, penalty);
            let curvature = squares(&direction, &image, n_labels);
            let step: Vec<f32> = length
                .iter()
                .zip(&curvature)
                .map(|(length, curvature)| length / curvature.max(f32::MIN_POSITIVE))
                .collect();
            let before = length;
            for at in 0..solution.len() {
                solution[at] += step[at % n_labels] * direction[at];
                residual[at] -= step[at % n_labels] * image[at];
            }
            length = squares(&residual, &residual, n_labels);
            for at in 0..direction.len() {
                let label = at % n_labels;
                let kept = length[label] / before[label].max(f32::MIN_POSITIVE);
                direction[at] = residual[at] + kept * direction[at];
            }
        }
        solution
    }
}

/// For each label the sum of products over all examples.
fn squares(a: &[f32], b: &[f32], n_labels: usize) -> Vec<f32> {
    let mut sums = vec![0.0; n_labels];
    for (a, b) in a.chunks_exact(n_labels).zip(b.chunks_exact(n_labels)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums
}

fn add_scaled(to: &mut [f32], from: &[f32], factor: f32) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += factor * from;
    }
}

/// How alike examples are, a block each: the products of all pairs of rows.
#[derive(Debug)]
pub struct GramMatrix {
    n: usize,
    terms: Vec<f32>,
    dense: Vec<f32>,
}

impl GramMatrix {
    /// Of rows whose blocks count 1 each. Takes `n²` products of rows.
    pub fn of(rows: &[FeatureRow], n_term_columns: usize) -> Self {
        let n = rows.len();
        let (mut terms, mut dense) = (vec![0.0; n * n], vec![0.0; n * n]);
        let mut spread = vec![0.0; n_term_columns];
        for (index, row) in rows.iter().enumerate() {
            row.terms.iter().for_each(|(column, weight)| spread[*column as usize] = *weight);
            for (other, other_row) in rows[..=index].iter().enumerate() {
                let products = other_row.terms.iter().map(|(at, it)| spread[*at as usize] * it);
                let alike: f32 = products.sum();
                (terms[index * n + other], terms[other * n + index]) = (alike, alike);
                let alike: f32 = row.dense.iter().zip(&other_row.dense).map(|(a, b)| a * b).sum();
                (dense[index * n + other], dense[other * n + index]) = (alike, alike);
            }
            row.terms.iter().for_each(|(column, _)| spread[*column as usize] = 0.0);
        }
        Self { n, terms, dense }
    }

    /// The scores that each example gets from a head that was fitted to all others: a row of
    /// `n_labels` an example. `None` where the matrix is singular, which a penalty prevents.
    pub fn left_out_scores(
        &self,
        labels: &[usize],
        n_labels: usize,
        weights: BlockWeights,
        penalty: f32,
    ) -> Option<Vec<f32>> {
        let n = self.n;
        let (terms, dense) = (weights.terms * weights.terms, weights.dense * weights.dense);
        let mut matrix: Vec<f32> =
            (0..n * n).map(|at| terms * self.terms[at] + dense * self.dense[at] + 1.0).collect();
        (0..n).for_each(|it| matrix[it * n + it] += penalty);
        let inverse = inverse_of_factor(matrix, n)?;
        // With G the inverse of the matrix: the coefficients are G·Y, and the one left out is off
        // by its coefficient over its place on G's diagonal.
        let mut half = vec![0.0; n * n_labels];
        for row in 0..n {
            for (column, label) in labels.iter().enumerate().take(row + 1) {
                half[row * n_labels + label] += inverse[row * n + column];
            }
        }
        let mut scores = vec![0.0; n * n_labels];
        for column in 0..n {
            let mut diagonal = 0.0;
            let coefficients = &mut scores[column * n_labels..(column + 1) * n_labels];
            for row in column..n {
                let factor = inverse[row * n + column];
                diagonal += factor * factor;
                add_scaled(coefficients, &half[row * n_labels..(row + 1) * n_labels], factor);
            }
            for (label, it) in coefficients.iter_mut().enumerate() {
                let target = if labels[column] == label { 1.0 } else { 0.0 };
                *it = target - *it / diagonal;
            }
        }
        Some(scores)
    }
}

/// The inverse of the lower Cholesky factor of a symmetric positive definite matrix, in its lower
/// half.
fn inverse_of_factor(mut matrix: Vec<f32>, n: usize) -> Option<Vec<f32>> {
    for row in 0..n {
        let (above, rest) = matrix.split_at_mut(row * n);
        let this = &mut rest[..n];
        for column in 0..row {
            let other = &above[column * n..column * n + column + 1];
            let known: f32 = this[..column].iter().zip(other).map(|(a, b)| a * b).sum();
            this[column] = (this[column] - known) / other[column];
        }
        let known: f32 = this[..row].iter().map(|it| it * it).sum();
        let diagonal = this[row] - known;
        if !(diagonal.is_finite() && diagonal > 0.0) {
            return None;
        }
        this[row] = diagonal.sqrt();
    }
    // Row by row from the top: each is a sum of those above it.
    let mut inverse = vec![0.0; n * n];
    for row in 0..n {
        let (above, rest) = inverse.split_at_mut(row * n);
        let this = &mut rest[..n];
        let diagonal = matrix[row * n + row];
        for column in 0..row {
            let factor = matrix[row * n + column];
            add_scaled(&mut this[..=column], &above[column * n..=column * n + column], -factor);
        }
        this[..row].iter_mut().for_each(|it| *it /= diagonal);
        this[row] = 1.0 / diagonal;
    }
    Some(inverse)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stdx::random::Random;

    const ONE: BlockWeights = BlockWeights { terms: 1.0, dense: 1.0 };

    /// Rows of three columns and a dense part of two.
    fn rows(n: usize) -> (Vec<FeatureRow>, Vec<usize>) {
        let mut random = Random::new(5);
        let mut number = || random.below(1_000) as f32 / 1_000.0;
        let rows = (0..n)
            .map(|_| FeatureRow {
                terms: (0..3).map(|column| (column, number())).collect(),
                dense: vec![number(), number()],
            })
            .collect();
        (rows, (0..n).map(|it| (it * it) % 3).collect())
    }

    #[test]
    fn what_an_example_gets_left_out_is_what_a_head_without_it_says() {
        let (rows, labels) = rows(12);
        let gram = GramMatrix::of(&rows, 3);
        let scores = gram.left_out_scores(&labels, 3, ONE, 0.3).unwrap();
        for out in 0..rows.len() {
            let (mut others, mut their_labels) = (rows.clone(), labels.clone());
            others.remove(out);
            their_labels.remove(out);
            let head = LinearHead::fit(&others, &their_labels, 3, 3, 0.3);
            for (a, b) in head.scores(&rows[out]).iter().zip(&scores[out * 3..]) {
                assert!((a - b).abs() < 5e-3, "example {out}: {a} {b}");
            }
        }
    }

    #[test]
    fn the_same_example_many_times_is_no_trouble() {
        let (one, _) = rows(1);
        let many = vec![one[0].clone(); 40];
        let labels: Vec<usize> = (0..40).map(|it| it % 4 / 3).collect();
        let gram = GramMatrix::of(&many, 3);
        assert!(gram.left_out_scores(&labels, 2, ONE, 0.1).is_some());
        let scores = LinearHead::fit(&many, &labels, 2, 3, 0.1).scores(&one[0]);
        assert!((scores[0] - 0.75).abs() < 0.02 && (scores[1] - 0.25).abs() < 0.02, "{scores:?}");
    }
}
