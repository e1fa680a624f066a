//! Which of some labels a text has: one linear head over features of the text, fitted to a few
//! examples in milliseconds.
//!
//! Features come in blocks ([`blocks`]). The head is ridge regression to one-hot targets
//! ([`ridge`]), a linear classifier that leave-one-out cross-validation costs nothing extra; that
//! chooses how much each block counts, how strong the penalty is, and the temperature that turns
//! scores into probabilities ([`fit`], [`calibration`]). Where a label has no example, its name and
//! description stand in for one. For a task with thousands of examples of our own, as routing has
//! it, the head is logistic regression ([`logistic`]).
//!
//! Rifkin, Yeo and Poggio 2003, "Regularized least-squares classification"; Guo et al. 2017,
//! arXiv:1706.04599, for the temperature.

pub mod blocks;
pub mod calibration;
pub mod fit;
pub mod labels;
pub mod logistic;
pub mod ridge;
pub mod static_table;
pub mod terms;

use crate::classify::blocks::FeatureBlocks;
use crate::classify::fit::KnownTask;
use crate::classify::labels::LabelSet;
use crate::classify::ridge::LinearHead;

/// Of a text, in characters; what is beyond them is not looked at.
pub const MAX_TEXT_CHARS: usize = 10_000;
/// Of examples. Fitting takes seconds with as many.
pub const MAX_EXAMPLES: usize = 20_000;
/// A label that is less likely than this is as good as a guess, and so is one that is not so many
/// times as likely as the next.
const UNSURE_BELOW: f64 = 0.5;
const UNSURE_BELOW_TIMES_THE_NEXT: f64 = 2.0;

/// A text whose label is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LabelledText {
    pub text: String,
    /// Its place among the labels.
    pub label: usize,
}

/// A head that was fitted to examples.
#[derive(Debug)]
pub struct TextClassifier {
    labels: LabelSet,
    blocks: FeatureBlocks,
    head: LinearHead,
    temperature: f32,
    /// The labels without examples of their own.
    n_labels_by_name: usize,
}

/// What a text was found to be.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelProbabilities {
    /// The likeliest label's place among the labels; of several the first.
    pub best: usize,
    /// In the order of the labels; they add up to 1.
    pub probabilities: Vec<f64>,
    /// The likeliest label is less likely than all others together, or less than twice as likely as
    /// the next.
    pub is_unsure: bool,
    /// How many characters were too many, and were not looked at.
    pub n_cut_chars: usize,
    /// No word and no piece of a word is known: the probabilities say nothing of the text.
    pub is_unknown: bool,
}

impl TextClassifier {
    /// Fits a head. The same labels and examples give the same head on every machine.
    ///
    /// # Errors
    /// There are more than [`MAX_EXAMPLES`] examples, or one names no label.
    pub fn fit(labels: LabelSet, examples: &[LabelledText]) -> Result<Self, String> {
        check(&labels, examples)?;
        let (blocks, fitted) = fit::fit(&labels, examples);
        let n_labels_by_name = fit::labels_without_examples(&labels, examples).count();
        let fit::FittedHead { head, temperature, weights: _ } = fitted;
        Ok(Self { labels, blocks, head, temperature, n_labels_by_name })
    }

    /// Fits a head to thousands of examples of a task that is known beforehand.
    ///
    /// # Errors
    /// As [`TextClassifier::fit`].
    pub fn fit_known_task(
        labels: LabelSet,
        examples: &[LabelledText],
        settings: KnownTask,
    ) -> Result<Self, String> {
        check(&labels, examples)?;
        let (blocks, fitted) = fit::fit_known_task(&labels, examples, settings);
        let n_labels_by_name = fit::labels_without_examples(&labels, examples).count();
        let fit::FittedHead { head, temperature, weights: _ } = fitted;
        Ok(Self { labels, blocks, head, temperature, n_labels_by_name })
    }

    pub fn labels(&self) -> &LabelSet {
        &self.labels
    }

    /// How many labels had no example, so that their name stands in for one.
    pub fn n_labels_by_name(&self) -> usize {
        self.n_labels_by_name
    }

    /// How likely each label is. A text in which nothing is known has the labels' own frequencies.
    pub fn classify(&self, text: &str) -> LabelProbabilities {
        let (text, n_cut_chars) = cut(text);
        let row = self.blocks.row(text);
        let is_unknown = row.terms.is_empty() && row.dense.iter().all(|it| *it == 0.0);
        let scores = self.head.scores(&row);
        let probabilities = calibration::softmax(&scores, self.temperature);
        LabelProbabilities::of(probabilities, n_cut_chars, is_unknown)
    }
}

impl LabelProbabilities {
    /// Of probabilities that add up to 1, one a label.
    pub fn of(probabilities: Vec<f64>, n_cut_chars: usize, is_unknown: bool) -> Self {
        let mut best = 0;
        for (index, probability) in probabilities.iter().enumerate() {
            if *probability > probabilities[best] {
                best = index;
            }
        }
        let others = probabilities.iter().enumerate().filter(|(index, _)| *index != best);
        let next = others.map(|it| *it.1).fold(0.0, f64::max);
        let is_unsure = probabilities[best] < UNSURE_BELOW.max(UNSURE_BELOW_TIMES_THE_NEXT * next);
        Self { best, probabilities, is_unsure, n_cut_chars, is_unknown }
    }
}

fn check(labels: &LabelSet, examples: &[LabelledText]) -> Result<(), String> {
    if examples.len() > MAX_EXAMPLES {
        return Err(format!("there are {} examples; give at most {MAX_EXAMPLES}", examples.len()));
    }
    match examples.iter().find(|it| it.label >= labels.len()) {
        Some(example) => Err(format!("an example has the label number {}", example.label)),
        None => Ok(()),
    }
}

/// The beginning of a text that is looked at, and how many characters that leaves out.
fn cut(text: &str) -> (&str, usize) {
    match text.char_indices().nth(MAX_TEXT_CHARS) {
        Some((end, _)) => (&text[..end], text[end..].chars().count()),
        None => (text, 0),
    }
}

#[cfg(test)]
mod tests;
