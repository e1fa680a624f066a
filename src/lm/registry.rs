//! The models by name, where they come from, and the engines that run.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

#[cfg(feature = "llama")]
use crate::lm::backend::gguf;
pub use crate::lm::backend::measure::ModelMeasurement;
use crate::lm::backend::{Backend, scripted};
use crate::lm::engine::Engine;
use crate::lm::model_info::ModelInfo;

/// Where models come from, by the scheme that their names begin with. A new back end is a file in
/// `backend/` and a line here.
pub const SOURCES: &[ModelSource] = &[
    #[cfg(feature = "llama")]
    ModelSource { scheme: "embedded", load: gguf::load_embedded },
    #[cfg(feature = "llama")]
    ModelSource { scheme: "file", load: gguf::load_file },
    #[cfg(feature = "llama")]
    ModelSource { scheme: "instruct", load: gguf::load_instruct },
    ModelSource { scheme: "scripted", load: scripted::load },
];

const WITHOUT_LLAMA: &str = "this keyside was built without llama.cpp and has no model; build it with its \
                             default features";

/// See [`SOURCES`].
pub struct ModelSource {
    pub scheme: &'static str,
    /// Loads a model; one sentence for the user where it can't.
    pub load: fn(&LoadRequest) -> Result<Box<dyn Backend>, String>,
}

/// A model, and how it is to run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelSpec {
    /// `SCHEME:PLACE`: `embedded:`, `embedded:keyside-nano-v2`, `file:/models/coder.gguf`.
    pub name: String,
    /// 0: by the model's size and the machine's cores.
    pub n_threads: usize,
    /// 0: by the model's size, never more than it was trained on.
    pub n_context_tokens: usize,
    /// What its weights are changed by.
    pub lora: Option<LoraSpec>,
    /// The most memory that it may take; `None`: what is free.
    pub max_memory_bytes: Option<u64>,
    /// Layers on a graphics processor; `None`: what its memory holds.
    pub n_gpu_layers: Option<u32>,
}

/// An adapter (LoRA), and how strongly it counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LoraSpec {
    /// A GGUF file; `~/` is the home folder.
    pub path: String,
    pub scale_thousandths: i32,
}

impl LoraSpec {
    /// How strongly it counts; 1 as it was trained.
    pub fn scale(&self) -> f32 {
        self.scale_thousandths as f32 / 1_000.0
    }
}

impl ModelSpec {
    /// The model of this name, with the defaults.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            n_threads: 0,
            n_context_tokens: 0,
            lora: None,
            max_memory_bytes: None,
            n_gpu_layers: None,
        }
    }

    /// The model that is in this program.
    pub fn embedded() -> Self {
        Self::named("embedded:")
    }
}

/// What a source is asked to load.
pub struct LoadRequest<'a> {
    pub spec: &'a ModelSpec,
    /// What of the name comes after the scheme.
    pub place: &'a str,
    /// Why another model is not loaded.
    pub instead_of: Option<&'a str>,
    /// Where files may be unpacked, and what is known of them kept.
    pub cache_folder: &'a Path,
    /// What programs can still have; `None` where that does not count.
    pub free_bytes: Option<u64>,
}

/// What a feature needs of a model.
///
/// # Errors
/// Why this one is not it: a sentence for the user, with what to do.
pub type Requirement = fn(&ModelInfo) -> Result<(), String>;

/// The bytes of memory that are free; `None` where the system does not tell.
pub type FreeMemory = fn() -> Option<u64>;

/// The engines that run. A model that two features use is loaded once.
pub struct Registry {
    cache_folder: PathBuf,
    free_memory: FreeMemory,
    engines: Mutex<HashMap<ModelSpec, Weak<Engine>>>,
}

impl Registry {
    /// `cache_folder` is where models are unpacked.
    pub fn new(cache_folder: PathBuf) -> Self {
        Self { cache_folder, free_memory: || None, engines: Mutex::default() }
    }

    /// The same where a file that needs more memory than is free is not loaded.
    #[must_use]
    pub fn within(self, free_memory: FreeMemory) -> Self {
        Self { free_memory, ..self }
    }

    /// The engine of a model, which loads in the background if it does not run yet. Where the model
    /// can't be loaded or is not what is required, the one inside the program takes its place and
    /// says why ([`ModelInfo::instead_of`]).
    ///
    /// # Errors
    /// Where the system refuses another thread.
    pub fn engine(&self, spec: &ModelSpec, required: Requirement) -> std::io::Result<Arc<Engine>> {
        let mut engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
        engines.retain(|_, engine| engine.strong_count() > 0);
        if let Some(engine) = engines.get(spec).and_then(Weak::upgrade) {
            return Ok(engine);
        }
        let (wanted, cache_folder) = (spec.clone(), self.cache_folder.clone());
        let free_memory = self.free_memory;
        let load = move || load_or_embedded(&wanted, None, required, (&cache_folder, free_memory));
        let engine = Arc::new(Engine::start(load)?);
        engines.insert(spec.clone(), Arc::downgrade(&engine));
        Ok(engine)
    }

    /// Loads a model for whoever runs it without an engine.
    ///
    /// # Errors
    /// One sentence.
    pub fn load(&self, spec: &ModelSpec) -> Result<Box<dyn Backend>, String> {
        load(spec, None, (&self.cache_folder, self.free_memory))
    }
}

/// `instead_of`: why the model is not loaded with its adapter.
fn load_or_embedded(
    spec: &ModelSpec,
    instead_of: Option<String>,
    required: Requirement,
    place: (&Path, FreeMemory),
) -> Result<Box<dyn Backend>, String> {
    let loaded = std::panic::catch_unwind(|| load(spec, instead_of.as_deref(), place)).unwrap_or_else(|_| {
        let file = spec.name.split_once(':').map_or("", |it| it.1);
        Err(format!(
            "{file} can't be loaded, its contents are not what they should be; get the file again, or \
             set model.path to another"
        ))
    });
    let loaded = loaded.and_then(|it| required(it.info()).map(|()| it));
    match loaded {
        // The adapter may be what is wrong.
        Err(why) if spec.lora.is_some() && instead_of.is_none() => {
            let alone = ModelSpec { lora: None, ..spec.clone() };
            load_or_embedded(&alone, Some(why), required, place)
        }
        Err(why) if !spec.name.starts_with("embedded:") => {
            let embedded = load(&ModelSpec::embedded(), Some(&why), place);
            embedded
                .map_err(|error| format!("{why}; and the built-in model can't be loaded: {error}"))
        }
        loaded => loaded,
    }
}

fn load(
    spec: &ModelSpec,
    instead_of: Option<&str>,
    (cache_folder, free_memory): (&Path, FreeMemory),
) -> Result<Box<dyn Backend>, String> {
    let (scheme, place) = spec.name.split_once(':').unwrap_or(("", &spec.name));
    let Some(source) = SOURCES.iter().find(|it| it.scheme == scheme) else {
        return Err(match scheme {
            "embedded" | "file" | "instruct" => WITHOUT_LLAMA.to_owned(),
            _ => format!("{:?} is no model that keyside knows", spec.name),
        });
    };
    let free_bytes = free_memory();
    (source.load)(&LoadRequest { spec, place, instead_of, cache_folder, free_bytes })
}

/// Tries a model file, with its adapter where it has one, in a process that may die of it (see
/// `backend::probe`).
///
/// # Errors
/// One sentence, where it is refused.
pub fn try_file(path: &Path, lora: Option<LoraSpec>) -> Result<(), String> {
    #[cfg(feature = "llama")]
    return gguf::try_file(path, lora);
    #[cfg(not(feature = "llama"))]
    drop(lora);
    #[cfg(not(feature = "llama"))]
    Err(format!("{} can't be tried: {WITHOUT_LLAMA}", path.display()))
}

/// Measures a model file, in such a process as well.
///
/// # Errors
/// One sentence, where it is refused.
pub fn measure_file(path: &Path) -> Result<ModelMeasurement, String> {
    #[cfg(feature = "llama")]
    return gguf::measure_file(path);
    #[cfg(not(feature = "llama"))]
    Err(format!("{} can't be measured: {WITHOUT_LLAMA}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anything(_: &ModelInfo) -> Result<(), String> {
        Ok(())
    }

    #[test]
    fn a_model_that_two_features_use_runs_once() {
        let registry = Registry::new(PathBuf::new());
        let spec = ModelSpec::named("scripted:x");
        let one = registry.engine(&spec, anything).expect("a thread");
        let two = registry.engine(&spec, anything).expect("a thread");
        assert!(Arc::ptr_eq(&one, &two));
        let other = ModelSpec { n_context_tokens: 512, ..spec };
        assert!(!Arc::ptr_eq(&one, &registry.engine(&other, anything).expect("a thread")));
    }

    #[test]
    fn a_name_without_a_known_scheme_is_refused() {
        let registry = Registry::new(PathBuf::new());
        let refused = registry.load(&ModelSpec::named("nowhere:x")).err();
        assert_eq!(refused.as_deref(), Some("\"nowhere:x\" is no model that keyside knows"));
    }
}
