//! Raw generated text to a suggestion that a person would want, or the reason why there is none.
//!
//! Each filter is there because users of other completion plugins complained of its absence: duplicated
//! suffixes and closers (llama.vscode #13, tabby #613, continue #1552), repetition (tabby #3525). All
//! are pure functions over the excerpt.

use crate::generation::Finish;
use crate::prompt::brackets::{
    Quotes, brackets, first_unescaped, first_unmatched_closer, is_opener, opener_of,
};
use crate::prompt::excerpt::Excerpt;

/// What to show at the caret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// Goes in at the caret; lines end in `\n`.
    pub text: String,
    /// How many characters after the caret, on its line, the text replaces: closing brackets that the
    /// editor put there and that the text contains.
    pub replaced_after: usize,
}

/// Why nothing is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// Nothing but blanks.
    Blank,
    /// It says what already follows the caret.
    RepeatsWhatFollows,
    /// It says the line above again.
    RepeatsLineAbove,
    /// It goes round in circles.
    Repetition,
    /// It begins by closing a bracket that nothing opened, or that is closed already.
    UnbalancedCloser,
}

impl Dropped {
    /// A word for logs and statistics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blank => "blank",
            Self::RepeatsWhatFollows => "repeats what follows",
            Self::RepeatsLineAbove => "repeats the line above",
            Self::Repetition => "repetition",
            Self::UnbalancedCloser => "unbalanced closer",
        }
    }
}

/// Makes a suggestion of generated text that begins at the excerpt's caret.
///
/// # Errors
/// The reason why nothing is worth showing.
pub fn finish(excerpt: &Excerpt, raw: &str, finish: Finish) -> Result<Suggestion, Dropped> {
    let mut text = raw;
    match finish {
        // The model was stopped in the middle of a line; the lines that it had finished are kept.
        Finish::Budget => text = text.rfind('\n').map_or(text, |last_line| &text[..last_line]),
        // It does not know how the word goes on, so half of the word is not shown.
        Finish::Unsure { next } if next.is_some_and(is_word) => {
            text = text.trim_end_matches(is_word)
        }
        Finish::Unsure { .. } | Finish::EndToken | Finish::StopRule => {}
    }
    let blank = text.trim().is_empty();
    let rest = excerpt.line_after.trim_end();
    if rest.is_empty() {
        text = text.trim_end();
    }
    text = without_repetition(text).ok_or(Dropped::Repetition)?;
    let quotes = if excerpt.is_rust { Quotes::Rust } else { Quotes::Other };
    let (text, replaced_after) = without_rest_of_line(text, rest, quotes);
    let text = without_following_lines(excerpt, text).ok_or(Dropped::RepeatsWhatFollows)?;
    let (text, cut) =
        if replaced_after == 0 { balanced(excerpt, text, quotes) } else { (text, false) };
    if text.trim().is_empty() {
        return Err(if cut {
            Dropped::UnbalancedCloser
        } else if blank {
            Dropped::Blank
        } else {
            Dropped::RepeatsWhatFollows
        });
    }
    if repeats_line_above(excerpt, text) {
        return Err(Dropped::RepeatsLineAbove);
    }
    Ok(Suggestion { text: text.to_owned(), replaced_after })
}

/// Cuts off what stands after the caret already. Returns the text and how much of the rest it replaces.
fn without_rest_of_line<'a>(text: &'a str, rest: &str, quotes: Quotes) -> (&'a str, usize) {
    let Some(first) = rest.chars().next() else {
        return (text, 0);
    };
    let text = text.split('\n').next().unwrap_or_default();
    if let Some(without) = text.strip_suffix(rest) {
        return (without, 0);
    }
    if rest.starts_with(text.trim()) {
        return ("", 0);
    }
    // A bracket or quote follows, most likely one that the editor closed by itself. Where the text closes
    // it and goes on as the document does and further, it takes its place; else the text ends there.
    let closes_at = match first {
        ')' | ']' | '}' => first_unmatched_closer(text, quotes),
        '"' | '\'' | '`' => first_unescaped(text, first),
        _ => None,
    };
    if let Some(at) = closes_at {
        let closing = &text[at..];
        if closing.starts_with(rest) {
            return (text, rest.chars().count());
        }
        return if closing.starts_with(first) { (&text[..at], 0) } else { (text, 0) };
    }
    if rest.chars().any(char::is_alphanumeric) {
        // Words follow. The end of the text may be their beginning.
        for (at, _) in text.char_indices() {
            let end = &text[at..];
            if end.len() >= 3 && rest.starts_with(end) {
                return (&text[..at], 0);
            }
        }
    }
    // The caret is inside a word: what would run into the rest of it is no word of anybody's.
    if is_word(first) && text.ends_with(is_word) { ("", 0) } else { (text, 0) }
}

/// Cuts the text before lines that the document goes on with. `None` where nothing else is left. Lines
/// are compared with their indentation: the `}` of an inner block is not the `}` of the outer one.
fn without_following_lines<'a>(excerpt: &Excerpt, text: &'a str) -> Option<&'a str> {
    if !excerpt.line_after.trim().is_empty() {
        return Some(text);
    }
    let has_text = |line: &&str| !line.trim().is_empty();
    let following: Vec<&str> =
        excerpt.lines_after.iter().map(|line| line.trim_end()).filter(has_text).collect();
    let whole = format!("{}{text}", excerpt.line_before);
    let lines: Vec<&str> = whole.split('\n').map(str::trim_end).collect();
    let first_line = excerpt.line_before.len();
    let mut start = 0;
    for index in 0..lines.len() {
        let from_here: Vec<&str> = lines[index..].iter().copied().filter(has_text).collect();
        if !from_here.is_empty() && following.starts_with(&from_here) {
            let kept = whole[..start].get(first_line..).unwrap_or_default().trim_end();
            return if kept.is_empty() { None } else { Some(&text[..kept.len()]) };
        }
        start += whole[start..].find('\n').map_or(0, |at| at + 1);
    }
    Some(text)
}

/// Cuts lines, or pairs or triples of lines, that come three times in a row; `None` where a short run of
/// characters is repeated over and over.
fn without_repetition(text: &str) -> Option<&str> {
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
                return Some(&text[..end + more - 1]);
            }
        }
    }
    let bytes = text.trim_end().as_bytes();
    for period in 2..=24 {
        let unit = bytes.len().checked_sub(period).map(|at| &bytes[at..]);
        let Some(unit) = unit else { break };
        let n_times = bytes.rchunks_exact(period).take_while(|chunk| *chunk == unit).count();
        // A rule of dashes, a table of zeros: repetition that people write.
        let wordy = unit.iter().any(u8::is_ascii_alphabetic);
        if wordy && n_times >= 4 && n_times * period >= 16 {
            return None;
        }
    }
    Some(text)
}

fn repeats_line_above(excerpt: &Excerpt, text: &str) -> bool {
    let above = excerpt.lines_before.iter().rev().map(|it| it.trim()).find(|it| !it.is_empty());
    let first = text.split('\n').next().unwrap_or_default();
    let whole = format!("{}{first}{}", excerpt.line_before, excerpt.line_after);
    // Short lines (a bracket, `else`, `return`) come twice in honest code.
    whole.trim().len() >= 10 && above == Some(whole.trim())
}

/// Cuts the text before the first closing bracket that closes nothing, or something that what follows
/// the caret closes already. The flag says whether something was cut.
fn balanced<'a>(excerpt: &Excerpt, text: &'a str, quotes: Quotes) -> (&'a str, bool) {
    let mut depth: Vec<char> = Vec::new();
    // Most texts close nothing but their own brackets, and ask for none of this.
    let mut available = None;
    for (at, c) in brackets(text, quotes) {
        if is_opener(c) {
            depth.push(c);
        } else if depth.last() == Some(&opener_of(c)) {
            depth.pop();
        } else if !depth.is_empty()
            || available.get_or_insert_with(|| open_at_caret(excerpt, quotes)).next()
                != Some(opener_of(c))
        {
            return (text[..at].trim_end(), true);
        }
    }
    (text, false)
}

/// Brackets that are open at the caret and not closed after it, innermost first.
fn open_at_caret(excerpt: &Excerpt, quotes: Quotes) -> std::vec::IntoIter<char> {
    let mut open: Vec<char> = Vec::new();
    for line in excerpt.lines_before.iter().chain(std::iter::once(&excerpt.line_before)) {
        for (_, c) in brackets(line, quotes) {
            if is_opener(c) {
                open.push(c);
            } else if let Some(at) = open.iter().rposition(|it| *it == opener_of(c)) {
                // What was opened inside and is not closed was no bracket (a quoted one, say).
                open.truncate(at);
            }
        }
    }
    let mut available: Vec<char> = Vec::new();
    let mut depth: Vec<char> = Vec::new();
    'after: for line in std::iter::once(&excerpt.line_after).chain(&excerpt.lines_after) {
        for (_, c) in brackets(line, quotes) {
            if is_opener(c) {
                depth.push(c);
            } else if depth.last() == Some(&opener_of(c)) {
                depth.pop();
            } else if depth.is_empty() {
                while open.last().is_some_and(|top| *top != opener_of(c)) {
                    available.extend(open.pop());
                }
                if open.pop().is_none() {
                    break 'after;
                }
            }
        }
    }
    available.extend(open.into_iter().rev());
    available.into_iter()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::excerpt;

    /// The document with what the person would see: `[…]` for the text, `~…~` for what it replaces.
    #[track_caller]
    fn check(marked: &str, raw: &str, expected: &str) {
        check_finished(marked, raw, Finish::EndToken, expected);
    }

    #[track_caller]
    fn check_finished(marked: &str, raw: &str, how: Finish, expected: &str) {
        let mut excerpt = excerpt::at(marked);
        excerpt.is_rust = marked.contains("let ") || marked.contains("fn ");
        let seen = match finish(&excerpt, raw, how) {
            Err(dropped) => dropped.name().to_owned(),
            Ok(it) if it.replaced_after == 0 => format!("[{}]", it.text),
            Ok(it) => {
                let replaced: String = excerpt.line_after.chars().take(it.replaced_after).collect();
                format!("[{}]~{replaced}~", it.text)
            }
        };
        assert_eq!(seen, expected);
    }

    #[test]
    fn blanks_are_nothing() {
        check("let x$0", "", "blank");
        check("let x$0", "  \n\n ", "blank");
        check("let x =$0", " 1;  \n", "[ 1;]");
    }

    #[test]
    fn the_rest_of_the_line_is_not_said_twice() {
        check("foo($0)", "a, b)", "[a, b]");
        check("foo($0);", "a, b);", "[a, b]");
        check("let x = $0.unwrap();", "get(1).unwrap();", "[get(1)]");
        check("a + $0_total", "b_total", "[b]");
        check("foo($0)", ")", "repeats what follows");
        check("let x = $0;", "1", "[1]");
    }

    #[test]
    fn closed_brackets_are_replaced_where_the_text_goes_on_past_them() {
        check("foo($0)", "a, b);", "[a, b);]~)~");
        check("foo(bar[$0])", "0]).baz()", "[0]).baz()]~])~");
        check("foo($0)", "a, bar(b))?", "[a, bar(b))?]~)~");
        check("foo(x[$0])", "1] + 2", "[1]");
    }

    #[test]
    fn closed_quotes_are_not_closed_again() {
        check("let x = \"$0\"", "abc\";", "[abc\";]~\"~");
        check("println!(\"$0\")", "hello {}\", name);", "[hello {}]");
        check("print('$0')", "a', b)", "[a]");
        check("let x = \"$0\";", "a \\\" b\";", "[a \\\" b]");
    }

    #[test]
    fn the_rest_of_a_word_is_not_said_again() {
        check("it.finish_non_ex$0haustive()", "ha", "repeats what follows");
        check("use std::sync::A$0rc;", "rc", "repeats what follows");
        check("let x$0yz = 1;", "abc", "repeats what follows");
        check("    $0foo()", "bar.", "[bar.]");
    }

    #[test]
    fn inner_blocks_are_closed() {
        let raw = "\n        a();\n    }";
        check("fn f() {\n    if x {$0\n}\n", raw, "[\n        a();\n    }]");
        check("fn f() {\n    if x {\n        a();\n    $0\n}\n", "}", "[}]");
        let raw = "if x then\n    a()\n  end";
        check("function f()\n  $0\nend\n", raw, "[if x then\n    a()\n  end]");
        let raw = "if x:\n        return None";
        let marked = "def f(x):\n    $0\n    return None\n";
        check(marked, raw, "[if x:\n        return None]");
        let raw = "if a {\n        if b {\n            x();\n        }\n    }\n}\n";
        check(
            "fn f() {\n    $0\n}\n",
            raw,
            "[if a {\n        if b {\n            x();\n        }\n    }]",
        );
    }

    #[test]
    fn quoted_brackets_are_no_brackets() {
        check("foo(s, ')'$0", ")", "[)]");
        check("a = s.split('(')\nprint(x$0", "))", "[)]");
        check("let a = s.split('(');\nprint(x$0", "));", "[)]");
        check("fn f<'a>(x: &'a str$0", ")", "[)]");
    }

    #[test]
    fn following_lines_are_not_said_twice() {
        check("fn f() {\n    $0\n    b();\n}\n", "b();", "repeats what follows");
        check("fn f() {\n    $0\n    b();\n}\n", "a();\n    b();\n}", "[a();]");
        check("fn f() {\n    $0\n}\n", "a();\n}", "[a();]");
        check("fn f() {\n    $0\n    b();\n}\n", "a();", "[a();]");
    }

    #[test]
    fn circles_are_cut() {
        check("$0\n", "x = 1\nx = 1\nx = 1\ny", "[x = 1]");
        check("$0\n", "a = 1\nb = 2\na = 1\nb = 2\na = 1\nb = 2", "[a = 1\nb = 2]");
        check("let s = $0", "foo, foo, foo, foo, foo, foo, foo,", "repetition");
        check("// $0", "----------------------------", "[----------------------------]");
        check("let a = $0", "[0, 0, 0, 0, 0, 0, 0, 0, 0, 0];", "[[0, 0, 0, 0, 0, 0, 0, 0, 0, 0];]");
    }

    #[test]
    fn the_line_above_is_not_said_again() {
        check("let total = 1;\n$0\n", "let total = 1;", "repeats the line above");
        check("let total = 1;\nlet to$0\n", "tal = 1;", "repeats the line above");
        check("    }\n    $0", "}", "unbalanced closer");
    }

    #[test]
    fn closers_without_an_opener_are_cut() {
        check("foo(a$0", ");", "[);]");
        check("foo(a$0", "));", "[)]");
        check("let x = a$0", ")", "unbalanced closer");
        check("fn f() {\n    g($0\n}\n", "1);\n}\n}", "[1);]");
        check("fn f() {\n    g();$0\n}\n", "\n}", "repeats what follows");
        check("print$0", "(\":)\");", "[(\":)\");]");
        check("call(\n    a,\n$0\n", ")", "[)]");
    }

    #[test]
    fn half_a_word_is_left_out_where_the_model_is_not_sure() {
        let before = |c| Finish::Unsure { next: Some(c) };
        check_finished("x = $0\n", "map.un", before('w'), "[map.]");
        check_finished("x = $0\n", "map.un", before('('), "[map.un]");
        check_finished("x = ma$0\n", "p_of", before('x'), "blank");
        check_finished("x = $0\n", "map.", before('w'), "[map.]");
    }

    #[test]
    fn an_unfinished_last_line_is_left_out() {
        check_finished("$0\n", "a();\nb(), c(", Finish::Budget, "[a();]");
        check_finished("x = $0\n", "a_very_long", Finish::Budget, "[a_very_long]");
    }
}
