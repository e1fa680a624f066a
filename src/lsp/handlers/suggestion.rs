//! What the client reports of suggestions: `keyside/didShow`, `keyside/didAccept`,
//! `keyside/didPartiallyAccept`, `keyside/didReject`. Taken in wire order, by the ingress.

use serde::Deserialize;
use serde_json::Value;

use crate::completion::Completer;
use crate::lsp::ext::{self, PartParams, SuggestionParams};

/// Counts what happened. One that can't be read is passed over, as notifications are.
pub fn notice(completer: &Completer, method: &str, params: &Value) {
    if method == ext::DID_PARTIALLY_ACCEPT {
        let Ok(PartParams { suggestion, unit, length }) = PartParams::deserialize(params) else {
            return;
        };
        return completer.note_part_accepted(suggestion.id, suggestion.index, unit, length);
    }
    let Ok(SuggestionParams { id, index }) = SuggestionParams::deserialize(params) else { return };
    match method {
        ext::DID_SHOW => completer.note_displayed(id),
        ext::DID_ACCEPT => completer.note_accepted(id, index),
        ext::DID_REJECT => completer.note_rejected(id),
        _ => {}
    }
}
