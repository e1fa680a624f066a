//! Brackets of a text, those within quotes left out, without knowing the language's grammar.

/// Where the first bracket closes that the text did not open, in bytes.
pub fn first_unmatched_closer(text: &str, quotes: Quotes) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in brackets(text, quotes) {
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

/// Which characters quote, beside `"`.
#[derive(Debug, Clone, Copy)]
pub enum Quotes {
    /// `'` quotes single characters only; lifetimes begin with it.
    Rust,
    /// `'` and the backtick quote strings.
    Other,
}

/// Brackets of a text with their places, those within quotes left out. A quote that is not closed on its
/// line is no quote: that is how a look that knows no grammar is least often wrong.
pub fn brackets(text: &str, quotes: Quotes) -> impl Iterator<Item = (usize, char)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(c) = text[at..].chars().next() {
            let here = at;
            at += c.len_utf8();
            let rest = &text[at..];
            let quoted = match c {
                '(' | ')' | '[' | ']' | '{' | '}' => return Some((here, c)),
                '\'' if matches!(quotes, Quotes::Rust) => quoted_character(rest),
                '"' | '\'' | '`' => {
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

/// How long a quoted character is whose opening quote is left out: `x'`, `\n'`, `\''`.
fn quoted_character(rest: &str) -> Option<usize> {
    let mut chars = rest.chars();
    let mut length = 0;
    let first = chars.next()?;
    length += first.len_utf8();
    if first == '\\' {
        length += chars.next()?.len_utf8();
    }
    (chars.next() == Some('\'')).then_some(length + 1)
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

    fn seen(text: &str, quotes: Quotes) -> String {
        brackets(text, quotes).map(|(_, c)| c).collect()
    }

    #[test]
    fn quoted_brackets_are_left_out() {
        assert_eq!(seen("f(\"(\", '(')", Quotes::Rust), "()");
        assert_eq!(seen("f('(', '\\'', \"\\\"(\")", Quotes::Other), "()");
        assert_eq!(seen("fn f<'a>(x: &'a str)", Quotes::Rust), "()");
        assert_eq!(seen("// don't (see", Quotes::Other), "(");
        assert_eq!(seen("`${a[0]}` + b[0]", Quotes::Other), "[]");
        assert_eq!(seen("\"open (\nnext)", Quotes::Other), "()");
    }

    #[test]
    fn a_long_line_of_escaped_quotes_is_read_once() {
        let text = "\\\"".repeat(200_000);
        assert_eq!(seen(&text, Quotes::Other), "");
    }
}
