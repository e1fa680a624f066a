//! `keyside serve`: the language server on standard input and output.

use std::convert::Infallible;
use std::time::Duration;

use std::sync::Arc;

use crate::assist::Session;
use crate::cli::setup;
use crate::config::{Config, layers};
use crate::lsp::{self, Ended};

/// How long a decode that is being stopped may take before the process ends all the same.
const PATIENCE: Duration = Duration::from_millis(300);

/// Runs the command until the client is gone.
///
/// # Errors
/// One sentence, where it could not be started.
pub fn run() -> Result<Infallible, String> {
    let folders = setup::folders()?;
    // What is wrong with the settings is told to the client, which has a place to show it.
    let file_settings = layers::read_file(&folders.config_file());
    let config = match &file_settings {
        Ok(layer) => layers::resolve(std::slice::from_ref(layer)).config,
        Err(_) => Config::default(),
    };
    let session = Session::start(config, folders)
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
    // Neither a read of standard input nor the loading of a model can be interrupted, so nothing is
    // waited for any more.
    std::process::exit(match ended {
        Ended::Properly => 0,
        Ended::ClientGone => 1,
    })
}
