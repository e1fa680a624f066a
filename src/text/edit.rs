//! Applies the editor's edits to a rope, one after the other, as the protocol orders them.

use ropey::Rope;

use crate::text::position::{LineRange, PositionEncoding, place};

/// What stands for half of a UTF-16 pair, which a UTF-8 text can't hold. It is one UTF-16 unit and
/// one character, as the half is, so that every later utf-16 and utf-32 position still means the
/// same place.
pub const LONE_HALF: char = '\u{fffd}';

/// One content change: `text` replaces `range`, or everything where there is no range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub range: Option<LineRange>,
    pub text: String,
}

/// Applies one change. Total: positions outside the text are clamped, a reversed range is turned
/// round, and a range that cuts a UTF-16 pair in two leaves [`LONE_HALF`] for the half that stays.
pub fn apply(rope: &mut Rope, change: &Change, encoding: PositionEncoding) {
    let Some(range) = change.range else {
        *rope = Rope::from_str(&change.text);
        return;
    };
    let (start, end) =
        if range.start <= range.end { (range.start, range.end) } else { (range.end, range.start) };
    let start = place(rope, start, encoding);
    let end = place(rope, end, encoding);
    let from = start.char_index;
    let to =
        (end.char_index + usize::from(end.inside_pair)).max(from + usize::from(start.inside_pair));
    rope.remove(from..to);
    let mut at = from;
    if start.inside_pair {
        rope.insert_char(at, LONE_HALF);
        at += 1;
    }
    rope.insert(at, &change.text);
    if end.inside_pair {
        rope.insert_char(at + change.text.chars().count(), LONE_HALF);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::position::LinePosition;

    fn edited(before: &str, range: [u32; 4], text: &str, encoding: PositionEncoding) -> String {
        let [start_line, start_column, end_line, end_column] = range;
        let range = Some(LineRange {
            start: LinePosition { line: start_line, column: start_column },
            end: LinePosition { line: end_line, column: end_column },
        });
        let mut rope = Rope::from_str(before);
        apply(&mut rope, &Change { range, text: text.to_owned() }, encoding);
        rope.to_string()
    }

    #[test]
    fn a_range_is_replaced() {
        assert_eq!(edited("a😀b", [0, 3, 0, 4], "c", PositionEncoding::Utf16), "a😀c");
        assert_eq!(edited("a\r\nb", [0, 1, 1, 0], "", PositionEncoding::Utf16), "ab");
    }

    #[test]
    fn a_reversed_range_is_turned_round() {
        assert_eq!(edited("abcd", [0, 3, 0, 1], "x", PositionEncoding::Utf16), "axd");
    }

    #[test]
    fn outside_the_text_means_its_end() {
        assert_eq!(edited("ab", [9, 9, 9, 9], "c", PositionEncoding::Utf16), "abc");
        assert_eq!(edited("ab\ncd", [0, 7, 0, 9], "!", PositionEncoding::Utf8), "ab!\ncd");
    }

    #[test]
    fn half_a_pair_keeps_its_width() {
        // The low half goes, the high half stays: one UTF-16 unit less than before.
        assert_eq!(edited("a😀b", [0, 2, 0, 3], "", PositionEncoding::Utf16), "a\u{fffd}b");
        assert_eq!(edited("a😀b", [0, 1, 0, 2], "", PositionEncoding::Utf16), "a\u{fffd}b");
        assert_eq!(
            edited("a😀b", [0, 2, 0, 2], "-", PositionEncoding::Utf16),
            "a\u{fffd}-\u{fffd}b"
        );
        assert_eq!(
            edited("😀x😀", [0, 1, 0, 4], "y", PositionEncoding::Utf16),
            "\u{fffd}y\u{fffd}"
        );
    }

    #[test]
    fn no_range_replaces_everything() {
        let mut rope = Rope::from_str("old");
        let change = Change { range: None, text: "new\r\n".to_owned() };
        apply(&mut rope, &change, PositionEncoding::Utf16);
        assert_eq!(rope.to_string(), "new\r\n");
    }
}
