//! Raw generated text to a suggestion that a person would want, or the reason why there is none.
//!
//! Each filter is there because users of the peers complained of its absence (peers.md, section 12:
//! duplicated suffixes, repetition, closers too many). All are pure functions over the excerpt.

use crate::generation::Finish;
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
    let (text, replaced_after) = without_rest_of_line(text, rest);
    let text = without_following_lines(excerpt, text).ok_or(Dropped::RepeatsWhatFollows)?;
    let (text, cut) = if replaced_after == 0 { balanced(excerpt, text) } else { (text, false) };
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
fn without_rest_of_line<'a>(text: &'a str, rest: &str) -> (&'a str, usize) {
    if rest.is_empty() {
        return (text, 0);
    }
    let text = text.split('\n').next().unwrap_or_default();
    if let Some(without) = text.strip_suffix(rest) {
        return (without, 0);
    }
    if rest.chars().any(char::is_alphanumeric) {
        // Words follow. The end of the text may be their beginning.
        for (at, _) in text.char_indices() {
            let end = &text[at..];
            if end.len() >= 3 && rest.starts_with(end) {
                return (&text[..at], 0);
            }
        }
        return (text, 0);
    }
    // Only punctuation follows: most likely brackets that the editor closed by itself. Where the text
    // closes the first of them and goes on, it takes their place.
    let Some(at) = first_unmatched_closer(text) else {
        return (text, 0);
    };
    let closing = &text[at..];
    if closing.starts_with(rest) {
        return (text, rest.chars().count());
    }
    if closing.chars().next() == rest.chars().next() {
        return (&text[..at], 0);
    }
    (text, 0)
}

/// Cuts the text before lines that the document goes on with. `None` where nothing else is left.
fn without_following_lines<'a>(excerpt: &Excerpt, text: &'a str) -> Option<&'a str> {
    let following: Vec<&str> = excerpt
        .lines_after
        .iter()
        .map(|line| line.trim())
        .filter(|line| !line.is_empty())
        .collect();
    let mut start = 0;
    for (index, line) in text.split('\n').enumerate() {
        let first = if index == 0 { excerpt.line_before.as_str() } else { "" };
        let whole = format!("{first}{line}");
        let from_here =
            std::iter::once(whole.trim()).chain(text[start..].split('\n').skip(1).map(str::trim));
        let from_here: Vec<&str> = from_here.filter(|line| !line.is_empty()).collect();
        if !from_here.is_empty()
            && from_here.len() <= following.len()
            && from_here.iter().zip(&following).all(|(a, b)| a == b)
            && (index > 0 || excerpt.line_after.trim().is_empty())
        {
            let kept = text[..start].trim_end();
            return if kept.is_empty() { None } else { Some(kept) };
        }
        start += line.len() + 1;
    }
    Some(text)
}

/// Cuts lines that come three times in a row; `None` where a short run of characters is repeated
/// over and over.
fn without_repetition(text: &str) -> Option<&str> {
    let mut start = 0;
    let mut previous: Option<(&str, usize, usize)> = None;
    for line in text.split('\n') {
        let trimmed = line.trim();
        previous = match previous {
            Some((same, end, n)) if same == trimmed && !trimmed.is_empty() => {
                if n + 1 == 3 {
                    return Some(&text[..end]);
                }
                Some((same, end, n + 1))
            }
            _ => Some((trimmed, start + line.len(), 1)),
        };
        start += line.len() + 1;
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
fn balanced<'a>(excerpt: &Excerpt, text: &'a str) -> (&'a str, bool) {
    let mut open: Vec<char> = Vec::new();
    for line in excerpt.lines_before.iter().chain(std::iter::once(&excerpt.line_before)) {
        for (_, c) in brackets(line) {
            if is_opener(c) {
                open.push(c);
            } else if open.last() == Some(&opener_of(c)) {
                open.pop();
            }
        }
    }
    // Brackets that are open at the caret and not closed after it, innermost first.
    let mut available: Vec<char> = Vec::new();
    let mut depth: Vec<char> = Vec::new();
    'after: for line in std::iter::once(&excerpt.line_after).chain(&excerpt.lines_after) {
        for (_, c) in brackets(line) {
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
    let mut available = available.into_iter();
    let mut depth: Vec<char> = Vec::new();
    for (at, c) in brackets(text) {
        if is_opener(c) {
            depth.push(c);
        } else if depth.last() == Some(&opener_of(c)) {
            depth.pop();
        } else if !depth.is_empty() || available.next() != Some(opener_of(c)) {
            return (text[..at].trim_end(), true);
        }
    }
    (text, false)
}

fn first_unmatched_closer(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in brackets(text) {
        if is_opener(c) {
            depth += 1;
        } else if depth == 0 {
            return Some(at);
        } else {
            depth -= 1;
        }
    }
    None
}

/// Brackets of a text with their places, those within double quotes left out. A quote that is not
/// closed on its line is no quote: that is how a language-independent look is least often wrong.
fn brackets(text: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    let mut chars = text.char_indices();
    std::iter::from_fn(move || {
        loop {
            let (at, c) = chars.next()?;
            match c {
                '(' | ')' | '[' | ']' | '{' | '}' => return Some((at, c)),
                '"' => {
                    let mut ahead = chars.clone();
                    let mut escaped = false;
                    let closed = ahead.by_ref().take_while(|(_, c)| *c != '\n').any(|(_, c)| {
                        let closes = c == '"' && !escaped;
                        escaped = c == '\\' && !escaped;
                        closes
                    });
                    if closed {
                        chars = ahead;
                    }
                }
                _ => {}
            }
        }
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_opener(c: char) -> bool {
    matches!(c, '(' | '[' | '{')
}

fn opener_of(closer: char) -> char {
    match closer {
        ')' => '(',
        ']' => '[',
        _ => '{',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ropey::Rope;

    /// The document with what the person would see: `[…]` for the text, `~…~` for what it replaces.
    #[track_caller]
    fn check(marked: &str, raw: &str, expected: &str) {
        check_finished(marked, raw, Finish::EndToken, expected);
    }

    #[track_caller]
    fn check_finished(marked: &str, raw: &str, how: Finish, expected: &str) {
        let at = marked.find("$0").expect("$0 marks the caret");
        let rope = Rope::from_str(&marked.replacen("$0", "", 1));
        let excerpt = Excerpt::around(&rope, marked[..at].chars().count());
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
    fn following_lines_are_not_said_twice() {
        check("fn f() {\n    $0\n    b();\n}\n", "b();", "repeats what follows");
        check("fn f() {\n    $0\n    b();\n}\n", "a();\n    b();\n}", "[a();]");
        check("fn f() {\n    $0\n}\n", "a();\n}", "[a();]");
        check("fn f() {\n    $0\n    b();\n}\n", "a();", "[a();]");
    }

    #[test]
    fn circles_are_cut() {
        check("$0\n", "x = 1\nx = 1\nx = 1\ny", "[x = 1]");
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
