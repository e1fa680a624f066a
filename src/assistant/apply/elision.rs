//! Places where a model has written "and so on" for code that it did not repeat.

use crate::text::language::{BareDots, Language};

/// Words of which one stands beside the dots.
const LEFT_OUT: &[&str] = &[
    "existing",
    "rest",
    "remaining",
    "unchanged",
    "same",
    "omitted",
    "other",
    "previous",
    "original",
    "before",
    "code",
    "implementation",
    "snip",
    "more",
    "keep",
    "as is",
];

/// Phrases that need no dots, as long as code is missing.
const PHRASES: &[&str] = &[
    "rest unchanged",
    "remains unchanged",
    "remain unchanged",
    "rest of the code",
    "rest of the function",
    "rest of the implementation",
    "rest of the method",
    "rest of the class",
    "rest of the file",
    "rest of code",
    "rest is the same",
    "existing code",
    "remaining code",
    "code unchanged",
    "unchanged code",
    "same as before",
    "omitted for brevity",
    "previous code",
    "no changes here",
    "keep the rest",
    "your code here",
];

/// How comments begin and end, whatever the language: a model that leaves code out may do so in
/// another one's. The longer before what they begin with.
const OPENERS: &[&str] = &["{/*", "<!--", "/*", "///", "//", "--", "#"];
const CLOSERS: &[&str] = &["*/}", "*/", "-->"];

/// The first line of a replacement that stands for code that is not there. Lines that the original
/// has as well stand for themselves.
pub(super) fn first_elision<'a>(
    original: &str,
    replacement: &'a str,
    language_id: &str,
) -> Option<&'a str> {
    let is_shorter = n_lines_of_code(replacement) < n_lines_of_code(original);
    replacement.lines().map(str::trim).find(|line| {
        let is_elision = comment_of(line).is_some_and(|it| is_elision(it, is_shorter))
            || is_bare_dots(line, language_id);
        is_elision && !original.lines().any(|it| it.trim() == *line)
    })
}

/// Lines that are not blank.
pub(super) fn n_lines_of_code(text: &str) -> usize {
    text.lines().filter(|it| !it.trim().is_empty()).count()
}

/// The text of a line's comment. What only looks like one, within a string, is taken for one as
/// well.
fn comment_of(line: &str) -> Option<&str> {
    let (at, opener) = OPENERS
        .iter()
        .filter_map(|opener| Some((line.find(opener)?, *opener)))
        .min_by_key(|(at, _)| *at)?;
    let comment = &line[at + opener.len()..];
    let end = CLOSERS.iter().filter_map(|it| comment.find(it)).min().unwrap_or(comment.len());
    Some(comment[..end].trim_matches(|c: char| c.is_whitespace() || "/*#-([)]".contains(c)))
}

fn is_elision(comment: &str, is_shorter: bool) -> bool {
    let comment = comment.to_lowercase().replace('\u{2026}', "...");
    let has_dots = comment.starts_with("...") || comment.ends_with("...");
    let words = comment.trim_matches(['.', ' ']);
    if words.is_empty() {
        return has_dots;
    }
    let is_about_code = LEFT_OUT.iter().any(|it| words.contains(it));
    has_dots && is_about_code && (words.split_whitespace().count() <= 8)
        || is_shorter && PHRASES.iter().any(|it| words.contains(it))
}

/// Dots where code would be, in a language in which they are no code.
fn is_bare_dots(line: &str, language_id: &str) -> bool {
    let line: String = line.replace('\u{2026}', "...").split_whitespace().collect();
    match Language::of_id(language_id).map_or(BareDots::Elision, |it| it.bare_dots) {
        BareDots::Code => false,
        BareDots::ElisionAlone => line == "...",
        BareDots::Elision => line == "..." || line.ends_with("{...}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_code_that_is_not_there() {
        let original = "fn a() {\n    b();\n    c();\n    d();\n}\n";
        for line in [
            "// ... existing code ...",
            "// ...",
            "/* \u{2026} */",
            "# ... rest of the function",
            "{/* ... other props ... */}",
            "-- remaining code unchanged",
            "<!-- ... -->",
            "b(); // ...",
            "fn c() { ... }",
            "fn c() { /* ... */ }",
            "...",
            "// [rest unchanged]",
            "// (implementation omitted for brevity)",
        ] {
            let replacement = format!("fn a() {{\n    {line}\n}}\n");
            assert_eq!(first_elision(original, &replacement, "rust"), Some(line));
            // Unless it was there.
            let original = format!("{original}    {line}\n");
            assert_eq!(first_elision(&original, &replacement, "rust"), None, "{line}");
        }
    }

    #[test]
    fn what_only_looks_like_it() {
        let original = "fn a() {\n    b();\n}\n";
        for line in [
            "// Wait for it...",
            "// The rest of the code points are ASCII.",
            "let url = \"http://example.org/...\";",
            "a[1..].iter();",
            "let b = B { c, ..d };",
            "call(...args);",
            "// Keep the order of the existing rows.",
        ] {
            let replacement = format!("fn a() {{\n    {line}\n    b();\n}}\n");
            assert_eq!(first_elision(original, &replacement, "rust"), None, "{line}");
        }
        assert_eq!(first_elision("a\nb\nc", "def a():\n    ...\n", "python"), None);
        assert_eq!(first_elision("a\nb\nc", "local t = {...}\n", "lua"), None);
    }
}
