//! The few edits that make one text of another, as a person would have typed them: whole lines
//! where lines are new, and words within lines that stay recognisable. Differences come from the
//! crate `similar`.

use std::ops::Range;
use std::time::Duration;

use similar::{Algorithm, DiffOp, TextDiff};

/// Beyond these, differences are coarser than they could be, but no less right.
const LINES_TIMEOUT: Duration = Duration::from_millis(100);
const WORDS_TIMEOUT: Duration = Duration::from_millis(100);
/// Groups of changed lines that are looked into, and how long one may be.
const MAX_REFINED: usize = 100;
const MAX_REFINED_BYTES: usize = 20_000;

/// A stretch of a document, and what stands there instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// In bytes of the old document. Empty where something is inserted.
    pub range: Range<usize>,
    pub text: String,
}

/// Edits that make `new` of `old`: in order, with something between any two. None cuts a `\r\n` in
/// two.
pub fn minimal_edits(old: &str, new: &str) -> Vec<Edit> {
    let old_lines: Vec<&str> = old.split_inclusive('\n').collect();
    let new_lines: Vec<&str> = new.split_inclusive('\n').collect();
    let changes = changes(&old_lines, &new_lines, LINES_TIMEOUT);
    let n_refined = changes.len().clamp(1, MAX_REFINED);
    let timeout = WORDS_TIMEOUT / n_refined as u32;
    let mut edits = Vec::new();
    for (index, (old_range, new_range)) in changes.into_iter().enumerate() {
        let (from, to) = (&old[old_range.clone()], &new[new_range]);
        let is_short = from.len() + to.len() <= MAX_REFINED_BYTES;
        let words = (index < MAX_REFINED && is_short)
            .then(|| edits_of_words(from, to, old_range.start, timeout))
            .flatten();
        match words {
            Some(words) => edits.extend(words),
            None => edits.push(Edit { range: old_range, text: to.to_owned() }),
        }
    }
    edits
}

/// The document with the edits in it. Panics where edits are not those of this document.
pub fn applied(old: &str, edits: &[Edit]) -> String {
    let mut text = String::with_capacity(old.len());
    let mut at = 0;
    for edit in edits {
        text += &old[at..edit.range.start];
        text += &edit.text;
        at = edit.range.end;
    }
    text + &old[at..]
}

/// What is not equal, in bytes of both. Neighbours are joined.
fn changes(old: &[&str], new: &[&str], timeout: Duration) -> Vec<(Range<usize>, Range<usize>)> {
    let diff =
        TextDiff::configure().algorithm(Algorithm::Myers).timeout(timeout).diff_slices(old, new);
    let (old_at, new_at) = (places(old), places(new));
    let mut changes: Vec<(Range<usize>, Range<usize>)> = Vec::new();
    for op in diff.ops() {
        if matches!(op, DiffOp::Equal { .. }) {
            continue;
        }
        let (from, to) = (op.old_range(), op.new_range());
        let from = old_at[from.start]..old_at[from.end];
        let to = new_at[to.start]..new_at[to.end];
        match changes.last_mut().filter(|it| it.0.end == from.start && it.1.end == to.start) {
            Some(last) => (last.0.end, last.1.end) = (from.end, to.end),
            None => changes.push((from, to)),
        }
    }
    changes
}

/// Where each part begins, and where the last ends.
fn places(parts: &[&str]) -> Vec<usize> {
    let mut places = vec![0];
    let mut at = 0;
    places.extend(parts.iter().map(|it| {
        at += it.len();
        at
    }));
    places
}

/// Edits of words, where at least a third of what is there stays. `None`: whole lines are easier to
/// read.
fn edits_of_words(from: &str, to: &str, from_start: usize, timeout: Duration) -> Option<Vec<Edit>> {
    if from.is_empty() || to.is_empty() {
        return None;
    }
    let (old_words, new_words) = (words(from), words(to));
    let mut changes = changes(&old_words, &new_words, timeout);
    // Where only signs and blanks stand between two changes, they are one.
    changes.dedup_by(|later, first| {
        let between = &from[first.0.end..later.0.start];
        let is_bridge = !between.contains(is_of_word) && !between.contains('\n');
        if is_bridge {
            (first.0.end, first.1.end) = (later.0.end, later.1.end);
        }
        is_bridge
    });
    let n_changed_from: usize = changes.iter().map(|it| size(&from[it.0.clone()])).sum();
    let n_changed_to: usize = changes.iter().map(|it| size(&to[it.1.clone()])).sum();
    let is_recognisable = 3 * n_changed_from <= 2 * size(from) && 3 * n_changed_to <= 2 * size(to);
    is_recognisable.then(|| {
        let edits = changes.into_iter().map(|(old, new)| Edit {
            range: from_start + old.start..from_start + old.end,
            text: to[new].to_owned(),
        });
        edits.collect()
    })
}

/// Characters that are not blank.
fn size(text: &str) -> usize {
    text.chars().filter(|it| !it.is_whitespace()).count()
}

/// Words, runs of blanks, line ends, and every other character for itself.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let is_blank = |it: char| it == ' ' || it == '\t';
        let length = if rest.starts_with("\r\n") {
            2
        } else if is_of_word(c) {
            rest.find(|it| !is_of_word(it)).unwrap_or(rest.len())
        } else if is_blank(c) {
            rest.find(|it| !is_blank(it)).unwrap_or(rest.len())
        } else {
            c.len_utf8()
        };
        let (word, behind) = rest.split_at(length);
        words.push(word);
        rest = behind;
    }
    words
}

/// Beyond ASCII everything counts as part of a word, so that no accent is parted from its letter.
fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || !c.is_ascii()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::stdx::random::Random;

    #[track_caller]
    fn check(old: &str, new: &str, expected: Expect) {
        let edits = minimal_edits(old, new);
        assert_eq!(applied(old, &edits), new);
        let seen: String = edits
            .iter()
            .map(|it| format!("{:?} -> {:?}\n", &old[it.range.clone()], it.text))
            .collect();
        expected.assert_eq(&seen);
    }

    #[test]
    fn words_within_lines_that_stay() {
        check(
            "let a = b + c;\n",
            "let a = b + d;\n",
            expect![[r#"
            "c" -> "d"
        "#]],
        );
        check(
            "call(one, two, three);\n",
            "call(one, three);\n",
            expect![[r#"
            "two, " -> ""
        "#]],
        );
        check(
            "fn old_name(x: u32) {\n    old_name(x);\n}\n",
            "fn new_name(x: u32) {\n    new_name(x);\n}\n",
            expect![[r#"
                "old_name" -> "new_name"
                "old_name" -> "new_name"
            "#]],
        );
        check(
            "    a();\n    b();\n",
            "    if x {\n        a();\n        b();\n    }\n",
            expect![[r#"
                "" -> "if x {\n        "
                "    " -> "        "
                "" -> "    }\n"
            "#]],
        );
        check(
            "größe = 1\n",
            "größer = 1\n",
            expect![[r#"
            "größe = 1\n" -> "größer = 1\n"
        "#]],
        );
    }

    #[test]
    fn whole_lines_otherwise() {
        check(
            "a\nb\nc\n",
            "a\nc\n",
            expect![[r#"
            "b\n" -> ""
        "#]],
        );
        check(
            "a\nc\n",
            "a\nb\nc\n",
            expect![[r#"
            "" -> "b\n"
        "#]],
        );
        check(
            "return compute(a);\n",
            "let b = other;\n",
            expect![[r#"
            "return compute(a);\n" -> "let b = other;\n"
        "#]],
        );
        check(
            "",
            "a\n",
            expect![[r#"
            "" -> "a\n"
        "#]],
        );
        check(
            "a\n",
            "",
            expect![[r#"
            "a\n" -> ""
        "#]],
        );
        check("a\n", "a\n", expect![[r#""#]]);
    }

    #[test]
    fn ends_of_lines_and_of_the_text() {
        check(
            "a b c\r\nd\r\n",
            "a b c\nd\r\n",
            expect![[r#"
            "\r\n" -> "\n"
        "#]],
        );
        check(
            "a b c",
            "a b c\n",
            expect![[r#"
            "" -> "\n"
        "#]],
        );
        check(
            "a\r\nb\r\n",
            "a\r\nx\r\nb\r\n",
            expect![[r#"
            "" -> "x\r\n"
        "#]],
        );
    }

    fn text(random: &mut Random, max_pieces: usize) -> String {
        const PIECES: &[&str] = &[
            "a",
            "b",
            "foo",
            "foo",
            " ",
            "  ",
            "\n",
            "\n",
            "\r\n",
            "\r",
            "(",
            ")",
            ";",
            "ä",
            "e\u{301}",
            "😀",
            "\t",
            "let x = 1;\n",
            "}\n",
            "\n\n",
            "\u{0}",
        ];
        let n_pieces = random.below(max_pieces + 1);
        (0..n_pieces).map(|_| PIECES[random.below(PIECES.len())]).collect()
    }

    #[track_caller]
    fn is_sound(old: &str, new: &str, edits: &[Edit]) {
        assert_eq!(applied(old, edits), new, "{old:?}");
        for edit in edits {
            assert_ne!(
                &old[edit.range.clone()],
                edit.text,
                "an edit that changes nothing: {old:?} {new:?}"
            );
            for at in [edit.range.start, edit.range.end] {
                let cuts = old[..at].ends_with('\r') && old[at..].starts_with('\n');
                assert!(!cuts, "{old:?} {new:?} {edits:?}");
            }
        }
        for pair in edits.windows(2) {
            assert!(pair[0].range.end < pair[1].range.start, "{old:?} {new:?} {edits:?}");
        }
    }

    #[test]
    fn any_two_texts() {
        let mut random = Random::new(1);
        for _ in 0..4_000 {
            let (old, new) = (text(&mut random, 40), text(&mut random, 40));
            is_sound(&old, &new, &minimal_edits(&old, &new));
        }
    }

    #[test]
    fn a_text_and_itself_with_a_little_changed() {
        let mut random = Random::new(2);
        for _ in 0..1_000 {
            let (before, old, behind) =
                (text(&mut random, 200), text(&mut random, 3), text(&mut random, 200));
            let (old, new) = (
                format!("{before}{old}{behind}"),
                format!("{before}{}{behind}", text(&mut random, 3)),
            );
            let edits = minimal_edits(&old, &new);
            is_sound(&old, &new, &edits);
        }
    }

    #[test]
    fn little_changed_is_little_edited() {
        let line = "    let value = compute(first, second);\n";
        let old = line.repeat(500);
        for at in [0, 250, 499] {
            let mut new = old.clone();
            let place = at * line.len() + line.find("first").unwrap();
            new.replace_range(place..place + 5, "third");
            let edits = minimal_edits(&old, &new);
            is_sound(&old, &new, &edits);
            let n_changed: usize = edits.iter().map(|it| it.range.len() + it.text.len()).sum();
            assert!(n_changed <= 10, "{edits:?}");
        }
    }

    #[test]
    fn two_large_texts_that_share_nothing_come_back() {
        let old: String = (0..40_000).map(|it| format!("{}\n", it % 977)).collect();
        let new: String = (0..40_000).map(|it| format!("{}\n", it * 31 % 1_009)).collect();
        is_sound(&old, &new, &minimal_edits(&old, &new));
    }
}
