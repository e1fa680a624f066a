//! `keyside model use`: which model suggests, in the user's own settings file.

use crate::cli::model::{named, own_settings, size};
use crate::cli::terminal;
use crate::config::folders::Folders;
use crate::lm::backend::probe;
use crate::machine;

/// Writes the setting, where the model can do it.
///
/// # Errors
/// One sentence; then nothing was changed.
pub(super) fn run(folders: &Folders, wanted: &str, anyway: bool) -> Result<(), String> {
    let model = named(folders, wanted)?;
    let file = folders.config_file();
    let then = "servers that run follow it when they start again";
    if model.path.as_os_str().is_empty() {
        let own_name = model.other_names.first().filter(|it| *it == wanted);
        own_settings::use_built_in(folders, own_name.map(String::as_str))?;
        return terminal::print(&format!(
            "the built-in model {} suggests from now on ({}); {then}\n",
            model.other_names.join(""),
            file.display()
        ));
    }
    let name = &model.name;
    let header = model.header.as_ref().map_err(|fault| {
        format!("{name} can't be used: {fault}; get it again, nothing was changed")
    })?;
    if header.fim_family.is_none() {
        return Err(format!(
            "{name} has no fill-in-the-middle tokens, so it can't complete code at a caret; choose a model that \
             has them (Qwen2.5-Coder, StarCoder2 and others), nothing was changed"
        ));
    }
    let needed = header.resident_bytes(model.n_bytes);
    if let Some(free) = machine::free_memory_bytes().filter(|it| needed > *it && !anyway) {
        return Err(format!(
            "{name} needs about {} of memory and {} are free, so the machine would slow down; choose a smaller \
             one, or add --anyway",
            size(needed),
            size(free)
        ));
    }
    probe::check(&model.path, &folders.cache)?;
    let path = std::path::absolute(&model.path).unwrap_or_else(|_| model.path.clone());
    let path = path.to_str().ok_or_else(|| {
        format!("the path of {name} is no UTF-8, as settings are; rename it, nothing was changed")
    })?;
    own_settings::set_model_path(folders, path)?;
    terminal::print(&format!(
        "{name} suggests from now on ({}); {then}. `keyside try` shows it, `keyside model use built-in` goes back\n",
        file.display()
    ))
}
