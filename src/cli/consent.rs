//! `keyside cloud allow` and `deny`: what a question in the editor asks, said in a terminal.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::setup;
use crate::config::consent::{Consents, Entry, Standing};
use crate::remote::protocol;

/// What `allow` and `deny` take.
#[derive(Debug, Args)]
pub struct ConsentArguments {
    /// The provider, by its name in the settings; otherwise the one that is asked.
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// The workspace's folder.
    #[arg(default_value = ".")]
    workspace: PathBuf,
}

/// Remembers for a workspace and a provider that it may, or may not, be asked without a question.
///
/// # Errors
/// One sentence.
pub fn run(arguments: &ConsentArguments, answer: Standing) -> Result<(), String> {
    let folders = setup::folders()?;
    let cloud = setup::settings(&folders).config.cloud;
    let provider = match &arguments.provider {
        Some(name) => cloud.providers.iter().find(|it| it.name == *name),
        None => cloud.chosen(),
    };
    let provider = provider.ok_or_else(|| {
        format!(
            "{} names no such provider in cloud.providers; add it there",
            folders.config_file().display()
        )
    })?;
    let workspace = absolute(&arguments.workspace)?;
    let host = protocol::host(provider)?;
    let (shown, name) = (workspace.display().to_string(), provider.name.clone());
    let entry = Entry { workspace, provider: provider.name.clone(), host: host.clone(), answer };
    Consents::remember(&folders.consent_file(), entry)?;
    setup::print(&match answer {
        Standing::Always => format!(
            "{name} at {host} may be sent text of {shown} when you ask for it, without a question\n"
        ),
        Standing::Never => format!("nothing of {shown} is sent to {name}\n"),
    })
}

/// As the server names it: without links.
fn absolute(folder: &Path) -> Result<PathBuf, String> {
    let real = folder.canonicalize().ok().filter(|it| it.is_dir());
    real.ok_or_else(|| format!("{} is no folder; name the workspace's folder", folder.display()))
}
