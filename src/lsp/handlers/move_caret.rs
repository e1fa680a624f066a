//! `keyside/didMoveCaret`: the caret rests at a place, and something may be typed there next.

use crate::completion::prefill;
use crate::lsp::ext::MoveCaretParams;
use crate::lsp::handlers::ask_at;
use crate::lsp::ingress::world;
use crate::lsp::proto;
use crate::lsp::server::Server;

/// Prepares for a completion there. A document that is not open is ignored, as notifications are.
pub async fn notice(server: &Server, params: MoveCaretParams) {
    let world = world();
    let Ok(document) = proto::document(&world, &params.text_document.uri.0) else { return };
    if document.lost {
        return;
    }
    let caret = proto::caret(&document, params.position, world.encoding);
    let ask = ask_at(server, &world, &document, document.rope.clone(), caret, false);
    prefill(&server.session.completer, ask).await;
}
