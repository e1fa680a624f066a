//! A stream of items from standard input to the answers: in order, each as soon as it is known,
//! resumable, and none lost for a bad line before it.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;

use crate::cli::items::progress::ItemProgress;
use crate::cli::items::{DoneItems, ItemFault, Lines, TextItem};
use crate::cli::terminal;
use crate::stdx::milliseconds;

/// What every command takes that answers items.
#[derive(Debug, Args)]
pub struct StreamArguments {
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

impl StreamArguments {
    /// The folder in which the command writes.
    pub fn output_folder(&self) -> Option<PathBuf> {
        let folder = self.output.as_ref()?.parent()?;
        Some(if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() })
    }
}

/// See the module.
#[derive(Debug)]
pub struct ItemStream {
    output: Output,
    done: DoneItems,
    is_resumed: bool,
    faults: Faults,
}

impl ItemStream {
    /// Opens the output; `faults` may have met some already.
    ///
    /// # Errors
    /// One sentence, where the file for the answers can't be used.
    pub fn open(arguments: &StreamArguments, faults: Faults) -> Result<Self, String> {
        let mut done = DoneItems::default();
        let output = match &arguments.output {
            Some(path) => Output::File(open_output(path, arguments.resume, &mut done)?),
            None => Output::Standard,
        };
        Ok(Self { output, done, is_resumed: arguments.resume, faults })
    }

    /// Reads `{"id","text"}`, a line each, and writes the id, the fields that `answer` gives for
    /// the text, and `ms`. Where it gives none but what is wrong, which goes on behind the line's
    /// number, and for a line that is not usable, it writes `{"id","error"}`.
    ///
    /// # Errors
    /// One sentence: the answers can't be written, or an item has no answer and `--strict` was
    /// given.
    pub fn answer_each(
        mut self,
        mut answer: impl FnMut(&str) -> Result<String, String>,
    ) -> Result<(), String> {
        let mut progress = ItemProgress::start();
        let (mut n_answered, mut n_skipped) = (0, 0);
        for line in Lines::new(std::io::stdin().lock()) {
            let line = line?;
            progress.read(line.n_bytes);
            let started = Instant::now();
            let answered = match TextItem::of(&line) {
                Ok(item) if self.done.take(&item.id) => {
                    n_skipped += 1;
                    continue;
                }
                Ok(item) => match answer(item.text()) {
                    Ok(fields) => Ok((item.id, fields)),
                    Err(what) => Err(ItemFault::new(item.id, line.number, &what)),
                },
                Err(fault) => Err(fault),
            };
            match answered {
                Ok((id, fields)) => {
                    let ms = (milliseconds(started.elapsed()) * 1e3).round() / 1e3;
                    self.output.write(&format!("{{\"id\":{id},{fields},\"ms\":{ms}}}\n"))?;
                    n_answered += 1;
                }
                Err(fault) => {
                    self.faults.meet(&fault.sentence)?;
                    self.output.write(&fault.answer())?;
                }
            }
            progress.show(n_answered);
        }
        progress.end();
        if self.is_resumed && n_skipped > 0 {
            terminal::complain(&format!(
                "{n_skipped} items were done already, {n_answered} are new"
            ));
        }
        self.faults.say_how_many();
        Ok(())
    }
}

/// Lines that were not usable.
#[derive(Debug)]
pub struct Faults {
    is_strict: bool,
    n: usize,
}

/// So many are said one by one.
const MAX_FAULTS_SAID: usize = 5;

impl Faults {
    pub fn new(is_strict: bool) -> Self {
        Self { is_strict, n: 0 }
    }

    /// Says what is wrong, and that it was passed over.
    ///
    /// # Errors
    /// The same sentence, where the first fault is to stop everything.
    pub fn meet(&mut self, sentence: &str) -> Result<(), String> {
        if self.is_strict {
            return Err(format!("{sentence}; correct it, or leave out --strict to pass over it"));
        }
        self.n += 1;
        if self.n <= MAX_FAULTS_SAID {
            terminal::complain(sentence);
        }
        Ok(())
    }

    /// Says how many there were.
    pub fn say_how_many(&self) {
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
