//! From an answer to edits.

use keyside::assistant::apply::{applied, code_of, minimal_edits, moved, prose_of};
use proptest::prelude::*;

use super::{any_text, cases};

/// A line of code that is no fence of a block.
fn any_code() -> impl Strategy<Value = String> {
    prop::collection::vec("[ ]{0,8}[a-zA-Z0-9(){};=+.,\"'é漢]{0,20}", 1..12)
        .prop_map(|lines| lines.iter().map(|it| format!("{}\n", it.trim_end())).collect())
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn edits_make_the_new_text_of_the_old(old in any_text(), new in any_text()) {
        let edits = minimal_edits(&old, &new);
        prop_assert_eq!(applied(&old, &edits), new);
        // In order, apart, and none that changes nothing.
        prop_assert!(edits.windows(2).all(|it| it[0].range.end < it[1].range.start));
        prop_assert!(edits.iter().all(|it| old[it.range.clone()] != it.text));
    }

    #[test]
    fn the_code_of_a_block_is_taken_as_it_is(
        code in any_code(),
        n_marks in 3_usize..6,
        mark in prop_oneof![Just('`'), Just('~')],
        before in "[A-Z][a-z ]{0,20}[.:]",
        is_windows in any::<bool>(),
    ) {
        let fence = mark.to_string().repeat(n_marks);
        let mut answer = format!("{before}\n\n{fence}rust\n{code}{fence}\n");
        if is_windows {
            answer = answer.replace('\n', "\r\n");
        }
        prop_assert_eq!(code_of(&answer, "rust"), Ok(code));
        let prose = prose_of(&answer);
        prop_assert!(prose.is_empty() || prose == before, "{:?}", prose);
    }

    #[test]
    fn whatever_an_answer_is_something_is_made_of_it(answer in any_text()) {
        let fenced = answer.replace('a', "```").replace('b', "~~~~\n").replace('c', "<think>");
        for answer in [answer, fenced] {
            // Code ends its last line, or a sentence says why there is none.
            match code_of(&answer, "rust") {
                Ok(code) => prop_assert!(code.is_empty() || code.ends_with('\n'), "{:?}", code),
                Err(sentence) => prop_assert!(sentence.to_string().ends_with('.'), "{}", sentence),
            }
            prop_assert!(prose_of(&answer).len() <= answer.len());
        }
    }

    /// Lines that nothing else in the document is like are found again, whatever is typed before
    /// and behind them.
    #[test]
    fn lines_that_have_moved_are_found(
        before in any_code(),
        after in any_code(),
        new_before in any_code(),
        new_after in any_code(),
    ) {
        let lines = "fn asked_about_here() {\n    only_once();\n}\n";
        let old = format!("{before}{lines}{after}");
        let new = format!("{new_before}{lines}{new_after}");
        let range = before.len()..before.len() + lines.len();
        let expected = new_before.len()..new_before.len() + lines.len();
        prop_assert_eq!(moved(&old, range, &new), Some(expected));
    }

    /// What is found is what was asked for, or nothing is.
    #[test]
    fn what_is_found_is_what_was_asked_for(
        old in any_text(),
        new in any_text(),
        ends in any::<[prop::sample::Index; 2]>(),
    ) {
        let at = |end: &prop::sample::Index| old.floor_char_boundary(end.index(old.len() + 1));
        let (a, b) = (at(&ends[0]), at(&ends[1]));
        let range = a.min(b)..a.max(b);
        if let Some(found) = moved(&old, range.clone(), &new) {
            prop_assert!(new[found].contains(&old[range]));
        }
    }
}
