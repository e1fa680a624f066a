//! What is a word, in any script, and where a character that a person sees ends.

use unicode_segmentation::GraphemeCursor;

/// Whether a character can be part of a name: letters, digits, `_`, and the marks that belong to
/// letters (Unicode's `XID_Continue`, UAX #31), and the joiners within words of Persian and of the
/// languages of India.
pub fn is_word(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    c.is_alphanumeric() || unicode_ident::is_xid_continue(c) || matches!(c, '\u{200c}' | '\u{200d}')
}

/// The text without its last character as a person sees it, if that goes on with `next`: a letter
/// without its accent, half a flag, a family without its child (extended grapheme clusters, UAX
/// #29).
pub fn without_part_of_character(text: &str, next: Option<char>) -> &str {
    if text.is_ascii() && next.is_none_or(|it| it.is_ascii()) {
        return text;
    }
    let joins = text.ends_with('\u{200d}');
    let mut whole = text.to_owned();
    whole.extend(next);
    let mut cursor = GraphemeCursor::new(text.len(), whole.len(), true);
    let is_whole = !joins && (next.is_none() || cursor.is_boundary(&whole, 0) != Ok(false));
    if is_whole {
        return text;
    }
    let mut cursor = GraphemeCursor::new(text.len(), text.len(), true);
    let start = cursor.prev_boundary(text, 0).ok().flatten();
    &text[..start.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_all_scripts() {
        for word in
            ["größe", "имя_поля", "顧客番号", "변수", "हिन्दी", "cafe\u{301}", "می\u{200c}شود", "x²"]
        {
            assert!(word.chars().all(is_word), "{word}");
        }
        for other in [' ', '(', '、', '。', '–', '€', '😀', '×', '\u{3000}', '\u{a0}'] {
            assert!(!is_word(other), "{other:?}");
        }
    }

    #[test]
    fn characters_are_whole_as_a_person_sees_them() {
        let kept = without_part_of_character;
        assert_eq!(kept("abc", Some('d')), "abc");
        assert_eq!(kept("größ", Some('e')), "größ");
        assert_eq!(kept("cafe", Some('\u{301}')), "caf");
        assert_eq!(kept("a 👩", Some('\u{200d}')), "a ");
        assert_eq!(kept("a 👩\u{200d}", Some('💻')), "a ");
        assert_eq!(kept("a 👩\u{200d}", None), "a ");
        assert_eq!(kept("a 👩\u{200d}💻", Some(' ')), "a 👩\u{200d}💻");
        assert_eq!(kept("👍", Some('\u{1f3fd}')), "");
        assert_eq!(kept("🇩", Some('🇪')), "");
        assert_eq!(kept("", Some('ä')), "");
    }
}
