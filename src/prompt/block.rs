//! The block that the caret's line opens and that is still to be written.

use crate::prompt::excerpt::Excerpt;
use crate::prompt::follows::mode_at_caret;
use crate::prompt::lexis::Mode;
use crate::prompt::stop::{closes, indent_columns};

/// Words that open a block at the end of a line, in languages that end blocks by a word or by
/// indentation.
const OPENING_WORDS: &[&str] = &["do", "then", "else", "begin", "repeat", "ensure", "rescue"];

/// Whether a line ends with what opens a block.
pub fn opens_block(line: &str) -> bool {
    let line = line.trim_end();
    if line.ends_with(['{', '(', '[', ':']) {
        return true;
    }
    // `each do |item|`
    let line = match line.strip_suffix('|').and_then(|it| it.rsplit_once('|')) {
        Some((before, _)) => before.trim_end(),
        None => line,
    };
    let word = line.rsplit(|c: char| c.is_whitespace() || c == ';').next().unwrap_or_default();
    OPENING_WORDS.contains(&word)
}

/// What Enter inserts at the end of a line that opens a block without lines: the break and the
/// first line's indentation. `None` at any other caret.
pub fn line_break_into_block(excerpt: &Excerpt) -> Option<String> {
    let line = &excerpt.line_before;
    let is_at_end = excerpt.line_after.trim().is_empty() && line.trim_end().len() == line.len();
    if !is_at_end || !opens_block(line) || mode_at_caret(excerpt) != Mode::Code {
        return None;
    }
    let next = excerpt.lines_after.iter().find(|it| !it.trim().is_empty());
    let goes_on =
        |it: &String| indent_columns(it) > indent_columns(line) && !closes(it.trim_start());
    if next.is_some_and(goes_on) {
        return None;
    }
    Some(format!("\n{}{}", indentation(line), indent_unit(excerpt)))
}

/// Whether the caret stands where a block's first line is to be written, behind the break that
/// [`line_break_into_block`] inserts.
pub fn begins_block(excerpt: &Excerpt) -> bool {
    let is_blank = |it: &str| it.trim().is_empty();
    let Some(opener) = excerpt.lines_before.last() else { return false };
    is_blank(&excerpt.line_before)
        && is_blank(&excerpt.line_after)
        && opens_block(opener)
        && indent_columns(&excerpt.line_before) > indent_columns(opener)
}

/// The blanks that a line begins with.
pub fn indentation(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}

/// By how much the lines around are indented for a block.
pub fn indent_unit(excerpt: &Excerpt) -> &'static str {
    let blanks = |it: &String| it.len() - it.trim_start_matches(' ').len();
    let least_of = |lines: &[String]| lines.iter().map(blanks).filter(|it| *it > 1).min();
    let has_tabs = |lines: &[String]| lines.iter().any(|it| it.starts_with('\t'));
    let (before, after) = (&excerpt.lines_before, &excerpt.lines_after);
    match least_of(before).or_else(|| least_of(after)) {
        _ if has_tabs(before) || has_tabs(after) => "\t",
        Some(2 | 3) => "  ",
        _ => "    ",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::excerpt;

    fn line_break(marked: &str) -> Option<String> {
        line_break_into_block(&excerpt::at(marked))
    }

    #[test]
    fn enter_goes_into_a_block_that_has_no_lines() {
        for (marked, expected) in [
            ("fn f() {$0\n}\n", "\n    "),
            ("  a: 1,\n  f() {$0\n  }\n", "\n    "),
            ("\tif x {$0\n\t}\n", "\n\t\t"),
            ("class A:\n  x = 1\n  def f(self):$0\n\n  def g(self):\n", "\n    "),
            ("if x then$0\nend\n", "\n    "),
            ("  a\n  items.each do |item|$0\n  end\n", "\n    "),
            ("x = [$0", "\n    "),
            ("fn f() {$0\n\n  }\n", "\n  "),
        ] {
            assert_eq!(line_break(marked).as_deref(), Some(expected), "{marked}");
        }
    }

    #[test]
    fn a_block_begins_below_its_opening_line() {
        for marked in ["fn f() {\n    $0\n}\n", "def f():\n\t$0", "x = [\n    $0"] {
            assert!(begins_block(&excerpt::at(marked)), "{marked}");
        }
        for marked in ["fn f() {\n$0\n}\n", "fn f() {\n    a$0\n}\n", "a = 1\n    $0", "$0"] {
            assert!(!begins_block(&excerpt::at(marked)), "{marked}");
        }
    }

    #[test]
    fn at_other_carets_it_does_not() {
        for marked in [
            "fn f() {$0\n    a();\n}\n",
            "fn f() {$0\n\n    a();\n}\n",
            "fn f() {$0}\n",
            "fn f() $0{\n",
            "let x = 1;$0\n",
            "// that is:$0\n",
            "let x = \"a:$0\n",
            "weekdo$0\n",
            "a || b$0\n",
            "$0\n",
        ] {
            let mut excerpt = excerpt::at(marked);
            excerpt.lexis = crate::prompt::lexis::Lexis::of("rust", "");
            assert_eq!(line_break_into_block(&excerpt), None, "{marked}");
        }
    }
}
