//! What ghost text needs for as long as the program runs.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::watch;

use crate::completion::ask::OtherFiles;
use crate::completion::cache::CompletionCache;
use crate::completion::model_context::ModelContexts;
use crate::completion::prefetch::Prefetcher;
use crate::completion::request::RequestMaker;
use crate::completion::result::Completion;
use crate::completion::second_tier::{CountCall, SecondTier};
use crate::completion::snooze::Snooze;
use crate::completion::stats::Stats;
use crate::completion::suggestion_log::SuggestionLog;
use crate::config::Config;
use crate::ledger::{
    LedgerWriter, LocalCall, LocalStatus, Name, Suggested, WorkspaceHash, unix_ms,
};
use crate::lm::{Engine, EngineState, IdleWork, ModelInfo, TaskError, Usage};
use crate::machine::Spare;
use crate::retrieval::suffix_array::IndexView;
use crate::workspace::Workspace;

/// See the module.
pub struct Completer {
    config: RwLock<Arc<Config>>,
    /// Replaced when the settings name another model.
    engine: RwLock<Arc<Engine>>,
    contexts: ModelContexts,
    /// Locked for the microseconds of a look.
    cache: Arc<Mutex<CompletionCache>>,
    pub(super) prefetcher: Arc<Prefetcher>,
    pub stats: Stats,
    pub snooze: Snooze,
    /// Suggestions that may be accepted yet.
    pub(super) suggestions: SuggestionLog,
    /// The files on the disk beside those that are open.
    pub workspace: Workspace,
    /// Power and load, for background work.
    pub spare: Arc<Spare>,
    /// Where calls to the model are counted, outside of tests and commands.
    ledger: Option<Arc<LedgerWriter>>,
    /// Where the settings name a server of completions.
    second_tier: Option<SecondTier>,
    /// The highest arrival number of a completion so far: what waits for a model gives way to it.
    newest_arrival: watch::Sender<u64>,
}

impl Completer {
    /// Completes with a model, by these settings.
    pub fn new(config: Config, engine: Arc<Engine>) -> Self {
        let cache: Arc<Mutex<CompletionCache>> = Arc::default();
        let prefetcher = Arc::new(Prefetcher::new(Arc::clone(&cache)));
        engine.add_idle_work(Arc::clone(&prefetcher) as Arc<dyn IdleWork>);
        Self {
            config: RwLock::new(Arc::new(config)),
            engine: RwLock::new(engine),
            contexts: ModelContexts::default(),
            cache,
            prefetcher,
            stats: Stats::default(),
            snooze: Snooze::default(),
            suggestions: SuggestionLog::default(),
            workspace: Workspace::default(),
            spare: Arc::default(),
            ledger: None,
            second_tier: None,
            newest_arrival: watch::Sender::new(0),
        }
    }

    /// The same with a ledger in which calls to the model are counted.
    #[must_use]
    pub fn with_ledger(self, ledger: LedgerWriter) -> Self {
        Self { ledger: Some(Arc::new(ledger)), ..self }
    }

    /// The same with a server of completions beside the model in this process.
    #[must_use]
    pub fn with_second_tier(self, second_tier: SecondTier) -> Self {
        Self { second_tier: Some(second_tier), ..self }
    }

    /// Why the server of completions was of no use when it answered last.
    pub fn second_tier_fault(&self) -> Option<String> {
        self.second_tier.as_ref()?.fault()
    }

    pub(super) fn second_tier(&self) -> Option<&SecondTier> {
        self.second_tier.as_ref()
    }

    /// Takes new settings into use, and another model where there is one.
    pub fn reconfigure(&self, config: Config, engine: Option<Arc<Engine>>) {
        if let Some(engine) = engine {
            engine.add_idle_work(Arc::clone(&self.prefetcher) as Arc<dyn IdleWork>);
            *self.engine.write().unwrap_or_else(PoisonError::into_inner) = engine;
        }
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        self.cache().clear();
    }

    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.engine.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ignore files have changed: what was read of files that are left out now is forgotten.
    pub fn rules_changed(&self) {
        self.workspace.rules_changed();
        self.cache().clear();
    }

    /// Writes what is not written yet; for the end of the program.
    pub fn finish(&self) {
        if let Some(ledger) = &self.ledger {
            ledger.flush();
        }
    }

    fn workspace_hash(&self) -> WorkspaceHash {
        let folders = self.workspace.folders();
        let root = folders.first().map(|it| it.to_string_lossy()).unwrap_or_default();
        WorkspaceHash::of(&root)
    }

    /// What counts a call to the completion server when it is over.
    pub(super) fn counts_call_to(&self, model: &str) -> CountCall {
        let (ledger, workspace) = (self.ledger.clone(), self.workspace_hash());
        let model = Name::kept(model);
        Box::new(move |status, n_tokens, took| {
            let Some(ledger) = ledger else { return };
            ledger.record(LocalCall {
                at_unix_ms: unix_ms(),
                workspace,
                action: Name::of("complete"),
                model,
                status,
                input_tokens: 0,
                cached_tokens: 0,
                output_tokens: u32::try_from(n_tokens).unwrap_or(u32::MAX),
                duration_us: u32::try_from(took.as_micros()).unwrap_or(u32::MAX),
            });
        })
    }

    /// Counts a call to the model in this process. Waits for nothing.
    pub(crate) fn record_local(&self, model: &str, completion: &Completion) {
        let Some(ledger) = &self.ledger else { return };
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let Usage { cached_tokens, evaluated_tokens, generated_tokens, .. } = completion.usage;
        ledger.record(LocalCall {
            at_unix_ms: unix_ms(),
            workspace: self.workspace_hash(),
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
    pub(super) fn cache(&self) -> MutexGuard<'_, CompletionCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same for a task that outlives a request.
    pub(super) fn shared_cache(&self) -> Arc<Mutex<CompletionCache>> {
        Arc::clone(&self.cache)
    }

    /// A number that makes a request the newest.
    pub fn next_arrival(&self) -> u64 {
        *self.newest_arrival.borrow() + 1
    }

    /// What requests to this model are made with.
    ///
    /// # Errors
    /// Where the model can't complete.
    pub(crate) fn request_maker(
        &self,
        config: &Arc<Config>,
        engine: &Engine,
        model: &Arc<ModelInfo>,
        files: &OtherFiles,
    ) -> Result<RequestMaker, TaskError> {
        let context = self.contexts.of(model).map_err(TaskError::Failed)?;
        let tokens_per_second = &engine.counts().prompt_tokens_per_second;
        let files = match files {
            OtherFiles::Given(files) => files.clone(),
            OtherFiles::Workspace { file, open } if config.completion.retrieval => {
                self.workspace.view(file, open, model, config.completion.workspace_tokens)
            }
            OtherFiles::Workspace { .. } | OtherFiles::None => IndexView::default(),
        };
        Ok(RequestMaker {
            context,
            config: Arc::clone(config),
            model: Arc::clone(model),
            files,
            tokens_per_second: tokens_per_second.load(Ordering::Relaxed),
        })
    }

    /// Whether there is time and power for background work.
    pub(crate) fn may_go_ahead(&self, config: &Config) -> bool {
        let completion = &config.completion;
        completion.prefetch && (completion.prefetch_on_battery || !self.spare.is_scarce())
    }
}
