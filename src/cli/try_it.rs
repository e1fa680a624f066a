//! `keyside try`: types a real file as a person would, and shows the ghost text and what it cost.
//!
//! A stretch of the file is taken out and typed again, key by key, through the editor's own
//! pipeline. Whenever the ghost text is right, it is accepted, as a person would. The summary
//! compares the latency with the same carets asked without the resident prompt, which is what a
//! server that starts from nothing at each key would need.

use std::time::Duration;

use clap::Args;
use ropey::Rope;
use serde_json::json;

use crate::cli::beside::files_beside;
use crate::cli::complete::relative;
use crate::cli::terminal::{self, Styled};
use crate::cli::{setup, whole_number};
use crate::completion::{Completion, CompletionMode, OtherFiles};
use crate::evaluate::keyboard::{Key, SimulatedTypist, n_spared};
use crate::lm::TaskError;
use crate::stdx::{milliseconds, quantile};
use crate::text::position::line_end_char;

/// What is typed where no file is given, with its name.
const SAMPLE: (&str, &str) =
    ("documents.rs", include_str!("../../tests/fixtures/project/lib/text/documents.rs"));
/// Between two keys when somebody watches: fast typing.
const KEY_GAP: Duration = Duration::from_millis(55);
/// Carets that are asked again without the resident prompt.
const BASELINE_CARETS: usize = 25;

/// What `try` takes.
#[derive(Debug, Args)]
pub struct TryArguments {
    /// The file to type; without one, a sample in Rust that is part of the program.
    pub file: Option<String>,
    /// The first line to type (from 1); without it, a stretch a third into the file.
    #[arg(long, value_parser = whole_number)]
    pub from: Option<usize>,
    /// How many lines to type.
    #[arg(long, default_value_t = 14, value_parser = whole_number)]
    pub lines: usize,
    /// Print the summary as JSON, nothing else.
    #[arg(long)]
    pub json: bool,
    /// Use this GGUF file instead of the model in the settings.
    #[arg(long)]
    pub model: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// One sentence.
pub fn run(arguments: &TryArguments) -> Result<(), String> {
    let (path, text) = match &arguments.file {
        Some(path) => {
            let bytes =
                std::fs::read(path).map_err(|error| format!("{path} can't be read ({error})"))?;
            (path.clone(), String::from_utf8_lossy(&bytes).into_owned())
        }
        None => (SAMPLE.0.to_owned(), SAMPLE.1.to_owned()),
    };
    let rope = Rope::from_str(&text);
    let (from, to) = stretch(&rope, arguments.from, arguments.lines)
        .ok_or_else(|| format!("{path} has no lines to type"))?;
    let (session, runtime) = setup::session(arguments.model.as_deref())?;
    let model = runtime.block_on(session.engine().ready())?;

    let watched = terminal::is_watched() && !arguments.json;
    let mut screen = Screen { watched, first_line: rope.char_to_line(from), n_finished: 0 };
    // The sample is on no disk, so nothing is beside it.
    let files = match &arguments.file {
        Some(path) => files_beside(&session, &model, path),
        None => OtherFiles::None,
    };
    let path = relative(&path);
    screen.begin(&path, &model.name);
    let mut typist = SimulatedTypist::new(&session.completer, &path, &rope, from, to).beside(files);
    let goal = typist.goal().to_vec();
    let failed = |error: TaskError| error.to_string();
    let typing = typist.type_all(|at, accepted, completion| {
        screen.draw(&goal[..at], accepted, completion);
    });
    let (keys, accepted) = runtime.block_on(typing).map_err(failed)?;
    screen.draw_last(&goal, &accepted);
    // A sample of the same carets, evenly spread, with nothing resident.
    let mut baseline = Vec::new();
    for key in keys.iter().step_by(keys.len().div_ceil(BASELINE_CARETS).max(1)) {
        baseline.push(runtime.block_on(typist.ask(key.at, CompletionMode::Cold)).map_err(failed)?);
    }
    let summary = Summary::of(&keys, goal.len(), &baseline);
    if arguments.json {
        return terminal::print_json(&summary.to_json(&path, &model.name));
    }
    terminal::print(&summary.to_text(&path, &model.name))
}

/// The characters to type: whole lines, without the last line's break.
fn stretch(rope: &Rope, from: Option<usize>, n_lines: usize) -> Option<(usize, usize)> {
    let last = rope.len_lines();
    let first = match from {
        Some(line) => line.checked_sub(1)?,
        // From a third on, the first line that begins something.
        None => (last / 3..last)
            .find(|line| rope.line(*line).chars().next().is_some_and(char::is_alphabetic))
            .unwrap_or(0),
    };
    let end = first.saturating_add(n_lines).min(last).checked_sub(1)?;
    let (from, to) = (rope.try_line_to_char(first).ok()?, line_end_char(rope, end));
    (from < to).then_some((from, to))
}

/// The line that is being typed, drawn over and over; lines above it stay.
struct Screen {
    watched: bool,
    first_line: usize,
    /// Lines of the stretch that are typed and drawn for the last time.
    n_finished: usize,
}

impl Screen {
    fn begin(&self, path: &str, model: &str) {
        if self.watched {
            let line =
                Styled::line().dim(&format!("{path}, typed again with {model}; accepted text is "));
            let how = if terminal::has_colours() { "green" } else { "in brackets" };
            line.accepted(how).plain("\n\n").print();
        }
    }

    fn draw(&mut self, typed: &[char], accepted: &[bool], completion: &Completion) {
        if !self.watched {
            return;
        }
        let mut ghost = completion.text.lines();
        let first = ghost.next().unwrap_or_default();
        let n_more = ghost.count();
        let more = if n_more > 0 { format!(" ⏎ +{n_more}") } else { String::new() };
        let ms = milliseconds(completion.total);
        // Without colours something else has to part what is typed from what is suggested.
        let mark = if terminal::has_colours() { "" } else { " ▸ " };
        self.line(typed, accepted, &format!("{mark}{first}{more}   {ms:.1} ms"));
        std::thread::sleep(KEY_GAP);
    }

    fn draw_last(&mut self, typed: &[char], accepted: &[bool]) {
        if self.watched {
            self.line(typed, accepted, "");
            Styled::line().plain("\n\n").print();
        }
    }

    fn line(&mut self, typed: &[char], accepted: &[bool], after: &str) {
        let mut start = 0;
        for (n, line) in typed.split(|c| *c == '\n').enumerate() {
            let row = row(self.first_line + n + 1, line, &accepted[start..]);
            start += line.len() + 1;
            if start > typed.len() {
                row.dim(after).print();
            } else if n >= self.n_finished {
                // A line that is done is drawn once more, without ghost text, and left.
                row.plain("\n").print();
                self.n_finished = n + 1;
            }
        }
    }
}

fn row(n_line: usize, typed: &[char], accepted: &[bool]) -> Styled {
    let mut row = Styled::anew().dim(&format!("{n_line:>5} │")).plain(" ");
    let characters: Vec<(char, bool)> =
        typed.iter().copied().zip(accepted.iter().copied()).collect();
    for run in characters.chunk_by(|a, b| a.1 == b.1) {
        let text: String = run.iter().map(|(c, _)| *c).collect();
        row = if run[0].1 { row.accepted(&text) } else { row.plain(&text) };
    }
    row
}

struct Summary {
    n_keys: usize,
    n_characters: usize,
    n_shown: usize,
    n_accepted: usize,
    n_spared: usize,
    median_ms: f64,
    p95_ms: f64,
    median_evaluated_tokens: f64,
    baseline_ms: f64,
    n_baseline: usize,
}

impl Summary {
    fn of(keys: &[Key], n_characters: usize, baseline: &[Completion]) -> Self {
        let ms = |it: &Completion| milliseconds(it.total);
        // The first prompt is cold in both; it is what the baseline measures.
        let warm: Vec<&Completion> = keys.iter().skip(1).map(|key| &key.completion).collect();
        let latencies = sorted(warm.iter().map(|it| ms(it)).collect());
        let evaluated = sorted(warm.iter().map(|it| it.usage.evaluated_tokens as f64).collect());
        Self {
            n_keys: keys.len(),
            n_characters,
            n_shown: keys.iter().filter(|key| !key.completion.text.is_empty()).count(),
            n_accepted: keys.iter().filter(|key| key.was_right).count(),
            n_spared: n_spared(keys),
            median_ms: quantile(&latencies, 0.5),
            p95_ms: quantile(&latencies, 0.95),
            median_evaluated_tokens: quantile(&evaluated, 0.5),
            baseline_ms: quantile(&sorted(baseline.iter().map(ms).collect()), 0.5),
            n_baseline: baseline.len(),
        }
    }

    fn ratio(&self) -> f64 {
        if self.median_ms > 0.0 { self.baseline_ms / self.median_ms } else { 0.0 }
    }

    fn spared_share(&self) -> f64 {
        self.n_spared as f64 / self.n_characters.max(1) as f64
    }

    fn to_text(&self, path: &str, model: &str) -> String {
        format!(
            "{path} with {model}\n\
             keys {} for {} characters · ghost text at {} · right and accepted {} · {:.0}% of the keys \
             spared\n\
             key to ghost text: median {:.1} ms, 95% within {:.1} ms · {:.0} prompt tokens evaluated a \
             key (median)\n\
             without the resident prompt: median {:.1} ms ({} carets) · {:.1} times as long\n",
            self.n_keys,
            self.n_characters,
            self.n_shown,
            self.n_accepted,
            self.spared_share() * 100.0,
            self.median_ms,
            self.p95_ms,
            self.median_evaluated_tokens,
            self.baseline_ms,
            self.n_baseline,
            self.ratio(),
        )
    }

    fn to_json(&self, path: &str, model: &str) -> String {
        let value = json!({
            "file": path,
            "model": model,
            "keys": self.n_keys,
            "characters": self.n_characters,
            "shown": self.n_shown,
            "accepted": self.n_accepted,
            "spared_share": self.spared_share(),
            "median_ms": self.median_ms,
            "p95_ms": self.p95_ms,
            "median_evaluated_tokens": self.median_evaluated_tokens,
            "baseline_median_ms": self.baseline_ms,
            "baseline_carets": self.n_baseline,
            "ratio": self.ratio(),
        });
        format!("{value}\n")
    }
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}
