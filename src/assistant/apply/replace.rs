//! An answer's code in the place of what was asked about, or the reason why not.

use std::ops::Range;

use super::NotApplied;
use super::elision::{first_elision, n_lines_of_code};
use super::indentation::{indentation_of, indented};

/// A replacement may be so many times as long as the original, and so many bytes more.
const MAX_GROWTH: usize = 10;
const MAX_GROWTH_BYTES: usize = 20_000;
/// A replacement of this many lines of code or more may not shrink to less than a quarter.
const LEAST_LINES_TO_LOSE: usize = 20;

/// A document with a replacement in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// The whole document as it is wanted.
    pub text: String,
    /// What was replaced, in bytes of the old document: the range asked about without the blanks at
    /// its ends.
    pub old: Range<usize>,
    /// Where the replacement stands in the new one.
    pub new: Range<usize>,
}

/// Puts a replacement into the place of `range`, which has to hold `original`: with the line ends
/// that are there, the blanks around it as they were, and indented if it is dedented as a whole.
///
/// Errors: the document has changed, or the replacement is none: it is empty, far too long or too
/// short, leaves code out, or changes nothing.
pub fn replaced(
    document: &str,
    range: Range<usize>,
    original: &str,
    replacement: &str,
    language_id: &str,
) -> Result<Replaced, NotApplied> {
    if document.get(range.clone()) != Some(original) {
        return Err(NotApplied::DocumentChanged);
    }
    let replacement = replacement.replace("\r\n", "\n");
    let replacement = without_blank_ends(&replacement);
    let old = core_of(original, range);
    let core = &document[old.clone()];
    let core_lf = core.replace("\r\n", "\n");
    if replacement.is_empty() {
        return Err(NotApplied::NoCode);
    }
    let base = base_of(&document[..old.start]);
    let mut piece = indented(replacement, &core_lf, base);
    if piece == core_lf {
        return Err(NotApplied::Unchanged);
    }
    is_a_replacement(&core_lf, &piece, language_id)?;
    if has_crlf(core).or_else(|| has_crlf(document)).unwrap_or(false) {
        piece = piece.replace('\n', "\r\n");
    }
    let text = [&document[..old.start], &piece, &document[old.end..]].concat();
    let new = old.start..old.start + piece.len();
    Ok(Replaced { text, old, new })
}

/// Whether an edit leaves a document with no more errors than it had, counted by `syntax`. Errors:
/// it does not.
pub fn has_no_new_errors(n_errors_before: usize, n_errors_after: usize) -> Result<(), NotApplied> {
    if n_errors_after <= n_errors_before {
        return Ok(());
    }
    Err(NotApplied::NewErrors)
}

fn is_a_replacement(
    original: &str,
    replacement: &str,
    language_id: &str,
) -> Result<(), NotApplied> {
    if original.is_empty() {
        return Ok(());
    }
    if first_elision(original, replacement, language_id).is_some() {
        return Err(NotApplied::LeavesCodeOut);
    }
    if replacement.len() > MAX_GROWTH * original.len() + MAX_GROWTH_BYTES {
        return Err(NotApplied::FarTooLong);
    }
    let n_lines = n_lines_of_code(original);
    if n_lines >= LEAST_LINES_TO_LOSE && 4 * n_lines_of_code(replacement) < n_lines {
        return Err(NotApplied::LostMostCode);
    }
    Ok(())
}

/// The range without the blanks at its ends; all of it, where there is nothing else.
fn core_of(original: &str, range: Range<usize>) -> Range<usize> {
    let core = original.trim();
    if core.is_empty() {
        return range;
    }
    let start = range.start + original.len() - original.trim_start().len();
    start..start + core.len()
}

/// Without blank lines before it and blanks behind it, but with its first line's indentation.
fn without_blank_ends(text: &str) -> &str {
    let text = text.trim_end();
    let start = text.len() - text.trim_start().len();
    &text[text[..start].rfind('\n').map_or(0, |it| it + 1)..]
}

/// The indentation of the last line of what stands before a replacement.
fn base_of(before: &str) -> &str {
    indentation_of(before.rsplit('\n').next().unwrap_or_default())
}

/// Whether most line ends are `\r\n`. `None`: there is none.
fn has_crlf(text: &str) -> Option<bool> {
    let n_ends = text.matches('\n').count();
    (n_ends > 0).then(|| 2 * text.matches("\r\n").count() > n_ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The document with what stands between the two `$0` replaced.
    fn result(document: &str, replacement: &str) -> Result<String, String> {
        let parts: Vec<&str> = document.split("$0").collect();
        let [before, original, after] = parts[..] else { panic!("two marks") };
        let range = before.len()..before.len() + original.len();
        let replaced =
            replaced(&format!("{before}{original}{after}"), range, original, replacement, "rust")?;
        assert_eq!(
            replaced.text.get(replaced.new.clone()).map(str::trim),
            Some(&replaced.text[replaced.new])
        );
        Ok(replaced.text)
    }

    #[track_caller]
    fn check(document: &str, replacement: &str, expected: &str) {
        assert_eq!(result(document, replacement).as_deref(), Ok(expected));
    }

    #[track_caller]
    fn refused(document: &str, replacement: &str, reason: &str) {
        let sentence = result(document, replacement).expect_err("it is refused");
        assert!(sentence.contains(reason), "{sentence}");
    }

    #[test]
    fn blanks_around_it_stay() {
        check(
            "a\n\n$0fn b() {}\n\n$0fn c() {}\n",
            "\n\nfn d() {}\n\n\n",
            "a\n\nfn d() {}\n\nfn c() {}\n",
        );
        check("$0fn a() {}$0", "fn b() {}\n", "fn b() {}");
        check("$0fn a() {}\n$0", "fn b() {}", "fn b() {}\n");
        check("let a = $0b + c$0;", "c + b\n", "let a = c + b;");
    }

    #[test]
    fn line_ends_stay() {
        check("$0fn a() {\r\n}\r\n$0", "fn a() {\n    b\n}\n", "fn a() {\r\n    b\r\n}\r\n");
        check("// x\r\n$0a$0\r\n", "b\nc", "// x\r\nb\r\nc\r\n");
        check("$0a\n$0", "b\r\nc\r\n", "b\nc\n");
    }

    #[test]
    fn indentation_comes_back() {
        let document = "impl A {\n    $0fn a() {\n        b\n    }$0\n}\n";
        let expected = "impl A {\n    fn a() {\n        c\n    }\n}\n";
        check(document, "fn a() {\n    c\n}", expected);
        check(document, "fn a() {\n        c\n    }", expected);
        check(document, "    fn a() {\n        c\n    }\n", expected);
        // The same where the selection begins with its line.
        let document = "impl A {\n$0    fn a() {\n        b\n    }\n$0}\n";
        check(document, "fn a() {\n    c\n}", expected);
        check(document, "    fn a() {\n        c\n    }\n", expected);
    }

    #[test]
    fn an_insertion_has_no_original() {
        check(
            "mod tests {\n    $0$0\n}\n",
            "#[test]\nfn a() {\n    b\n}\n",
            "mod tests {\n    #[test]\n    fn a() {\n        b\n    }\n}\n",
        );
    }

    #[test]
    fn what_is_no_replacement_is_refused() {
        refused("$0fn a() {}$0", " \n", "holds no code");
        refused("x\n$0fn a() {}\r\n$0", "fn a() {}\n\n", "nothing to change");
        refused(
            "m {\n    $0fn a() {\n        b\n    }$0\n}",
            "fn a() {\n    b\n}",
            "nothing to change",
        );
        refused(
            "$0fn a() {\n    b\n}$0",
            "fn a() {\n    // ... existing code ...\n}",
            "leaves code out",
        );
        refused("$0fn a() {}$0", &"b();\n".repeat(5_000), "far longer");
        refused(&format!("$0{}$0", "b();\n".repeat(40)), "fn a() {}", "lost most");
    }

    #[test]
    fn a_document_that_has_changed_is_left_alone() {
        for range in [0..1, 1..3, 0..99, 9..9] {
            let sentence = replaced("äbc", range, "x", "y", "rust").expect_err("it is refused");
            assert!(sentence.to_string().contains("has changed"));
        }
    }

    #[test]
    fn new_errors_are_refused() {
        assert_eq!(has_no_new_errors(2, 2), Ok(()));
        assert!(has_no_new_errors(0, 1).is_err());
    }
}
