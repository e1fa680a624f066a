//! How well and how fast `keyside classify` labels texts, beside tf-idf and the sentence encoder.
//!
//!     cd model
//!     python3 -m pipeline.classification_tasks --crates .work/downloads/crates --out .work/classify
//!     python3 -m pipeline.static_table --wheel WHEEL --prose .work/classify/prose.txt --out /dev/null \
//!         --encode .work/classify/{changelog,comments}.{train,test}.jsonl
//!     cargo bench --bench classify -- "$PWD/.work/classify"
//!
//! Without vectors of the encoder that column stays empty. `dev` behind the folder is for choices between
//! methods: nothing may be chosen by `test`. The head, the penalty and the temperature are found in
//! the same way for all three: by leave-one-out on the examples.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use keyside::classify::blocks::FeatureRow;
use keyside::classify::calibration::softmax;
use keyside::classify::fit::{FittedHead, fit_rows};
use keyside::classify::labels::LabelSet;
use keyside::classify::{LabelledText, TextClassifier};
use keyside::stdx::random::Random;

const TASKS: &[(&str, &str)] = &[
    ("changelog", "Added,Changed,Deprecated,Removed,Fixed,Security"),
    ("comments", "TODO,FIXME,SAFETY,HACK,NOTE,doc"),
];
/// Examples a label; 0: the labels' names alone.
const EXAMPLES: &[usize] = &[0, 4, 8, 16, MOST_ENCODED_A_LABEL, usize::MAX];
/// Texts of which there are vectors of the encoder, which takes milliseconds each: as in
/// model/pipeline/static_table.py.
const MOST_ENCODED_TEST: usize = 1_500;
const MOST_ENCODED_A_LABEL: usize = 400;
/// Draws of so few examples, whose mean is the figure.
const N_DRAWS: usize = 5;
/// Numbers of a vector of all-MiniLM-L6-v2.
const ENCODER_DIMENSIONS: usize = 384;

/// Items with their labels, and the encoder's vectors where they were made.
struct Items {
    texts: Vec<String>,
    labels: Vec<usize>,
    /// By the items' places.
    vectors: HashMap<usize, Vec<f32>>,
}

impl Items {
    fn read(folder: &Path, task: &str, part: &str, labels: &LabelSet) -> Self {
        let path = folder.join(format!("{task}.{part}.jsonl"));
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let values = text.lines().map(|it| serde_json::from_str::<serde_json::Value>(it).unwrap());
        let (texts, labels): (Vec<String>, Vec<usize>) = values
            .map(|it| {
                let label = labels.place(it["label"].as_str().unwrap()).unwrap();
                (it["text"].as_str().unwrap().to_owned(), label)
            })
            .unzip();
        let bytes = std::fs::read(path.with_extension("vectors")).unwrap_or_default();
        let numbers = bytes.chunks_exact(4).map(|it| f32::from_le_bytes(it.try_into().unwrap()));
        let numbers: Vec<f32> = numbers.collect();
        let mut n_with_label = HashMap::new();
        let is_encoded = |index: &usize| {
            let n: &mut usize = n_with_label.entry(labels[*index]).or_default();
            *n += 1;
            if part == "train" { *n <= MOST_ENCODED_A_LABEL } else { *index < MOST_ENCODED_TEST }
        };
        let encoded = (0..texts.len()).filter(is_encoded);
        let vectors = numbers.chunks_exact(ENCODER_DIMENSIONS).map(<[f32]>::to_vec);
        let vectors = encoded.zip(vectors).collect();
        Self { texts, labels, vectors }
    }

    /// As many items of each label, drawn by chance: few of those that the encoder knows.
    fn draw(&self, n_each: usize, n_labels: usize, random: &mut Random) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.texts.len()).collect();
        if n_each <= MOST_ENCODED_A_LABEL && !self.vectors.is_empty() {
            order.retain(|it| self.vectors.contains_key(it));
        }
        for at in (1..order.len()).rev() {
            order.swap(at, random.below(at + 1));
        }
        let mut n_drawn = vec![0; n_labels];
        order.retain(|it| {
            n_drawn[self.labels[*it]] += 1;
            n_drawn[self.labels[*it]] <= n_each
        });
        order
    }
}

/// What a method did: right answers, and the distance between how sure it was and how often it was
/// right, in ten steps of sureness (Naeini et al. 2015).
#[derive(Default, Clone, Copy)]
struct Score {
    accuracy: f64,
    calibration_error: f64,
}

impl Score {
    fn of(probabilities: &[Vec<f64>], labels: &[usize]) -> Self {
        let (mut n_right, mut steps) = (0.0, [(0.0, 0.0); 10]);
        for (probabilities, label) in probabilities.iter().zip(labels) {
            let mut best = 0;
            for (index, probability) in probabilities.iter().enumerate() {
                if *probability > probabilities[best] {
                    best = index;
                }
            }
            let is_right = if best == *label { 1.0 } else { 0.0 };
            let step = &mut steps[((probabilities[best] * 10.0) as usize).min(9)];
            (step.0, step.1) = (step.0 + probabilities[best], step.1 + is_right);
            n_right += is_right;
        }
        let n = labels.len() as f64;
        let apart: f64 = steps.iter().map(|(sure, right)| (sure - right).abs()).sum();
        Self { accuracy: n_right / n, calibration_error: apart / n }
    }

    fn plus(self, other: Self, weight: f64) -> Self {
        Self {
            accuracy: self.accuracy + weight * other.accuracy,
            calibration_error: self.calibration_error + weight * other.calibration_error,
        }
    }
}

fn with_head(fitted: &FittedHead, mut row: FeatureRow) -> Vec<f64> {
    row.weigh(fitted.weights);
    softmax(&fitted.head.scores(&row), fitted.temperature)
}

/// Words and pairs of words with tf-idf weights, as a text-book has them.
struct WordIndex {
    columns: HashMap<String, (u32, f32)>,
}

fn word_terms(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|it| it.chars().count() > 1)
        .collect();
    let pairs = words.windows(2).map(|it| it.join(" "));
    words.iter().map(ToString::to_string).chain(pairs).collect()
}

impl WordIndex {
    fn of(texts: &[&str]) -> Self {
        let mut n_with: HashMap<String, usize> = HashMap::new();
        for text in texts {
            let mut terms = word_terms(text);
            terms.sort_unstable();
            terms.dedup();
            terms.into_iter().for_each(|it| *n_with.entry(it).or_default() += 1);
        }
        let mut terms: Vec<(String, usize)> = n_with.into_iter().collect();
        terms.sort_unstable();
        let idf = |n: usize| ((1.0 + texts.len() as f32) / (1.0 + n as f32)).ln() + 1.0;
        let column = |(column, (term, n))| (term, (column as u32, idf(n)));
        Self { columns: terms.into_iter().enumerate().map(column).collect() }
    }

    fn row(&self, text: &str) -> FeatureRow {
        let mut weights: HashMap<u32, f32> = HashMap::new();
        for term in word_terms(text) {
            if let Some((column, idf)) = self.columns.get(&term) {
                *weights.entry(*column).or_default() += idf;
            }
        }
        let mut terms: Vec<(u32, f32)> = weights.into_iter().collect();
        terms.sort_unstable_by_key(|it| it.0);
        let length = terms.iter().map(|it| it.1 * it.1).sum::<f32>().sqrt().max(1e-9);
        terms.iter_mut().for_each(|it| it.1 /= length);
        FeatureRow { terms, dense: Vec::new() }
    }
}

fn dense_row(vector: &[f32]) -> FeatureRow {
    FeatureRow { terms: Vec::new(), dense: vector.to_vec() }
}

/// keyside's answers, how many items a second it labelled with one thread, and how many milliseconds
/// fitting took.
fn keyside(labels: &LabelSet, examples: &[LabelledText], test: &Items) -> (Score, f64, f64) {
    let started = Instant::now();
    let classifier = TextClassifier::fit(labels.clone(), examples).unwrap();
    let fit_ms = started.elapsed().as_secs_f64() * 1e3;
    let started = Instant::now();
    let found: Vec<Vec<f64>> =
        test.texts.iter().map(|it| classifier.classify(it).probabilities).collect();
    let rate = test.texts.len() as f64 / started.elapsed().as_secs_f64();
    (Score::of(&found, &test.labels), rate, fit_ms)
}

fn tf_idf(labels: &LabelSet, texts: &[&str], places: &[usize], test: &Items) -> (Score, f64) {
    let index = WordIndex::of(texts);
    let rows = texts.iter().map(|it| index.row(it)).collect();
    let n_columns = index.columns.len();
    let fitted = fit_rows(rows, places, texts.len(), labels.len(), n_columns);
    let started = Instant::now();
    let found: Vec<Vec<f64>> =
        test.texts.iter().map(|it| with_head(&fitted, index.row(it))).collect();
    let rate = test.texts.len() as f64 / started.elapsed().as_secs_f64();
    (Score::of(&found, &test.labels), rate)
}

fn encoder(labels: &LabelSet, train: &Items, drawn: &[usize], test: &Items) -> Option<Score> {
    let mut tested: Vec<usize> = test.vectors.keys().copied().collect();
    tested.sort_unstable();
    let rows: Option<Vec<FeatureRow>> =
        drawn.iter().map(|it| train.vectors.get(it).map(|it| dense_row(it))).collect();
    let rows = rows.filter(|_| !tested.is_empty())?;
    let places: Vec<usize> = drawn.iter().map(|it| train.labels[*it]).collect();
    let fitted = fit_rows(rows, &places, drawn.len(), labels.len(), 0);
    let found: Vec<Vec<f64>> =
        tested.iter().map(|it| with_head(&fitted, dense_row(&test.vectors[it]))).collect();
    let right: Vec<usize> = tested.iter().map(|it| test.labels[*it]).collect();
    Some(Score::of(&found, &right))
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    let Some(folder) = arguments.first().map(PathBuf::from) else {
        println!("name the folder of model/pipeline/classification_tasks.py; see the bench's head");
        return;
    };
    let part = if arguments.iter().any(|it| it == "dev") { "dev" } else { "test" };
    println!(
        "| task, items | examples a label | tf-idf | keyside | encoder | keyside's calibration error | fitting | items a second, tf-idf = 1 |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (task, names) in TASKS {
        let labels = LabelSet::parse(names).unwrap();
        let train = Items::read(&folder, task, "train", &labels);
        let test = Items::read(&folder, task, part, &labels);
        let mut random = Random::new(1);
        for n_each in EXAMPLES {
            let n_draws =
                if [0, MOST_ENCODED_A_LABEL, usize::MAX].contains(n_each) { 1 } else { N_DRAWS };
            let share = 1.0 / n_draws as f64;
            let (mut ours, mut theirs, mut encoded) = (Score::default(), Score::default(), None);
            let (mut fit_ms, mut rates, mut n_examples) = (0.0, (0.0, 0.0), 0);
            for _ in 0..n_draws {
                let drawn = train.draw(*n_each, labels.len(), &mut random);
                let example = |it: &usize| LabelledText {
                    text: train.texts[*it].clone(),
                    label: train.labels[*it],
                };
                let examples: Vec<LabelledText> = drawn.iter().map(example).collect();
                n_examples = drawn.len();
                let (score, rate, ms) = keyside(&labels, &examples, &test);
                fit_ms += share * ms;
                (ours, rates.0) = (ours.plus(score, share), rates.0 + share * rate);
                if *n_each > 0 {
                    let texts: Vec<&str> = examples.iter().map(|it| &*it.text).collect();
                    let places: Vec<usize> = examples.iter().map(|it| it.label).collect();
                    let (score, rate) = tf_idf(&labels, &texts, &places, &test);
                    (theirs, rates.1) = (theirs.plus(score, share), rates.1 + share * rate);
                    if let Some(score) = encoder(&labels, &train, &drawn, &test) {
                        let before = encoded.unwrap_or_default();
                        encoded = Some(Score::plus(before, score, share));
                    }
                }
            }
            let percent = |it: f64| format!("{:.1}%", 100.0 * it);
            let name = match *n_each {
                0 => "0 (names)".to_owned(),
                usize::MAX => format!("all ({n_examples})"),
                MOST_ENCODED_A_LABEL => format!("{MOST_ENCODED_A_LABEL} ({n_examples})"),
                n => n.to_string(),
            };
            let (others, ratio) = match *n_each {
                0 => ("—".to_owned(), "—".to_owned()),
                _ => (percent(theirs.accuracy), format!("{:.2}", rates.0 / rates.1)),
            };
            println!(
                "| {task}, {} | {name} | {others} | {} | {} | {:.3} | {fit_ms:.0} ms | {ratio} ({:.0} a second) |",
                test.texts.len(),
                percent(ours.accuracy),
                encoded.map_or_else(|| "—".to_owned(), |it| percent(it.accuracy)),
                ours.calibration_error,
                rates.0,
            );
        }
    }
}
