//! A scanner of strings, comments and code, as far as the filters look.
//!
//! It knows no grammar. A string that its line does not close ends with the line, so that one
//! apostrophe too many costs a line and not the rest of a file.

pub use crate::text::lexis::{Lexis, Span};
use crate::text::words::is_word;

/// Where in the text a scanner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Code,
    LineComment,
    Span(&'static Span),
    Quoted(char),
}

impl Mode {
    pub fn is_string(self) -> bool {
        match self {
            Self::Quoted(_) => true,
            Self::Span(span) => span.is_string,
            Self::Code | Self::LineComment => false,
        }
    }
}

/// What a scanner comes across.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A bracket of code.
    Bracket(char),
    /// A string begins.
    Opens(char),
    /// It ends.
    Closes,
    /// Its line ends before it does.
    Breaks,
    /// A character of code that is none of these, a blank or a part of a word; with lifetimes, a
    /// `'` and what it quotes.
    Sign(char),
}

/// Goes through a text that begins in `mode`, and returns the mode at its end. `on_mark` gets
/// places in bytes and says whether to go on.
pub fn scan(
    lexis: &'static Lexis,
    mut mode: Mode,
    text: &str,
    mut on_mark: impl FnMut(usize, Mark) -> bool,
) -> Mode {
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let mut length = c.len_utf8();
        let mut mark = None;
        match mode {
            Mode::Code => (length, mark, mode) = in_code(lexis, text, at, c),
            Mode::LineComment if c == '\n' => mode = Mode::Code,
            Mode::LineComment => length = rest.find('\n').unwrap_or(rest.len()),
            Mode::Quoted(_) if c == '\\' => length += next_length(rest, length),
            Mode::Quoted(_) if c == '\n' => (mark, mode) = (Some(Mark::Breaks), Mode::Code),
            Mode::Quoted(quote) if c == quote => (mark, mode) = (Some(Mark::Closes), Mode::Code),
            Mode::Span(span) if span.has_escapes && c == '\\' => {
                length += next_length(rest, length)
            }
            Mode::Span(span) if rest.starts_with(span.close) => {
                length = span.close.len();
                mark = span.is_string.then_some(Mark::Closes);
                mode = Mode::Code;
            }
            Mode::Quoted(_) | Mode::Span(_) => {}
        }
        if let Some(mark) = mark
            && !on_mark(at, mark)
        {
            break;
        }
        at += length;
    }
    mode
}

fn next_length(rest: &str, after: usize) -> usize {
    rest[after..].chars().next().map_or(0, char::len_utf8)
}

fn in_code(lexis: &'static Lexis, text: &str, at: usize, c: char) -> (usize, Option<Mark>, Mode) {
    let length = c.len_utf8();
    if is_word(c) && c != 'r' || c.is_whitespace() {
        return (length, None, Mode::Code);
    }
    let rest = &text[at..];
    let before = text[..at].chars().next_back();
    let begins_word = before.is_none_or(char::is_whitespace);
    if let Some(span) = lexis.spans.iter().find(|it| rest.starts_with(it.open)) {
        let mark = span.is_string.then_some(Mark::Opens(c));
        return (span.open.len(), mark, Mode::Span(span));
    }
    let is_comment = |it: &&&str| rest.starts_with(**it) && (it.starts_with('/') || begins_word);
    if let Some(comment) = lexis.line_comments.iter().find(is_comment) {
        return (comment.len(), None, Mode::LineComment);
    }
    if matches!(c, '(' | ')' | '[' | ']' | '{' | '}') {
        return (length, Some(Mark::Bracket(c)), Mode::Code);
    }
    if lexis.quotes.contains(c) {
        if lexis.only_behind_equals && before != Some('=') {
            return (length, Some(Mark::Sign(c)), Mode::Code);
        }
        if c == '\'' {
            if lexis.has_lifetimes {
                let quoted = quoted_character(&rest[1..]);
                return (1 + quoted.unwrap_or(0), Some(Mark::Sign(c)), Mode::Code);
            }
            // `don't`, `x'`, `1'000`; but not `f'…'`.
            if before.is_some_and(is_word) && !is_prefix(&text[..at]) {
                return (length, None, Mode::Code);
            }
        }
        return (length, Some(Mark::Opens(c)), Mode::Quoted(c));
    }
    let mark = (!is_word(c)).then_some(Mark::Sign(c));
    (length, mark, Mode::Code)
}

/// Whether a text ends in letters that belong to a string's quote: `r`, `b`, `f`, `rb`, `L`, `u8`.
fn is_prefix(text: &str) -> bool {
    let start = text.char_indices().rev().take_while(|it| is_word(it.1)).last();
    let word = start.map_or("", |it| &text[it.0..]);
    word.len() <= 2 && word.bytes().all(|it| b"rRbBfFuULq8tT".contains(&it))
}

/// How long a quoted character is whose opening quote is left out: `x'`, `\n'`, `\''`, `\u{e4}'`.
pub fn quoted_character(rest: &str) -> Option<usize> {
    let first = rest.chars().next()?;
    if first == '\\' {
        let escaped = 1 + next_length(rest, 1);
        let end = rest[escaped..].char_indices().take(12).find(|it| it.1 == '\'')?;
        return Some(escaped + end.0 + 1);
    }
    let length = first.len_utf8();
    rest[length..].starts_with('\'').then_some(length + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Brackets of code, `<` and `>` where strings begin and end, the mode at the end.
    fn scanned(language: &str, text: &str) -> String {
        let mut out = String::new();
        let end = scan(Lexis::of(language, ""), Mode::Code, text, |_, mark| {
            match mark {
                Mark::Bracket(c) => out.push(c),
                Mark::Opens(_) => out.push('<'),
                Mark::Closes => out.push('>'),
                Mark::Breaks => out.push('!'),
                Mark::Sign(_) => {}
            }
            true
        });
        match end {
            Mode::Code => out,
            Mode::LineComment => out + " comment",
            Mode::Span(span) => out + " " + span.open,
            Mode::Quoted(quote) => out + " " + &quote.to_string(),
        }
    }

    #[test]
    fn each_language_has_its_own_quotes_and_comments() {
        for (language, text, expected) in [
            ("rust", "f(\"(\", '(', '\\'', '\\u{28}') // ) don't", "(<>) comment"),
            ("rust", "fn f<'a>(x: &'a str) -> Foo<'static> {", "(){"),
            ("rust", "let s = r#\"a \" b (\"#; g(", "<>("),
            ("python", "f(f'{x}', rb'(', \"it's\") # don't (", "(<><><>) comment"),
            ("python", "\"\"\"It's\na (", "< \"\"\""),
            ("python", "d['a'][\"b", "[<>][< \""),
            ("python", "x = 'open\ny = (", "<!("),
            ("javascript", "`a ${b(\n'` + \"(\" + '", "<><>< '"),
            ("typescript", "// it's (\n/* ( */ f(", "("),
            ("c", "case '\"': s = \"\\\"(\"; n = 1'000;", "<><>"),
            ("go", "x := `a \\` + \"b", "<>< \""),
            ("lua", "f([[ ( ]]) -- (\n--[[ (", "(<>) --[["),
            ("html", "<a href=\"x(\">don't</a> <b c='", "<>< '"),
            ("markdown", "don't say \"hello (", "("),
            ("lisp", "(quote 'a \"(\" ; (", "(<> comment"),
            ("shellscript", "echo \"${#x}\" $# '", "<>< '"),
            ("haskell", "foldl' f x' -- (", " comment"),
            ("", "it's \"(\" (", "<>("),
        ] {
            assert_eq!(scanned(language, text), expected, "{language}: {text}");
        }
    }
}
