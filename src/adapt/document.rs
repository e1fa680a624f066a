//! A document as the lines that a model would generate: each line's own tokens and an end token.
//!
//! Counts have to speak of the tokens that the model generates. In running text the tokenizer merges a
//! line's end into what stands before it, and a generated line ends in the end token instead; counts of
//! the running text's tokens made suggestions worse, although they told the next token better.

use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use ropey::{Rope, RopeSlice};

use crate::generation::{Token, Tokenizer};

/// How much of a document is counted: characters before the caret's line and after it.
const MAX_CHARS: [usize; 2] = [32_768, 16_384];
/// Where the beginning is cut, it is cut at multiples of this many lines.
const LINE_STEP: usize = 64;
/// Longer lines are data.
const MAX_LINE_BYTES: usize = 400;

/// The tokens of a document around a caret's line, without that line.
#[derive(Debug, Clone, Default)]
pub struct DocumentText {
    pub tokens: Arc<Vec<Token>>,
    /// How many of `tokens` stand before the caret's line.
    pub n_before: usize,
}

/// Keeps a document's tokens while it is typed in: only lines that have changed are tokenised again.
#[derive(Debug, Default)]
pub struct DocumentLines {
    /// What each line is known by, and where its tokens end.
    lines: Vec<(u64, usize)>,
    tokens: Arc<Vec<Token>>,
}

impl DocumentLines {
    /// The tokens of the lines around `caret` as they are now.
    pub fn around(
        &mut self,
        rope: &Rope,
        caret: usize,
        end: Token,
        tokenizer: &dyn Tokenizer,
    ) -> DocumentText {
        let caret_line = rope.char_to_line(caret.min(rope.len_chars()));
        let from = rope.line_to_char(caret_line).saturating_sub(MAX_CHARS[0]);
        let first = match from {
            0 => 0,
            // In steps, so that the beginning does not move on with each line that is typed.
            _ => (rope.char_to_line(from) + 1).next_multiple_of(LINE_STEP).min(caret_line),
        };
        let next = (caret_line + 1).min(rope.len_lines());
        let until = (rope.line_to_char(next) + MAX_CHARS[1]).min(rope.len_chars());
        let last =
            if until == rope.len_chars() { rope.len_lines() } else { rope.char_to_line(until) };
        let lines = || {
            let before = rope.lines_at(first).take(caret_line - first);
            before.chain(rope.lines_at(next).take(last.saturating_sub(next)))
        };
        let hashes: Vec<u64> = lines().map(hash).collect();

        let same_start = self.lines.iter().zip(&hashes).take_while(|(a, b)| a.0 == **b).count();
        let most = self.lines.len().min(hashes.len()) - same_start;
        let ends = self.lines.iter().rev().zip(hashes.iter().rev()).take(most);
        let same_end = ends.take_while(|(a, b)| a.0 == **b).count();
        if same_start + same_end < hashes.len().max(self.lines.len()) {
            let old_end = self.lines.len() - same_end;
            let at = |line: usize| if line == 0 { 0 } else { self.lines[line - 1].1 };
            let (from, to) = (at(same_start), at(old_end));
            let mut fresh = Vec::new();
            let mut fresh_lines = Vec::new();
            let changed = lines().zip(&hashes).skip(same_start);
            for (line, hash) in changed.take(hashes.len() - same_start - same_end) {
                line_tokens(line, end, tokenizer, &mut fresh);
                fresh_lines.push((*hash, from + fresh.len()));
            }
            let grown = fresh.len() as isize - (to - from) as isize;
            for (_, until) in &mut self.lines[old_end..] {
                *until = until.saturating_add_signed(grown);
            }
            self.lines.splice(same_start..old_end, fresh_lines);
            Arc::make_mut(&mut self.tokens).splice(from..to, fresh);
        }
        let n_before = match caret_line - first {
            0 => 0,
            n => self.lines[n - 1].1,
        };
        DocumentText { tokens: Arc::clone(&self.tokens), n_before }
    }
}

/// A whole text as [`DocumentText`] has it, for text that does not change.
pub fn text_tokens(text: &str, end: Token, tokenizer: &dyn Tokenizer) -> Vec<Token> {
    let rope = Rope::from_str(text);
    let mut tokens = Vec::new();
    for line in rope.lines() {
        line_tokens(line, end, tokenizer, &mut tokens);
    }
    tokens
}

fn hash(line: RopeSlice) -> u64 {
    let mut hasher = DefaultHasher::new();
    for chunk in line.chunks() {
        hasher.write(chunk.as_bytes());
    }
    hasher.finish()
}

fn line_tokens(line: RopeSlice, end: Token, tokenizer: &dyn Tokenizer, into: &mut Vec<Token>) {
    let line = line.to_string();
    let line = line.trim_end_matches(['\n', '\r']);
    if !line.trim().is_empty() && line.len() <= MAX_LINE_BYTES {
        tokenizer.tokenize(line, into);
        into.push(end);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A token a byte.
    pub(in crate::adapt) struct Bytes;

    impl Tokenizer for Bytes {
        fn tokenize(&self, text: &str, into: &mut Vec<Token>) {
            into.extend(text.bytes().map(Token::from));
        }
        fn splits_at_lines(&self) -> bool {
            true
        }
    }

    fn shown(text: &DocumentText) -> String {
        let all = text.tokens.iter().map(|it| if *it == 0 { '|' } else { *it as u8 as char });
        let mut all: Vec<char> = all.collect();
        all.insert(text.n_before, '$');
        all.into_iter().collect()
    }

    #[test]
    fn lines_around_the_carets_line_each_with_its_end() {
        let rope = Rope::from_str("one\r\n\n  two\ncaret\nthree");
        let mut lines = DocumentLines::default();
        let around = |lines: &mut DocumentLines, at| shown(&lines.around(&rope, at, 0, &Bytes));
        assert_eq!(around(&mut lines, 13), "one|  two|$three|");
        assert_eq!(around(&mut lines, 0), "$  two|caret|three|");
        assert_eq!(around(&mut lines, usize::MAX), "one|  two|caret|$");
        assert_eq!(shown(&lines.around(&Rope::new(), 0, 0, &Bytes)), "$");
    }

    #[test]
    fn after_any_edits_the_tokens_are_those_of_a_fresh_start() {
        let mut state = 7_u64;
        let mut random = |n: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % n as u64) as usize
        };
        let mut rope = Rope::from_str(&"fn a() {}\n".repeat(40));
        let mut kept = DocumentLines::default();
        for _ in 0..500 {
            let at = random(rope.len_chars() + 1);
            if random(3) == 0 {
                rope.remove(at..(at + random(30)).min(rope.len_chars()));
            } else {
                let pieces = ["x", "\n", "let y = 1;\n", "\n\n", "é"];
                rope.insert(at, pieces[random(pieces.len())]);
            }
            let caret = random(rope.len_chars() + 1);
            let fresh = DocumentLines::default().around(&rope, caret, 0, &Bytes);
            assert_eq!(shown(&kept.around(&rope, caret, 0, &Bytes)), shown(&fresh));
        }
    }
}
