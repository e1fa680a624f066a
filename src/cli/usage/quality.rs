//! `keyside usage --quality`: what was learned from corrections, each measured by heads that were
//! fitted without it.

use std::collections::BTreeMap;

use serde_json::json;

use crate::classify::labels::{LabelSet, TextLabel};
use crate::classify::{LabelledText, TextClassifier};
use crate::cli::{correct, terminal};
use crate::corrections::{Correction, Corrections};
use crate::route::requests::KnownRequest;
use crate::route::{RequestRouter, RouteRequest, policy};
use crate::stdx::wilson_interval;

/// Corrections are left out in so many parts, one part at a time.
const N_PARTS: usize = 5;

/// How many of a kind's corrections are answered as the person said.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Share {
    n_right: usize,
    n: usize,
}

/// What was learned of one kind.
#[derive(Debug)]
struct Learned {
    /// `routing`, or the labels.
    kind: String,
    /// Without any correction.
    before: Share,
    /// With the other corrections, but not those of its part.
    with_others: Share,
}

/// Prints it.
///
/// # Errors
/// One sentence: the file of corrections can't be read.
pub(super) fn run(as_json: bool) -> Result<(), String> {
    let path = correct::file()?;
    let read = Corrections::read(&path)?;
    terminal::notes(&read.notes);
    let mut all = Vec::new();
    let requests = read.requests();
    if !requests.is_empty() {
        all.push(of_routing(&requests)?);
    }
    for (names, texts) in by_labels(&read.all) {
        all.push(of_labels(&names, &texts)?);
    }
    if as_json {
        let share = |it: Share| {
            let (low, high) = wilson_interval(it.n_right, it.n);
            json!({"right": it.n_right, "of": it.n, "low": low, "high": high})
        };
        let value: Vec<_> = all
            .iter()
            .map(|it| {
                json!({"kind": it.kind, "before": share(it.before), "with_others": share(it.with_others)})
            })
            .collect();
        return terminal::print_json(&format!("{}\n", json!({"corrections": value})));
    }
    if all.is_empty() {
        return terminal::print("nothing was corrected yet; `keyside correct` does that\n");
    }
    let mut text =
        "Of your corrections, how many are answered as you said (95% interval):\n".to_owned();
    for it in &all {
        text.push_str(&format!(
            "{}: {} before; {} with what the other corrections teach\n",
            it.kind,
            in_words(it.before),
            in_words(it.with_others)
        ));
    }
    text.push_str(&format!("They are in {}; `keyside forget` takes them out.\n", path.display()));
    terminal::print(&text)
}

fn in_words(share: Share) -> String {
    let (low, high) = wilson_interval(share.n_right, share.n);
    let percent = |it: f64| (it * 100.0).round();
    format!("{} of {} ({}–{}%)", share.n_right, share.n, percent(low), percent(high))
}

fn of_routing(requests: &[KnownRequest]) -> Result<Learned, String> {
    let right = |router: &RequestRouter, it: &KnownRequest| {
        let request = RouteRequest { instruction: &it.text, ..RouteRequest::default() };
        let found = policy::decide(router, &request);
        (found.task, found.target) == (it.task, it.target)
    };
    let built_in = RequestRouter::shared()?;
    let before = requests.iter().filter(|it| right(&built_in, it)).count();
    let with_others = in_parts(requests, |others, part| {
        let router = RequestRouter::fit(others)?;
        Ok(part.iter().filter(|it| right(&router, it)).count())
    })?;
    let n = requests.len();
    Ok(Learned {
        kind: "routing".to_owned(),
        before: Share { n_right: before, n },
        with_others: Share { n_right: with_others, n },
    })
}

/// Texts with their labels, by the labels that there were to choose from.
fn by_labels(all: &[Correction]) -> BTreeMap<Vec<String>, Vec<(String, String)>> {
    let mut kinds: BTreeMap<Vec<String>, Vec<(String, String)>> = BTreeMap::new();
    for it in all {
        if let Correction::Label { text, label, labels } = it {
            kinds.entry(labels.clone()).or_default().push((text.clone(), label.clone()));
        }
    }
    kinds
}

fn of_labels(names: &[String], texts: &[(String, String)]) -> Result<Learned, String> {
    let label = |name: &String| TextLabel { name: name.clone(), description: String::new() };
    let labels = LabelSet::new(names.iter().map(label).collect())?;
    let example = |(text, label): &(String, String)| {
        Some(LabelledText { text: text.clone(), label: labels.place(label)? })
    };
    let examples: Vec<LabelledText> = texts.iter().filter_map(example).collect();
    let n_right = |classifier: &TextClassifier, part: &[LabelledText]| {
        part.iter().filter(|it| classifier.classify(&it.text).best == it.label).count()
    };
    let by_name = TextClassifier::fit(labels.clone(), &[])?;
    let before = n_right(&by_name, &examples);
    let with_others = in_parts(&examples, |others, part| {
        Ok(n_right(&TextClassifier::fit(labels.clone(), others)?, part))
    })?;
    let n = examples.len();
    Ok(Learned {
        kind: names.join(", "),
        before: Share { n_right: before, n },
        with_others: Share { n_right: with_others, n },
    })
}

/// The sum over parts, each with all that is in the others.
fn in_parts<T: Clone>(
    all: &[T],
    n_right: impl Fn(&[T], &[T]) -> Result<usize, String>,
) -> Result<usize, String> {
    let mut sum = 0;
    for part in 0..N_PARTS.min(all.len()) {
        let split = |inside: bool| -> Vec<T> {
            let some = all.iter().enumerate();
            some.filter(|(at, _)| (at % N_PARTS == part) == inside).map(|it| it.1.clone()).collect()
        };
        sum += n_right(&split(false), &split(true))?;
    }
    Ok(sum)
}
