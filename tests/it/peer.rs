//! The one mock HTTP server of the tests. It does exactly what its script says, byte by byte:
//! faults that no real server can be asked for. `provider` is a whole provider on it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the peer does with a connection once it has the whole request.
#[derive(Debug, Clone)]
pub enum Step {
    Send(Vec<u8>),
    /// A moment, so that what was sent is read on its own.
    Pause,
    /// So many milliseconds.
    Wait(u64),
    /// These bytes again and again, until the client goes away.
    Repeat(Vec<u8>),
    /// Nothing more, and no end, until the client goes away.
    Hang,
    /// The connection is reset instead of ended.
    Reset,
}

/// A request as it came.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The request line and the headers, names in lower case.
    pub head: String,
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header; empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        let start = format!("{name}: ");
        self.head.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_default()
    }
}

/// Listens on loopback until it is dropped.
pub struct Peer {
    /// `127.0.0.1:PORT`.
    pub host: String,
    requests: Arc<Mutex<Vec<Request>>>,
    /// How many connections are over, whoever ended them.
    pub n_left: watch::Receiver<usize>,
    task: tokio::task::JoinHandle<()>,
}

impl Peer {
    /// A peer that treats the first connection as the first script says, and so on; the last script
    /// holds for all after it.
    pub async fn start(scripts: Vec<Vec<Step>>) -> Self {
        Self::start_at("127.0.0.1:0", scripts).await
    }

    /// The same at an address that is free.
    pub async fn start_at(host: &str, scripts: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind(host).await.expect("a port");
        let host = listener.local_addr().expect("an address").to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (left, n_left) = watch::channel(0);
        let seen = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            let mut n_connections = 0;
            while let Ok((stream, _)) = listener.accept().await {
                let script = scripts[n_connections.min(scripts.len() - 1)].clone();
                n_connections += 1;
                let (seen, left) = (Arc::clone(&seen), left.clone());
                tokio::spawn(async move {
                    serve(stream, script, &seen).await;
                    left.send_modify(|n| *n += 1);
                });
            }
        });
        Self { host, requests, n_left, task }
    }

    /// A peer that says its piece at once and never listens.
    pub async fn blunt(bytes: &'static [u8]) -> Self {
        let mut peer = Self::start(vec![vec![]]).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        peer.host = listener.local_addr().expect("an address").to_string();
        peer.task.abort();
        peer.task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.write_all(bytes).await;
                let _ = stream.shutdown().await;
            }
        });
        peer
    }

    pub fn base_url(&self) -> String {
        format!("http://{}", self.host)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Waits until a connection is over, whoever ended it.
    pub async fn connection_over(&self) {
        let mut n_left = self.n_left.clone();
        let waited = n_left.wait_for(|n| *n > 0);
        tokio::time::timeout(crate::support::PATIENCE, waited)
            .await
            .expect("it stayed open")
            .unwrap();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, script: Vec<Step>, seen: &Mutex<Vec<Request>>) {
    let Some(request) = read_request(&mut stream).await else { return };
    seen.lock().unwrap().push(request);
    for step in script {
        match step {
            Step::Send(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Step::Pause => tokio::time::sleep(Duration::from_millis(30)).await,
            Step::Wait(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
            Step::Repeat(bytes) => {
                while stream.write_all(&bytes).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                return;
            }
            Step::Hang => {
                let mut rest = [0; 64];
                while matches!(stream.read(&mut rest).await, Ok(n) if n > 0) {}
                return;
            }
            Step::Reset => {
                stream.set_zero_linger().expect("an open socket");
                return;
            }
        }
    }
    let _ = stream.shutdown().await;
}

async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 1 << 16];
    loop {
        let n = stream.read(&mut chunk).await.ok()?;
        bytes.extend_from_slice(&chunk[..n]);
        if let Some(at) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..at]).replace("\r\n", "\n");
            let mut request = Request { head, body: bytes.split_off(at + 4) };
            let length: usize = request.header("content-length").parse().unwrap_or_default();
            while request.body.len() < length {
                let n = stream.read(&mut chunk).await.ok().filter(|n| *n > 0)?;
                request.body.extend_from_slice(&chunk[..n]);
            }
            return Some(request);
        }
        if n == 0 {
            return None;
        }
    }
}

/// An answer with a status, headers (each with its line end) and a body.
pub fn answer(status: u16, headers: &str, body: &str) -> Vec<Step> {
    let length = body.len();
    vec![Step::Send(
        format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{body}")
            .into_bytes(),
    )]
}

/// The head of an event stream in chunks.
pub fn stream_head() -> Step {
    Step::Send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nrequest-id: req_7\r\ntransfer-encoding: chunked\r\n\r\n".to_vec())
}

/// One chunk of it.
pub fn chunk(bytes: &[u8]) -> Step {
    let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
    framed.extend_from_slice(bytes);
    framed.extend_from_slice(b"\r\n");
    Step::Send(framed)
}

/// The end of the chunks.
pub fn last_chunk() -> Step {
    Step::Send(b"0\r\n\r\n".to_vec())
}

/// Anthropic's events up to the text.
pub const BEGINNING: &str = concat!(
    "event: message_start\n",
    "data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":11,\"output_tokens\":1}}}\n\n",
    "event: content_block_start\n",
    "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
);

/// A piece of text as Anthropic's event.
pub fn text(text: &str) -> String {
    let delta = serde_json::json!({"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}});
    format!("event: content_block_delta\ndata: {delta}\n\n")
}

/// Anthropic's events after the text.
pub fn ending(stop_reason: &str) -> String {
    ending_after(5, stop_reason)
}

/// The same, after so many tokens.
pub fn ending_after(output_tokens: u64, stop_reason: &str) -> String {
    let delta = serde_json::json!({"type": "message_delta", "delta": {"stop_reason": stop_reason}, "usage": {"output_tokens": output_tokens}});
    format!(
        "event: message_delta\ndata: {delta}\n\nevent: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n"
    )
}

/// A good answer.
pub fn good(said: &str) -> Vec<Step> {
    let events = format!("{BEGINNING}{}{}", text(said), ending("end_turn"));
    vec![stream_head(), chunk(events.as_bytes()), last_chunk()]
}
