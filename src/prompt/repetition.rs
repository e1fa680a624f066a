//! Text that goes round in circles.

use crate::prompt::excerpt::Excerpt;

/// The longest unit of characters whose repetition is looked for.
const MAX_PERIOD: usize = 24;
/// So often a unit comes, in the text and directly before it, where the text says nothing but that
/// unit again.
const AGAIN: usize = 6;
/// A rule of dashes is no longer than a line.
const MAX_RULE: usize = 120;
/// A row of a table that repeats a number.
const MAX_IN_ROW: usize = 16;

/// Cuts lines, or pairs or triples of lines, that come three times in a row.
pub fn without_lines_again(text: &str) -> &str {
    let lines: Vec<&str> = text.split('\n').collect();
    let mut end = 0;
    for at in 0..lines.len() {
        end += lines[at].len() + 1;
        for period in 1..=3 {
            let Some(thrice) = lines.get(at..at + 3 * period) else { break };
            let (once, rest) = thrice.split_at(period);
            // Brackets close three times in honest code.
            let wordy = once.iter().any(|line| line.chars().any(char::is_alphanumeric));
            if wordy && rest.chunks(period).all(|chunk| chunk == once) {
                let more: usize = once[1..].iter().map(|line| line.len() + 1).sum();
                return &text[..end + more - 1];
            }
        }
    }
    text
}

/// Whether a text ends in a short run of characters that is repeated over and over, or says nothing
/// but what stands over and over before the caret. `ends_line`: the model said that it ends there.
pub fn goes_in_circles(excerpt: &Excerpt, text: &str, ends_line: bool) -> bool {
    let (before, text) = (spaced(&before_caret(excerpt)), spaced(text.trim_end()));
    circles(&text, ends_line) || says_it_again(&before, &text)
}

/// Whether a text ends in a unit that comes often enough, in the text alone.
fn circles(text: &[char], ends_line: bool) -> bool {
    (1..=MAX_PERIOD.min(text.len() / 2)).any(|period| {
        let unit = &text[text.len() - period..];
        let n_times = text.rchunks_exact(period).take_while(|it| *it == unit).count();
        let length = n_times * period;
        if !unit.iter().any(|c| c.is_alphanumeric()) {
            // A rule of dashes: repetition that people write.
            return length > MAX_RULE;
        }
        let has_letters = unit.iter().any(|c| c.is_alphabetic());
        match period {
            // `0000000000000000`, and a sign that is a word by itself.
            1 if unit[0].is_ascii_digit() => n_times > MAX_IN_ROW,
            1 if !unit[0].is_ascii() => n_times >= AGAIN,
            _ if n_times < 4 || length < 16 => false,
            _ => has_letters || !ends_line || n_times > MAX_IN_ROW,
        }
    })
}

/// Whether a text, but for what closes it, is a unit that comes over and over before it, or before
/// it and in it.
fn says_it_again(before: &[char], text: &[char]) -> bool {
    let end = text.iter().rposition(|c| c.is_alphanumeric()).map_or(0, |it| it + 1);
    let whole = [before, &text[..end]].concat();
    (1..=MAX_PERIOD).any(|period| {
        let Some(from) = whole.len().checked_sub(period) else { return false };
        let unit = &whole[from..];
        let is_same = |it: &[char]| it == unit;
        // A part of it may stand at its beginning.
        let n_same = whole.rchunks_exact(period).take_while(|it| is_same(it)).count();
        let n_in_text = end.div_ceil(period);
        let wordy = unit.iter().any(|c| c.is_alphanumeric());
        let is_all = n_same * period >= end;
        let n_before = n_same.saturating_sub(n_in_text);
        let is_known = n_before >= AGAIN - 2;
        let goes_on = n_before >= 1 && n_in_text >= 2 && n_same >= AGAIN;
        wordy && is_all && (is_known || goes_on)
    })
}

/// What stands before the caret, as far as repetition is looked for.
fn before_caret(excerpt: &Excerpt) -> String {
    let lines = &excerpt.lines_before[excerpt.lines_before.len().saturating_sub(3)..];
    let mut text = lines.concat() + &excerpt.line_before;
    let most = MAX_PERIOD * AGAIN * 4;
    if text.len() > most {
        let from = text.ceil_char_boundary(text.len() - most);
        text.drain(..from);
    }
    text
}

/// The characters, each run of blanks as one.
fn spaced(text: &str) -> Vec<char> {
    let mut chars: Vec<char> = text.chars().collect();
    chars.iter_mut().filter(|it| it.is_whitespace()).for_each(|it| *it = ' ');
    chars.dedup_by(|a, b| *a == ' ' && *b == ' ');
    chars
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::excerpt;

    fn circles(marked: &str, text: &str) -> bool {
        goes_in_circles(&excerpt::at(marked), text, true)
    }

    #[test]
    fn letters_numbers_and_signs_can_go_round_in_circles() {
        assert!(circles("let s = $0", "foo, foo, foo, foo, foo, foo, foo,"));
        assert!(circles("[10, 10, 10, 10,\n 10, 10, $0", "10, 10, 10, 10, 10, 10, 10, 10, 10"));
        assert!(circles("[10, 10, 10, 10,\n 10, 10, $0", "10, 10]"));
        assert!(circles("[10, 10, 10, 10,\n 10, 10, $0", "10,"));
        assert!(circles("| 7 | 7 | 7 | 7 |$0", " 7 | 7 | 7 |"));
        assert!(circles("| 7 | 7 | 7 | 7 |\n| 7 | 7 | 7 | 7 | $0", "7 |"));
        assert!(circles("x = '$0", "的的的的的的的的"));
        assert!(circles("x = '的的的的$0", "的的的"));
        assert!(circles("ключ$0", ", ключ, ключ, ключ, ключ"));
        assert!(goes_in_circles(&excerpt::at("x = [$0"), "10, 10, 10, 10, 10", false));
    }

    #[test]
    fn repetition_that_people_write() {
        for (marked, text) in [
            ("// $0", "----------------------------"),
            ("let a = $0", "[0, 0, 0, 0, 0, 0, 0, 0, 0, 0];"),
            ("[\n    $0", "0, 0, 0, 0, 0, 0, 0, 0,"),
            ("[0, $0", "0, 0]"),
            ("[1, 2, 3, $0", "4, 5]"),
            ("| --- | --- |$0", " --- | --- |"),
            ("let x = 0x$0", "0000000000000000"),
            ("if a {\n    if b {\n        c();\n    }\n$0", "}"),
            ("哈$0", "哈哈"),
            ("a, b = $0", "b, a"),
        ] {
            assert!(!circles(marked, text), "{marked}: {text}");
        }
        assert!(circles("// $0", &"-".repeat(200)));
    }
}
