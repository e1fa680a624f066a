//! `keyside serve --completions-port`: the completions endpoint, in the place of the language
//! server.

use std::convert::Infallible;
use std::sync::Arc;

use crate::app::Session;
use crate::cli::{serve, setup, terminal};
use crate::completions_endpoint;

/// The model's, two that answer, the one that reads the rules of secrets, and what runs beside them
/// for a while.
const N_THREADS: usize = 6;

/// Answers on this port of 127.0.0.1 until the process is ended.
///
/// # Errors
/// One sentence, where it could not be started.
pub fn run(port: u16) -> Result<Infallible, String> {
    let folders = setup::folders()?;
    let resolved = setup::settings(&folders);
    terminal::notes(&resolved.notes);
    let config = resolved.config;
    // From here on no other socket can be made, nor this one connect anywhere.
    let listener = completions_endpoint::listen(port)?;
    let sandbox = setup::enter_sandbox_with(&folders, listener.descriptor());
    serve::refuse_without_sandbox(sandbox, &config, &folders)?;
    setup::forget_keys(&config);
    setup::check_threads(N_THREADS)?;
    let workspace = std::env::current_dir().ok();
    let session = Session::start_in(config, folders, workspace.as_deref())
        .map_err(|error| format!("the system refuses another thread ({error}); try again"))?;
    let runtime = setup::runtime()?;
    terminal::complain(&format!(
        "answers programs of this machine at {}; Ctrl+C ends it. Beside that, {}",
        listener.url(),
        sandbox.network_sentence(),
    ));
    runtime.block_on(completions_endpoint::serve(listener, Arc::new(session)))
}
