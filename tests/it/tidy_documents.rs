//! Documents held to the code: what they name is there.

use keyside::assist::escalation::Action;
use keyside::stdx::hex_sha256;

use crate::support::{Client, repository};
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

#[test]
fn the_protocol_is_described_as_it_is() {
    let ext = document("src/lsp/ext.rs");
    let protocol = document("docs/protocol.md");
    let hash = &hex_sha256(ext.as_bytes())[..16];
    let first = protocol.lines().next().unwrap();
    assert_eq!(
        first,
        format!("<!-- ext.rs: {hash} -->"),
        "src/lsp/ext.rs has changed: bring docs/protocol.md up to date, and put the hash there"
    );
    // Every name, as a text of its own or as a part of one.
    let names = ext.split('"').skip(1).step_by(2);
    let names: Vec<&str> = names.filter(|it| it.starts_with("keyside")).collect();
    assert!(names.len() >= 10, "{names:?}");
    let commands = Action::ALL.map(Action::command);
    for name in names.into_iter().chain(commands.iter().map(String::as_str)) {
        assert!(protocol.contains(&format!("`{name}`")), "docs/protocol.md: there is no `{name}`");
    }
    for field in ext.lines().filter_map(|it| it.trim().strip_prefix("pub ")) {
        let Some((field, _)) = field.split_once(": ").filter(|(it, _)| !it.contains(' ')) else {
            continue;
        };
        let words: Vec<&str> = field.split('_').collect();
        let camel = words.iter().enumerate().map(|(index, word)| match index {
            0 => (*word).to_owned(),
            _ => word[..1].to_uppercase() + &word[1..],
        });
        let camel = camel.collect::<String>();
        let is_there = has_word(&protocol, field) || has_word(&protocol, &camel);
        // The part of another shape.
        assert!(is_there || field == "suggestion", "docs/protocol.md: there is no `{field}`");
    }
}

#[tokio::test]
async fn the_protocol_describes_each_statistic() {
    let client = Client::with_embedded_model();
    client.initialize(&["utf-8"]).await;
    client.open("file:///a.rs", "fn main() {\n    let x = 1;\n    \n}\n");
    client.model_ready().await;
    client.ghost("file:///a.rs", 2, 4).await;
    let stats = client.stats().await;
    let protocol = document("docs/protocol.md");
    let mut n_names = 0;
    for (name, value) in stats.as_object().unwrap() {
        let inner = value.as_object().into_iter().flatten().map(|(name, _)| name);
        for name in std::iter::once(name).chain(inner) {
            n_names += 1;
            assert!(protocol.contains(&format!("`{name}`")), "docs/protocol.md: no `{name}`");
        }
    }
    assert!(n_names > 40, "{stats}");
}
