//! A server that has been led astray, on the other end of the broker's pipe: it gets nothing sent but what keyside itself would
//! send, to whom the user's settings named when the broker was started, and not without end.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use keyside::config::cloud::Provider;
use keyside::remote::protocol;
use serde_json::{Value, json};

use crate::broker::{KEY, command, order, provider, question, settings};
use crate::peer::{Peer, Step, good};
use crate::support::{TempFolder, until};

/// A broker to which a test writes lines.
struct Pipe {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    home: TempFolder,
}

impl Pipe {
    fn to(providers: &[Provider]) -> Self {
        let home = TempFolder::new();
        std::fs::write(home.0.join("config.toml"), settings(providers)).unwrap();
        let mut command = command(&home);
        command
            .env_remove("KEYSIDE_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output, home }
    }

    fn write(&mut self, order: &Value) {
        writeln!(self.input, "{order}").unwrap();
    }

    /// The last event of a call.
    fn last(&mut self, id: u64) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the broker ended");
            let message: Value = serde_json::from_str(&line).unwrap();
            let event = &message["event"];
            if message["id"] == id && (event.get("done").is_some() || event.get("failed").is_some())
            {
                return event.clone();
            }
        }
    }

    /// Ends it; returns its exit code and its log.
    fn end(self) -> (Option<i32>, String) {
        let Self { mut child, input, .. } = self;
        drop(input);
        let mut log = String::new();
        child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (child.wait().unwrap().code(), log)
    }
}

fn sentence(event: &Value) -> &str {
    event["failed"]["sentence"].as_str().unwrap_or_else(|| panic!("{event}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_but_what_was_agreed_to() {
    let peer = Peer::start(vec![good("said")]).await;
    let provider = provider("p", &peer.base_url());
    let body = protocol::body(&provider, &question(), true);
    let right = order(&provider, &peer.host, 1, &body);
    let with = |name: &str, value: Value| {
        let mut order = right.clone();
        order[name] = value;
        order
    };
    let of_body = |body: &str| order(&provider, &peer.host, 1, body);
    let too_long =
        protocol::body(&provider, &protocol::Ask { max_output_tokens: 8_001, ..question() }, true);
    let mut too_much = question();
    too_much.turns[0].text = "word ".repeat(60_000);
    let cases = [
        (with("host", json!("evil.example:443")), "another model or host"),
        (with("model", json!("other")), "another model or host"),
        (with("provider", json!("q")), "no provider q"),
        (with("sha256", json!("0".repeat(64))), "not what was agreed to"),
        (with("sha256", json!("")), "not what was agreed to"),
        (with("body", json!(body.replace("help", "harm"))), "not what was agreed to"),
        (
            of_body(&body.replacen('{', "{\"tools\":[{\"type\":\"web_fetch\"}],", 1)),
            "not what was agreed to",
        ),
        (of_body(&body.replacen('{', "{\"model\":\"x\",", 1)), "not what was agreed to"),
        (of_body(&format!("{body} ")), "not what was agreed to"),
        (of_body("GET / HTTP/1.1\r\n\r\n"), "not what was agreed to"),
        (of_body(&too_long), "larger than `cloud.max_input_tokens` or"),
        (
            of_body(&protocol::body(&provider, &too_much, true)),
            "larger than `cloud.max_input_tokens` or",
        ),
    ];
    let n_bad = cases.len() as u64;
    let mut pipe = Pipe::to(std::slice::from_ref(&provider));
    for (id, (mut order, words)) in (1..).zip(cases) {
        order["id"] = json!(id);
        pipe.write(&order);
        let event = pipe.last(id);
        assert!(sentence(&event).contains(words), "{event}");
        assert_eq!(event["failed"]["may_cost"], false);
    }
    assert!(peer.requests().is_empty());
    // And the right one is.
    let right = order(&provider, &peer.host, 99, &body);
    pipe.write(&right);
    assert!(pipe.last(99).get("done").is_some());
    assert_eq!(peer.requests().len(), 1);
    assert_eq!(peer.requests()[0].body, body.as_bytes());
    let (code, log) = pipe.end();
    assert_eq!(code, Some(0), "{log}");
    // One line each of what was asked for, and one of what was sent.
    let lines = |words: &str| log.lines().filter(|it| it.contains(words)).count() as u64;
    assert_eq!((lines("failed"), lines("answered"), lines("sending")), (n_bad, 1, 1), "{log}");
    assert!(log.contains(right["sha256"].as_str().unwrap()) && log.contains(&peer.host), "{log}");
    assert!(
        !log.contains("line_of_the_user") && !log.contains("word") && !log.contains(KEY),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_change_later_are_not_followed() {
    let (first, second) = (Peer::start(vec![good("1")]).await, Peer::start(vec![good("2")]).await);
    let before = provider("p", &first.base_url());
    let after = provider("p", &second.base_url());
    let mut pipe = Pipe::to(std::slice::from_ref(&before));
    let body = protocol::body(&before, &question(), true);
    pipe.write(&order(&before, &first.host, 1, &body));
    assert!(pipe.last(1).get("done").is_some());
    std::fs::write(pipe.home.0.join("config.toml"), settings(std::slice::from_ref(&after)))
        .unwrap();
    pipe.write(&order(&after, &second.host, 2, &body));
    let event = pipe.last(2);
    assert!(sentence(&event).contains("restart the server"), "{event}");
    assert!(second.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_an_end_to_how_many_are_sent() {
    let silent = Peer::start(vec![vec![Step::Hang]]).await;
    let provider = provider("p", &silent.base_url());
    let body = protocol::body(&provider, &question(), true);
    let mut pipe = Pipe::to(std::slice::from_ref(&provider));
    for id in 1..=16 {
        pipe.write(&order(&provider, &silent.host, id, &body));
    }
    // A number that is taken, and one too many.
    for id in [3, 17] {
        pipe.write(&order(&provider, &silent.host, id, &body));
        let event = pipe.last(id);
        assert!(sentence(&event).contains("too many are under way"), "{event}");
    }
    until(async || (silent.requests().len() == 16).then_some(())).await;
    pipe.end();

    // Each ends before anything is sent, and is counted all the same.
    let mut pipe = Pipe::to(std::slice::from_ref(&provider));
    for id in 1..=241 {
        pipe.write(&order(&provider, "other:1", id, &body));
        let event = pipe.last(id);
        let words = if id <= 240 { "another model or host" } else { "within an hour" };
        assert!(sentence(&event).contains(words), "{id}: {event}");
    }
}

#[test]
fn a_line_that_is_no_order_ends_it() {
    let provider = provider("p", "http://127.0.0.1:9");
    let right = order(&provider, "127.0.0.1:9", 1, "{}");
    let mut more = right;
    more["headers"] = json!({"x-forward-to": "evil.example"});
    for line in [more, json!({"do": "settings", "id": 1}), json!([]), json!("x")] {
        let mut pipe = Pipe::to(std::slice::from_ref(&provider));
        pipe.write(&line);
        let (code, log) = pipe.end();
        assert_eq!(code, Some(65), "{line}: {log}");
    }
}
