//! The document's copy against a plain string, in the three encodings of positions.

use keyside::text::edit::{Change, apply};
use keyside::text::position::{LinePosition, LineRange, PositionEncoding, place, position_of};
use proptest::prelude::*;
use ropey::Rope;

use super::{any_text, cases};

/// Where the lines of a text begin and end, without their breaks.
fn lines(text: &str) -> Vec<(usize, usize)> {
    let (mut lines, mut start) = (Vec::new(), 0);
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let mut end = at + c.len_utf8();
        match c {
            '\r' => end += usize::from(characters.next_if(|it| it.1 == '\n').is_some()),
            '\n' => {}
            _ => continue,
        }
        lines.push((start, at));
        start = end;
    }
    lines.push((start, text.len()));
    lines
}

/// The model: positions are counted by scanning, and in UTF-16 the text is cut between units, each
/// side for itself.
fn edited(text: &str, range: [LinePosition; 2], new: &str, encoding: PositionEncoding) -> String {
    let lines = lines(text);
    let units = |text: &str| text.encode_utf16().collect::<Vec<u16>>();
    // Bytes, or units of UTF-16 where those are counted.
    let at = |position: LinePosition| {
        let Some(&(start, end)) = lines.get(position.line as usize) else {
            return if encoding == PositionEncoding::Utf16 {
                units(text).len()
            } else {
                text.len()
            };
        };
        let column = position.column as usize;
        let line = &text[start..end];
        match encoding {
            PositionEncoding::Utf16 => units(&text[..start]).len() + column.min(units(line).len()),
            PositionEncoding::Utf8 => start + line.floor_char_boundary(column.min(line.len())),
            PositionEncoding::Utf32 => {
                start + line.char_indices().nth(column).map_or(line.len(), |it| it.0)
            }
        }
    };
    let [start, end] = if range[0] <= range[1] { range } else { [range[1], range[0]] };
    let (start, end) = (at(start), at(end));
    if encoding == PositionEncoding::Utf16 {
        let units = units(text);
        let (before, after) = (&units[..start], &units[end..]);
        String::from_utf16_lossy(before) + new + &String::from_utf16_lossy(after)
    } else {
        format!("{}{new}{}", &text[..start], &text[end..])
    }
}

fn any_encoding() -> impl Strategy<Value = PositionEncoding> {
    use PositionEncoding::{Utf8, Utf16, Utf32};
    prop_oneof![Just(Utf8), Just(Utf16), Just(Utf32)]
}

/// Mostly in the text, now and then far outside.
fn any_position() -> impl Strategy<Value = LinePosition> {
    let number = |usual: u32| prop_oneof![20 => 0..usual, 1 => any::<u32>()];
    (number(8), number(30)).prop_map(|(line, column)| LinePosition { line, column })
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn edits_give_what_a_plain_string_gives(
        text in any_text(),
        edits in prop::collection::vec((any_position(), any_position(), any_text()), 1..6),
        encoding in any_encoding(),
    ) {
        let (mut rope, mut model) = (Rope::from_str(&text), text);
        for (start, end, text) in edits {
            let expected = edited(&model, [start, end], &text, encoding);
            apply(&mut rope, &Change { range: Some(LineRange { start, end }), text }, encoding);
            prop_assert_eq!(rope.to_string(), expected.clone());
            model = expected;
        }
    }

    #[test]
    fn a_characters_position_leads_back_to_it(text in any_text(), encoding in any_encoding()) {
        let rope = Rope::from_str(&text);
        for at in 0..=rope.len_chars() {
            let between = at > 0 && rope.get_char(at) == Some('\n') && rope.char(at - 1) == '\r';
            if !between {
                let found = place(&rope, position_of(&rope, at, encoding), encoding);
                prop_assert_eq!((found.char_index, found.inside_pair), (at, false));
            }
        }
    }
}
