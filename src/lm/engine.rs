//! The handle to a model: hands in tasks and waits for what comes of them. The model itself is on a
//! thread of its own (`worker`).

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use crate::lm::backend::Backend;
use crate::lm::counts::EngineCounts;
use crate::lm::model_info::ModelInfo;
use crate::lm::scheduler::{IdleWork, Job, NextWork, Scheduler, TaskProgress};
use crate::lm::task::{Lane, TaskError, TaskKind, TaskOutput};
use crate::lm::worker;
use crate::stdx::cancel::{StopReason, Ticket};

/// What the engine can do at the moment.
#[derive(Debug, Clone)]
pub enum EngineState {
    Loading,
    Ready(Arc<ModelInfo>),
    /// A sentence for the user, with what to do.
    Failed(String),
}

/// See the module. Dropping it tells the thread to end.
pub struct Engine {
    shared: Arc<Shared>,
    state: watch::Receiver<EngineState>,
    thread: Option<JoinHandle<()>>,
}

/// What the handle and the thread share.
pub(super) struct Shared {
    /// Locked for a few lines at a time; a std mutex, because nothing awaits while it is held.
    scheduler: Mutex<Scheduler>,
    arrived: Condvar,
    idle_work: Mutex<Vec<Arc<dyn IdleWork>>>,
    pub counts: Arc<EngineCounts>,
}

impl Engine {
    /// Starts the thread. `load` runs on it, so that starting never waits for a model.
    ///
    /// # Errors
    /// Where the system refuses another thread.
    pub fn start<L>(load: L) -> std::io::Result<Self>
    where
        L: FnOnce() -> Result<Box<dyn Backend>, String> + Send + 'static,
    {
        let shared = Arc::new(Shared {
            scheduler: Mutex::default(),
            arrived: Condvar::new(),
            idle_work: Mutex::default(),
            counts: Arc::default(),
        });
        let (state_sender, state) = watch::channel(EngineState::Loading);
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("keyside-engine".to_owned())
            .spawn(move || worker::run(&for_thread, &state_sender, load))?;
        Ok(Self { shared, state, thread: Some(thread) })
    }

    /// Runs a task. Dropping the future cancels it within a token.
    ///
    /// # Errors
    /// Cancelled or superseded; failed with a sentence.
    pub async fn run<T: TaskKind>(&self, lane: Lane, task: T) -> Result<T::Output, TaskError> {
        let ended = || TaskError::Failed("the engine has ended; restart keyside".to_owned());
        let ticket = Ticket::default();
        let (reply, answer) = oneshot::channel();
        let job = Job {
            task: task.into(),
            lane,
            flag: ticket.flag(),
            submitted: Instant::now(),
            reply,
            progress: TaskProgress::default(),
        };
        let superseded = self.shared.scheduler().submit(job);
        self.shared.arrived.notify_one();
        self.shared.supersede(superseded);
        let output = answer.await.map_err(|_| ended())??;
        T::output(output).ok_or_else(ended)
    }

    /// Asks this feature for work while nothing interactive is to do.
    pub fn add_idle_work(&self, work: Arc<dyn IdleWork>) {
        let mut all = self.shared.idle_work.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.iter().any(|it| Arc::ptr_eq(it, &work)) {
            all.push(work);
        }
    }

    /// A feature may have something to do while nothing else is, and what it was doing is outdated.
    pub fn idle_work_changed(&self) {
        let wakes = self.shared.scheduler().idle_work_changed();
        if wakes {
            self.shared.arrived.notify_one();
        }
    }

    /// A request of a document was answered without the model: older ones of it give way, as they
    /// would to a task.
    pub fn give_way(&self, document: &Arc<str>, arrival: u64) {
        let superseded = self.shared.scheduler().give_way(document, arrival);
        self.shared.supersede(superseded);
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
        self.shared.scheduler().is_idle()
    }

    pub fn counts(&self) -> &EngineCounts {
        &self.shared.counts
    }

    /// Stops what runs and ends the thread, waiting for it no longer than `patience`. Afterwards
    /// every task is refused.
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
        self.shared.scheduler().close();
        self.shared.arrived.notify_one();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
        // The last handle can be in a request's future, and a worker of the runtime must not wait
        // for a model that is being loaded. Elsewhere the thread's end is waited for, because the
        // process may end next and take llama.cpp's globals from under it.
        let in_runtime = tokio::runtime::Handle::try_current().is_ok();
        if let Some(thread) = self.thread.take().filter(|_| !in_runtime) {
            // A thread that has panicked has logged it already.
            let _ = thread.join();
        }
    }
}

impl Shared {
    pub(super) fn scheduler(&self) -> MutexGuard<'_, Scheduler> {
        // Nothing can panic while the lock is held; if it did, the scheduler would still be whole.
        self.scheduler.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The features that are asked for idle work.
    pub(super) fn idle_work(&self) -> Vec<Arc<dyn IdleWork>> {
        self.idle_work.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the next thing to do.
    pub(super) fn next_work(&self) -> NextWork {
        let mut scheduler = self.scheduler();
        loop {
            let until = match scheduler.next(Instant::now()) {
                NextWork::Wait(until) => until,
                work => return work,
            };
            scheduler = match until {
                None => self.arrived.wait(scheduler).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    let waited = self.arrived.wait_timeout(scheduler, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn supersede(&self, job: Option<Job>) {
        if let Some(job) = job {
            job.flag.supersede();
            self.answer(job, Err(TaskError::Superseded));
        }
    }

    /// A task was pre-empted: it goes on later.
    pub(super) fn put_back(&self, job: Job) {
        let superseded = self.scheduler().put_back(job);
        self.supersede(superseded);
    }

    pub(super) fn answer(&self, job: Job, result: Result<TaskOutput, TaskError>) {
        let result = match (result, job.flag.stop_reason()) {
            // Work that was finished without a waiting request is reported as such.
            (Ok(_), Some(StopReason::Cancelled | StopReason::Closed)) => Err(TaskError::Cancelled),
            (Ok(_), Some(StopReason::Superseded)) => Err(TaskError::Superseded),
            (result, _) => result,
        };
        self.counts.note_answer(&result);
        // The receiver may be gone, which is what a cancelled request looks like.
        let _ = job.reply.send(result);
    }
}
