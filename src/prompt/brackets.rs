//! Brackets of a text, those within quotes left out, without knowing the language's grammar.

use crate::prompt::lexis::{Lexis, quoted_character};

/// Where the first bracket closes that the text did not open, in bytes.
pub fn first_unmatched_closer(text: &str, lexis: &Lexis) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in brackets(text, lexis) {
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

/// Where a quote stands that no backslash escapes, in bytes.
pub fn first_unescaped(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let found = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        found.then_some(at)
    })
}

/// Brackets of a text with their places, those within quotes left out. A quote that is not closed
/// on its line is no quote: that is how a look that knows no grammar is least often wrong.
pub fn brackets<'a>(text: &'a str, lexis: &'a Lexis) -> impl Iterator<Item = (usize, char)> + 'a {
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(c) = text[at..].chars().next() {
            let here = at;
            at += c.len_utf8();
            let rest = &text[at..];
            let quoted = match c {
                '(' | ')' | '[' | ']' | '{' | '}' => return Some((here, c)),
                '\'' if lexis.has_lifetimes => quoted_character(rest),
                '"' | '\'' | '`' if lexis.is_quote(c) => {
                    let line = rest.split('\n').next().unwrap_or_default();
                    match first_unescaped(line, c) {
                        Some(end) => Some(end + 1),
                        // Neither will the next one on this line be closed.
                        None => {
                            line.bytes().position(|it| b"()[]{}".contains(&it)).or(Some(line.len()))
                        }
                    }
                }
                _ => None,
            };
            at += quoted.unwrap_or(0);
        }
        None
    })
}

/// `(`, `[`, `{`.
pub fn is_opener(c: char) -> bool {
    matches!(c, '(' | '[' | '{')
}

/// The opening bracket of a closing one.
pub fn opener_of(closer: char) -> char {
    match closer {
        ')' => '(',
        ']' => '[',
        _ => '{',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str, language: &str) -> String {
        brackets(text, Lexis::of(language, "")).map(|(_, c)| c).collect()
    }

    #[test]
    fn quoted_brackets_are_left_out() {
        assert_eq!(seen("f(\"(\", '(')", "rust"), "()");
        assert_eq!(seen("f('(', '\\'', \"\\\"(\")", "javascript"), "()");
        assert_eq!(seen("fn f<'a>(x: &'a str)", "rust"), "()");
        assert_eq!(seen("// don't (see", "javascript"), "(");
        assert_eq!(seen("`${a[0]}` + b[0]", "javascript"), "[]");
        assert_eq!(seen("\"open (\nnext)", "javascript"), "()");
    }

    #[test]
    fn a_long_line_of_escaped_quotes_is_read_once() {
        let text = "\\\"".repeat(200_000);
        assert_eq!(seen(&text, "javascript"), "");
    }
}
