//! A provider on this machine for tests: Anthropic's protocol on the mock server of
//! [`crate::peer`].

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::peer::{Peer, Step};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub head: String,
    pub body: String,
}

/// What it answers with.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A stream of Anthropic's protocol that says this, word by word, and counts these tokens.
    Says { text: String, input_tokens: u64, output_tokens: u64 },
    /// The beginning of such a stream, and then nothing, with the connection open.
    SaysAndStalls { text: String },
    /// These events, as they are.
    Streams(Vec<Value>),
    /// A status and a body.
    Status(u16, String),
}

pub struct Provider {
    pub port: u16,
    peer: Peer,
    /// How many connections the other side has closed.
    pub n_closed: watch::Receiver<usize>,
}

impl Provider {
    pub async fn start(answer: Answer) -> Self {
        let mut script = script(answer);
        // The client is the one that ends a connection.
        script.push(Step::Hang);
        let peer = Peer::start(vec![script]).await;
        let port = peer.host.rsplit_once(':').and_then(|it| it.1.parse().ok()).expect("a port");
        let n_closed = peer.n_left.clone();
        Self { port, peer, n_closed }
    }

    pub fn requests(&self) -> Vec<Recorded> {
        let text = |body| String::from_utf8(body).expect("UTF-8");
        let requests = self.peer.requests().into_iter();
        requests.map(|it| Recorded { head: it.head, body: text(it.body) }).collect()
    }

    /// Settings in which it is the one that is asked, free of charge unless `more` says otherwise.
    pub fn settings(&self, more: &str) -> String {
        format!(
            "[cloud]\nenabled = true\n{more}\n[[cloud.providers]]\nname = \"here\"\nprotocol = \"anthropic-messages\"\n\
             base_url = \"http://127.0.0.1:{}\"\nauth = \"none\"\nmodel = \"test-model\"\n\
             prices = {{ input = 3.0, output = 15.0 }}\n",
            self.port
        )
    }
}

fn script(answer: Answer) -> Vec<Step> {
    match answer {
        Answer::Status(status, body) => vec![send(format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        ))],
        Answer::Says { text, input_tokens, output_tokens } => {
            let mut script = begin(input_tokens);
            script.extend(text.split_inclusive(' ').map(say));
            script.push(event(&json!({"type": "content_block_stop", "index": 0})));
            let delta = json!({"stop_reason": "end_turn", "stop_sequence": null});
            let usage = json!({"output_tokens": output_tokens});
            let last = json!({"type": "message_delta", "delta": delta, "usage": usage});
            script.extend([event(&last), event(&json!({"type": "message_stop"}))]);
            script
        }
        Answer::Streams(events) => {
            std::iter::once(send(STREAM_HEAD.to_owned())).chain(events.iter().map(event)).collect()
        }
        Answer::SaysAndStalls { text } => {
            let mut script = begin(10);
            script.push(say(&text));
            script
        }
    }
}

const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nrequest-id: req_1\r\nconnection: close\r\n\r\n";

fn begin(input_tokens: u64) -> Vec<Step> {
    let usage = json!({"input_tokens": input_tokens, "output_tokens": 1});
    let message =
        json!({"id": "m", "type": "message", "role": "assistant", "content": [], "usage": usage});
    let block = json!({"type": "text", "text": ""});
    vec![
        send(STREAM_HEAD.to_owned()),
        event(&json!({"type": "message_start", "message": message})),
        event(&json!({"type": "content_block_start", "index": 0, "content_block": block})),
    ]
}

fn say(text: &str) -> Step {
    let delta = json!({"type": "text_delta", "text": text});
    event(&json!({"type": "content_block_delta", "index": 0, "delta": delta}))
}

fn event(event: &Value) -> Step {
    let name = event["type"].as_str().unwrap();
    send(format!("event: {name}\ndata: {event}\n\n"))
}

fn send(text: String) -> Step {
    Step::Send(text.into_bytes())
}
