//! A person who types, measured from outside: `cargo bench --bench keystroke [-- MODEL.gguf …]`.
//!
//! Stretches of keyside's own files are typed again, a key at a time with a pause after each, into the real
//! program over its stdio; nothing is ever accepted, so that the same keys are typed whatever is shown. A
//! baseline of the same run asks the same carets with nothing resident.

#[path = "../tests/it/support.rs"]
#[expect(dead_code, unreachable_pub, clippy::unwrap_used, reason = "shared with the tests")]
mod support;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;
use support::{Client, TempFolder, repository};

/// Lines typed in each file.
const LINES: usize = 5;
const FILES: usize = 24;
/// From an answer to the next key; the fastest typists need about as long.
const PAUSE: Duration = Duration::from_millis(60);

/// A key and its answer.
struct Key {
    ms: f64,
    source: String,
    evaluated: u64,
    generated: u64,
    /// The text that was shown before went on with this key.
    followed: bool,
    after_line_break: bool,
    first: bool,
    shown: bool,
}

fn main() {
    let models: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with("--")).collect();
    let models = if models.is_empty() { vec![String::new()] } else { models };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads");
    for model in models {
        runtime.block_on(replay(&model));
    }
}

async fn replay(model: &str) {
    let home = TempFolder::new();
    std::fs::write(home.0.join("config.toml"), format!("[model]\npath = {model:?}\n"))
        .expect("a file");
    let client = Client::real_process_in(home);
    let root = format!("file://{}", repository("").display());
    let capabilities = json!({
        "general": {"positionEncodings": ["utf-32"]},
        "textDocument": {"inlineCompletion": {"dynamicRegistration": false}},
    });
    let params = json!({"processId": null, "rootUri": root, "capabilities": capabilities});
    client.initialize_with(params).await;
    client.model_ready().await;
    let name = client.stats().await["model"]["name"].as_str().unwrap_or_default().to_owned();
    let cpu = cpu_seconds(&client);
    let mut keys = Vec::new();
    for file in files() {
        keys.extend(typed(&client, &file).await);
    }
    let cpu = cpu_seconds(&client) - cpu;
    let end = client.stats().await;
    println!(
        "{name}: {} keys in {FILES} files, {} ms after each answer",
        keys.len(),
        PAUSE.as_millis()
    );
    let all = |_: &&Key| true;
    let model_asked = |it: &&Key| it.source == "model";
    row("all keys", &keys, all);
    row("the model asked", &keys, model_asked);
    row("answered without it", &keys, |it| it.source != "model");
    row("after a line break", &keys, |it| it.after_line_break);
    row("the first of a file", &keys, |it| it.first);
    let followed = keys.iter().filter(|it| it.followed);
    let (mut n, mut without) = (0, 0);
    for key in followed {
        n += 1;
        without += usize::from(key.source != "model");
    }
    println!(
        "  keys that follow what is shown: {n}, answered without the model: {}",
        percent(without, n)
    );
    let n_shown = keys.iter().filter(|it| it.shown).count();
    let sum = |of: fn(&Key) -> u64| keys.iter().map(of).sum::<u64>() as f64 / keys.len() as f64;
    println!("  keys with ghost text {}", percent(n_shown, keys.len()));
    println!(
        "  a key: {:.1} prompt tokens evaluated, {:.1} before anybody asked, {:.1} generated, {:.1} ms of \
         processor time",
        sum(|it| it.evaluated),
        end["engine"]["warmed_tokens"].as_f64().unwrap_or_default() / keys.len() as f64,
        sum(|it| it.generated),
        cpu * 1e3 / keys.len() as f64
    );
}

fn percent(n: usize, of: usize) -> String {
    format!("{:.1}%", 100.0 * n as f64 / of.max(1) as f64)
}

fn row(what: &str, keys: &[Key], of: impl Fn(&&Key) -> bool) {
    let mut times: Vec<f64> = keys.iter().filter(of).map(|it| it.ms).collect();
    times.sort_by(f64::total_cmp);
    let at = |q: f64| {
        let at = (times.len().saturating_sub(1) as f64 * q).round() as usize;
        times.get(at).copied().unwrap_or_default()
    };
    println!(
        "  {what:<22} {:5} keys  median {:7.2}  95% {:7.2}  99% {:7.2} ms",
        times.len(),
        at(0.5),
        at(0.95),
        at(0.99)
    );
}

/// Source files of this repository, always the same ones.
fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (folder, ending) in [("src", "rs"), ("model/pipeline", "py")] {
        collect(&repository(folder), ending, &mut found);
    }
    found.sort();
    let long_enough = |it: &PathBuf| {
        std::fs::read_to_string(it).is_ok_and(|it| it.lines().count() > 60 && it.is_ascii())
    };
    found.retain(long_enough);
    let step = found.len().div_ceil(FILES).max(1);
    found.into_iter().step_by(step).collect()
}

fn collect(folder: &Path, ending: &str, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, ending, into);
        } else if path.extension().is_some_and(|it| it == ending) {
            into.push(path);
        }
    }
}

/// Types a third of the way into a file.
async fn typed(client: &Client, path: &Path) -> Vec<Key> {
    let text = std::fs::read_to_string(path).expect("a file");
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len() / 3;
    let goal: Vec<char> = lines[from..from + LINES].join("\n").chars().collect();
    let uri = format!("file://{}", path.display());
    let before = lines[..from].join("\n");
    client.open(&uri, &format!("{before}\n\n{}\n", lines[from + LINES..].join("\n")));
    let (mut line, mut column, mut at, mut version) = (from, 0, 0, 1);
    let mut keys = Vec::new();
    let mut on_screen = String::new();
    while at < goal.len() {
        // The indentation of a new line comes with its break, as editors do it.
        let n_blanks = goal[at + 1..].iter().take_while(|it| **it == ' ').count();
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
        tokio::time::sleep(PAUSE).await;
    }
    client.notify("textDocument/didClose", json!({"textDocument": {"uri": uri}}));
    keys
}

/// Processor time of the program so far; 0 where the system does not tell.
fn cpu_seconds(client: &Client) -> f64 {
    let id = client.child.as_ref().and_then(tokio::process::Child::id).unwrap_or_default();
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // After the name in brackets: user and system time are the 12th and 13th.
    let fields = stat.rsplit_once(')').map_or("", |it| it.1).split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|it| it.parse::<f64>().ok()).sum();
    ticks / 100.0
}
