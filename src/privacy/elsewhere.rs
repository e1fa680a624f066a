//! Secrets where nothing is sent: a text that tells how another one goes on is read without them, and a suggestion that holds
//! one is known before it is shown.

use std::borrow::Cow;
use std::ops::Range;

use super::redact::{Redactor, lines_with_secrets};

/// Shorter words are no secrets that a rule knows. The rules are for the others.
const MIN_SECRET_BYTES: usize = 6;

/// Reads the rules and makes the most usual ones ready, some 10 ms, so that no key has to. For a background thread.
pub fn prepare() {
    let usual =
        "api_key = \"a\"\npassword: 'b'\nsecret token auth credential access private client\n";
    Redactor::shared().find(usual, None);
}

/// The text with each line empty that holds a secret or a part of one. Line breaks stay.
pub fn without_secret_lines<'a>(text: &'a str, path: Option<&str>) -> Cow<'a, str> {
    let secret = lines_with_secrets(path, text);
    if secret.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut secret = secret.into_iter().peekable();
    let mut out = String::with_capacity(text.len());
    for (number, line) in text.split_inclusive('\n').enumerate() {
        while secret.next_if(|it| it.end <= number).is_some() {}
        let is_secret = secret.peek().is_some_and(|it| it.start <= number);
        let line_break = &line[line.trim_end_matches(['\r', '\n']).len()..];
        out.push_str(if is_secret { line_break } else { line });
    }
    Cow::Owned(out)
}

/// The secrets of `text` of which a part lies in `range`.
pub fn secrets_within<'a>(text: &'a str, range: &Range<usize>, path: Option<&str>) -> Vec<&'a str> {
    if !may_hold_a_secret(text, range) {
        return Vec::new();
    }
    let found = Redactor::shared().find(text, path);
    let is_within = |it: &Range<usize>| it.start < range.end && range.start < it.end;
    let found = found.into_iter().map(|it| it.range).filter(is_within);
    found.map(|it| &text[it]).collect()
}

/// Whether a word that reaches into `range` is long enough for a secret. Most suggestions end here.
fn may_hold_a_secret(text: &str, range: &Range<usize>) -> bool {
    let is_border = |it: char| it.is_whitespace() || "\"'`()[]{}<>,;".contains(it);
    let start = text[..range.start].rfind(is_border).map_or(0, |at| at + 1);
    let end = text[range.end..].find(is_border).map_or(text.len(), |at| range.end + at);
    let Some(around) = text.get(start..end) else { return true };
    around.split(is_border).any(|it| it.len() >= MIN_SECRET_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Built from parts, so that no scanner takes this file for a leak.
    fn token() -> String {
        format!("gh{}_{}", 'p', "7Fk2Qx9LmZp4Rt8Vw1Yb6Nc3Hd5Js0GaEuTo")
    }

    #[test]
    fn lines_with_secrets_are_empty_and_the_others_are_as_they_were() {
        let text = format!("a = 1\r\nb = '{}' # {0}\r\nc = 2\n", token());
        assert_eq!(without_secret_lines(&text, None), "a = 1\r\n\r\nc = 2\n");
        let key = format!(
            "x\n-----BEGIN {0}-----\n{1}\n{1}\n-----END {0}-----\ny",
            "RSA PRIVATE KEY",
            "MIIEow".repeat(11)
        );
        let rest = without_secret_lines(&key, None);
        assert!(
            !rest.contains("MIIE") && rest.starts_with("x\n") && rest.ends_with("\ny"),
            "{rest}"
        );
        assert!(matches!(without_secret_lines("a\nb", None), Cow::Borrowed(_)));
        assert_eq!(without_secret_lines(&token(), None), "");
    }

    #[test]
    fn a_secret_counts_where_a_part_of_it_is_in_the_range() {
        let text = format!("key = \"{}\"; next()", token());
        let at = |part: &str| text.find(part).expect("it is there");
        let all = 0..text.len();
        assert_eq!(secrets_within(&text, &all, None), [token()]);
        // Its beginning was there already.
        assert_eq!(secrets_within(&text, &(at("Rt8V")..text.len()), None), [token()]);
        assert!(secrets_within(&text, &(at("; next")..text.len()), None).is_empty());
        assert!(secrets_within("let größe = f(a, b);", &(4..22), None).is_empty());
    }

    #[test]
    fn short_words_are_not_looked_at() {
        assert!(!may_hold_a_secret("foo(bar, baz[1])", &(3..15)));
        assert!(may_hold_a_secret("abcdefgh", &(7..8)));
        assert!(may_hold_a_secret("f(abcdefgh)", &(2..4)));
    }
}
