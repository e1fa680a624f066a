//! What benches share: a person who types stretches of the frozen workspace's files into the real program.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Client, TempFolder, project};

/// A key and its answer.
pub struct Key {
    pub ms: f64,
    pub source: String,
    pub evaluated: u64,
    pub generated: u64,
    /// The text that was shown before went on with this key.
    pub followed: bool,
    pub after_line_break: bool,
    pub first: bool,
    pub shown: bool,
}

/// What was built before would count as load for a while.
pub const AS_IT_IS: &str = "prefetch_on_battery = true";
/// Nothing is done before it is asked for, and the model is asked for everything.
pub const WITHOUT_SHORTCUTS: &str = "prefetch = false\nmin_lookup_confidence = 1.0";

/// The real program with this model (empty: the built-in one) and these settings of completion, in the frozen
/// workspace.
pub async fn program(model: &str, completion: &str) -> Client {
    let home = TempFolder::new();
    let settings = format!("[model]\npath = {model:?}\n[completion]\n{completion}\n");
    std::fs::write(home.0.join("config.toml"), settings).expect("a file");
    let client = Client::real_process_in(home);
    let root = format!("file://{}", project("").display());
    let capabilities = json!({
        "general": {"positionEncodings": ["utf-32"]},
        "textDocument": {"inlineCompletion": {"dynamicRegistration": false}},
    });
    let params = json!({"processId": null, "rootUri": root, "capabilities": capabilities});
    client.initialize_with(params).await;
    client.model_ready().await;
    client
}

/// Source files of the frozen workspace, always the same ones: `n` of them, or as many as are long enough.
pub fn files(n: usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&project(""), &mut found);
    found.sort();
    let long_enough = |it: &PathBuf| {
        std::fs::read_to_string(it).is_ok_and(|it| it.lines().count() > 60 && it.is_ascii())
    };
    found.retain(long_enough);
    let n = n.min(found.len());
    (0..n).map(|it| found[it * found.len() / n].clone()).collect()
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, into);
        } else if language_of(&path).is_some() {
            into.push(path);
        }
    }
}

/// The language's id in the protocol, by the file's ending.
fn language_of(path: &Path) -> Option<&'static str> {
    Some(match path.extension()?.to_str()? {
        "rs" => "rust",
        "py" => "python",
        "ts" => "typescript",
        "go" => "go",
        "c" => "c",
        _ => return None,
    })
}

/// Types lines a third of the way into a file that is opened and closed, with a pause after each answer.
pub async fn typed(client: &Client, path: &Path, n_lines: usize, pause: Duration) -> Vec<Key> {
    let text = std::fs::read_to_string(path).expect("a file");
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len() / 3;
    let goal: Vec<char> = lines[from..from + n_lines].join("\n").chars().collect();
    let uri = format!("file://{}", path.display());
    let before = lines[..from].join("\n");
    let text = format!("{before}\n\n{}\n", lines[from + n_lines..].join("\n"));
    client.open_as(&uri, language_of(path).expect("a known ending"), &text);
    let (mut line, mut column, mut at, mut version) = (from, 0, 0, 1);
    let mut keys = Vec::new();
    let mut on_screen = String::new();
    while at < goal.len() {
        // The indentation of a new line comes with its break, as editors do it.
        let n_blanks = goal[at + 1..].iter().take_while(|it| matches!(it, ' ' | '\t')).count();
        let n = if goal[at] == '\n' { 1 + n_blanks } else { 1 };
        let key: String = goal[at..at + n].iter().collect();
        version += 1;
        let started = Instant::now();
        client.type_at(&uri, version, line, column, &key);
        if goal[at] == '\n' {
            (line, column) = (line + 1, n - 1);
        } else {
            column += 1;
        }
        let ghost = client.ghost(&uri, line, column).await;
        let ms = started.elapsed().as_secs_f64() * 1e3;
        let last = client.stats().await["last"].clone();
        let number = |name: &str| last[name].as_u64().unwrap_or_default();
        let shown = ghost.as_ref().map(|it| it.text[column - it.start as usize..].to_owned());
        keys.push(Key {
            ms,
            source: last["source"].as_str().unwrap_or_default().to_owned(),
            evaluated: number("evaluated_tokens"),
            generated: number("generated_tokens"),
            followed: on_screen.starts_with(&key) && on_screen != key,
            after_line_break: goal[at] == '\n',
            first: keys.is_empty(),
            shown: shown.is_some(),
        });
        on_screen = shown.unwrap_or_default();
        at += n;
        tokio::time::sleep(pause).await;
    }
    client.notify("textDocument/didClose", json!({"textDocument": {"uri": uri}}));
    keys
}
