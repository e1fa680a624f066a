//! One line, the rest of a block, or nothing: decided before decoding, and where to stop while
//! decoding.

use crate::lm::StopRule;
use crate::prompt::excerpt::Excerpt;
use crate::prompt::follows::Following;

/// How much to suggest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Up to the end of the caret's line.
    Line,
    /// Lines, while they stay within the scope of the caret's line.
    Block {
        /// Indentation, in columns, below which a line is outside the scope.
        indent: usize,
        /// The caret's line opens the scope, so one closing line at its own indentation belongs to
        /// it.
        opened_here: bool,
        /// The scope goes on behind the caret, so that one statement is all there is to fill.
        is_followed: bool,
        max_lines: usize,
    },
}

/// Where a suggestion ends at a caret: at the end of its extent, or of the word before what
/// follows.
#[derive(Debug, Clone, Copy)]
pub struct SuggestionEnd {
    pub extent: Extent,
    pub following: Following,
}

impl StopRule for SuggestionEnd {
    fn end_of(&self, text: &str) -> Option<usize> {
        let ends = [stop_at(self.extent, text), self.following.ends_word(text)];
        ends.into_iter().flatten().min()
    }
}

/// What goes on with a statement at its own depth.
const CONTINUATIONS: &[&str] = &["else", "elif", "except", "finally", "catch", ".", "?."];

/// Decides by what is around the caret. Text after the caret on its line means that the line is all
/// there is to fill; a blank line or one that opens a block can take more.
pub fn extent(excerpt: &Excerpt, max_lines: usize) -> Extent {
    let before = excerpt.line_before.trim_end();
    let opens = before.ends_with(['{', '(', '[', ':']);
    if max_lines <= 1 || !excerpt.line_after.trim().is_empty() || !(before.is_empty() || opens) {
        return Extent::Line;
    }
    let indent = indent_columns(&excerpt.line_before);
    let opened_here = !before.is_empty();
    let next = excerpt.lines_after.iter().find(|it| !it.trim().is_empty());
    let goes_on = |it: &String| {
        let columns = indent_columns(it);
        columns > indent || (!opened_here && columns == indent && !closes(it.trim_start()))
    };
    match next.is_some_and(goes_on) {
        true if opened_here => Extent::Line,
        is_followed => Extent::Block { indent, opened_here, is_followed, max_lines },
    }
}

pub(super) fn closes(content: &str) -> bool {
    content.starts_with(['}', ')', ']'])
}

/// Where generated text has to end, in bytes, or `None` while it may go on. `text` begins at the
/// caret.
pub fn stop_at(extent: Extent, text: &str) -> Option<usize> {
    match extent {
        Extent::Line => text.find('\n'),
        Extent::Block { indent, opened_here, is_followed, max_lines } => {
            let mut line_start = text.find('\n')? + 1;
            let mut n_lines = 1;
            // Only lines whose own indentation is complete can be judged.
            loop {
                let line = &text[line_start..];
                let end_of_previous = line_start - 1;
                if n_lines >= max_lines {
                    return Some(end_of_previous);
                }
                let content = line.trim_start_matches([' ', '\t', '\r']);
                if content.starts_with('\n') {
                    // A blank line ends a block: what comes after it is another thought.
                    return Some(end_of_previous);
                }
                if content.is_empty() {
                    return None;
                }
                let columns = indent_columns(line);
                let closing = closes(content);
                // A word that is not complete yet may be one that goes on with the statement.
                let is_next =
                    || !closing && !CONTINUATIONS.iter().any(|it| content.starts_with(it));
                if is_followed && columns == indent && content.contains('\n') && is_next() {
                    return Some(end_of_previous);
                }
                if opened_here && columns <= indent {
                    // The closing line belongs to the block, unless it opens another (`} else {`);
                    // of that line only the brackets do. Anything else at this depth does not.
                    if !closing || columns < indent {
                        return Some(end_of_previous);
                    }
                    let end = line.find('\n')?;
                    let opens = line[..end].trim_end().ends_with(['{', '(', '[', ':']);
                    let brackets = content.bytes().take_while(|it| b"})];,".contains(it)).count();
                    let only_brackets = line.len() - content.len() + brackets;
                    return Some(line_start + if opens { only_brackets } else { end });
                }
                if columns < indent {
                    return Some(end_of_previous);
                }
                line_start += line.find('\n')? + 1;
                n_lines += 1;
            }
        }
    }
}

/// The width of a line's indentation; a tab counts as four columns, as most editors show it.
pub fn indent_columns(line: &str) -> usize {
    line.chars()
        .map_while(|c| match c {
            ' ' => Some(1),
            '\t' => Some(4),
            _ => None,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::excerpt;

    fn extent_at(marked: &str) -> Extent {
        extent(&excerpt::at(marked), 8)
    }

    fn stopped(marked: &str, generated: &str) -> String {
        let end = stop_at(extent_at(marked), generated);
        end.map_or_else(|| format!("{generated}…"), |end| generated[..end].to_owned())
    }

    #[test]
    fn the_extent_is_decided_by_the_line() {
        assert_eq!(extent_at("let x = $0;"), Extent::Line);
        assert_eq!(extent_at("let x = $0"), Extent::Line);
        assert_eq!(extent_at("    $0foo()"), Extent::Line);
        assert_eq!(
            extent_at("    $0\n"),
            Extent::Block { indent: 4, opened_here: false, is_followed: false, max_lines: 8 }
        );
        assert_eq!(
            extent_at("\tif x {$0\n"),
            Extent::Block { indent: 4, opened_here: true, is_followed: false, max_lines: 8 }
        );
    }

    #[test]
    fn a_line_ends_at_its_break() {
        assert_eq!(stopped("let x = $0", "1;\nlet"), "1;");
        assert_eq!(stopped("let x = $0", "1"), "1…");
    }

    #[test]
    fn a_block_ends_with_its_scope() {
        let inside = "fn f() {\n    $0\n}\n";
        assert_eq!(stopped(inside, "a();\n    b();\n}\n\nfn"), "a();\n    b();");
        assert_eq!(stopped(inside, "a();\n\n    b();"), "a();");
        assert_eq!(stopped(inside, "a();\n  "), "a();\n  …");
        assert_eq!(
            stopped(inside, "if a {\n        b();\n    }\n}"),
            "if a {\n        b();\n    }"
        );
        let opening = "    if x {$0\n";
        assert_eq!(stopped(opening, "\n        a();\n    }\n    b"), "\n        a();\n    }");
        assert_eq!(stopped(opening, "\n        a();\n    b();\n"), "\n        a();");
        assert_eq!(stopped(opening, "\n        a();\n    } else {\n"), "\n        a();\n    }");
        assert_eq!(stopped(opening, "\n        a();\n    })?;\n"), "\n        a();\n    })?;");
    }

    #[test]
    fn one_statement_where_others_follow() {
        let followed = "fn f() {\n    $0\n    last();\n}\n";
        assert_eq!(stopped(followed, "a();\n    b();\n    c();"), "a();");
        assert_eq!(
            stopped(followed, "if a {\n        b();\n    } else {\n"),
            "if a {\n        b();\n    } else {\n…"
        );
        let statement = "if a {\n        b();\n    }\n    c();\n";
        assert_eq!(stopped(followed, statement), "if a {\n        b();\n    }");
        assert_eq!(stopped(followed, "a\n        .b();\n    c"), "a\n        .b();\n    c…");
        let python = "def f():\n    $0\n    return 1\n";
        assert_eq!(
            stopped(python, "try:\n        a()\n    except A:\n        b()\n    c()\n"),
            "try:\n        a()\n    except A:\n        b()"
        );
        // The block is there already, or nothing but its end.
        assert_eq!(extent_at("fn f() {$0\n    last();\n}\n"), Extent::Line);
        assert_eq!(stopped("fn f() {\n    $0\n\n}\n", "a();\n    b();\n}\n"), "a();\n    b();");
    }

    #[test]
    fn a_block_has_a_last_line() {
        let text = "x\n".repeat(20);
        assert_eq!(stopped("$0\n", &text).lines().count(), 8);
    }
}
