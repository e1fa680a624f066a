//! The tokens of the other documents that are open, kept until they change.

use std::sync::Arc;

use crate::adapt::document::text_tokens;
use crate::adapt::index::BORDER;
use crate::generation::{Token, Tokenizer};
use crate::text::Document;

/// How many documents are looked at.
pub const MAX_DOCUMENTS: usize = 16;
/// How much of a document is counted, in characters from its beginning: some 7 ms to tokenise, once.
pub const MAX_CHARS: usize = 20_000;
/// How many tokens all together: looking through them takes some 30 microseconds at each token.
pub const MAX_TOKENS: usize = 100_000;

/// See the module.
#[derive(Debug, Default)]
pub struct OtherDocuments {
    kept: Vec<(Arc<Document>, Vec<Token>)>,
    joined: Arc<Vec<Token>>,
}

impl OtherDocuments {
    /// The tokens of these documents, line by line as [`text_tokens`] makes them, the first ones first.
    /// Of those that are new or have changed, one is tokenised at each call, so that no key waits for
    /// all of them. `harmless` takes out of a text what must not be said elsewhere.
    pub fn tokens(
        &mut self,
        documents: &[Arc<Document>],
        end: Token,
        tokenizer: &dyn Tokenizer,
        harmless: impl Fn(&Document, &str) -> String,
    ) -> Arc<Vec<Token>> {
        let n_kept = self.kept.len();
        self.kept.retain(|(kept, _)| documents.iter().any(|it| Arc::ptr_eq(it, kept)));
        let mut changed = self.kept.len() != n_kept;
        let place = |kept: &[(Arc<Document>, Vec<Token>)], document: &Arc<Document>| {
            kept.iter().position(|(it, _)| Arc::ptr_eq(it, document))
        };
        // What stands behind as many tokens as are looked at is not needed.
        let mut room = MAX_TOKENS;
        for document in documents {
            if room == 0 {
                break;
            }
            match place(&self.kept, document) {
                Some(at) => room = room.saturating_sub(self.kept[at].1.len()),
                None => {
                    let n_chars = document.rope.len_chars().min(MAX_CHARS);
                    let text = harmless(document, &document.rope.slice(..n_chars).to_string());
                    let tokens = text_tokens(&text, end, tokenizer);
                    self.kept.push((Arc::clone(document), tokens));
                    changed = true;
                    break;
                }
            }
        }
        if changed {
            let mut joined: Vec<Token> = Vec::new();
            for tokens in documents.iter().filter_map(|it| place(&self.kept, it)) {
                let tokens = &self.kept[tokens].1;
                let room = MAX_TOKENS.saturating_sub(joined.len());
                joined.extend(&tokens[..tokens.len().min(room)]);
                joined.push(BORDER);
            }
            self.joined = Arc::new(joined);
        }
        Arc::clone(&self.joined)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::document::tests::Bytes;

    fn document(text: &str) -> Arc<Document> {
        Arc::new(Document::new("file:///a", "rust", Some(1), text))
    }

    #[test]
    fn one_document_a_call_and_changed_ones_anew() {
        let mut others = OtherDocuments::default();
        let mut shown = |documents: &[Arc<Document>]| {
            let tokens = others.tokens(documents, 0, &Bytes, |_, text| text.replace('!', ""));
            let chars = tokens.iter().map(|it| match *it {
                BORDER => '#',
                0 => '|',
                other => other as u8 as char,
            });
            chars.collect::<String>()
        };
        let (a, b) = (document("a\n\n"), document("b!\n!c"));
        assert_eq!(shown(&[Arc::clone(&a), Arc::clone(&b)]), "a|#");
        assert_eq!(shown(&[Arc::clone(&a), Arc::clone(&b)]), "a|#b|c|#");
        // Changed: the document is another one.
        let a = document("new");
        assert_eq!(shown(&[a, Arc::clone(&b)]), "new|#b|c|#");
        assert_eq!(shown(&[b]), "b|c|#");
        assert_eq!(shown(&[]), "");
    }
}
