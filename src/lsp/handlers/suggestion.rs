//! What the client reports of suggestions: `keyside/didShow`, `keyside/didAccept`,
//! `keyside/didPartiallyAccept`, `keyside/didReject`. Taken in wire order, by the ingress.

use serde::Deserialize;
use serde_json::Value;

use crate::assist::Session;
use crate::assist::suggested::AcceptedPart;
use crate::lsp::ext::{self, AcceptedUnit, PartParams, SuggestionParams};

/// Counts what happened. One that can't be read is passed over, as notifications are.
pub fn notice(session: &Session, method: &str, params: &Value) {
    if method == ext::DID_PARTIALLY_ACCEPT {
        let Ok(PartParams { suggestion, unit, length }) = PartParams::deserialize(params) else {
            return;
        };
        let part = match unit {
            AcceptedUnit::Word => AcceptedPart::Word,
            AcceptedUnit::Line => AcceptedPart::Line,
        };
        return session.note_part_accepted(suggestion.id, suggestion.index, part, length);
    }
    let Ok(SuggestionParams { id, index }) = SuggestionParams::deserialize(params) else { return };
    match method {
        ext::DID_SHOW => session.note_displayed(id),
        ext::DID_ACCEPT => session.note_accepted(id, index),
        ext::DID_REJECT => session.note_rejected(id),
        _ => {}
    }
}
