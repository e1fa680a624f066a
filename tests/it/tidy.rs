//! The map of ARCHITECTURE.md, enforced: who may import whom, what lives where, how files begin.

use std::path::{Path, PathBuf};

use crate::support::repository;

/// Modules in reading order and what each may import: itself, and these with their parts.
pub const MAY_IMPORT: &[(&str, &[&str])] = &[
    // Domain types, and `lm`, which is an adapter as well.
    ("stdx", &[]),
    ("text", &["stdx"]),
    ("files", &[]),
    ("config", &["stdx", "text", "files"]),
    ("lm", &["stdx", "files"]),
    // Pure logic.
    ("classify", &["stdx"]),
    ("instruct", &["lm"]),
    ("route", &["text", "classify"]),
    ("prompt", &["text", "lm", "stdx"]),
    ("retrieval", &["text", "lm"]),
    ("syntax", &["text"]),
    ("assistant/actions", &[]),
    ("assistant/apply", &["text", "syntax"]),
    ("privacy", &["files"]),
    ("remote/protocol", &["stdx", "config"]),
    ("remote/pricing", &["config", "remote/protocol"]),
    (
        "remote/outbound",
        &["stdx", "files", "config", "privacy", "remote/protocol", "remote/pricing"],
    ),
    // Adapters.
    ("workspace", &["text", "files", "lm", "retrieval", "privacy", "machine"]),
    ("corrections", &["files", "classify", "route"]),
    ("machine", &[]),
    ("models", &["files", "lm"]),
    ("sandbox", &[]),
    ("remote/broker", &["stdx", "files", "config", "sandbox", "remote"]),
    ("remote", &[]),
    ("ledger", &[]),
    // Application: features, wiring, shell.
    (
        "completion",
        &[
            "text",
            "lm",
            "config",
            "prompt",
            "retrieval",
            "privacy",
            "workspace",
            "machine",
            "remote",
            "ledger",
        ],
    ),
    (
        "assistant",
        &[
            "stdx",
            "text",
            "files",
            "config",
            "route",
            "corrections",
            "syntax",
            "privacy",
            "workspace",
            "remote",
            "ledger",
        ],
    ),
    (
        "app",
        &[
            "config",
            "lm",
            "classify",
            "instruct",
            "privacy",
            "ledger",
            "machine",
            "sandbox",
            "completion",
            "assistant",
        ],
    ),
    ("evaluate", &["stdx", "text", "lm", "prompt", "retrieval", "completion"]),
    ("completions_endpoint", &["lm", "completion", "app"]),
    (
        "lsp",
        &[
            "stdx",
            "text",
            "lm",
            "config",
            "classify",
            "retrieval",
            "sandbox",
            "completion",
            "assistant",
            "app",
        ],
    ),
    (
        "cli",
        &[
            "stdx",
            "text",
            "lm",
            "files",
            "config",
            "classify",
            "instruct",
            "route",
            "corrections",
            "retrieval",
            "privacy",
            "workspace",
            "machine",
            "models",
            "sandbox",
            "remote",
            "ledger",
            "completion",
            "assistant",
            "app",
            "evaluate",
            "completions_endpoint",
            "lsp",
        ],
    ),
    ("lib", &[]),
    ("main", &["cli"]),
];

/// Outside crates that only one place may name.
const HOME_OF: &[(&str, &str)] = &[
    ("llama_cpp_2", "src/lm/backend/llama"),
    ("llama_cpp_sys_2", "src/lm/backend/llama"),
    ("llguidance::", "src/lm/grammar"),
    ("tower_lsp::", "src/lsp"),
    ("clientInfo", "src/lsp/editors.rs"),
    ("clap::", "src/cli"),
    ("toml_edit", "src/cli"),
    ("ignore::Walk", "src/workspace"),
    ("ignore::gitignore", "src/privacy/fence.rs"),
    ("reqwest", "src/remote/broker/http"),
    ("keyring::", "src/remote/broker/keys.rs"),
    ("rusqlite", "src/ledger"),
    ("jiff::", "src/ledger"),
    ("regex_automata", "src/privacy"),
    ("tree_sitter::", "src/syntax"),
    ("tree_sitter_", "src/text/language"),
    ("similar::", "src/assistant/apply"),
    ("seccompiler::", "src/sandbox"),
    ("landlock::", "src/sandbox"),
    ("schemars::", "src/c"),
    ("std::env::var(", "src/cli/setup.rs"),
];

/// Names that open a network connection, and the one place that does; `sandbox` tries whether it is
/// refused. The endpoint opens none: it listens.
const NETWORK: &[&str] =
    &["std::net", "tokio::net", "reqwest", "hyper::", "UdpSocket", "TcpStream"];
const MAY_NAME_THE_NETWORK: &[&str] = &[
    "src/remote/broker/http",
    "src/remote/protocol/address.rs",
    "src/sandbox",
    "src/completions_endpoint/",
];

/// What the broker's process alone does, and who may start it: the server's code can't reach it.
const BROKERS: &[&str] = &["broker::process", "broker::http", "broker::keys"];
const MAY_NAME_THE_BROKER: &[&str] =
    &["src/remote/broker", "src/cli/broker.rs", "src/cli/cloud.rs", "src/cli/fetch_model.rs"];

/// Files over 400 lines, each with its reason.
const LONG_FILES: &[(&str, &str)] = &[
    ("src/assistant/apply/answer/tests.rs", "a table of answers"),
    ("tests/it/nvim.rs", "the editor's driver and its tests"),
];

pub fn rust_files(folders: &[&str]) -> Vec<(String, String)> {
    let mut paths = Vec::new();
    for folder in folders {
        collect(&repository(folder), &mut paths);
    }
    let root = repository("");
    paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
            (name, text)
        })
        .collect()
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            // Fixtures are text that is read, not code.
            if path != repository("tests/fixtures") {
                collect(&path, into);
            }
        } else if path.extension().is_some_and(|it| it == "rs") {
            into.push(path);
        }
    }
}

/// The line of the map for a file: its module, or the nearest above it.
fn line_of(path: &str) -> Option<(&'static str, &'static [&'static str])> {
    let lines = MAY_IMPORT.iter().filter(|(name, _)| is_within(path, name));
    lines.max_by_key(|(name, _)| name.len()).copied()
}

/// Whether a file is that of a module, by its path below `src`, or of a part of it.
fn is_within(path: &str, module: &str) -> bool {
    let rest = path.strip_prefix("src/").and_then(|it| it.strip_prefix(module));
    rest.is_some_and(|it| it == ".rs" || it.starts_with('/'))
}

/// The text without its unit tests, which may look anywhere.
pub fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap()
}

#[test]
fn modules_import_only_what_the_map_allows() {
    for (path, text) in rust_files(&["src"]) {
        let (module, allowed) =
            line_of(&path).unwrap_or_else(|| panic!("{path}: its module is not in the map"));
        let text = without_tests(&text);
        for (at, _) in text.match_indices("crate::") {
            let rest = &text[at + "crate::".len()..];
            let end = rest.find(|it: char| !it.is_alphanumeric() && !"_:".contains(it));
            let names = rest[..end.unwrap_or(rest.len())].trim_end_matches(':');
            let file = format!("src/{}.rs", names.replace("::", "/"));
            let used = line_of(&file).map_or(names, |(used, _)| used);
            let is_part = |of: &str| is_within(&format!("src/{used}.rs"), of);
            let is_allowed = is_part(module) || allowed.iter().any(|it| is_part(it));
            assert!(is_allowed, "{path}: `{module}` may not import `{used}`; see ARCHITECTURE.md");
        }
    }
}

#[test]
fn outside_things_have_one_home() {
    for (path, text) in rust_files(&["src"]) {
        for (name, home) in HOME_OF {
            assert!(
                !text.contains(name) || path.starts_with(home),
                "{path}: `{name}` belongs in {home}"
            );
        }
        let among = |places: &[&str]| places.iter().any(|it| path.starts_with(it));
        for name in NETWORK.iter().filter(|_| !among(MAY_NAME_THE_NETWORK)) {
            assert!(!text.contains(name), "{path}: `{name}` opens a network connection");
        }
        for name in BROKERS.iter().filter(|_| !among(MAY_NAME_THE_BROKER)) {
            assert!(!text.contains(name), "{path}: `{name}` is the broker's, which has a network");
        }
        let gate = ["ask_without_gate(", "agreed_by_a_person("];
        let homes = ["src/remote/broker/ipc.rs", "src/assistant/dialogue.rs"];
        for (name, home) in gate.iter().zip(homes) {
            let is_home = path == home
                || path == "src/remote/outbound.rs"
                || path == "src/assistant/kept_requests.rs";
            assert!(is_home || !text.contains(name), "{path}: `{name}…)` goes past the gate");
        }
    }
}

/// Ways to the terminal, and the files beside `src/cli/terminal.rs` that may use one, with the reason.
const TERMINAL: &[&str] =
    &["println!(", "print!(", "eprintln!(", "eprint!(", "stdout()", "stderr()", "stderr)"];
const MAY_NAME_THE_TERMINAL: &[(&str, &str)] = &[
    ("src/cli/serve.rs", "the protocol, by way of lsp/outgoing.rs"),
    ("src/remote/broker/process.rs", "a pipe to the server, which reads it as JSON"),
    ("src/remote/broker/consent_writer.rs", "a pipe to the server, which reads it as JSON"),
    ("src/cli/fetch_model.rs", "a pipe to `keyside model pull`, of bytes of a model"),
    ("src/cli/redact.rs", "names of rules and numbers, for a program"),
    ("src/cli/tokenize.rs", "numbers, for a program"),
];

#[test]
fn what_a_person_reads_leaves_by_the_ways_that_clean_it() {
    for (path, text) in rust_files(&["src"]) {
        let is_excused = MAY_NAME_THE_TERMINAL.iter().any(|(file, _)| *file == path);
        if path == "src/cli/terminal.rs" || is_excused {
            continue;
        }
        for name in TERMINAL {
            for (at, _) in without_tests(&text).match_indices(name) {
                assert!(
                    text[..at].ends_with(|it: char| it.is_alphanumeric()),
                    "{path}: `{name}` goes past cli/terminal.rs, which cleans foreign text"
                );
            }
        }
    }
}

/// Domain types but for `files` and `config`, and pure logic: files and folders below `src`.
const PURE: &[&str] = &[
    "stdx",
    "text",
    "lm/fim",
    "lm/task",
    "classify",
    "instruct",
    "route",
    "prompt",
    "retrieval",
    "syntax",
    "assistant/actions",
    "assistant/apply",
    "privacy",
    "remote/protocol",
    "remote/pricing",
    "remote/outbound",
];
const IMPURE: &[&str] =
    &["async ", ".await", "Instant::now", "SystemTime", "std::fs", "std::env", "tokio"];
/// Each with its reason.
const MAY_BE_IMPURE: &[(&str, &str, &str)] = &[
    ("src/syntax/parse.rs", "Instant::now", "hostile text is given up after a while"),
    ("src/assistant/apply/moved.rs", "Instant::now", "so are texts that have little in common"),
];

#[test]
fn the_pure_modules_are_pure() {
    for (path, text) in rust_files(&["src"]) {
        if !PURE.iter().any(|it| is_within(&path, it)) {
            continue;
        }
        let text = without_tests(&text);
        for impure in IMPURE {
            let is_excused = MAY_BE_IMPURE.iter().any(|it| (it.0, it.1) == (&*path, impure));
            assert!(is_excused || !text.contains(impure), "{path}: `{impure}` in a pure module");
        }
    }
}

/// What a line of comment may have, as code may.
const MAX_COLUMNS: usize = 100;
/// Where lines of comment are longer yet. It only gets shorter.
const NOT_WRAPPED: &[&str] = &["benches/", "src/config", "src/privacy", "tests/", "xtask/"];

#[test]
fn comments_are_as_wide_as_code() {
    let files = rust_files(&["src", "tests", "benches", "xtask"]);
    let is_excused = |path: &str| NOT_WRAPPED.iter().any(|it| path.starts_with(it));
    let mut long = Vec::new();
    for (path, text) in &files {
        for (index, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("//") && line.chars().count() > MAX_COLUMNS {
                long.push((path, index + 1));
            }
        }
    }
    for (path, line) in &long {
        assert!(is_excused(path), "{path}:{line}: a comment of more than {MAX_COLUMNS} columns");
    }
    for place in NOT_WRAPPED {
        let is_long = long.iter().any(|(path, _)| path.starts_with(place));
        assert!(is_long, "no comment below {place} is too long; take it off the list");
    }
}

#[test]
fn files_begin_with_what_they_are_for_and_stay_short() {
    let files = rust_files(&["src", "tests", "benches", "xtask"]);
    for (path, text) in &files {
        assert!(text.starts_with("//! "), "{path}: begin with a sentence that says what it is for");
        let n_lines = text.lines().count();
        let excused = LONG_FILES.iter().any(|(name, _)| name == path);
        assert!(n_lines <= 400 || excused, "{path}: {n_lines} lines; is it still one idea?");
        assert!(!text.contains("\t"), "{path}: a tab");
        for (index, line) in text.lines().enumerate() {
            assert_eq!(line.trim_end(), line, "{path}:{}: trailing blanks", index + 1);
        }
    }
    for (name, _) in LONG_FILES {
        let n_lines =
            files.iter().find(|(path, _)| path == name).map(|(_, text)| text.lines().count());
        assert!(n_lines > Some(400), "{name} is not long any more; take it off the list");
    }
}
