//! The models on this disk: what other programs have fetched already, found by the rules by which
//! those programs keep it. Nothing is copied, written or loaded.

mod folder;
mod hugging_face;
mod ollama;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::files;
use crate::lm::backend::embedded;
use crate::lm::gguf_header::{GgufHeader, HeaderFault};

/// Where models may lie. A folder that is not there holds none.
#[derive(Debug, Clone, Default)]
pub struct ModelPlaces {
    /// Ollama's `models`: `manifests` and `blobs`.
    pub ollama: Vec<PathBuf>,
    /// LM Studio's `models`: `PUBLISHER/REPOSITORY/FILE.gguf`.
    pub lm_studio: Vec<PathBuf>,
    /// The cache of llama.cpp's own downloads.
    pub llama_cpp: Vec<PathBuf>,
    /// The cache of `huggingface_hub`: `models--OWNER--REPOSITORY`.
    pub hugging_face: Vec<PathBuf>,
    /// What `keyside model pull` fetched.
    pub pulled: Vec<PathBuf>,
    /// Any others: those of the settings, and those that a command names.
    pub folders: Vec<PathBuf>,
}

/// Which program keeps a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptBy {
    BuiltIn,
    Keyside,
    Ollama,
    LmStudio,
    LlamaCpp,
    HuggingFace,
    Folder,
    /// No more is known than its path.
    Person,
}

impl KeptBy {
    /// For people and for JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BuiltIn => "built in",
            Self::Keyside => "keyside",
            Self::Ollama => "Ollama",
            Self::LmStudio => "LM Studio",
            Self::LlamaCpp => "llama.cpp",
            Self::HuggingFace => "Hugging Face",
            Self::Folder => "folder",
            Self::Person => "file",
        }
    }
}

/// A model file.
#[derive(Debug, Clone)]
pub struct FoundModel {
    /// By which a person knows it.
    pub name: String,
    /// Names of the same file.
    pub other_names: Vec<String>,
    pub kept_by: KeptBy,
    /// Of the file, or of the first of several; what `model.path` would be. Empty for the one that
    /// is built in.
    pub path: PathBuf,
    /// Of all its files.
    pub n_bytes: u64,
    /// What its name or its manifest says of its bytes, in hexadecimal.
    pub sha256: Option<String>,
    pub header: Result<GgufHeader, HeaderFault>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct FoundModels {
    pub models: Vec<FoundModel>,
    /// A sentence for each thing that could not be followed.
    pub notes: Vec<String>,
    /// Real paths with the model's place in the list, if it is in it: a file is one model, however
    /// many names it has.
    seen: HashMap<PathBuf, Option<usize>>,
}

/// What a file's name says of it, by the habits of those who publish models.
pub struct GgufFileName<'a>(&'a str);

impl<'a> GgufFileName<'a> {
    /// Of a path.
    pub fn of(path: &'a str) -> Self {
        Self(path.rsplit('/').next().unwrap_or(path))
    }

    /// It holds a vision model's projector, or an importance matrix, and no model.
    pub fn is_projector(&self) -> bool {
        let name = self.0.to_lowercase();
        name.contains("mmproj") || name.contains("imatrix")
    }

    /// It is one of several files of a model.
    pub fn is_part(&self) -> bool {
        folder::part_of(Path::new(self.0)).is_some()
    }
}

/// The name of the model that is in this program.
pub const BUILT_IN: &str = "built-in";

/// A model that is in this program, by its own name.
pub fn built_in(name: &str) -> FoundModel {
    let model = embedded::model(name);
    FoundModel {
        name: BUILT_IN.to_owned(),
        other_names: vec![model.name.to_owned()],
        kept_by: KeptBy::BuiltIn,
        path: PathBuf::new(),
        n_bytes: model.bytes.len() as u64,
        sha256: Some(model.sha256.to_owned()),
        header: GgufHeader::read(model.bytes),
    }
}

/// Looks everywhere.
pub fn find(places: &ModelPlaces) -> FoundModels {
    let mut found = FoundModels::default();
    places.pulled.iter().for_each(|it| folder::find(it, KeptBy::Keyside, &mut found));
    places.ollama.iter().for_each(|it| ollama::find(it, &mut found));
    places.lm_studio.iter().for_each(|it| folder::find(it, KeptBy::LmStudio, &mut found));
    places.hugging_face.iter().for_each(|it| hugging_face::find(it, &mut found));
    places.llama_cpp.iter().for_each(|it| folder::find(it, KeptBy::LlamaCpp, &mut found));
    places.folders.iter().for_each(|it| folder::find(it, KeptBy::Folder, &mut found));
    found
}

/// A file by its path, whatever it is.
pub fn of_file(path: &Path) -> FoundModel {
    FoundModel {
        name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        other_names: Vec::new(),
        kept_by: KeptBy::Person,
        path: path.to_owned(),
        n_bytes: folder::bytes_of_all_parts(path).unwrap_or_default(),
        sha256: None,
        header: GgufHeader::of_file(path),
    }
}

impl FoundModels {
    /// Takes a file in, unless it is there already or is a part of a model that a person does not
    /// choose by itself (a later file of several, an adapter, a projector).
    fn add(&mut self, name: String, kept_by: KeptBy, path: PathBuf, sha256: Option<String>) {
        let part = folder::part_of(&path);
        if part.is_some_and(|(number, _)| number != 1) {
            return;
        }
        let real = files::real_path(&path);
        if let Some(known) = self.seen.get(&real) {
            let known = known.and_then(|it| self.models.get_mut(it));
            if let Some(known) = known.filter(|it| it.name != name && it.kept_by == kept_by) {
                known.other_names.push(name);
            }
            return;
        }
        let model = FoundModel { name, kept_by, sha256, ..of_file(&path) };
        let is_one = !model.header.as_ref().is_ok_and(|it| !it.is_language_model());
        self.seen.insert(real, is_one.then_some(self.models.len()));
        if !is_one {
            return;
        }
        if let Some((_, n_parts)) = part
            && folder::bytes_of_all_parts(&path).is_none()
        {
            self.notes.push(format!(
                "{} is one of {n_parts} files, and not all of them are there; get the others",
                path.display()
            ));
        }
        self.models.push(model);
    }

    /// The model that a person names: by its name, the end or a part of it, or by its path;
    /// `built_in_name` is that in this program that the settings choose.
    ///
    /// # Errors
    /// One sentence, where there is none, or more than one.
    pub fn named(
        &self,
        wanted: &str,
        built_in_name: &str,
        home: Option<&Path>,
    ) -> Result<FoundModel, String> {
        if [BUILT_IN, "builtin"].iter().any(|it| it.eq_ignore_ascii_case(wanted)) {
            return Ok(built_in(built_in_name));
        }
        if let Some(model) = embedded::MODELS.iter().find(|it| it.name == wanted) {
            return Ok(built_in(model.name));
        }
        let file = match (wanted.strip_prefix("~/"), home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(wanted),
        };
        if file.is_file() {
            let file = std::path::absolute(&file).unwrap_or(file);
            let real = files::real_path(&file);
            let known = self.models.iter().find(|it| files::real_path(&it.path) == real);
            return Ok(known.cloned().unwrap_or_else(|| of_file(&file)));
        }
        let same = |it: &FoundModel| {
            let latest = format!("{wanted}:latest");
            let is_it =
                |it: &String| it.eq_ignore_ascii_case(wanted) || it.eq_ignore_ascii_case(&latest);
            is_it(&it.name) || it.other_names.iter().any(is_it)
        };
        let lower = wanted.to_lowercase();
        let ends_so = |it: &FoundModel| it.name.to_lowercase().ends_with(&format!("/{lower}"));
        let has_it = |it: &FoundModel| it.name.to_lowercase().contains(&lower);
        let rules: [&dyn Fn(&FoundModel) -> bool; 3] = [&same, &ends_so, &has_it];
        for rule in rules {
            let matching: Vec<&FoundModel> = self.models.iter().filter(|it| rule(it)).collect();
            match matching[..] {
                [] => {}
                [one] => return Ok(one.clone()),
                [first, second, ..] => {
                    return Err(format!(
                        "{wanted} may be {} models, among them {} ({}) and {} ({}); write more of the name, or \
                         the path",
                        matching.len(),
                        first.name,
                        first.path.display(),
                        second.name,
                        second.path.display()
                    ));
                }
            }
        }
        Err(format!(
            "there is no model {wanted} here, neither as a name nor as a file; `keyside model list` shows \
             all that there are"
        ))
    }
}
