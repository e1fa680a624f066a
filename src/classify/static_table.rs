//! The second block of features: a vector for each word or piece of a word, distilled from a
//! sentence encoder (model/STATIC_TABLE.md). A text's vector is the mean of its words', so that it
//! is a look-up; texts that mean the like are near each other though they share no word.
//!
//! Arora et al. 2017, "A simple but tough-to-beat baseline for sentence embeddings"; Model2Vec
//! (Minish Lab 2024) for the distillation.

use std::collections::HashMap;
use std::sync::LazyLock;

static BYTES: &[u8] = include_bytes!("../../model/static-table.bin");
const MAGIC: &[u8] = b"keyside-static-1";
/// Longer words are made up of signs that mean nothing.
const MAX_WORD_CHARS: usize = 100;
/// Before a piece that is not the first of its word.
const CONTINUES: &str = "##";

/// The table, read where it lies.
#[derive(Debug)]
pub struct StaticTable {
    rows: HashMap<&'static str, u32>,
    n_dimensions: usize,
    /// What each row's numbers are multiplied with.
    scales: Vec<f32>,
    /// Rows of `n_dimensions` signed bytes.
    values: &'static [u8],
}

impl StaticTable {
    /// The table in this program; `None` where it was built with another file.
    pub fn embedded() -> Option<&'static Self> {
        static TABLE: LazyLock<Option<StaticTable>> = LazyLock::new(|| StaticTable::read(BYTES));
        TABLE.as_ref()
    }

    fn read(bytes: &'static [u8]) -> Option<Self> {
        let number = |at: usize| {
            let four = bytes.get(at..at + 4)?.try_into().ok()?;
            Some(u32::from_le_bytes(four) as usize)
        };
        if !bytes.starts_with(MAGIC) {
            return None;
        }
        let (n_rows, n_dimensions) = (number(MAGIC.len())?, number(MAGIC.len() + 4)?);
        let mut at = MAGIC.len() + 8;
        let mut rows = HashMap::with_capacity(n_rows);
        for row in 0..n_rows {
            let n_bytes = usize::from(*bytes.get(at)?);
            let name = bytes.get(at + 1..at + 1 + n_bytes)?;
            rows.insert(std::str::from_utf8(name).ok()?, row as u32);
            at += 1 + n_bytes;
        }
        let (scales, values) = bytes.get(at..)?.split_at_checked(4 * n_rows)?;
        let scales =
            scales.chunks_exact(4).map(|it| f32::from_le_bytes([it[0], it[1], it[2], it[3]]));
        let is_whole = values.len() == n_rows * n_dimensions;
        is_whole.then(|| Self { rows, n_dimensions, scales: scales.collect(), values })
    }

    pub fn n_dimensions(&self) -> usize {
        self.n_dimensions
    }

    /// The vector of a text, of length 1; zeros where no word is known.
    pub fn vector(&self, text: &str) -> Vec<f32> {
        let mut sum = vec![0.0; self.n_dimensions];
        let mut piece = String::new();
        each_word(text, |word| self.each_piece(word, &mut piece, |row| self.add(row, &mut sum)));
        let length = sum.iter().map(|it| it * it).sum::<f32>().sqrt();
        if length > 0.0 {
            sum.iter_mut().for_each(|it| *it /= length);
        }
        sum
    }

    fn add(&self, row: u32, sum: &mut [f32]) {
        let row = row as usize;
        let scale = self.scales[row];
        let values = &self.values[row * self.n_dimensions..(row + 1) * self.n_dimensions];
        for (sum, value) in sum.iter_mut().zip(values) {
            *sum += scale * f32::from(*value as i8);
        }
    }

    /// The longest pieces that the table has, from the left (Wu et al. 2016, arXiv:1609.08144). A
    /// word with a sign that it lacks has none.
    fn each_piece(&self, word: &str, piece: &mut String, mut found: impl FnMut(u32)) {
        let mut rows = Vec::new();
        let mut rest = word;
        while !rest.is_empty() {
            let mut end = rest.len();
            let row = loop {
                piece.clear();
                if rest.len() < word.len() {
                    piece.push_str(CONTINUES);
                }
                piece.push_str(&rest[..end]);
                match self.rows.get(piece.as_str()) {
                    Some(row) => break *row,
                    None => match rest[..end].char_indices().next_back() {
                        Some((before @ 1.., _)) => end = before,
                        _ => return,
                    },
                }
            };
            rows.push(row);
            rest = &rest[end..];
        }
        rows.into_iter().for_each(&mut found);
    }
}

/// The words of a text in small letters: runs of letters and digits, cut where a small letter or a
/// digit is followed by a capital, and each other sign that is no blank. As `words` of
/// model/pipeline/static_table.py.
fn each_word(text: &str, mut found: impl FnMut(&str)) {
    let mut word = String::new();
    let mut before = ' ';
    for c in text.chars() {
        let is_of_word = c.is_alphanumeric();
        let is_cut = before.is_ascii_lowercase() || before.is_ascii_digit();
        if !word.is_empty() && (!is_of_word || (is_cut && c.is_ascii_uppercase())) {
            end_word(&mut word, &mut found);
        }
        before = c;
        if is_of_word {
            word.extend(c.to_lowercase());
        } else if !c.is_whitespace() {
            found(c.encode_utf8(&mut [0; 4]));
        }
    }
    end_word(&mut word, &mut found);
}

fn end_word(word: &mut String, found: &mut impl FnMut(&str)) {
    if !word.is_empty() && word.chars().nth(MAX_WORD_CHARS).is_none() {
        found(word);
    }
    word.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut all = Vec::new();
        each_word(text, |it| all.push(it.to_owned()));
        all
    }

    #[test]
    fn words_are_those_of_the_pipeline() {
        // The same line is in model/tests/test_static_table.py.
        assert_eq!(
            words("Add `AeadInPlace::max_len`, Größe of utf8Text!"),
            [
                "add", "`", "aead", "in", "place", ":", ":", "max", "_", "len", "`", ",", "größe",
                "of", "utf8", "text", "!"
            ]
        );
        assert_eq!(words(" \n"), [""; 0]);
    }

    #[test]
    fn the_table_in_the_program_knows_what_is_alike() {
        let table = StaticTable::embedded().expect("the file that it was built with");
        let alike = |a: &str, b: &str| -> f32 {
            let (a, b) = (table.vector(a), table.vector(b));
            a.iter().zip(&b).map(|(a, b)| a * b).sum()
        };
        assert!((alike("a crash", "a crash") - 1.0).abs() < 1e-4);
        let (near, far) = (alike("it crashes", "panic and abort"), alike("it crashes", "new logo"));
        assert!(near > far + 0.1, "{near} {far}");
        assert_eq!(table.vector("日本語"), vec![0.0; table.n_dimensions()]);
    }

    #[test]
    fn a_file_that_was_cut_is_no_table() {
        for n in [0, 5, 16, 20, 24, 1_000, BYTES.len() - 1] {
            assert!(StaticTable::read(&BYTES[..n]).is_none(), "{n} bytes");
        }
    }
}
