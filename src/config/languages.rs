//! Language ids that editors use: which one a misspelt one was to be.

use crate::config::expected::nearest;
use crate::text::language::{LANGUAGES, Language};

/// A note on an id in `completion.disabled_languages` that no editor is known to use. `None`: one
/// does.
pub fn doubt(id: &str) -> Option<String> {
    let id = id.trim();
    let language = Language::of_id(id);
    if language.is_some_and(|it| it.ids().any(|known| known.eq_ignore_ascii_case(id))) {
        return None;
    }
    let near = || {
        let mut ids: Vec<&str> = LANGUAGES.iter().flat_map(Language::ids).collect();
        // Of two that are equally near the later one is taken.
        ids.sort_unstable();
        nearest(id, ids.into_iter())
    };
    Some(match language.map(|it| it.name).or_else(near) {
        Some(meant) => format!("`{id}` (did you mean `{meant}`?)"),
        None => format!("`{id}`"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_known_in_capitals_or_not_and_others_have_a_nearest_one() {
        for known in ["rust", "Rust", "MARKDOWN", " typescriptreact "] {
            assert_eq!(doubt(known), None);
        }
        for (id, expected) in [
            ("markdwon", "`markdwon` (did you mean `markdown`?)"),
            ("Pyhton", "`Pyhton` (did you mean `python`?)"),
            ("C++", "`C++` (did you mean `cpp`?)"),
            ("js", "`js` (did you mean `javascript`?)"),
            ("java script", "`java script` (did you mean `javascript`?)"),
            ("qwertz", "`qwertz`"),
            ("", "``"),
        ] {
            assert_eq!(doubt(id).as_deref(), Some(expected));
        }
    }
}
