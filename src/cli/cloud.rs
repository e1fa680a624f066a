//! `keyside cloud`: the keys of the providers in the settings file, and whether each is there. A
//! key is never an argument: other users see those in the list of processes, and shells keep them.

use std::io::{BufRead, IsTerminal, Read};

use clap::Subcommand;

use crate::cli::consent::{self, ConsentArguments};
use crate::cli::{retry, setup, terminal};
use crate::config::cloud::{CloudConfig, Provider};
use crate::config::consent::Standing;
use crate::remote::broker::keys::{self, Place};
use crate::remote::pricing::tariff::{PriceSource, Tariff, table_source};
use crate::remote::protocol;

/// Longer than any key.
const MAX_INPUT_BYTES: u64 = 64 << 10;

/// What `keyside cloud` can do about keys.
#[derive(Debug, Subcommand)]
pub enum CloudCommand {
    /// Put a provider's key into the system's keyring. It is asked for, or read from standard
    /// input.
    Login { provider: String },
    /// Take a provider's key out of the keyring.
    Logout { provider: String },
    /// Let a provider be asked about a workspace without a question each time.
    Allow(ConsentArguments),
    /// Send nothing of a workspace to a provider.
    Deny(ConsentArguments),
    /// Send what could not be sent when it was asked for (`cloud.keep_unsent`), and print the
    /// answers.
    Retry,
    /// The providers, where text would go, and whether there is a key; never the key itself.
    Status,
}

/// Runs a command.
///
/// # Errors
/// One sentence.
pub fn run(command: &CloudCommand) -> Result<(), String> {
    let folders = setup::folders()?;
    let resolved = setup::settings(&folders);
    terminal::notes(&resolved.notes);
    let cloud = &resolved.config.cloud;
    match command {
        CloudCommand::Login { provider } => {
            let server = resolved.config.completion.holder_of_key();
            match server.filter(|it| it.name == *provider && it.key == "keyring") {
                Some(server) => login(&server),
                None => login(in_keyring(cloud, provider)?),
            }
        }
        CloudCommand::Logout { provider } => {
            let text = match keys::delete(provider)? {
                true => format!("the key of {provider} is gone from the keyring\n"),
                false => format!("there was no key of {provider} in the keyring\n"),
            };
            terminal::print(&text)
        }
        CloudCommand::Allow(arguments) => consent::run(arguments, Standing::Always),
        CloudCommand::Deny(arguments) => consent::run(arguments, Standing::Never),
        CloudCommand::Retry => retry::run(&resolved.config, &folders),
        CloudCommand::Status => terminal::print(&status(cloud)),
    }
}

/// A provider whose key is in the keyring.
fn in_keyring<'a>(cloud: &'a CloudConfig, name: &str) -> Result<&'a Provider, String> {
    let Some(provider) = cloud.providers.iter().find(|it| it.name == name) else {
        let names: Vec<&str> = cloud.providers.iter().map(|it| it.name.as_str()).collect();
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Err(format!(
            "the settings file has no provider {name} (it has: {known}); add it to `cloud.providers` first"
        ));
    };
    match Place::of(provider)? {
        Place::Keyring => Ok(provider),
        Place::None => Err(format!("{name} is asked without a key; nothing is to be done")),
        Place::Variable(variable) => Err(format!(
            "the key of {name} is read from the environment variable {variable}; set that, or set `key` to `keyring`"
        )),
    }
}

fn login(provider: &Provider) -> Result<(), String> {
    let host = protocol::host(provider)?;
    let name = &provider.name;
    let key = keys::checked(read_key(&format!("Key of {name} for {host} (it is not shown): "))?)?;
    keys::store(name, key)?;
    terminal::print(&format!("the key of {name} is in the keyring\n"))
}

/// One line of the terminal, without showing it, or what is piped in.
fn read_key(question: &str) -> Result<String, String> {
    let input = std::io::stdin();
    let failed = |error: std::io::Error| format!("the key can't be read ({error}); try again");
    let mut typed = String::new();
    if !input.is_terminal() {
        input.lock().take(MAX_INPUT_BYTES).read_to_string(&mut typed).map_err(failed)?;
        return Ok(typed);
    }
    terminal::ask(question);
    let shown = hide_typing()?;
    let read = input.lock().take(MAX_INPUT_BYTES).read_line(&mut typed);
    drop(shown);
    terminal::ask("\n");
    read.map_err(failed)?;
    Ok(typed)
}

/// Shows what is typed again when it is dropped.
#[cfg(unix)]
struct Shown(rustix::termios::Termios);

#[cfg(unix)]
impl Drop for Shown {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.0);
    }
}

#[cfg(unix)]
fn hide_typing() -> Result<Shown, String> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let failed = |error: rustix::io::Errno| {
        format!("the terminal can't hide the key ({error}); pipe it into this command instead")
    };
    let before = tcgetattr(std::io::stdin()).map_err(failed)?;
    let mut hidden = before.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    hidden.local_modes.insert(LocalModes::ECHONL);
    tcsetattr(std::io::stdin(), OptionalActions::Flush, &hidden).map_err(failed)?;
    Ok(Shown(before))
}

#[cfg(not(unix))]
fn hide_typing() -> Result<(), String> {
    Err("the key can't be hidden while it is typed here; pipe it into this command instead"
        .to_owned())
}

/// Whether a provider's key is there, in words.
///
/// # Errors
/// One sentence, where it is not.
pub(crate) fn key_state(provider: &Provider) -> Result<String, String> {
    Place::of(provider)?;
    let key = keys::fetch(provider, &setup::variable)?;
    Ok(if key.is_some() { "the key is there" } else { "no key is needed" }.to_owned())
}

fn status(cloud: &CloudConfig) -> String {
    let mut text =
        match cloud.enabled {
            true => "cloud requests are switched on; each is sent only after you agree to it\n"
                .to_owned(),
            false => "cloud requests are switched off (`cloud.enabled` in the settings file)\n"
                .to_owned(),
        };
    if cloud.providers.is_empty() {
        text.push_str(
            "there are no providers; add one to `cloud.providers` in the settings file\n",
        );
    }
    for (n, provider) in cloud.providers.iter().enumerate() {
        let is_asked =
            if cloud.provider.is_empty() { n == 0 } else { provider.name == cloud.provider };
        let mark = if is_asked { "*" } else { " " };
        let host = match protocol::host(provider) {
            Ok(host) => host,
            Err(sentence) => format!("nowhere: {sentence}"),
        };
        let key = key_state(provider).unwrap_or_else(|sentence| sentence);
        let (source, date) = table_source();
        let prices = match Tariff::of(provider).source {
            PriceSource::Settings | PriceSource::Provider => {
                "prices of the settings file".to_owned()
            }
            PriceSource::Table => format!("prices of keyside's table ({source}, {date})"),
            PriceSource::ThisMachine => "no price, as it is on this machine".to_owned(),
            PriceSource::HighestKnown => {
                "no price is known, so the highest known is counted; set `prices`".to_owned()
            }
        };
        let Provider { name, model, .. } = provider;
        text.push_str(&format!("{mark} {name}: {model} at {host}\n    {key}\n    {prices}\n"));
    }
    text
}
