//! Properties that hold for any input, of the parsers that read what the outside world sends. Each
//! is tried on some hundred random inputs (`PROPTEST_CASES=100000 cargo test property::` tries
//! more), and an input that breaks one is shrunk to the smallest that still does.

mod answers;
mod documents;
mod frames;
mod ignores;
mod redaction;
mod streams;

use proptest::prelude::*;

/// As many cases as take a second or so, unless the environment asks for more. What failed is
/// printed and belongs into a test of its own; no file of seeds is kept.
#[expect(clippy::disallowed_methods, reason = "how many is a matter of how long one has")]
fn cases(n: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|it| it.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(n), failure_persistence: None, ..Default::default() }
}

/// Texts as files hold them: lines with all kinds of ends, blanks, characters of one to four bytes,
/// marks that join.
fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-z(){};=_ ]{1,6}",
        2 => Just("\n".to_owned()),
        1 => prop_oneof![Just("\r\n"), Just("\r"), Just("\t"), Just("")].prop_map(str::to_owned),
        2 => "[é漢😀🦀ß]{1,2}",
        1 => prop_oneof![Just("e\u{301}"), Just("👩\u{200d}👧"), Just("\u{feff}"), Just("\0")]
            .prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|it| it.concat())
}
