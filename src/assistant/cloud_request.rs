//! What a person asks of a cloud model: one question, about one place of one document.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use ropey::Rope;

use crate::assistant::actions::{Action, Quoted};
use crate::assistant::apply::Edit;
use crate::text::position::position_of;
use crate::text::{Document, LineRange, PositionEncoding};

/// One question, about one place of one document as it was at one version.
#[derive(Debug, Clone)]
pub struct CloudRequest {
    pub action: Action,
    /// Who is asked, for titles.
    pub model: String,
    pub uri: String,
    pub version: i32,
    pub language_id: String,
    /// The document's path as a model should see it.
    pub name: String,
    /// `None`: it is no file.
    pub file: Option<PathBuf>,
    pub rope: Rope,
    /// In characters; empty for a caret.
    pub selection: Range<usize>,
    pub encoding: PositionEncoding,
    /// Lines from 1 and messages of other language servers.
    pub diagnostics: Vec<(usize, String)>,
    pub question: String,
    /// The workspace's folders, as the editor has them open.
    pub folders: Vec<PathBuf>,
    /// Other open documents in the language, the nearest first.
    pub others: Vec<Arc<Document>>,
}

impl CloudRequest {
    /// For progress, windows and undo.
    pub fn title(&self) -> String {
        format!("{} ({})", self.action.short_title(), self.model)
    }

    /// The document.
    pub fn text(&self) -> String {
        self.rope.to_string()
    }

    /// Edits of a document as the editor counts.
    pub fn line_edits(&self, rope: &Rope, edits: &[Edit]) -> Vec<(LineRange, String)> {
        let place = |byte: usize| position_of(rope, rope.byte_to_char(byte), self.encoding);
        let range =
            |edit: &Edit| LineRange { start: place(edit.range.start), end: place(edit.range.end) };
        edits.iter().map(|edit| (range(edit), edit.text.clone())).collect()
    }

    fn line_of(&self, byte: usize) -> usize {
        self.rope.byte_to_line(byte) + 1
    }

    pub(super) fn quoted(&self, text: &str, range: &Range<usize>) -> Quoted {
        let last = range.end.saturating_sub(1).max(range.start);
        Quoted {
            file: self.file.clone(),
            name: self.name.clone(),
            lines: self.line_of(range.start)..self.line_of(last) + 1,
            text: text[range.clone()].to_owned(),
        }
    }
}
