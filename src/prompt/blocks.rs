//! Blocks of lines that are tokenised each alone, with the tokens that they have in the whole text.

use std::ops::Range;

use crate::lm::TextSplits;

/// A block of lines as a tokenizer gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextBlock {
    /// Which of the lines is its first.
    pub first_line: usize,
    pub text: String,
}

/// The blocks of whole lines; joined, they are the text.
pub fn blocks_of(lines: &[String], splits: TextSplits) -> Vec<TextBlock> {
    let ranges = match splits {
        TextSplits::Nowhere if lines.is_empty() => Vec::new(),
        TextSplits::Nowhere => std::iter::once(0..lines.len()).collect(),
        TextSplits::BeforeLines | TextSplits::AfterLines => ranges_of(lines),
    };
    let n_ranges = ranges.len();
    let mut blanks_before = String::new();
    let mut blocks = Vec::with_capacity(n_ranges);
    for (number, range) in ranges.into_iter().enumerate() {
        let first_line = range.start;
        let mut text = std::mem::take(&mut blanks_before);
        lines[range].iter().for_each(|it| text.push_str(it));
        if splits == TextSplits::AfterLines && number + 1 < n_ranges {
            blanks_before = text.split_off(text.trim_end().len());
        }
        blocks.push(TextBlock { first_line, text });
    }
    blocks
}

/// Takes the blanks and breaks at the end of the last block off it, for [`TextSplits::AfterLines`]:
/// they have tokens with the line that is next.
pub fn cut_off_last_break(blocks: &mut [TextBlock]) -> String {
    let last = blocks.last_mut();
    last.map_or_else(String::new, |it| it.text.split_off(it.text.trim_end().len()))
}

/// Lines that belong together: each range ends before a line that is not blank. (A run of line
/// breaks and blanks is one pre-token, so it must not be cut.)
fn ranges_of(lines: &[String]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    for at in 1..=lines.len() {
        if at == lines.len() || !lines[at].trim().is_empty() {
            ranges.push(start..at);
            start = at;
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(lines: &[&str], splits: TextSplits) -> Vec<(usize, String)> {
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        blocks_of(&lines, splits).into_iter().map(|it| (it.first_line, it.text)).collect()
    }

    #[test]
    fn blocks_end_at_lines_that_are_not_blank() {
        let lines = ["a\n", "\n", "  \n", "  b\n", "c\n"];
        let owned = |all: &[(usize, &str)]| -> Vec<(usize, String)> {
            all.iter().map(|(line, text)| (*line, (*text).to_owned())).collect()
        };
        let before = owned(&[(0, "a\n\n  \n"), (3, "  b\n"), (4, "c\n")]);
        assert_eq!(shown(&lines, TextSplits::BeforeLines), before);
        let after = owned(&[(0, "a"), (3, "\n\n  \n  b"), (4, "\nc\n")]);
        assert_eq!(shown(&lines, TextSplits::AfterLines), after);
        assert_eq!(shown(&lines, TextSplits::Nowhere), owned(&[(0, &lines.concat())]));
        for splits in [TextSplits::BeforeLines, TextSplits::AfterLines, TextSplits::Nowhere] {
            assert!(shown(&[], splits).is_empty());
        }
    }

    #[test]
    fn the_last_break_goes_with_the_next_line() {
        let lines = ["a\n".to_owned(), "  b\n".to_owned(), "\n".to_owned()];
        let mut blocks = blocks_of(&lines, TextSplits::AfterLines);
        assert_eq!(cut_off_last_break(&mut blocks), "\n\n");
        assert_eq!(blocks[1].text, "\n  b");
        assert_eq!(cut_off_last_break(&mut []), "");
    }
}
