//! `keyside config helix`: keyside in Helix's `languages.toml`, beside what is there.

mod languages_toml;
mod own_servers;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::assistant::apply::unified_diff;
use crate::cli::helix::languages_toml::{with_keyside, without_keyside};
use crate::cli::helix::own_servers::OWN_SERVERS;
use crate::cli::setup;
use crate::config::folders;
use crate::files;
use crate::sandbox::{self, Needs};

/// What `config helix` takes.
#[derive(Debug, Args)]
pub struct HelixArguments {
    /// The `languages.toml`; otherwise that of Helix's configuration folder.
    file: Option<PathBuf>,
    /// Only these languages, as Helix names them, with commas between them; otherwise all whose
    /// servers in Helix are known.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    languages: Vec<String>,
    /// Print what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Take keyside out again.
    #[arg(long, conflicts_with = "languages")]
    remove: bool,
}

/// Writes keyside into the file, or takes it out.
///
/// # Errors
/// One sentence; then the file is as it was.
pub fn run(arguments: &HelixArguments) -> Result<(), String> {
    let named = match &arguments.file {
        Some(file) => file.clone(),
        None => folders::of_helix()?.join("languages.toml"),
    };
    // A link stays one: what it leads to is changed.
    let file = files::real_path(&named);
    let shown = file.display();
    let old = match files::read_text(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => {
            return Err(format!(
                "{shown} can't be read ({error}); name another file, or repair it"
            ));
        }
    };
    let languages: Vec<&str> = match arguments.languages.is_empty() {
        true => OWN_SERVERS.iter().map(|(name, _)| *name).collect(),
        false => arguments.languages.iter().map(|it| it.trim()).collect(),
    };
    let edited = match arguments.remove {
        true => without_keyside(&old),
        false => with_keyside(&old, &command(), &languages),
    };
    let new = edited.map_err(|what| format!("{shown} {what}"))?;
    if new == old {
        let state = if arguments.remove { "has no keyside in it" } else { "is as it should be" };
        return setup::print(&format!("{shown} {state}; nothing was changed\n"));
    }
    if arguments.dry_run {
        return setup::print(&unified_diff("languages.toml", &old, &new));
    }
    write(&file, &new).map_err(|error| {
        format!("{shown} can't be written ({error}); free disk space or make its folder writable")
    })?;
    let what = match (arguments.remove, languages.len()) {
        (true, _) => "no longer has keyside".to_owned(),
        (false, 1) => format!("has keyside beside the servers of {}", languages[0]),
        (false, n) => format!("has keyside beside the servers of {n} languages"),
    };
    setup::print(&format!(
        "{shown} {what}; in a Helix that is open, `:config-reload` and `:lsp-restart` follow it\n"
    ))
}

/// Replaces the file, with its folder where it has none, and gives up all else that it could write.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    sandbox::enter(Needs { writable: Some(&[folder]), ..Needs::NOTHING });
    files::replace_in_place(file, text.as_bytes())
}

/// What starts this program: its name, where the shell finds it by that, or else its path.
fn command() -> String {
    let name = format!("keyside{}", std::env::consts::EXE_SUFFIX);
    let Ok(program) = std::env::current_exe() else { return "keyside".to_owned() };
    let path = setup::variable("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|it| it.join(&name)).find(|it| it.is_file());
    let is_found = found.is_some_and(|it| files::real_path(&it) == files::real_path(&program));
    if is_found { "keyside".to_owned() } else { program.display().to_string() }
}
