//! `keyside model use`: which model suggests, in the user's own settings file.

use crate::app::instruct::{InstructSettings, check_file, check_memory};
use crate::app::model::model_spec;
use crate::cli::model::{named, own_settings};
use crate::cli::setup;
use crate::cli::terminal;
use crate::config::folders::Folders;
use crate::lm::backend::{NamedBy, probe};
use crate::lm::gguf_header::CompletesBy;
use crate::lm::memory::fitting;
use crate::lm::model_info::FROM_TEXT_BEFORE;
use crate::machine;
use crate::models::FoundModel;

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
    let Some(completes_by) = header.completes_by() else {
        return Err(format!(
            "{name} makes vectors of texts and no text, so it can't complete code at a caret; choose another, \
             nothing was changed"
        ));
    };
    let mut settings = setup::settings(folders).config.model;
    settings.set_path(&path_of(&model)?);
    let spec = model_spec(&settings, None);
    let fits = fitting(&model.path, &spec, machine::free_memory_bytes());
    let memory_mib = match fits {
        Ok(_) => None,
        Err(why) if !anyway => {
            return Err(format!("{why}, or add --anyway; nothing was changed"));
        }
        // As much as it wants.
        Err(_) => Some(header.resident_bytes(model.n_bytes).div_ceil(1 << 20)),
    };
    probe::check(&model.path, None, &folders.cache, NamedBy::Path)?;
    own_settings::set_model_path(folders, &path_of(&model)?, memory_mib)?;
    terminal::print(&format!(
        "{name} suggests from now on ({}); {then}. `keyside try` shows it, `keyside model use built-in` goes \
         back\n{}",
        file.display(),
        match completes_by {
            CompletesBy::FillInTheMiddle(_) => String::new(),
            CompletesBy::TextBefore => format!(
                "It has no fill-in-the-middle tokens, so it {FROM_TEXT_BEFORE}; a code model that has them \
                 (Qwen2.5-Coder, StarCoder2 and others) also sees what follows\n"
            ),
        }
    ))
}

/// The same for the model that follows instructions.
///
/// # Errors
/// One sentence; then nothing was changed.
pub(super) fn run_instruct(folders: &Folders, wanted: &str, anyway: bool) -> Result<(), String> {
    let file = folders.config_file();
    if wanted == "none" {
        own_settings::set_instruct(folders, None)?;
        return terminal::print(&format!("no model follows instructions ({})\n", file.display()));
    }
    let model = named(folders, wanted)?;
    let name = &model.name;
    let unusable = |fault: String| format!("{fault}; nothing was changed");
    let header = model.header.as_ref().map_err(|fault| {
        format!("{name} can't be used: {fault}; get it again, nothing was changed")
    })?;
    if model.path.as_os_str().is_empty() {
        return Err(format!(
            "the built-in model {} completes code and follows no instructions; nothing was changed",
            model.other_names.join("")
        ));
    }
    check_file(name, header).map_err(unusable)?;
    let settings = setup::settings(folders).config.model;
    let settings = InstructSettings::of(&settings, model.path.clone());
    if !anyway {
        check_memory(&settings, machine::free_memory_bytes()).map_err(unusable)?;
    }
    probe::check(&model.path, None, &folders.cache, NamedBy::Instruct)?;
    own_settings::set_instruct(folders, Some(&path_of(&model)?))?;
    terminal::print(&format!(
        "{name} follows instructions from now on ({}): `keyside extract` and `keyside summarize` ask it\n",
        file.display()
    ))
}

/// A model's file as the settings have it.
fn path_of(model: &FoundModel) -> Result<String, String> {
    let path = std::path::absolute(&model.path).unwrap_or_else(|_| model.path.clone());
    let path = path.into_os_string().into_string();
    path.map_err(|_| {
        let name = &model.name;
        format!("the path of {name} is no UTF-8, as settings are; rename it, nothing was changed")
    })
}
