//! Which model is loaded: the one that the settings name, or the built-in one in its place.

use std::path::{Path, PathBuf};

use crate::config::folders::Folders;
use crate::config::{Config, ModelConfig};
use crate::lm::Engine;
use crate::lm::backend::Model;
use crate::lm::backend::llama::LoadOptions;
use crate::lm::backend::{check, embedded, llama};

/// An engine whose model is loaded in the background.
///
/// # Errors
/// Where the system refuses another thread.
pub(super) fn start_engine(config: &Config, folders: &Folders) -> std::io::Result<Engine> {
    let model = config.model.clone();
    let cache = folders.cache.clone();
    Engine::start(move || load_model_or_own(&model, &cache))
}

/// Loads the model that the settings name, or the built-in one where that can't be used, so that suggestions go on.
///
/// # Errors
/// One sentence, where neither can be loaded.
fn load_model_or_own(model: &ModelConfig, cache: &Path) -> Result<Box<dyn Model>, String> {
    let loaded = std::panic::catch_unwind(|| load_model(model, cache)).unwrap_or_else(|_| {
        Err(format!(
            "{} can't be loaded, its contents are not what they should be; get the file again, or set model.path to another",
            model.path
        ))
    });
    match loaded {
        Err(why) if !model.path.is_empty() => {
            let own = load(&ModelConfig::default(), cache, Some(&why));
            own.map_err(|error| format!("{why}; and the built-in model can't be loaded: {error}"))
        }
        loaded => loaded,
    }
}

/// Loads the model that the settings name.
///
/// # Errors
/// One sentence.
pub fn load_model(model: &ModelConfig, cache: &Path) -> Result<Box<dyn Model>, String> {
    load(model, cache, None)
}

fn load(
    model: &ModelConfig,
    cache: &Path,
    instead_of: Option<&str>,
) -> Result<Box<dyn Model>, String> {
    // Keeps a temporary file until the model has been read.
    let unpacked = if model.path.is_empty() { Some(embedded::unpack(cache)?) } else { None };
    let (path, name) = match &unpacked {
        Some(unpacked) => (unpacked.path.clone(), embedded::NAME.to_owned()),
        None => {
            let path = expand_home(&model.path);
            check::check(&path, cache)?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            (path, name)
        }
    };
    let not_zero = |n: usize| (n > 0).then_some(n);
    llama::load(&LoadOptions {
        path,
        name,
        instead_of: instead_of.map(ToOwned::to_owned),
        use_mmap: unpacked.is_none(),
        n_threads: not_zero(model.threads),
        n_context_tokens: not_zero(model.context_tokens),
    })
}

fn expand_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), etcetera::home_dir()) {
        (Some(rest), Ok(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}
