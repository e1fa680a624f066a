//! What lives as long as the program: settings, models, ghost text, and the cloud where it is on.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::app::classify_thread::ClassifyThread;
use crate::app::model::{for_completion, model_spec};
use crate::assistant::cloud::{Cloud, ledger_file};
use crate::completion::Completer;
use crate::completion::second_tier::SecondTier;
use crate::config::Config;
use crate::config::folders::Folders;
use crate::ledger::LedgerWriter;
use crate::lm::Engine;
use crate::lm::registry::{ModelSpec, Registry};
use crate::machine;
use crate::sandbox;

/// Shared by everything that answers requests.
pub struct Session {
    started: Instant,
    folders: Folders,
    /// The models that run.
    registry: Registry,
    /// The one that completes. Locked while another takes its place.
    spec: Mutex<ModelSpec>,
    /// Ghost text.
    pub completer: Completer,
    /// Labels of texts.
    pub classify_thread: ClassifyThread,
    /// Where the user has switched it on.
    cloud: Option<Arc<Cloud>>,
    cloud_fault: Option<String>,
    /// `host:port` of the completion server, where the settings name one.
    completion_host: Option<String>,
    completion_fault: Option<String>,
}

impl Session {
    /// Starts with these settings; the model is loaded in the background.
    ///
    /// # Errors
    /// Where the system refuses another thread.
    pub fn start(config: Config, folders: Folders) -> std::io::Result<Self> {
        Self::start_in(config, folders, None)
    }

    /// The same in a workspace's folder, for which a model may have an adapter.
    ///
    /// # Errors
    /// Those of [`Session::start`].
    pub fn start_in(
        config: Config,
        folders: Folders,
        workspace: Option<&Path>,
    ) -> std::io::Result<Self> {
        let registry = Registry::new(folders.cache.clone()).within(machine::free_memory_bytes);
        let spec = model_spec(&config.model, workspace);
        let engine = registry.engine(&spec, for_completion)?;
        // Whoever finds no rules ready reads them then.
        let _ = std::thread::Builder::new()
            .name("keyside-rules".to_owned())
            .spawn(crate::privacy::elsewhere::prepare);
        Ok(Self::new(folders, (registry, spec), Completer::new(config, engine)))
    }

    /// Starts with an engine of the caller's.
    pub fn with_engine(config: Config, folders: Folders, engine: impl Into<Arc<Engine>>) -> Self {
        let registry = Registry::new(folders.cache.clone()).within(machine::free_memory_bytes);
        let spec = model_spec(&config.model, None);
        Self::new(folders, (registry, spec), Completer::new(config, engine.into()))
    }

    fn new(
        folders: Folders,
        (registry, spec): (Registry, ModelSpec),
        completer: Completer,
    ) -> Self {
        let started = Instant::now();
        Self {
            started,
            folders,
            registry,
            spec: Mutex::new(spec),
            completer,
            classify_thread: ClassifyThread::default(),
            cloud: None,
            cloud_fault: None,
            completion_host: None,
            completion_fault: None,
        }
    }

    /// The session with a cloud model to ask; or with why there is none, though the settings say
    /// so.
    #[must_use]
    pub fn with_cloud(self, cloud: Result<Option<Cloud>, String>) -> Self {
        match cloud {
            Ok(cloud) => Self { cloud: cloud.map(Arc::new), ..self },
            Err(sentence) => Self { cloud_fault: Some(sentence), ..self },
        }
    }

    /// The session with a completion server beside its model, at this host; or with why there is
    /// none, though the settings say so.
    #[must_use]
    pub fn with_second_tier(self, tier: Result<Option<(SecondTier, String)>, String>) -> Self {
        match tier {
            Ok(None) => self,
            Ok(Some((tier, host))) => {
                let completer = self.completer.with_second_tier(tier);
                Self { completer, completion_host: Some(host), ..self }
            }
            Err(sentence) => Self { completion_fault: Some(sentence), ..self },
        }
    }

    /// Why no completion server can be asked, though the settings say so.
    pub fn completion_fault(&self) -> Option<String> {
        self.completion_fault.clone()
    }

    /// Why no provider can be asked, though the settings say so.
    pub fn cloud_fault(&self) -> Option<String> {
        self.cloud_fault.clone()
    }

    /// The session with a ledger in which calls to its own model are counted.
    #[must_use]
    pub fn with_ledger(self) -> Self {
        match LedgerWriter::start(&ledger_file(&self.folders.data)) {
            Ok(ledger) => Self { completer: self.completer.with_ledger(ledger), ..self },
            // Without it nothing is lost but its figures.
            Err(_) => self,
        }
    }

    /// Whom a person may ask, if anybody.
    pub fn cloud(&self) -> Option<Arc<Cloud>> {
        self.cloud.clone()
    }

    /// What stands between keyside and a network, in words.
    pub fn network(&self) -> String {
        let own = sandbox::state().network_sentence();
        let own = match &self.completion_host {
            None => own,
            Some(host) => {
                format!("completions: {host} on this machine, too; the server itself: {own}")
            }
        };
        match &self.cloud {
            None => own,
            Some(cloud) => {
                format!("cloud: on ({} when you ask; the server itself: {own})", cloud.host())
            }
        }
    }

    /// Which files it can't write, in words.
    pub fn files(&self) -> String {
        sandbox::state().files_sentence()
    }

    /// Where the user's own settings are.
    pub fn settings_file(&self) -> PathBuf {
        self.folders.config_file()
    }

    pub fn started(&self) -> Instant {
        self.started
    }

    pub fn config(&self) -> Arc<Config> {
        self.completer.config()
    }

    pub fn engine(&self) -> Arc<Engine> {
        self.completer.engine()
    }

    /// Takes new settings into use, and the folders of the workspace as they are; another model, or
    /// the same with another adapter, is loaded in the background. Returns whether the engine was
    /// replaced.
    ///
    /// # Errors
    /// Where the system refuses another thread; then the old engine stays.
    pub fn reconfigure(&self, config: Config) -> std::io::Result<bool> {
        let folders = self.completer.workspace.folders();
        let wanted = model_spec(&config.model, folders.first().map(PathBuf::as_path));
        let mut spec = self.spec.lock().unwrap_or_else(PoisonError::into_inner);
        let engine = match *spec != wanted {
            true => Some(self.registry.engine(&wanted, for_completion)?),
            false => None,
        };
        *spec = wanted;
        drop(spec);
        let is_replaced = engine.is_some();
        self.completer.reconfigure(config, engine);
        Ok(is_replaced)
    }
}
