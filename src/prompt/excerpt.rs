//! What of a document a completion looks at: a bounded stretch of text around the caret.
//!
//! Bounded in lines and in characters, so that a file of 200,000 lines or a line of 20 MB costs
//! what a small file costs. Where something has to be cut at a moving end, it is cut in steps, so
//! that the excerpt does not slide with each key and the resident prompt stays valid.

use std::borrow::Cow;

use ropey::Rope;

use crate::prompt::lexis::Lexis;
use crate::text::lines::lines_of;
use crate::text::position::line_end_char;

/// Lines looked at before the caret's line.
const MAX_LINES_BEFORE: usize = 256;
/// Where the excerpt's beginning is cut, it is cut at multiples of this many lines, so that it does
/// not move on with each line that is typed.
const LINE_STEP: usize = 64;
/// Lines looked at after the caret.
const MAX_LINES_AFTER: usize = 64;
/// Characters looked at before the caret's line, and after the caret.
const MAX_CHARS: usize = 16_384;
/// Characters of the caret's own line before the caret; what is over is cut in steps of half of it.
const MAX_LINE_CHARS: usize = 1_024;

/// The text around a caret. Line breaks are `\n` throughout, as the models saw them in training.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// Whole lines before the caret's line, the last one ending in a line break.
    pub lines_before: Vec<String>,
    /// The zero-based number of the first of them in the document.
    pub first_line: usize,
    /// The caret's line up to the caret.
    pub line_before: String,
    /// The caret's line after the caret, without its line break.
    pub line_after: String,
    /// Whole lines after the caret's line; empty where the caret's line is the last and has no
    /// break.
    pub lines_after: Vec<String>,
    /// The document uses `\r\n`.
    pub crlf: bool,
    /// How the document's language writes strings and comments. Set by whoever knows the language.
    pub lexis: &'static Lexis,
}

impl Excerpt {
    /// Cuts the excerpt at a caret, given as a character index that is clamped to the text.
    pub fn around(rope: &Rope, caret: usize) -> Self {
        let caret = caret.min(rope.len_chars());
        let line = rope.char_to_line(caret);
        let line_start = rope.line_to_char(line);
        let line_end = line_end_char(rope, line).max(caret);

        let columns = caret - line_start;
        let step = MAX_LINE_CHARS / 2;
        let skipped = if columns > MAX_LINE_CHARS {
            (columns - MAX_LINE_CHARS).div_ceil(step) * step
        } else {
            0
        };
        let line_before = rope.slice(line_start + skipped..caret).to_string();
        let line_after = rope.slice(caret..line_end.min(caret + MAX_LINE_CHARS)).to_string();

        let earliest = line.saturating_sub(MAX_LINES_BEFORE).next_multiple_of(LINE_STEP);
        let from = line_start.saturating_sub(MAX_CHARS);
        let mut first_line = earliest;
        if rope.line_to_char(earliest) < from {
            // Too long before the lines run out: from the next step on, if that leaves anything.
            first_line = rope.char_to_line(from - 1) + 1;
            let step = first_line.next_multiple_of(LINE_STEP);
            first_line = if step < line { step } else { first_line };
        }
        let lines_before = lines_between(rope, rope.line_to_char(first_line), line_start);

        let mut lines_after = Vec::new();
        let mut crlf = false;
        if line + 1 < rope.len_lines() {
            let after = rope.line_to_char(line + 1);
            crlf = rope.char(after - 1) == '\n' && after - line_end == 2;
            let mut last = rope.len_lines().min(line + 1 + MAX_LINES_AFTER);
            if rope.line_to_char(last) > after + MAX_CHARS {
                last = rope.char_to_line(after + MAX_CHARS);
            }
            lines_after = lines_between(rope, after, rope.line_to_char(last));
            // A rope's last line may be empty.
            lines_after.extend((lines_after.len() < last - (line + 1)).then(String::new));
        } else if line > 0 {
            crlf = line_start >= 2 && rope.char(line_start - 2) == '\r';
        }
        Self {
            lines_before,
            first_line,
            line_before,
            line_after,
            lines_after,
            crlf,
            lexis: <&Lexis>::default(),
        }
    }
}

/// Lines between two places, their breaks made `\n`. All at once, because each look-up of a line
/// goes down the rope's tree.
fn lines_between(rope: &Rope, from: usize, to: usize) -> Vec<String> {
    let text = Cow::from(rope.slice(from..to));
    lines_of(&text)
        .map(|line| {
            let content = line.trim_end_matches(['\n', '\r']);
            let mut plain = String::with_capacity(line.len());
            plain.push_str(content);
            plain.extend((content.len() < line.len()).then_some('\n'));
            plain
        })
        .collect()
}

/// The excerpt at the `$0` of a text.
#[cfg(test)]
pub(crate) fn at(marked: &str) -> Excerpt {
    let caret = marked.find("$0").expect("the text marks the caret with $0");
    let text = marked.replacen("$0", "", 1);
    Excerpt::around(&Rope::from_str(&text), marked[..caret].chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_around_the_caret() {
        let excerpt = at("a\r\nb😀$0c\r\nd\r\n");
        assert_eq!(excerpt.lines_before, ["a\n"]);
        assert_eq!(excerpt.line_before, "b😀");
        assert_eq!(excerpt.line_after, "c");
        assert_eq!(excerpt.lines_after, ["d\n", ""]);
        assert!(excerpt.crlf);
        assert!(!at("a\nb$0").crlf);
        assert!(at("a\r\nb$0").crlf);
    }

    #[test]
    fn an_empty_text() {
        assert_eq!(at("$0"), Excerpt::default());
    }

    #[test]
    fn a_huge_line_is_cut_in_steps() {
        let text = "x".repeat(5_000_000);
        let rope = Rope::from_str(&text);
        let lengths: Vec<usize> =
            (0..600).map(|i| Excerpt::around(&rope, 4_000_000 + i).line_before.len()).collect();
        assert!(lengths.iter().all(|n| (512..=1_024).contains(n)), "{lengths:?}");
        let slides = lengths.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
        assert!(slides <= 2, "the cut moved {slides} times in 600 keys");
    }

    #[test]
    fn the_beginning_does_not_slide_with_each_line() {
        for line in ["x\n".to_owned(), format!("{}\n", "y".repeat(120))] {
            let rope = Rope::from_str(&line.repeat(2_000));
            let first_lines: Vec<usize> = (1_000..1_300)
                .map(|line| Excerpt::around(&rope, rope.line_to_char(line)).first_line)
                .collect();
            let moves = first_lines.windows(2).filter(|pair| pair[0] != pair[1]).count();
            assert!((3..=6).contains(&moves), "{moves} moves in 300 lines");
        }
    }

    #[test]
    fn many_lines_are_bounded() {
        let text = "line\n".repeat(200_000);
        let excerpt = Excerpt::around(&Rope::from_str(&text), 500_000);
        assert!(
            (MAX_LINES_BEFORE - LINE_STEP..=MAX_LINES_BEFORE).contains(&excerpt.lines_before.len())
        );
        assert_eq!(excerpt.lines_after.len(), MAX_LINES_AFTER);
        assert_eq!(excerpt.first_line, 100_000 - excerpt.lines_before.len());
    }
}
