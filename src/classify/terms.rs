//! The first block of features: words, pairs of words and pieces of words, by their hashes, with
//! tf-idf weights (Spärck Jones 1972; Cavnar and Trenkle 1994 for pieces of words).

use std::collections::HashMap;

use crate::stdx::fnv1a_64;

/// A sparse row: columns in rising order, each with its weight.
pub type SparseRow = Vec<(u32, f32)>;

/// The lengths of pieces of words, in characters, with a blank on both sides of the word.
const PIECE_CHARS: std::ops::RangeInclusive<usize> = 3..=5;
/// From so many examples on, what only one of them has is left out.
const PRUNED_FROM: usize = 1_000;

/// Stands for any word between two.
const GAP: u64 = 77;

/// Words whose place counts.
const N_FIRST_WORDS: usize = 3;
const N_LAST_WORDS: usize = 2;
/// Longer texts are as long as this.
const MOST_COUNTED_WORDS: usize = 12;

/// What carries a sentence's form and not what it is about; some German.
#[rustfmt::skip]
const SMALL_WORDS: &[&str] = &[
    "a", "an", "the", "this", "that", "these", "those", "it", "its", "is", "are", "was", "be", "been", "do", "does", "did", "can",
    "could", "should", "would", "will", "i", "me", "my", "we", "our", "you", "your", "he", "they", "them", "what", "why", "how",
    "which", "who", "where", "when", "and", "or", "but", "if", "in", "on", "of", "to", "for", "from", "with", "without", "as", "by",
    "at", "into", "out", "up", "not", "no", "never", "so", "than", "then", "there", "here", "all", "each", "every", "any", "some",
    "one", "make", "get", "let", "give", "need", "want", "please", "bitte", "der", "die", "das", "ein", "eine", "ist", "und", "oder",
    "nicht", "warum", "wie", "was", "wo", "wer", "mach",
];

/// The terms that the examples have, with how telling each is.
#[derive(Debug, Default)]
pub struct TermIndex {
    columns: HashMap<u64, u32>,
    /// Inverse document frequency, a column each.
    idf: Vec<f32>,
    spans: WordSpans,
}

/// Which words of a text make a term together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WordSpans {
    #[default]
    Pairs,
    /// Also triples, pairs with a word between them, the places of the first and the last words,
    /// and the frame that the small words make (`why does the _ _ to _`): for texts of a few
    /// words, in which order says much.
    Frames,
}

/// What a term is: words and pieces are weighed apart, because there are many more pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TermKind {
    Word,
    Piece,
    /// Of no text without a word or a piece of one that is known.
    Frame,
}

impl TermIndex {
    /// Counts in how many of these texts each term is.
    pub fn of(texts: &[&str], spans: WordSpans) -> Self {
        let mut n_texts_with: HashMap<u64, u32> = HashMap::new();
        let mut order = Vec::new();
        for text in texts {
            let mut hashes: Vec<u64> = Vec::new();
            each_term(text, spans, |_, hash| hashes.push(hash));
            hashes.sort_unstable();
            hashes.dedup();
            for hash in hashes {
                let count = n_texts_with.entry(hash).or_insert_with(|| {
                    order.push(hash);
                    0
                });
                *count += 1;
            }
        }
        // Texts of a few words have no term to spare.
        let is_pruned = texts.len() >= PRUNED_FROM && spans == WordSpans::Pairs;
        let least = if is_pruned { 2 } else { 1 };
        let mut index = Self { spans, ..Self::default() };
        for hash in order {
            let n_with = n_texts_with[&hash];
            if n_with >= least {
                let column = index.idf.len() as u32;
                index.columns.insert(hash, column);
                index.idf.push(((1.0 + texts.len() as f32) / (1.0 + n_with as f32)).ln() + 1.0);
            }
        }
        index
    }

    pub fn n_columns(&self) -> usize {
        self.idf.len()
    }

    /// The terms of a text that are known, weighed; the row has length 1, or is empty.
    pub fn row(&self, text: &str) -> SparseRow {
        let (mut words, mut pieces, mut n_known) = (Vec::new(), Vec::new(), 0);
        each_term(text, self.spans, |kind, hash| {
            if let Some(column) = self.columns.get(&hash) {
                n_known += usize::from(kind != TermKind::Frame);
                if kind == TermKind::Piece { &mut pieces } else { &mut words }.push(*column);
            }
        });
        if n_known == 0 {
            return Vec::new();
        }
        let mut row = self.weighed(words);
        row.append(&mut self.weighed(pieces));
        normalize(&mut row);
        row.sort_unstable_by_key(|it| it.0);
        row
    }

    fn weighed(&self, mut columns: Vec<u32>) -> SparseRow {
        columns.sort_unstable();
        let mut row: SparseRow = columns
            .chunk_by(PartialEq::eq)
            .map(|same| {
                let frequency = 1.0 + (same.len() as f32).ln();
                (same[0], frequency * self.idf[same[0] as usize])
            })
            .collect();
        normalize(&mut row);
        row
    }
}

fn normalize(row: &mut SparseRow) {
    let length = row.iter().map(|(_, weight)| weight * weight).sum::<f32>().sqrt();
    if length > 0.0 {
        row.iter_mut().for_each(|(_, weight)| *weight /= length);
    }
}

/// Gives each term of a text. Case does not count. The first and the last word are terms of their
/// own too: in what programmers write the first is often the verb.
fn each_term(text: &str, spans: WordSpans, mut found: impl FnMut(TermKind, u64)) {
    let lower = text.to_lowercase();
    let mut before = hash(b"\x02", "");
    let mut second_before = before;
    for word in words(&lower) {
        let alone = hash(b"w", word);
        found(TermKind::Word, alone);
        found(TermKind::Word, pair(before, alone));
        if spans == WordSpans::Frames {
            found(TermKind::Word, pair(pair(second_before, GAP), alone));
            found(TermKind::Word, pair(pair(second_before, before), alone));
        }
        (second_before, before) = (before, alone);
    }
    found(TermKind::Word, pair(before, hash(b"\x03", "")));
    if spans == WordSpans::Frames {
        each_frame(&lower, |hash| found(TermKind::Frame, hash));
    }
    let mut padded = String::new();
    let mut starts: Vec<usize> = Vec::new();
    for word in lower.split_whitespace() {
        padded.clear();
        padded.extend([" ", word, " "]);
        starts.clear();
        starts.extend(padded.char_indices().map(|(at, _)| at));
        starts.push(padded.len());
        for n_chars in PIECE_CHARS {
            for bounds in starts.windows(n_chars + 1) {
                found(TermKind::Piece, hash(b"p", &padded[bounds[0]..bounds[n_chars]]));
            }
        }
    }
}

/// Gives the places of the first and last words, how long the text is, and what its small words
/// make of it, in two, three and four words: other words count by their kind alone there, so that a
/// wording is known whatever it is about.
fn each_frame(lower: &str, mut found: impl FnMut(u64)) {
    let all: Vec<&str> = words(lower).collect();
    let is_question = all.last() == Some(&"?");
    let mut before = [hash(b"\x02", "frame"); 3];
    for (place, word) in all.iter().enumerate() {
        if place < N_FIRST_WORDS {
            found(hash(b"first", word));
            found(pair(place as u64, hash(b"at", word)));
        }
        if all.len() - place <= N_LAST_WORDS {
            found(hash(b"last", word));
        }
        if is_question {
            found(hash(b"asks", word));
        }
        let part = hash(b"frame", part_of_frame(word));
        let two = pair(before[2], part);
        let three = pair(pair(before[1], before[2]), part);
        found(two);
        found(three);
        found(pair(pair(before[0], before[1]), pair(before[2], part)));
        before = [before[1], before[2], part];
    }
    found(pair(before[2], hash(b"\x03", "frame")));
    found(pair(all.len().min(MOST_COUNTED_WORDS) as u64, hash(b"length", "")));
}

/// A small word and a sign as they are, others by their kind.
fn part_of_frame(word: &str) -> &str {
    let first = word.chars().next().unwrap_or_default();
    if !first.is_alphanumeric() || SMALL_WORDS.contains(&word) {
        word
    } else if first.is_ascii_digit() {
        "#number"
    } else if word.contains('_') {
        "#name"
    } else {
        "#word"
    }
}

/// Names, numbers and words, and each other character that is no blank.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_of_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let end = match is_of_word(first) {
            true => rest.find(|c| !is_of_word(c)).unwrap_or(rest.len()),
            false => first.len_utf8(),
        };
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

fn hash(kind: &[u8], text: &str) -> u64 {
    fnv1a_64(kind.iter().chain(text.as_bytes()))
}

fn pair(first: u64, second: u64) -> u64 {
    (first.rotate_left(23) ^ second).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_names_and_single_signs() {
        let found: Vec<&str> = words("add `Foo_bar::x`, über 7!").collect();
        assert_eq!(found, ["add", "`", "Foo_bar", ":", ":", "x", "`", ",", "über", "7", "!"]);
        assert_eq!(words(" \n").count(), 0);
    }

    #[test]
    fn a_row_has_length_one_and_only_what_is_known() {
        let index = TermIndex::of(&["fix a crash", "add a flag"], WordSpans::Pairs);
        let row = index.row("Fix the crash, FIX it");
        let length: f32 = row.iter().map(|it| it.1 * it.1).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
        assert!(row.is_sorted_by(|a, b| a.0 < b.0), "each column once, in order");
        assert!(index.row("日本").is_empty());
        assert!(row.len() < index.n_columns());
    }

    #[test]
    fn frames_are_terms_beside_pairs() {
        let texts = ["why does it fail"];
        let columns = |spans| TermIndex::of(&texts, spans).n_columns();
        // Of each word one with a gap before it, and one with both words before it; of the first
        // three two each, of the last two one each; frames of two, three and four; end and length.
        let n_frames = 2 * 4 + 2 * 3 + 2 + 3 * 4 + 2;
        assert_eq!(columns(WordSpans::Frames), columns(WordSpans::Pairs) + n_frames);
    }

    #[test]
    fn a_frame_is_known_whatever_it_is_about() {
        let frames = |text: &str| {
            let mut all = Vec::new();
            each_frame(text, |it| all.push(it));
            all
        };
        let alike = |a: &str, b: &str| {
            let b = frames(b);
            frames(a).iter().filter(|it| b.contains(it)).count()
        };
        let near = alike("why does the parser skip it", "why does the timer stop it");
        let far = alike("why does the parser skip it", "a parser skips to the end");
        assert!(near > 2 * far, "{near} {far}");
    }
}
