//! Graphics processors, where this program was built with llama.cpp's code for them.

use llama_cpp_2::{LlamaBackendDeviceType, list_llama_ggml_backend_devices};

use crate::lm::gguf_header::GgufHeader;
use crate::lm::model_info::GpuUse;
use crate::lm::sizing;

/// The first graphics processor, and what is free of its memory.
struct Device {
    name: String,
    n_free_bytes: u64,
}

fn first() -> Option<Device> {
    let is_gpu = |it: LlamaBackendDeviceType| {
        matches!(it, LlamaBackendDeviceType::Gpu | LlamaBackendDeviceType::IntegratedGpu)
    };
    let device = list_llama_ggml_backend_devices().into_iter().find(|it| is_gpu(it.device_type))?;
    let name = if device.description.is_empty() { device.name } else { device.description };
    Some(Device { name, n_free_bytes: u64::try_from(device.memory_free).unwrap_or(u64::MAX) })
}

/// How many layers of a model run on a graphics processor, and on which. `wanted`: the settings'
/// number; without one, as many as its free memory holds with `n_tokens` of KV cache. A tiny model
/// stays on the processor.
pub(super) fn use_of(
    wanted: Option<u32>,
    header: Option<&GgufHeader>,
    n_file_bytes: u64,
    n_tokens: usize,
) -> GpuUse {
    let Some(device) = first() else { return GpuUse::default() };
    let fitting = |header: &GgufHeader| {
        if header.n_params < sizing::TINY_PARAMETERS {
            return 0;
        }
        let cache = header.kv_bytes_per_token.saturating_mul(n_tokens as u64);
        sizing::gpu_layers(device.n_free_bytes, n_file_bytes.saturating_add(cache), header.n_layers)
    };
    let n_layers = wanted.or(header.map(fitting)).unwrap_or_default();
    GpuUse { n_layers, device: Some(device.name) }
}
