//! The cache of `huggingface_hub`: `models--OWNER--REPOSITORY` with `snapshots/COMMIT/FILE`, links
//! to `blobs/SHA256`, and `refs/main`, which names a commit. (Where links can't be made, the files
//! lie in the snapshots.)

use std::path::{Path, PathBuf};

use crate::files;
use crate::models::folder::{is_gguf, name_of};
use crate::models::ollama::is_sha256;
use crate::models::{FoundModels, KeptBy};

/// A quantization may have a folder of its own.
const MAX_DEPTH: usize = 4;
const MAX_REF_BYTES: u64 = 200;

/// Finds the models below the cache's `hub`.
pub(super) fn find(root: &Path, found: &mut FoundModels) {
    let Ok(entries) = std::fs::read_dir(root) else { return };
    let mut repositories: Vec<PathBuf> = entries.flatten().map(|it| it.path()).collect();
    repositories.sort();
    for repository in repositories {
        let name = repository.file_name().and_then(|it| it.to_str()).unwrap_or_default();
        let Some(name) = name.strip_prefix("models--") else { continue };
        let name = name.replace("--", "/");
        for snapshot in snapshots(&repository) {
            visit(&snapshot, &snapshot, &name, 0, found);
        }
    }
}

/// The snapshots of a repository, that of `main` first: of a file that several have it is the one
/// that lasts.
fn snapshots(repository: &Path) -> Vec<PathBuf> {
    let main = files::read(&repository.join("refs/main"), MAX_REF_BYTES).unwrap_or_default();
    let main = String::from_utf8_lossy(&main).trim().to_owned();
    let Ok(entries) = std::fs::read_dir(repository.join("snapshots")) else { return Vec::new() };
    let mut all: Vec<PathBuf> = entries.flatten().map(|it| it.path()).collect();
    all.sort_by_key(|it| (!it.ends_with(&main), it.clone()));
    all
}

fn visit(folder: &Path, snapshot: &Path, repository: &str, depth: usize, found: &mut FoundModels) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    // Only files are links there, and a link to a folder could lead back.
    let is_folder = |it: &std::fs::DirEntry| it.file_type().is_ok_and(|it| it.is_dir());
    let mut paths: Vec<_> = entries.flatten().map(|it| (it.path(), is_folder(&it))).collect();
    paths.sort();
    for (path, is_folder) in paths {
        if is_folder && depth < MAX_DEPTH {
            visit(&path, snapshot, repository, depth + 1, found);
        }
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() && is_gguf(&path) => {
                let real = files::real_path(&path);
                let blob = real.file_name().and_then(|it| it.to_str()).filter(|it| is_sha256(it));
                let sha256 = blob.map(ToOwned::to_owned);
                let name = format!("{repository}/{}", name_of(&path, snapshot));
                found.add(name, KeptBy::HuggingFace, path, sha256);
            }
            Err(_) if is_gguf(&path) => found.notes.push(format!(
                "{} leads to no file; its download was not finished, or its blob was removed",
                path.display()
            )),
            _ => {}
        }
    }
}
