//! One file a request: convert, call one function, convert back.

pub mod classify;
pub mod code_action;
pub mod completion;
pub mod document;
pub mod execute_command;
pub mod files;
pub mod inline_completion;
pub mod move_caret;
pub mod stats;
pub mod suggestion;

use std::sync::Arc;

use tower_lsp::gen_lsp_types as lsp;
use tower_lsp::jsonrpc::{Error, Result};

use crate::completion::complete::complete as answer;
use crate::completion::{Completion, CompletionAsk, CompletionMode, OtherFiles};
use crate::lm::TaskError;
use crate::lsp::server::Server;
use crate::retrieval::datastore::MAX_OPEN_DOCUMENTS;
use crate::text::{Document, World};

/// What is asked at a caret of a document of the request's world.
fn ask_at(
    server: &Server,
    world: &World,
    document: &Arc<Document>,
    rope: ropey::Rope,
    caret: usize,
    explicit: bool,
) -> CompletionAsk {
    let mode = if explicit { CompletionMode::Explicit } else { CompletionMode::Typing };
    let ask = CompletionAsk::at(Arc::clone(&document.uri), server.path_of(document), rope, caret)
        .with_mode(mode)
        .arriving(world.arrival);
    CompletionAsk {
        language_id: Arc::clone(&document.language_id),
        is_deleting: document.deleted_at == Some(caret),
        others: world.others(document, MAX_OPEN_DOCUMENTS),
        files: match document.file.clone() {
            Some(file) => OtherFiles::Workspace { file, open: world.open_files().collect() },
            None => OtherFiles::None,
        },
        ..ask
    }
}

/// Completes in a document. `None`: nothing to show.
async fn complete(
    server: &Server,
    document: &Document,
    ask: CompletionAsk,
) -> Result<Option<Completion>> {
    if document.lost {
        // Suggestions would be about a text that is not there; the client heard when it was lost.
        return Ok(None);
    }
    let caret = ask.caret;
    match answer(&server.session.completer, ask).await {
        Ok(completion) if completion.text.is_empty() => Ok(None),
        Ok(completion) => {
            let is_shown = !server.profile().editor.reports_suggestions;
            server.session.completer.note_answered(&document.key, caret, &completion, is_shown);
            Ok(Some(completion))
        }
        // A superseded request gets a proper empty answer: its client has asked again already, and
        // an error would fill the log of clients that do not cancel (Neovim). A model that
        // has failed is in `keyside/status`, and not an error at each key.
        Err(TaskError::Cancelled) => Err(Error::request_cancelled()),
        Err(_) => Ok(None),
    }
}

fn is_explicit(kind: &lsp::InlineCompletionTriggerKind) -> bool {
    *kind == lsp::InlineCompletionTriggerKind::Invoked
}
