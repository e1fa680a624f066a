//! The head that reads a request in a person's own words: how likely each task is, and with it each
//! target. It is fitted to the requests of `model/routing/requests.jsonl` and to what a person has
//! corrected.

use std::sync::{Arc, OnceLock};

use serde::Deserialize;

use crate::classify::fit::KnownTask;
use crate::classify::labels::{LabelSet, TextLabel};
use crate::classify::terms::WordSpans;
use crate::classify::{LabelledText, TextClassifier};
use crate::route::task::{RequestTask, RouteTarget};

const REQUESTS: &str = include_str!("../../model/routing/requests.jsonl");

/// Found by cross-validation on the training part (docs/routing.md).
const SETTINGS: KnownTask = KnownTask { spans: WordSpans::Frames, dense_share: 0.2, penalty: 0.05 };
/// A correction counts as so many requests: a person's own words say more than ours.
const WEIGHT_OF_A_CORRECTION: usize = 3;
/// Corrections beyond so many, the oldest of them, are left out.
const MAX_CORRECTIONS: usize = 2_000;

/// A request whose task and target are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRequest {
    pub text: String,
    pub task: RequestTask,
    pub target: RouteTarget,
}

/// How likely each task with each target is.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskProbabilities(Vec<(RequestTask, RouteTarget, f64)>);

/// A head that was fitted.
#[derive(Debug)]
pub struct RequestRouter {
    classifier: TextClassifier,
    /// In the order of the head's labels.
    pairs: Vec<(RequestTask, RouteTarget)>,
}

#[derive(Debug, Deserialize)]
struct RequestLine<'a> {
    #[serde(borrow)]
    text: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    task: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    target: std::borrow::Cow<'a, str>,
}

/// A line of a file of requests; `None` where it is none.
pub fn known_request(line: &str) -> Option<KnownRequest> {
    let RequestLine { text, task, target } = serde_json::from_str(line).ok()?;
    Some(KnownRequest {
        task: RequestTask::of_name(&task)?,
        target: RouteTarget::of_name(&target)?,
        text: text.into_owned(),
    })
}

/// The requests that keyside is built with.
pub fn built_in() -> impl Iterator<Item = KnownRequest> {
    REQUESTS.lines().filter_map(known_request)
}

impl RequestRouter {
    /// The router without corrections; fitted once, which takes a second or so.
    ///
    /// # Errors
    /// One sentence. None is known of.
    pub fn shared() -> Result<Arc<Self>, String> {
        static SHARED: OnceLock<Result<Arc<RequestRouter>, String>> = OnceLock::new();
        SHARED.get_or_init(|| RequestRouter::fit(&[]).map(Arc::new)).clone()
    }

    /// Fits a head to the built-in requests and to those that a person has corrected, the newest
    /// last.
    ///
    /// # Errors
    /// As [`RequestRouter::shared`].
    pub fn fit(corrections: &[KnownRequest]) -> Result<Self, String> {
        let newest = &corrections[corrections.len().saturating_sub(MAX_CORRECTIONS)..];
        // They come first, because by the last ones is found how sure the head is.
        let weighed =
            newest.iter().flat_map(|it| std::iter::repeat_n(it.clone(), WEIGHT_OF_A_CORRECTION));
        // What a person has corrected is not to stand beside what was wrong.
        let is_corrected =
            |it: &KnownRequest| newest.iter().any(|corrected| corrected.text == it.text);
        let requests: Vec<KnownRequest> =
            weighed.chain(built_in().filter(|it| !is_corrected(it))).collect();
        Self::of(&requests)
    }

    /// Fits a head to these requests alone.
    ///
    /// # Errors
    /// As [`RequestRouter::shared`], or there are too few kinds or too many requests.
    pub fn of(requests: &[KnownRequest]) -> Result<Self, String> {
        let mut pairs: Vec<(RequestTask, RouteTarget)> =
            requests.iter().map(|it| (it.task, it.target)).collect();
        pairs.sort_unstable_by_key(|(task, target)| (*task as usize, *target as usize));
        pairs.dedup();
        let label = |(task, target): &(RequestTask, RouteTarget)| TextLabel {
            name: format!("{} {}", task.name(), target.name()),
            description: String::new(),
        };
        let labels = LabelSet::new(pairs.iter().map(label).collect())?;
        let place = |it: &KnownRequest| pairs.iter().position(|pair| *pair == (it.task, it.target));
        let example =
            |it: &KnownRequest| Some(LabelledText { text: it.text.clone(), label: place(it)? });
        let examples: Vec<LabelledText> = requests.iter().filter_map(example).collect();
        let classifier = TextClassifier::fit_known_task(labels, &examples, SETTINGS)?;
        Ok(Self { classifier, pairs })
    }

    /// Reads a request.
    pub fn read(&self, instruction: &str) -> TaskProbabilities {
        let mut found = self.classifier.classify(instruction);
        if found.is_unknown {
            // A language that the requests are not in: all is as likely, and a person is asked.
            let share = 1.0 / self.pairs.len() as f64;
            found.probabilities.fill(share);
        }
        let pairs = self.pairs.iter().zip(found.probabilities);
        TaskProbabilities(pairs.map(|((task, target), it)| (*task, *target, it)).collect())
    }
}

impl TaskProbabilities {
    /// Of a task that is known without reading the request.
    pub fn of_task(&self, task: RequestTask) -> Self {
        let mut of_it = self.0.clone();
        of_it.retain(|it| it.0 == task);
        let sum: f64 = of_it.iter().map(|it| it.2).sum();
        of_it.iter_mut().for_each(|it| it.2 /= sum.max(f64::MIN_POSITIVE));
        Self(of_it)
    }

    /// How likely the target is.
    pub fn of_target(&self, target: RouteTarget) -> f64 {
        self.0.iter().filter(|it| it.1 == target).map(|it| it.2).sum()
    }

    /// The likelier target.
    pub fn best_target(&self) -> RouteTarget {
        let local = self.of_target(RouteTarget::Local);
        // Of two that are as likely the one that sends nothing.
        if local >= self.of_target(RouteTarget::Cloud) {
            RouteTarget::Local
        } else {
            RouteTarget::Cloud
        }
    }

    /// The likeliest task, and how likely it is.
    pub fn best_task(&self) -> (RequestTask, f64) {
        let of = |task: RequestTask| -> f64 {
            self.0.iter().filter(|it| it.0 == task).map(|it| it.2).sum()
        };
        let all = RequestTask::ALL.into_iter().map(|task| (task, of(task)));
        all.fold((RequestTask::Other, 0.0), |best, it| if it.1 > best.1 { it } else { best })
    }
}
