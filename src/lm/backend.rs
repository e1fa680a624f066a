//! The seam between the engine and what evaluates tokens: llama.cpp, or a script in tests.

pub mod check;
pub mod embedded;
pub mod llama;
pub mod scripted;

use std::sync::Arc;

use crate::lm::task::{ModelInfo, Token};
use crate::stdx::cancel::CancelFlag;

/// Why an evaluation did not finish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EvaluateError {
    /// The flag was raised; the sequence has `n_resident` tokens now.
    Stopped { n_resident: usize },
    /// The engine failed; a sentence for the log.
    Failed(String),
}

/// One model with one context that holds a few sequences of tokens.
pub trait Model {
    fn info(&self) -> &Arc<ModelInfo>;
    fn vocabulary(&self) -> &Vocabulary;

    /// How many sequences the context has room for, each with the whole length.
    fn n_sequences(&self) -> usize;

    /// From how many tokens on a batch is much cheaper a token; 1 where there is no such number.
    fn quick_batch(&self) -> usize {
        1
    }

    /// Evaluates `tokens` in a sequence at positions from `position` on; afterwards [`Model::logits`] belongs to the
    /// last of them. Reads `flag` while it works.
    ///
    /// # Errors
    /// See [`EvaluateError`]. After `Failed` the context must be cleared.
    fn evaluate(
        &mut self,
        sequence: usize,
        tokens: &[Token],
        position: usize,
        flag: &CancelFlag,
    ) -> Result<(), EvaluateError>;

    /// The same for a few tokens, after which [`Model::logits_after`] belongs to each of them.
    ///
    /// # Errors
    /// Those of [`Model::evaluate`].
    fn evaluate_each(
        &mut self,
        sequence: usize,
        tokens: &[Token],
        position: usize,
        flag: &CancelFlag,
    ) -> Result<(), EvaluateError>;

    /// The scores of the next token, one a token of the vocabulary.
    fn logits(&self) -> &[f32];

    /// The scores of the token after the one of this index of the last [`Model::evaluate_each`].
    fn logits_after(&self, index: usize) -> &[f32];

    /// Drops every token of a sequence from `n_tokens` on. `false` where this kind of model can't drop a part of its
    /// state (recurrent and hybrid models, sliding windows): then it has dropped nothing.
    fn keep(&mut self, sequence: usize, n_tokens: usize) -> bool;

    /// Makes one sequence the same as another. `false` where that can't be; then `to` is empty.
    fn copy(&mut self, from: usize, to: usize) -> bool;

    /// Drops a sequence.
    fn forget(&mut self, sequence: usize);

    /// Drops all sequences.
    fn clear(&mut self);
}

/// The bytes of every token, and which tokens mean something else than text.
pub struct Vocabulary {
    bytes: Vec<u8>,
    /// Token `i` is `bytes[starts[i]..starts[i + 1]]`.
    starts: Vec<u32>,
    /// Text tokens, ordered by their bytes.
    by_bytes: Vec<Token>,
    kinds: Vec<TokenKind>,
    ends: Vec<Token>,
}

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    Text,
    /// Ends a generation.
    End,
    /// A marker or an unused place; never to be sampled.
    Never,
}

impl Vocabulary {
    /// Makes a vocabulary of each token's bytes and kind, in the order of their ids.
    pub fn new<B: AsRef<[u8]>>(tokens: impl IntoIterator<Item = (B, TokenKind)>) -> Self {
        let mut bytes = Vec::new();
        let mut starts = vec![0];
        let mut kinds = Vec::new();
        for (piece, kind) in tokens {
            bytes.extend_from_slice(piece.as_ref());
            starts.push(bytes.len() as u32);
            kinds.push(kind);
        }
        let mut this = Self { bytes, starts, by_bytes: Vec::new(), kinds, ends: Vec::new() };
        let all = 0..this.kinds.len() as Token;
        this.ends = all.filter(|it| this.kind(*it) == TokenKind::End).collect();
        let mut by_bytes: Vec<Token> = (0..this.kinds.len() as Token)
            .filter(|token| {
                this.kind(*token) == TokenKind::Text && !this.bytes_of(*token).is_empty()
            })
            .collect();
        by_bytes.sort_by(|a, b| this.bytes_of(*a).cmp(this.bytes_of(*b)));
        this.by_bytes = by_bytes;
        this
    }

    /// How many tokens there are, of all kinds.
    #[expect(clippy::len_without_is_empty, reason = "there is no empty one")]
    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    pub fn bytes_of(&self, token: Token) -> &[u8] {
        let index = token as usize;
        &self.bytes[self.starts[index] as usize..self.starts[index + 1] as usize]
    }

    /// The tokens that end a generation.
    pub fn ends(&self) -> &[Token] {
        &self.ends
    }

    /// FNV-1a over the bytes of every text token, in the order of their ids, each with a byte 255 behind it.
    pub fn hash(&self) -> u64 {
        let all = 0..self.kinds.len() as Token;
        let texts = all.filter(|it| self.kind(*it) == TokenKind::Text);
        let bytes = texts.flat_map(|it| self.bytes_of(it).iter().chain(&[255]));
        bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
        })
    }

    pub fn kind(&self, token: Token) -> TokenKind {
        self.kinds[token as usize]
    }

    /// The text tokens that may come next where the text has to begin with `forced`: those that begin
    /// with it, and those that are a beginning of it.
    pub fn tokens_for<'a>(&'a self, forced: &'a [u8]) -> impl Iterator<Item = Token> + 'a {
        let from = self.by_bytes.partition_point(|token| self.bytes_of(*token) < forced);
        let beginning_with = self.by_bytes[from..]
            .iter()
            .take_while(move |it| self.bytes_of(**it).starts_with(forced));
        let beginnings = (1..forced.len()).filter_map(move |length| {
            let part = &forced[..length];
            let at = self.by_bytes.partition_point(|token| self.bytes_of(*token) < part);
            self.by_bytes.get(at).filter(|token| self.bytes_of(**token) == part)
        });
        beginning_with.chain(beginnings).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_for_forced_bytes() {
        let pieces = ["a", "ab", "abc", "abd", "b", "", "ac"];
        let mut tokens: Vec<(&str, TokenKind)> =
            pieces.iter().map(|it| (*it, TokenKind::Text)).collect();
        tokens.push(("abe", TokenKind::Never));
        let vocabulary = Vocabulary::new(tokens);
        let allowed = |forced: &str| {
            let mut found: Vec<&str> =
                vocabulary.tokens_for(forced.as_bytes()).map(|it| pieces[it as usize]).collect();
            found.sort_unstable();
            found
        };
        assert_eq!(allowed("ab"), ["a", "ab", "abc", "abd"]);
        assert_eq!(allowed("abcd"), ["a", "ab", "abc"]);
        assert_eq!(allowed("b"), ["b"]);
        assert!(allowed("x").is_empty());
    }
}
