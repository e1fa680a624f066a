//! Every grammar and its query proved on a small text: `$0` marks a caret, two of them a selection.

mod compiled;
mod scripts;

use std::fmt::Write;
use std::ops::Range;

use expect_test::Expect;

use super::{ItemKind, Parsed, parse};

/// The text without its marks, and what they mark.
fn marked(text: &str) -> (String, Range<usize>) {
    let mut parts = text.split("$0");
    let before = parts.next().unwrap();
    let selected = parts.next().expect("there is a mark");
    let after = parts.next().unwrap_or_default();
    assert_eq!(parts.next(), None, "two marks at most");
    // One mark is a caret: what follows it is not selected.
    let end =
        if text.matches("$0").count() == 2 { before.len() + selected.len() } else { before.len() };
    (format!("{before}{selected}{after}"), before.len()..end)
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

/// What is known at the mark, and all definitions of the text as another item sees them.
#[track_caller]
fn check(language_id: &str, text: &str, expected: Expect) {
    let (text, selection) = marked(text);
    let parsed = parse(language_id, &text).expect("it is parsed");
    assert_eq!(parsed.error_count(), 0, "the proof is code");
    let mut seen = String::new();
    match parsed.enclosing_item(selection) {
        Some(item) => {
            writeln!(seen, "{:?} {}", item.kind, item.name).unwrap();
            seen += &indented(&text[item.range.clone()]);
            writeln!(seen, "uses {}", parsed.names_used(item.range).join(" ")).unwrap();
        }
        None => seen += "no item\n",
    }
    for item in parsed.definitions() {
        writeln!(seen, "{:?} {}", item.kind, item.name).unwrap();
        seen += &indented(&parsed.seen_from_outside(&item, 3));
    }
    expected.assert_eq(&seen);
}

fn kind_at(parsed: &Parsed, selection: Range<usize>) -> Option<(ItemKind, String)> {
    parsed.enclosing_item(selection).map(|it| (it.kind, it.name))
}

#[test]
fn the_smallest_item_that_holds_the_selection() {
    for (text, expected) in [
        ("$0fn a() {}\n\nfn b() {}\n", "a"),
        ("fn a() {}$0\n\nfn b() {}\n", "a"),
        ("fn a() {}\n$0\nfn b() {}\n", "-"),
        ("fn a() {}\n\n$0fn b() {}\n$0", "b"),
        ("fn $0a() {}\n\nfn b$0() {}\n", "-"),
        ("mod m {\n    $0fn a() {}\n\n    fn b() {}\n$0}\n", "m"),
        ("mod m {\n  $0  /// Doc.\n    fn a() {}\n}\n", "a"),
        ("mod m {\n    // Apart.$0\n\n    fn a() {}\n}\n", "m"),
        ("fn a() {\n    fn inner() {\n        1$0\n    }\n}\n", "inner"),
        ("use a;  $0\nfn a() {}\n", "-"),
        ("let x = 1; // $0why\nfn a() {}\n", "-"),
        ("$0", "-"),
        ("\n \n$0", "-"),
        ("fn a() {\r\n    1$0\r\n}\r\n", "a"),
        ("fn ä() {\n    \"ö$0ü\"\n}\n", "ä"),
    ] {
        let (text, selection) = marked(text);
        let parsed = parse("rust", &text).unwrap();
        let name = kind_at(&parsed, selection).map_or("-".to_owned(), |it| it.1);
        assert_eq!(name, expected, "{text:?}");
    }
}

#[test]
fn a_selection_outside_the_text_is_in_no_item() {
    let parsed = parse("rust", "fn ä() {}").unwrap();
    for selection in [90..91, 4..4, 0..99] {
        assert_eq!(kind_at(&parsed, selection), None);
    }
}

#[test]
fn names_of_a_part() {
    let (text, selection) = marked("fn f(a: A) {\n    $0let b = a + c(a);\n    d(b)$0\n}\n");
    let parsed = parse("rust", &text).unwrap();
    assert_eq!(parsed.names_used(selection), ["a", "c", "d"]);
    assert_eq!(parsed.names_used(0..0), [""; 0]);
}
