//! Contexts of a model: what tokens are evaluated in.

use std::ffi::c_void;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::{LlamaContextParams, LlamaPoolingType};
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::model::LlamaModel;

use crate::lm::backend::llama::{BATCH_TOKENS, MICRO_BATCH_TOKENS};
use crate::lm::gguf_header::generates;
use crate::stdx::cancel::{CancelFlag, StopReason};

/// What llama.cpp's abort callback reads, at each node of its graph. It ends an evaluation only
/// where the engine itself is to end, or for a more urgent task: what a superseded request has
/// begun is of use to the next one.
#[derive(Default)]
pub(super) struct AbortData {
    flag: Mutex<Option<CancelFlag>>,
}

impl AbortData {
    pub(super) fn set(&self, flag: Option<CancelFlag>) {
        *self.flag.lock().unwrap_or_else(PoisonError::into_inner) = flag;
    }
}

extern "C" fn should_abort(data: *mut c_void) -> bool {
    // SAFETY: `data` is the `AbortData` that `LlamaCpp` owns and drops after its context.
    let data = unsafe { &*data.cast::<AbortData>() };
    let flag = data.flag.lock().unwrap_or_else(PoisonError::into_inner);
    let stop_reason = flag.as_ref().and_then(CancelFlag::stop_reason);
    matches!(stop_reason, Some(StopReason::Closed | StopReason::Preempted))
}

/// What a context is made for.
pub(super) enum ContextKind {
    /// Prompts and generations, in so many sequences of so many tokens each.
    Decode { n_context: usize, n_sequences: usize },
    /// Vectors of texts of so many tokens.
    Embed { n_context: usize },
}

pub(super) fn new_context(
    backend: &'static LlamaBackend,
    model: &Arc<LlamaModel>,
    kind: &ContextKind,
    n_threads: usize,
    abort: &Arc<AbortData>,
) -> Option<LlamaContext<'static>> {
    let n_threads = i32::try_from(n_threads).unwrap_or(i32::MAX);
    let parameters = LlamaContextParams::default()
        .with_n_threads(n_threads)
        .with_n_threads_batch(n_threads)
        .with_no_perf(true);
    let n_ctx = |n: usize| Some(NonZeroU32::new(u32::try_from(n).ok()?));
    let mut parameters = match kind {
        ContextKind::Decode { n_context, n_sequences } => parameters
            .with_n_ctx(n_ctx(n_context * n_sequences)?)
            .with_n_seq_max(u32::try_from(*n_sequences).ok()?)
            // Each sequence has a stream of its own, so that a decode looks at no other.
            .with_kv_unified(false)
            .with_n_batch(BATCH_TOKENS)
            .with_n_ubatch(MICRO_BATCH_TOKENS)
            .with_flash_attention_policy(llama_cpp_sys_2::LLAMA_FLASH_ATTN_TYPE_ENABLED),
        ContextKind::Embed { n_context } => {
            // The model's own pooling; the mean of all tokens where it has none.
            let has_own = model.meta_val_str(&of_architecture(model, "pooling_type")).is_ok();
            let pooling =
                if has_own { LlamaPoolingType::Unspecified } else { LlamaPoolingType::Mean };
            let n = u32::try_from(*n_context).ok()?;
            // A text is pooled over one micro-batch.
            parameters
                .with_n_ctx(n_ctx(*n_context)?)
                .with_n_batch(n)
                .with_n_ubatch(n)
                .with_embeddings(true)
                .with_pooling_type(pooling)
        }
    };
    // The safe wrapper has no way to set the abort callback. It is a struct of one field, so both
    // have the same layout, which the assertion checks as far as that can be checked.
    const {
        assert!(
            size_of::<LlamaContextParams>() == size_of::<llama_cpp_sys_2::llama_context_params>()
        );
    }
    // SAFETY: see above; the reference lives for these two assignments.
    let raw =
        unsafe { &mut *(&raw mut parameters).cast::<llama_cpp_sys_2::llama_context_params>() };
    raw.abort_callback = Some(should_abort);
    raw.abort_callback_data = Arc::as_ptr(abort).cast_mut().cast();
    // SAFETY: the context borrows the model. `LlamaCpp` keeps the `Arc` beside the context and
    // drops it after it, and a model behind an `Arc` does not move.
    let model: &'static LlamaModel = unsafe { &*Arc::as_ptr(model) };
    model.new_context(backend, parameters).ok()
}

/// The key of a file's metadata that belongs to its architecture.
fn of_architecture(model: &LlamaModel, key: &str) -> String {
    let architecture = model.meta_val_str("general.architecture").unwrap_or_default();
    format!("{architecture}.{key}")
}

/// Whether each token sees those before it only, so that the model can say which comes next.
pub(super) fn gives_text(model: &LlamaModel) -> bool {
    let architecture = model.meta_val_str("general.architecture").unwrap_or_default();
    let causal = model.meta_val_str(&of_architecture(model, "attention.causal"));
    generates(&architecture, causal.ok().map(|it| it != "false"))
}
