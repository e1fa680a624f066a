//! What every command needs first: logging, folders, settings, a session.

use std::path::PathBuf;
use std::sync::Arc;

use crate::assist::Session;
use crate::cli::terminal;
pub use crate::cli::terminal::print;
use crate::config::cloud::CloudConfig;
use crate::config::folders::Folders;
use crate::config::layers::{self, Resolved};

/// Sends the log to stderr, at the level in `KEYSIDE_LOG` (`off`, `error`, `warn`, `info`, `debug`,
/// `trace`; `warn` by default).
///
/// Only keyside's own events are let through, whatever the level: some libraries log whole messages,
/// and with them source text. A panic is logged with its place but not with its message, which can
/// quote the text it fell over.
pub fn start_logging() {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::prelude::*;

    let level = variable("KEYSIDE_LOG").and_then(|it| it.parse().ok()).unwrap_or(LevelFilter::WARN);
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(|| terminal::Log)
        .with_ansi(false)
        .with_filter(Targets::new().with_target("keyside", level));
    // A second call, in tests, finds the first one's subscriber in place.
    let _ = tracing_subscriber::registry().with(layer).try_init();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!("a part of keyside failed at {place}; please report this line");
    }));
}

/// Gives up the network for good. Before a model file, a settings file of a workspace or any text is read.
pub fn give_up_network() {
    let network = crate::offline::give_up_network().sentence();
    tracing::info!("{network}");
}

/// Takes the keys of providers out of this process's environment and out of its memory: the broker has them, and nobody else needs
/// them. To be called right after the broker was started, while no other thread looks into the environment.
pub fn forget_keys(config: &CloudConfig) {
    config.providers.iter().filter_map(|it| it.key_variable()).for_each(environment::forget);
}

/// The folders of this user.
///
/// # Errors
/// One sentence.
pub fn folders() -> Result<Folders, String> {
    Folders::find(variable("KEYSIDE_HOME").map(PathBuf::from))
}

/// The settings of the file, with notes for what in them is not followed; or the defaults, with why.
pub fn settings(folders: &Folders) -> Resolved {
    match layers::read_file(&folders.config_file()) {
        Ok(layer) => layers::resolve(&[layer]),
        Err(sentence) => Resolved { notes: vec![sentence], ..Resolved::default() },
    }
}

/// A session for a command, its notes printed, and its runtime. `model` replaces the model of the
/// settings.
///
/// # Errors
/// One sentence.
pub fn session(model: Option<&str>) -> Result<(Arc<Session>, tokio::runtime::Runtime), String> {
    let folders = folders()?;
    let mut resolved = settings(&folders);
    terminal::notes(&resolved.notes);
    if let Some(model) = model {
        model.clone_into(&mut resolved.config.model.path);
    }
    let session = Session::start(resolved.config, folders)
        .map_err(|error| format!("the system refuses another thread ({error}); try again"))?;
    let runtime = runtime()?;
    let ready = runtime.block_on(session.engine().ready())?;
    match (&ready.instead_of, model) {
        (None, _) => {}
        (Some(why), Some(_)) => return Err(why.clone()),
        (Some(why), None) => {
            terminal::complain(&format!("{} suggests instead, because {why}", ready.name));
        }
    }
    Ok((Arc::new(session), runtime))
}

/// The runtime of the program: a reader and a worker; the model has a thread of its own.
///
/// # Errors
/// One sentence.
pub fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| format!("the system refuses threads ({error}); try again"))
}

/// A variable of the environment, where it is set and not empty.
#[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(target_os = "linux")]
mod environment {
    use std::ffi::CString;

    /// Overwrites a variable's value where the system put it when the process began, which is also what `/proc` shows, and
    /// removes it.
    pub(super) fn forget(name: &str) {
        let Ok(name) = CString::new(name) else { return };
        // SAFETY: nobody else changes the environment, and the value ends in a zero byte, as all of them do.
        unsafe {
            let value = libc::getenv(name.as_ptr());
            if value.is_null() {
                return;
            }
            for at in 0..libc::strlen(value) {
                // Volatile, because nobody reads it again.
                value.add(at).write_volatile(0);
            }
            libc::unsetenv(name.as_ptr());
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod environment {
    /// Removes a variable from the environment that programs started later get.
    pub(super) fn forget(name: &str) {
        // SAFETY: nobody else looks into the environment at the start.
        unsafe { std::env::remove_var(name) };
    }
}
