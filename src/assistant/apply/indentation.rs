//! A replacement indented as what it replaces, where a model gave all of it with less indentation,
//! and only then.

/// How the lines of a replacement have to be changed.
///
/// `base` is the indentation of the line that the replaced text begins in; the replaced text itself
/// begins at that line's first character, so the replacement's first line is to begin without
/// blanks. Its later lines either stand as they are to be (the model repeated the text as it stands
/// in the file, and left out the blanks before its first line because the question had) or are
/// dedented with the first.
pub(super) fn indented(replacement: &str, original: &str, base: &str) -> String {
    let first = replacement.lines().next().map_or("", indentation_of);
    let missing = match base.strip_prefix(first) {
        Some(missing) if !missing.is_empty() => missing,
        // Nothing is missing, or the file is indented by other characters.
        _ => return replacement.trim_start_matches([' ', '\t']).to_owned(),
    };
    let is_dedented =
        if first.is_empty() { is_dedented(replacement, original, base) } else { true };
    let mut text = String::with_capacity(replacement.len());
    for (index, line) in replacement.split_inclusive('\n').enumerate() {
        if index == 0 {
            text += line.trim_start_matches([' ', '\t']);
        } else if is_dedented && !line.trim().is_empty() {
            text += missing;
            text += line;
        } else {
            text += line;
        }
    }
    text
}

/// Whether all lines lack the base, where the first has no blanks before it.
fn is_dedented(replacement: &str, original: &str, base: &str) -> bool {
    let later = |text: &str| -> Vec<String> {
        let lines = text.lines().skip(1).filter(|it| !it.trim().is_empty());
        lines.map(str::to_owned).collect()
    };
    let later_lines = later(replacement);
    let Some(last) = later_lines.last() else { return false };
    let shallowest =
        |lines: &[String]| lines.iter().map(|it| indentation_of(it).len()).min().unwrap_or(0);
    // What closes the item stands where it begins. Lines of a string may stand anywhere, but hardly
    // ever last.
    if closes(last) {
        return indentation_of(last).len() < base.len();
    }
    let least = shallowest(&later_lines);
    let original_lines = later(original);
    if least < base.len() {
        true
    } else if original_lines.is_empty() {
        least == base.len()
    } else {
        least < shallowest(&original_lines)
    }
}

/// The blanks that a line begins with.
pub(super) fn indentation_of(line: &str) -> &str {
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

fn closes(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with(['}', ')', ']'])
        || line.strip_prefix("end").is_some_and(|it| !it.starts_with(char::is_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(base: usize, original: &str, replacement: &str, expected: &str) {
        assert_eq!(indented(replacement, original, &" ".repeat(base)), expected);
    }

    #[test]
    fn what_is_dedented_is_indented() {
        check(4, "fn a() {\n        b\n    }", "fn a() {\n    c\n}", "fn a() {\n        c\n    }");
        check(
            4,
            "def a():\n        b",
            "def a():\n    c\n\n    d",
            "def a():\n        c\n\n        d",
        );
        check(4, "def a(): b", "@d\ndef a():\n    c", "@d\n    def a():\n        c");
        check(8, "a(\n            b)", "a(\n    c)", "a(\n            c)");
        check(
            2,
            "function a()\n    b()\n  end",
            "function a()\n  c()\nend",
            "function a()\n    c()\n  end",
        );
    }

    #[test]
    fn what_is_dedented_in_part_is_indented_by_the_rest() {
        check(
            8,
            "a {\n            b\n        }",
            "    a {\n        c\n    }",
            "a {\n            c\n        }",
        );
    }

    #[test]
    fn what_stands_as_it_should_is_left() {
        check(
            4,
            "fn a() {\n        b\n    }",
            "fn a() {\n        c\n    }",
            "fn a() {\n        c\n    }",
        );
        check(
            4,
            "fn a() {\n        b\n    }",
            "    fn a() {\n        c\n    }",
            "fn a() {\n        c\n    }",
        );
        check(4, "def a():\n        b", "def a():\n        c", "def a():\n        c");
        check(4, "a", "b", "b");
        check(0, "fn a() {\n    b\n}", "fn a() {\n    c\n}", "fn a() {\n    c\n}");
        // A line of a string at the margin, in code that stands as it should.
        let text = "fn a() {\n        let b = \"\nc\n\";\n    }";
        check(4, "fn a() {\n        b\n    }", text, text);
    }

    #[test]
    fn tabs_are_indentation_as_well() {
        assert_eq!(indented("a {\n\tb\n}", "a {\n\t\tc\n\t}", "\t"), "a {\n\t\tb\n\t}");
        assert_eq!(indented("  a {\n    b\n  }", "a {\n\t\tc\n\t}", "\t"), "a {\n    b\n  }");
    }
}
