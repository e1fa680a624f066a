//! What every command needs first: logging, folders, settings, a session.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::app::Session;
use crate::cli::terminal;
pub use crate::cli::terminal::print;
use crate::config::Config;
use crate::config::folders::Folders;
use crate::config::layers::{self, Resolved};
use crate::sandbox::{self, Needs, Sandbox};

/// Sends the log to stderr, at the level in `KEYSIDE_LOG` (`off`, `error`, `warn`, `info`, `debug`,
/// `trace`), or else at `default`.
///
/// Only keyside's own events are let through, whatever the level: some libraries log whole
/// messages, and with them source text. A panic is logged with its place but not with its message,
/// which can quote the text it fell over.
pub fn start_logging(default: tracing_subscriber::filter::LevelFilter) {
    use tracing_subscriber::filter::Targets;
    use tracing_subscriber::prelude::*;

    let level = variable("KEYSIDE_LOG").and_then(|it| it.parse().ok()).unwrap_or(default);
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(|| terminal::Log)
        .with_ansi(false)
        // It would be said on stderr, of which this is said.
        .log_internal_errors(false)
        .with_filter(Targets::new().with_target("keyside", level));
    // A second call, in tests, finds the first one's subscriber in place.
    let _ = tracing_subscriber::registry().with(layer).try_init();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!("a part of keyside failed at {place}; please report this line");
    }));
}

/// Makes the limit of a file's size an error of the write that meets it, as a full disk is;
/// otherwise it ends the process.
pub fn take_limits_as_errors() {
    #[cfg(unix)]
    // SAFETY: ignoring a signal runs nothing, and no other thread is there yet.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

/// Sees whether the system gives this process as many threads as it will need. Later, one that it
/// does not get is waited for without end.
///
/// # Errors
/// One sentence.
pub fn check_threads(n_threads: usize) -> Result<(), String> {
    let n_before = n_own_threads();
    let gate = std::sync::Mutex::new(());
    let closed = gate.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let checked = std::thread::scope(|scope| {
        let started = (0..n_threads).try_for_each(|_| {
            let builder = std::thread::Builder::new().stack_size(64 << 10);
            builder.spawn_scoped(scope, || drop(gate.lock())).map(drop)
        });
        drop(closed);
        started.map_err(|error| {
            format!(
                "the system refuses the {n_threads} threads that keyside needs ({error}); raise the limit of processes (`ulimit -u`), \
                 or end some"
            )
        })
    });
    // The kernel counts a thread for a moment after it has ended, and the next might be refused.
    for _ in 0..100 {
        if n_own_threads() <= n_before {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    checked
}

/// As the kernel counts them; 0 where it does not say.
fn n_own_threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

/// Ends the process at once, without the destructors of llama.cpp: other threads may be in the
/// middle of it, and would be left with what these have taken away.
pub fn leave(code: u8) -> ! {
    #[cfg(unix)]
    // SAFETY: it ends all threads in the kernel and runs nothing of this program.
    unsafe {
        libc::_exit(code.into())
    }
    // There, this ends all threads before anything else is done.
    #[cfg(not(unix))]
    std::process::exit(code.into())
}

/// Gives up the network, and all files but keyside's own, for good. Before a model file, a settings
/// file of a workspace or any text is read, and before there is a second thread.
pub fn enter_sandbox(folders: &Folders) -> &'static Sandbox {
    enter_sandbox_with(folders, None)
}

/// The same, but for the connections that others make to a port that is listened on already.
pub fn enter_sandbox_with(folders: &Folders, listener: Option<i32>) -> &'static Sandbox {
    folders.make();
    let (config, consent) = (folders.config_file(), folders.consent_file());
    let entered = sandbox::enter(Needs {
        network: false,
        listener,
        writable: Some(&[&folders.data, &folders.cache]),
        protected: &[&folders.config, &config, &consent],
    });
    tracing::info!("{}; {}", entered.network_sentence(), entered.files_sentence());
    entered
}

/// Takes the keys of providers and of the completion server out of this process's environment and
/// out of its memory: only the broker needs them. To be called right after the broker was started,
/// while no other thread looks into the environment.
pub fn forget_keys(config: &Config) {
    config.key_variables().for_each(environment::forget);
}

/// The folders of this user.
///
/// # Errors
/// One sentence.
pub fn folders() -> Result<Folders, String> {
    Folders::find(variable("KEYSIDE_HOME").map(PathBuf::from))
}

/// The settings of the file, with notes for what in them is not followed; or the defaults, with
/// why.
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
        resolved.config.model.set_path(model);
    }
    let workspace = std::env::current_dir().ok();
    let session = Session::start_in(resolved.config, folders, workspace.as_deref())
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

    /// Overwrites a variable's value where the system put it when the process began, which is also
    /// what `/proc` shows, and removes it.
    pub(super) fn forget(name: &str) {
        let Ok(name) = CString::new(name) else { return };
        // SAFETY: no other code changes the environment, and the value ends in a zero byte, as all
        // of them do.
        unsafe {
            let value = libc::getenv(name.as_ptr());
            if value.is_null() {
                return;
            }
            for at in 0..libc::strlen(value) {
                // Volatile, because it is never read again.
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
        // SAFETY: no other thread looks into the environment at the start.
        unsafe { std::env::remove_var(name) };
    }
}
