//! The table: from a request and what is around it to a decision. Rules are tried from the top;
//! where none applies, the request's own words decide, as the head reads them (`requests`).

use crate::route::requests::{RequestRouter, TaskProbabilities};
use crate::route::task::{RequestTask, RouteTarget};
use crate::route::words::chosen_target;
use crate::text::language::Language;

use RequestTask as T;
use RouteTarget::{Cloud, Local};

/// Below this a person is asked, whatever is likelier.
const ASK_BELOW: f64 = 0.7;
/// Below this a local model's draft is as likely wrong as right.
const LOCAL_CONFIDENCE_BELOW: f64 = 0.5;
/// A local model sees so many files at once.
const MAX_LOCAL_FILES: usize = 3;
/// A local model keeps track of so many lines that it changes.
const MAX_LOCAL_LINES: usize = 200;
/// So many messages of a tool, in so many lines, are one small thing.
const MAX_SMALL_DIAGNOSTICS: usize = 2;
const MAX_SMALL_LINES: usize = 20;
/// From so many messages on, they have a cause in common that has to be found.
const MANY_DIAGNOSTICS: usize = 5;

/// In small letters: what tools say of things that need no understanding.
#[rustfmt::skip]
const SMALL_THINGS: &[&str] = &[
    "unused", "never used", "never read", "expected `;`", "expected ';'", "missing semicolon", "expected `,`", "expected ','",
    "trailing", "whitespace", "indentation", "no newline", "misspell", "typo", "unknown word", "redundant", "not imported",
    "missing import", "unnecessary", "quotes", "line too long", "unsorted", "import block",
];

/// A request, and what is around it.
#[derive(Debug, Clone, Default)]
pub struct RouteRequest<'a> {
    /// In the person's own words; may be empty where there is an action.
    pub instruction: &'a str,
    /// What the person chose in a menu: then nothing is read from the words but where it goes.
    pub action: Option<RequestTask>,
    /// Where the person said that it shall go.
    pub choice: Option<RouteTarget>,
    /// A person said that nothing of this workspace is sent.
    pub is_private: bool,
    /// As an editor names it; empty where there is none.
    pub language: &'a str,
    pub n_selected_lines: usize,
    /// What other tools say.
    pub diagnostics: &'a [String],
    /// How many files it spans.
    pub n_files: usize,
    /// How sure a local model is of its own draft, 0 to 1, where there is one.
    pub local_confidence: Option<f64>,
}

/// Where a request goes, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteDecision {
    pub task: RequestTask,
    pub target: RouteTarget,
    /// It is not sure, and a person should say where; `target` is the likelier one.
    pub asks: bool,
    /// How likely it is that the target is right, 0 to 1.
    pub confidence: f64,
    pub task_confidence: f64,
    /// The name of the rule that decided; `request`: the words.
    pub rule: &'static str,
    /// For a person: the rule, and how often this runs, how constrained the answer is, whether the
    /// text may leave.
    pub reason: String,
}

/// What rules look at.
struct Facts<'a> {
    request: &'a RouteRequest<'a>,
    task: RequestTask,
    choice: Option<RouteTarget>,
    read: TaskProbabilities,
}

/// A row of the table.
struct PolicyRule {
    name: &'static str,
    applies: fn(&Facts<'_>) -> bool,
    target: RouteTarget,
    because: &'static str,
}

/// From the top: the first that applies decides.
#[rustfmt::skip]
const RULES: &[PolicyRule] = &[
    rule("private", |it| it.request.is_private, Local, "this workspace is marked private"),
    rule("choice", |it| it.choice == Some(Local), Local, "you said so"),
    rule("choice", |it| it.choice == Some(Cloud), Cloud, "you said so"),
    rule("local_confidence", |it| it.stays_local() && it.local_is_unsure(), Cloud, "the local model is not sure of its own draft"),
    rule("diagnostics", |it| it.task == T::Fix && it.diagnostics_are_small(), Local, "what is reported is small and mechanical"),
    rule("diagnostics", |it| it.task == T::Fix && it.request.diagnostics.len() >= MANY_DIAGNOSTICS, Cloud, "so many reports have a cause in common"),
    rule("files", |it| it.changes_text() && it.request.n_files > MAX_LOCAL_FILES, Cloud, "it spans more files than a local model sees at once"),
    rule("size", |it| it.changes_text() && it.request.n_selected_lines > MAX_LOCAL_LINES, Cloud, "it is longer than what a local model keeps track of"),
    rule("language", |it| it.task == T::Document && it.language_is_unknown(), Cloud, "how this language is documented is not known here"),
];

const fn rule(
    name: &'static str,
    applies: fn(&Facts<'_>) -> bool,
    target: RouteTarget,
    because: &'static str,
) -> PolicyRule {
    PolicyRule { name, applies, target, because }
}

impl Facts<'_> {
    fn stays_local(&self) -> bool {
        self.read.best_target() == Local
    }

    fn local_is_unsure(&self) -> bool {
        self.request.local_confidence.is_some_and(|it| it < LOCAL_CONFIDENCE_BELOW)
    }

    /// Whether the answer takes the place of what was asked about. A rename is exact however far it
    /// reaches, because the language server makes it.
    fn changes_text(&self) -> bool {
        matches!(self.task, T::Refactor | T::Fix | T::Document | T::Translate | T::Other)
    }

    fn diagnostics_are_small(&self) -> bool {
        let all = self.request.diagnostics;
        let is_small = |message: &String| {
            let message = message.to_lowercase();
            SMALL_THINGS.iter().any(|it| message.contains(it))
        };
        (1..=MAX_SMALL_DIAGNOSTICS).contains(&all.len())
            && self.request.n_selected_lines <= MAX_SMALL_LINES
            && all.iter().all(is_small)
    }

    fn language_is_unknown(&self) -> bool {
        !self.request.language.is_empty() && Language::of_id(self.request.language).is_none()
    }
}

/// Decides. The same request gets the same decision.
pub fn decide(router: &RequestRouter, request: &RouteRequest<'_>) -> RouteDecision {
    let read = router.read(request.instruction);
    let read = match request.action {
        Some(task) => read.of_task(task),
        None => read,
    };
    let (task, task_confidence) = match request.action {
        Some(task) => (task, 1.0),
        None => read.best_task(),
    };
    // What was chosen by hand wins over what was only written.
    let choice = request.choice.or_else(|| chosen_target(request.instruction));
    let facts = Facts { request, task, choice, read };
    let found = RULES.iter().find(|it| (it.applies)(&facts));
    let (target, rule) = match found {
        Some(rule) => (rule.target, rule.name),
        None => (facts.read.best_target(), "request"),
    };
    let confidence = match rule {
        "private" | "choice" => 1.0,
        "request" => facts.read.of_target(target),
        // They go by the task, or by what the words say beside it.
        _ => task_confidence.max(facts.read.of_target(target)),
    };
    let asks = confidence < ASK_BELOW;
    let because = match found {
        Some(rule) => rule.because.to_owned(),
        None if request.action.is_some() => format!("you chose `{}`", task.name()),
        None => format!("it reads like `{}`", task.name()),
    };
    let reason = reason(&because, task, target, rule, asks);
    RouteDecision { task, target, asks, confidence, task_confidence, rule, reason }
}

/// The rule, then the three questions: how often, how constrained, may it leave.
fn reason(
    because: &str,
    task: RequestTask,
    target: RouteTarget,
    rule: &'static str,
    asks: bool,
) -> String {
    let row = task.row();
    let leaves = match (target, rule) {
        (Local, "private") => "nothing of a private workspace may leave",
        (Local, _) => "nothing has to leave this machine",
        (Cloud, _) => "the text may leave once you agree, without its secrets",
    };
    let unsure = if asks { "not sure, so you should say where: " } else { "" };
    format!(
        "{unsure}{because}; it runs {}, its answer is {}, and {leaves}",
        row.rate,
        row.form(target)
    )
}
