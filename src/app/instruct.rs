//! The instruct model: loaded when it is first needed, unloaded when it has had nothing to do for a
//! while, and given texts one by one (`answers`).

pub mod answers;
pub mod label_chooser;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::ModelConfig;
use crate::lm::gguf_header::GgufHeader;
use crate::lm::registry::{ModelSpec, Registry};
use crate::lm::{ChatTemplate, Engine, ModelInfo, sizing};
use crate::machine;

/// Which model, and how it is to run.
#[derive(Debug, Clone)]
pub struct InstructSettings {
    /// A GGUF file.
    pub path: PathBuf,
    pub n_threads: usize,
    /// 0: as `sizing` has it.
    pub n_context_tokens: usize,
    /// `None`: what is free.
    pub max_bytes: Option<u64>,
    /// Without work for so long, the model is unloaded.
    pub max_idle: Duration,
}

impl InstructSettings {
    /// The settings for a file.
    pub fn of(model: &ModelConfig, path: PathBuf) -> Self {
        Self {
            path,
            n_threads: model.threads,
            n_context_tokens: model.instruct_context_tokens,
            max_bytes: (model.instruct_memory_mib > 0).then_some(model.instruct_memory_mib << 20),
            max_idle: Duration::from_secs(model.instruct_idle_seconds),
        }
    }
}

/// See the module.
pub struct InstructModel {
    settings: InstructSettings,
    cache_folder: PathBuf,
    /// Locked for a few lines.
    loaded: Mutex<Loaded>,
}

#[derive(Default)]
struct Loaded {
    engine: Option<Arc<Engine>>,
    n_uses: usize,
    last_used: Option<Instant>,
}

/// The model while somebody has work for it: it stays loaded.
pub struct InUse {
    _use: Use,
    pub engine: Arc<Engine>,
    pub info: Arc<ModelInfo>,
    pub chat: ChatTemplate,
}

impl InstructModel {
    /// `cache_folder` is where what is known of files is kept.
    pub fn new(settings: InstructSettings, cache_folder: PathBuf) -> Arc<Self> {
        Arc::new(Self { settings, cache_folder, loaded: Mutex::default() })
    }

    /// The model, loaded. Inside of a tokio runtime only.
    ///
    /// # Errors
    /// One sentence: it can't be loaded, needs more memory than it may take, or follows no
    /// instructions.
    pub async fn take(self: &Arc<Self>) -> Result<InUse, String> {
        let engine = self.engine()?;
        // From here on it counts as used, until this is dropped.
        let in_use = Use(Arc::clone(self));
        let info = match engine.ready().await {
            Ok(info) => info,
            Err(fault) => {
                // What is repaired meanwhile is tried again.
                self.loaded().engine = None;
                return Err(fault);
            }
        };
        let Some(chat) = info.capabilities.chat.clone() else {
            self.loaded().engine = None;
            return Err(without_template(&info.name));
        };
        Ok(InUse { _use: in_use, engine, info, chat })
    }

    /// As the file is named.
    pub fn name(&self) -> String {
        name_of(&self.settings.path)
    }

    /// Whether it is in memory.
    pub fn is_loaded(&self) -> bool {
        self.loaded().engine.is_some()
    }

    /// The engine, which counts as used once more.
    fn engine(self: &Arc<Self>) -> Result<Arc<Engine>, String> {
        let mut loaded = self.loaded();
        if let Some(engine) = &loaded.engine {
            let engine = Arc::clone(engine);
            loaded.n_uses += 1;
            return Ok(engine);
        }
        let name = self.settings.path.display().to_string();
        let spec = ModelSpec {
            name: format!("instruct:{name}"),
            n_threads: self.settings.n_threads,
            n_context_tokens: self.settings.n_context_tokens,
            lora: None,
            // It is looked at before, by what is free and by another setting.
            max_memory_bytes: None,
            n_gpu_layers: None,
        };
        let (settings, registry) =
            (self.settings.clone(), Registry::new(self.cache_folder.clone()));
        let load = move || {
            check_memory(&settings, machine::free_memory_bytes())?;
            registry.load(&spec)
        };
        let engine = Engine::start(load)
            .map_err(|error| format!("the system refuses a thread ({error}); try again"))?;
        let engine = Arc::new(engine);
        loaded.engine = Some(Arc::clone(&engine));
        loaded.n_uses += 1;
        tokio::spawn(unload_when_idle(Arc::downgrade(self), self.settings.max_idle));
        Ok(engine)
    }

    fn loaded(&self) -> MutexGuard<'_, Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The model counts as used until this is dropped.
struct Use(Arc<InstructModel>);

impl Drop for Use {
    fn drop(&mut self) {
        let mut loaded = self.0.loaded();
        loaded.n_uses -= 1;
        loaded.last_used = Some(Instant::now());
    }
}

/// Runs for as long as the model is loaded.
async fn unload_when_idle(model: std::sync::Weak<InstructModel>, max_idle: Duration) {
    let mut until = Instant::now() + max_idle;
    loop {
        tokio::time::sleep_until(until).await;
        let Some(model) = model.upgrade() else { return };
        let mut loaded = model.loaded();
        let idle_since = loaded.last_used.filter(|_| loaded.n_uses == 0);
        until = idle_since.unwrap_or_else(Instant::now) + max_idle;
        if loaded.engine.is_none() || until <= Instant::now() {
            // Its thread ends by itself.
            loaded.engine = None;
            return;
        }
    }
}

fn without_template(name: &str) -> String {
    format!(
        "{name} has no chat template that llama.cpp knows, so it can't follow instructions; choose an \
         instruct model (Qwen2.5-Instruct, SmolLM2-Instruct and others)"
    )
}

/// What can be said of a file before it is loaded.
///
/// # Errors
/// One sentence.
pub fn check_file(name: &str, header: &GgufHeader) -> Result<(), String> {
    if header.has_chat_template { Ok(()) } else { Err(without_template(name)) }
}

/// Whether the model finds room. `free_bytes`: `None` where the system does not tell.
///
/// # Errors
/// One sentence.
pub fn check_memory(settings: &InstructSettings, free_bytes: Option<u64>) -> Result<(), String> {
    // What is wrong with a file is said better where it is loaded.
    let Ok(header) = GgufHeader::of_file(&settings.path) else { return Ok(()) };
    let Ok(metadata) = std::fs::metadata(&settings.path) else { return Ok(()) };
    let needed = needed_bytes(settings.n_context_tokens, metadata.len(), &header);
    let name = name_of(&settings.path);
    let mib = |n: u64| n.div_ceil(1 << 20);
    if let Some(most) = settings.max_bytes.filter(|it| needed > *it) {
        return Err(format!(
            "{name} needs about {} MiB of memory and model.instruct_memory_mib is {}; raise it, or choose a \
             smaller model",
            mib(needed),
            mib(most)
        ));
    }
    match free_bytes.filter(|it| settings.max_bytes.is_none() && needed > *it) {
        None => Ok(()),
        Some(free) => Err(format!(
            "{name} needs about {} MiB of memory and {} are free, so the machine would slow down; choose a \
             smaller model, or set model.instruct_memory_mib",
            mib(needed),
            mib(free)
        )),
    }
}

/// The memory of a model with its KV cache.
pub fn needed_bytes(n_context_tokens: usize, n_bytes: u64, header: &GgufHeader) -> u64 {
    let n_tokens = match n_context_tokens {
        0 => sizing::INSTRUCT_CONTEXT_TOKENS,
        n => n,
    };
    let n_tokens = n_tokens.min(usize::try_from(header.n_context_trained).unwrap_or(usize::MAX));
    sizing::instruct_bytes(n_bytes, n_tokens, header.kv_bytes_per_token)
}

fn name_of(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
