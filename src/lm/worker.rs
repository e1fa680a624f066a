//! The engine's thread: it owns the model and what is resident, and does one thing after the other.

use std::sync::Arc;

use tokio::sync::watch;

use crate::lm::backend::Model;
use crate::lm::decode::Machine;
use crate::lm::kv_cache::Resident;
use crate::lm::prefill_rate::Pace;
use crate::lm::scheduler::{EngineState, Job, Shared, WarmPrompt, Work};
use crate::lm::task::{Ahead, Generation, GenerationError, Source};
use crate::stdx::cancel::CancelFlag;

/// Loads the model and works until the engine is closed.
pub fn run<L>(shared: &Shared, state: &watch::Sender<EngineState>, load: L)
where
    L: FnOnce() -> Result<Box<dyn Model>, String>,
{
    let loaded = fenced(load).unwrap_or_else(|| {
        Err("the model can't be loaded, its contents are not what they should be; get the file again, or \
             set model.path to another"
            .to_owned())
    });
    let mut worker = match loaded {
        Ok(model) => {
            let pace = Pace::of_model(model.info().n_params);
            shared.counts.note_pace(&pace);
            state.send_replace(EngineState::Ready(Arc::clone(model.info())));
            Ok(Worker { shared, model, resident: Resident::default(), pace })
        }
        Err(sentence) => {
            // Whoever asked is told; the log only keeps it.
            tracing::info!("{sentence}");
            state.send_replace(EngineState::Failed(sentence.clone()));
            Err(sentence)
        }
    };
    while let Some(work) = shared.next_work() {
        match (work, &mut worker) {
            (Work::Complete(job), Ok(worker)) => worker.complete(job),
            (Work::Complete(job), Err(sentence)) => {
                shared.ended();
                let failed = Err(GenerationError::Failed(sentence.clone()));
                shared.answer(&job.flag, job.reply, failed);
            }
            (Work::Warm(prompt, flag), Ok(worker)) => worker.warm(prompt, &flag),
            (Work::Warm(..), Err(_)) => shared.ended(),
        }
    }
}

struct Worker<'a> {
    shared: &'a Shared,
    model: Box<dyn Model>,
    resident: Resident,
    pace: Pace,
}

impl Worker<'_> {
    fn complete(&mut self, job: Job) {
        let Job { mut request, flag, submitted, reply } = job;
        let queue = submitted.elapsed();
        let outcome = self.fenced(false, |machine| machine.generate(&mut request, &flag));
        let result = outcome.unwrap_or_else(|| {
            Err(GenerationError::Failed(
                "a part of the engine failed; the log says where, and the next request works"
                    .to_owned(),
            ))
        });
        let result = result.map(|mut generation| {
            generation.times.queue = queue;
            generation
        });
        self.shared.ended();
        let answered = result.as_ref().ok().cloned();
        self.shared.answer(&flag, reply, result);
        let Some(generation) = answered else { return };
        let is_prompt_left = match generation.source {
            Source::WholePrompt => false,
            Source::ShortPrompt => true,
            Source::Lookup => request.ahead.is_some(),
        };
        if is_prompt_left && let Some(flag) = self.shared.begin_idle_work() {
            // The next key may need it.
            let prompt = std::mem::take(&mut request.prompt);
            self.warm(Box::new(move || prompt), &flag);
        }
        self.go_ahead(request.ahead, generation);
    }

    /// Makes a prompt resident ahead of its request.
    fn warm(&mut self, prompt: WarmPrompt, flag: &CancelFlag) {
        // With room for one prompt, that of the next key stays.
        if self.model.n_sequences() > 1 {
            // A background failure is not reported: no request waits for it.
            let _ = self.fenced(true, |machine| machine.warm(&prompt(), flag));
        }
        self.shared.ended();
    }

    /// Works out what will be asked next, until somebody asks something.
    fn go_ahead(&mut self, mut ahead: Option<Ahead>, mut generation: Generation) {
        while let Some(next) = ahead.take() {
            let has_room = self.model.n_sequences() > 1;
            let Some(flag) = has_room.then(|| self.shared.begin_idle_work()).flatten() else {
                return;
            };
            let done = self.fenced(true, |machine| {
                let mut next = next(&generation)?;
                // What was evaluated when something else was asked is kept.
                let generation = machine.generate(&mut next.request, &flag).ok()?;
                (next.done)(&generation);
                Some((next.request.ahead.take(), generation))
            });
            self.shared.ended();
            let Some(Some(done)) = done else { return };
            (ahead, generation) = done;
        }
    }

    /// Runs `work`; a panic costs this one result.
    fn fenced<T>(&mut self, is_idle: bool, work: impl FnOnce(&mut Machine) -> T) -> Option<T> {
        let mut machine = Machine {
            model: self.model.as_mut(),
            resident: &mut self.resident,
            pace: &mut self.pace,
            counts: &self.shared.counts,
            is_idle,
        };
        let done = fenced(|| work(&mut machine));
        if done.is_none() {
            // What the context holds after a panic is anybody's guess.
            self.resident.clear(self.model.as_mut());
        }
        done
    }
}

/// Runs `work`; a panic is logged by its hook.
fn fenced<T>(work: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).ok()
}
