//! `keyside correct` and `keyside forget`: what routing and labels should have said, kept in a file
//! of the data folder, and used from then on.

use std::path::PathBuf;

use clap::Args;

use crate::classify::labels::LabelSet;
use crate::cli::items::Lines;
use crate::cli::route::task_of;
use crate::cli::{setup, terminal};
use crate::corrections::{self, Correction, Forgotten, sorted_names};
use crate::route::task::UsualTarget;
use crate::route::{RequestTask, RouteRequest, RouteTarget, policy};

/// What `correct` takes.
#[derive(Debug, Args)]
pub struct CorrectArguments {
    /// The request or the text. Without it, lines of JSON are read from standard input:
    /// `{"text","task","target"}`, or `{"text","label"}` with --labels.
    pub text: Option<String>,
    /// What the request asks for, as `keyside route` names it.
    #[arg(long, value_name = "TASK", value_parser = task, conflicts_with = "labels")]
    pub task: Option<RequestTask>,
    /// Where the request goes: `local` or `cloud`.
    #[arg(long, value_name = "TARGET", value_parser = crate::cli::route::target,
        conflicts_with = "labels")]
    pub target: Option<RouteTarget>,
    /// The labels that `keyside classify` was given.
    #[arg(long, value_name = "A,B,C", value_parser = LabelSet::parse)]
    pub labels: Option<LabelSet>,
    /// The label that the text has.
    #[arg(long, value_name = "LABEL", requires = "labels", requires = "text")]
    pub label: Option<String>,
}

/// What `forget` takes.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct ForgetArguments {
    /// All that was said of this text.
    pub text: Option<String>,
    /// All corrections of these labels.
    #[arg(long, value_name = "A,B,C", value_parser = LabelSet::parse)]
    pub labels: Option<LabelSet>,
    /// All corrections of routing.
    #[arg(long)]
    pub routing: bool,
    /// All corrections.
    #[arg(long)]
    pub all: bool,
}

fn task(text: &str) -> Result<RequestTask, String> {
    task_of(text).map_err(|_| {
        let all: Vec<&str> = RequestTask::ALL.into_iter().map(RequestTask::name).collect();
        format!("write one of {}", all.join(", "))
    })
}

/// Keeps a correction, or those of standard input.
///
/// # Errors
/// One sentence: something is missing or no correction, or the file can't be written. Then nothing
/// is kept.
pub fn correct(arguments: &CorrectArguments) -> Result<(), String> {
    let path = file()?;
    let names = arguments.labels.as_ref().map(sorted_names);
    let Some(text) = &arguments.text else {
        let mut all = Vec::new();
        for line in Lines::new(std::io::stdin().lock()) {
            let line = line?;
            let bytes = line.bytes.map_err(ToOwned::to_owned);
            let correction = bytes.and_then(|it| Correction::of_line(&it, names.as_deref()));
            let number = line.number;
            all.push(correction.map_err(|what| {
                format!(
                    "line {number} {what}; nothing was kept, so correct it and give all lines again"
                )
            })?);
        }
        // Of the same text the last line holds.
        let mut kept: Vec<Correction> = Vec::new();
        for correction in all {
            kept.retain(|it| !correction.replaces(it));
            kept.push(correction);
        }
        corrections::add(&path, &kept)?;
        let n = kept.len();
        return terminal::print(&format!(
            "{n} correction{} kept in {}\n",
            if n == 1 { " is" } else { "s are" },
            path.display()
        ));
    };
    let sentence = |what: String| format!("the correction {what}");
    let correction = match (&names, &arguments.label) {
        (Some(names), Some(label)) => {
            Correction::label(text, label.trim(), names).map_err(sentence)?
        }
        (Some(_), None) => {
            return Err("say which of the labels it is, as in `--label bug`".to_owned());
        }
        (None, _) => {
            let (task, target) = routed(arguments, &path, text)?;
            Correction::request(text, task, target).map_err(sentence)?
        }
    };
    corrections::add(&path, std::slice::from_ref(&correction))?;
    let what = match &correction {
        Correction::Request(it) => format!("{}, {}", it.task.name(), it.target.name()),
        Correction::Label { label, .. } => label.clone(),
    };
    terminal::print(&format!("from now on this is {what}; kept in {}\n", path.display()))
}

/// Task and target, of which one may be missing.
fn routed(
    arguments: &CorrectArguments,
    path: &std::path::Path,
    text: &str,
) -> Result<(RequestTask, RouteTarget), String> {
    match (arguments.task, arguments.target) {
        (Some(task), Some(target)) => Ok((task, target)),
        (Some(task), None) => match task.row().target {
            UsualTarget::Always(target) => Ok((task, target)),
            UsualTarget::ByRequest => Err(format!(
                "some requests of {} stay local and some do not; say where this one goes, as in `--target local`",
                task.name()
            )),
        },
        (None, Some(target)) => {
            let (router, notes) = corrections::router(path)?;
            terminal::notes(&notes);
            let request = RouteRequest { instruction: text, ..RouteRequest::default() };
            Ok((policy::decide(&router, &request).task, target))
        }
        (None, None) => Err(
            "say what is right: `--task rename`, `--target local`, or `--labels bug,feature --label bug`"
                .to_owned(),
        ),
    }
}

/// Takes corrections out again.
///
/// # Errors
/// One sentence.
pub fn forget(arguments: &ForgetArguments) -> Result<(), String> {
    let path = file()?;
    let what = match arguments {
        ForgetArguments { text: Some(text), .. } => Forgotten::Text(text.clone()),
        ForgetArguments { labels: Some(labels), .. } => Forgotten::Labels(sorted_names(labels)),
        ForgetArguments { routing: true, .. } => Forgotten::Requests,
        ForgetArguments { .. } => Forgotten::All,
    };
    let n = corrections::forget(&path, &what)?;
    let s = if n == 1 { " is" } else { "s are" };
    terminal::print(&format!("{n} correction{s} forgotten\n"))
}

/// Where corrections are kept.
///
/// # Errors
/// One sentence, where there is no home folder.
pub(crate) fn file() -> Result<PathBuf, String> {
    Ok(setup::folders()?.corrections_file())
}
