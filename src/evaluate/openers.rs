//! Lines that open a block whose lines are still to be written: how often something is shown behind
//! them, and how often it is right.

use ropey::Rope;
use serde::Serialize;

use crate::completion::{Completer, CompletionAsk, CompletionMode, OtherFiles, complete};
use crate::evaluate::cases::BlockSite;
use crate::evaluate::report::{Workspaces, share};

/// What was shown at the ends of lines that open a block.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Openers {
    pub n: usize,
    /// Share of them at which something was shown.
    pub shown: f64,
    /// Of what was shown, the share whose first line is the block's first line.
    pub first_line_right: f64,
    /// Of what was shown, the share that the block begins with.
    pub right_as_far_as_shown: f64,
}

/// Asks at the ends of the opening lines, as for a person who types.
///
/// # Errors
/// Those of the model.
pub fn opener_figures(
    sites: &[BlockSite],
    workspaces: &mut Workspaces,
    completer: &Completer,
    runtime: &tokio::runtime::Runtime,
) -> Result<Openers, String> {
    let (mut n_shown, mut n_first, mut n_right) = (0, 0, 0);
    for (number, site) in sites.iter().enumerate() {
        let rope = Rope::from_str(&format!("{}{}", site.before, site.after));
        let caret = site.before.chars().count();
        let ask = CompletionAsk::at(format!("opener:{number}"), site.path, rope, caret)
            .with_mode(CompletionMode::Fresh)
            .arriving(completer.next_arrival());
        let files = OtherFiles::Given(workspaces.without(site.package, site.file));
        let ask = CompletionAsk { files, ..ask };
        let completion = runtime.block_on(complete(completer, ask)).map_err(|it| it.to_string())?;
        let shown = completion.text.as_str();
        if shown.is_empty() {
            continue;
        }
        n_shown += 1;
        n_right += usize::from(site.block.starts_with(shown));
        n_first += usize::from(first_line(shown) == first_line(site.block));
    }
    Ok(Openers {
        n: sites.len(),
        shown: share(n_shown, sites.len()),
        first_line_right: share(n_first, n_shown),
        right_as_far_as_shown: share(n_right, n_shown),
    })
}

/// The first line that is not blank, without its indentation.
fn first_line(text: &str) -> Option<&str> {
    text.lines().map(str::trim).find(|it| !it.is_empty())
}
