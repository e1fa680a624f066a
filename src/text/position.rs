//! Line and column to character index and back, in utf-8, utf-16 and utf-32; nowhere else.
//!
//! Lines end at `\n`, `\r\n` and `\r`, as the language server protocol has it (ropey is built with
//! `cr_lines` and without `unicode_lines` for that). Every conversion is O(log n) in the length of
//! the text, so a single line of 20 MB costs what a short one costs.

use ropey::Rope;

/// What the column of a position counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PositionEncoding {
    /// Bytes of UTF-8.
    Utf8,
    /// Code units of UTF-16, the protocol's default.
    #[default]
    Utf16,
    /// Unicode scalar values.
    Utf32,
}

/// A place in a text: zero-based line, and column in units of the negotiated encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinePosition {
    pub line: u32,
    pub column: u32,
}

/// A half-open stretch of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineRange {
    pub start: LinePosition,
    pub end: LinePosition,
}

/// Where a position falls in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Index of the character at, or around, the position.
    pub char_index: usize,
    /// The position stands between the two UTF-16 halves of the character at `char_index`.
    pub inside_pair: bool,
}

/// Finds a position in the text. Total: a line past the end is the end of the text, a column past
/// the end of its line is the line's end (before the line break), a column inside a UTF-8 sequence
/// is the character's start.
pub fn place(rope: &Rope, position: LinePosition, encoding: PositionEncoding) -> Place {
    let line = position.line as usize;
    if line >= rope.len_lines() {
        return Place { char_index: rope.len_chars(), inside_pair: false };
    }
    let line_start = rope.line_to_char(line);
    let line_end = line_end_char(rope, line);
    let column = position.column as usize;
    let mut inside_pair = false;
    let char_index = match encoding {
        PositionEncoding::Utf32 => line_start.saturating_add(column),
        PositionEncoding::Utf8 => {
            let byte = rope.char_to_byte(line_start).saturating_add(column);
            if byte >= rope.len_bytes() { rope.len_chars() } else { rope.byte_to_char(byte) }
        }
        PositionEncoding::Utf16 => {
            let unit = rope.char_to_utf16_cu(line_start).saturating_add(column);
            if unit >= rope.len_utf16_cu() {
                rope.len_chars()
            } else {
                let char_index = rope.utf16_cu_to_char(unit);
                inside_pair = char_index < line_end && rope.char_to_utf16_cu(char_index) != unit;
                char_index
            }
        }
    };
    Place { char_index: char_index.min(line_end), inside_pair }
}

/// The line and column of a character index, the inverse of [`place`].
pub fn position_of(rope: &Rope, char_index: usize, encoding: PositionEncoding) -> LinePosition {
    let char_index = char_index.min(rope.len_chars());
    let line = rope.char_to_line(char_index);
    let line_start = rope.line_to_char(line);
    let column = match encoding {
        PositionEncoding::Utf32 => char_index - line_start,
        PositionEncoding::Utf8 => rope.char_to_byte(char_index) - rope.char_to_byte(line_start),
        PositionEncoding::Utf16 => {
            rope.char_to_utf16_cu(char_index) - rope.char_to_utf16_cu(line_start)
        }
    };
    // A text of 4 GiB is refused long before this (see lsp/frames.rs), so the casts can't truncate.
    LinePosition { line: line as u32, column: column as u32 }
}

/// The character index of a line's end, before its line break.
pub fn line_end_char(rope: &Rope, line: usize) -> usize {
    if line + 1 >= rope.len_lines() {
        return rope.len_chars();
    }
    let mut end = rope.line_to_char(line + 1);
    let start = rope.line_to_char(line);
    if end > start && rope.char(end - 1) == '\n' {
        end -= 1;
        if end > start && rope.char(end - 1) == '\r' {
            end -= 1;
        }
    } else if end > start && rope.char(end - 1) == '\r' {
        end -= 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, line: u32, column: u32, encoding: PositionEncoding) -> (usize, bool) {
        let found = place(&Rope::from_str(text), LinePosition { line, column }, encoding);
        (found.char_index, found.inside_pair)
    }

    #[test]
    fn columns_count_what_the_encoding_says() {
        let text = "a😀b\né";
        assert_eq!(at(text, 0, 3, PositionEncoding::Utf16), (2, false));
        assert_eq!(at(text, 0, 5, PositionEncoding::Utf8), (2, false));
        assert_eq!(at(text, 0, 2, PositionEncoding::Utf32), (2, false));
        assert_eq!(at(text, 1, 2, PositionEncoding::Utf8), (5, false));
    }

    #[test]
    fn positions_outside_the_text_are_clamped() {
        let text = "one\r\ntwo\rthree\n";
        assert_eq!(at(text, 0, 99, PositionEncoding::Utf16), (3, false));
        assert_eq!(at(text, 1, 99, PositionEncoding::Utf8), (8, false));
        assert_eq!(at(text, 3, 0, PositionEncoding::Utf16), (15, false));
        assert_eq!(at(text, 3, 7, PositionEncoding::Utf16), (15, false));
        assert_eq!(at(text, 77, 7, PositionEncoding::Utf16), (15, false));
        assert_eq!(at("", u32::MAX, u32::MAX, PositionEncoding::Utf16), (0, false));
        assert_eq!(at("x", 0, u32::MAX, PositionEncoding::Utf16), (1, false));
    }

    #[test]
    fn half_a_pair_is_seen() {
        assert_eq!(at("a😀b", 0, 2, PositionEncoding::Utf16), (1, true));
        assert_eq!(at("a😀b", 0, 2, PositionEncoding::Utf8), (1, false));
    }

    #[test]
    fn every_position_comes_back() {
        let text = "fn é() {\r\n\t\"😀\u{301}\"\r}\n\n";
        let rope = Rope::from_str(text);
        for encoding in [PositionEncoding::Utf8, PositionEncoding::Utf16, PositionEncoding::Utf32] {
            for char_index in 0..=rope.len_chars() {
                // Between \r and \n there is no position; the nearest one is before both.
                let inside_crlf = char_index > 0
                    && char_index < rope.len_chars()
                    && rope.char(char_index - 1) == '\r'
                    && rope.char(char_index) == '\n';
                let there = position_of(&rope, char_index, encoding);
                let back = place(&rope, there, encoding).char_index;
                assert_eq!(back, char_index - usize::from(inside_crlf), "{encoding:?}");
            }
        }
    }
}
