//! What a client waits for, measured from outside: `cargo bench --bench server`.
//!
//! Each figure stands beside a baseline of the same run: the round trip of a message that does nothing,
//! or the same question asked with nothing resident.

#[path = "../tests/it/support.rs"]
#[expect(dead_code, unreachable_pub, clippy::unwrap_used, reason = "shared with the tests")]
mod support;

use std::time::{Duration, Instant};

use keyside::config::{CompletionConfig, Config};
use keyside::lm::backend::scripted::Script;
use serde_json::{Value, json};
use support::{Client, Ghost, TempFolder, frozen, inline_params};

const URI: &str = "file:///home/me/project/src/a.rs";

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads");
    runtime.block_on(async {
        typing().await;
        cancelling().await;
        in_flight().await;
        flood().await;
        start().await;
        end().await;
    });
}

/// Prints milliseconds: median, 95%, most. Returns the median.
fn show(what: &str, mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    let at = |q: f64| times[((times.len() - 1) as f64 * q).round() as usize];
    println!(
        "{what:<66} median {:7.2}  95% {:7.2}  most {:7.2} ms  (n = {})",
        at(0.5),
        at(0.95),
        at(1.0),
        times.len()
    );
    at(0.5)
}

fn ms_since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

async fn round_trip(client: &Client) {
    let mut times = Vec::new();
    for _ in 0..200 {
        let start = Instant::now();
        client.stats().await;
        times.push(ms_since(start));
    }
    show("  baseline: the round trip of keyside/stats", times);
}

/// 300 characters at one place, a request after each, over the real stdio.
async fn typing() {
    println!("typing 300 characters at one place, the embedded model, over stdio");
    let client = Client::real_process();
    client.initialize(&["utf-16"]).await;
    let source = frozen("lib/text/edit.rs");
    let lines: Vec<&str> = source.lines().collect();
    let at = lines.iter().position(|line| line.contains("let (start, end) =")).expect("the line");
    let (before, after) = (lines[..at].join("\n"), lines[at..].join("\n"));
    client.open(URI, &format!("{before}\n\n{after}"));
    client.model_ready().await;
    round_trip(&client).await;
    let typed = "    let first = place(&rope, range.start, encoding); let last = place(&rope, range.end, \
                 encoding); assert!(first.char_index <= last.char_index); let removed = \
                 rope.slice(first.char_index..last.char_index).to_string(); let inserted = \
                 change.text.chars().count(); counts.push((removed.len(), inserted)); let total = 0;";
    let (mut warm, mut evaluated, mut n_shown, mut n_prefills) = (Vec::new(), Vec::new(), 0, 0);
    for (column, c) in typed.chars().take(300).enumerate() {
        let version = i32::try_from(column).expect("small") + 2;
        client.type_at(URI, version, at, column, &c.to_string());
        let start = Instant::now();
        let ghost = client.ghost(URI, at, column + 1).await;
        let elapsed = ms_since(start);
        n_shown += usize::from(ghost.is_some());
        let last = client.stats().await["last"].clone();
        if column > 0 {
            warm.push(elapsed);
            evaluated.push(last["evaluated_tokens"].as_f64().expect("a number"));
            n_prefills += usize::from(last["source"] == "model" && last["cached_tokens"] == 0);
        }
    }
    let warm = show("  key to answer", warm);
    evaluated.sort_by(f64::total_cmp);
    println!(
        "  prompt tokens evaluated a key: median {}, most {}; full prefills after the first: {n_prefills}; \
         ghost text at {n_shown} of 300; unanswered: {}",
        evaluated[evaluated.len() / 2],
        evaluated[evaluated.len() - 1],
        client.n_unanswered(),
    );
    // The baseline: the same text, a server that has seen nothing of it.
    let mut cold = Vec::new();
    for n in 0..20 {
        let uri = format!("file:///home/me/project/src/{n}.rs");
        // Another first line, so that not even the beginning of the prompt is resident.
        client.open(&uri, &format!("// {n}\n{before}\n{}\n{after}", &typed[..n * 15]));
        let start = Instant::now();
        client.ghost(&uri, at + 1, n * 15).await;
        cold.push(ms_since(start));
    }
    let cold = show("  baseline: the same with nothing resident", cold);
    println!("  ratio: {:.1}", cold / warm);
    client.assert_no_faults();
}

fn endless(time_per_token: Duration) -> Client {
    let script = Script { time_per_token, ..Script::saying("") };
    let completion =
        CompletionConfig { max_tokens: 512, generate_ms: 60_000, ..CompletionConfig::default() };
    Client::with_fake_and(script, Config { completion, ..Config::default() })
}

async fn cancelling() {
    println!("cancelling");
    let client = endless(Duration::from_millis(5));
    client.initialize(&[]).await;
    client.open(URI, "let x = ");
    round_trip(&client).await;
    let (mut answered, mut idle, mut n_after) = (Vec::new(), Vec::new(), 0);
    for _ in 0..50 {
        let (id, answer) = client.inline_completion(URI, 0, 8);
        tokio::time::sleep(Duration::from_millis(60)).await;
        let before = client.stats().await["engine"]["generated_tokens"].as_u64();
        let start = Instant::now();
        client.notify("$/cancelRequest", json!({"id": id}));
        assert_eq!(answer.await.expect("an answer")["error"]["code"], -32800);
        answered.push(ms_since(start));
        let mut engine = client.stats().await["engine"].clone();
        while engine["busy"] == true {
            engine = client.stats().await["engine"].clone();
        }
        idle.push(ms_since(start));
        n_after =
            n_after.max(engine["generated_tokens"].as_u64().zip(before).map_or(0, |(a, b)| a - b));
    }
    show("  cancel to -32800, an endless generation of 5 ms a token", answered);
    show("  cancel to the engine being idle", idle);
    println!("  tokens generated after the cancel was sent: at most {n_after}");

    let client = Client::real_process();
    client.initialize(&[]).await;
    client.model_ready().await;
    let source = frozen("lib/prompt/finish.rs");
    let (mut answered, mut idle) = (Vec::new(), Vec::new());
    for n in 0..50 {
        let uri = format!("file:///{n}.rs");
        client.open(&uri, &format!("// {n}\n{source}"));
        let (id, answer) = client.inline_completion(&uri, 120, 0);
        tokio::time::sleep(Duration::from_millis(20)).await;
        let start = Instant::now();
        client.notify("$/cancelRequest", json!({"id": id}));
        if answer.await.expect("an answer")["error"]["code"] != -32800 {
            continue;
        }
        answered.push(ms_since(start));
        while client.stats().await["engine"]["busy"] == true {}
        idle.push(ms_since(start));
    }
    show("  cancel to -32800, the embedded model evaluating a long prompt", answered);
    show("  cancel to the engine being idle", idle);
}

async fn in_flight() {
    println!("eight requests in flight");
    let client = endless(Duration::from_millis(20));
    client.initialize(&[]).await;
    let (mut edits, mut cancels) = (Vec::new(), Vec::new());
    for round in 0..30 {
        let uri = format!("file:///{round}.rs");
        client.open(&uri, "let x = ");
        let mut answers: Vec<_> = (0..8).map(|_| client.inline_completion(&uri, 0, 8)).collect();
        for version in 2..7 {
            let start = Instant::now();
            client.type_at(&uri, version, 0, 8, "a");
            let copy = client.ask("keyside/document", json!({"uri": uri})).await;
            assert_eq!(copy["result"]["version"], version);
            edits.push(ms_since(start));
        }
        let (id, answer) = answers.pop().expect("eight");
        let start = Instant::now();
        client.notify("$/cancelRequest", json!({"id": id}));
        assert_eq!(answer.await.expect("an answer")["error"]["code"], -32800);
        cancels.push(ms_since(start));
    }
    show("  edit sent to edit seen in the server's copy", edits);
    show("  cancel sent to -32800", cancels);
}

/// Resident memory of a process, in MiB.
fn resident_mib(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    let kib = line.split_whitespace().nth(1).and_then(|it| it.parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}

async fn flood() {
    println!("1,000 keys faster than the model can answer, the embedded model, over stdio");
    let client = Client::real_process();
    client.initialize(&["utf-8"]).await;
    client.model_ready().await;
    let pid = client.child.as_ref().and_then(|child| child.id()).expect("a process");
    let source = frozen("lib/text/edit.rs");
    let key = "let value = change; ";
    for round in 0..4 {
        let uri = format!("file:///{round}.rs");
        client.open(&uri, &format!("{source}\n"));
        let line = source.lines().count();
        let before = resident_mib(pid);
        let start = Instant::now();
        let mut answers = Vec::new();
        for n in 0..1_000 {
            let c = &key[n % key.len()..=n % key.len()];
            client.type_at(&uri, i32::try_from(n).expect("small") + 2, line, n, c);
            let params = inline_params(&uri, line, n + 1);
            answers.push(client.request("textDocument/inlineCompletion", params).1);
        }
        let mut last = Value::Null;
        for answer in answers {
            last = answer.await.expect("an answer");
            assert!(last["result"]["items"].is_array(), "{last}");
        }
        let took = ms_since(start);
        // Right: what a calm question about the same place gives.
        let calm = client.ghost(&uri, line, 1_000).await;
        let is_right = Ghost::of(&last).map(|it| it.text) == calm.map(|it| it.text);
        println!(
            "  round {round}: 1,000 answers in {took:.0} ms, resident {before:.1} -> {:.1} MiB, the last \
             answer is right: {is_right}",
            resident_mib(pid)
        );
    }
    println!("  engine: {}", client.stats().await["engine"]);
    client.assert_no_faults();
}

async fn start() {
    println!("process start to the first ghost text, the embedded model");
    let text = "fn a() {\n    let first = map.get(1).unwrap();\n    let second = map.get(2).unwrap();\n    \
                let third = map.\n}\n";
    let (mut fresh, mut again) = (Vec::new(), Vec::new());
    let mut home = TempFolder::new();
    for n in 0..20 {
        if n < 10 {
            home = TempFolder::new();
        }
        let start = Instant::now();
        let client = Client::real_process_in(home);
        client.initialize(&["utf-8"]).await;
        client.open(URI, text);
        assert!(client.ghost(URI, 3, 20).await.is_some());
        (if n < 10 { &mut fresh } else { &mut again }).push(ms_since(start));
        home = client.home;
    }
    show("  the very first time, the model being unpacked", fresh);
    show("  any later time", again);
}

async fn end() {
    println!("end of the process, while the model works");
    for (what, how) in [("closed pipe", 0), ("exit without shutdown", 1), ("shutdown and exit", 2)]
    {
        let mut times = Vec::new();
        for _ in 0..10 {
            let mut client = Client::real_process();
            client.initialize(&[]).await;
            client.open("file:///b.rs", &frozen("lib/prompt/finish.rs"));
            client.model_ready().await;
            let (_, _answer) = client.inline_completion("file:///b.rs", 150, 0);
            let mut child = client.child.take().expect("a process");
            let start = Instant::now();
            match how {
                0 => client.hang_up().await,
                1 => client.notify("exit", Value::Null),
                _ => {
                    client.ask("shutdown", Value::Null).await;
                    client.notify("exit", Value::Null);
                }
            }
            child.wait().await.expect("a status");
            times.push(ms_since(start));
        }
        show(&format!("  {what}"), times);
    }
}
