//! `keyside serve`: the language server on standard input and output.

use std::process::ExitCode;
use std::time::Duration;

use std::sync::Arc;

use crate::assist::Session;
use crate::cli::setup;
use crate::lsp::{self, Ended};

/// How long a decode that is being stopped may take before the process ends all the same.
const PATIENCE: Duration = Duration::from_millis(300);

/// Runs the command until the client is gone.
///
/// # Errors
/// One sentence, where it could not be started.
pub fn run() -> Result<ExitCode, String> {
    let folders = setup::folders()?;
    let (file_settings, resolved) = setup::settings(&folders);
    for note in &resolved.notes {
        tracing::warn!("{note}");
    }
    let session = Session::start(resolved.config, folders)
        .map_err(|error| format!("the system refuses another thread ({error}); try again"))?;
    let session = Arc::new(session);
    let runtime = setup::runtime()?;
    let ended = runtime.block_on(lsp::serve(
        tokio::io::stdin(),
        tokio::io::stdout(),
        Arc::clone(&session),
        file_settings,
    ));
    session.engine().end(PATIENCE);
    // A read of standard input can't be interrupted, so the runtime must not be waited for.
    runtime.shutdown_background();
    Ok(match ended {
        Ended::Properly => ExitCode::SUCCESS,
        Ended::ClientGone => ExitCode::FAILURE,
    })
}
