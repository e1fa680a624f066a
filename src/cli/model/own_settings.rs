//! The user's own settings file, changed in place: what else stands there, with its comments, stays
//! as it is.

use std::io::ErrorKind;
use std::path::PathBuf;

use toml_edit::{Array, DocumentMut, Item, Value, table, value};

use crate::config::folders::Folders;
use crate::files;

/// The file itself, where a link leads to it.
fn file_of(folders: &Folders) -> PathBuf {
    files::real_path(&folders.config_file())
}

/// The folder that has to be written in.
pub fn folder_of(folders: &Folders) -> PathBuf {
    let file = file_of(folders);
    file.parent().map_or_else(|| folders.config.clone(), ToOwned::to_owned)
}

/// Sets `model.path`, and `model.memory_mib` where the model is to have more than it would be
/// given.
///
/// # Errors
/// One sentence; then the file is as it was.
pub fn set_model_path(
    folders: &Folders,
    path: &str,
    memory_mib: Option<u64>,
) -> Result<(), String> {
    change(folders, |text| {
        let text = with_in_model(text, "path", Some(path))?;
        let mib = memory_mib.and_then(|it| i64::try_from(it).ok());
        if mib.is_some() { with_in_model(&text, "memory_mib", mib) } else { Ok(text) }
    })
}

/// Sets `model.instruct`, or takes it out.
///
/// # Errors
/// As [`set_model_path`].
pub fn set_instruct(folders: &Folders, path: Option<&str>) -> Result<(), String> {
    change(folders, |text| with_in_model(text, "instruct", path))
}

/// Takes `model.path` out; `name` is which of the built-in models, where a person says.
///
/// # Errors
/// As [`set_model_path`].
pub fn use_built_in(folders: &Folders, name: Option<&str>) -> Result<(), String> {
    change(folders, |text| {
        let text = with_in_model(text, "path", None::<&str>)?;
        if name.is_some() { with_in_model(&text, "built_in", name) } else { Ok(text) }
    })
}

/// Adds to `model.folders`.
///
/// # Errors
/// As [`set_model_path`].
pub fn add_model_folders(folders: &Folders, more: &[String]) -> Result<(), String> {
    change(folders, |text| with_model_folders(text, more))
}

fn change(folders: &Folders, edit: impl Fn(&str) -> Result<String, String>) -> Result<(), String> {
    let file = file_of(folders);
    let shown = file.display();
    let old = match files::read_text(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(format!("{shown} can't be read ({error}); repair it first")),
    };
    let new = edit(&old).map_err(|what| format!("{shown} {what}"))?;
    if new == old {
        return Ok(());
    }
    files::replace_in_place(&file, new.as_bytes()).map_err(|error| {
        format!("{shown} can't be written ({error}); free disk space or make its folder writable")
    })
}

/// A text of `[model]` set, or taken out.
fn with_in_model(text: &str, key: &str, new: Option<impl Into<Value>>) -> Result<String, String> {
    let mut document = parsed(text)?;
    match (new, document.get("model").is_some()) {
        (None, false) => {}
        (None, true) => drop(model_table(&mut document)?.remove(key)),
        (Some(new), _) => {
            let table = model_table(&mut document)?;
            match table.get_mut(key).and_then(Item::as_value_mut) {
                // With the comment behind it.
                Some(old) => {
                    let decor = old.decor().clone();
                    *old = new.into();
                    *old.decor_mut() = decor;
                }
                None => drop(table.insert(key, value(new))),
            }
        }
    }
    Ok(document.to_string())
}

fn with_model_folders(text: &str, more: &[String]) -> Result<String, String> {
    let mut document = parsed(text)?;
    let table = model_table(&mut document)?;
    let list = table.entry("folders").or_insert_with(|| value(Array::new()));
    let list = list
        .as_array_mut()
        .ok_or("has something else in `model.folders` than a list; correct it first")?;
    for folder in more {
        if !list.iter().any(|it| it.as_str() == Some(folder)) {
            list.push(folder.as_str());
        }
    }
    Ok(document.to_string())
}

fn parsed(text: &str) -> Result<DocumentMut, String> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        let what = error.message().lines().next().unwrap_or_default().to_owned();
        format!("is not valid TOML ({what}); correct it first")
    })
}

fn model_table(document: &mut DocumentMut) -> Result<&mut dyn toml_edit::TableLike, String> {
    document
        .entry("model")
        .or_insert_with(table)
        .as_table_like_mut()
        .ok_or_else(|| "has something else under `model` than a table; correct it first".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_else_stands_there_stays() {
        for (old, path, new) in [
            ("", Some("/m.gguf"), "[model]\npath = \"/m.gguf\"\n"),
            (
                "# mine\n[completion]\nmax_lines = 3 # few\n",
                Some("/m.gguf"),
                "# mine\n[completion]\nmax_lines = 3 # few\n\n[model]\npath = \"/m.gguf\"\n",
            ),
            (
                "[model]\n# the big one\npath = \"/old\" # for now\nthreads = 2\n",
                Some("/ö \"m\".gguf"),
                "[model]\n# the big one\npath = '/ö \"m\".gguf' # for now\nthreads = 2\n",
            ),
            ("model.path = \"a\"\n", Some("b"), "model.path = \"b\"\n"),
            ("model = { path = \"a\" }\n", Some("b"), "model = { path = \"b\" }\n"),
            ("[model]\npath = \"/old\"\nthreads = 2\n", None, "[model]\nthreads = 2\n"),
            ("threads = 1\n", None, "threads = 1\n"),
        ] {
            assert_eq!(with_in_model(old, "path", path).as_deref(), Ok(new), "{old}");
        }
        for (old, reason) in [
            ("model = 3\n", "has something else under `model`"),
            ("[model\n", "is not valid TOML ("),
        ] {
            let refused = with_in_model(old, "path", Some("x")).unwrap_err();
            assert!(refused.contains(reason), "{refused}");
        }
    }

    #[test]
    fn folders_are_added_once() {
        let more = ["/a".to_owned(), "/b".to_owned()];
        let text = with_model_folders("[model]\nfolders = [\"/a\"] # mine\n", &more).unwrap();
        assert_eq!(text, "[model]\nfolders = [\"/a\", \"/b\"] # mine\n");
        assert_eq!(with_model_folders(&text, &more).as_deref(), Ok(&*text));
        assert!(with_model_folders("[model]\nfolders = 3\n", &more).is_err());
    }
}
