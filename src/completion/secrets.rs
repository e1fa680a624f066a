//! What one file holds in confidence is not said in another: which texts tell how a document goes
//! on, and which suggestions are kept back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::completion::ask::CompletionAsk;
use crate::privacy::elsewhere::secrets_within;
use crate::prompt::excerpt::Excerpt;
use crate::prompt::finish::{Dropped, Suggestion};
use crate::text::Document;
use crate::text::uri::percent_decoded;
use crate::workspace::Workspace;

/// Lines before the caret's that a rule may look at: a name may stand above its value.
const LINES_ABOVE: usize = 2;
/// Of each of them, and of the caret's line, the last bytes.
const LINE_BYTES: usize = 256;

/// Takes the documents off the list whose files hold secrets or are left out by an ignore file.
pub(crate) async fn leave_out(workspace: &Workspace, ask: &mut CompletionAsk) {
    let places: Vec<Option<Arc<Path>>> = ask.others.iter().map(place_of).collect();
    let files: Vec<Arc<Path>> = places.iter().flatten().cloned().collect();
    let mut may_tell = workspace.may_tell(&files).await.into_iter();
    let mut places = places.into_iter();
    ask.others.retain(|_| match places.next() {
        Some(Some(_)) => may_tell.next().unwrap_or(false),
        _ => true,
    });
}

/// Where a document lies, or is going to (`untitled:/home/me/.env`); `None` for one without a
/// place.
fn place_of(document: &Arc<Document>) -> Option<Arc<Path>> {
    document.file.clone().or_else(|| {
        let (_, path) = document.uri.split_once(':')?;
        let path = percent_decoded(path.split(['?', '#']).next().unwrap_or_default());
        Some(PathBuf::from(path)).filter(|it| it.is_absolute()).map(Arc::from)
    })
}

/// Of suggestions those that may be shown.
///
/// # Errors
/// Where there were some and each is kept back: why.
pub(crate) fn without(
    ask: &CompletionAsk,
    excerpt: &Excerpt,
    mut items: Vec<Suggestion>,
) -> Result<Vec<Suggestion>, Dropped> {
    let n_items = items.len();
    items.retain(|it| may_be_shown(ask, excerpt, it));
    if items.is_empty() && n_items > 0 { Err(Dropped::HoldsSecret) } else { Ok(items) }
}

/// Whether a suggestion holds no secret, or one that stands in the same document already, and a
/// person has asked.
fn may_be_shown(ask: &CompletionAsk, excerpt: &Excerpt, suggestion: &Suggestion) -> bool {
    let first = excerpt.lines_before.len().saturating_sub(LINES_ABOVE);
    let mut text = String::with_capacity(1_024);
    for line in &excerpt.lines_before[first..] {
        text.push_str(last_bytes(line));
    }
    text.push_str(last_bytes(&excerpt.line_before));
    let start = text.len();
    text.push_str(&suggestion.text);
    let range = start..text.len();
    text.push_str(rest_of_line(excerpt, suggestion));
    let path = Some(&*ask.path).filter(|it| !it.is_empty());
    let secrets = secrets_within(&text, &range, path);
    // Rare, so a search of the whole text is affordable.
    secrets.is_empty() || (ask.mode.is_explicit() && holds_all(&ask.rope.to_string(), &secrets))
}

fn holds_all(text: &str, secrets: &[&str]) -> bool {
    secrets.iter().all(|it| text.contains(it))
}

fn rest_of_line<'a>(excerpt: &'a Excerpt, suggestion: &Suggestion) -> &'a str {
    let rest = &excerpt.line_after;
    let at = rest.char_indices().nth(suggestion.replaced_after).map_or(rest.len(), |(at, _)| at);
    let rest = &rest[at..];
    let end = (0..=LINE_BYTES.min(rest.len())).rev().find(|at| rest.is_char_boundary(*at));
    &rest[..end.unwrap_or(0)]
}

fn last_bytes(line: &str) -> &str {
    let least = line.len().saturating_sub(LINE_BYTES);
    let start = (least..=line.len()).find(|at| line.is_char_boundary(*at));
    &line[start.unwrap_or(line.len())..]
}
