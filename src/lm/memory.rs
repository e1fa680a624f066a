//! Whether a model finds room, before it is loaded, and how large its KV cache may be then.

use std::path::Path;

use crate::files::{self, expand_home};
use crate::lm::gguf_header::GgufHeader;
use crate::lm::model_info::{built_for_gpus, name_of_file};
use crate::lm::registry::ModelSpec;
use crate::lm::sizing::{CacheSize, cache_sizes, with_cache};

/// The largest KV cache with which a model keeps to its limit: that of the settings, or else what
/// is free (`None`: the system does not tell). `Ok(None)` where the file can't be read, of which
/// loading says more.
///
/// # Errors
/// One sentence: it does not fit with the smallest one either.
pub fn fitting(
    path: &Path,
    spec: &ModelSpec,
    free_bytes: Option<u64>,
) -> Result<Option<CacheSize>, String> {
    let Ok(header) = GgufHeader::of_file(path) else { return Ok(None) };
    let of_file = |path: &Path| files::open(path)?.metadata().map(|it| it.len());
    let Ok(n_bytes) = of_file(path) else { return Ok(None) };
    let adapter = spec.lora.as_ref().and_then(|it| of_file(&expand_home(&it.path)).ok());
    let n_bytes = n_bytes.saturating_add(adapter.unwrap_or_default());
    let wanted = (spec.n_context_tokens > 0).then_some(spec.n_context_tokens);
    let n_trained = usize::try_from(header.n_context_trained).unwrap_or(usize::MAX);
    let needed = |size: &CacheSize| needed_bytes(&header, n_bytes, *size);
    let sizes = cache_sizes(header.n_params, wanted, n_trained);
    // What runs on a graphics processor lies in its memory.
    let may_leave = spec.n_gpu_layers != Some(0) && !built_for_gpus().is_empty();
    let most = spec.max_memory_bytes.or(free_bytes.filter(|_| !may_leave));
    let Some(most) = most else { return Ok(sizes.first().copied()) };
    if let Some(size) = sizes.iter().find(|it| needed(it) <= most) {
        return Ok(Some(*size));
    }
    let least = sizes.last().map(needed).unwrap_or_default();
    let name = name_of_file(path, || header.name.clone());
    let mib = |n: u64| n.div_ceil(1 << 20);
    let or_context = match wanted {
        Some(n) => format!(" with model.context_tokens {n}"),
        None => String::new(),
    };
    Err(match spec.max_memory_bytes {
        Some(most) => format!(
            "{name} needs at least {} MiB of memory{or_context}, and model.memory_mib is {}; raise it, or choose a \
             smaller model",
            mib(least),
            mib(most)
        ),
        None => format!(
            "{name} needs at least {} MiB of memory{or_context}, and {} are free, so the machine would slow down; \
             choose a smaller model, or set model.memory_mib to what it may take",
            mib(least),
            mib(most)
        ),
    })
}

/// What a model takes with a KV cache of this size, in bytes: about, and rather more.
pub fn needed_bytes(header: &GgufHeader, n_file_bytes: u64, size: CacheSize) -> u64 {
    let n_tokens = (size.n_sequences * size.n_context_tokens) as u64;
    with_cache(n_file_bytes, n_tokens, header.kv_bytes_per_token)
}
