//! Which task runs next: two lanes and, when nothing interactive waits, what features want done
//! ahead.
//!
//! * **Interactive**: at most one task a document, the newest. A newer one of the same document
//!   takes the place of the one that waits and stops the one that runs. One of another document is
//!   pre-empted and goes on afterwards.
//! * **Idle**: work that a feature is asked for ([`IdleWork`]) when no task has been interactive
//!   for a moment, such as the answer to the next key.
//! * **Background**: first come, first served; pre-empted by anything interactive, also in the
//!   middle of a chunk, and resumed.
//!
//! A plain data structure: it knows no thread. `engine` is the handle and `worker` the thread.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lru::LruCache;
use tokio::sync::oneshot;

use crate::lm::task::{ContinuationScore, Lane, Task, TaskError, TaskOutput};
use crate::stdx::cancel::CancelFlag;

/// So long after an answer a person who types fast has typed the next key. Idle work pauses as long
/// between two tasks, so that it takes no processor from keys that are answered without the model.
const IDLE_AFTER: Duration = Duration::from_millis(30);
/// Documents whose tasks can wait; of more the oldest is superseded.
const MAX_WAITING_DOCUMENTS: usize = 8;
/// Documents whose newest arrival is remembered.
const REMEMBERED_DOCUMENTS: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// A feature that has work for a model while nothing else is to do.
pub trait IdleWork: Send + Sync {
    /// The next task, made only now, on the model's thread. `None`: nothing to do, until
    /// `Engine::idle_work_changed`.
    fn next_task(&self) -> Option<Task>;

    /// Takes what came of the last [`IdleWork::next_task`]. Not called for a task that was
    /// interrupted or has failed.
    fn finished(&self, output: TaskOutput);
}

/// A task with who waits for it.
pub struct Job {
    pub task: Task,
    pub lane: Lane,
    pub flag: CancelFlag,
    pub submitted: Instant,
    pub reply: oneshot::Sender<Result<TaskOutput, TaskError>>,
    /// What was done of it before it was pre-empted.
    pub progress: TaskProgress,
}

impl Job {
    /// Of an interactive task.
    fn document(&self) -> Option<&Arc<str>> {
        self.lane.document_and_arrival().map(|it| it.0)
    }

    /// 0 for a background task.
    fn arrival(&self) -> u64 {
        self.lane.document_and_arrival().map_or(0, |it| it.1)
    }
}

/// Parts of a task's output.
#[derive(Default)]
pub struct TaskProgress {
    pub scores: Vec<ContinuationScore>,
    pub embeddings: Vec<Vec<f32>>,
}

/// What the worker does next.
pub enum NextWork {
    Run(Box<Job>),
    /// Asks features for work, under this flag.
    Idle(CancelFlag),
    /// Nothing yet; until then, or until something is handed in.
    Wait(Option<Instant>),
    End,
}

/// See the module.
pub struct Scheduler {
    /// One a document.
    interactive: Vec<Job>,
    background: VecDeque<Job>,
    newest_arrivals: LruCache<Arc<str>, u64>,
    running: Option<Running>,
    /// A feature may have something to do.
    has_idle_work: bool,
    /// When the last interactive task, or idle work, ended.
    quiet_since: Option<Instant>,
    is_closed: bool,
    /// The worker has nothing left to do and waits.
    is_at_rest: bool,
}

struct Running {
    flag: CancelFlag,
    /// `None`: idle work.
    lane: Option<Lane>,
}

impl Default for Scheduler {
    fn default() -> Self {
        Self {
            interactive: Vec::new(),
            background: VecDeque::new(),
            newest_arrivals: LruCache::new(REMEMBERED_DOCUMENTS),
            running: None,
            has_idle_work: false,
            quiet_since: None,
            is_closed: false,
            is_at_rest: false,
        }
    }
}

impl Scheduler {
    /// Takes in a task. Returns the one that is superseded by it, or itself where it is older. A
    /// closed scheduler drops it.
    pub fn submit(&mut self, job: Job) -> Option<Job> {
        if self.is_closed {
            return None;
        }
        let Lane::Interactive { document, arrival } = job.lane.clone() else {
            self.background.push_back(job);
            return None;
        };
        if arrival < self.newest_arrival(&document) {
            return Some(job);
        }
        self.newest_arrivals.put(Arc::clone(&document), arrival);
        if let Some(Running { flag, lane }) = &self.running {
            match lane.as_ref().and_then(Lane::document_and_arrival) {
                Some((it, _)) if *it == document => flag.supersede(),
                // It is the newest, so it would be the next to run again.
                Some((_, running)) if running > arrival => {}
                _ => flag.preempt(),
            }
        }
        self.wait_interactive(job)
    }

    fn wait_interactive(&mut self, job: Job) -> Option<Job> {
        let same = self.interactive.iter().position(|it| it.document() == job.document());
        let oldest =
            || (0..self.interactive.len()).min_by_key(|at| self.interactive[*at].arrival());
        let is_full = self.interactive.len() == MAX_WAITING_DOCUMENTS;
        let replaced = same.or_else(|| is_full.then(oldest).flatten());
        let replaced = replaced.map(|at| self.interactive.swap_remove(at));
        self.interactive.push(job);
        replaced
    }

    fn newest_arrival(&mut self, document: &Arc<str>) -> u64 {
        self.newest_arrivals.get(document).copied().unwrap_or_default()
    }

    /// A request of a document was answered without the model: what runs or waits for an older one
    /// is superseded. Returns the task that waited.
    pub fn give_way(&mut self, document: &Arc<str>, arrival: u64) -> Option<Job> {
        if arrival <= self.newest_arrival(document) {
            return None;
        }
        self.newest_arrivals.put(Arc::clone(document), arrival);
        if let Some(Running { flag, lane: Some(Lane::Interactive { document: it, .. }) }) =
            &self.running
            && it == document
        {
            flag.supersede();
        }
        let at = self.interactive.iter().position(|it| it.document() == Some(document))?;
        Some(self.interactive.swap_remove(at))
    }

    /// Takes back a task that was pre-empted. Returns the task that is superseded meanwhile.
    pub fn put_back(&mut self, job: Job) -> Option<Job> {
        job.flag.resume();
        if self.is_closed {
            return None;
        }
        match job.document().cloned() {
            None => {
                self.background.push_front(job);
                None
            }
            Some(document) if job.arrival() < self.newest_arrival(&document) => Some(job),
            Some(_) => self.wait_interactive(job),
        }
    }

    /// A feature may have something to do; what it had done until now is outdated. Returns whether
    /// the worker has to be woken for it.
    pub fn idle_work_changed(&mut self) -> bool {
        self.has_idle_work = true;
        if let Some(Running { flag, lane: None }) = &self.running {
            flag.preempt();
        }
        self.is_at_rest
    }

    /// No feature has anything to do.
    pub fn no_idle_work(&mut self) {
        self.has_idle_work = false;
    }

    /// What to do at this time.
    pub fn next(&mut self, now: Instant) -> NextWork {
        self.is_at_rest = false;
        if self.is_closed {
            return NextWork::End;
        }
        let newest = (0..self.interactive.len()).max_by_key(|at| self.interactive[*at].arrival());
        if let Some(at) = newest {
            let job = self.interactive.swap_remove(at);
            return self.run(job);
        }
        if !self.has_idle_work && self.background.is_empty() {
            self.is_at_rest = true;
            return NextWork::Wait(None);
        }
        let begins = self.quiet_since.map(|it| it + IDLE_AFTER).filter(|it| now < *it);
        if begins.is_some() {
            return NextWork::Wait(begins);
        }
        if self.has_idle_work {
            let flag = CancelFlag::default();
            self.running = Some(Running { flag: flag.clone(), lane: None });
            return NextWork::Idle(flag);
        }
        match self.background.pop_front() {
            Some(job) => self.run(job),
            None => NextWork::Wait(None),
        }
    }

    fn run(&mut self, job: Job) -> NextWork {
        self.running = Some(Running { flag: job.flag.clone(), lane: Some(job.lane.clone()) });
        NextWork::Run(Box::new(job))
    }

    /// What ran has ended.
    pub fn ended(&mut self, now: Instant) {
        let Some(Running { lane, .. }) = self.running.take() else { return };
        if lane != Some(Lane::Background) {
            self.quiet_since = Some(now);
        }
        // Its feature most likely goes on from there. Waking the worker to say so would cost the
        // answer that is on its way.
        self.has_idle_work |= matches!(lane, Some(Lane::Interactive { .. }));
    }

    /// Stops what runs and drops what waits; nothing is taken in any more.
    pub fn close(&mut self) {
        self.is_closed = true;
        self.interactive.clear();
        self.background.clear();
        if let Some(running) = &self.running {
            running.flag.close();
        }
    }

    /// Whether nothing runs, waits or will be worked out ahead of the next request.
    pub fn is_idle(&self) -> bool {
        let is_empty = self.interactive.is_empty() && self.background.is_empty();
        self.is_at_rest && is_empty && !self.has_idle_work
    }
}

#[cfg(test)]
mod tests;
