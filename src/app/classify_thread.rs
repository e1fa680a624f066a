//! The thread that classifies texts for the server, apart from everything that a keystroke needs.

use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::classify::labels::LabelSet;
use crate::classify::{LabelProbabilities, LabelledText, TextClassifier};
use crate::machine::lower_priority;

/// Heads that are kept, the last used first: an editor asks again and again with the same examples.
const MAX_HEADS: usize = 4;
/// Of examples of one request. More take so long to fit that a command is the better place.
pub const MAX_EXAMPLES_OF_A_REQUEST: usize = 2_000;

/// A text and what it may be.
#[derive(Debug)]
pub struct ClassifyAsk {
    pub text: String,
    pub labels: LabelSet,
    pub examples: Vec<LabelledText>,
}

/// What came of it.
#[derive(Debug)]
pub struct ClassifiedText {
    pub labels: LabelSet,
    pub found: LabelProbabilities,
    /// How many labels had no example.
    pub n_labels_by_name: usize,
    /// From the thread's taking it on, with the fitting where the head was not there.
    pub took: Duration,
}

struct Job {
    ask: ClassifyAsk,
    answer: oneshot::Sender<Result<ClassifiedText, String>>,
}

/// The way to the thread, which starts with the first request and ends with this.
#[derive(Debug, Default)]
pub struct ClassifyThread {
    /// Locked for the moment of sending, and of starting the thread.
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
}

impl ClassifyThread {
    /// Classifies a text. Dropping the future takes the request back, unless it has begun.
    ///
    /// # Errors
    /// One sentence: there are too many examples, or the system refuses the thread.
    pub async fn classify(&self, ask: ClassifyAsk) -> Result<ClassifiedText, String> {
        const GONE: &str = "the classifier has failed; the log says where, please report it";
        if ask.examples.len() > MAX_EXAMPLES_OF_A_REQUEST {
            return Err(format!(
                "there are {} examples; send at most {MAX_EXAMPLES_OF_A_REQUEST}, or use `keyside classify`",
                ask.examples.len()
            ));
        }
        let (answer, answered) = oneshot::channel();
        self.send(Job { ask, answer })?;
        answered.await.unwrap_or_else(|_| Err(GONE.to_owned()))
    }

    fn send(&self, job: Job) -> Result<(), String> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let job = match jobs.as_ref() {
            None => job,
            Some(sender) => match sender.send(job) {
                Ok(()) => return Ok(()),
                Err(mpsc::SendError(job)) => job,
            },
        };
        // There is none yet, or it has panicked.
        let (sender, receiver) = mpsc::channel();
        std::thread::Builder::new()
            .name("keyside-classify".to_owned())
            .spawn(move || work(&receiver))
            .map_err(|error| format!("the system refuses another thread ({error}); try again"))?;
        let _ = sender.send(job);
        *jobs = Some(sender);
        Ok(())
    }
}

/// Works until the other end is closed.
fn work(jobs: &mpsc::Receiver<Job>) {
    lower_priority();
    let mut heads: Vec<KeptHead> = Vec::new();
    for Job { ask, answer } in jobs {
        if !answer.is_closed() {
            let _ = answer.send(answered(ask, &mut heads));
        }
    }
}

struct KeptHead {
    examples: Vec<LabelledText>,
    classifier: TextClassifier,
}

fn answered(ask: ClassifyAsk, heads: &mut Vec<KeptHead>) -> Result<ClassifiedText, String> {
    let started = Instant::now();
    let ClassifyAsk { text, labels, examples } = ask;
    let is_it = |it: &KeptHead| *it.classifier.labels() == labels && it.examples == examples;
    let head = match heads.iter().position(is_it) {
        Some(at) => heads.remove(at),
        None => {
            let classifier = TextClassifier::fit(labels, &examples)?;
            KeptHead { examples, classifier }
        }
    };
    let classified = ClassifiedText {
        labels: head.classifier.labels().clone(),
        found: head.classifier.classify(&text),
        n_labels_by_name: head.classifier.n_labels_by_name(),
        took: started.elapsed(),
    };
    heads.insert(0, head);
    heads.truncate(MAX_HEADS);
    Ok(classified)
}
