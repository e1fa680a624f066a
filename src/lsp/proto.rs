//! Between the protocol's types and keyside's own.

use std::sync::Arc;

use serde_json::Value;
use tower_lsp::gen_lsp_types as lsp;
use tower_lsp::jsonrpc;

use crate::completion::Completion;
use crate::lsp::ext::{ACCEPTED_COMMAND, SuggestionParams};
use crate::text::position::{place, position_of};
use crate::text::{Change, Document, LinePosition, LineRange, PositionEncoding, World};

pub fn from_position(position: lsp::Position) -> LinePosition {
    LinePosition { line: position.line, column: position.character }
}

pub fn from_range(range: lsp::Range) -> LineRange {
    LineRange { start: from_position(range.start), end: from_position(range.end) }
}

/// A content change. Read by hand: the protocol's type is "one with a range, or else one without",
/// so a range that can't be read would pass for none, and replace the whole text.
pub fn from_change(change: &Value) -> Option<Change> {
    let text = change.get("text")?.as_str()?.to_owned();
    let range = match change.get("range") {
        None | Some(Value::Null) => None,
        Some(range) => Some(from_range(serde_json::from_value(range.clone()).ok()?)),
    };
    Some(Change { range, text })
}

pub fn to_encoding(encoding: PositionEncoding) -> lsp::PositionEncodingKind {
    match encoding {
        PositionEncoding::Utf8 => lsp::PositionEncodingKind::UTF8,
        PositionEncoding::Utf16 => lsp::PositionEncodingKind::UTF16,
        PositionEncoding::Utf32 => lsp::PositionEncodingKind::UTF32,
    }
}

/// The character index of a position in a document.
pub fn caret(document: &Document, position: lsp::Position, encoding: PositionEncoding) -> usize {
    place(&document.rope, from_position(position), encoding).char_index
}

/// A range of characters on one line of a document.
pub fn to_range(
    document: &Document,
    start: usize,
    end: usize,
    encoding: PositionEncoding,
) -> lsp::Range {
    let to_position = |index| {
        let at = position_of(&document.rope, index, encoding);
        lsp::Position { line: at.line, character: at.column }
    };
    lsp::Range { start: to_position(start), end: to_position(end) }
}

/// The command that a client sends when a suggestion is accepted; `index` tells which of several.
pub fn accepted_command(completion: &Completion, index: usize) -> lsp::Command {
    let suggestion = SuggestionParams { id: completion.id, index };
    lsp::Command {
        title: "Tell keyside that the suggestion was accepted".to_owned(),
        tooltip: None,
        command: ACCEPTED_COMMAND.to_owned(),
        arguments: Some(suggestion.to_arguments()),
    }
}

/// The document that a request is about.
///
/// # Errors
/// It is not open.
pub fn document(world: &World, uri: &str) -> jsonrpc::Result<Arc<Document>> {
    let sentence = || format!("{uri} is not open; send textDocument/didOpen first");
    world.document(uri).ok_or_else(|| jsonrpc::Error::invalid_params(sentence()))
}
