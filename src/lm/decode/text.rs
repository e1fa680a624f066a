//! The text generated so far.

use crate::lm::decode::line::{ChosenToken, CurrentLine};
use crate::lm::task::{Finish, GeneratedText, TokenEnd};

/// See the module.
#[derive(Clone)]
pub struct TextSoFar<'a> {
    /// What is left of the required prefix.
    prefix: &'a [u8],
    bytes: Vec<u8>,
    /// How much of `bytes` is whole characters.
    valid: usize,
    pub end: usize,
    pub n_tokens: usize,
    pub log_probability: f32,
    token_ends: Vec<TokenEnd>,
    pub line: CurrentLine,
}

impl<'a> TextSoFar<'a> {
    /// An empty text, which must begin with `prefix`.
    pub fn new(prefix: &'a [u8]) -> Self {
        Self {
            prefix,
            bytes: Vec::new(),
            valid: 0,
            end: usize::MAX,
            n_tokens: 0,
            log_probability: 0.0,
            token_ends: Vec::new(),
            line: CurrentLine::default(),
        }
    }

    /// What of the required prefix is to be spelled yet.
    pub fn prefix_left(&self) -> &'a [u8] {
        self.prefix
    }

    /// Adds a token that was chosen.
    pub fn push(&mut self, chosen: ChosenToken, piece: &[u8]) {
        self.line.push(chosen, piece);
        let prefix = piece.len().min(self.prefix.len());
        self.prefix = &self.prefix[prefix..];
        self.bytes.extend_from_slice(&piece[prefix..]);
        // A character can span two tokens; the text ends before a character that is not whole yet.
        self.valid += match std::str::from_utf8(&self.bytes[self.valid..]) {
            Ok(rest) => rest.len(),
            Err(error) => error.valid_up_to(),
        };
        self.log_probability += chosen.log_probability;
        let confidence = self.log_probability.exp();
        self.token_ends.push(TokenEnd { end: self.valid, confidence });
    }

    /// The character that the text would go on with, by a token that is not added.
    pub fn next_char(&self, piece: &[u8]) -> Option<char> {
        let piece = &piece[piece.len().min(self.prefix.len())..];
        first_char(&[&self.bytes[self.valid..], piece].concat())
    }

    /// How the generation ended, where the text may end in a part of a character.
    pub fn finish(&self, finish: Finish) -> Finish {
        match self.next_char(&[]) {
            Some(next) if finish != Finish::StopRule => Finish::Unsure { next: Some(next) },
            // Time ran out within a word whose characters take several tokens each; half of it is
            // not shown.
            None if finish == Finish::Budget && self.line.is_in_word_outside_ascii() => {
                Finish::Unsure { next: Some('ö') }
            }
            _ => finish,
        }
    }

    /// The text as it is now.
    pub fn ended(&self, finish: Finish) -> GeneratedText {
        let text = self.text();
        let text = text[..self.end.min(text.len())].to_owned();
        // The token in which the text ends is the last one of it.
        let n_tokens = self.token_ends.iter().position(|it| it.end >= text.len());
        let token_ends = self.token_ends.iter().take(n_tokens.map_or(usize::MAX, |it| it + 1));
        let token_ends = token_ends.map(|it| TokenEnd { end: it.end.min(text.len()), ..*it });
        GeneratedText {
            finish: self.finish(finish),
            confidence: self.log_probability.exp(),
            token_ends: token_ends.collect(),
            text,
        }
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.valid]).unwrap_or_default()
    }
}

/// The first character of some bytes. Where it is not whole, one of those that begin so: of letters
/// a letter, of signs a sign.
fn first_char(bytes: &[u8]) -> Option<char> {
    const CONTINUATION: u8 = 0xA0;
    let chunk = bytes.utf8_chunks().next()?;
    if let Some(first) = chunk.valid().chars().next() {
        return Some(first);
    }
    let part = chunk.invalid();
    let length = part.first()?.leading_ones() as usize;
    let mut whole = part.to_vec();
    whole.resize(length.clamp(part.len(), 4), CONTINUATION);
    std::str::from_utf8(&whole).ok()?.chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::words::is_word;

    #[test]
    fn the_first_character_of_some_bytes() {
        assert_eq!(first_char(b"ab"), Some('a'));
        assert_eq!(first_char("ö".as_bytes()), Some('ö'));
        assert_eq!(first_char(b""), None);
        // Umlauts, Cyrillic, Han and kana, Hangul begin so.
        for word in ["ö", "и", "顧", "客", "が", "변"] {
            assert!(first_char(&word.as_bytes()[..1]).is_some_and(is_word), "{word}");
        }
        assert!(first_char(&"顧".as_bytes()[..2]).is_some_and(is_word));
        for sign in ["→", "–", "😀"] {
            assert!(first_char(&sign.as_bytes()[..2]).is_some_and(|it| !is_word(it)), "{sign}");
        }
        // A continuation byte alone begins nothing.
        assert_eq!(first_char(&[0xA4]), None);
    }

    #[test]
    fn a_text_that_is_cut_ends_with_its_last_token() {
        let mut text = TextSoFar::new(b"");
        let chosen = ChosenToken { token: 1, log_probability: -0.5, odds_of_retrieval: None };
        for piece in ["a", "(b", ");\n"] {
            text.push(chosen, piece.as_bytes());
        }
        text.end = 5;
        let ended = text.ended(Finish::StopRule);
        let ends: Vec<usize> = ended.token_ends.iter().map(|it| it.end).collect();
        assert_eq!((ended.text.as_str(), ends), ("a(b);", vec![1, 3, 5]));
        assert_eq!(ended.token_ends.last().map(|it| it.confidence), Some(ended.confidence));
        text.end = 2;
        assert_eq!(text.ended(Finish::StopRule).token_ends.last().map(|it| it.end), Some(2));
    }

    #[test]
    fn a_text_ends_before_a_part_of_a_character() {
        let bytes = "xö".as_bytes();
        let mut text = TextSoFar::new(b"");
        let chosen = ChosenToken { token: 1, log_probability: -1.0, odds_of_retrieval: None };
        text.push(chosen, &bytes[..2]);
        assert_eq!(text.text(), "x");
        assert_eq!(text.next_char(&bytes[2..]), Some('ö'));
        assert!(matches!(text.ended(Finish::Budget).finish, Finish::Unsure { next: Some(_) }));
        text.push(chosen, &bytes[2..]);
        assert_eq!(text.ended(Finish::EndToken).finish, Finish::EndToken);
        // More of the word may come, so what ran out of time in it ends before it.
        assert!(matches!(text.ended(Finish::Budget).finish, Finish::Unsure { next: Some(_) }));
        text.push(chosen, b"(");
        assert_eq!(text.ended(Finish::Budget).finish, Finish::Budget);
        // The prefix is no part of the text.
        assert_eq!(TextSoFar::new(b" gr").next_char("  grö".as_bytes()), Some('r'));
        assert_eq!(TextSoFar::new(b" gr").next_char(" grö".as_bytes()), Some('ö'));
    }
}
