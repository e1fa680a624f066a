//! The tokens of documents that were completed in lately, kept while they are typed in.

use std::sync::Arc;

use ropey::Rope;

use crate::adapt::document::{DocumentLines, DocumentText};
use crate::generation::{Token, Tokenizer};

/// How many documents are kept: some 100 KB of tokens each.
const MAX_DOCUMENTS: usize = 16;

/// See the module.
#[derive(Debug, Default)]
pub struct RecentDocuments {
    /// The latest last.
    documents: Vec<(Arc<str>, DocumentLines)>,
}

impl RecentDocuments {
    /// The document's tokens around the caret's line as they are now.
    pub fn around(
        &mut self,
        uri: &Arc<str>,
        rope: &Rope,
        caret: usize,
        end: Token,
        tokenizer: &dyn Tokenizer,
    ) -> DocumentText {
        let kept = self.documents.iter().position(|(it, _)| it == uri);
        let mut document = match kept {
            Some(at) => self.documents.remove(at),
            None => (Arc::clone(uri), DocumentLines::default()),
        };
        let text = document.1.around(rope, caret, end, tokenizer);
        if self.documents.len() >= MAX_DOCUMENTS {
            self.documents.remove(0);
        }
        self.documents.push(document);
        text
    }
}
