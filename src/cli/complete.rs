//! `keyside complete`: the editor's own pipeline at one caret, or at many from standard input.

use std::io::BufRead;
use std::path::Path;
use std::str::FromStr;

use ropey::Rope;
use serde::Deserialize;
use serde_json::json;

use crate::app::Session;
use crate::cli::beside::{files_beside, workspace_of};
use crate::cli::{CompleteArguments, setup, terminal};
use crate::completion::{Completion, CompletionAsk, CompletionMode, Dropped, complete};
use crate::stdx::milliseconds as ms;

/// Runs the command.
///
/// # Errors
/// One sentence.
pub fn run(arguments: &CompleteArguments) -> Result<(), String> {
    let (session, runtime) = setup::session(arguments.model.as_deref())?;
    match &arguments.place {
        Some(place) => {
            let ask = ask_at(place)?;
            let model = runtime.block_on(session.engine().ready())?;
            let files = files_beside(&session, &model, &place.path);
            let answer = |explicit: bool| {
                let ask = CompletionAsk { files: files.clone(), ..ask.clone() }
                    .with_mode(mode(explicit))
                    .arriving(session.completer.next_arrival());
                runtime.block_on(complete(&session.completer, ask)).map_err(|it| it.to_string())
            };
            let completion = answer(!arguments.automatic)?;
            let while_typing = if arguments.automatic { None } else { Some(answer(false)?) };
            print_one(&completion, while_typing.as_ref(), arguments.json)
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
    let caret = start + column - 1;
    Ok(CompletionAsk::at(path.as_str(), in_workspace(path), rope, caret))
}

fn mode(explicit: bool) -> CompletionMode {
    if explicit { CompletionMode::ScriptedExplicit } else { CompletionMode::Scripted }
}

/// A path as the model is shown it in an editor: from the workspace's folder on.
fn in_workspace(path: &str) -> String {
    let file = std::path::absolute(path).ok();
    let folder = file.as_deref().and_then(workspace_of);
    match (&file, &folder) {
        (Some(file), Some(folder)) => {
            file.strip_prefix(folder).unwrap_or(file).display().to_string()
        }
        _ => path.to_owned(),
    }
}

/// A path as a person sees it who is in this folder.
pub fn relative(path: &str) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let absolute = here.join(path);
    absolute.strip_prefix(&here).unwrap_or(Path::new(path)).display().to_string()
}

fn print_one(
    completion: &Completion,
    while_typing: Option<&Completion>,
    as_json: bool,
) -> Result<(), String> {
    if as_json {
        let mut value = to_json(None, completion);
        (value["raw"], value["dropped"]) =
            (json!(completion.raw), json!(completion.dropped.map(Dropped::name)));
        value["while_typing"] = json!(while_typing.map(|it| {
            json!({"completion": it.text_as_in_document(), "raw": it.raw, "dropped": it.dropped.map(Dropped::name)})
        }));
        return terminal::print_json(&format!("{value}\n"));
    }
    let times = completion.times;
    let usage = completion.usage;
    terminal::print(&format!(
        "{}{}\nassemble {:.2} ms · prompt {:.2} ms ({} tokens cached, {} evaluated) · generate \
         {:.2} ms ({} tokens) · total {:.2} ms · confidence {:.2}\n",
        shown(completion),
        while_typing.map(|it| beside(completion, it)).unwrap_or_default(),
        ms(completion.assemble),
        ms(times.prompt),
        usage.cached_tokens,
        usage.evaluated_tokens,
        ms(times.generate),
        usage.generated_tokens,
        ms(completion.total),
        completion.confidence,
    ))
}

/// The suggestion; or what was generated in its place, marked as what no editor shows, and why.
fn shown(completion: &Completion) -> String {
    let Some(why) = completion.dropped else { return format!("{}\n", completion.text) };
    let marked: String = completion.raw.lines().map(|it| format!("✗ {it}\n")).collect();
    format!("{marked}(nothing is shown in an editor: {why})\n")
}

/// What is shown to somebody who types and has not asked, where that is something else.
fn beside(asked: &Completion, while_typing: &Completion) -> String {
    match while_typing.dropped {
        _ if while_typing.text == asked.text => String::new(),
        None if while_typing.text.is_empty() => {
            "(while typing nothing is shown: it is not sure enough)\n".to_owned()
        }
        None => format!("(while typing: {})\n", while_typing.text),
        Some(why) => format!("(while typing nothing is shown: {why})\n"),
    }
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
                let rope = Rope::from_str(&(line.prefix + &line.suffix));
                // Lines do not depend on each other, whatever their paths.
                let ask = CompletionAsk::at(format!("batch:{index}"), line.path, rope, caret)
                    .with_mode(mode(explicit))
                    .arriving(index as u64);
                match runtime.block_on(complete(&session.completer, ask)) {
                    Ok(completion) => to_json(Some(line.id), &completion),
                    Err(error) => json!({"id": line.id, "error": error.to_string()}),
                }
            }
        };
        n_failed += usize::from(answer.get("error").is_some());
        // Flushed line by line: whoever reads may wait for each answer before the next question.
        terminal::print_json(&format!("{answer}\n"))?;
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::completion::CompletionSource;
    use crate::lm::{Source, Times, Usage};

    fn completion(text: &str, raw: &str, dropped: Option<Dropped>) -> Completion {
        Completion {
            token_ends: Vec::new(),
            text: text.to_owned(),
            raw: raw.to_owned(),
            dropped,
            crlf: false,
            replaced_after: 0,
            alternatives: Vec::new(),
            word_start: 0,
            id: 1,
            confidence: 0.5,
            usage: Usage::default(),
            times: Times::default(),
            assemble: Duration::ZERO,
            total: Duration::ZERO,
            source: CompletionSource::Generated(Source::WholePrompt),
            ends_line: false,
        }
    }

    #[test]
    fn junk_is_marked_with_why_it_is_not_shown() {
        let good = completion("x + 1;", "x + 1;\n", None);
        let junk = completion("", "10, 10, 10,\n10,", Some(Dropped::Repetition));
        let short = completion("", ";", Some(Dropped::TooShort));
        let nothing = completion("", "", None);
        assert_eq!(shown(&good), "x + 1;\n");
        assert_eq!(
            shown(&junk),
            "✗ 10, 10, 10,\n✗ 10,\n(nothing is shown in an editor: repetition)\n"
        );
        assert_eq!(beside(&good, &good), "");
        assert_eq!(beside(&good, &short), "(while typing nothing is shown: too short)\n");
        assert_eq!(
            beside(&good, &nothing),
            "(while typing nothing is shown: it is not sure enough)\n"
        );
        let less = completion("x", "x", None);
        assert_eq!(beside(&good, &less), "(while typing: x)\n");
    }
}
