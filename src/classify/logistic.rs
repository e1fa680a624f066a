//! Multinomial logistic regression with an L2 penalty, by stochastic gradient descent with steps
//! that get shorter from pass to pass (Bottou 2012, "Stochastic Gradient Descent Tricks"). For
//! examples by the thousand: a few passes over them are enough.

use crate::classify::blocks::FeatureRow;
use crate::classify::ridge::LinearHead;
use crate::stdx::random::Random;

/// Passes over all examples.
const N_PASSES: usize = 6;
/// Of the first step; features have length 1, so that more would overshoot.
const FIRST_STEP: f32 = 4.0;

/// Fits a head to rows and the places of their labels. `penalty` is that of the sum of losses, so
/// that it counts for less the more examples there are. The same rows give the same head.
pub fn fit(
    rows: &[FeatureRow],
    labels: &[usize],
    n_labels: usize,
    n_term_columns: usize,
    penalty: f32,
) -> LinearHead {
    let n_dense = rows.first().map_or(0, |it| it.dense.len());
    let mut head = LinearHead::zero(n_labels, n_term_columns, n_dense);
    let n_rows = rows.len().max(1) as f32;
    let lambda = penalty / n_rows;
    // The weights are `scale` times what the head holds: then a step shrinks them all at no cost.
    let mut scale = 1.0_f32;
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let mut random = Random::new(7);
    let mut n_steps = 0.0;
    let mut scores = vec![0.0; n_labels];
    for _ in 0..N_PASSES {
        for at in (1..order.len()).rev() {
            order.swap(at, random.below(at + 1));
        }
        for row in &order {
            let step = FIRST_STEP / (1.0 + n_steps / n_rows);
            n_steps += 1.0;
            scores.fill(0.0);
            head.add_scores(&rows[*row], &mut scores);
            // The gradient of the loss by the scores: what is said less what is so.
            let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max) * scale;
            let mut sum = 0.0;
            for it in &mut scores {
                *it = (*it * scale - most).exp();
                sum += *it;
            }
            scores.iter_mut().for_each(|it| *it /= sum);
            scores[labels[*row]] -= 1.0;
            scale *= 1.0 - step * lambda;
            scores.iter_mut().for_each(|it| *it *= -step / scale);
            head.add_outer(&rows[*row], &scores);
        }
    }
    head.scale(scale);
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row of one column.
    fn row(column: u32) -> FeatureRow {
        FeatureRow { terms: vec![(column, 1.0)], dense: Vec::new() }
    }

    #[test]
    fn scores_follow_how_often_a_label_is_there() {
        // Of the first column three of four have the first label, of the second none.
        let rows: Vec<FeatureRow> = (0..800).map(|it| row(it % 2)).collect();
        let labels: Vec<usize> =
            (0..800).map(|it| usize::from(it % 2 == 1 || it % 8 == 0)).collect();
        let head = fit(&rows, &labels, 2, 2, 0.01);
        let odds = |column| {
            let scores = head.scores(&row(column));
            scores[0] - scores[1]
        };
        assert!((0.1..3.0).contains(&odds(0)), "{}", odds(0));
        assert!(odds(1) < -3.0, "{}", odds(1));
    }
}
