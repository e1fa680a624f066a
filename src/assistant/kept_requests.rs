//! Requests that could not be sent: kept on the disk if the settings say so, and sent later by a
//! command.

use std::path::{Path, PathBuf};

use tokio::sync::watch;

use crate::assistant::actions::Action;
use crate::assistant::cloud::Cloud;
use crate::assistant::editor_ui::EditorUi;
use crate::assistant::present::with_note;
use crate::assistant::settle::{Sending, reserve_and_send};
use crate::assistant::shown_files::write_private;
use crate::assistant::stream::{Ended, Received};
use crate::config::consent::Standing;
use crate::files;
use crate::ledger::{WorkspaceHash, unix_ms};
use crate::remote::outbound::Kept;
use crate::workspace::rules;

/// A body with all of it escaped, and what is kept beside it.
const MAX_KEPT_BYTES: u64 = 64 << 20;

/// Keeps a request.
///
/// # Errors
/// One sentence.
pub(crate) fn keep(cloud: &Cloud, kept: &Kept) -> Result<(), String> {
    let file = cloud.unsent_folder().join(format!("{}-{}.json", unix_ms(), kept.action));
    let text = serde_json::to_string(kept)
        .map_err(|error| format!("the request can't be kept ({error})"))?;
    write_private(&file, &text)
}

/// The files of requests that were kept, the oldest first.
pub fn kept(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|it| it.path())
        .filter(|it| it.extension().is_some_and(|it| it == "json"))
        .collect();
    files.sort();
    files
}

/// Sends one of them, and returns the answer. The command that a person gives is their consent, to
/// the bytes that they agreed to before.
///
/// # Errors
/// One sentence; then the request is still kept, unless it may have been charged for.
pub async fn retry<F: EditorUi>(cloud: &Cloud, file: &Path, front: &F) -> Result<String, String> {
    let bytes = files::read(file, MAX_KEPT_BYTES)
        .map_err(|error| format!("{} can't be read ({error})", file.display()))?;
    let kept: Kept = serde_json::from_slice(&bytes)
        .map_err(|_| format!("{} is no request that keyside kept; remove it", file.display()))?;
    let action = Action::of_name(&kept.action)
        .ok_or_else(|| format!("{} asks for something unknown; remove it", file.display()))?;
    let provider = cloud.config().providers.iter().find(|it| it.name == kept.provider);
    let provider = provider
        .ok_or_else(|| format!("the settings have no provider {} any more", kept.provider))?;
    let (workspace, files) = (kept.workspace.clone(), kept.files.clone());
    // What was said, and what is left out, since then.
    let folders: Vec<PathBuf> = workspace.iter().cloned().collect();
    let mut workspaces: Vec<PathBuf> = files
        .iter()
        .flat_map(|it| rules::workspaces_of(&folders, it))
        .chain(folders.clone())
        .collect();
    workspaces.sort();
    workspaces.dedup();
    let fence = rules::fence_of(&workspaces, &files, &cloud.config().never_send)?;
    if let Some((file, who)) = files.iter().find_map(|it| Some((it, fence.stops_file(it)?))) {
        return Err(format!("nothing of {} is sent: {who} leaves it out", file.display()));
    }
    let prepared = kept.prepared(provider)?;
    if prepared.standing(&cloud.consents()?, &workspaces) == Some(Standing::Never) {
        return Err(
            "nothing of its workspace is sent, as you said; `keyside cloud allow` takes that back"
                .to_owned(),
        );
    }
    let (sha256, host, model) =
        (prepared.sha256(), prepared.host().to_owned(), prepared.model().to_owned());
    let name = provider.name.clone();
    let of = workspace.clone().unwrap_or_default();
    let of = WorkspaceHash::of(&of.to_string_lossy());
    let is_known = cloud.with_ledger(move |ledger, _| {
        let to = (name.as_str(), host.as_str(), model.as_str());
        ledger.has_payload(&sha256, of, to).map_err(|fault| fault.to_string())
    });
    if !is_known.await? {
        return Err("the ledger knows of no such request that was agreed to; ask again in the editor, and remove the file".to_owned());
    }
    let outbound = prepared.agreed_by_a_person();
    // Only whoever has it under this name sends it; a program that dies while it does leaves it so.
    let claimed = file.with_extension("sending");
    std::fs::rename(file, &claimed)
        .map_err(|error| format!("another program sends it, or it is gone ({error})"))?;
    let (_never, cancelled) = watch::channel(false);
    let sending = Sending {
        cloud,
        action,
        title: action.name(),
        shows_text: true,
        outbound: &outbound,
        workspace: workspace.as_deref(),
    };
    let sent = reserve_and_send(&sending, front, cancelled).await;
    // What may have been charged for is not sent again by itself.
    let _ = if sent.as_ref().is_ok_and(Received::may_cost) {
        std::fs::remove_file(&claimed)
    } else {
        std::fs::rename(&claimed, file)
    };
    let received = sent?;
    let text = with_note(outbound.request(), &received.text);
    match received.ended {
        Ended::Whole => Ok(text),
        Ended::Short(lack) => Ok(format!("{text}\n\n({lack})")),
        Ended::Failed(failure) if text.is_empty() => Err(failure.sentence),
        Ended::Failed(failure) => Ok(format!("{text}\n\n({})", failure.sentence)),
        Ended::Cancelled => Err("the broker ended; try again".to_owned()),
    }
}
