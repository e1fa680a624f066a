//! How much of a machine a model is given, by its size.

/// Parameters below which a model counts as tiny: one thread, a short context.
pub const TINY_PARAMETERS: u64 = 100_000_000;
/// Prompts that are resident: the embedded model's cache takes 2 KB a token.
const TINY_SEQUENCES: usize = 8;
const SEQUENCES: usize = 3;
/// Tokens of context of an instruct model where the settings name none.
pub const INSTRUCT_CONTEXT_TOKENS: usize = 4_096;
/// What llama.cpp computes in, the vocabulary and the program itself.
const WORK_BYTES: u64 = 128 << 20;

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

fn with_cache(file_bytes: u64, n_tokens: u64, kv_bytes_per_token: u64) -> u64 {
    let cache = kv_bytes_per_token.saturating_mul(n_tokens);
    file_bytes.saturating_add(cache).saturating_add(WORK_BYTES)
}
