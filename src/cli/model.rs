//! `keyside model`: the models on this machine, and which of them suggests. What other programs
//! have fetched is used where it lies.

mod bench;
mod info;
mod list;
pub mod own_settings;
pub mod places;
mod pull;
mod use_model;
mod verify;

use std::path::PathBuf;

use clap::Subcommand;

use crate::cli::setup;
use crate::config::folders::Folders;
use crate::lm::gguf_header::{CompletesBy, GgufHeader};
use crate::models::{self, FoundModel, FoundModels};
use crate::sandbox::{self, Needs};

/// What `keyside model` can do.
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// The built-in model and every GGUF model that is on this disk already: Ollama's, LM Studio's,
    /// llama.cpp's, Hugging Face's and those in folders of yours.
    List {
        /// Look here as well, this once.
        folders: Vec<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// What is known of a model.
    Info {
        /// Its name in `keyside model list` or a part of it, or a file.
        model: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check a model: its bytes, its tokens, a text, and how fast it is here.
    Verify {
        /// Its name in `keyside model list` or a part of it, or a file.
        model: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Which model is best for you: each types code of yours on this machine, and how fast it
    /// answers, what it spares and the memory that it takes decide. Nothing leaves the machine.
    Bench(bench::BenchArguments),
    /// Suggest with this model from now on (`model.path` in your settings file).
    Use {
        /// Its name in `keyside model list` or a part of it, or a file; `built-in` for the model
        /// inside this program, or that one's own name.
        model: String,
        /// Follow instructions with it, in `keyside extract` and `keyside summarize`, instead
        /// (`model.instruct`); `none`: with no model.
        #[arg(long)]
        instruct: bool,
        /// Although it needs more memory than is free.
        #[arg(long)]
        anyway: bool,
    },
    /// Fetch a model from Hugging Face, or from the hub in HF_ENDPOINT. What came is kept when the
    /// connection breaks, and its SHA-256 is compared.
    Pull {
        /// OWNER/REPOSITORY, OWNER/REPOSITORY:Q4_K_M or OWNER/REPOSITORY/FILE.gguf.
        model: String,
    },
    /// Remove a model that `pull` fetched.
    Remove {
        /// Its name in `keyside model list` or a part of it.
        model: String,
    },
    /// Find the models of other programs, and those in these folders from now on
    /// (`model.folders` in your settings file). Nothing is copied.
    Import {
        /// Folders of yours with GGUF files.
        folders: Vec<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

impl ModelCommand {
    /// Gives up what the command does not need: some write the settings, none has a network.
    pub fn enter_sandbox(&self) {
        let writes_settings = match self {
            Self::Use { .. } => true,
            Self::Import { folders, .. } => !folders.is_empty(),
            // It does so itself, when it has started what has a network.
            Self::Pull { .. } => return,
            Self::Remove { .. } => {
                if let Ok(folders) = setup::folders() {
                    let pulled = pull::folder(&folders);
                    let writable: &[&std::path::Path] = &[&pulled];
                    let writable = Some(writable);
                    sandbox::enter(Needs { writable, ..Needs::NOTHING });
                }
                return;
            }
            Self::List { .. } | Self::Info { .. } | Self::Verify { .. } | Self::Bench(_) => false,
        };
        match setup::folders() {
            Ok(folders) if writes_settings => {
                folders.make();
                let settings = own_settings::folder_of(&folders);
                let _ = std::fs::create_dir_all(&settings);
                sandbox::enter(Needs {
                    writable: Some(&[&settings, &folders.cache]),
                    ..Needs::NOTHING
                });
            }
            _ => drop(sandbox::enter(Needs::NOTHING)),
        }
    }
}

/// Runs a command.
///
/// # Errors
/// One sentence.
pub fn run(command: &ModelCommand) -> Result<(), String> {
    let folders = setup::folders()?;
    match command {
        ModelCommand::List { folders: more, json } => list::run(&folders, more, *json),
        ModelCommand::Info { model, json } => info::run(&folders, model, *json),
        ModelCommand::Verify { model, json } => verify::run(&folders, model, *json),
        ModelCommand::Bench(arguments) => bench::run(&folders, arguments),
        ModelCommand::Use { model, instruct: true, anyway } => {
            use_model::run_instruct(&folders, model, *anyway)
        }
        ModelCommand::Use { model, anyway, .. } => use_model::run(&folders, model, *anyway),
        ModelCommand::Pull { model } => pull::run(&folders, model),
        ModelCommand::Remove { model } => pull::remove(&folders, model),
        ModelCommand::Import { folders: more, json } => list::import(&folders, more, *json),
    }
}

/// The model that a person means.
///
/// # Errors
/// One sentence, where there is none, or more than one.
pub fn named(folders: &Folders, wanted: &str) -> Result<FoundModel, String> {
    let config = setup::settings(folders).config.model;
    let home = etcetera::home_dir().ok();
    found(folders, &config.folders, &[]).named(wanted, config.built_in.name(), home.as_deref())
}

/// Everything that is on this disk.
pub fn found(folders: &Folders, of_settings: &[String], more: &[PathBuf]) -> FoundModels {
    models::find(&places::of(folders, of_settings, more))
}

/// Of a model that makes vectors of texts.
const NO_TEXT: &str = "no, and it gives no text, so it can't complete code at a caret";

/// What a model is shown of the text around a caret, for JSON; `None` where it can't complete.
fn completes(header: &GgufHeader) -> Option<&'static str> {
    header.completes_by().map(|it| match it {
        CompletesBy::FillInTheMiddle(_) => "in the middle",
        CompletesBy::TextBefore => "after the text before",
    })
}

/// A size as people read it: 986 MB.
fn size(n_bytes: u64) -> String {
    let n = n_bytes as f64;
    match n_bytes {
        0..1_000_000 => format!("{:.0} kB", n / 1e3),
        1_000_000..10_000_000 => format!("{:.1} MB", n / 1e6),
        10_000_000..1_000_000_000 => format!("{:.0} MB", n / 1e6),
        _ => format!("{:.1} GB", n / 1e9),
    }
}

/// A number of parameters as people read it: 1.5 B.
fn parameters(n: u64) -> String {
    match n {
        0..1_000_000 => format!("{:.0} K", n as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} M", n as f64 / 1e6),
        _ => format!("{:.1} B", n as f64 / 1e9),
    }
}
