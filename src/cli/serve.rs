//! `keyside serve`: the language server on standard input and output.

use std::convert::Infallible;
use std::io::IsTerminal;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crate::assist::{Cloud, Session};
use crate::cli::{setup, terminal};
use crate::config::{Config, layers};
use crate::lsp::{self, Ended};

/// How long a decode that is being stopped may take before the process ends all the same.
const PATIENCE: Duration = Duration::from_millis(300);

/// For a person who has started it by hand, and sees nothing happen.
const HINT: &str = "this is the language server, and it waits for an editor to speak to it on standard input; Ctrl+C ends it. Editors \
                    start it by themselves: the README says how. `keyside try` shows suggestions here, `keyside doctor` says what \
                    works, `keyside --help` lists all commands";

/// Runs the command until the client is gone.
///
/// # Errors
/// One sentence, where it could not be started.
pub fn run() -> Result<Infallible, String> {
    if std::io::stdin().is_terminal() {
        terminal::complain(HINT);
    }
    let folders = setup::folders()?;
    // What is wrong with the settings is told to the client, which has a place to show it.
    let file_settings = layers::read_file(&folders.config_file());
    let config = match &file_settings {
        Ok(layer) => layers::resolve(std::slice::from_ref(layer)).config,
        Err(_) => Config::default(),
    };
    // The broker keeps the network that this process gives up, so it comes first; its settings are all that was read.
    let cloud = broker().and_then(|broker| Cloud::start(&config.cloud, &folders, broker));
    setup::give_up_network();
    setup::forget_keys(&config.cloud);
    let session = Session::start(config, folders)
        .map_err(|error| format!("the system refuses another thread ({error}); try again"))?;
    let session = Arc::new(session.with_cloud(cloud).with_ledger());
    let runtime = setup::runtime()?;
    let ended = runtime.block_on(lsp::serve(
        tokio::io::stdin(),
        tokio::io::stdout(),
        Arc::clone(&session),
        file_settings,
    ));
    let cloud = session.cloud();
    if let Some(cloud) = &cloud {
        runtime.block_on(cloud.close(PATIENCE));
    }
    session.engine().end(PATIENCE);
    // The ledger may be held by others; nobody waits for that here.
    let (done, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        session.finish();
        done.send(())
    });
    let _ = wait.recv_timeout(PATIENCE);
    if let Some(cloud) = cloud {
        cloud.forget_shown();
    }
    // Neither a read of standard input nor the loading of a model can be interrupted, so nothing is
    // waited for any more.
    std::process::exit(match ended {
        Ended::Properly => 0,
        Ended::ClientGone => 1,
    })
}

/// The command that starts the broker.
///
/// # Errors
/// One sentence.
pub(crate) fn broker() -> Result<Command, String> {
    let program = std::env::current_exe().map_err(|error| {
        format!("keyside does not find its own program ({error}); restart the server")
    })?;
    let mut command = Command::new(program);
    command.arg("broker");
    Ok(command)
}
