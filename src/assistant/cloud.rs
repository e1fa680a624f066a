//! What lives as long as the program for asking a cloud model: the broker, the ledger, what was
//! agreed to.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::assistant::actions::Action;
use crate::assistant::settler::Settler;
use crate::assistant::shown_files::{self, Shown};
use crate::config::cloud::{CloudConfig, Provider};
use crate::config::consent::{Consents, Entry};
use crate::config::folders::Folders;
use crate::files;
use crate::ledger::{Calendar, Caps, Ledger, usd_to_pico};
use crate::remote::broker::consent_writer::ConsentWriter;
use crate::remote::broker::ipc::{Broker, BrokerProcess};
use crate::remote::pricing::tariff::Tariff;
use crate::remote::protocol;

/// The user has switched it on, and there is somebody to ask.
pub struct Cloud {
    config: CloudConfig,
    provider: Provider,
    host: String,
    tariff: Tariff,
    pub(crate) broker: Broker,
    consent_writer: Arc<ConsentWriter>,
    pub(crate) settler: Settler,
    folders: Folders,
    /// Opened when it is first needed. Locked while SQLite works, by threads that answer no
    /// request.
    ledger: Arc<Mutex<Option<Ledger>>>,
    /// What a person should be told of the ledger, each thing once.
    notes: Arc<Mutex<Vec<String>>>,
    /// Turns true when the program ends.
    closing: watch::Sender<bool>,
    /// How many calls are reserved and not settled.
    n_open: watch::Sender<usize>,
    /// What a person is shown, until the program ends.
    pub(crate) shown: Shown,
    /// Answers for which there was no room on the disk.
    in_memory: Mutex<Vec<std::fs::File>>,
}

/// The commands that start what the server itself must not do, `keyside broker` and `keyside
/// keep-consent`, and what it can't once it is killed, `keyside settle`.
#[derive(Debug)]
pub struct Helpers {
    pub broker: Command,
    pub consent_writer: Command,
    pub settler: Command,
}

/// Processes that were started before this one entered its sandbox.
#[derive(Debug)]
pub struct StartedCloud {
    config: CloudConfig,
    provider: Provider,
    host: String,
    folders: Folders,
    broker: BrokerProcess,
    consent_writer: ConsentWriter,
    settler: Command,
}

/// A call that is reserved; dropped when it is settled, or can't be.
pub(crate) struct Open<'a>(&'a Cloud);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.n_open.send_modify(|n| *n -= 1);
    }
}

impl Cloud {
    /// Starts what asking needs, `None` where the settings say no. To be called before this process
    /// enters its sandbox.
    ///
    /// # Errors
    /// One sentence: no provider to ask, an address that text may not go to, or no broker.
    pub fn start(
        config: &CloudConfig,
        folders: &Folders,
        helpers: Helpers,
    ) -> Result<Option<StartedCloud>, String> {
        shown_files::forget_the_dead(&folders.cache.join("shown"));
        if !config.enabled {
            return Ok(None);
        }
        let Some(provider) = config.chosen() else {
            return Err(config.why_nobody());
        };
        let host = protocol::host(provider)?;
        let Helpers { broker, consent_writer, settler } = helpers;
        Ok(Some(StartedCloud {
            config: config.clone(),
            provider: provider.clone(),
            host,
            folders: folders.clone(),
            broker: BrokerProcess::start(broker)?,
            consent_writer: ConsentWriter::start(consent_writer)?,
            settler,
        }))
    }

    /// Begins to talk to what was started, once this process has given up its network.
    ///
    /// # Errors
    /// One sentence, where the system refuses a thread.
    pub fn connect(started: StartedCloud) -> Result<Self, String> {
        let StartedCloud { config, provider, host, folders, broker, consent_writer, settler } =
            started;
        let shown = folders.cache.join("shown");
        let cloud = Self {
            config,
            host,
            tariff: Tariff::of(&provider),
            provider,
            broker: broker.connect()?,
            consent_writer: Arc::new(consent_writer),
            settler: Settler::new(settler),
            folders,
            ledger: Arc::default(),
            notes: Arc::default(),
            closing: watch::Sender::new(false),
            n_open: watch::Sender::new(0),
            shown: Shown::new(shown),
            in_memory: Mutex::default(),
        };
        Ok(cloud)
    }

    /// Has what a person said once and for all written down.
    ///
    /// # Errors
    /// One sentence; then it is not kept.
    pub(crate) async fn remember(&self, entry: Entry) -> Result<(), String> {
        let writer = Arc::clone(&self.consent_writer);
        let written = tokio::task::spawn_blocking(move || writer.remember(&entry));
        written.await.unwrap_or_else(|_| Err("it could not be kept; the log says where".to_owned()))
    }

    pub fn config(&self) -> &CloudConfig {
        &self.config
    }

    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// The prices of a provider, by its name in the settings.
    pub(crate) fn tariff_of(&self, provider: &str) -> Tariff {
        match self.config.providers.iter().find(|it| it.name == provider) {
            Some(other) if other.name != self.provider.name => Tariff::of(other),
            _ => self.tariff.clone(),
        }
    }

    /// The model, as the provider names it.
    pub fn model(&self) -> &str {
        &self.provider.model
    }

    /// `host:port`.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn consent_file(&self) -> PathBuf {
        self.folders.consent_file()
    }

    /// What was said once and for all.
    ///
    /// # Errors
    /// One sentence; then nothing may be sent.
    pub(crate) fn consents(&self) -> Result<Consents, String> {
        Consents::read(&self.consent_file())
    }

    /// The words in which something is asked: the person's own file in `templates`, beside the
    /// settings, or keyside's.
    ///
    /// # Errors
    /// One sentence, where the person's file can't be read.
    pub(crate) fn template(&self, action: Action) -> Result<String, String> {
        let file = self.folders.config.join("templates").join(format!("{}.md", action.name()));
        match files::read_text(&file) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok(action.template().to_owned())
            }
            Err(error) => {
                Err(format!("{} can't be read ({error}); correct or remove it", file.display()))
            }
        }
    }

    /// Takes away what a person was shown. To be called when the program ends.
    pub fn forget_shown(&self) {
        self.shown.clear();
    }

    /// Keeps a text in this process's memory and returns its name there, which the person's editor
    /// can open as long as this process lives. `None` where the system has nothing of the kind.
    pub(crate) fn keep_in_memory(&self, text: &str) -> Option<PathBuf> {
        #[cfg(target_os = "linux")]
        {
            use std::io::Write;
            use std::os::fd::AsRawFd;
            let file = rustix::fs::memfd_create("keyside-answer", rustix::fs::MemfdFlags::CLOEXEC);
            let mut file = std::fs::File::from(file.ok()?);
            file.write_all(text.as_bytes()).ok()?;
            let name = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
            self.in_memory.lock().unwrap_or_else(PoisonError::into_inner).push(file);
            Some(name.into())
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = text;
            None
        }
    }

    /// What a person has corrected.
    pub(crate) fn corrections_file(&self) -> PathBuf {
        self.folders.corrections_file()
    }

    /// Where requests that could not be sent are kept.
    pub fn unsent_folder(&self) -> PathBuf {
        self.folders.data.join("unsent")
    }

    pub(crate) fn caps(&self) -> Caps {
        caps(&self.config)
    }

    /// Does something with the ledger, on a thread that may wait for other processes.
    ///
    /// # Errors
    /// What `work` returns, or one sentence where there is no ledger.
    pub(crate) async fn with_ledger<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger, &Calendar) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let (slot, path) = (Arc::clone(&self.ledger), ledger_file(&self.folders.data));
        let notes = Arc::clone(&self.notes);
        let worked = tokio::task::spawn_blocking(move || {
            let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            let ledger = match &mut *slot {
                Some(ledger) => ledger,
                slot => {
                    let ledger =
                        slot.insert(Ledger::open(&path).map_err(|fault| fault.to_string())?);
                    // Calls of servers that were killed; sums are the same without it.
                    let _ = ledger.sweep();
                    ledger
                }
            };
            let done = work(ledger, &Calendar::system());
            notes.lock().unwrap_or_else(PoisonError::into_inner).extend(ledger.take_notes());
            done
        });
        worked.await.unwrap_or_else(|_| Err("the ledger failed; the log says where".to_owned()))
    }

    /// Notes that a call is reserved, until what is returned is dropped.
    pub(crate) fn open_call(&self) -> Open<'_> {
        self.n_open.send_modify(|n| *n += 1);
        Open(self)
    }

    /// Turns true when the program ends.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// Cancels what is under way, and waits until it is settled, but no longer than `patience`:
    /// what is not settled then is counted at its worst case by the next server.
    pub async fn close(&self, patience: Duration) {
        self.closing.send_replace(true);
        let mut n_open = self.n_open.subscribe();
        let _ = tokio::time::timeout(patience, n_open.wait_for(|n| *n == 0)).await;
    }

    /// What a person should be told of the ledger: that it was damaged, so that what was spent is
    /// not known.
    pub(crate) fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The caps of the settings, as the ledger takes them.
pub fn caps(config: &CloudConfig) -> Caps {
    Caps {
        daily_pico_usd: usd_to_pico(config.daily_cap_usd),
        monthly_pico_usd: usd_to_pico(config.monthly_cap_usd),
    }
}

/// The ledger's file.
pub fn ledger_file(data: &Path) -> PathBuf {
    data.join("ledger.db")
}
