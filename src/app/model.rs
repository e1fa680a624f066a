//! Which model completes: the one that the settings name, or the built-in one in its place.

use std::path::Path;

use crate::completion::model_context::prompt_template;
use crate::config::ModelConfig;
use crate::config::gpu_layers::GpuLayers;
use crate::lm::ModelInfo;
use crate::lm::registry::{LoraSpec, ModelSpec};

/// The model that the settings name, with the adapter that counts in a workspace's folder.
pub fn model_spec(model: &ModelConfig, folder: Option<&Path>) -> ModelSpec {
    let name = match model.path.as_str() {
        "" => format!("embedded:{}", model.built_in.name()),
        path => format!("file:{path}"),
    };
    let lora = model.adapter_in(folder).map(|it| LoraSpec {
        path: it.path.clone(),
        scale_thousandths: (it.scale * 1_000.0).round() as i32,
    });
    ModelSpec {
        name,
        n_threads: model.threads,
        n_context_tokens: model.context_tokens,
        lora,
        max_memory_bytes: (model.memory_mib > 0).then_some(model.memory_mib << 20),
        n_gpu_layers: match model.gpu_layers {
            GpuLayers::Auto => None,
            GpuLayers::Number(n) => Some(n),
        },
    }
}

/// Whether a model can complete at a caret.
///
/// # Errors
/// Why not, with what to do.
pub fn for_completion(model: &ModelInfo) -> Result<(), String> {
    prompt_template(model).map(|_| ())
}
