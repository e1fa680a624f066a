//! The text sampled so far, and tokens that are evaluated before the model has said them.

use crate::lm::backend::{Model, TokenKind, Vocabulary};
use crate::lm::decode::distribution::{NextToken, without_model};
use crate::lm::decode::line::{Chosen, LineSoFar};
use crate::lm::task::{CompletionRequest, Finish, NextTokenMixer, Said, Token};

/// An alternative begins with a token that has at least this probability.
const LEAST_PROBABILITY_OF_OTHERS: f32 = 0.02;

/// Tokens that are evaluated before the model has said them.
#[derive(Default)]
pub struct Draft {
    pub tokens: Vec<Token>,
    /// How many of them the model has said by now.
    n_said: usize,
    /// The scores at hand are those after each token of the draft, and after the one before it.
    pub is_evaluated: bool,
}

impl Draft {
    pub fn of(
        sampled: &Sampled,
        most: usize,
        said_before: &[Token],
        mixer: Option<&mut (dyn NextTokenMixer + 'static)>,
    ) -> Self {
        let tokens = if most == 0 || !sampled.forced.is_empty() {
            Vec::new()
        } else if !said_before.is_empty() {
            // A key that agrees with what was being generated does not begin all over.
            said_before[..most.min(said_before.len())].to_vec()
        } else {
            mixer.and_then(|it| sampled.line.speculate(it, most)).unwrap_or_default()
        };
        Self { tokens, ..Self::default() }
    }

    pub fn logits<'a>(&self, model: &'a dyn Model) -> &'a [f32] {
        if self.is_evaluated { model.logits_after(self.n_said) } else { model.logits() }
    }

    /// Whether the next token of the draft is this one, which is then said.
    pub fn says(&mut self, token: Token) -> bool {
        let says = self.tokens.get(self.n_said) == Some(&token);
        self.n_said += usize::from(says);
        says
    }

    /// How many tokens are evaluated and were not said.
    pub fn left(&self) -> usize {
        self.tokens.len() - self.n_said
    }
}

/// The text by retrieval alone, where it is sure of all of it.
pub fn generated_by_lookup(
    vocabulary: &Vocabulary,
    request: &mut CompletionRequest,
) -> Option<Said> {
    let least = request.min_lookup_confidence?.ln();
    let mixer = request.mixer.as_deref_mut()?;
    let mut sampled = Sampled::new(&request.forced);
    let finish = loop {
        let (next, probability) = without_model(vocabulary, sampled.forced, &sampled.line, mixer)?;
        let log_probability = probability.max(f32::MIN_POSITIVE).ln();
        sampled.n_tokens += 1;
        let is_sure = sampled.log_probability + log_probability >= least;
        if !is_sure || sampled.n_tokens > request.max_tokens {
            return None;
        }
        if vocabulary.kind(next) == TokenKind::End {
            break Finish::EndToken;
        }
        let chosen = Chosen { token: next, log_probability, odds_of_retrieval: None };
        sampled.push(chosen, vocabulary.bytes_of(next));
        if let Some(end) = (request.stop)(sampled.text()) {
            sampled.end = end;
            break Finish::StopRule;
        }
    };
    // What is forced must have been spelled: nothing else is an answer.
    let is_spelled = sampled.forced.is_empty();
    is_spelled.then(|| sampled.said(finish))
}

/// The text sampled so far.
#[derive(Clone)]
pub struct Sampled<'a> {
    /// What is still forced.
    forced: &'a [u8],
    bytes: Vec<u8>,
    /// How much of `bytes` is whole characters.
    valid: usize,
    pub end: usize,
    pub n_tokens: usize,
    pub log_probability: f32,
    line: LineSoFar,
}

impl<'a> Sampled<'a> {
    pub fn new(forced: &'a [u8]) -> Self {
        Self {
            forced,
            bytes: Vec::new(),
            valid: 0,
            end: usize::MAX,
            n_tokens: 0,
            log_probability: 0.0,
            line: LineSoFar::default(),
        }
    }

    /// The likeliest token that is allowed, its probability among those that are, or `None` where
    /// nothing can spell what is forced.
    pub fn next(
        &self,
        vocabulary: &Vocabulary,
        logits: &[f32],
        mixer: Option<&mut (dyn NextTokenMixer + 'static)>,
    ) -> Option<Chosen> {
        let next = NextToken::new(vocabulary, logits, self.forced, &self.line, mixer);
        Some(next.choose(next.likeliest()?))
    }

    /// The likeliest tokens but the first one, at most `n`, that are not out of the question.
    pub fn others(
        &self,
        vocabulary: &Vocabulary,
        logits: &[f32],
        mixer: Option<&mut (dyn NextTokenMixer + 'static)>,
        n: usize,
    ) -> Vec<Chosen> {
        if n == 0 {
            return Vec::new();
        }
        let next = NextToken::new(vocabulary, logits, self.forced, &self.line, mixer);
        let likeliest = next.likeliest_ones(n + 1).into_iter().skip(1);
        let likeliest = likeliest.filter(|it| vocabulary.kind(it.0) == TokenKind::Text);
        let likeliest = likeliest.filter(|it| it.1 >= LEAST_PROBABILITY_OF_OTHERS);
        likeliest.map(|(token, _)| next.choose(token)).collect()
    }

    pub fn push(&mut self, chosen: Chosen, piece: &[u8]) {
        self.line.push(chosen, piece);
        let forced = piece.len().min(self.forced.len());
        self.forced = &self.forced[forced..];
        self.bytes.extend_from_slice(&piece[forced..]);
        // A character can span two tokens; the text ends before a character that is not whole yet.
        self.valid += match std::str::from_utf8(&self.bytes[self.valid..]) {
            Ok(rest) => rest.len(),
            Err(error) => error.valid_up_to(),
        };
        self.log_probability += chosen.log_probability;
    }

    /// The character that the text would go on with, by a token that is not said.
    pub fn next_char(&self, piece: &[u8]) -> Option<char> {
        let piece = &piece[piece.len().min(self.forced.len())..];
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
    pub fn said(&self, finish: Finish) -> Said {
        let text = self.text();
        let text = text[..self.end.min(text.len())].to_owned();
        Said { text, finish: self.finish(finish), confidence: self.log_probability.exp() }
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.valid]).unwrap_or_default()
    }
}

/// The first character of some bytes. Where it is not whole, one of those that begin so: of letters a letter, of signs
/// a sign.
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
    fn a_text_ends_before_a_part_of_a_character() {
        let bytes = "xö".as_bytes();
        let mut sampled = Sampled::new(b"");
        let chosen = Chosen { token: 1, log_probability: -1.0, odds_of_retrieval: None };
        sampled.push(chosen, &bytes[..2]);
        assert_eq!(sampled.text(), "x");
        assert_eq!(sampled.next_char(&bytes[2..]), Some('ö'));
        assert!(matches!(sampled.said(Finish::Budget).finish, Finish::Unsure { next: Some(_) }));
        sampled.push(chosen, &bytes[2..]);
        assert_eq!(sampled.said(Finish::EndToken).finish, Finish::EndToken);
        // More of the word may come, so what ran out of time in it ends before it.
        assert!(matches!(sampled.said(Finish::Budget).finish, Finish::Unsure { next: Some(_) }));
        sampled.push(chosen, b"(");
        assert_eq!(sampled.said(Finish::Budget).finish, Finish::Budget);
        // What is forced is no part of the text.
        assert_eq!(Sampled::new(b" gr").next_char("  grö".as_bytes()), Some('r'));
        assert_eq!(Sampled::new(b" gr").next_char(" grö".as_bytes()), Some('ö'));
    }
}
