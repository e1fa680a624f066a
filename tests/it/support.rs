//! What all tests stand on. Benches share it.
//!
//! **A client.** [`Client`] speaks the protocol as an editor does, over a memory pipe to a server
//! in this process or over the stdio of the real program:
//!
//! ```ignore
//! let client = Client::with_fake(saying("1;"));        // a scripted model, in this process
//! let client = Client::with_embedded_model();          // the built-in model, in this process
//! let client = Client::real_process();                 // the program, in a folder of its own
//! client.initialize(&["utf-8"]).await;
//! client.open(URI, "let x = ");
//! assert_eq!(client.ghost(URI, 0, 8).await.unwrap().text, "1;");
//! client.assert_no_faults();
//! ```
//!
//! `ask` sends a request and waits for its answer, `request` sends it and gives the answer's
//! channel, `notify` sends a notification, `send_raw` sends bytes. The client checks the pairing of
//! requests and answers: a second answer, an answer to nothing, or a line on stdout that is no
//! frame is a fault, and `assert_no_faults` fails the test.
//!
//! **What the server sends by itself** (messages, progress, questions, edits) is kept in `unasked`,
//! in order. Where the server asks, `person` answers: a closure that a test replaces, called with
//! the whole message; what it returns is the result, or with `{"jsonrpc_error": …}` the error.
//!
//! **Waiting.** [`until`] looks until something is there. That something does *not* happen is
//! asserted after a barrier and not after a sleep: [`Client::idle`] returns when the engine has
//! nothing left to do, not even ahead of the next key; `Scene::over` (in `escalation`) when no
//! escalation is under way and all that it said has arrived.
//!
//! **Files.** [`TempFolder`] is a home of its own for each server and is gone after the test.
//! [`frozen`] reads a file of `tests/fixtures/project`, a workspace that never changes; [`project`]
//! is its path. No test reads `src`.
//!
//! **The program.** [`keyside`] is the command, [`run`] runs it to its end. **The other side**:
//! `peer` is the one mock HTTP server, scripted byte by byte; `provider` speaks a provider's
//! protocol on it. **Chance**: `keyside::stdx::random::Random`, with a seed that the test names;
//! `property` holds the property tests.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use keyside::app::Session;
use keyside::config::Config;
use keyside::config::layers::Layer;
use keyside::lm::Engine;
use keyside::lm::backend::scripted::{Script, ScriptedBackend};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};

#[path = "support/files.rs"]
mod files;
#[path = "support/ghost.rs"]
mod ghost;
#[path = "support/program.rs"]
mod program;
#[path = "support/wait.rs"]
mod wait;

pub use files::*;
pub use ghost::*;
pub use program::*;
pub use wait::*;

/// What a person, or the editor itself, answers to a request of the server's: `result` or
/// `{"jsonrpc_error": …}`.
pub type Person = Box<dyn FnMut(&Value) -> Value + Send>;

type Waiting = Arc<Mutex<HashMap<i64, oneshot::Sender<Value>>>>;

/// The client.
pub struct Client {
    to_server: mpsc::UnboundedSender<Vec<u8>>,
    waiting: Waiting,
    next_id: AtomicI64,
    /// Everything that the server sent without being asked.
    pub unasked: Arc<Mutex<Vec<Value>>>,
    faults: Arc<Mutex<Vec<String>>>,
    pub person: Arc<Mutex<Person>>,
    /// Resolves when the server has closed its end.
    pub closed: Option<oneshot::Receiver<()>>,
    pub child: Option<Child>,
    pub home: TempFolder,
}

/// A fake model's engine.
pub fn fake_engine(script: Script) -> Engine {
    Engine::start(move || Ok(Box::new(ScriptedBackend::new(script)))).expect("a thread")
}

/// A script that says `answer` at once.
pub fn saying(answer: &str) -> Script {
    Script::saying(answer)
}

impl Client {
    /// A server in this process with the embedded model.
    pub fn with_embedded_model() -> Self {
        Self::with_embedded_model_and(json!({}))
    }

    /// The same, with settings of `completion`.
    pub fn with_embedded_model_and(completion: Value) -> Self {
        let home = TempFolder::new();
        let session = Session::start(Config::default(), home.folders()).expect("a thread");
        Self::in_process(session, home, json!({"completion": completion}))
    }

    /// A server in this process with a fake model.
    pub fn with_fake(script: Script) -> Self {
        Self::with_fake_and(script, Config::default())
    }

    pub fn with_fake_and(script: Script, config: Config) -> Self {
        let home = TempFolder::new();
        let session = Session::with_engine(config, home.folders(), fake_engine(script));
        // Whatever retrieval knows, and whatever else the machine does; scripts are short.
        let values = json!({
            "min_lookup_confidence": 1.0,
            "min_characters": 2,
            "min_confidence": 0.45,
            "prefetch_on_battery": true,
        });
        Self::in_process(session, home, json!({"completion": values}))
    }

    fn in_process(session: Session, home: TempFolder, values: Value) -> Self {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let (their_input, their_output) = tokio::io::split(theirs);
        let (our_input, our_output) = tokio::io::split(ours);
        let file = Layer { is_users_file: true, ..Layer::of_editor("file", values) };
        tokio::spawn(keyside::lsp::serve(their_input, their_output, Arc::new(session), Ok(file)));
        Self::over(our_input, our_output, home)
    }

    /// The real program over its real stdio.
    pub fn real_process() -> Self {
        Self::real_process_in(TempFolder::new())
    }

    pub fn real_process_in(home: TempFolder) -> Self {
        Self::started(keyside(&home.0, &["serve"]), home)
    }

    /// The program by a command of the test's, with its folders in `home`.
    pub fn started(command: impl Into<Command>, home: TempFolder) -> Self {
        let mut command = command.into();
        let log = std::fs::File::create(home.0.join("stderr.log")).expect("a file");
        let mut child = command
            .env("KEYSIDE_HOME", &home.0)
            .env("KEYSIDE_LOG", "trace")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("the program that this test belongs to");
        let input = child.stdout.take().expect("piped");
        let output = child.stdin.take().expect("piped");
        let mut client = Self::over(input, output, home);
        client.child = Some(child);
        client
    }

    fn over<R, W>(input: R, mut output: W, home: TempFolder) -> Self
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let (to_server, mut outgoing) = mpsc::unbounded_channel::<Vec<u8>>();
        tokio::spawn(async move {
            while let Some(bytes) = outgoing.recv().await {
                if output.write_all(&bytes).await.is_err() || output.flush().await.is_err() {
                    break;
                }
            }
            // Dropping `output` closes the server's input.
        });
        let waiting = Waiting::default();
        let unasked = Arc::new(Mutex::new(Vec::new()));
        let faults = Arc::new(Mutex::new(Vec::new()));
        let person: Arc<Mutex<Person>> = Arc::new(Mutex::new(Box::new(|_| Value::Null)));
        let (at_end, closed) = oneshot::channel();
        let reader = read_all(
            input,
            Arc::clone(&waiting),
            Arc::clone(&unasked),
            Arc::clone(&faults),
            Arc::clone(&person),
            to_server.downgrade(),
        );
        tokio::spawn(async move {
            reader.await;
            let _ = at_end.send(());
        });
        Self {
            to_server,
            waiting,
            next_id: AtomicI64::new(1),
            unasked,
            faults,
            person,
            closed: Some(closed),
            child: None,
            home,
        }
    }

    /// The handshake, with the encodings that the client offers.
    pub async fn initialize(&self, encodings: &[&str]) -> Value {
        let capabilities = json!({
            "general": {"positionEncodings": encodings},
            "textDocument": {"inlineCompletion": {"dynamicRegistration": false}},
            "experimental": {"keyside": {"status": true}},
        });
        self.initialize_with(json!({"processId": null, "capabilities": capabilities})).await
    }

    pub async fn initialize_with(&self, params: Value) -> Value {
        let result = self.ask("initialize", params).await;
        self.notify("initialized", json!({}));
        result["result"].clone()
    }

    pub fn send_raw(&self, bytes: &[u8]) {
        let _ = self.to_server.send(bytes.to_vec());
    }

    pub fn sender(&self) -> mpsc::UnboundedSender<Vec<u8>> {
        self.to_server.clone()
    }

    pub fn send_body(&self, body: &[u8]) {
        self.send_raw(&keyside::lsp::frames::encode(body));
    }

    pub fn send(&self, message: &Value) {
        self.send_body(message.to_string().as_bytes());
    }

    pub fn notify(&self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Sends a request; the answer comes over the channel.
    pub fn request(&self, method: &str, params: Value) -> (i64, oneshot::Receiver<Value>) {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().unwrap().insert(id, sender);
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        (id, receiver)
    }

    /// Sends a request and waits for its answer, the whole message.
    #[track_caller]
    pub fn ask(&self, method: &str, params: Value) -> impl Future<Output = Value> {
        let (_, answer) = self.request(method, params);
        let method = method.to_owned();
        async move {
            tokio::time::timeout(PATIENCE, answer)
                .await
                .unwrap_or_else(|_| panic!("no answer to {method}"))
                .unwrap_or_else(|_| panic!("the server went away before answering {method}"))
        }
    }

    pub fn open(&self, uri: &str, text: &str) {
        self.open_as(uri, "rust", text);
    }

    pub fn open_as(&self, uri: &str, language_id: &str, text: &str) {
        let document = json!({"uri": uri, "languageId": language_id, "version": 1, "text": text});
        self.notify("textDocument/didOpen", json!({"textDocument": document}));
    }

    pub fn change(&self, uri: &str, version: i32, changes: Value) {
        let document = json!({"uri": uri, "version": version});
        self.notify(
            "textDocument/didChange",
            json!({"textDocument": document, "contentChanges": changes}),
        );
    }

    /// Types a text at a place of one line: utf-16 or narrower positions, ASCII only.
    pub fn type_at(&self, uri: &str, version: i32, line: usize, column: usize, text: &str) {
        let at = json!({"line": line, "character": column});
        self.change(uri, version, json!([{"range": {"start": at, "end": at}, "text": text}]));
    }

    pub fn inline_completion(
        &self,
        uri: &str,
        line: usize,
        column: usize,
    ) -> (i64, oneshot::Receiver<Value>) {
        self.request("textDocument/inlineCompletion", inline_params(uri, line, column))
    }

    /// Ghost text at a place: what an editor would show, or `None`.
    pub async fn ghost(&self, uri: &str, line: usize, column: usize) -> Option<Ghost> {
        let answer =
            self.ask("textDocument/inlineCompletion", inline_params(uri, line, column)).await;
        Ghost::of(&answer)
    }

    pub async fn stats(&self) -> Value {
        self.ask("keyside/stats", Value::Null).await["result"].clone()
    }

    /// Waits until the model is loaded.
    pub async fn model_ready(&self) {
        until(async || (self.stats().await["model"]["state"] != "loading").then_some(())).await;
    }

    /// Waits until the engine has nothing to do, not even ahead of the next key, and returns the
    /// counts of then.
    pub async fn idle(&self) -> Value {
        // What the server was told before the first look has been taken in at the second.
        self.stats().await;
        until(async || Some(self.stats().await).filter(|it| it["engine"]["idle"] == true)).await
    }

    /// Fails where the server has broken the protocol.
    pub fn assert_no_faults(&self) {
        let faults = self.faults.lock().unwrap();
        assert!(faults.is_empty(), "{faults:#?}");
    }

    pub fn n_unanswered(&self) -> usize {
        self.waiting.lock().unwrap().len()
    }

    /// Closes the server's input and waits until the server is gone.
    pub async fn hang_up(self) {
        let Self { to_server, closed, child, .. } = self;
        drop(to_server);
        if let Some(closed) = closed {
            tokio::time::timeout(PATIENCE, closed).await.expect("the server stayed").unwrap();
        }
        drop(child);
    }
}

async fn read_all<R: AsyncRead + Unpin>(
    input: R,
    waiting: Waiting,
    unasked: Arc<Mutex<Vec<Value>>>,
    faults: Arc<Mutex<Vec<String>>>,
    person: Arc<Mutex<Person>>,
    to_server: mpsc::WeakUnboundedSender<Vec<u8>>,
) {
    let mut input = BufReader::new(input);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            match input.read_line(&mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            match line.trim_end().strip_prefix("Content-Length: ") {
                Some(n) => length = n.parse().expect("a length"),
                None if line.trim_end().is_empty() => break,
                None => faults.lock().unwrap().push(format!("stdout carries {line:?}")),
            }
        }
        let mut body = vec![0; length];
        if input.read_exact(&mut body).await.is_err() {
            return;
        }
        let message: Value = serde_json::from_slice(&body).expect("JSON");
        match (message.get("method").is_some(), message["id"].as_i64()) {
            (true, Some(id)) => {
                let result = (person.lock().unwrap())(&message);
                unasked.lock().unwrap().push(message);
                let error = result.get("jsonrpc_error");
                let (key, value) = error.map_or(("result", &result), |it| ("error", it));
                let answer = json!({"jsonrpc": "2.0", "id": id, key: value}).to_string();
                if let Some(to_server) = to_server.upgrade() {
                    let _ = to_server.send(keyside::lsp::frames::encode(answer.as_bytes()));
                }
            }
            (true, None) => unasked.lock().unwrap().push(message),
            (false, Some(id)) => match waiting.lock().unwrap().remove(&id) {
                Some(sender) => {
                    let _ = sender.send(message);
                }
                None => faults.lock().unwrap().push(format!("a second answer: {message}")),
            },
            (false, None) => unasked.lock().unwrap().push(message),
        }
    }
}
