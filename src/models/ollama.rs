//! Ollama's models: manifests by name, which say which blob is the model
//! (`manifests/HOST/NAMESPACE/MODEL/TAG`, in the format of container images, and
//! `blobs/sha256-DIGEST`).

use std::path::Path;

use serde::Deserialize;

use crate::files;
use crate::models::{FoundModels, KeptBy};

const MODEL: &str = "application/vnd.ollama.image.model";
/// Where names without a host come from.
const DEFAULT_HOST: &str = "registry.ollama.ai";
/// Host, namespace (of Hugging Face, two), model, tag.
const MAX_DEPTH: usize = 6;
const MAX_MANIFESTS: usize = 20_000;
const MAX_MANIFEST_BYTES: u64 = 1 << 20;

#[derive(Deserialize)]
struct Manifest {
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    #[serde(rename = "mediaType")]
    media_type: String,
    digest: String,
    #[serde(default)]
    size: u64,
}

/// Finds the models below Ollama's folder.
pub(super) fn find(root: &Path, found: &mut FoundModels) {
    let mut n_manifests = 0;
    visit(&root.join("manifests"), root, &mut Vec::new(), &mut n_manifests, found);
}

fn visit(
    folder: &Path,
    root: &Path,
    names: &mut Vec<String>,
    n_manifests: &mut usize,
    found: &mut FoundModels,
) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    // Ollama makes no links, and one could lead back.
    let is_folder = |it: &std::fs::DirEntry| it.file_type().is_ok_and(|it| it.is_dir());
    let mut paths: Vec<_> = entries.flatten().map(|it| (it.path(), is_folder(&it))).collect();
    paths.sort();
    for (path, is_folder) in paths {
        let Some(name) = path.file_name().and_then(|it| it.to_str()) else { continue };
        // What a file manager leaves.
        if name.starts_with('.') {
            continue;
        }
        names.push(name.to_owned());
        if is_folder {
            if names.len() < MAX_DEPTH {
                visit(&path, root, names, n_manifests, found);
            }
        } else if path.is_file() && *n_manifests < MAX_MANIFESTS {
            *n_manifests += 1;
            if let Err(what) = add(&path, root, names, found) {
                found.notes.push(format!(
                    "Ollama's {} is left out: {what}; `ollama pull` gets it again",
                    shown_name(names)
                ));
            }
        }
        names.pop();
    }
}

fn add(
    manifest: &Path,
    root: &Path,
    names: &[String],
    found: &mut FoundModels,
) -> Result<(), String> {
    let bytes = files::read(manifest, MAX_MANIFEST_BYTES)
        .map_err(|error| format!("its manifest can't be read ({error})"))?;
    let manifest: Manifest = serde_json::from_slice(&bytes)
        .map_err(|_| "its manifest is not what it should be".to_owned())?;
    let mut layers = manifest.layers.into_iter().filter(|it| it.media_type == MODEL);
    // A model may be a set of parameters and words for another, in the cloud.
    let Some(layer) = layers.next() else { return Ok(()) };
    let digest = layer.digest.strip_prefix("sha256:").filter(|it| is_sha256(it));
    // It becomes a part of a path.
    let digest = digest.ok_or("its manifest names a blob by no SHA-256")?;
    let blob = root.join("blobs").join(format!("sha256-{digest}"));
    let n_bytes = std::fs::metadata(&blob).map(|it| it.len()).ok();
    match n_bytes {
        None => Err(format!("{} is missing", blob.display())),
        Some(n_bytes) if layer.size != 0 && layer.size != n_bytes => Err(format!(
            "{} has {n_bytes} bytes and not the {} of its manifest",
            blob.display(),
            layer.size
        )),
        Some(_) => {
            found.add(shown_name(names), KeptBy::Ollama, blob, Some(digest.to_owned()));
            Ok(())
        }
    }
}

/// Whether a name is a SHA-256 in hexadecimal.
pub(super) fn is_sha256(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|it| it.is_ascii_hexdigit())
}

/// As Ollama shows it: without the host and the namespace that it adds itself.
fn shown_name(names: &[String]) -> String {
    let names = match names {
        [host, library, rest @ ..] if host == DEFAULT_HOST && library == "library" => rest,
        [host, rest @ ..] if host == DEFAULT_HOST => rest,
        all => all,
    };
    match names {
        [model @ .., tag] if !model.is_empty() => format!("{}:{tag}", model.join("/")),
        _ => names.join("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_ollama_shows_them() {
        for (path, name) in [
            ("registry.ollama.ai/library/qwen2.5-coder/1.5b", "qwen2.5-coder:1.5b"),
            ("registry.ollama.ai/somebody/model/latest", "somebody/model:latest"),
            ("hf.co/bartowski/Qwen-GGUF/Q4_K_M", "hf.co/bartowski/Qwen-GGUF:Q4_K_M"),
            ("stray", "stray"),
        ] {
            let names: Vec<String> = path.split('/').map(ToOwned::to_owned).collect();
            assert_eq!(shown_name(&names), name);
        }
    }
}
