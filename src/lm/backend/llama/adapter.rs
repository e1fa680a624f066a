//! An adapter (LoRA) in a GGUF file, by which a model's weights are changed as it is evaluated.

use std::path::{Path, PathBuf};

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::model::{LlamaLoraAdapter, LlamaModel};

use crate::files;
use crate::lm::backend::llama::check_file;
use crate::lm::backend::llama::library::{forget_errors, last_error};
use crate::lm::gguf_header::GgufHeader;
use crate::lm::registry::LoraSpec;

const ADVICE: &str =
    "name an adapter that was made for this model in model.lora, or take it out there";

/// An adapter that fits its model. llama.cpp frees it with the model.
pub(super) struct LoadedAdapter {
    adapter: LlamaLoraAdapter,
    path: PathBuf,
    scale: f32,
}

impl LoadedAdapter {
    /// Loads an adapter, before there is a context of the model: what those compute in has to have
    /// room for it. `name` is the model's, for people.
    ///
    /// # Errors
    /// One sentence: the file is not there, is no adapter, or belongs to another model.
    pub(super) fn load(
        spec: &LoraSpec,
        model: &mut LlamaModel,
        name: &str,
    ) -> Result<Self, String> {
        let path = files::expand_home(&spec.path);
        check_file(&path, ADVICE)?;
        let architecture = model.meta_val_str("general.architecture").unwrap_or_default();
        check_header(&path, (name, &architecture))?;
        let shown = path.display();
        if path.to_str().is_none() {
            return Err(format!("{shown} can't be named to llama.cpp, rename it; {ADVICE}"));
        }
        forget_errors();
        let adapter = model.lora_adapter_init(&path).map_err(|_| {
            format!("{shown} does not fit {name} ({}); {ADVICE}", reason(&last_error()))
        })?;
        Ok(Self { adapter, path, scale: spec.scale() })
    }

    /// For people.
    pub(super) fn shown(&self) -> String {
        let name = self.path.file_stem().unwrap_or_default().to_string_lossy();
        format!("{name} (scale {})", self.scale)
    }

    /// Has a context use it.
    ///
    /// # Errors
    /// One sentence.
    pub(super) fn set_on(&mut self, context: &mut LlamaContext<'_>) -> Result<(), String> {
        context
            .lora_adapter_set(&mut self.adapter, self.scale)
            .map_err(|error| format!("{} can't be used ({error}); {ADVICE}", self.path.display()))
    }
}

/// What can be said of an adapter without llama.cpp, in better words than it has.
fn check_header(path: &Path, (model, architecture): (&str, &str)) -> Result<(), String> {
    let shown = path.display();
    let header = GgufHeader::of_file(path)
        .map_err(|fault| format!("{shown} can't be used as an adapter: {fault}; {ADVICE}"))?;
    match (header.holds.as_str(), header.architecture.as_str()) {
        ("adapter", it) if it == architecture => Ok(()),
        ("adapter", it) => Err(format!(
            "{shown} is an adapter for models of the architecture {it}, and {model} has {architecture}; {ADVICE}"
        )),
        ("model", _) => Err(format!("{shown} is a model and no adapter; {ADVICE}")),
        (other, _) => Err(format!("{shown} holds {other} and no adapter; {ADVICE}")),
    }
}

/// llama.cpp's reason without its own introduction.
fn reason(text: &str) -> &str {
    text.strip_prefix("failed to apply lora adapter: ").unwrap_or(text)
}
