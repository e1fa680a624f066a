//! JSON as providers send it, halves of UTF-16 pairs included: a pair that was cut in two between
//! two events is one character again.

use serde_json::Value;

use crate::stdx::utf16::lone_halves;

/// Halves stand for themselves as the last characters of the last private plane while they are on
/// their way.
const FIRST_STAND_IN: u32 = 0x10_f800;
const FIRST_HALF: u32 = 0xd800;
const FIRST_LOW_HALF: u32 = 0xdc00;

/// A parsed text.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) value: Value,
    /// Strings in it may hold stand-ins of lone halves; see [`Halves`].
    pub(crate) has_halves: bool,
}

/// Parses JSON. `None`: it is none.
pub(crate) fn parse(text: &str) -> Option<Parsed> {
    if let Ok(value) = serde_json::from_str(text) {
        return Some(Parsed { value, has_halves: false });
    }
    let halves = lone_halves(text);
    if halves.is_empty() {
        return None;
    }
    let mut mended = String::with_capacity(text.len());
    let mut done_until = 0;
    for half in halves {
        mended.push_str(&text[done_until..half.range.start]);
        let stand_in = FIRST_STAND_IN + (u32::from(half.unit) - FIRST_HALF);
        mended.push(char::from_u32(stand_in).unwrap_or(char::REPLACEMENT_CHARACTER));
        done_until = half.range.end;
    }
    mended.push_str(&text[done_until..]);
    let value = serde_json::from_str(&mended).ok()?;
    Some(Parsed { value, has_halves: true })
}

/// Joins halves of pairs over several texts. A half whose other half does not come is U+FFFD.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Halves {
    /// The first half of a pair, which the next text may complete.
    pending: Option<u32>,
}

impl Halves {
    /// The text with its stand-ins made characters.
    pub(crate) fn join(&mut self, text: &str) -> String {
        let mut joined = String::with_capacity(text.len());
        for c in text.chars() {
            let half = u32::from(c).checked_sub(FIRST_STAND_IN).map(|it| it + FIRST_HALF);
            match half {
                Some(low) if low >= FIRST_LOW_HALF => {
                    let both = self.pending.take().and_then(|high| {
                        char::from_u32(
                            0x1_0000 + ((high - FIRST_HALF) << 10) + (low - FIRST_LOW_HALF),
                        )
                    });
                    joined.push(both.unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                high => {
                    joined.push_str(self.finish());
                    match high {
                        Some(high) => self.pending = Some(high),
                        None => joined.push(c),
                    }
                }
            }
        }
        joined
    }

    /// Whether a half waits for the other.
    pub(crate) fn is_waiting(self) -> bool {
        self.pending.is_some()
    }

    /// What a half that waits in vain becomes; empty where none waits.
    pub(crate) fn finish(&mut self) -> &'static str {
        if self.pending.take().is_some() { "\u{fffd}" } else { "" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(parts: &[&str]) -> String {
        let mut halves = Halves::default();
        let mut joined = String::new();
        for part in parts {
            let parsed = parse(part).expect("JSON");
            joined.push_str(&halves.join(parsed.value.as_str().expect("a string")));
        }
        joined + halves.finish()
    }

    #[test]
    fn a_pair_in_two_texts_is_one_character() {
        for (parts, expected) in [
            (&[r#""a\ud83d""#, r#""\ude00b""#][..], "a\u{1f600}b"),
            (&[r#""\ud83d\ude00\ud83d""#, r#""""#, r#""\ude00""#], "\u{1f600}\u{1f600}"),
            (&[r#""\ud83d""#, r#""x""#], "\u{fffd}x"),
            (&[r#""\ude00x""#], "\u{fffd}x"),
            (&[r#""\ud83d""#, r#""\ud83d""#, r#""\ude00""#], "\u{fffd}\u{1f600}"),
            (&[r#""\ud83d""#], "\u{fffd}"),
            (&[r#""\udbff""#, r#""\udfff""#], "\u{10ffff}"),
            (&[r#""\\ud83d""#], "\\ud83d"),
        ] {
            assert_eq!(joined(parts), expected, "{parts:?}");
        }
        assert!(parse("{\"a\": \"\\ud83d\"").is_none());
        assert!(parse("hello").is_none());
    }
}
