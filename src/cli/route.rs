//! `keyside route`: what a request asks for, and whether it stays on this machine. Decides, and
//! sends nothing.

pub mod items;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;

use crate::cli::items::Lines;
use crate::cli::items::progress::ItemProgress;
use crate::cli::items::stream::Faults;
use crate::cli::route::items::RouteItem;
use crate::cli::{correct, setup, terminal};
use crate::config::consent::Consents;
use crate::corrections;
use crate::files;
use crate::route::{RequestRouter, RequestTask, RouteRequest, RouteTarget, policy};
use crate::stdx::milliseconds;

/// What `route` takes.
#[derive(Debug, Args)]
pub struct RouteArguments {
    /// A request, as you would word it; without it, lines of JSON are read from standard input:
    /// `{"id","instruction","language","selection","diagnostics","files"}`.
    pub request: Option<String>,
    /// Where requests shall go, whatever they are: `local` or `cloud`.
    #[arg(long, value_name = "TARGET", value_parser = target)]
    pub choose: Option<RouteTarget>,
    /// The workspace that requests are about; a private one is never routed to the cloud.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub workspace: PathBuf,
    /// Print JSON, also for one request.
    #[arg(long)]
    pub json: bool,
    /// Stop at the first line that is not usable, and fail.
    #[arg(long)]
    pub strict: bool,
}

pub(crate) fn target(text: &str) -> Result<RouteTarget, String> {
    RouteTarget::of_name(text).ok_or_else(|| "write `local` or `cloud`".to_owned())
}

/// Routes the request of the command line, or those of standard input, a line of JSON each.
///
/// # Errors
/// One sentence: the request is empty, what was corrected can't be read, the answers can't be
/// written, or a line is not usable and `--strict` was given.
pub fn run(arguments: &RouteArguments) -> Result<(), String> {
    let privacy = Privacy::of(&arguments.workspace)?;
    if let Some(request) = &arguments.request {
        return route_one(arguments, &privacy, request);
    }
    let router = router()?;
    let mut faults = Faults::new(arguments.strict);
    let mut progress = ItemProgress::start();
    let mut n_answered = 0;
    for line in Lines::new(std::io::stdin().lock()) {
        let line = line?;
        progress.read(line.n_bytes);
        let started = Instant::now();
        match RouteItem::of(&line) {
            Ok(item) => {
                let is_private = privacy.is_private(item.files());
                let request = item.request(arguments.choose, is_private);
                let decision = policy::decide(&router, &request);
                let ms = milliseconds(started.elapsed());
                terminal::print_json(&items::answer(&item.id, &decision, ms))?;
                n_answered += 1;
            }
            Err(fault) => {
                faults.meet(&fault.sentence)?;
                terminal::print_json(&fault.answer())?;
            }
        }
        progress.show(n_answered);
    }
    progress.end();
    faults.say_how_many();
    Ok(())
}

fn route_one(
    arguments: &RouteArguments,
    privacy: &Privacy,
    instruction: &str,
) -> Result<(), String> {
    if instruction.trim().is_empty() {
        return Err("the request is empty; write it in your own words, as in `keyside route \"explain this function\"`".to_owned());
    }
    let router = router()?;
    let started = Instant::now();
    let request = RouteRequest {
        instruction,
        choice: arguments.choose,
        is_private: privacy.is_private(&[]),
        ..RouteRequest::default()
    };
    let decision = policy::decide(&router, &request);
    if arguments.json {
        let ms = milliseconds(started.elapsed());
        return terminal::print_json(&items::answer(&items::null(), &decision, ms));
    }
    let percent = |it: f64| (it * 100.0).round();
    terminal::print(&format!(
        "{} ({}%): {} ({}%)\n{}\n",
        decision.target.name(),
        percent(decision.confidence),
        decision.task.name(),
        percent(decision.task_confidence),
        decision.reason
    ))
}

/// With what was corrected.
fn router() -> Result<Arc<RequestRouter>, String> {
    let (router, notes) = corrections::router(&correct::file()?)?;
    terminal::notes(&notes);
    Ok(router)
}

/// Of which places a person said that nothing is sent: `keyside cloud deny`, and *Never for this
/// workspace*.
#[derive(Debug)]
struct Privacy {
    consents: Consents,
    workspace: PathBuf,
}

impl Privacy {
    fn of(workspace: &std::path::Path) -> Result<Self, String> {
        let folders = setup::folders()?;
        let consents = Consents::read(&folders.consent_file())?;
        let here = std::path::absolute(workspace)
            .map_err(|error| format!("{} is no folder ({error})", workspace.display()))?;
        Ok(Self { consents, workspace: files::real_path(&here) })
    }

    /// Of the workspace, or of a file that the request is about.
    fn is_private(&self, files: &[String]) -> bool {
        let is_private = |place: &std::path::Path| self.consents.is_private(place);
        is_private(&self.workspace)
            || files.iter().any(|it| {
                let file = self.workspace.join(it);
                files::names_of(&file).iter().any(|it| is_private(it))
            })
    }
}

/// What a task is called on a line of JSON.
pub(crate) fn task_of(name: &str) -> Result<RequestTask, String> {
    RequestTask::of_name(name).ok_or_else(|| {
        let all: Vec<&str> = RequestTask::ALL.into_iter().map(RequestTask::name).collect();
        format!("has an action that is none of {}", all.join(", "))
    })
}
