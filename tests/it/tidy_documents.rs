//! Documents held to the code: what they name is there.

use keyside::assistant::actions::Action;
use keyside::stdx::hex_sha256;

use crate::support::{Client, repository};
use crate::tidy::{MAY_IMPORT, rust_files};

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
    let extension = document("editors/vscode/package.json");
    for name in names.into_iter().chain(commands.iter().map(String::as_str)) {
        assert!(protocol.contains(&format!("`{name}`")), "docs/protocol.md: there is no `{name}`");
        // VS Code registers each command of a server, and refuses the server whose command the
        // extension has registered.
        let theirs = format!("\"command\": \"{name}\"");
        assert!(!extension.contains(&theirs), "editors/vscode/package.json has {name} too");
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
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
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

/// One line a setting, made of its doc comment. `UPDATE_EXPECT=1` writes it.
#[test]
fn the_readme_lists_where_each_setting_is_as_the_types_have_it() {
    let schema = serde_json::to_value(schemars::schema_for!(keyside::config::Config)).unwrap();
    let mut rows = String::new();
    for (key, value) in keyside::config::layers::flat(&keyside::config::Config::default()) {
        let (table, name) = key.split_once('.').unwrap();
        let definition = schema["properties"][table]["$ref"].as_str().unwrap();
        let definition = definition.rsplit('/').next().unwrap();
        let text = schema["$defs"][definition]["properties"][name]["description"].as_str().unwrap();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        rows.push_str(&format!("| `{key}` | `{value}` | {text} |\n"));
    }
    let name = "docs/configuration.md";
    let text = document(name);
    let (before, rest) = text.split_once("|---|---|---|\n").expect("a table");
    let after = rest.trim_start_matches(|it| it != '\n').split_once("\n\n").expect("its end").1;
    let expected = format!("{before}|---|---|---|\n{rows}\n{after}");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(repository(name), &expected).unwrap();
    } else {
        assert_eq!(text, expected, "{name}: UPDATE_EXPECT=1 writes what the types have");
    }
    assert!(document("README.md").contains(name), "README.md leads to {name}");
}

/// What a reader takes in at one sitting.
const MAX_LINES: &[(&str, usize)] = &[
    ("README.md", 120),
    ("ARCHITECTURE.md", 150),
    ("CONTRIBUTING.md", 150),
    ("docs/style.md", 100),
];

#[test]
fn documents_stay_short() {
    for (name, most) in MAX_LINES {
        let n_lines = document(name).lines().count();
        assert!(n_lines <= *most, "{name}: {n_lines} lines; move something below docs/");
    }
}

/// All documents, by their paths in the repository.
fn documents() -> Vec<String> {
    let mut all = Vec::new();
    for folder in ["", "docs", "model", "benches", ".github"] {
        for entry in std::fs::read_dir(repository(folder)).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            if name.ends_with(".md") {
                all.push(if folder.is_empty() { name } else { format!("{folder}/{name}") });
            }
        }
    }
    all
}

/// The anchor of a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|it| it.is_alphanumeric() || " -_".contains(*it));
    kept.map(|it| if it == ' ' { '-' } else { it }).collect()
}

#[test]
fn links_lead_somewhere() {
    let all = documents();
    assert!(all.len() > 12, "{all:?}");
    for name in all {
        let text = document(&name);
        let folder = name.rsplit_once('/').map_or("", |it| it.0);
        for link in text.split("](").skip(1).filter_map(|it| it.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (path, place) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { name.clone() } else { format!("{folder}/{path}") };
            let file = repository(target.trim_start_matches('/'));
            assert!(file.exists(), "{name}: there is no {link}");
            if !place.is_empty() {
                let text = std::fs::read_to_string(&file).unwrap();
                let mut headings = text.lines().filter(|it| it.starts_with('#')).map(anchor);
                assert!(headings.any(|it| it == place), "{name}: there is no heading {link}");
            }
        }
    }
}

#[test]
fn the_map_is_of_what_is_there() {
    let text = document("ARCHITECTURE.md");
    let files = rust_files(&["src", "tests"]);
    for name in in_backticks(&text).filter(|it| it.ends_with(".rs") && !it.contains('*')) {
        let is_there =
            files.iter().any(|(path, _)| format!("/{path}").ends_with(&format!("/{name}")));
        assert!(is_there, "ARCHITECTURE.md: there is no `{name}`");
    }
    let rows = text.lines().filter(|it| it.starts_with("| `"));
    let mut listed: Vec<&str> = rows.filter_map(|it| in_backticks(it).next()).collect();
    let mut modules: Vec<&str> = MAY_IMPORT.iter().map(|(name, _)| *name).collect();
    modules.retain(|it| !["lib", "main"].contains(it));
    listed.sort_unstable();
    modules.sort_unstable();
    assert_eq!(listed, modules, "ARCHITECTURE.md has a line for each module");
}
