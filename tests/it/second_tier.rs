//! A larger model behind a server on this machine, beside the built-in one: the real program
//! against servers that do as they are told.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::peer::{Peer, Step, answer};
use crate::support::{Client, TempFolder, keyside, run, text, until};

const URI: &str = "file:///a.rs";
/// At the end of its second line the built-in model, asked unasked, is sure of nothing.
const UNSURE: &str = "fn zorblatt(quux: Frobnicator) {\n    let plugh = \n}\n";
const COLUMN: usize = 16;
const SAID: &str = "quux.xyzzy(42);";

/// An answer of llama-server's, a piece a token.
fn says(text: &str) -> Vec<Step> {
    let mut body = String::new();
    for piece in text.split_inclusive(['.', '(', '\n']) {
        body.push_str(&format!("data: {}\n\n", json!({"content": piece, "stop": false})));
    }
    body.push_str("data: {\"content\":\"\",\"stop\":true,\"stop_type\":\"eos\"}\n\n");
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    vec![Step::Send(format!("{head}{body}").into_bytes())]
}

fn home(server: &str, url: &str, more: &str) -> TempFolder {
    let home = TempFolder::new();
    let settings = format!(
        "[completion]\nserver = \"{server}\"\nserver_url = \"{url}\"\nprefetch = false\n{more}\n"
    );
    std::fs::write(home.0.join("config.toml"), settings).unwrap();
    home
}

async fn started(home: TempFolder) -> Client {
    let client = Client::real_process_in(home);
    client.initialize(&["utf-8"]).await;
    client.open(URI, UNSURE);
    client.model_ready().await;
    client
}

/// The same with a server that the built-in model gives way to: it is never sure enough.
async fn beside(peer: &Peer) -> Client {
    started(home("llama-server", &peer.base_url(), "min_confidence = 1.0")).await
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn the_server_answers_where_the_model_is_not_sure() {
    let mut script = says(SAID);
    // The line is over: no more is waited for.
    let more = format!("data: {}\n\n", json!({"content": "\nmore", "stop": false}));
    let Step::Send(bytes) = &mut script[0] else { unreachable!() };
    let text_only = String::from_utf8_lossy(bytes)
        .replace("data: {\"content\":\"\",\"stop\":true,\"stop_type\":\"eos\"}\n\n", &more);
    *bytes = text_only.into_bytes();
    script.push(Step::Hang);
    let peer = Peer::start(vec![script]).await;
    let mut client = beside(&peer).await;
    let ghost = client.ghost(URI, 1, COLUMN).await.unwrap();
    assert_eq!(ghost.text, SAID);
    assert_eq!(client.stats().await["last"]["source"], "server");
    peer.connection_over().await;
    let body: Value = serde_json::from_slice(&peer.requests()[0].body).unwrap();
    assert!(peer.requests()[0].head.starts_with("POST /infill "), "{}", peer.requests()[0].head);
    assert_eq!(
        [&body["input_prefix"], &body["prompt"], &body["input_suffix"]],
        ["fn zorblatt(quux: Frobnicator) {\n", "    let plugh = ", "\n}\n"]
    );
    // What is typed along it needs no server.
    client.type_at(URI, 2, 1, COLUMN, "quux");
    assert_eq!(client.ghost(URI, 1, COLUMN + 4).await.unwrap().text, SAID);
    assert_eq!(peer.requests().len(), 1);
    let network = client.ask("keyside/status", json!({})).await["result"].to_string();
    assert!(network.contains(&format!("completions: {} on this machine", peer.host)), "{network}");
    client.assert_no_faults();
    client.ask("shutdown", Value::Null).await;
    client.notify("exit", Value::Null);
    client.child.take().unwrap().wait().await.unwrap();
    let mut usage = keyside(&client.home.0, &["usage", "--json"]);
    usage.env("HOME", &client.home.0);
    let usage = text(&run(usage, "").stdout);
    assert!(usage.contains("llama-server"), "{usage}");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn each_kind_of_server_is_asked_in_its_way() {
    let lines = |all: &[Value]| -> Vec<Step> {
        let body: String = all.iter().map(|it| format!("{it}\n")).collect();
        answer(200, "content-type: application/x-ndjson\r\n", &body)
    };
    let ollama = lines(&[
        json!({"response": SAID, "done": false}),
        json!({"response": "", "done": true, "done_reason": "stop"}),
    ]);
    let choice = json!({"choices": [{"text": SAID, "finish_reason": "stop"}]});
    let openai = answer(
        200,
        "content-type: text/event-stream\r\n",
        &format!("data: {choice}\n\ndata: [DONE]\n\n"),
    );
    for (server, script, path, prompt) in [
        ("ollama", ollama, "/api/generate", "let plugh = "),
        ("openai", openai, "/v1/completions", "let plugh = <|fim_suffix|>\n}\n<|fim_middle|>"),
    ] {
        let peer = Peer::start(vec![script]).await;
        let more = "server_model = \"qwen2.5-coder:7b\"\nmin_confidence = 1.0";
        let client = started(home(server, &peer.base_url(), more)).await;
        assert_eq!(client.ghost(URI, 1, COLUMN).await.unwrap().text, SAID, "{server}");
        let request = &peer.requests()[0];
        assert!(request.head.starts_with(&format!("POST {path} ")), "{}", request.head);
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["model"], "qwen2.5-coder:7b");
        assert!(body["prompt"].as_str().unwrap().ends_with(prompt), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_text_that_is_shown_is_only_gone_on_with() {
    const SURE: &str = "let first = map.get_or_insert(1);\nlet second = map.\n";
    let alone = Client::real_process();
    alone.initialize(&["utf-8"]).await;
    alone.open(URI, SURE);
    let own = alone.ghost(URI, 1, 17).await.unwrap().text;
    let longer = format!("{own} // and more");
    for (said, later) in [(longer.clone(), longer), ("zorblatt(7)".to_owned(), own.clone())] {
        // It comes after the key was answered.
        let script = [vec![Step::Wait(200)], says(&said)].concat();
        let peer = Peer::start(vec![script]).await;
        let client = started(home("llama-server", &peer.base_url(), "")).await;
        client.open(URI, SURE);
        assert_eq!(client.ghost(URI, 1, 17).await.unwrap().text, own);
        peer.connection_over().await;
        let shown = until(async || {
            let shown = client.ghost(URI, 1, 17).await?.text;
            (shown == later).then_some(shown)
        });
        assert_eq!(shown.await, later);
    }
}

/// Every kind of bad server: the model in this process answers each key, and the server is used
/// again when it is well.
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_server_that_is_of_no_use_is_not_waited_for() {
    let html = answer(200, "content-type: text/html\r\n", "<!DOCTYPE html><title>hello</title>\n");
    let other = answer(200, "content-type: application/json\r\n", "{\"a\": [1, 2]}\n");
    let no_key = answer(401, "", "{\"error\":{\"message\":\"Invalid API Key\"}}");
    let no_model = answer(404, "", "{\"error\":\"model 'x' not found\"}");
    let cut =
        vec![Step::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\ndata: {\"con".to_vec())];
    let endless =
        vec![Step::Send(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()), Step::Repeat(vec![b'x'; 300_000])];
    for bad in [html, other, no_key, no_model, cut, endless, vec![Step::Hang], vec![Step::Reset]] {
        let peer = Peer::start(vec![bad.clone(), bad, says(SAID)]).await;
        let client = beside(&peer).await;
        let version = AtomicI32::new(1);
        // The first two keys find the bad one, and each is answered; then it is well, which the
        // next key learns.
        let line = until(async || {
            let version = version.fetch_add(1, Ordering::Relaxed) + 1;
            client.type_at(URI, version, 0, 0, " ");
            Some(client.ghost(URI, 1, COLUMN).await?.text)
        });
        assert_eq!(line.await, SAID);
        assert!(peer.requests().len() >= 3);
        client.assert_no_faults();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_server_that_is_killed_and_started_ten_times_while_somebody_types() {
    let first = Peer::start(vec![says(SAID)]).await;
    let host = first.host.clone();
    let client = beside(&first).await;
    let mut first = Some(first);
    let (version, slowest_key) = (AtomicI32::new(1), Mutex::new(Duration::ZERO));
    let key = async || {
        let version = version.fetch_add(1, Ordering::Relaxed) + 1;
        client.type_at(URI, version, 0, 0, " ");
        let asked = Instant::now();
        let shown = client.ghost(URI, 1, COLUMN).await.map(|it| it.text);
        let mut slowest = slowest_key.lock().unwrap();
        *slowest = asked.elapsed().max(*slowest);
        shown
    };
    let (mut slowest_fro, mut slowest_to) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..10 {
        let peer = match first.take() {
            Some(peer) => peer,
            None => Peer::start_at(&host, vec![says(SAID)]).await,
        };
        let started = Instant::now();
        assert_eq!(until(&key).await, SAID);
        slowest_to = started.elapsed().max(slowest_to);
        drop(peer);
        let killed = Instant::now();
        // Without it every key is answered, and with nothing of the server's.
        until(async || key().await.is_none().then_some(())).await;
        slowest_fro = killed.elapsed().max(slowest_fro);
        assert_eq!(key().await, None);
    }
    let slowest_key = *slowest_key.lock().unwrap();
    println!(
        "to the server {slowest_to:?}, from it {slowest_fro:?}, a key {slowest_key:?} at most"
    );
    client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_newer_key_closes_the_olders_connection() {
    let peer = Peer::start(vec![vec![Step::Hang], says(SAID)]).await;
    let client = beside(&peer).await;
    let (_, older) = client.inline_completion(URI, 1, COLUMN);
    until(async || (peer.requests().len() == 1).then_some(())).await;
    client.type_at(URI, 2, 0, 0, " ");
    client.ghost(URI, 1, COLUMN).await;
    peer.connection_over().await;
    older.await.unwrap();
    client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_server_elsewhere_or_without_a_model_is_refused_in_a_sentence() {
    for (server, url, more, sentence) in [
        (
            "llama-server",
            "http://192.168.7.7:8080",
            "",
            "names 192.168.7.7:8080, which is not this machine",
        ),
        (
            "llama-server",
            "https://example.com",
            "",
            "names example.com:443, which is not this machine",
        ),
        ("llama-server", "here", "", "`completion.server_url` is not a URL"),
        ("ollama", "", "", "`completion.server_model` names no model"),
        (
            "openai",
            "http://127.0.0.1:1",
            "server_model = \"gpt-oss\"",
            "does not know the fill-in-the-middle markers of gpt-oss",
        ),
    ] {
        let client = started(home(server, url, more)).await;
        let told = || {
            let unasked = client.unasked.lock().unwrap();
            unasked.iter().any(|it| it["params"]["message"].to_string().contains(sentence))
        };
        until(async || told().then_some(())).await;
        // The model in this process suggests all the same.
        client.open("file:///b.rs", "let first = map.get_or_insert(1);\nlet second = map.\n");
        assert!(client.ghost("file:///b.rs", 1, 17).await.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_server_that_wants_a_key_gets_the_one_that_the_settings_lead_to() {
    let refused = answer(401, "", "{\"error\":\"Unauthorized\"}");
    let key = "model-server-key-0123456789";
    for (more, sent, said) in [
        ("", false, "wants a key; say in `completion.server_key` where it is"),
        (
            "server_key = \"env:TEAM_KEY\"",
            true,
            "refuses the key that `completion.server_key` leads to",
        ),
        (
            "server_key = \"env:NONE_SUCH\"",
            false,
            "the environment variable NONE_SUCH with the key",
        ),
    ] {
        let peer = Peer::start(vec![refused.clone()]).await;
        let home = home("llama-server", &peer.base_url(), &format!("min_confidence = 1.0\n{more}"));
        let mut command = keyside(&home.0, &["serve"]);
        command.env("TEAM_KEY", key);
        let client = Client::started(command, home);
        client.initialize(&["utf-8"]).await;
        client.open(URI, UNSURE);
        client.model_ready().await;
        let version = AtomicI32::new(1);
        let message = until(async || {
            let version = version.fetch_add(1, Ordering::Relaxed) + 1;
            client.type_at(URI, version, 0, 0, " ");
            client.ghost(URI, 1, COLUMN).await;
            let status = client.ask("keyside/status", json!({})).await;
            let message = status["result"]["message"].to_string();
            message.contains(said).then_some(message)
        })
        .await;
        assert!(!message.contains(key), "{message}");
        let header = format!("authorization: Bearer {key}");
        let heads: Vec<String> = peer.requests().iter().map(|it| it.head.clone()).collect();
        assert!(heads.iter().all(|it| it.contains(&header) == sent), "{heads:?}");
        assert_eq!(heads.is_empty(), said.contains("environment"), "{heads:?}");
        client.assert_no_faults();
        let log = std::fs::read_to_string(client.home.0.join("stderr.log")).unwrap();
        assert!(!log.contains(key));
    }
}
