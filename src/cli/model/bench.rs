//! `keyside model bench`: which model is best for this person, on this machine and with the code of
//! this folder. Each is measured by a process of its own; nothing leaves the machine and nothing is
//! written.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use crate::cli::bench_model::BenchOrder;
use crate::cli::beside::workspace_of;
use crate::cli::model::{completes, found, named, size};
use crate::cli::{setup, terminal, whole_number};
use crate::config::BuiltInModel;
use crate::config::folders::Folders;
use crate::evaluate::model_bench::{BenchLine, BenchedModel, ModelComparison, compared};
use crate::machine;
use crate::models::{FoundModel, KeptBy, built_in};

/// For loading a model and reading the workspace, beside the typing; a process that takes longer
/// hangs.
const LONGEST_START: Duration = Duration::from_secs(180);

/// What `model bench` takes.
#[derive(Debug, Args)]
pub struct BenchArguments {
    /// Their names in `keyside model list` or parts of them, or files; without any, all that can
    /// complete code and fit into the memory.
    models: Vec<String>,
    /// Whose code is typed; without it, the repository that you are in.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Characters to type, the same ones with each model.
    #[arg(long, default_value_t = 1_500, value_parser = whole_number)]
    characters: usize,
    /// The longest time that one model types.
    #[arg(long, default_value_t = 90, value_parser = whole_number)]
    seconds: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A model and what came of it.
struct Measured {
    model: FoundModel,
    load_ms: f64,
    memory_bytes: Option<u64>,
    n_stretches: usize,
    /// Why it can't be compared.
    problem: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// One sentence, where no model could be measured.
pub(super) fn run(folders: &Folders, arguments: &BenchArguments) -> Result<(), String> {
    let folder = match &arguments.folder {
        Some(it) if !it.is_dir() => {
            return Err(format!("{} is no folder; name one with code of yours", it.display()));
        }
        Some(it) => std::path::absolute(it).unwrap_or_else(|_| it.clone()),
        None => {
            let here = std::env::current_dir().map_err(|error| {
                format!("the present folder can't be told ({error}); use --folder")
            })?;
            workspace_of(&here.join(".")).unwrap_or(here)
        }
    };
    let Chosen { models, skipped } = chosen(folders, &arguments.models)?;
    let (mut all, mut candidates) = (Vec::new(), Vec::new());
    for model in models {
        let order = BenchOrder {
            model: model.path.to_str().unwrap_or_default().to_owned(),
            built_in: built_in_called(&model),
            folder: folder.clone(),
            n_characters: arguments.characters,
            seconds: arguments.seconds as u64,
        };
        let name = name_of(&model);
        let mut candidate = BenchedModel { name: name.clone(), ..BenchedModel::default() };
        let mut measured =
            Measured { model, load_ms: 0.0, memory_bytes: None, n_stretches: 0, problem: None };
        measured.problem = measure(&order, &mut measured, &mut candidate).err();
        all.push(measured);
        candidates.push(candidate);
    }
    if terminal::shows_progress() {
        terminal::progress("");
    }
    let comparison = compared(&candidates);
    let nothing_typed = comparison.best.is_none();
    if nothing_typed && let Some(problem) = all.iter().find_map(|it| it.problem.clone()) {
        return Err(problem);
    }
    let why = recommendation(&all, &candidates, &comparison);
    if arguments.json {
        let (models, skipped, recommended) = to_json(&all, &comparison, &skipped);
        let json = json!({"folder": folder, "seconds": arguments.seconds, "models": models,
            "skipped": skipped, "recommended": recommended, "why": why});
        return terminal::print_json(&format!("{json:#}\n"));
    }
    terminal::print(&to_text(&all, &comparison, &skipped, &why))
}

/// The models to measure, and the names of others with why they are not.
#[derive(Default)]
struct Chosen {
    models: Vec<FoundModel>,
    skipped: Vec<(String, String)>,
}

fn chosen(folders: &Folders, wanted: &[String]) -> Result<Chosen, String> {
    if !wanted.is_empty() {
        let models: Result<Vec<_>, _> = wanted.iter().map(|it| named(folders, it)).collect();
        let models = models?;
        for model in &models {
            let why = why_not(model, None);
            if let Some(why) = why {
                return Err(format!("{} can't be measured: {why}", model.name));
            }
        }
        return Ok(Chosen { models, ..Chosen::default() });
    }
    let free = machine::free_memory_bytes();
    let of_settings = setup::settings(folders).config.model.folders;
    let built_in_ones = [BuiltInModel::NanoV2, BuiltInModel::NanoV1].map(|it| built_in(it.name()));
    let all = built_in_ones.into_iter().chain(found(folders, &of_settings, &[]).models);
    let mut chosen = Chosen::default();
    for model in all {
        match why_not(&model, free) {
            None => chosen.models.push(model),
            Some(why) => chosen.skipped.push((model.name, why)),
        }
    }
    Ok(chosen)
}

fn why_not(model: &FoundModel, free: Option<u64>) -> Option<String> {
    let header = match &model.header {
        Ok(header) => header,
        Err(fault) => return Some(fault.to_string()),
    };
    if completes(header).is_none() {
        return Some("it gives no text".to_owned());
    }
    if model.path.to_str().is_none() {
        return Some("its path is no UTF-8, as settings are; rename it".to_owned());
    }
    let needed = header.resident_bytes(model.n_bytes);
    let free = free.filter(|it| needed > *it)?;
    Some(format!("it needs about {} of memory and {} are free", size(needed), size(free)))
}

fn built_in_called(model: &FoundModel) -> BuiltInModel {
    let is_v1 = model.other_names.iter().any(|it| it == BuiltInModel::NanoV1.name());
    if is_v1 { BuiltInModel::NanoV1 } else { BuiltInModel::NanoV2 }
}

/// Of one in this program, its own name.
fn name_of(model: &FoundModel) -> String {
    let own = model.other_names.first().filter(|_| model.path.as_os_str().is_empty());
    own.unwrap_or(&model.name).clone()
}

/// Has a process measure a model.
fn measure(
    order: &BenchOrder,
    measured: &mut Measured,
    candidate: &mut BenchedModel,
) -> Result<(), String> {
    let name = candidate.name.clone();
    let refused = |error: std::io::Error| {
        format!("the system refuses a process that measures {name} ({error}); try again")
    };
    let program = std::env::current_exe().map_err(refused)?;
    let mut child = Command::new(program)
        .arg("bench-model")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(refused)?;
    // It ends when its input does.
    let mut input = child.stdin.take();
    if let Some(input) = &mut input {
        let line = serde_json::to_string(order).map_err(|error| error.to_string())?;
        // Where it is gone already, its words come next.
        let _ = writeln!(input, "{line}").and_then(|()| input.flush());
    }
    let lines = lines_of(&mut child);
    let last = Instant::now() + Duration::from_secs(order.seconds) + LONGEST_START;
    let (mut n_all, mut n_typed, mut is_done) = (0, 0, false);
    let show = |what: &str| {
        if terminal::shows_progress() {
            terminal::progress(&format!("{name}: {what}"));
        }
    };
    show("loading");
    loop {
        let line = match lines.recv_timeout(last.saturating_duration_since(Instant::now())) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("{name} did not come to an end; leave it out"));
            }
        };
        match serde_json::from_str(&line) {
            Ok(BenchLine::Loaded { load_ms, n_stretches, n_characters, .. }) => {
                (measured.load_ms, measured.n_stretches) = (load_ms, n_stretches);
                n_all = n_characters;
            }
            Ok(BenchLine::Stretch { keys }) => {
                n_typed += keys.n_characters;
                show(&format!("{n_typed} of {n_all} characters typed"));
                candidate.stretches.push(keys);
            }
            Ok(BenchLine::Done { memory_bytes }) => {
                measured.memory_bytes = memory_bytes;
                is_done = true;
            }
            Err(_) => {}
        }
    }
    let ended = child.wait_with_output();
    drop(input);
    if is_done && candidate.stretches.is_empty() {
        return Err(format!(
            "{name} is too slow to finish {} seconds' worth of typing; raise --seconds, or leave it out",
            order.seconds
        ));
    }
    if is_done {
        return Ok(());
    }
    let said = ended.map(|Output { stderr: said, .. }| said).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let said = said.lines().last().unwrap_or_default().trim_start_matches("keyside: ").to_owned();
    Err(match said.is_empty() {
        true => format!("{name} makes llama.cpp fail; get the file again, or leave it out"),
        false => said,
    })
}

/// The lines that a process prints.
fn lines_of(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = channel();
    if let Some(output) = child.stdout.take() {
        let read = move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        };
        // Without a thread nothing comes, which is said then.
        let _ = std::thread::Builder::new().name("keyside-bench".to_owned()).spawn(read);
    }
    receiver
}

fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

fn recommendation(
    all: &[Measured],
    candidates: &[BenchedModel],
    ModelComparison { figures, best, as_good, .. }: &ModelComparison,
) -> String {
    let Some(best) = *best else { return "no model could be measured".to_owned() };
    let typing = &figures[best].0;
    let name = &candidates[best].name;
    let memory = all[best].memory_bytes.map(|it| format!(" and takes {}", size(it)));
    let memory = memory.unwrap_or_default();
    let how = format!(
        "it answers in {:.0} ms (95% of the keys in {:.0} ms){memory}",
        typing.median_ms, typing.p95_ms
    );
    let others: Vec<&str> = as_good.iter().map(|it| candidates[*it].name.as_str()).collect();
    if typing.time_gained <= 0.0 {
        return format!("{name} is the best of them, and gains no time with this code; {how}");
    }
    let gain = percent(typing.time_gained);
    match &others[..] {
        [] => format!("{name} gains most, {gain} of the time that typing takes; {how}"),
        some => format!(
            "{name} gains {gain} of the time that typing takes, which {} can't be told from with so few \
             characters, and is faster; {how}",
            some.join(", ")
        ),
    }
}

/// The command that takes a model into use.
fn use_command(measured: &Measured) -> String {
    let model = &measured.model;
    let is_file = model.kept_by == KeptBy::Person;
    let name = if is_file { model.path.display().to_string() } else { name_of(model) };
    format!("keyside model use {name}")
}

fn to_json(
    all: &[Measured],
    ModelComparison { figures, best, .. }: &ModelComparison,
    skipped: &[(String, String)],
) -> (Vec<Value>, Vec<Value>, Value) {
    let models = all.iter().zip(figures).map(|(it, (typing, is_compared))| {
        let header = it.model.header.as_ref().ok();
        json!({
            "name": name_of(&it.model),
            "kept_by": it.model.kept_by.as_str(),
            "path": it.model.path,
            "completes": header.and_then(completes),
            "load_ms": it.load_ms,
            "memory_bytes": it.memory_bytes,
            "is_compared": is_compared,
            "characters": typing.n_characters,
            "keys": typing.n_keys,
            "spared": typing.spared,
            "time_gained": typing.time_gained,
            "texts": typing.n_showings,
            "right_of_shown": typing.right_of_shown,
            "median_ms": typing.median_ms,
            "p95_ms": typing.p95_ms,
            "problem": it.problem,
        })
    });
    let skipped = skipped.iter().map(|(name, why)| json!({"name": name, "why": why}));
    let best =
        best.map(|it| json!({"name": name_of(&all[it].model), "command": use_command(&all[it])}));
    (models.collect(), skipped.collect(), best.unwrap_or(Value::Null))
}

fn to_text(
    all: &[Measured],
    comparison: &ModelComparison,
    skipped: &[(String, String)],
    why: &str,
) -> String {
    let heads =
        ["model", "keys spared", "time gained", "right", "median", "95%", "memory", "characters"];
    let mut table: Vec<[String; 8]> = vec![heads.map(ToOwned::to_owned)];
    for (index, (it, (typing, is_compared))) in all.iter().zip(&comparison.figures).enumerate() {
        let mark = if comparison.best == Some(index) { "*" } else { " " };
        let name = format!("{mark} {}", name_of(&it.model));
        if typing.n_keys == 0 {
            let mut row: [String; 8] = std::array::from_fn(|_| "-".to_owned());
            row[0] = name;
            table.push(row);
            continue;
        }
        let characters = match is_compared {
            true => typing.n_characters.to_string(),
            false => format!("{}, too few to compare", typing.n_characters),
        };
        table.push([
            name,
            percent(typing.spared),
            percent(typing.time_gained),
            format!("{} of {}", percent(typing.right_of_shown), typing.n_showings),
            format!("{:.1} ms", typing.median_ms),
            format!("{:.1} ms", typing.p95_ms),
            it.memory_bytes.map_or_else(|| "not told".to_owned(), size),
            characters,
        ]);
    }
    table[0][0].insert_str(0, "  ");
    let widths: [usize; 8] = std::array::from_fn(|column| {
        table.iter().map(|it| it[column].chars().count()).max().unwrap_or_default()
    });
    let mut text = String::new();
    for row in &table {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    for problem in all.iter().filter_map(|it| it.problem.as_ref()) {
        text.push_str(&format!("! {problem}\n"));
    }
    for (name, why) in skipped {
        text.push_str(&format!("! {name} was left out: {why}\n"));
    }
    text.push_str(&format!("\n{why}\n"));
    if let Some(best) = comparison.best {
        text.push_str(&format!("`{}` suggests with it\n", use_command(&all[best])));
    }
    text
}
