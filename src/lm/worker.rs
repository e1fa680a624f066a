//! The engine's thread: it owns the model and its KV cache, and does one thing after the other.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::sync::watch;

use crate::lm::backend::Backend;
use crate::lm::engine::{EngineState, Shared};
use crate::lm::runtime::Runtime;
use crate::lm::scheduler::{Job, NextWork, TaskProgress};
use crate::lm::task::{Lane, Task, TaskError, TaskOutput};
use crate::stdx::cancel::CancelFlag;

/// Loads the model and works until the engine is closed.
pub(super) fn run<L>(shared: &Shared, state: &watch::Sender<EngineState>, load: L)
where
    L: FnOnce() -> Result<Box<dyn Backend>, String>,
{
    let loaded = fenced(load).unwrap_or_else(|| {
        Err("the model can't be loaded, its contents are not what they should be; get the file again, or \
             set model.path to another"
            .to_owned())
    });
    let mut worker = match loaded {
        Ok(backend) => {
            let runtime = Runtime::new(backend, Arc::clone(&shared.counts));
            state.send_replace(EngineState::Ready(Arc::clone(runtime.info())));
            Ok(Worker { shared, runtime })
        }
        Err(sentence) => {
            // Whoever asked is told; the log only keeps it.
            tracing::info!("{sentence}");
            state.send_replace(EngineState::Failed(sentence.clone()));
            Err(sentence)
        }
    };
    loop {
        match (shared.next_work(), &mut worker) {
            (NextWork::Run(job), Ok(worker)) => worker.run(*job),
            (NextWork::Run(job), Err(sentence)) => {
                shared.scheduler().ended(Instant::now());
                shared.answer(*job, Err(TaskError::Failed(sentence.clone())));
            }
            (NextWork::Idle(flag), Ok(worker)) => worker.idle(&flag),
            (NextWork::Idle(_), Err(_)) => {
                let mut scheduler = shared.scheduler();
                scheduler.ended(Instant::now());
                scheduler.no_idle_work();
            }
            (NextWork::Wait(_), _) => {}
            (NextWork::End, _) => return,
        }
    }
}

struct Worker<'a> {
    shared: &'a Shared,
    runtime: Runtime,
}

impl Worker<'_> {
    /// Runs a task that somebody waits for.
    fn run(&mut self, mut job: Job) {
        let queue = job.submitted.elapsed();
        let is_background = job.lane == Lane::Background;
        let busy = &self.shared.counts.busy;
        busy.store(!is_background, Ordering::Relaxed);
        let Job { task, progress, flag, .. } = &mut job;
        let outcome = self.fenced(is_background, |it| run_task(it, task, progress, flag));
        let mut result = outcome.unwrap_or_else(|| {
            Err(TaskError::Failed(
                "a part of the engine failed; the log says where, and the next request works"
                    .to_owned(),
            ))
        });
        if let Ok(TaskOutput::Generation(generation)) = &mut result {
            generation.times.queue = queue;
        }
        busy.store(false, Ordering::Relaxed);
        self.shared.scheduler().ended(Instant::now());
        if matches!(result, Err(TaskError::Preempted)) {
            self.shared.counts.preempted.fetch_add(1, Ordering::Relaxed);
            self.shared.put_back(job);
        } else {
            self.shared.answer(job, result);
        }
    }

    /// Does what a feature wants done ahead.
    fn idle(&mut self, flag: &CancelFlag) {
        // With room for one sequence, the prompt of the next key stays.
        let may_work = self.runtime.n_sequences() > 1;
        let features = if may_work { self.shared.idle_work() } else { Vec::new() };
        // A failure is not reported: no request waits for it.
        let has_worked = features.into_iter().any(|feature| {
            let worked = self.fenced(true, |runtime| {
                let mut task = feature.next_task()?;
                let done = run_task(runtime, &mut task, &mut TaskProgress::default(), flag);
                if let Ok(output) = done {
                    feature.finished(output);
                }
                Some(())
            });
            // After a panic it is not asked again for the same.
            worked.flatten().is_some()
        });
        let mut scheduler = self.shared.scheduler();
        scheduler.ended(Instant::now());
        if !has_worked && flag.stop_reason().is_none() {
            scheduler.no_idle_work();
        }
    }

    /// Runs `work`; a panic costs this one result.
    fn fenced<T>(
        &mut self,
        is_background: bool,
        work: impl FnOnce(&mut Runtime) -> T,
    ) -> Option<T> {
        self.runtime.is_background = is_background;
        let done = fenced(|| work(&mut self.runtime));
        if done.is_none() {
            // What the KV cache holds after a panic is anybody's guess.
            self.runtime.clear();
        }
        done
    }
}

fn run_task(
    runtime: &mut Runtime,
    task: &mut Task,
    progress: &mut TaskProgress,
    flag: &CancelFlag,
) -> Result<TaskOutput, TaskError> {
    match task {
        Task::Generate(task) => {
            runtime.generate(task, flag).map(|it| TaskOutput::Generation(it.into()))
        }
        Task::Score(task) => {
            runtime.score(task, &mut progress.scores, None, flag)?;
            Ok(TaskOutput::Scores(std::mem::take(&mut progress.scores)))
        }
        Task::Choose(task) => runtime.choose(task, flag).map(TaskOutput::Choice),
        Task::Embed(task) => {
            runtime.embed(task, &mut progress.embeddings, flag)?;
            Ok(TaskOutput::Embeddings(std::mem::take(&mut progress.embeddings)))
        }
        Task::Prefill(task) => runtime.prefill(task, flag).map(|()| TaskOutput::Prefilled),
    }
}

/// Runs `work`; a panic is logged by its hook.
fn fenced<T>(work: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).ok()
}
