//! Where other programs keep their models: by their own variables, or where they put them without.

use std::path::{Path, PathBuf};

use crate::cli::setup::variable;
use crate::config::folders::Folders;
use crate::files;
use crate::models::ModelPlaces;

/// All places of this user, those of the settings, and `more`.
pub fn of(folders: &Folders, of_settings: &[String], more: &[PathBuf]) -> ModelPlaces {
    let home = etcetera::home_dir().ok();
    let in_home = |path: &str| home.iter().map(|it| it.join(path)).collect::<Vec<_>>();
    let by_variable = |name: &str, below: &str| {
        variable(name).map(|it| expanded(&it, home.as_deref()).join(below)).into_iter().collect()
    };
    // The first variable that is set decides.
    let first = |of_variables: &[(&str, &str)], otherwise: Vec<PathBuf>| {
        let set = of_variables.iter().map(|(name, below)| by_variable(name, below));
        set.into_iter().find(|it: &Vec<PathBuf>| !it.is_empty()).unwrap_or(otherwise)
    };
    let cache = first(&[("XDG_CACHE_HOME", "")], in_home(".cache"));
    let in_cache = |path: &str| cache.iter().map(|it| it.join(path)).collect::<Vec<_>>();
    // A system service of Ollama's has a home of its own.
    let mut ollama = in_home(".ollama/models");
    ollama.push(PathBuf::from("/usr/share/ollama/.ollama/models"));
    let mut lm_studio = in_home(".lmstudio/models");
    lm_studio.extend(in_home(".cache/lm-studio/models"));
    let pointer = home.iter().map(|it| it.join(".lmstudio-home-pointer"));
    let pointed = pointer.filter_map(|it| files::read_text(&it).ok());
    lm_studio.extend(pointed.map(|it| PathBuf::from(it.trim()).join("models")));
    let mut llama_cpp = in_cache("llama.cpp");
    if cfg!(target_os = "macos") {
        llama_cpp = in_home("Library/Caches/llama.cpp");
    } else if cfg!(windows) {
        llama_cpp = by_variable("LOCALAPPDATA", "llama.cpp");
    }
    let own = of_settings.iter().map(|it| expanded(it, home.as_deref()));
    ModelPlaces {
        ollama: first(&[("OLLAMA_MODELS", "")], ollama),
        lm_studio,
        llama_cpp: first(&[("LLAMA_CACHE", "")], llama_cpp),
        hugging_face: first(
            &[("HF_HUB_CACHE", ""), ("HUGGINGFACE_HUB_CACHE", ""), ("HF_HOME", "hub")],
            in_cache("huggingface/hub"),
        ),
        pulled: vec![folders.cache.join("models").join("pulled")],
        folders: own.chain(more.iter().cloned()).collect(),
    }
}

/// A path as a person writes it, with `~/` for the home folder.
pub(super) fn expanded(path: &str, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}
