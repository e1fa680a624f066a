//! Documents held to the code: what they name is there.

use crate::support::repository;
use crate::tidy::rust_files;

fn document(name: &str) -> String {
    std::fs::read_to_string(repository(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The texts in backticks of a line of Markdown.
fn in_backticks(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Whether `text` has `word` with no letter, digit or underscore beside it.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |it: char| it.is_alphanumeric() || it == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
    })
}

#[test]
fn the_glossary_names_what_is_in_the_code() {
    let files = rust_files(&["src"]);
    let mut n_terms = 0;
    for row in document("docs/glossary.md").lines().filter(|it| it.starts_with("| ")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        if cells[0].trim() == "term" {
            continue;
        }
        assert_eq!(cells.len(), 4, "docs/glossary.md: four cells a row: {row}");
        n_terms += 1;
        // What stands behind an arrow is still to come.
        let today = cells[1].split(", ").map(|it| it.split('→').next().unwrap());
        for name in today.flat_map(in_backticks) {
            let is_path = name.contains('/') || name.ends_with(".rs");
            let is_there = match is_path {
                true => files.iter().any(|(path, _)| path.ends_with(&format!("/{name}"))),
                false => files.iter().any(|(_, text)| has_word(text, name)),
            };
            let is_elsewhere = repository(name).exists();
            assert!(is_there || is_elsewhere, "docs/glossary.md: `{name}` is not in the code");
        }
    }
    assert!(n_terms > 50, "{n_terms} terms");
}
