//! The tokens of a model: their bytes, and which mean something else than text.

use crate::stdx::fnv1a_64;

/// A token id of a model's vocabulary.
pub type Token = i32;

/// The bytes of every token, and which tokens mean something else than text.
pub struct Vocabulary {
    bytes: Vec<u8>,
    /// Token `i` is `bytes[starts[i]..starts[i + 1]]`.
    starts: Vec<u32>,
    /// Text tokens, ordered by their bytes.
    by_bytes: Vec<Token>,
    kinds: Vec<TokenKind>,
    ends: Vec<Token>,
    line_ends: Vec<Token>,
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
        let (by_bytes, ends, line_ends) = (Vec::new(), Vec::new(), Vec::new());
        let mut this = Self { bytes, starts, by_bytes, kinds, ends, line_ends };
        let all = 0..this.kinds.len() as Token;
        this.ends = all.filter(|it| this.kind(*it) == TokenKind::End).collect();
        let mut by_bytes: Vec<Token> = (0..this.kinds.len() as Token)
            .filter(|token| {
                this.kind(*token) == TokenKind::Text && !this.bytes_of(*token).is_empty()
            })
            .collect();
        by_bytes.sort_by(|a, b| this.bytes_of(*a).cmp(this.bytes_of(*b)));
        this.by_bytes = by_bytes;
        this.line_ends.clone_from(&this.ends);
        this
    }

    /// Of a model that ends a line with a break: one that is shown the text before the caret alone.
    #[must_use]
    pub fn with_breaks_as_line_ends(mut self) -> Self {
        let breaks: Vec<Token> = self.beginning_with(b"\n").collect();
        self.line_ends.extend(breaks);
        self
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

    /// The tokens by which the model says that a line is over.
    pub fn line_ends(&self) -> &[Token] {
        &self.line_ends
    }

    /// FNV-1a over the bytes of every text token, in the order of their ids, each with a byte 255
    /// behind it.
    pub fn hash(&self) -> u64 {
        let all = 0..self.kinds.len() as Token;
        let texts = all.filter(|it| self.kind(*it) == TokenKind::Text);
        let bytes = texts.flat_map(|it| self.bytes_of(it).iter().chain(&[255]));
        fnv1a_64(bytes)
    }

    pub fn kind(&self, token: Token) -> TokenKind {
        self.kinds[token as usize]
    }

    /// The text tokens that differ from one in the line breaks at their end alone, and itself:
    /// whichever comes, the line is the same as far as the token goes.
    pub fn same_but_for_line_breaks(&self, token: Token) -> impl Iterator<Item = Token> + '_ {
        let bytes = self.bytes_of(token);
        let n_line = bytes.iter().rposition(|it| *it != b'\n').map_or(0, |at| at + 1);
        let (line, is_line) = (&bytes[..n_line], n_line > 0 && self.kind(token) == TokenKind::Text);
        let with_breaks = self
            .beginning_with([line, b"\n"].concat())
            .filter(move |it| self.bytes_of(*it)[n_line..].iter().all(|it| *it == b'\n'));
        let same = self.spelling(line).into_iter().chain(with_breaks).filter(move |_| is_line);
        (!is_line).then_some(token).into_iter().chain(same)
    }

    /// The text tokens that may come next where the text has to begin with `forced`: those that
    /// begin with it, and those that are a beginning of it.
    pub fn tokens_for<'a>(&'a self, forced: &'a [u8]) -> impl Iterator<Item = Token> + 'a {
        let beginnings = (1..forced.len()).filter_map(|length| self.spelling(&forced[..length]));
        self.beginning_with(forced).chain(beginnings)
    }

    /// Where the text tokens of these bytes and more stand in their order.
    fn from(&self, bytes: &[u8]) -> &[Token] {
        &self.by_bytes[self.by_bytes.partition_point(|it| self.bytes_of(*it) < bytes)..]
    }

    /// The text tokens that begin with these bytes.
    fn beginning_with<'a>(
        &'a self,
        bytes: impl AsRef<[u8]> + 'a,
    ) -> impl Iterator<Item = Token> + 'a {
        let from = self.from(bytes.as_ref()).iter().copied();
        from.take_while(move |it| self.bytes_of(*it).starts_with(bytes.as_ref()))
    }

    /// The text token of just these bytes.
    fn spelling(&self, bytes: &[u8]) -> Option<Token> {
        self.from(bytes).first().copied().filter(|it| self.bytes_of(*it) == bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_that_differ_in_line_breaks() {
        let pieces = [");", ");\n", ");\n\n", ")", "\n", ");\t", ");a", ");\n  "];
        let vocabulary = Vocabulary::new(pieces.map(|it| (it, TokenKind::Text)));
        let same = |piece: &str| {
            let token = pieces.iter().position(|it| *it == piece).expect("a piece") as Token;
            let same = vocabulary.same_but_for_line_breaks(token);
            same.map(|it| pieces[it as usize]).collect::<Vec<_>>()
        };
        assert_eq!(same(");"), [");", ");\n", ");\n\n"]);
        assert_eq!(same(");\n\n"), [");", ");\n", ");\n\n"]);
        assert_eq!(same(")"), [")"]);
        assert_eq!(same("\n"), ["\n"]);
    }

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
