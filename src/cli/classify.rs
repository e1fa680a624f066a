//! `keyside classify`: which of some labels each text of a stream has.

pub mod items;
pub mod progress;

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde::Deserialize;

use crate::classify::labels::LabelSet;
use crate::classify::{LabelledText, TextClassifier};
use crate::cli::classify::items::{DoneItems, Lines, TextItem};
use crate::cli::classify::progress::ItemProgress;
use crate::cli::{correct, terminal};
use crate::corrections::Corrections;
use crate::files;
use crate::stdx::milliseconds;

/// What `classify` takes.
#[derive(Debug, Args)]
pub struct ClassifyArguments {
    /// The labels, with commas between them; `label=description` says more of one.
    #[arg(long, value_name = "A,B,C", value_parser = LabelSet::parse)]
    pub labels: LabelSet,
    /// Texts whose labels are known, a line of JSON each: `{"text","label"}`.
    #[arg(long, value_name = "FILE")]
    pub examples: Option<PathBuf>,
    /// Write the answers into this file, and not to standard output.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Go on where an earlier run was stopped: skip the ids that the output file has.
    #[arg(long, requires = "output")]
    pub resume: bool,
    /// Stop at the first line that is not usable, and fail.
    #[arg(long)]
    pub strict: bool,
}

impl ClassifyArguments {
    /// The folder in which this command writes.
    pub fn output_folder(&self) -> Option<PathBuf> {
        let folder = self.output.as_ref()?.parent()?;
        Some(if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() })
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
    let mut faults = Faults::new(arguments.strict);
    let mut examples = match &arguments.examples {
        Some(path) => read_examples(path, &arguments.labels, &mut faults)?,
        None => Vec::new(),
    };
    add_corrections(&mut examples, &arguments.labels)?;
    let mut done = DoneItems::default();
    let mut output = match &arguments.output {
        Some(path) => Output::File(open_output(path, arguments.resume, &mut done)?),
        None => Output::Standard,
    };
    let classifier = TextClassifier::fit(arguments.labels.clone(), &examples)?;
    if let Some(sentence) = by_name(classifier.n_labels_by_name()) {
        terminal::complain(&sentence);
    }
    let mut progress = ItemProgress::start();
    let (mut n_answered, mut n_skipped) = (0, 0);
    for line in Lines::new(std::io::stdin().lock()) {
        let line = line?;
        progress.read(line.n_bytes);
        let started = Instant::now();
        match TextItem::of(&line) {
            Ok(item) if done.take(&item.id) => n_skipped += 1,
            Ok(item) => {
                let answer = item.answered(&classifier, || milliseconds(started.elapsed()));
                output.write(&answer)?;
                n_answered += 1;
            }
            Err(fault) => {
                faults.meet(&fault.sentence)?;
                output.write(&fault.answer())?;
            }
        }
        progress.show(n_answered);
    }
    progress.end();
    if arguments.resume && n_skipped > 0 {
        terminal::complain(&format!("{n_skipped} items were done already, {n_answered} are new"));
    }
    faults.say_how_many();
    Ok(())
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

/// Lines that were not usable.
#[derive(Debug)]
pub(crate) struct Faults {
    is_strict: bool,
    n: usize,
}

/// So many are said one by one.
const MAX_FAULTS_SAID: usize = 5;

impl Faults {
    pub(crate) fn new(is_strict: bool) -> Self {
        Self { is_strict, n: 0 }
    }

    /// Says what is wrong, and that it was passed over.
    pub(crate) fn meet(&mut self, sentence: &str) -> Result<(), String> {
        if self.is_strict {
            return Err(format!("{sentence}; correct it, or leave out --strict to pass over it"));
        }
        self.n += 1;
        if self.n <= MAX_FAULTS_SAID {
            terminal::complain(sentence);
        }
        Ok(())
    }

    pub(crate) fn say_how_many(&self) {
        if self.n > 0 {
            let lines = if self.n == 1 { "line was" } else { "lines were" };
            terminal::complain(&format!("{} {lines} passed over", self.n));
        }
    }
}

/// Where answers go. Each is written whole and at once: whoever reads may wait for it before the
/// next question, and whoever stops this has whole lines.
#[derive(Debug)]
enum Output {
    Standard,
    File(File),
}

impl Output {
    fn write(&mut self, answer: &str) -> Result<(), String> {
        match self {
            Self::Standard => terminal::print_json(answer),
            Self::File(file) => file
                .write_all(answer.as_bytes())
                .map_err(|error| format!("the answer can't be written ({error})")),
        }
    }
}

/// Opens the file for answers: anew, or to go on behind its last whole line.
fn open_output(path: &Path, resume: bool, done: &mut DoneItems) -> Result<File, String> {
    let unusable = |error: std::io::Error| format!("{} can't be used ({error})", path.display());
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(!resume);
    let mut file = options.open(path).map_err(unusable)?;
    if !resume {
        return Ok(file);
    }
    let mut n_whole_bytes = 0;
    let mut reader = BufReader::new(&file);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).map_err(unusable)? > 0 {
        // The last line of a run that was stopped may be a part of one.
        if line.ends_with(b"\n") {
            n_whole_bytes += line.len() as u64;
            done.note(&line);
        }
        line.clear();
    }
    file.set_len(n_whole_bytes).map_err(unusable)?;
    file.seek(SeekFrom::Start(n_whole_bytes)).map_err(unusable)?;
    Ok(file)
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

fn example(line: &items::Line, labels: &LabelSet) -> Result<LabelledText, String> {
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
