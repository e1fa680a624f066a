//! From scores to probabilities: softmax with a temperature that was fitted to scores of texts that
//! were left out (Guo et al. 2017, arXiv:1706.04599).

/// Where temperatures are looked for.
const LEAST: f32 = 0.01;
const MOST: f32 = 10.0;
/// Halvings, nearly: each leaves 0.618 of the range.
const N_STEPS: usize = 18;

/// Probabilities of scores; they add up to 1.
pub fn softmax(scores: &[f32], temperature: f32) -> Vec<f64> {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let above = |it: &f32| f64::from((it - most) / temperature);
    let mut all: Vec<f64> = scores.iter().map(|it| above(it).exp()).collect();
    let sum: f64 = all.iter().sum();
    all.iter_mut().for_each(|it| *it /= sum);
    all
}

/// The mean negative log-likelihood of the right labels, in nats; `scores` has a row an example.
pub fn loss(scores: &[f32], labels: &[usize], n_labels: usize, temperature: f32) -> f32 {
    let rows = scores.chunks_exact(n_labels).zip(labels);
    let total: f32 = rows
        .map(|(scores, label)| {
            let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f32 = scores.iter().map(|it| ((it - most) / temperature).exp()).sum();
            sum.ln() - (scores[*label] - most) / temperature
        })
        .sum();
    total / labels.len().max(1) as f32
}

/// The temperature with the least loss, and that loss. By golden sections of its logarithm: the
/// loss has one minimum.
pub fn best_temperature(scores: &[f32], labels: &[usize], n_labels: usize) -> (f32, f32) {
    const GOLDEN: f32 = 0.618_034;
    let at = |log: f32| loss(scores, labels, n_labels, log.exp());
    let (mut low, mut high) = (LEAST.ln(), MOST.ln());
    let (mut a, mut b) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
    let (mut loss_a, mut loss_b) = (at(a), at(b));
    for _ in 0..N_STEPS {
        if loss_a < loss_b {
            (high, b, loss_b) = (b, a, loss_a);
            a = high - GOLDEN * (high - low);
            loss_a = at(a);
        } else {
            (low, a, loss_a) = (a, b, loss_b);
            b = low + GOLDEN * (high - low);
            loss_b = at(b);
        }
    }
    let middle = f32::midpoint(low, high);
    (middle.exp(), at(middle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_add_up_whatever_the_scores() {
        for scores in [vec![0.0, 0.0], vec![1e30, -1e30, 3.0], vec![-5.0; 1_000]] {
            let sum: f64 = softmax(&scores, LEAST).iter().sum();
            assert!((sum - 1.0).abs() < 1e-9, "{sum}");
        }
    }

    #[test]
    fn the_temperature_says_how_often_scores_are_right() {
        // The first label scores more by 1, and is right three times of four: the odds are three
        // to one where 1/T is ln 3.
        let scores = [1.0, 0.0].repeat(400);
        let labels: Vec<usize> = (0..400).map(|it| usize::from(it % 4 == 0)).collect();
        let (temperature, _) = best_temperature(&scores, &labels, 2);
        assert!((1.0 / temperature - 3.0_f32.ln()).abs() < 0.02, "{temperature}");
        assert!((softmax(&scores[..2], temperature)[0] - 0.75).abs() < 0.01);
    }
}
