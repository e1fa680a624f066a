//! What routing says of a question in a person's own words, before it is asked of a cloud model.
//! That they run the command is their choice, which routing does not undo; it says what it thinks.

use std::path::Path;
use std::sync::Arc;

use crate::assistant::CloudRequest;
use crate::assistant::actions::Action;
use crate::assistant::cloud::Cloud;
use crate::corrections;
use crate::route::words::chosen_target;
use crate::route::{RouteRequest, RouteTarget, policy};

/// # Errors
/// The question itself says that nothing shall be sent: whatever was agreed to before, then nothing
/// is.
pub(crate) fn may_leave(asked: &CloudRequest) -> Result<(), String> {
    match chosen_target(&asked.question) {
        Some(RouteTarget::Local) => Err(format!(
            "nothing was sent, because your question says that it stays here; leave that out to ask {}",
            asked.model
        )),
        _ => Ok(()),
    }
}

/// A sentence for the question that a person is asked, where this needs no cloud model; else empty.
pub(crate) async fn note(cloud: &Cloud, asked: &Arc<CloudRequest>) -> String {
    if asked.action != Action::Ask {
        return String::new();
    }
    let (asked, file) = (Arc::clone(asked), cloud.corrections_file());
    // The first one fits the head, which takes a second.
    let work = tokio::task::spawn_blocking(move || note_of(&asked, &file));
    work.await.unwrap_or_default()
}

fn note_of(asked: &CloudRequest, corrections_file: &Path) -> String {
    // A file that can't be read is said by the commands that write it.
    let Ok((router, _)) = corrections::router(corrections_file) else { return String::new() };
    let diagnostics: Vec<String> = asked.diagnostics.iter().map(|it| it.1.clone()).collect();
    let chars = asked.selection.clone();
    let line_of = |at: usize| asked.rope.char_to_line(at.min(asked.rope.len_chars()));
    let request = RouteRequest {
        instruction: &asked.question,
        language: &asked.language_id,
        n_selected_lines: line_of(chars.end) - line_of(chars.start),
        diagnostics: &diagnostics,
        n_files: 1,
        ..RouteRequest::default()
    };
    let decision = policy::decide(&router, &request);
    match decision.target {
        RouteTarget::Local if !decision.asks => {
            format!(" This may need no cloud model: {}.", decision.reason)
        }
        _ => String::new(),
    }
}
