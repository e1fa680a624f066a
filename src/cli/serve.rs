//! `keyside serve`: the language server on standard input and output.

use std::convert::Infallible;
use std::io::IsTerminal;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crate::app::Session;
use crate::assistant::{Cloud, Helpers};
use crate::cli::{setup, terminal};
use crate::completion::second_tier::{self, SecondTier};
use crate::config::folders::Folders;
use crate::config::{Config, layers};
use crate::lsp::{self, Ended};
use crate::remote::broker::ipc::BrokerProcess;
use crate::sandbox::Sandbox;

/// How long money may take to be written down before the process ends all the same.
const PATIENCE: Duration = Duration::from_millis(300);

/// For a person who has started it by hand, and sees nothing happen.
const HINT: &str = "this is the language server, and it waits for an editor to speak to it on standard input; Ctrl+C ends it. Editors \
                    start it by themselves: the README says how. `keyside try` shows suggestions here, `keyside doctor` says what \
                    works, `keyside --help` lists all commands";
/// The model's, the ledger's, two that answer, one for each direction of the client, and what runs
/// beside them for a while.
const N_THREADS: usize = 10;

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
    // The broker keeps the network that this process gives up, so it comes first; its settings are
    // all that was read.
    let helpers = helpers(&config);
    let started = helpers.and_then(|helpers| Cloud::start(&config.cloud, &folders, helpers));
    let completion_broker = completion_broker(&config);
    let sandbox = setup::enter_sandbox(&folders);
    refuse_without_sandbox(sandbox, &config, &folders)?;
    setup::forget_keys(&config);
    let cloud = started.and_then(|it| it.map(Cloud::connect).transpose());
    let second_tier = completion_broker.and_then(|started| {
        let connect = |(process, host): (BrokerProcess, String)| {
            let tier = SecondTier::new(process.connect()?, &config.completion);
            Ok::<_, String>((tier, host))
        };
        started.map(connect).transpose()
    });
    setup::check_threads(N_THREADS)?;
    let session = Session::start(config, folders)
        .map_err(|error| format!("the system refuses another thread ({error}); try again"))?;
    let session = Arc::new(session.with_cloud(cloud).with_second_tier(second_tier).with_ledger());
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
    // The ledger may be held by others; serving does not wait for that.
    let (done, wait) = std::sync::mpsc::channel();
    let finish = std::thread::Builder::new().spawn(move || {
        session.completer.finish();
        done.send(())
    });
    if finish.is_ok() {
        let _ = wait.recv_timeout(PATIENCE);
    }
    if let Some(cloud) = cloud {
        cloud.forget_shown();
    }
    // Neither a read of standard input nor the loading of a model can be interrupted, nor is there
    // a handle on every thread that works with a model, such as one that was replaced. So none is
    // waited for.
    setup::leave(match ended {
        Ended::Properly => 0,
        Ended::ClientGone => 1,
    })
}

/// Whether the settings let the server run in this sandbox.
///
/// # Errors
/// One sentence, where they do not.
pub(crate) fn refuse_without_sandbox(
    sandbox: &Sandbox,
    config: &Config,
    folders: &Folders,
) -> Result<(), String> {
    let Some(shortfall) = sandbox.shortfall().filter(|_| config.sandbox.required) else {
        return Ok(());
    };
    Err(format!(
        "sandbox.required is set, and this system does not keep keyside from all that it should ({shortfall}); see `keyside \
         doctor`, or take the setting out of {}",
        folders.config_file().display()
    ))
}

/// A broker for the completion server that the settings name, with its host. It gets no key but
/// that server's.
fn completion_broker(config: &Config) -> Result<Option<(BrokerProcess, String)>, String> {
    let Some(host) = second_tier::host_of(&config.completion)? else { return Ok(None) };
    let mut command = helpers(config)?.broker;
    let own = config.completion.key_variable();
    config.key_variables().filter(|it| Some(*it) != own).for_each(|it| {
        command.env_remove(it);
    });
    Ok(Some((BrokerProcess::start(command)?, host)))
}

/// The commands that start what the server itself must not do. Keys are the brokers' alone.
///
/// # Errors
/// One sentence.
pub(crate) fn helpers(config: &Config) -> Result<Helpers, String> {
    let program = std::env::current_exe().map_err(|error| {
        format!("keyside does not find its own program ({error}); restart the server")
    })?;
    let command = |name: &str| {
        let mut command = Command::new(&program);
        command.arg(name);
        command
    };
    let without_keys = |name: &str| {
        let mut command = command(name);
        config.key_variables().for_each(|it| {
            command.env_remove(it);
        });
        command
    };
    Ok(Helpers {
        broker: command("broker"),
        consent_writer: without_keys("keep-consent"),
        settler: without_keys("settle"),
    })
}
