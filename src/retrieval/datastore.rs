//! The datastore: the user's texts as tokens, the document that is typed in, recent ones, and the
//! others that are open.
//!
//! A text is kept as the lines that a model would generate: each line's own tokens and an end
//! token. In running text the tokenizer merges a line's end into what stands before it, and a
//! generated line ends in the end token instead; retrieving from running text made suggestions
//! worse, although it predicted the next token better.

use std::sync::Arc;

use ropey::Rope;

use crate::lm::{Token, Tokenizer};
use crate::retrieval::suffix_array::{IndexView, SEPARATOR};
use crate::text::Document;
use crate::text::lines::lines_of;

/// How much of the document is kept: characters before the caret's line and after it.
const MAX_DOCUMENT_CHARS: [usize; 2] = [32_768, 16_384];
/// Where the start is cut, it is cut at multiples of this many lines.
const LINE_STEP: usize = 64;
/// Longer lines are data.
const MAX_LINE_BYTES: usize = 400;
/// How many documents stay tokenized: some 100 KB of tokens each.
const MAX_RECENT_DOCUMENTS: usize = 16;
/// How many other open documents are looked at.
pub const MAX_OPEN_DOCUMENTS: usize = 16;
/// How much of another document is kept, in characters from its start: some 7 ms to tokenize, once.
pub const MAX_OPEN_DOCUMENT_CHARS: usize = 20_000;
/// How many tokens of all other documents: a scan of them takes some 30 microseconds at each token.
pub const MAX_OPEN_TOKENS: usize = 100_000;

/// The texts beside the document.
#[derive(Debug, Clone, Default)]
pub struct RelatedTexts {
    /// Of the other documents that are open.
    pub open_documents: Arc<Vec<Token>>,
    /// Of the workspace's files, without those that are open.
    pub workspace_files: IndexView,
}

/// The tokens of a document around a caret's line, without that line.
#[derive(Debug, Clone, Default)]
pub struct DocumentTokens {
    pub tokens: Arc<Vec<Token>>,
    /// How many of `tokens` stand before the caret's line.
    pub n_before: usize,
}

/// Keeps a document's tokens while it is typed in: only lines that have changed are tokenized
/// again.
#[derive(Debug, Default)]
pub struct IncrementalTokens {
    /// The lines that were looked at last, the caret's as a blank one.
    text: String,
    /// Where each of them ends.
    ends: Vec<LineEnd>,
    tokens: Arc<Vec<Token>>,
}

#[derive(Debug, Clone, Copy)]
struct LineEnd {
    /// In the text.
    byte: usize,
    /// In the tokens.
    token: usize,
}

impl IncrementalTokens {
    /// The tokens of the lines around `caret` as they are now.
    pub fn around(
        &mut self,
        rope: &Rope,
        caret: usize,
        end: Token,
        tokenizer: &dyn Tokenizer,
    ) -> DocumentTokens {
        let caret_line = rope.char_to_line(caret.min(rope.len_chars()));
        let caret_line_start = rope.line_to_char(caret_line);
        let from = caret_line_start.saturating_sub(MAX_DOCUMENT_CHARS[0]);
        let first = match from {
            0 => 0,
            // In steps, so that the beginning does not move on with each line that is typed.
            _ => (rope.char_to_line(from) + 1).next_multiple_of(LINE_STEP).min(caret_line),
        };
        let after = rope.line_to_char((caret_line + 1).min(rope.len_lines()));
        let until = (after + MAX_DOCUMENT_CHARS[1]).min(rope.len_chars());
        let last = if until == rope.len_chars() {
            until
        } else {
            rope.line_to_char(rope.char_to_line(until)).max(after)
        };
        let mut text = String::with_capacity(self.text.len() + 256);
        text.extend(rope.slice(rope.line_to_char(first)..caret_line_start).chunks());
        // Stands for the caret's line, so that no line break of two characters comes of the two
        // parts.
        text.push('\n');
        let n_bytes_before = text.len();
        text.extend(rope.slice(after..last).chunks());
        if text != self.text {
            self.replace(text, end, tokenizer);
        }
        let n_lines_before = self.ends.partition_point(|it| it.byte <= n_bytes_before);
        let n_before = n_lines_before.checked_sub(1).map_or(0, |it| self.ends[it].token);
        DocumentTokens { tokens: Arc::clone(&self.tokens), n_before }
    }

    /// Takes another text, and tokenizes those of its lines that are not the old one's first or
    /// last ones.
    fn replace(&mut self, text: String, end: Token, tokenizer: &dyn Tokenizer) {
        let (old, new) = (self.text.as_bytes(), text.as_bytes());
        let is_break = |it: Option<&u8>| it.is_none_or(|it| matches!(it, b'\n' | b'\r'));
        let n_same = common_prefix(old, new);
        // The last line may have no end of its own, and go on now.
        let whole = self.ends.len() - usize::from(!is_break(old.last()));
        let n_first = self.ends[..whole].partition_point(|it| it.byte <= n_same);
        let at = |line: usize| match line.checked_sub(1) {
            Some(line) => self.ends[line],
            None => LineEnd { byte: 0, token: 0 },
        };
        let first = at(n_first);
        let n_same = common_suffix(&old[first.byte..], &new[first.byte..]);
        // Lines by their beginnings, of which each is the end of the one before.
        let mut n_kept_before = n_first
            + self.ends[n_first..].partition_point(|it| it.byte < old.len() - n_same)
            + usize::from(first.byte < old.len() - n_same);
        n_kept_before = n_kept_before.min(self.ends.len());
        if n_kept_before < self.ends.len() {
            let begins_at = new.len() - (old.len() - at(n_kept_before).byte);
            n_kept_before += usize::from(begins_at > 0 && !is_break(new.get(begins_at - 1)));
        }
        let last = at(n_kept_before);
        let changed = first.byte..new.len() - (old.len() - last.byte);

        let (mut fresh, mut fresh_ends) = (Vec::new(), Vec::new());
        let mut byte = changed.start;
        for line in lines_of(&text[changed.clone()]) {
            line_tokens(line, end, tokenizer, &mut fresh);
            byte += line.len();
            fresh_ends.push(LineEnd { byte, token: first.token + fresh.len() });
        }
        let grown_bytes = changed.end as isize - last.byte as isize;
        let grown_tokens = fresh.len() as isize - (last.token - first.token) as isize;
        for it in &mut self.ends[n_kept_before..] {
            it.byte = it.byte.saturating_add_signed(grown_bytes);
            it.token = it.token.saturating_add_signed(grown_tokens);
        }
        self.ends.splice(n_first..n_kept_before, fresh_ends);
        Arc::make_mut(&mut self.tokens).splice(first.token..last.token, fresh);
        self.text = text;
    }
}

/// How many bytes two texts begin with alike. In blocks, because comparing those takes an
/// instruction for many bytes.
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    const BLOCK: usize = 128;
    let blocks = a.chunks_exact(BLOCK).zip(b.chunks_exact(BLOCK));
    let n = BLOCK * blocks.take_while(|(a, b)| a == b).count();
    n + a[n..].iter().zip(&b[n..]).take_while(|(a, b)| a == b).count()
}

/// How many bytes two texts end with alike.
fn common_suffix(a: &[u8], b: &[u8]) -> usize {
    const BLOCK: usize = 128;
    let blocks = a.rchunks_exact(BLOCK).zip(b.rchunks_exact(BLOCK));
    let n = BLOCK * blocks.take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[..a.len() - n], &b[..b.len() - n]);
    n + a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count()
}

/// The tokens of a whole text, in the form of [`DocumentTokens`], for text that does not change.
pub fn tokenize_lines(text: &str, end: Token, tokenizer: &dyn Tokenizer) -> Vec<Token> {
    let mut tokens = Vec::new();
    for line in lines_of(text) {
        line_tokens(line, end, tokenizer, &mut tokens);
    }
    tokens
}

fn line_tokens(line: &str, end: Token, tokenizer: &dyn Tokenizer, into: &mut Vec<Token>) {
    let line = line.trim_end_matches(['\n', '\r']);
    if !line.trim().is_empty() && line.len() <= MAX_LINE_BYTES {
        tokenizer.tokenize(line, into);
        into.push(end);
    }
}

/// The tokens of documents that were completed in recently, kept while they are typed in.
#[derive(Debug, Default)]
pub struct RecentDocuments {
    /// The latest last.
    documents: Vec<(Arc<str>, IncrementalTokens)>,
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
    ) -> DocumentTokens {
        let kept = self.documents.iter().position(|(it, _)| it == uri);
        let mut document = match kept {
            Some(at) => self.documents.remove(at),
            None => (Arc::clone(uri), IncrementalTokens::default()),
        };
        let text = document.1.around(rope, caret, end, tokenizer);
        if self.documents.len() >= MAX_RECENT_DOCUMENTS {
            self.documents.remove(0);
        }
        self.documents.push(document);
        text
    }
}

/// The tokens of the other documents that are open, kept until they change.
#[derive(Debug, Default)]
pub struct OpenDocuments {
    kept: Vec<(Arc<Document>, Vec<Token>)>,
    joined: Arc<Vec<Token>>,
}

impl OpenDocuments {
    /// The tokens of these documents, line by line as [`tokenize_lines`] makes them, the first ones
    /// first. Of those that are new or have changed, one is tokenized at each call, so that no key
    /// waits for all of them. `without_secrets` takes out of a text what must not be suggested
    /// elsewhere.
    pub fn tokens(
        &mut self,
        documents: &[Arc<Document>],
        end: Token,
        tokenizer: &dyn Tokenizer,
        without_secrets: impl Fn(&Document, &str) -> String,
    ) -> Arc<Vec<Token>> {
        let n_kept = self.kept.len();
        self.kept.retain(|(kept, _)| documents.iter().any(|it| Arc::ptr_eq(it, kept)));
        let mut changed = self.kept.len() != n_kept;
        let place = |kept: &[(Arc<Document>, Vec<Token>)], document: &Arc<Document>| {
            kept.iter().position(|(it, _)| Arc::ptr_eq(it, document))
        };
        // What stands behind as many tokens as are looked at is not needed.
        let mut room = MAX_OPEN_TOKENS;
        for document in documents {
            if room == 0 {
                break;
            }
            match place(&self.kept, document) {
                Some(at) => room = room.saturating_sub(self.kept[at].1.len()),
                None => {
                    let n_chars = document.rope.len_chars().min(MAX_OPEN_DOCUMENT_CHARS);
                    let text =
                        without_secrets(document, &document.rope.slice(..n_chars).to_string());
                    let tokens = tokenize_lines(&text, end, tokenizer);
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
                let room = MAX_OPEN_TOKENS.saturating_sub(joined.len());
                joined.extend(&tokens[..tokens.len().min(room)]);
                joined.push(SEPARATOR);
            }
            self.joined = Arc::new(joined);
        }
        Arc::clone(&self.joined)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lm::TextSplits;

    /// A token a byte.
    struct Bytes;

    impl Tokenizer for Bytes {
        fn tokenize(&self, text: &str, into: &mut Vec<Token>) {
            into.extend(text.bytes().map(Token::from));
        }
        fn splits(&self) -> TextSplits {
            TextSplits::BeforeLines
        }
    }

    fn shown(text: &DocumentTokens) -> String {
        let all = text.tokens.iter().map(|it| if *it == 0 { '|' } else { *it as u8 as char });
        let mut all: Vec<char> = all.collect();
        all.insert(text.n_before, '$');
        all.into_iter().collect()
    }

    #[test]
    fn lines_around_the_carets_line_each_with_its_end() {
        let rope = Rope::from_str("one\r\n\n  two\ncaret\nthree");
        let mut lines = IncrementalTokens::default();
        let around = |lines: &mut IncrementalTokens, at| shown(&lines.around(&rope, at, 0, &Bytes));
        assert_eq!(around(&mut lines, 13), "one|  two|$three|");
        assert_eq!(around(&mut lines, 0), "$  two|caret|three|");
        assert_eq!(around(&mut lines, usize::MAX), "one|  two|caret|$");
        assert_eq!(shown(&lines.around(&Rope::new(), 0, 0, &Bytes)), "$");
    }

    #[test]
    fn after_any_edits_the_tokens_are_those_of_a_fresh_start() {
        let mut numbers = crate::stdx::random::Random::new(7);
        let mut random = |n: usize| numbers.below(n);
        let mut rope = Rope::from_str(&"fn a() {}\n".repeat(40));
        let mut kept = IncrementalTokens::default();
        for _ in 0..2_000 {
            let at = random(rope.len_chars() + 1);
            if random(3) == 0 {
                rope.remove(at..(at + random(30)).min(rope.len_chars()));
            } else {
                let pieces = ["x", "\n", "let y = 1;\n", "\n\n", "é", "\r\n", "\r"];
                rope.insert(at, pieces[random(pieces.len())]);
            }
            let caret = random(rope.len_chars() + 1);
            let fresh = IncrementalTokens::default().around(&rope, caret, 0, &Bytes);
            assert_eq!(shown(&kept.around(&rope, caret, 0, &Bytes)), shown(&fresh));
        }
    }

    fn document(text: &str) -> Arc<Document> {
        Arc::new(Document::new("file:///a", "rust", Some(1), text))
    }

    #[test]
    fn one_document_a_call_and_changed_ones_anew() {
        let mut open = OpenDocuments::default();
        let mut shown = |documents: &[Arc<Document>]| {
            let tokens = open.tokens(documents, 0, &Bytes, |_, text| text.replace('!', ""));
            let chars = tokens.iter().map(|it| match *it {
                SEPARATOR => '#',
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
