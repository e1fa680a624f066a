//! Small tasks, whole.

use super::*;

fn labels(text: &str) -> LabelSet {
    LabelSet::parse(text).unwrap()
}

fn examples(labels: &LabelSet, all: &[(&str, &str)]) -> Vec<LabelledText> {
    let example = |(label, text): &(&str, &str)| LabelledText {
        text: (*text).to_owned(),
        label: labels.place(label).unwrap(),
    };
    all.iter().map(example).collect()
}

const REPORTS: &[(&str, &str)] = &[
    ("bug", "It crashes when the file is empty"),
    ("bug", "panics on an empty line"),
    ("bug", "wrong result after a restart"),
    ("bug", "crash: index out of bounds"),
    ("feature", "Please add a dark theme"),
    ("feature", "support for Windows would be nice"),
    ("feature", "add an option for the width"),
    ("feature", "it would be nice to have colours"),
];

fn best<'a>(classifier: &'a TextClassifier, text: &str) -> &'a str {
    classifier.labels().name(classifier.classify(text).best)
}

#[test]
fn a_few_examples_tell_labels_apart() {
    let labels = labels("bug,feature");
    let classifier = TextClassifier::fit(labels.clone(), &examples(&labels, REPORTS)).unwrap();
    assert_eq!(best(&classifier, "it crashes on an empty folder"), "bug");
    assert_eq!(best(&classifier, "please add support for colours"), "feature");
    assert_eq!(classifier.n_labels_by_name(), 0);
}

#[test]
fn without_examples_names_and_descriptions_stand_in_and_it_is_unsure() {
    let labels = labels("crash=it panics or crashes,wish=please add support for something,other");
    let classifier = TextClassifier::fit(labels, &[]).unwrap();
    assert_eq!(classifier.n_labels_by_name(), 3);
    assert_eq!(best(&classifier, "please add a dark theme"), "wish");
    assert_eq!(best(&classifier, "the editor crashes"), "crash");
    let nothing = classifier.classify("日本語");
    assert!(nothing.is_unsure, "{nothing:?}");
}

#[test]
fn a_label_without_examples_beside_others_goes_by_its_name() {
    let labels = labels("bug,feature,security advisory");
    let classifier = TextClassifier::fit(labels.clone(), &examples(&labels, REPORTS)).unwrap();
    assert_eq!(classifier.n_labels_by_name(), 1);
    assert_eq!(best(&classifier, "security advisory"), "security advisory");
}

#[test]
fn odd_texts_have_an_answer_that_adds_up() {
    let labels = labels("bug,feature");
    let classifier = TextClassifier::fit(labels.clone(), &examples(&labels, REPORTS)).unwrap();
    let long = "crash ".repeat(MAX_TEXT_CHARS);
    for text in ["", " \n", "\0", "👩‍👩‍👧", "x", &long] {
        let answer = classifier.classify(text);
        let sum: f64 = answer.probabilities.iter().sum();
        assert!((sum - 1.0).abs() < 1e-4, "{sum}");
        let n_cut = text.chars().count().saturating_sub(MAX_TEXT_CHARS);
        assert_eq!(answer.n_cut_chars, n_cut);
    }
}

#[test]
fn the_same_examples_give_the_same_head() {
    let labels = labels("bug,feature");
    let examples = examples(&labels, REPORTS);
    let one = TextClassifier::fit(labels.clone(), &examples).unwrap();
    let other = TextClassifier::fit(labels, &examples).unwrap();
    let text = "crashes with a dark theme";
    assert_eq!(one.classify(text), other.classify(text));
}

#[test]
fn thousands_of_examples_are_taken_and_too_many_refused() {
    let labels = labels("even,odd");
    let example = |n: usize| LabelledText {
        text: format!("number {n} {}", if n.is_multiple_of(2) { "pair" } else { "single" }),
        label: n % 2,
    };
    let some: Vec<LabelledText> = (0..1_500).map(example).collect();
    let classifier = TextClassifier::fit(labels.clone(), &some).unwrap();
    let answer = classifier.classify("a pair of shoes");
    assert!(answer.best == 0 && answer.probabilities[0] > 0.9, "{answer:?}");
    let many = vec![example(0); MAX_EXAMPLES + 1];
    assert!(TextClassifier::fit(labels, &many).unwrap_err().contains("at most 20000"));
}
