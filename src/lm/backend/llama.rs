//! llama.cpp as a back end; the only file that names it, with those in its folder.
//!
//! The parameters: one thread for a tiny model, because several meet at a spin barrier at each node
//! of the graph, which collapses when the machine is busy; micro-batches of 128, the longest
//! chunk of a prompt that `prefill` hands over; flash attention, which is several times faster
//! than without on a short context.

mod adapter;
mod chat;
mod context;
mod devices;
mod library;
mod tokens;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use llama_cpp_2::DecodeError;
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;

use crate::files;
use crate::lm::backend::llama::adapter::LoadedAdapter;
use crate::lm::backend::llama::chat::chat_template_of;
use crate::lm::backend::llama::context::{AbortData, ContextKind, gives_text, new_context};
use crate::lm::backend::llama::library::{backend, forget_errors, last_error};
use crate::lm::backend::llama::tokens::{LlamaMarkers, LlamaTokenizer, end_of, vocabulary_of};
use crate::lm::backend::{Backend, EvaluateError, NamedBy, probe};
use crate::lm::fim::{self, Markers};
use crate::lm::gguf_header::GgufHeader;
use crate::lm::memory::needed_bytes;
use crate::lm::model_info::{Capabilities, ModelInfo};
use crate::lm::registry::LoraSpec;
use crate::lm::sizing::{self, CacheSize};
use crate::lm::vocabulary::{Token, Vocabulary};
use crate::stdx::cancel::CancelFlag;

/// From so many tokens a batch on llama.cpp's attention goes by tiles instead of token by token.
/// With a tiny model attention is most of the work.
const TILED_QUERIES: usize = 64;
/// Most tokens evaluated in one call.
const BATCH_TOKENS: u32 = 512;
/// Tokens evaluated between two looks at the abort flag, at most.
const MICRO_BATCH_TOKENS: u32 = 128;

/// What to load and how.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Why another model is not loaded.
    pub instead_of: Option<String>,
    pub path: PathBuf,
    /// The model's name for people.
    pub name: String,
    /// `None`: by the model's size and the machine's cores.
    pub n_threads: Option<usize>,
    /// `None`: by the model's size, never more than it was trained on.
    pub n_context_tokens: Option<usize>,
    /// Prompts that stay in the KV cache. `None`: by the model's size.
    pub n_sequences: Option<usize>,
    /// What the model's weights are changed by.
    pub lora: Option<LoraSpec>,
    /// Layers on a graphics processor; `None`: what its memory holds.
    pub n_gpu_layers: Option<u32>,
    /// What a person would change.
    pub named_by: NamedBy,
}

/// Loads a model and makes it ready to decode.
///
/// # Errors
/// One sentence that says what is wrong with the file and what to do.
pub fn load(options: &LoadOptions) -> Result<Box<dyn Backend>, String> {
    let started = Instant::now();
    let path = &options.path;
    probe::processor()?;
    check_file(path, options.named_by.set_to_another())?;
    let backend = backend()?;
    let header = GgufHeader::of_file(path).ok();
    let n_file_bytes = n_file_bytes(options);
    let n_tokens = options.n_context_tokens.unwrap_or(0) * options.n_sequences.unwrap_or(1);
    let gpu = devices::use_of(options.n_gpu_layers, header.as_ref(), n_file_bytes, n_tokens);
    // Mapped: processes share the weights of one file.
    let parameters =
        LlamaModelParams::default().with_use_mmap(true).with_n_gpu_layers(gpu.n_layers);
    forget_errors();
    let mut model = LlamaModel::load_from_file(backend, path, &parameters).map_err(|_| {
        format!(
            "{} can't be loaded ({}); get the file again, or {}",
            path.display(),
            last_error(),
            options.named_by.or_else()
        )
    })?;
    let adapter = options.lora.as_ref();
    let mut adapter =
        adapter.map(|it| LoadedAdapter::load(it, &mut model, &options.name)).transpose()?;
    let model = Arc::new(model);
    let markers = LlamaMarkers::new(&model);
    let template = fim::resolve(&markers);
    // A model without markers ends where it says so itself.
    let ends = template.as_ref().map_or_else(
        || {
            let mut ends = markers.end_tokens();
            ends.sort_unstable();
            ends
        },
        |it| it.ends.clone(),
    );
    let begin_of_text = markers.begin_of_text();
    drop(markers);

    let tiny = model.n_params() < sizing::TINY_PARAMETERS;
    let n_threads = options.n_threads.unwrap_or_else(|| {
        if tiny { 1 } else { num_cpus::get_physical().saturating_sub(1).max(1) }
    });
    let trained = model.n_ctx_train() as usize;
    let n_context =
        options.n_context_tokens.unwrap_or(sizing::n_context_tokens(model.n_params())).min(trained);
    let n_context = n_context.max(256);
    let n_sequences = options.n_sequences.unwrap_or(sizing::n_sequences(model.n_params())).max(1);

    let abort = Arc::new(AbortData::default());
    let kind = ContextKind::Decode { n_context, n_sequences };
    let mut context = new_context(backend, &model, &kind, n_threads, &abort).ok_or_else(|| {
        format!(
            "no context of {n_context} tokens could be made for {} ({}); lower {}",
            path.display(),
            last_error(),
            options.named_by.context_setting()
        )
    })?;
    if let Some(adapter) = &mut adapter {
        adapter.set_on(&mut context)?;
    }
    let vocabulary = vocabulary_of(&model, &ends);
    let vocabulary = match template {
        Some(_) => vocabulary,
        None => vocabulary.with_breaks_as_line_ends(),
    };
    let tokenizer = Arc::new(LlamaTokenizer::new(&model, &ends));
    give_back_free_memory();
    let info = Arc::new(ModelInfo {
        instead_of: options.instead_of.clone(),
        name: options.name.clone(),
        adapter: adapter.as_ref().map(LoadedAdapter::shown),
        n_params: model.n_params(),
        n_vocab: usize::try_from(model.n_vocab()).unwrap_or_default(),
        vocabulary_hash: vocabulary.hash(),
        n_context_tokens: context.n_ctx() as usize / n_sequences,
        n_sequences,
        memory_bytes: header.map(|it| {
            let size = CacheSize { n_sequences, n_context_tokens: n_context };
            needed_bytes(&it, n_file_bytes, size)
        }),
        n_threads,
        gpu,
        end: end_of(&model, &ends),
        begin_of_text,
        capabilities: Capabilities {
            fim: template,
            chat: chat_template_of(&model),
            score: gives_text(&model),
            embed: true,
        },
        tokenizer,
        load_time: started.elapsed(),
    });
    Ok(Box::new(LlamaCpp {
        context,
        batch: LlamaBatch::new(BATCH_TOKENS as usize, 1),
        logits_row: 0,
        n_sequences,
        info,
        vocabulary,
        embedder: None,
        abort,
        model,
    }))
}

/// Of the model, and of its adapter.
fn n_file_bytes(options: &LoadOptions) -> u64 {
    let n_bytes = |path: &Path| std::fs::metadata(path).map_or(0, |it| it.len());
    let adapter = options.lora.as_ref().map_or(0, |it| n_bytes(&files::expand_home(&it.path)));
    n_bytes(&options.path).saturating_add(adapter)
}

/// Gives what loading has left free back to the system: some megabytes, in each window.
fn give_back_free_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes the allocator's own locks, and moves nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// What can be said of a file without llama.cpp, in better words than it has.
fn check_file(path: &Path, advice: &str) -> Result<(), String> {
    let wrong = |what: &str| {
        let path = path.display();
        Err(format!("{path} {what}; {advice}"))
    };
    let mut file = match files::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return wrong("does not exist");
        }
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
            return wrong("is not a file");
        }
        Err(error) => return wrong(&format!("can't be read ({error})")),
        Ok(file) => file,
    };
    let mut magic = [0; 4];
    match std::io::Read::read_exact(&mut file, &mut magic) {
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            wrong(&format!("can't be read ({error})"))
        }
        Ok(()) if magic == *b"GGUF" => Ok(()),
        _ => wrong("is not a model in GGUF format"),
    }
}

/// A loaded model. The order of the fields is the order in which they must be dropped.
struct LlamaCpp {
    context: LlamaContext<'static>,
    batch: LlamaBatch<'static>,
    /// Which row of the last batch has logits.
    logits_row: i32,
    n_sequences: usize,
    info: Arc<ModelInfo>,
    vocabulary: Vocabulary,
    /// A context for vectors of texts, made for the first of them.
    embedder: Option<LlamaContext<'static>>,
    abort: Arc<AbortData>,
    model: Arc<LlamaModel>,
}

impl LlamaCpp {
    /// One batch; `each` says whether all of its tokens get logits, or the last one.
    fn decode(
        &mut self,
        sequence: usize,
        tokens: &[Token],
        position: usize,
        each: bool,
        flag: &CancelFlag,
    ) -> Result<(), EvaluateError> {
        let failed = |what: String| EvaluateError::Failed(format!("the model failed: {what}"));
        let sequence = i32::try_from(sequence).unwrap_or_default();
        let Some(last) = tokens.len().checked_sub(1) else { return Ok(()) };
        self.batch.clear();
        for (index, token) in tokens.iter().enumerate() {
            let at = i32::try_from(position + index).map_err(|it| failed(it.to_string()))?;
            self.batch
                .add(LlamaToken(*token), at, &[sequence], each || index == last)
                .map_err(|it| failed(it.to_string()))?;
        }
        forget_errors();
        self.abort.set(Some(flag.clone()));
        let decoded = self.context.decode(&mut self.batch);
        self.abort.set(None);
        match decoded {
            Ok(()) => {
                self.logits_row = i32::try_from(last).unwrap_or_default();
                Ok(())
            }
            // llama_decode answers 2 when the abort callback said so. Finished micro-batches stay.
            Err(DecodeError::Unknown(2)) => {
                let n_resident = self.context.kv_cache_seq_pos_max(sequence) + 1;
                Err(EvaluateError::Stopped {
                    n_resident: usize::try_from(n_resident).unwrap_or_default(),
                })
            }
            Err(error) => Err(failed(format!("{error} ({})", last_error()))),
        }
    }
}

impl Backend for LlamaCpp {
    fn info(&self) -> &Arc<ModelInfo> {
        &self.info
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn n_sequences(&self) -> usize {
        self.n_sequences
    }

    fn quick_batch_tokens(&self) -> usize {
        if self.info.n_params < sizing::TINY_PARAMETERS { TILED_QUERIES } else { 1 }
    }

    fn evaluate(
        &mut self,
        sequence: usize,
        tokens: &[Token],
        position: usize,
        flag: &CancelFlag,
    ) -> Result<(), EvaluateError> {
        let mut position = position;
        for chunk in tokens.chunks(BATCH_TOKENS as usize) {
            self.decode(sequence, chunk, position, false, flag)?;
            position += chunk.len();
        }
        Ok(())
    }

    fn evaluate_each(
        &mut self,
        sequence: usize,
        tokens: &[Token],
        position: usize,
        flag: &CancelFlag,
    ) -> Result<(), EvaluateError> {
        self.decode(sequence, tokens, position, true, flag)
    }

    fn logits_after(&self, index: usize) -> &[f32] {
        self.context.get_logits_ith(i32::try_from(index).unwrap_or_default())
    }

    fn logits(&self) -> &[f32] {
        self.context.get_logits_ith(self.logits_row)
    }

    fn truncate(&mut self, sequence: usize, n_tokens: usize) -> bool {
        let (Ok(sequence), Ok(from)) = (u32::try_from(sequence), u32::try_from(n_tokens)) else {
            return false;
        };
        matches!(self.context.clear_kv_cache_seq(Some(sequence), Some(from), None), Ok(true))
    }

    fn fork(&mut self, from: usize, to: usize) -> bool {
        let (Ok(from), Ok(to)) = (i32::try_from(from), i32::try_from(to)) else { return false };
        // Only whole sequences can be copied from one stream of the cache to another.
        self.context.copy_kv_cache_seq(from, to, None, None).is_ok()
    }

    fn drop_sequence(&mut self, sequence: usize) {
        // A whole sequence can always be dropped.
        let _ = self.context.clear_kv_cache_seq(u32::try_from(sequence).ok(), None, None);
    }

    fn clear(&mut self) {
        self.context.clear_kv_cache();
    }

    fn embed(&mut self, tokens: &[Token], flag: &CancelFlag) -> Result<Vec<f32>, EvaluateError> {
        let failed = |what: String| {
            EvaluateError::Failed(format!("the model failed to make a vector: {what}"))
        };
        if self.embedder.is_none() {
            let backend = backend().map_err(failed)?;
            let kind = ContextKind::Embed { n_context: self.info.n_context_tokens };
            forget_errors();
            self.embedder =
                new_context(backend, &self.model, &kind, self.info.n_threads, &self.abort);
        }
        let Some(embedder) = &mut self.embedder else { return Err(failed(last_error())) };
        let mut batch = LlamaBatch::new(tokens.len(), 1);
        for (at, token) in (0..).zip(tokens) {
            batch.add(LlamaToken(*token), at, &[0], true).map_err(|it| failed(it.to_string()))?;
        }
        embedder.clear_kv_cache();
        self.abort.set(Some(flag.clone()));
        let decoded = embedder.decode(&mut batch);
        self.abort.set(None);
        match decoded {
            Ok(()) => {
                let vector = embedder.embeddings_seq_ith(0);
                vector.map(<[f32]>::to_vec).map_err(|it| failed(it.to_string()))
            }
            Err(DecodeError::Unknown(2)) => Err(EvaluateError::Stopped { n_resident: 0 }),
            Err(error) => Err(failed(format!("{error} ({})", last_error()))),
        }
    }
}
