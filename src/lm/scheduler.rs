//! The engine's handle and its mailbox; its thread is in `thread`.
//!
//! The mailbox holds one completion at most: a newer one takes its place and the older is answered
//! [`GenerationError::Superseded`] at once, so memory stays flat however fast a person types.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use crate::lm::backend::Model;
use crate::lm::prefill_rate::Pace;
use crate::lm::task::{CompletionRequest, Generation, GenerationError, ModelInfo, Source, Token};
use crate::lm::worker::run;
use crate::stdx::cancel::{CancelFlag, StopReason};

/// So long after an answer a person who types fast has typed the next key.
const IDLE_AFTER: Duration = Duration::from_millis(30);

/// What the engine can do at the moment.
#[derive(Debug, Clone)]
pub enum EngineState {
    Loading,
    Ready(Arc<ModelInfo>),
    /// A sentence for the user, with what to do.
    Failed(String),
}

/// Counts since the start. They rise while a generation runs, so that a look from outside can tell
/// whether decoding goes on.
#[derive(Debug, Default)]
pub struct EngineCounts {
    pub generations: AtomicU64,
    pub cancelled: AtomicU64,
    pub superseded: AtomicU64,
    pub failed: AtomicU64,
    pub cached_tokens: AtomicU64,
    pub evaluated_tokens: AtomicU64,
    pub generated_tokens: AtomicU64,
    /// Of the generated ones, accepted speculative tokens.
    pub speculative_tokens: AtomicU64,
    /// Of prefetched prompts, and of answers to them.
    pub prefetch_evaluated_tokens: AtomicU64,
    pub prefetch_generated_tokens: AtomicU64,
    /// Answers that were given from a short prompt, and by retrieval without the model.
    pub short_prompts: AtomicU64,
    pub by_lookup: AtomicU64,
    /// Roughly how fast prompts are evaluated; 0 until that is known.
    pub prompt_tokens_per_second: AtomicU64,
    /// A generation is running right now.
    pub busy: AtomicBool,
}

impl EngineCounts {
    pub fn note_pace(&self, pace: &Pace) {
        self.prompt_tokens_per_second.store(pace.steady_tokens_per_second(), Ordering::Relaxed);
    }
}

/// The handle. Dropping it tells the thread to end.
pub struct Engine {
    shared: Arc<Shared>,
    state: watch::Receiver<EngineState>,
    thread: Option<JoinHandle<()>>,
}

/// What the handle and the thread share.
pub struct Shared {
    mailbox: Mutex<Mailbox>,
    arrived: Condvar,
    pub counts: EngineCounts,
}

/// Evaluates a prompt ahead of its request.
pub type WarmPrompt = Box<dyn FnOnce() -> Vec<Token> + Send>;

/// What the thread does next.
pub enum Work {
    Complete(Job),
    Warm(WarmPrompt, CancelFlag),
}

/// Locked for a few lines at a time, by the thread that takes in a request and by the engine's; a std
/// mutex, because nothing awaits while it is held.
#[derive(Default)]
struct Mailbox {
    waiting: Option<Job>,
    /// To make resident when there is nothing else to do.
    warm: Option<WarmPrompt>,
    running: Option<CancelFlag>,
    /// No request waits for what runs.
    idle_work: bool,
    /// The highest arrival number so far.
    newest_arrival: u64,
    closed: bool,
    /// The thread has nothing left to do and waits.
    at_rest: bool,
}

impl Mailbox {
    fn begin_idle_work(&mut self) -> CancelFlag {
        let flag = CancelFlag::default();
        self.running = Some(flag.clone());
        self.idle_work = true;
        flag
    }

    fn supersede_running(&self) {
        match &self.running {
            // Ends in the middle of a stretch, since nothing of it is waited for.
            Some(running) if self.idle_work => running.close(),
            Some(running) => running.supersede(),
            None => {}
        }
    }
}

/// A completion that somebody waits for.
pub struct Job {
    pub request: CompletionRequest,
    pub flag: CancelFlag,
    pub submitted: Instant,
    pub reply: oneshot::Sender<Result<Generation, GenerationError>>,
}

impl Engine {
    /// Starts the thread. `load` runs on it, so that starting never waits for a model.
    pub fn start<L>(load: L) -> std::io::Result<Self>
    where
        L: FnOnce() -> Result<Box<dyn Model>, String> + Send + 'static,
    {
        let shared = Arc::new(Shared {
            mailbox: Mutex::default(),
            arrived: Condvar::new(),
            counts: EngineCounts::default(),
        });
        let (state_sender, state) = watch::channel(EngineState::Loading);
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("keyside-engine".to_owned())
            .spawn(move || run(&for_thread, &state_sender, load))?;
        Ok(Self { shared, state, thread: Some(thread) })
    }

    /// Hands in a completion. It stops the one that runs and replaces the one that waits, unless it is
    /// older than they are. The answer comes over the channel; a closed channel means that the engine
    /// has ended.
    pub fn submit(
        &self,
        request: CompletionRequest,
        flag: CancelFlag,
    ) -> oneshot::Receiver<Result<Generation, GenerationError>> {
        let (reply, answer) = oneshot::channel();
        let job = Job { request, flag, submitted: Instant::now(), reply };
        let mut mailbox = self.shared.mailbox();
        if mailbox.closed {
            return answer;
        }
        let replaced = if job.request.arrival < mailbox.newest_arrival {
            Some(job)
        } else {
            mailbox.newest_arrival = job.request.arrival;
            mailbox.supersede_running();
            // It was about an earlier place.
            mailbox.warm = None;
            mailbox.waiting.replace(job)
        };
        drop(mailbox);
        self.shared.arrived.notify_one();
        if let Some(replaced) = replaced {
            replaced.flag.supersede();
            let superseded = Err(GenerationError::Superseded);
            self.shared.answer(&replaced.flag, replaced.reply, superseded);
        }
        answer
    }

    /// Hands in a prompt to make resident when the engine is idle, in the place of an earlier one. Not if a
    /// completion has come that is newer than `arrival`.
    pub fn warm(&self, arrival: u64, prompt: WarmPrompt) {
        let mut mailbox = self.shared.mailbox();
        if mailbox.closed || arrival < mailbox.newest_arrival {
            return;
        }
        mailbox.warm = Some(prompt);
        // What else is done while idle is about an earlier place too.
        if let Some(running) = mailbox.running.as_ref().filter(|_| mailbox.idle_work) {
            running.close();
        }
        drop(mailbox);
        self.shared.arrived.notify_one();
    }

    /// Stops what runs and answers what waits, if it is older than this arrival.
    pub fn give_way(&self, arrival: u64) {
        let mut mailbox = self.shared.mailbox();
        if arrival <= mailbox.newest_arrival {
            return;
        }
        mailbox.newest_arrival = arrival;
        // What is done while idle is about the text that is typed along, so it goes on.
        if !mailbox.idle_work {
            mailbox.supersede_running();
        }
        let waiting = mailbox.waiting.take();
        drop(mailbox);
        if let Some(job) = waiting {
            job.flag.supersede();
            self.shared.answer(&job.flag, job.reply, Err(GenerationError::Superseded));
        }
    }

    /// What the engine can do now.
    pub fn state(&self) -> EngineState {
        self.state.borrow().clone()
    }

    /// Waits until the model is loaded.
    ///
    /// # Errors
    /// The sentence that says why there is no model.
    pub async fn ready(&self) -> Result<Arc<ModelInfo>, String> {
        let mut state = self.state.clone();
        let settled = state.wait_for(|state| !matches!(state, EngineState::Loading)).await;
        match settled.as_deref() {
            Ok(EngineState::Ready(info)) => Ok(Arc::clone(info)),
            Ok(EngineState::Failed(sentence)) => Err(sentence.clone()),
            Ok(EngineState::Loading) | Err(_) => Err("the engine has ended".to_owned()),
        }
    }

    /// The state as it changes.
    pub fn watch(&self) -> watch::Receiver<EngineState> {
        self.state.clone()
    }

    /// Whether nothing runs, waits or will be worked out ahead of the next request.
    pub fn is_idle(&self) -> bool {
        let mailbox = self.shared.mailbox();
        mailbox.at_rest && mailbox.waiting.is_none() && mailbox.warm.is_none()
    }

    pub fn counts(&self) -> &EngineCounts {
        &self.shared.counts
    }

    /// Stops what runs and ends the thread, waiting for it no longer than `patience`. Afterwards every
    /// request is refused.
    pub fn end(&self, patience: Duration) {
        self.close();
        let deadline = Instant::now() + patience;
        while !self.thread.as_ref().is_none_or(JoinHandle::is_finished) && Instant::now() < deadline
        {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Stops what runs and tells the thread to end; does not wait for it.
    fn close(&self) {
        let mut mailbox = self.shared.mailbox();
        mailbox.closed = true;
        mailbox.waiting = None;
        mailbox.warm = None;
        if let Some(running) = &mailbox.running {
            running.close();
        }
        drop(mailbox);
        self.shared.arrived.notify_one();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
        // The last handle can be in a request's future, and a worker of the runtime must not wait for a
        // model that is being loaded. Elsewhere the thread's end is waited for, because the process may
        // end next and take llama.cpp's globals from under it.
        let in_runtime = tokio::runtime::Handle::try_current().is_ok();
        if let Some(thread) = self.thread.take().filter(|_| !in_runtime) {
            // A thread that has panicked has logged it already.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn mailbox(&self) -> MutexGuard<'_, Mailbox> {
        // Nothing can panic while the lock is held; if it did, the mailbox would still be whole.
        self.mailbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A flag for background work, when no request has come for a moment.
    pub fn begin_idle_work(&self) -> Option<CancelFlag> {
        let is_idle = |it: &mut Mailbox| it.waiting.is_none() && it.warm.is_none() && !it.closed;
        let waited = self.arrived.wait_timeout_while(self.mailbox(), IDLE_AFTER, is_idle);
        let (mut mailbox, _) = waited.unwrap_or_else(PoisonError::into_inner);
        is_idle(&mut mailbox).then(|| mailbox.begin_idle_work())
    }

    /// What ran is done.
    pub fn ended(&self) {
        self.mailbox().running = None;
        self.counts.busy.store(false, Ordering::Relaxed);
    }

    /// The next thing to do, or `None` when it is time to end.
    pub fn next_work(&self) -> Option<Work> {
        let mut mailbox = self.mailbox();
        loop {
            if mailbox.closed {
                return None;
            }
            if let Some(job) = mailbox.waiting.take() {
                mailbox.running = Some(job.flag.clone());
                mailbox.idle_work = false;
                self.counts.busy.store(true, Ordering::Relaxed);
                return Some(Work::Complete(job));
            }
            if let Some(prompt) = mailbox.warm.take() {
                return Some(Work::Warm(prompt, mailbox.begin_idle_work()));
            }
            mailbox.at_rest = true;
            mailbox = self.arrived.wait(mailbox).unwrap_or_else(PoisonError::into_inner);
            mailbox.at_rest = false;
        }
    }

    pub fn answer(
        &self,
        flag: &CancelFlag,
        reply: oneshot::Sender<Result<Generation, GenerationError>>,
        result: Result<Generation, GenerationError>,
    ) {
        let result = match (result, flag.stop_reason()) {
            // Work that was finished without a waiting request is reported as such.
            (Ok(_), Some(StopReason::Cancelled | StopReason::Closed)) => {
                Err(GenerationError::Cancelled)
            }
            (Ok(_), Some(StopReason::Superseded)) => Err(GenerationError::Superseded),
            (result, _) => result,
        };
        let counter = match &result {
            Ok(_) => &self.counts.generations,
            Err(GenerationError::Cancelled) => &self.counts.cancelled,
            Err(GenerationError::Superseded) => &self.counts.superseded,
            Err(GenerationError::Failed(_)) => &self.counts.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let by_source = match result.as_ref().map(|it| it.source) {
            Ok(Source::ShortPrompt) => Some(&self.counts.short_prompts),
            Ok(Source::Lookup) => Some(&self.counts.by_lookup),
            Ok(Source::WholePrompt) | Err(_) => None,
        };
        if let Some(counter) = by_source {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        // The receiver may be gone, which is what a cancelled request looks like.
        let _ = reply.send(result);
    }
}
