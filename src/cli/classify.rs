//! `keyside classify`: which of some labels each text of a stream has.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde::Deserialize;

use crate::app::instruct::label_chooser::LabelChooser;
use crate::classify::labels::LabelSet;
use crate::classify::{LabelProbabilities, LabelledText, TextClassifier};
use crate::cli::items::stream::{Faults, ItemStream, StreamArguments};
use crate::cli::items::{Line, Lines};
use crate::cli::local_calls::LocalCalls;
use crate::cli::{correct, instruct_command, setup, terminal};
use crate::corrections::Corrections;
use crate::files;

/// What `classify` takes.
#[derive(Debug, Args)]
pub struct ClassifyArguments {
    /// The labels, with commas between them; `label=description` says more of one.
    #[arg(long, value_name = "A,B,C", value_parser = LabelSet::parse)]
    pub labels: LabelSet,
    /// Texts whose labels are known, a line of JSON each: `{"text","label"}`.
    #[arg(long, value_name = "FILE")]
    pub examples: Option<PathBuf>,
    /// Ask the instruct model in the settings, and not the head that is fitted to the examples:
    /// slower, and of use where there are few examples or none.
    #[arg(long)]
    pub by_model: bool,
    /// The same with this instruct model: its name in `keyside model list` or a part of it, or a
    /// file.
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// What else the instruct model is told, in a person's words.
    #[arg(long, value_name = "WORDS")]
    pub instruction: Option<String>,
    #[command(flatten)]
    pub stream: StreamArguments,
}

impl ClassifyArguments {
    /// Whether an instruct model is asked.
    pub fn asks_model(&self) -> bool {
        self.by_model || self.model.is_some()
    }
}

/// Reads `{"id","text"}` from standard input, a line each, and writes
/// `{"id","label","scores","unsure","ms"}`, in the same order and each as soon as it is known. A
/// line that is not usable is answered with `{"id","error"}`.
///
/// # Errors
/// One sentence: the examples can't be read, the answers can't be written, or a line is not usable
/// and `--strict` was given.
pub fn run(arguments: &ClassifyArguments) -> Result<(), String> {
    let mut faults = Faults::new(arguments.stream.strict);
    let mut examples = match &arguments.examples {
        Some(path) => read_examples(path, &arguments.labels, &mut faults)?,
        None => Vec::new(),
    };
    if arguments.instruction.is_some() && !arguments.asks_model() {
        return Err(
            "--instruction is for an instruct model; add --by-model, or leave it out".to_owned()
        );
    }
    add_corrections(&mut examples, &arguments.labels)?;
    if arguments.asks_model() {
        return run_by_model(arguments, &examples, faults);
    }
    let stream = ItemStream::open(&arguments.stream, faults)?;
    let classifier = TextClassifier::fit(arguments.labels.clone(), &examples)?;
    if let Some(sentence) = by_name(classifier.n_labels_by_name()) {
        terminal::complain(&sentence);
    }
    stream.answer_each(|text| Ok(fields(classifier.labels(), &classifier.classify(text))))
}

/// The same by an instruct model.
fn run_by_model(
    arguments: &ClassifyArguments,
    examples: &[LabelledText],
    faults: Faults,
) -> Result<(), String> {
    let ClassifyArguments { labels, model, instruction, .. } = arguments;
    let model = instruct_command::instruct_model(model.as_deref())?;
    let stream = ItemStream::open(&arguments.stream, faults)?;
    let runtime = setup::runtime()?;
    let more = instruction.as_deref();
    let lane = instruct_command::lane();
    let chooser =
        runtime.block_on(LabelChooser::new(Arc::clone(&model), lane, labels, examples, more))?;
    if chooser.n_examples_left_out > 0 {
        terminal::complain(&format!(
            "the model's context has room for the last {} of {} examples; raise \
             model.instruct_context_tokens for more",
            examples.len() - chooser.n_examples_left_out,
            examples.len()
        ));
    }
    let calls = LocalCalls::start("classify", &model);
    let answered = stream.answer_each(|text| {
        let answer = calls.count(|| runtime.block_on(chooser.choose(text)))?;
        let mut fields = fields(labels, &answer.value);
        let _ = write!(
            fields,
            ",\"evaluated_tokens\":{},\"cached_tokens\":{}",
            answer.usage.evaluated_tokens, answer.usage.cached_tokens
        );
        Ok(fields)
    });
    calls.end();
    answered
}

/// The fields of the answer to one text.
fn fields(labels: &LabelSet, found: &LabelProbabilities) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut fields = format!("\"label\":{},\"scores\":{{", quoted(labels.name(found.best)));
    for (index, (label, probability)) in labels.iter().zip(&found.probabilities).enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(fields, "{comma}{}:{}", quoted(&label.name), rounded(*probability));
    }
    let _ = write!(fields, "}},\"unsure\":{}", found.is_unsure);
    if found.n_cut_chars > 0 {
        let _ = write!(fields, ",\"cut_chars\":{}", found.n_cut_chars);
    }
    fields
}

/// Nine places are enough for a thousand labels to add up to 1.
fn rounded(probability: f64) -> f64 {
    (probability * 1e9).round() / 1e9
}

/// What a person has corrected for these labels; of a text that is among the examples it holds.
fn add_corrections(examples: &mut Vec<LabelledText>, labels: &LabelSet) -> Result<(), String> {
    // Who has no home folder has corrected nothing.
    let Ok(path) = correct::file() else { return Ok(()) };
    let read = Corrections::read(&path)?;
    terminal::notes(&read.notes);
    let corrected = read.examples(labels);
    examples.retain(|it| !corrected.iter().any(|other| other.text == it.text.trim()));
    examples.extend(corrected);
    Ok(())
}

/// What is not known where labels have no examples.
fn by_name(n_labels: usize) -> Option<String> {
    let who = match n_labels {
        0 => return None,
        1 => "one label has no example, so its name stands".to_owned(),
        n => format!("{n} labels have no example, so their names stand"),
    };
    Some(format!(
        "{who} in for one, and that is little more than a guess; give some with --examples"
    ))
}

/// Of the file of examples.
const MAX_EXAMPLE_BYTES: u64 = 64 << 20;

#[derive(Debug, Deserialize)]
struct ExampleLine {
    text: String,
    label: String,
}

fn read_examples(
    path: &Path,
    labels: &LabelSet,
    faults: &mut Faults,
) -> Result<Vec<LabelledText>, String> {
    let unreadable = |error| format!("{} can't be read ({error})", path.display());
    let bytes = files::read(path, MAX_EXAMPLE_BYTES).map_err(unreadable)?;
    let mut examples = Vec::new();
    for line in Lines::new(&*bytes) {
        let line = line?;
        match example(&line, labels) {
            Ok(example) => examples.push(example),
            Err(what) => {
                faults.meet(&format!("line {} of {} {what}", line.number, path.display()))?;
            }
        }
    }
    Ok(examples)
}

fn example(line: &Line, labels: &LabelSet) -> Result<LabelledText, String> {
    let bytes = line.bytes.as_ref().map_err(|fault| (*fault).to_owned())?;
    let ExampleLine { text, label } = serde_json::from_slice(bytes).map_err(|error| {
        format!("is not {{\"text\": …, \"label\": …}} as JSON (column {})", error.column())
    })?;
    if text.trim().is_empty() {
        return Err("has an empty text".to_owned());
    }
    match labels.place(&label) {
        Some(label) => Ok(LabelledText { text, label }),
        None => Err("has a label that is none of --labels".to_owned()),
    }
}
