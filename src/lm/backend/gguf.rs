//! Models in GGUF files, by llama.cpp: the one inside the program, and files of the user's.

use std::path::Path;

use crate::files::expand_home;
use crate::lm::backend::llama::{self, LoadOptions};
use crate::lm::backend::measure::{ModelMeasurement, measure};
use crate::lm::backend::{Backend, NamedBy, embedded, probe};
use crate::lm::gguf_header::GgufHeader;
use crate::lm::memory::fitting;
use crate::lm::model_info::name_of_file;
use crate::lm::registry::{LoadRequest, LoraSpec};
use crate::lm::sizing;
use crate::stdx::cancel::CancelFlag;

/// Loads a model that is in this program.
///
/// # Errors
/// One sentence.
pub fn load_embedded(request: &LoadRequest) -> Result<Box<dyn Backend>, String> {
    // Keeps a temporary file until the model has been read.
    let model = embedded::model(request.place);
    let unpacked = embedded::unpack(model, request.cache_folder)?;
    if request.spec.lora.is_some() {
        check(request, &unpacked.path)?;
    }
    let options = options(request, &unpacked.path);
    llama::load(&LoadOptions { name: model.name.to_owned(), ..options })
}

/// Loads a file that finds room, after a process of its own has tried it.
///
/// # Errors
/// One sentence.
pub fn load_file(request: &LoadRequest) -> Result<Box<dyn Backend>, String> {
    let path = expand_home(request.place);
    let size = fitting(&path, request.spec, request.free_bytes)?;
    check(request, &path)?;
    let options = options(request, &path);
    llama::load(&LoadOptions {
        n_context_tokens: size.map(|it| it.n_context_tokens).or(options.n_context_tokens),
        n_sequences: size.map(|it| it.n_sequences),
        ..options
    })
}

/// Has a process of its own try a file, with the adapter that belongs to it.
fn check(request: &LoadRequest, path: &Path) -> Result<(), String> {
    let lora = request.spec.lora.as_ref();
    probe::check(path, lora, request.cache_folder, NamedBy::Path)
}

/// Loads a file of an instruct model, after such a process has tried it. One prompt stays in its KV
/// cache: that of the task that it is given item by item.
///
/// # Errors
/// One sentence.
pub fn load_instruct(request: &LoadRequest) -> Result<Box<dyn Backend>, String> {
    let path = expand_home(request.place);
    probe::check(&path, None, request.cache_folder, NamedBy::Instruct)?;
    let options = options(request, &path);
    llama::load(&LoadOptions {
        n_context_tokens: options.n_context_tokens.or(Some(sizing::INSTRUCT_CONTEXT_TOKENS)),
        n_sequences: Some(1),
        named_by: NamedBy::Instruct,
        ..options
    })
}

/// Loads a file and evaluates one token. llama.cpp may end the process, so this is for one that may
/// die (`probe`).
///
/// # Errors
/// One sentence, where llama.cpp refuses the file.
pub fn try_file(path: &Path, lora: Option<LoraSpec>) -> Result<(), String> {
    let mut model = load_alone(path, lora, Some(256))?;
    let end = model.info().end;
    model
        .evaluate(0, &[end], 0, &CancelFlag::default())
        .map_err(|error| format!("{} can't be evaluated ({error:?})", path.display()))
}

/// Loads a file and measures it, under the same condition.
///
/// # Errors
/// One sentence, where llama.cpp refuses the file.
pub fn measure_file(path: &Path) -> Result<ModelMeasurement, String> {
    let mut model = load_alone(path, None, None)?;
    measure(model.as_mut()).map_err(|what| format!("{}: {what}", path.display()))
}

fn load_alone(
    path: &Path,
    lora: Option<LoraSpec>,
    n_context_tokens: Option<usize>,
) -> Result<Box<dyn Backend>, String> {
    llama::load(&LoadOptions {
        instead_of: None,
        path: path.to_owned(),
        name: String::new(),
        n_threads: None,
        n_context_tokens,
        n_sequences: None,
        lora,
        n_gpu_layers: Some(0),
        named_by: NamedBy::Path,
    })
}

fn options(request: &LoadRequest, path: &Path) -> LoadOptions {
    let not_zero = |n: usize| (n > 0).then_some(n);
    LoadOptions {
        instead_of: request.instead_of.map(ToOwned::to_owned),
        path: path.to_owned(),
        name: name_of_file(path, || GgufHeader::of_file(path).ok()?.name),
        n_threads: not_zero(request.spec.n_threads),
        n_context_tokens: not_zero(request.spec.n_context_tokens),
        n_sequences: None,
        lora: request.spec.lora.clone(),
        n_gpu_layers: request.spec.n_gpu_layers,
        named_by: NamedBy::Path,
    }
}
