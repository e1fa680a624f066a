//! Which model completes: the one that the settings name, or the built-in one in its place.

use crate::completion::model_context::prompt_template;
use crate::config::ModelConfig;
use crate::lm::ModelInfo;
use crate::lm::registry::ModelSpec;

/// The model that the settings name.
pub fn model_spec(model: &ModelConfig) -> ModelSpec {
    let name = match model.path.as_str() {
        "" => format!("embedded:{}", model.built_in.name()),
        path => format!("file:{path}"),
    };
    ModelSpec { name, n_threads: model.threads, n_context_tokens: model.context_tokens }
}

/// Whether a model can complete at a caret.
///
/// # Errors
/// Why not, with what to do.
pub fn for_completion(model: &ModelInfo) -> Result<(), String> {
    prompt_template(model).map(|_| ())
}
