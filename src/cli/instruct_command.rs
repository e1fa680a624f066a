//! What `extract` and `summarize` have in common: the model that they ask, and what of an answer is
//! the same.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use crate::app::instruct::answers::{Answer, Answers};
use crate::app::instruct::{InstructModel, InstructSettings, check_file};
use crate::cli::items::stream::StreamArguments;
use crate::cli::{model, setup, terminal};
use crate::lm::Lane;
use crate::sandbox::{self, Needs};

/// What both take.
#[derive(Debug, Args)]
pub struct InstructArguments {
    /// More of what is wanted, in a person's words.
    #[arg(long, value_name = "WORDS")]
    pub instruction: Option<String>,
    /// Use this instruct model instead of the one in the settings: its name in `keyside model list`
    /// or a part of it, or a file.
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    #[command(flatten)]
    pub stream: StreamArguments,
}

impl InstructArguments {
    /// See [`enter_sandbox`].
    pub fn enter_sandbox(&self) {
        enter_sandbox(&self.stream);
    }

    /// See [`instruct_model`].
    ///
    /// # Errors
    /// Those of [`instruct_model`].
    pub fn instruct_model(&self) -> Result<Arc<InstructModel>, String> {
        instruct_model(self.model.as_deref())
    }
}

/// Gives up all but the answers' folder and those of the ledger and of what is known of models.
pub fn enter_sandbox(stream: &StreamArguments) {
    let mut writable: Vec<PathBuf> = stream.output_folder().into_iter().collect();
    if let Ok(folders) = setup::folders() {
        folders.make();
        writable.extend([folders.cache, folders.data]);
    }
    let writable: Vec<&std::path::Path> = writable.iter().map(PathBuf::as_path).collect();
    sandbox::enter(Needs { writable: Some(&writable), ..Needs::NOTHING });
}

/// The instruct model of this name, or the one in the settings. Nothing of it is loaded yet.
///
/// # Errors
/// One sentence: no model is named, there is none of this name, or it follows no instructions.
pub fn instruct_model(wanted: Option<&str>) -> Result<Arc<InstructModel>, String> {
    let folders = setup::folders()?;
    let resolved = setup::settings(&folders);
    terminal::notes(&resolved.notes);
    let config = resolved.config.model;
    let wanted = wanted.unwrap_or(&config.instruct);
    if wanted.is_empty() {
        return Err("no instruct model is chosen; `keyside model use --instruct MODEL` chooses one, or name one \
                    with --model (`keyside model list` shows what there is)"
            .to_owned());
    }
    let found = model::named(&folders, wanted)?;
    let name = &found.name;
    if found.path.as_os_str().is_empty() {
        return Err(format!(
            "the built-in model {name} completes code and follows no instructions; name an instruct model"
        ));
    }
    let header = found.header.as_ref().map_err(|fault| {
        format!("{name} can't be used: {fault}; get it again, or name another with --model")
    })?;
    check_file(name, header)?;
    Ok(InstructModel::new(InstructSettings::of(&config, found.path), folders.cache))
}

/// Loads the model and gives it its instruction.
///
/// # Errors
/// One sentence.
pub async fn answers(
    model: &Arc<InstructModel>,
    instruction: &str,
    max_tokens: usize,
) -> Result<Answers, String> {
    Answers::new(model.take().await?, lane(), instruction, max_tokens)
}

/// The interactive lane: this process answers no keystrokes that its tasks could delay.
pub fn lane() -> Lane {
    Lane::Interactive { document: "items".into(), arrival: 1 }
}

/// The fields of an answer that say how it came about, behind its own.
pub fn with_usage<T>(mut fields: String, answer: &Answer<T>) -> String {
    if answer.n_cut_chars > 0 {
        let _ = write!(fields, ",\"cut_chars\":{}", answer.n_cut_chars);
    }
    let usage = answer.usage;
    let _ = write!(
        fields,
        ",\"asked\":{},\"evaluated_tokens\":{},\"cached_tokens\":{},\"generated_tokens\":{}",
        answer.n_asked, usage.evaluated_tokens, usage.cached_tokens, usage.generated_tokens
    );
    fields
}
