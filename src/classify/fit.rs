//! Fits a head to examples: leave-one-out cross-validation chooses how much each block counts and
//! the penalty, then a temperature is fitted to scores of examples that the head has not seen.

use crate::classify::blocks::{BlockWeights, FeatureBlocks, FeatureRow};
use crate::classify::calibration::best_temperature;
use crate::classify::labels::LabelSet;
use crate::classify::logistic;
use crate::classify::ridge::{GramMatrix, LinearHead};
use crate::classify::terms::WordSpans;
use crate::classify::{LabelledText, cut};
use crate::stdx::random::Random;

/// Of more examples, so many are drawn to choose by.
const MAX_CHOOSING: usize = 256;
/// Fewer tell nothing of what to choose.
const MIN_CHOOSING: usize = 6;
/// Of examples that are not all drawn, every so-many-th is left out for the temperature.
const LEFT_OUT_EVERY: usize = 5;
/// What share of the features' length the dense block has, squared. Terms know more the more
/// examples there are, so that no choice by a few hundred may leave them out.
const DENSE_SHARES: [f32; 4] = [0.0, 0.1, 0.25, 0.5];
const PENALTIES: [f32; 3] = [0.3, 1.0, 3.0];
/// What is better by less than this share of the loss is so by chance: then it is as usual.
const MARGIN: f32 = 0.02;
/// What is best for most tasks, and where examples are too few to choose by.
const USUAL: Choice = Choice { dense_share: 0.25, penalty: 1.0, temperature: 0.3 };

/// A head with the temperature of its scores, and the weights of the blocks that it was fitted to.
#[derive(Debug)]
pub struct FittedHead {
    pub head: LinearHead,
    pub temperature: f32,
    pub weights: BlockWeights,
}

/// What cross-validation on a task's own examples has chosen once and for all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KnownTask {
    pub spans: WordSpans,
    /// What share of the features' length the dense block has, squared.
    pub dense_share: f32,
    pub penalty: f32,
}

#[derive(Debug, Clone, Copy)]
struct Choice {
    dense_share: f32,
    penalty: f32,
    temperature: f32,
}

/// The labels that no example has.
pub fn labels_without_examples(
    labels: &LabelSet,
    examples: &[LabelledText],
) -> impl Iterator<Item = usize> {
    let mut has = vec![false; labels.len()];
    examples.iter().for_each(|it| has[it.label] = true);
    has.into_iter().enumerate().filter(|(_, has)| !has).map(|(index, _)| index)
}

/// Fits a head to the examples, and to the names of the labels that have none.
pub fn fit(labels: &LabelSet, examples: &[LabelledText]) -> (FeatureBlocks, FittedHead) {
    let names: Vec<String> =
        labels.iter().map(|it| format!("{} {}", it.name, it.description)).collect();
    let mut texts: Vec<&str> = examples.iter().map(|it| cut(&it.text).0).collect();
    let mut places: Vec<usize> = examples.iter().map(|it| it.label).collect();
    for label in labels_without_examples(labels, examples) {
        texts.push(names[label].trim());
        places.push(label);
    }
    let mut blocks = FeatureBlocks::of(&texts, WordSpans::Pairs);
    let rows: Vec<FeatureRow> = texts.iter().map(|it| blocks.row(it)).collect();
    let fitted = fit_rows(rows, &places, examples.len(), labels.len(), blocks.n_term_columns());
    blocks.weights = fitted.weights;
    (blocks, fitted)
}

/// Fits a head to rows whose blocks count 1 each. The first `n_examples` of them are examples, by
/// which is chosen; the others stand in for some.
pub fn fit_rows(
    mut rows: Vec<FeatureRow>,
    places: &[usize],
    n_examples: usize,
    n_labels: usize,
    n_columns: usize,
) -> FittedHead {
    let drawn = drawn(n_examples);
    let choice = choose(&rows, places, &drawn, n_labels, n_columns);
    let weights = weights(choice.dense_share);
    rows.iter_mut().for_each(|it| it.weigh(weights));
    let fit = |rows: &[FeatureRow], places: &[usize]| {
        LinearHead::fit(rows, places, n_labels, n_columns, choice.penalty)
    };
    let temperature = match drawn.len() < n_examples {
        false => choice.temperature,
        true => {
            let is_out = |index: &usize| index.is_multiple_of(LEFT_OUT_EVERY);
            temperature_by_part(&rows, places, n_labels, is_out, fit)
        }
    };
    FittedHead { head: fit(&rows, places), temperature, weights }
}

/// Fits a head to thousands of examples of a task that is known beforehand, by logistic regression:
/// nothing is left to choose but the temperature, for which the last ones are left out. Each label
/// should have examples.
pub fn fit_known_task(
    labels: &LabelSet,
    examples: &[LabelledText],
    settings: KnownTask,
) -> (FeatureBlocks, FittedHead) {
    let texts: Vec<&str> = examples.iter().map(|it| cut(&it.text).0).collect();
    let places: Vec<usize> = examples.iter().map(|it| it.label).collect();
    let mut blocks = FeatureBlocks::of(&texts, settings.spans);
    blocks.weights = weights(settings.dense_share);
    let rows: Vec<FeatureRow> = texts.iter().map(|it| blocks.row(it)).collect();
    let (n_labels, n_columns) = (labels.len(), blocks.n_term_columns());
    let fit = |rows: &[FeatureRow], places: &[usize]| {
        logistic::fit(rows, places, n_labels, n_columns, settings.penalty)
    };
    // The last ones were written at another time than the others, as what is to come will be: among
    // examples of the same time the head would seem surer than it is.
    let n_kept = rows.len() - rows.len() / LEFT_OUT_EVERY;
    let is_out = |index: &usize| *index >= n_kept;
    let temperature = temperature_by_part(&rows, &places, n_labels, is_out, fit);
    let head = fit(&rows, &places);
    let weights = blocks.weights;
    (blocks, FittedHead { head, temperature, weights })
}

fn weights(dense_share: f32) -> BlockWeights {
    BlockWeights { terms: (1.0 - dense_share).sqrt(), dense: dense_share.sqrt() }
}

/// Which examples are chosen by: all, or as many as it takes.
fn drawn(n_examples: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n_examples).collect();
    if n_examples > MAX_CHOOSING {
        let mut random = Random::new(19);
        for at in 0..MAX_CHOOSING {
            all.swap(at, at + random.below(n_examples - at));
        }
        all.truncate(MAX_CHOOSING);
    }
    all
}

/// The choice with the least loss for examples that are left out, one at a time.
fn choose(
    rows: &[FeatureRow],
    places: &[usize],
    drawn: &[usize],
    n_labels: usize,
    n_columns: usize,
) -> Choice {
    let has_dense = rows.iter().any(|it| !it.dense.is_empty());
    let shares: &[f32] = match (has_dense, rows.iter().any(|it| !it.terms.is_empty())) {
        (true, true) => &DENSE_SHARES,
        (true, false) => &[1.0],
        (false, _) => &[0.0],
    };
    let dense_share = if shares.len() > 1 { USUAL.dense_share } else { shares[0] };
    let usual = Choice { dense_share, ..USUAL };
    let places: Vec<usize> = drawn.iter().map(|it| places[*it]).collect();
    if drawn.len() < MIN_CHOOSING || places.iter().all(|it| *it == places[0]) {
        return usual;
    }
    let rows: Vec<FeatureRow> = drawn.iter().map(|it| rows[*it].clone()).collect();
    let gram = GramMatrix::of(&rows, n_columns);
    let mut best = (f32::INFINITY, usual);
    let mut loss_as_usual = f32::INFINITY;
    let mut as_usual = usual;
    for dense_share in shares.iter().copied() {
        for penalty in PENALTIES {
            let weights = weights(dense_share);
            let Some(scores) = gram.left_out_scores(&places, n_labels, weights, penalty) else {
                continue;
            };
            let (temperature, loss) = best_temperature(&scores, &places, n_labels);
            let choice = Choice { dense_share, penalty, temperature };
            if loss < best.0 {
                best = (loss, choice);
            }
            if (dense_share, penalty) == (usual.dense_share, usual.penalty) {
                (loss_as_usual, as_usual) = (loss, choice);
            }
        }
    }
    if best.0 < loss_as_usual * (1.0 - MARGIN) { best.1 } else { as_usual }
}

/// The temperature of a head that is fitted to most examples, for the others.
fn temperature_by_part(
    rows: &[FeatureRow],
    places: &[usize],
    n_labels: usize,
    is_out: impl Fn(&usize) -> bool,
    fit: impl Fn(&[FeatureRow], &[usize]) -> LinearHead,
) -> f32 {
    let (out, kept): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(is_out);
    let kept_rows: Vec<FeatureRow> = kept.iter().map(|it| rows[*it].clone()).collect();
    let kept_places: Vec<usize> = kept.iter().map(|it| places[*it]).collect();
    let head = fit(&kept_rows, &kept_places);
    let scores: Vec<f32> = out.iter().flat_map(|it| head.scores(&rows[*it])).collect();
    let out_places: Vec<usize> = out.iter().map(|it| places[*it]).collect();
    best_temperature(&scores, &out_places, n_labels).0
}
