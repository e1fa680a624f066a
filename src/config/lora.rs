//! Adapters (LoRA) of the model that completes.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::ModelConfig;
use crate::files;

/// An adapter, and where it counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct LoraAdapter {
    /// A GGUF file; `~/` is the home folder.
    pub path: String,
    /// How strongly it counts, -16 to 16: 1 as it was trained, 0 not at all.
    #[serde(default = "one")]
    pub scale: f64,
    /// The folder in which it counts; empty: everywhere.
    #[serde(default)]
    pub workspace: String,
}

fn one() -> f64 {
    1.0
}

impl LoraAdapter {
    pub(super) fn is_fine(&self) -> bool {
        !self.path.trim().is_empty() && (-16.0..=16.0).contains(&self.scale)
    }
}

impl ModelConfig {
    /// The adapter that counts in a workspace's folder: that of the deepest folder that it is in, and of
    /// several the later. One at a time, because llama.cpp's are trained alone.
    pub fn adapter_in(&self, folder: Option<&Path>) -> Option<&LoraAdapter> {
        let folder = folder.map(files::real_path);
        let depth = |it: &LoraAdapter| match it.workspace.trim() {
            "" => Some(0),
            of => {
                let of = files::real_path(&files::expand_home(of));
                folder.as_ref()?.starts_with(&of).then(|| of.components().count())
            }
        };
        let counting = self.lora.iter().filter_map(|it| Some((depth(it)?, it)));
        counting.max_by_key(|(depth, _)| *depth).map(|(_, it)| it)
    }

    /// The same settings with another model, which has none of this one's adapters.
    pub fn set_path(&mut self, path: &str) {
        path.clone_into(&mut self.path);
        self.lora.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_adapter_of_the_deepest_folder_counts() {
        let adapter = |name: &str, workspace: &str| LoraAdapter {
            path: name.to_owned(),
            scale: 1.0,
            workspace: workspace.to_owned(),
        };
        let mut model = ModelConfig::default();
        let name = |model: &ModelConfig, folder: Option<&str>| {
            model.adapter_in(folder.map(Path::new)).map(|it| it.path.clone())
        };
        assert_eq!(name(&model, Some("/w")), None);
        model.lora = vec![adapter("in", "/w/api"), adapter("w", "/w"), adapter("other", "/x")];
        for (folder, expected) in [
            (Some("/w/api"), Some("in")),
            (Some("/w/api/deep"), Some("in")),
            (Some("/w/apis"), Some("w")),
            (Some("/w"), Some("w")),
            (Some("/wide"), None),
            (None, None),
        ] {
            assert_eq!(name(&model, folder).as_deref(), expected, "{folder:?}");
        }
        model.lora.push(adapter("all", ""));
        assert_eq!(name(&model, None).as_deref(), Some("all"));
        assert_eq!(name(&model, Some("/wide")).as_deref(), Some("all"));
        assert_eq!(name(&model, Some("/w/x")).as_deref(), Some("w"));
        model.lora.push(adapter("later", "/w"));
        assert_eq!(name(&model, Some("/w/x")).as_deref(), Some("later"));
    }
}
