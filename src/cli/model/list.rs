//! `keyside model list` and `keyside model import`: what there is, a line each.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cli::model::{completes, found, own_settings, parameters, places, size};
use crate::cli::{setup, terminal};
use crate::config::folders::Folders;
use crate::files;
use crate::lm::gguf_header::CompletesBy;
use crate::machine;
use crate::models::{FoundModel, FoundModels, built_in, of_file};

/// Prints the models.
///
/// # Errors
/// One sentence.
pub(super) fn run(folders: &Folders, more: &[PathBuf], as_json: bool) -> Result<(), String> {
    let missing = more.iter().find(|it| !it.is_dir());
    if let Some(missing) = missing {
        return Err(format!("{} is no folder; name one with GGUF files in it", missing.display()));
    }
    let resolved = setup::settings(folders);
    terminal::notes(&resolved.notes);
    let config = resolved.config.model;
    let mut found = found(folders, &config.folders, more);
    let used = used(&config.path, &mut found);
    let free = machine::free_memory_bytes();
    found.models.insert(0, built_in(config.built_in.name()));
    let rows = found.models.iter().enumerate();
    let rows = rows.map(|(index, it)| Row::of(it, used.map_or(0, |it| it + 1) == index, free));
    if as_json {
        let models: Vec<Value> = rows.map(Row::into_json).collect();
        let json = json!({"models": models, "notes": found.notes, "free_memory_bytes": free});
        return terminal::print_json(&format!("{json:#}\n"));
    }
    let mut text = to_text(rows);
    let n_others = found.models.len() - 1;
    if n_others == 0 {
        text.push_str(
            "\nno other model was found; `keyside model import FOLDER` looks in a folder of yours\n",
        );
    }
    for note in &found.notes {
        text.push_str(&format!("! {note}\n"));
    }
    terminal::print(&text)
}

/// Remembers folders, and prints what there is then.
///
/// # Errors
/// One sentence.
pub(super) fn import(folders: &Folders, more: &[PathBuf], as_json: bool) -> Result<(), String> {
    let absolute = |it: &PathBuf| match (it.is_dir(), std::path::absolute(it)) {
        (true, Ok(path)) => path.into_os_string().into_string().map_err(|_| {
            format!("the name of {} is no UTF-8, as settings are; rename it", it.display())
        }),
        _ => Err(format!("{} is no folder; name one with GGUF files in it", it.display())),
    };
    let more: Vec<String> = more.iter().map(absolute).collect::<Result<_, _>>()?;
    if !more.is_empty() {
        own_settings::add_model_folders(folders, &more)?;
    }
    run(folders, &[], as_json)?;
    if as_json {
        return Ok(());
    }
    let what =
        "each is used where it lies, none was copied; `keyside model use NAME` suggests with one";
    terminal::print(&format!("\n{what}\n"))
}

/// Which of the models the settings name; put into the list where it is not there yet.
fn used(path: &str, found: &mut FoundModels) -> Option<usize> {
    if path.is_empty() {
        return None;
    }
    let path = places::expanded(path, etcetera::home_dir().ok().as_deref());
    let real = files::real_path(&path);
    let at = found.models.iter().position(|it| files::real_path(&it.path) == real);
    Some(at.unwrap_or_else(|| {
        found.models.push(of_file(Path::new(&path)));
        found.models.len() - 1
    }))
}

/// A model's line in the list.
struct Row<'a> {
    model: &'a FoundModel,
    is_used: bool,
    memory_bytes: Option<u64>,
    fits: Option<bool>,
}

impl<'a> Row<'a> {
    fn of(model: &'a FoundModel, is_used: bool, free: Option<u64>) -> Self {
        let header = model.header.as_ref().ok();
        let memory_bytes = header.map(|it| it.resident_bytes(model.n_bytes));
        let fits = memory_bytes.zip(free).map(|(needed, free)| needed <= free);
        Self { model, is_used, memory_bytes, fits }
    }

    fn into_json(self) -> Value {
        let model = self.model;
        let header = model.header.as_ref();
        json!({
            "name": model.name,
            "other_names": model.other_names,
            "kept_by": model.kept_by.as_str(),
            "path": model.path,
            "bytes": model.n_bytes,
            "architecture": header.ok().map(|it| &it.architecture),
            "parameters": header.ok().map(|it| it.n_params),
            "quantization": header.ok().map(|it| it.quantization),
            "fim": header.ok().and_then(|it| it.fim_family),
            "completes": header.ok().and_then(completes),
            "memory_bytes": self.memory_bytes,
            "fits": self.fits,
            "is_used": self.is_used,
            "problem": header.err().map(ToString::to_string),
        })
    }
}

fn to_text<'a>(rows: impl Iterator<Item = Row<'a>>) -> String {
    let heads = ["  model", "size", "parameters", "kind", "fill-in-the-middle", "memory", "from"];
    let mut table: Vec<[String; 7]> = vec![heads.map(ToOwned::to_owned)];
    for Row { model, is_used, memory_bytes, fits } in rows {
        let mark = if is_used { "*" } else { " " };
        let name = format!("{mark} {}", model.name);
        let place = match model.path.as_os_str().is_empty() {
            true => "this program".to_owned(),
            false => format!("{}: {}", model.kept_by.as_str(), model.path.display()),
        };
        table.push(match &model.header {
            Ok(header) => {
                let needed = memory_bytes.map(size).unwrap_or_default();
                let memory = match fits {
                    Some(false) => format!("{needed}: too much"),
                    Some(true) | None => needed,
                };
                [
                    name,
                    size(model.n_bytes),
                    parameters(header.n_params),
                    format!("{} {}", header.architecture, header.quantization),
                    match header.completes_by() {
                        Some(CompletesBy::FillInTheMiddle(family)) => family.to_owned(),
                        Some(CompletesBy::TextBefore) => "no: text before".to_owned(),
                        None => "no text".to_owned(),
                    },
                    memory,
                    place,
                ]
            }
            Err(fault) => {
                let none = String::new;
                let place = format!("{place} ({fault})");
                [name, size(model.n_bytes), none(), "unusable".to_owned(), none(), none(), place]
            }
        });
    }
    let width = |column: usize| table.iter().map(|it| it[column].chars().count()).max();
    let widths: [usize; 6] = std::array::from_fn(|it| width(it).unwrap_or_default());
    let mut text = String::new();
    for row in &table {
        for (cell, width) in row.iter().zip(widths) {
            text.push_str(&format!("{cell:width$}  "));
        }
        text.push_str(&row[6]);
        text.push('\n');
    }
    text
}
