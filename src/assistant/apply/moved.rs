//! Where lines of a document stand now, after a person has typed elsewhere in it.

use std::ops::Range;
use std::time::{Duration, Instant};

use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};

const TIMEOUT: Duration = Duration::from_millis(200);

/// Where the lines of `range` of `old` stand in `new`. `None`: they have changed, or it can't be
/// told which of several places is theirs.
pub fn moved(old: &str, range: Range<usize>, new: &str) -> Option<Range<usize>> {
    let range = whole_lines(old, range)?;
    let lines = &old[range.clone()];
    let is_there = |at: usize| {
        let range = at..at.checked_add(lines.len())?;
        let is_same = new.get(range.clone()) == Some(lines);
        (is_same && whole_lines(new, range.clone()) == Some(range.clone())).then_some(range)
    };
    around_one_change(old, &range, new)
        .and_then(is_there)
        .or_else(|| by_lines(old, &range, new).and_then(is_there))
        .or_else(|| by_count(old, &range, new).and_then(is_there))
}

/// The lines that a range touches, with the end of the last.
fn whole_lines(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let start = text.get(..range.start)?.rfind('\n').map_or(0, |at| at + 1);
    let ends_with_line = range.end > start && text.get(..range.end)?.ends_with('\n');
    let end = match text.get(range.end..)?.find('\n') {
        _ if ends_with_line => range.end,
        Some(at) => range.end + at + 1,
        None => text.len(),
    };
    Some(start..end)
}

/// Where only one stretch of the document has changed, and the range is not in it.
fn around_one_change(old: &str, range: &Range<usize>, new: &str) -> Option<usize> {
    let (old, new) = (old.as_bytes(), new.as_bytes());
    let n_before = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let n_after = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    if range.end <= n_before {
        return Some(range.start);
    }
    let is_after = range.start >= old.len() - n_after;
    is_after.then(|| (new.len() + range.start).checked_sub(old.len())).flatten()
}

/// By a difference of the lines.
fn by_lines(old: &str, range: &Range<usize>, new: &str) -> Option<usize> {
    let lines: Vec<&str> = old.split_inclusive('\n').collect();
    let new_lines: Vec<&str> = new.split_inclusive('\n').collect();
    let first = old[..range.start].matches('\n').count();
    let n_lines = old[range.clone()].split_inclusive('\n').count();
    let deadline = Instant::now() + TIMEOUT;
    let ops = capture_diff_slices_deadline(Algorithm::Myers, &lines, &new_lines, Some(deadline));
    ops.iter().find_map(|op| match *op {
        DiffOp::Equal { old_index, new_index, len }
            if old_index <= first && first + n_lines <= old_index + len =>
        {
            let n_lines_before = new_index + (first - old_index);
            Some(new_lines[..n_lines_before].iter().map(|it| it.len()).sum())
        }
        _ => None,
    })
}

/// Where the lines stand as often as before: the same one of them, counted from the beginning.
fn by_count(old: &str, range: &Range<usize>, new: &str) -> Option<usize> {
    let lines = &old[range.clone()];
    if lines.trim().is_empty() {
        return None;
    }
    let places = |text: &str| -> Vec<usize> {
        let places = text.match_indices(lines).map(|(at, _)| at);
        places.filter(|at| *at == 0 || text.as_bytes()[at - 1] == b'\n').collect()
    };
    let (before, now) = (places(old), places(new));
    let which = before.iter().position(|at| *at == range.start)?;
    (before.len() == now.len()).then(|| now[which])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines between the `$0` of the old text are those between the `$0` of the new, or nowhere
    /// if it has none.
    #[track_caller]
    fn check(old: &str, new: &str) {
        let parts = |text: &str| -> (String, Option<Range<usize>>) {
            let parts: Vec<&str> = text.split("$0").collect();
            match parts[..] {
                [before, lines, after] => {
                    let range = before.len()..before.len() + lines.len();
                    (format!("{before}{lines}{after}"), Some(range))
                }
                _ => (text.to_owned(), None),
            }
        };
        let ((old, range), (new, expected)) = (parts(old), parts(new));
        assert_eq!(moved(&old, range.unwrap(), &new), expected, "{new}");
    }

    const OLD: &str = "one\ntwo\n$0fn f() {\n    g();\n}\n$0\nfn h() {\n    g();\n}\n";

    #[test]
    fn lines_are_found_wherever_else_somebody_typed() {
        let same = "$0fn f() {\n    g();\n}\n$0";
        for (before, after) in [
            ("one\ntwo\n", "\nfn h() {\n    g();\n}\n"),
            ("one\ntwo\nthree\n", "\nfn h() {\n    g();\n}\n"),
            ("", ""),
            ("zero\none\nt", "\nfn h() {\n    gg();\n}\nend"),
            ("one\n", "\nfn h() {\n    g();\n}\nmore\n"),
            ("fn h() {\n    g();\n}\none\ntwo\n", "\n"),
            ("\u{e9}\u{1f980}\ntwo\n", "\u{1f980}\nfn h() {\n    g();\n}\n"),
        ] {
            let before = if before.is_empty() || before.ends_with('\n') {
                before.to_owned()
            } else {
                format!("{before}\n")
            };
            check(OLD, &format!("{before}{same}{after}"));
        }
        // Cut out and put in below.
        check(OLD, "one\ntwo\n\nfn h() {\n    g();\n}\n$0fn f() {\n    g();\n}\n$0");
    }

    #[test]
    fn lines_that_changed_are_nowhere() {
        check(OLD, "one\ntwo\nfn f() {\n    gg();\n}\n\nfn h() {\n    g();\n}\n");
        check(OLD, "one\ntwo\n  fn f() {\n    g();\n}\n\nfn h() {\n    g();\n}\n");
        check(OLD, "one\ntwo\nfn f() {\n    g();\n}x\n\nfn h() {\n    g();\n}\n");
        check(OLD, "one\ntwo\nfn f() {\n    g();\n\n}\n\nfn h() {\n    g();\n}\n");
        check(OLD, "one\ntwo\n");
        check(OLD, "");
    }

    #[test]
    fn of_lines_that_are_there_twice_it_is_the_same_one() {
        let old = "a {\n    f();\n}\nb {\n$0    f();\n$0}\n";
        check(old, "x\na {\n    f();\n}\nb {\n$0    f();\n$0}\ny\n");
        check(old, "a {\n}\nb {\n$0    f();\n$0}\n");
        check(old, "a {\n    f();\n    f();\n}\nb {\n$0    f();\n$0}\ny\n");
        // The other one is not meant.
        check(old, "a {\n    f();\n}\nb {\n}\n");
        check(old, "z\na {\n    f();\n}\nb {\n    g();\n}\n");
    }

    #[test]
    fn a_last_line_without_its_end() {
        check("a\n$0b$0", "x\na\n$0b$0");
        check("a\n$0b$0", "a\nbc");
    }
}
