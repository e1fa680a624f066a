//! How much of a machine a model is given, by its size.

/// Parameters below which a model counts as tiny: one thread, a short context.
pub const TINY_PARAMETERS: u64 = 100_000_000;
/// Prompts that are resident: the embedded model's cache takes 2 KB a token.
const TINY_SEQUENCES: usize = 8;
const SEQUENCES: usize = 3;
/// Tokens of context of an instruct model where the settings name none.
pub const INSTRUCT_CONTEXT_TOKENS: usize = 4_096;
/// No context is made smaller, whatever is asked for.
const LEAST_CONTEXT: usize = 256;
/// Nor is it made smaller than this by itself: the caret's surroundings have to be in it.
const LEAST_USEFUL_CONTEXT: usize = 512;
/// What llama.cpp computes in, the vocabulary and the program itself.
const WORK_BYTES: u64 = 128 << 20;
/// The same on a graphics processor, which others draw with.
const GPU_WORK_BYTES: u64 = 512 << 20;

/// How many prompts stay in the KV cache, and of how many tokens each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheSize {
    pub n_sequences: usize,
    pub n_context_tokens: usize,
}

/// The sizes to choose from, the best first. A context that the settings name stays as it is.
/// `n_trained`: what the model was trained on.
pub fn cache_sizes(n_params: u64, wanted: Option<usize>, n_trained: usize) -> Vec<CacheSize> {
    let size = |n_sequences, n_context_tokens| CacheSize { n_sequences, n_context_tokens };
    let context = wanted.unwrap_or(n_context_tokens(n_params)).min(n_trained).max(LEAST_CONTEXT);
    // With one prompt, nothing can be prepared while the next key is awaited: that comes last.
    let mut all: Vec<CacheSize> =
        (2..=n_sequences(n_params)).rev().map(|n| size(n, context)).collect();
    let mut least = context;
    while wanted.is_none() && least / 2 >= LEAST_USEFUL_CONTEXT {
        least /= 2;
        all.push(size(2, least));
    }
    all.push(size(1, least));
    all
}

/// How many layers of a model fit into the free memory of a graphics processor. `n_bytes`: its
/// weights and its KV cache, which are spread over its layers and what comes after the last.
pub fn gpu_layers(n_free_bytes: u64, n_bytes: u64, n_layers: u64) -> u32 {
    let parts = n_layers.saturating_add(1);
    let of_part = n_bytes.div_ceil(parts).max(1);
    let n = n_free_bytes.saturating_sub(GPU_WORK_BYTES) / of_part;
    u32::try_from(n.min(parts)).unwrap_or(u32::MAX)
}

/// How many prompts stay in the KV cache.
pub fn n_sequences(n_params: u64) -> usize {
    if n_params < TINY_PARAMETERS { TINY_SEQUENCES } else { SEQUENCES }
}

/// Tokens of context where the settings name none.
pub fn n_context_tokens(n_params: u64) -> usize {
    if n_params < TINY_PARAMETERS { 1_024 } else { 2_048 }
}

/// The memory that a model takes with its KV cache, in bytes: about, and rather more.
pub fn resident_bytes(file_bytes: u64, n_params: u64, kv_bytes_per_token: u64) -> u64 {
    let n_tokens = (n_sequences(n_params) * n_context_tokens(n_params)) as u64;
    with_cache(file_bytes, n_tokens, kv_bytes_per_token)
}

/// The same of an instruct model with a context of so many tokens.
pub fn instruct_bytes(file_bytes: u64, n_context_tokens: usize, kv_bytes_per_token: u64) -> u64 {
    with_cache(file_bytes, n_context_tokens as u64, kv_bytes_per_token)
}

/// The memory of a model whose KV cache has room for so many tokens.
pub fn with_cache(file_bytes: u64, n_tokens: u64, kv_bytes_per_token: u64) -> u64 {
    let cache = kv_bytes_per_token.saturating_mul(n_tokens);
    file_bytes.saturating_add(cache).saturating_add(WORK_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_layers_as_fit_run_on_a_graphics_processor() {
        let gib = 1_u64 << 30;
        assert_eq!(gpu_layers(24 * gib, 5 * gib, 28), 29);
        assert_eq!(gpu_layers(3 * gib, 5 * gib, 28), 14);
        assert_eq!(gpu_layers(gib / 4, 5 * gib, 28), 0);
        assert_eq!(gpu_layers(u64::MAX, 0, 0), 1);
        assert_eq!(gpu_layers(u64::MAX, u64::MAX, u64::MAX), u32::MAX);
    }

    #[test]
    fn a_cache_gets_smaller_by_steps() {
        let sizes = |n_params, wanted, n_trained| -> Vec<(usize, usize)> {
            let all = cache_sizes(n_params, wanted, n_trained);
            all.iter().map(|it| (it.n_sequences, it.n_context_tokens)).collect()
        };
        assert_eq!(
            sizes(1_500_000_000, None, 32_768),
            [(3, 2_048), (2, 2_048), (2, 1_024), (2, 512), (1, 512)]
        );
        assert_eq!(sizes(1_500_000_000, Some(8_192), 32_768), [(3, 8_192), (2, 8_192), (1, 8_192)]);
        assert_eq!(sizes(1_500_000_000, None, 512), [(3, 512), (2, 512), (1, 512)]);
        assert_eq!(sizes(1_500_000_000, Some(1), 512), [(3, 256), (2, 256), (1, 256)]);
        let tiny = sizes(20_000_000, None, 1_024);
        assert_eq!((tiny[0], tiny[6], tiny[8]), ((8, 1_024), (2, 1_024), (1, 512)));
    }
}
