//! `keyside complete`: the editor's own pipeline at one caret, or at many from standard input.

use std::io::{BufRead, Write};
use std::path::Path;
use std::str::FromStr;

use ropey::Rope;
use serde::Deserialize;
use serde_json::json;

use crate::assist::{Completion, CompletionAsk, OtherFiles, Session, complete};
use crate::cli::{CompleteArguments, setup};
use crate::stdx::milliseconds as ms;

/// Runs the command.
///
/// # Errors
/// One sentence.
pub fn run(arguments: &CompleteArguments) -> Result<(), String> {
    let (session, runtime) = setup::session(arguments.model.as_deref())?;
    match &arguments.place {
        Some(place) => {
            let mut ask = ask_at(place)?;
            ask.explicit = !arguments.automatic;
            let completion =
                runtime.block_on(complete(&session, ask)).map_err(|it| it.to_string())?;
            print_one(&completion, arguments.json)
        }
        None => batch(&session, &runtime, !arguments.automatic),
    }
}

/// `FILE:LINE:COLUMN`, both counted from 1.
#[derive(Debug, Clone)]
pub struct Place {
    path: String,
    line: usize,
    column: usize,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = || {
            let (rest, column) = text.rsplit_once(':')?;
            let (path, line) = rest.rsplit_once(':')?;
            let number = |text: &str| text.parse().ok().filter(|n| *n > 0);
            let place =
                Self { path: path.to_owned(), line: number(line)?, column: number(column)? };
            (!path.is_empty()).then_some(place)
        };
        parts().ok_or_else(|| "write FILE:LINE:COLUMN, for example src/main.rs:12:5".to_owned())
    }
}

fn ask_at(Place { path, line, column }: &Place) -> Result<CompletionAsk, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{path} can't be read ({error})"))?;
    let rope = Rope::from_str(&String::from_utf8_lossy(&bytes));
    if *line > rope.len_lines() {
        return Err(format!("{path} has {} lines; name one of them", rope.len_lines()));
    }
    let start = rope.line_to_char(line - 1);
    let end = crate::text::position::line_end_char(&rope, line - 1);
    if column - 1 > end - start {
        return Err(format!(
            "line {line} of {path} has {} columns; name one of them",
            end - start + 1
        ));
    }
    Ok(CompletionAsk {
        uri: path.as_str().into(),
        language_id: "".into(),
        path: relative(path),
        caret: start + column - 1,
        rope,
        explicit: true,
        arrival: 0,
        others: Vec::new(),
        files: OtherFiles::None,
        cold: false,
        patient: true,
    })
}

/// A path as the model is shown it.
pub fn relative(path: &str) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let absolute = here.join(path);
    absolute.strip_prefix(&here).unwrap_or(Path::new(path)).display().to_string()
}

fn print_one(completion: &Completion, as_json: bool) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    let times = completion.times;
    let usage = completion.usage;
    let written = if as_json {
        writeln!(out, "{}", to_json(None, completion))
    } else {
        let why = completion.dropped.map(|why| format!("(nothing: {why})\n")).unwrap_or_default();
        writeln!(
            out,
            "{}\n{why}\nassemble {:.2} ms · prompt {:.2} ms ({} tokens cached, {} evaluated) · generate \
             {:.2} ms ({} tokens) · total {:.2} ms · confidence {:.2}",
            completion.text,
            ms(completion.assemble),
            ms(times.prompt),
            usage.cached_tokens,
            usage.evaluated_tokens,
            ms(times.generate),
            usage.generated_tokens,
            ms(completion.total),
            completion.confidence,
        )
    };
    written.map_err(|error| format!("the answer can't be written ({error})"))
}

#[derive(Deserialize)]
struct BatchLine {
    id: serde_json::Value,
    #[serde(default)]
    path: String,
    prefix: String,
    #[serde(default)]
    suffix: String,
}

fn batch(
    session: &Session,
    runtime: &tokio::runtime::Runtime,
    explicit: bool,
) -> Result<(), String> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut n_failed = 0;
    for (index, line) in std::io::stdin().lock().split(b'\n').enumerate() {
        let line = line.map_err(|error| format!("standard input can't be read ({error})"))?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let answer = match serde_json::from_slice::<BatchLine>(&line) {
            Err(error) => {
                json!({"id": null, "error": format!("line {} is not usable: {error}", index + 1)})
            }
            Ok(line) => {
                let caret = line.prefix.chars().count();
                let ask = CompletionAsk {
                    // Lines do not depend on each other, whatever their paths.
                    uri: format!("batch:{index}").into(),
                    language_id: "".into(),
                    path: line.path,
                    rope: Rope::from_str(&(line.prefix + &line.suffix)),
                    caret,
                    explicit,
                    arrival: index as u64,
                    others: Vec::new(),
                    files: OtherFiles::None,
                    cold: false,
                    patient: true,
                };
                match runtime.block_on(complete(session, ask)) {
                    Ok(completion) => to_json(Some(line.id), &completion),
                    Err(error) => json!({"id": line.id, "error": error.to_string()}),
                }
            }
        };
        n_failed += usize::from(answer.get("error").is_some());
        // Flushed line by line: whoever reads may wait for each answer before the next question.
        writeln!(out, "{answer}")
            .and_then(|()| out.flush())
            .map_err(|error| format!("the answers can't be written ({error})"))?;
    }
    if n_failed > 0 {
        return Err(format!("{n_failed} lines were not completed; their `error` says why"));
    }
    Ok(())
}

fn to_json(id: Option<serde_json::Value>, completion: &Completion) -> serde_json::Value {
    let mut value = json!({
        "completion": completion.text_as_in_document(),
        "replaced_after": completion.replaced_after,
        "confidence": completion.confidence,
        "ms": ms(completion.total),
        "evaluated_tokens": completion.usage.evaluated_tokens,
        "cached_tokens": completion.usage.cached_tokens,
        "generated_tokens": completion.usage.generated_tokens,
    });
    if let Some(id) = id {
        value["id"] = id;
    }
    value
}
