//! The engine's thread, its mailbox and its handle.
//!
//! The mailbox holds one completion at most: a newer one takes its place and the older is answered
//! [`GenerationError::Superseded`] at once, so memory stays flat however fast a person types.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use crate::engine::generate::{Machine, Pace};
use crate::engine::model::Model;
use crate::engine::resident::Resident;
use crate::generation::{CompletionRequest, Generation, GenerationError, ModelInfo};
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
    /// Of the generated ones, those that counts had expected.
    pub drafted_tokens: AtomicU64,
    /// Of prompts that nobody had asked yet, and of answers to them.
    pub ahead_evaluated_tokens: AtomicU64,
    pub ahead_generated_tokens: AtomicU64,
    /// A generation is running right now.
    pub busy: AtomicBool,
}

/// The handle. Dropping it tells the thread to end.
pub struct Engine {
    shared: Arc<Shared>,
    state: watch::Receiver<EngineState>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    mailbox: Mutex<Mailbox>,
    arrived: Condvar,
    counts: EngineCounts,
}

/// Locked for a few lines at a time, by the thread that takes in a request and by the engine's; a std
/// mutex, because nothing awaits while it is held.
#[derive(Default)]
struct Mailbox {
    waiting: Option<Job>,
    running: Option<CancelFlag>,
    /// Nobody waits for what runs.
    idle_work: bool,
    /// The highest arrival number so far.
    newest_arrival: u64,
    closed: bool,
}

impl Mailbox {
    fn supersede_running(&self) {
        match &self.running {
            // Ends in the middle of a stretch, since nothing of it is waited for.
            Some(running) if self.idle_work => running.close(),
            Some(running) => running.supersede(),
            None => {}
        }
    }
}

struct Job {
    request: CompletionRequest,
    flag: CancelFlag,
    submitted: Instant,
    reply: oneshot::Sender<Result<Generation, GenerationError>>,
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

    /// Stops what runs and answers what waits, if it is older than this arrival.
    pub fn give_way(&self, arrival: u64) {
        let mut mailbox = self.shared.mailbox();
        if arrival <= mailbox.newest_arrival {
            return;
        }
        mailbox.newest_arrival = arrival;
        mailbox.supersede_running();
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

    /// A flag for work that nobody waits for, when nobody has asked anything for a moment.
    fn begin_idle_work(&self) -> Option<CancelFlag> {
        let is_idle = |it: &mut Mailbox| it.waiting.is_none() && !it.closed;
        let waited = self.arrived.wait_timeout_while(self.mailbox(), IDLE_AFTER, is_idle);
        let (mut mailbox, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if !is_idle(&mut mailbox) {
            return None;
        }
        let flag = CancelFlag::default();
        mailbox.running = Some(flag.clone());
        mailbox.idle_work = true;
        Some(flag)
    }

    /// The next job that somebody still waits for, or `None` when it is time to end.
    fn next_job(&self) -> Option<Job> {
        let mut mailbox = self.mailbox();
        loop {
            if mailbox.closed {
                return None;
            }
            if let Some(job) = mailbox.waiting.take() {
                mailbox.running = Some(job.flag.clone());
                mailbox.idle_work = false;
                self.counts.busy.store(true, Ordering::Relaxed);
                return Some(job);
            }
            mailbox = self.arrived.wait(mailbox).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn answer(
        &self,
        flag: &CancelFlag,
        reply: oneshot::Sender<Result<Generation, GenerationError>>,
        result: Result<Generation, GenerationError>,
    ) {
        let result = match (result, flag.stop_reason()) {
            // What was finished although nobody waits is told as what it is.
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
        // Nobody may be there any more, which is what a cancelled request looks like.
        let _ = reply.send(result);
    }
}

fn run<L>(shared: &Shared, state: &watch::Sender<EngineState>, load: L)
where
    L: FnOnce() -> Result<Box<dyn Model>, String>,
{
    let loaded = fenced(load).unwrap_or_else(|| {
        Err("the model can't be loaded, its contents are not what they should be; get the file again, or \
             set model.path to another"
            .to_owned())
    });
    let mut model = match loaded {
        Ok(model) => {
            state.send_replace(EngineState::Ready(Arc::clone(model.info())));
            Ok(model)
        }
        Err(sentence) => {
            // Whoever asked is told; the log only keeps it.
            tracing::info!("{sentence}");
            state.send_replace(EngineState::Failed(sentence.clone()));
            Err(sentence)
        }
    };
    let mut resident = Resident::default();
    let mut pace = Pace::default();
    while let Some(job) = shared.next_job() {
        let Job { mut request, flag, submitted, reply } = job;
        let queue = submitted.elapsed();
        let result = match &mut model {
            Err(sentence) => Err(GenerationError::Failed(sentence.clone())),
            Ok(model) => {
                let mut machine = Machine {
                    model: model.as_mut(),
                    resident: &mut resident,
                    pace: &mut pace,
                    counts: &shared.counts,
                    is_idle: false,
                };
                let outcome = fenced(|| machine.generate(&mut request, &flag));
                outcome.unwrap_or_else(|| {
                    // What the context holds after a panic is anybody's guess.
                    resident.clear(model.as_mut());
                    Err(GenerationError::Failed(
                        "a part of the engine failed; the log says where, and the next request works"
                            .to_owned(),
                    ))
                })
            }
        };
        let result = result.map(|mut generation| {
            generation.times.queue = queue;
            generation
        });
        shared.mailbox().running = None;
        shared.counts.busy.store(false, Ordering::Relaxed);
        let mut next = request.ahead.take().zip(result.as_ref().ok().cloned());
        shared.answer(&flag, reply, result);
        while let (Some((ahead, generation)), Ok(model)) = (next.take(), &mut model) {
            // With room for one prompt, that of the next key stays.
            let has_room = model.n_sequences() > 1;
            let Some(flag) = has_room.then(|| shared.begin_idle_work()).flatten() else { break };
            let mut machine = Machine {
                model: model.as_mut(),
                resident: &mut resident,
                pace: &mut pace,
                counts: &shared.counts,
                is_idle: true,
            };
            let done = fenced(|| {
                let mut ahead = ahead(&generation)?;
                // A failure is told to nobody, since nobody asked. What was evaluated when something else
                // was asked is kept.
                let generation = machine.generate(&mut ahead.request, &flag).ok()?;
                (ahead.done)(&generation);
                Some((ahead.request.ahead.take()?, generation))
            });
            if done.is_none() {
                resident.clear(model.as_mut());
            }
            next = done.flatten();
            shared.mailbox().running = None;
        }
    }
}

/// Runs `work`; a panic costs this one result, and is logged by its hook.
fn fenced<T>(work: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).ok()
}
