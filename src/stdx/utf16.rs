//! Halves of UTF-16 pairs in JSON: `\ud83d` without the `\ude00` that belongs behind it. Programs
//! that count text in UTF-16 units cut pairs in two and send the halves one after the other; a JSON
//! parser takes neither.

use std::ops::Range;

/// Half of a pair, as a JSON escape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoneHalf {
    /// The six bytes of the escape.
    pub range: Range<usize>,
    /// 0xD800 to 0xDFFF; the first half of a pair is below 0xDC00.
    pub unit: u16,
}

/// The escapes of a JSON text that are half of a pair without the other half, in their order.
pub fn lone_halves(json: &str) -> Vec<LoneHalf> {
    let bytes = json.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = bytes.get(at..).and_then(|rest| memchr::memchr(b'\\', rest)) {
        at += next;
        match half_at(bytes, at) {
            Some(0xd800..=0xdbff) if half_at(bytes, at + 6).is_some_and(|unit| unit >= 0xdc00) => {
                at += 12;
            }
            Some(unit) => {
                found.push(LoneHalf { range: at..at + 6, unit });
                at += 6;
            }
            // Two bytes of any escape, so that `\\u` is not taken for the beginning of one.
            None => at += 2,
        }
    }
    found
}

fn half_at(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    let unit = u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    (0xd800..=0xdfff).contains(&unit).then_some(unit)
}
