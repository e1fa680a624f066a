//! What lives as long as the program: settings, the engine, counts.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use tokio::sync::watch;

use crate::assist::complete::{Completion, OtherFiles};
use crate::assist::loading::{for_completion, model_spec};
use crate::assist::model_context::ModelContexts;
use crate::assist::prefetch::Prefetcher;
use crate::assist::request::RequestMaker;
use crate::assist::reuse::Answers;
use crate::assist::stats::Stats;
use crate::assist::suggested::SuggestionLog;
use crate::assistant::cloud::{Cloud, ledger_file};
use crate::config::Config;
use crate::config::folders::Folders;
use crate::ledger::{
    LedgerWriter, LocalCall, LocalStatus, Name, Suggested, WorkspaceHash, unix_ms,
};
use crate::lm::registry::Registry;
use crate::lm::{Engine, EngineState};
use crate::lm::{IdleWork, ModelInfo, TaskError, Usage};
use crate::machine::Spare;
use crate::retrieval::mixture::MixtureNetworks;
use crate::retrieval::suffix_array::IndexView;
use crate::sandbox;
use crate::workspace::Workspace;

/// Shared by everything that answers requests.
pub struct Session {
    started: Instant,
    folders: Folders,
    config: RwLock<Arc<Config>>,
    registry: Registry,
    /// Replaced when the settings name another model.
    engine: RwLock<Arc<Engine>>,
    contexts: ModelContexts,
    networks: Option<Arc<MixtureNetworks>>,
    /// Locked for the microseconds of a look.
    answers: Arc<Mutex<Answers>>,
    pub(crate) prefetcher: Arc<Prefetcher>,
    pub stats: Stats,
    /// Suggestions that may be accepted yet.
    pub(crate) suggestions: SuggestionLog,
    /// The files on the disk beside those that are open.
    pub workspace: Workspace,
    /// Power and load, for background work.
    pub spare: Arc<Spare>,
    /// Where the user has switched it on.
    cloud: Option<Arc<Cloud>>,
    cloud_fault: Option<String>,
    /// Where calls to the model are counted, outside of tests and commands.
    ledger: Option<LedgerWriter>,
    /// The highest arrival number of a completion so far: what waits for a model gives way to it.
    newest_arrival: watch::Sender<u64>,
}

impl Session {
    /// Starts with these settings; the model is loaded in the background.
    ///
    /// # Errors
    /// Where the system refuses another thread.
    pub fn start(config: Config, folders: Folders) -> std::io::Result<Self> {
        let registry = Registry::new(folders.cache.clone());
        let engine = registry.engine(&model_spec(&config.model), for_completion)?;
        // Whoever finds no rules ready reads them then.
        let _ = std::thread::Builder::new()
            .name("keyside-rules".to_owned())
            .spawn(crate::privacy::elsewhere::prepare);
        Ok(Self::with_engine(config, folders, engine))
    }

    /// Starts with an engine of the caller's.
    pub fn with_engine(config: Config, folders: Folders, engine: impl Into<Arc<Engine>>) -> Self {
        let engine = engine.into();
        let answers: Arc<Mutex<Answers>> = Arc::default();
        let prefetcher = Arc::new(Prefetcher::new(Arc::clone(&answers)));
        engine.add_idle_work(Arc::clone(&prefetcher) as Arc<dyn IdleWork>);
        Self {
            registry: Registry::new(folders.cache.clone()),
            started: Instant::now(),
            folders,
            config: RwLock::new(Arc::new(config)),
            engine: RwLock::new(engine),
            contexts: ModelContexts::default(),
            networks: MixtureNetworks::embedded().map(Arc::new),
            answers,
            prefetcher,
            stats: Stats::default(),
            suggestions: SuggestionLog::default(),
            workspace: Workspace::default(),
            spare: Arc::default(),
            cloud: None,
            cloud_fault: None,
            ledger: None,
            newest_arrival: watch::Sender::new(0),
        }
    }

    /// The session with a cloud model to ask; or with why there is none, though the settings say so.
    #[must_use]
    pub fn with_cloud(self, cloud: Result<Option<Cloud>, String>) -> Self {
        match cloud {
            Ok(cloud) => Self { cloud: cloud.map(Arc::new), ..self },
            Err(sentence) => Self { cloud_fault: Some(sentence), ..self },
        }
    }

    /// Why no provider can be asked, though the settings say so.
    pub fn cloud_fault(&self) -> Option<String> {
        self.cloud_fault.clone()
    }

    /// The session with a ledger in which calls to its own model are counted.
    #[must_use]
    pub fn with_ledger(self) -> Self {
        // Without it nothing is lost but its figures.
        let ledger = LedgerWriter::start(&ledger_file(&self.folders.data)).ok();
        Self { ledger, ..self }
    }

    /// Counts a call to the model in this process. Waits for nothing.
    pub(crate) fn record_local(&self, model: &str, completion: &Completion) {
        let Some(ledger) = &self.ledger else { return };
        let folders = self.workspace.folders();
        let root = folders.first().map(|it| it.to_string_lossy()).unwrap_or_default();
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let Usage { cached_tokens, evaluated_tokens, generated_tokens, .. } = completion.usage;
        ledger.record(LocalCall {
            at_unix_ms: unix_ms(),
            workspace: WorkspaceHash::of(&root),
            action: Name::of("complete"),
            model: Name::kept(model),
            status: LocalStatus::Ok,
            input_tokens: small(cached_tokens + evaluated_tokens),
            cached_tokens: small(cached_tokens),
            output_tokens: small(generated_tokens),
            duration_us: u32::try_from(completion.total.as_micros()).unwrap_or(u32::MAX),
        });
    }

    /// Counts what became of a suggestion of the model that is loaded. Waits for nothing.
    pub(crate) fn record_suggested(&self, of_model: impl FnOnce(Name) -> Suggested) {
        if let Some(ledger) = &self.ledger {
            ledger.record_suggested(of_model(self.model_name()));
        }
    }

    fn model_name(&self) -> Name {
        match self.engine().state() {
            EngineState::Ready(model) => Name::kept(&model.name),
            EngineState::Loading | EngineState::Failed(_) => Name::of("other"),
        }
    }

    /// Writes what is not written yet; for the end of the program.
    pub fn finish(&self) {
        if let Some(ledger) = &self.ledger {
            ledger.flush();
        }
    }

    /// Whom a person may ask, if anybody.
    pub fn cloud(&self) -> Option<Arc<Cloud>> {
        self.cloud.clone()
    }

    /// What stands between keyside and a network, in words.
    pub fn network(&self) -> String {
        let own = sandbox::state().network_sentence();
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

    /// Waits until the model is loaded, or until a newer request has come.
    ///
    /// # Errors
    /// Superseded, or the sentence that says why there is no model.
    pub(crate) async fn model(
        &self,
        engine: &Engine,
        arrival: u64,
    ) -> Result<Arc<ModelInfo>, TaskError> {
        self.note_arrival(arrival);
        let mut newest = self.newest_arrival.subscribe();
        tokio::select! {
            biased;
            model = engine.ready() => model.map_err(TaskError::Failed),
            _ = newest.wait_for(|newest| *newest > arrival) => Err(TaskError::Superseded),
        }
    }

    fn note_arrival(&self, arrival: u64) {
        self.newest_arrival.send_if_modified(|newest| {
            let is_newer = arrival > *newest;
            *newest = arrival.max(*newest);
            is_newer
        });
    }

    /// A request has been answered without the model: older ones give way to it as they would to a
    /// generation.
    pub(crate) fn answered(&self, engine: &Engine, document: &Arc<str>, arrival: u64) {
        self.note_arrival(arrival);
        engine.give_way(document, arrival);
    }

    /// The latest answers.
    pub(crate) fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that makes a request the newest.
    pub fn next_arrival(&self) -> u64 {
        *self.newest_arrival.borrow() + 1
    }

    /// Where the user's own settings are.
    pub fn settings_file(&self) -> PathBuf {
        self.folders.config_file()
    }

    /// Ignore files have changed: what was read of files that are left out now is forgotten.
    pub fn rules_changed(&self) {
        self.workspace.rules_changed();
        self.answers().clear();
    }

    pub fn started(&self) -> Instant {
        self.started
    }

    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.engine.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes new settings into use; another model is loaded in the background. Returns whether the
    /// engine was replaced.
    ///
    /// # Errors
    /// Where the system refuses another thread; then the old engine stays.
    pub fn reconfigure(&self, config: Config) -> std::io::Result<bool> {
        let replace = self.config().model != config.model;
        if replace {
            let engine = self.registry.engine(&model_spec(&config.model), for_completion)?;
            engine.add_idle_work(Arc::clone(&self.prefetcher) as Arc<dyn IdleWork>);
            *self.engine.write().unwrap_or_else(PoisonError::into_inner) = engine;
        }
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        self.answers().clear();
        Ok(replace)
    }

    /// What requests to this model are made with.
    ///
    /// # Errors
    /// Where the model can't fill in the middle.
    pub(crate) fn request_maker(
        &self,
        config: &Arc<Config>,
        engine: &Engine,
        model: &Arc<ModelInfo>,
        files: &OtherFiles,
    ) -> Result<RequestMaker, TaskError> {
        let context = self.contexts.of(model).map_err(TaskError::Failed)?;
        let pace = &engine.counts().prompt_tokens_per_second;
        let networks = config.completion.retrieval.then(|| self.networks.clone()).flatten();
        let files = match files {
            OtherFiles::Given(files) => files.clone(),
            OtherFiles::Workspace { file, open } if networks.is_some() => {
                self.workspace.view(file, open, model, config.completion.workspace_tokens)
            }
            OtherFiles::Workspace { .. } | OtherFiles::None => IndexView::default(),
        };
        Ok(RequestMaker {
            context,
            networks,
            config: Arc::clone(config),
            model: Arc::clone(model),
            files,
            tokens_per_second: pace.load(Ordering::Relaxed),
        })
    }

    /// Whether there is time and power for background work.
    pub(crate) fn may_go_ahead(&self, config: &Config) -> bool {
        let completion = &config.completion;
        completion.prefetch && (completion.prefetch_on_battery || !self.spare.is_scarce())
    }
}
