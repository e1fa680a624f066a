//! A provider on this machine for tests: it records what comes over the wire and answers as it is told.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

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
    requests: Arc<Mutex<Vec<Recorded>>>,
    /// How many connections the other side has closed.
    pub n_closed: watch::Receiver<usize>,
}

impl Provider {
    pub async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (closed, n_closed) = watch::channel(0);
        let recorded = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, recorded, closed) =
                    (answer.clone(), Arc::clone(&recorded), closed.clone());
                tokio::spawn(async move {
                    let _ = converse(stream, answer, &recorded).await;
                    closed.send_modify(|n| *n += 1);
                });
            }
        });
        Self { port, requests, n_closed }
    }

    pub fn requests(&self) -> Vec<Recorded> {
        self.requests.lock().unwrap().clone()
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

async fn converse(
    mut stream: TcpStream,
    answer: Answer,
    recorded: &Mutex<Vec<Recorded>>,
) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let (head, n_body) = loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        if let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length:")
                    .map(|it| it.trim().parse().unwrap())
            });
            bytes.drain(..end + 4);
            break (head, length.unwrap_or(0));
        }
    };
    while bytes.len() < n_body {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    }
    recorded
        .lock()
        .unwrap()
        .push(Recorded { head, body: String::from_utf8(bytes).expect("UTF-8") });
    match answer {
        Answer::Status(status, body) => {
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all(format!("{head}{body}").as_bytes()).await?;
        }
        Answer::Says { text, input_tokens, output_tokens } => {
            begin(&mut stream, input_tokens).await?;
            for word in text.split_inclusive(' ') {
                say(&mut stream, word).await?;
            }
            event(&mut stream, &json!({"type": "content_block_stop", "index": 0})).await?;
            let delta = json!({"stop_reason": "end_turn", "stop_sequence": null});
            let usage = json!({"output_tokens": output_tokens});
            event(&mut stream, &json!({"type": "message_delta", "delta": delta, "usage": usage}))
                .await?;
            event(&mut stream, &json!({"type": "message_stop"})).await?;
        }
        Answer::Streams(events) => {
            stream.write_all(STREAM_HEAD).await?;
            for it in events {
                event(&mut stream, &it).await?;
            }
        }
        Answer::SaysAndStalls { text } => {
            begin(&mut stream, 10).await?;
            say(&mut stream, &text).await?;
        }
    }
    // Until the other side closes.
    let mut rest = [0; 64];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

const STREAM_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nrequest-id: req_1\r\nconnection: close\r\n\r\n";

async fn begin(stream: &mut TcpStream, input_tokens: u64) -> std::io::Result<()> {
    stream.write_all(STREAM_HEAD).await?;
    let usage = json!({"input_tokens": input_tokens, "output_tokens": 1});
    let message =
        json!({"id": "m", "type": "message", "role": "assistant", "content": [], "usage": usage});
    event(stream, &json!({"type": "message_start", "message": message})).await?;
    let block = json!({"type": "text", "text": ""});
    event(stream, &json!({"type": "content_block_start", "index": 0, "content_block": block})).await
}

async fn say(stream: &mut TcpStream, text: &str) -> std::io::Result<()> {
    let delta = json!({"type": "text_delta", "text": text});
    event(stream, &json!({"type": "content_block_delta", "index": 0, "delta": delta})).await
}

async fn event(stream: &mut TcpStream, event: &Value) -> std::io::Result<()> {
    let name = event["type"].as_str().unwrap();
    stream.write_all(format!("event: {name}\ndata: {event}\n\n").as_bytes()).await?;
    stream.flush().await
}
