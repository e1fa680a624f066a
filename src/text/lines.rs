//! Lines of a text, with the line breaks that a rope knows.

/// The lines of a text with their breaks: `\n`, `\r\n` or `\r`.
pub fn lines_of(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let n_bytes = match memchr::memchr2(b'\n', b'\r', rest.as_bytes()) {
            Some(at) => at + 1 + usize::from(rest[at..].starts_with("\r\n")),
            None if rest.is_empty() => return None,
            None => rest.len(),
        };
        let (line, others) = rest.split_at(n_bytes);
        rest = others;
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use ropey::Rope;

    use super::*;

    #[test]
    fn lines_are_those_of_a_rope() {
        for text in ["", "a", "a\n", "a\r\nb", "a\rb\r", "\r\n\n\r\r\n", "a\u{2028}b\u{b}c\n\né"] {
            let rope = Rope::from_str(text);
            let expected: Vec<String> =
                rope.lines().map(|it| it.to_string()).filter(|it| !it.is_empty()).collect();
            assert_eq!(lines_of(text).collect::<Vec<_>>(), expected, "{text:?}");
        }
    }
}
