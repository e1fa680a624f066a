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
    /// Pairs, triples, and pairs with a word between them: for texts of a few words, in which order
    /// says much (`why does this … fail`).
    Triples,
}

/// What a term is: words and pieces are weighed apart, because there are many more pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TermKind {
    Word,
    Piece,
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
        let least = if texts.len() >= PRUNED_FROM { 2 } else { 1 };
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
        let (mut words, mut pieces) = (Vec::new(), Vec::new());
        each_term(text, self.spans, |kind, hash| {
            if let Some(column) = self.columns.get(&hash) {
                if kind == TermKind::Word { &mut words } else { &mut pieces }.push(*column);
            }
        });
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
        if spans == WordSpans::Triples {
            found(TermKind::Word, pair(pair(second_before, GAP), alone));
            found(TermKind::Word, pair(pair(second_before, before), alone));
        }
        (second_before, before) = (before, alone);
    }
    found(TermKind::Word, pair(before, hash(b"\x03", "")));
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
    fn triples_are_terms_beside_pairs() {
        let texts = ["why does it fail"];
        let columns = |spans| TermIndex::of(&texts, spans).n_columns();
        // Of each word one with a gap before it, and one with both words before it.
        assert_eq!(columns(WordSpans::Triples), columns(WordSpans::Pairs) + 8);
    }
}
