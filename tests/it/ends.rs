//! The process's end, in the middle of whatever it does: no signal, whichever model is being loaded, asked or replaced.
#![cfg(unix)]

use std::io::{Read, Write};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{TempFolder, inline_params, keyside};

/// Sessions where `KEYSIDE_TEST_SESSIONS` says nothing else.
const N_SESSIONS: usize = 60;
const AT_ONCE: usize = 2;
const URI: &str = "file:///w/a.rs";

/// A client that sends and does not listen. Each message comes after a pause, in milliseconds.
fn session(home: &TempFolder, messages: &[(u64, Value)]) -> ExitStatus {
    let mut child = keyside(&home.0, &["serve"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program that this test belongs to");
    let mut output = child.stdout.take().expect("piped");
    let reader = std::thread::spawn(move || output.read_to_end(&mut Vec::new()));
    let mut input = child.stdin.take().expect("piped");
    for (pause_ms, message) in messages {
        std::thread::sleep(Duration::from_millis(*pause_ms));
        let _ = input.write_all(&keyside::lsp::frames::encode(message.to_string().as_bytes()));
    }
    drop(input);
    let status = child.wait().expect("a status");
    reader.join().expect("a reader").expect("its output");
    status
}

fn request(id: u32, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

fn notification(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "method": method, "params": params})
}

/// Types, has the model replaced several times and ends; `number` says when.
fn replacing(number: usize) -> Vec<(u64, Value)> {
    // From the middle of the first load to a model that has long been working.
    let pause_ms = |of: usize| (number * of % 41) as u64 * 3;
    let mut text = String::new();
    for n in 0..300 {
        text.push_str(&format!("fn sum_{n}(values: &[u32]) -> u32 {{ values.iter().sum() }}\n"));
    }
    let document = json!({"uri": URI, "languageId": "rust", "version": 1, "text": text + "fn main() { let total = "});
    let model = |tokens: usize| {
        let settings = json!({"settings": {"model": {"context_tokens": tokens}}});
        notification("workspace/didChangeConfiguration", settings)
    };
    let ghost = |id| request(id, "textDocument/inlineCompletion", inline_params(URI, 300, 24));
    vec![
        (0, request(1, "initialize", json!({"capabilities": {}}))),
        (0, notification("initialized", json!({}))),
        (0, notification("textDocument/didOpen", json!({"textDocument": document}))),
        (0, ghost(2)),
        (pause_ms(7), model(512)),
        (0, model(520)),
        (0, model(528)),
        (0, model(536)),
        (0, ghost(3)),
        (pause_ms(11) / 4, model(768)),
        (pause_ms(13) / 4, request(4, "shutdown", Value::Null)),
        (0, notification("exit", Value::Null)),
    ]
}

#[test]
fn sessions_that_replace_the_model_and_end_at_once_end_without_a_signal() {
    #[expect(clippy::disallowed_methods, reason = "how many is a matter of how long one has")]
    let asked = std::env::var("KEYSIDE_TEST_SESSIONS").ok().and_then(|it| it.parse().ok());
    let n_sessions: usize = asked.unwrap_or(N_SESSIONS);
    let home = TempFolder::new();
    let next = AtomicUsize::new(0);
    let bad: Vec<String> = std::thread::scope(|scope| {
        let sessions = || {
            let mut bad = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= n_sessions {
                    return bad;
                }
                let status = session(&home, &replacing(number));
                if status.code() != Some(0) {
                    bad.push(format!("session {number}: {status}"));
                }
            }
        };
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(sessions)).collect();
        threads.into_iter().flat_map(|it| it.join().expect("a thread")).collect()
    });
    assert!(bad.is_empty(), "{} of {n_sessions}: {bad:#?}", bad.len());
}
