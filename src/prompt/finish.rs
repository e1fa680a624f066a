//! Raw generated text to a suggestion that a person would want, or the reason why there is none.
//!
//! Each filter is there because users of other completion plugins complained of its absence:
//! duplicated suffixes and closers (llama.vscode #13, tabby #613, continue #1552), repetition
//! (tabby #3525). All are pure functions over the excerpt.

use std::fmt;

use crate::lm::Finish;
use crate::prompt::ends::{End, without_loose_closers, without_loose_openers};
use crate::prompt::excerpt::Excerpt;
use crate::prompt::follows::Following;
use crate::prompt::repetition::{goes_in_circles, without_lines_again};
use crate::text::words::{is_word, without_part_of_character};

/// What to show at the caret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// Goes in at the caret; lines end in `\n`.
    pub text: String,
    /// How many characters after the caret, on its line, the text replaces: closing brackets that
    /// the editor put there and that the text contains.
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
    /// It is not likely enough to be right.
    Unsure,
    /// Looking at it takes longer than typing it.
    TooShort,
    /// A name or the call of one, which the servers beside this one offer.
    NameAlone,
    /// It holds a secret that is not in the document, or that no person asked for.
    HoldsSecret,
    /// The settings leave the language out, or comments or strings.
    SwitchedOff,
    /// For a while, and not where a person asks.
    Snoozed,
    /// A person deletes.
    Deleting,
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
            Self::Unsure => "unsure",
            Self::TooShort => "too short",
            Self::NameAlone => "a name alone",
            Self::HoldsSecret => "holds a secret",
            Self::SwitchedOff => "switched off",
            Self::Snoozed => "snoozed",
            Self::Deleting => "deleting",
        }
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Makes a suggestion of generated text that begins at the excerpt's caret. `is_asked_for`: by a
/// person, not by a pause in typing.
///
/// # Errors
/// The reason why nothing is worth showing.
pub fn finish(
    excerpt: &Excerpt,
    raw: &str,
    finish: Finish,
    is_asked_for: bool,
) -> Result<Suggestion, Dropped> {
    let mut text = raw;
    match finish {
        // The model was stopped in the middle of a line; the lines that it had finished are kept.
        Finish::Budget => text = text.rfind('\n').map_or(text, |last_line| &text[..last_line]),
        // It does not know how the word goes on, so half of the word is not shown.
        Finish::Unsure { next } => {
            text = without_part_of_character(text, next);
            if next.is_some_and(is_word) {
                text = text.trim_end_matches(is_word);
            }
        }
        Finish::EndToken | Finish::StopRule => {}
    }
    let blank = text.trim().is_empty();
    let rest = excerpt.line_after.trim_end();
    if rest.is_empty() {
        text = text.trim_end();
    }
    let is_whole_line = match finish {
        Finish::EndToken | Finish::StopRule => true,
        Finish::Budget => raw.contains('\n'),
        Finish::Unsure { .. } => false,
    };
    let ends_line = is_whole_line && rest.is_empty();
    text = without_lines_again(text);
    if goes_in_circles(excerpt, text, ends_line) {
        return Err(Dropped::Repetition);
    }
    let (text, replaced_after) = Following::of(excerpt).without_rest_of_line(text, rest);
    let text = without_following_lines(excerpt, text).ok_or(Dropped::RepeatsWhatFollows)?;
    let (text, cut) =
        if replaced_after == 0 { without_loose_closers(excerpt, text) } else { (text, false) };
    let end = End { ends_line: ends_line && !cut, is_asked_for, replaced_after };
    let closed = without_loose_openers(excerpt, text, end);
    // What the text replaces stood at its end.
    let replaced_after = if closed.len() == text.len() { replaced_after } else { 0 };
    let text = closed;
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

/// Cuts the text before lines that the document goes on with. `None` where nothing else is left.
/// Lines are compared with their indentation: the `}` of an inner block is not the `}` of the outer
/// one.
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

fn repeats_line_above(excerpt: &Excerpt, text: &str) -> bool {
    let above = excerpt.lines_before.iter().rev().map(|it| it.trim()).find(|it| !it.is_empty());
    let first = text.split('\n').next().unwrap_or_default();
    let whole = format!("{}{first}{}", excerpt.line_before, excerpt.line_after);
    // Short lines (a bracket, `else`, `return`) come twice in honest code.
    whole.trim().len() >= 10 && above == Some(whole.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::excerpt;
    use crate::prompt::lexis::Lexis;

    /// The document with what the person would see: `[…]` for the text, `~…~` for what it replaces.
    #[track_caller]
    fn check(marked: &str, raw: &str, expected: &str) {
        check_finished(marked, raw, Finish::EndToken, expected);
    }

    #[track_caller]
    fn check_finished(marked: &str, raw: &str, how: Finish, expected: &str) {
        let mut excerpt = excerpt::at(marked);
        let is_rust = marked.contains("let ") || marked.contains("fn ");
        excerpt.lexis = Lexis::of(if is_rust { "rust" } else { "python" }, "");
        let seen = match finish(&excerpt, raw, how, false) {
            Err(dropped) => dropped.name().to_owned(),
            Ok(it) if it.replaced_after == 0 => format!("[{}]", it.text),
            Ok(it) => {
                let replaced: String = excerpt.line_after.chars().take(it.replaced_after).collect();
                format!("[{}]~{replaced}~", it.text)
            }
        };
        assert_eq!(seen, expected);
    }

    /// A text that ends where the model was not sure that `next` comes.
    #[track_caller]
    fn check_unsure(marked: &str, raw: &str, next: char, expected: &str) {
        check_finished(marked, raw, Finish::Unsure { next: Some(next) }, expected);
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
    fn what_opens_behind_the_caret_is_not_said_again() {
        check("let sum = comp$0(c, d);", "ute(a, b", "[ute]");
        check("let sum = compute$0(c, d);", "(a, b)", "repeats what follows");
        check("f(x, user_n$0='b')", "ame='a')", "[ame]");
        check("self.hei$0 = 3", "ght = height", "[ght]");
        check("if hei$0 == 3:", "ght == 4 and x", "[ght]");
        check("requ$0 'path'", "ire 'fs'", "[ire]");
        check("let a$0: u8;", "ge: u16;", "[ge]");
        check("let x: Vec$0<u8>;", "Deque<u16>", "[Deque]");
        check("it's a \"quo$0 'x'", "te 'y'", "[te]");
        // No word is completed: a call before what is there already, an element before another.
        check("let x = $0(1, 2);", "foo(3, 4)", "[foo]");
        check("let x = $0(1, 2);", "foo(3).bar(1, 2);", "[foo(3).bar]");
        check("x = [$0(1, 2)]", "(0, 0), ", "[(0, 0), ]");
    }

    #[test]
    fn what_a_text_opens_it_closes() {
        check_unsure("x = $0\n", "foo(a, ", 'b', "[foo]");
        check_unsure("x = $0\n", "foo(a)", '.', "[foo(a)]");
        check_unsure("$0\n", "print(\"hel", 'l', "[print]");
        check_unsure("foo($0)\n", "bar(x", ',', "[bar]");
        check_unsure("print(\"$0\")", "a {x", '!', "[a {x]");
        check_unsure("let x: $0\n", "&'a str", ',', "[&'a str]");
        let lines = "vec![\n    a(),\n    b(";
        check_unsure("let x = $0\n", lines, 'c', "[vec![\n    a(),\n    b]");
        // The construct goes on in the next line, or what follows closes it.
        check("$0\n", "if foo(", "[if foo(]");
        check("    if x $0\n    }\n", "{", "[{]");
        // Prose has apostrophes and no quotes.
        check("\"\"\"Doc$0\n", "umentation, don't (see", "[umentation, don't (see]");
        check("# it$0\n", "'s (a", "['s (a]");
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
        check_unsure("x = $0\n", "map.un", 'w', "[map.]");
        check_unsure("x = $0\n", "map.un", '(', "[map.un]");
        check_unsure("x = ma$0\n", "p_of", 'x', "blank");
        check_unsure("x = $0\n", "map.", 'w', "[map.]");
        check_unsure("x = $0\n", "a.grö", 'ß', "[a.]");
        check_unsure("x = $0\n", "cafe", '\u{301}', "blank");
    }

    #[test]
    fn an_unfinished_last_line_is_left_out() {
        check_finished("$0\n", "a();\nb(), c(", Finish::Budget, "[a();]");
        check_finished("x = $0\n", "a_very_long", Finish::Budget, "[a_very_long]");
    }
}
