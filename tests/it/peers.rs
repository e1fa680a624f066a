//! The broker against real servers that others wrote, all on this machine. Ignored, as they have to be installed and started
//! first; each test says how. `cargo test --test it peers -- --ignored`

use std::sync::{Arc, Mutex};

use keyside::config::cloud::{Auth, Protocol, Provider};
use keyside::lm::GenerateTask;
use keyside::lm::registry::{ModelSpec, Registry};
use keyside::lm::runtime::Runtime;
use keyside::lm::task::StopAtLineEnd;
use keyside::prompt::assemble::{Assembler, PromptBudget, PromptSize};
use keyside::prompt::excerpt::Excerpt;
use keyside::prompt::healing;
use keyside::remote::broker::ipc::Event;
use keyside::remote::protocol::fault::FaultKind;
use keyside::remote::protocol::fim_server::FimAsk;
use keyside::remote::protocol::usage::Usage;
use keyside::remote::protocol::{self, Ask, Role, StopReason, Turn};
use keyside::stdx::cancel::CancelFlag;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};

use crate::broker::{Setup, all, failure, text_of};
use crate::support::{TempFolder, frozen};

const PROTOCOLS: [Protocol; 3] =
    [Protocol::AnthropicMessages, Protocol::OpenaiChat, Protocol::OpenaiResponses];

/// Stands between the broker and a server and keeps what the server said.
struct Recorder {
    base_url: String,
    said: Arc<Mutex<Vec<u8>>>,
}

impl Recorder {
    async fn before(server: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let said = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&said);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (mut from_client, mut to_client) = client.into_split();
                let server =
                    TcpStream::connect(server).await.expect("a server; see the test's head");
                let (mut from_server, mut to_server) = server.into_split();
                tokio::spawn(async move { copy(&mut from_client, &mut to_server).await });
                let kept = Arc::clone(&kept);
                tokio::spawn(async move {
                    let mut chunk = [0; 1 << 14];
                    while let Ok(n @ 1..) = from_server.read(&mut chunk).await {
                        kept.lock().unwrap().extend_from_slice(&chunk[..n]);
                        if to_client.write_all(&chunk[..n]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { base_url, said }
    }

    /// The last number that the server gave under a name.
    fn number(&self, name: &str) -> Option<u64> {
        let said = self.said.lock().unwrap();
        let said = String::from_utf8_lossy(&said);
        let (_, after) = said.rsplit_once(&format!("\"{name}\":"))?;
        let after = after.trim_start();
        let end = after.find(|it: char| !it.is_ascii_digit())?;
        after[..end].parse().ok()
    }
}

fn provider(protocol: Protocol, base_url: &str, model: &str) -> Provider {
    let name = format!("{protocol:?}");
    let (base_url, model) = (base_url.to_owned(), model.to_owned());
    Provider { name, protocol, base_url, model, auth: Auth::None, ..Provider::default() }
}

async fn asked(provider: &Provider, question: &str) -> Vec<Event> {
    let setup = Setup::with(std::slice::from_ref(provider));
    let ask = Ask {
        system: "You help with Rust.".to_owned(),
        turns: vec![Turn { role: Role::User, text: question.to_owned() }],
        max_output_tokens: 24,
    };
    let body = protocol::body(provider, &ask, true);
    let host = protocol::host(provider).unwrap();
    all(setup.broker.ask_without_gate(&provider.name, &host, &provider.model, body)).await
}

#[track_caller]
fn usage_of(events: &[Event]) -> Usage {
    let usage = |it: &Event| if let Event::Usage(usage) = it { Some(*usage) } else { None };
    events.iter().rev().find_map(usage).unwrap_or_else(|| panic!("no usage: {events:?}"))
}

async fn get(server: &str, path: &str) -> Value {
    asked_plainly(server, "GET", path, "").await
}

async fn post(server: &str, path: &str, body: &Value) -> Value {
    asked_plainly(server, "POST", path, &body.to_string()).await
}

async fn asked_plainly(server: &str, method: &str, path: &str, body: &str) -> Value {
    let mut stream = TcpStream::connect(server).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {server}\r\ncontent-type: application/json\r\nconnection: close\r\n"
    );
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let (start, end) = (body.find('{').unwrap(), body.rfind('}').unwrap());
    serde_json::from_str(&body[start..=end]).unwrap()
}

/// Started with `tests/peers/llama_server.py`, whose head says how.
#[tokio::test]
#[ignore = "needs llama-server on 127.0.0.1:8089"]
async fn llama_server_counts_the_same_tokens() {
    const SERVER: &str = "127.0.0.1:8089";
    for protocol in PROTOCOLS {
        let recorder = Recorder::before(SERVER).await;
        let question = format!("fn main() {{ // {protocol:?} \u{1f980}");
        for _again in 0..2 {
            let events = asked(&provider(protocol, &recorder.base_url, "nano"), &question).await;
            let usage = usage_of(&events);
            let (read, cached) = match protocol {
                Protocol::AnthropicMessages => {
                    let body = json!({"model": "nano", "system": "You help with Rust.",
                        "messages": [{"role": "user", "content": question}]});
                    let all = post(SERVER, "/v1/messages/count_tokens", &body).await;
                    let cached = recorder.number("cache_read_input_tokens").unwrap();
                    (all["input_tokens"].as_u64().unwrap() - cached, cached)
                }
                // What its own clock counts.
                _ => (recorder.number("prompt_n").unwrap(), recorder.number("cache_n").unwrap()),
            };
            assert_eq!((usage.input_tokens, usage.cache_read), (read, cached), "{protocol:?}");
            assert_eq!(
                recorder.number("output_tokens").or(recorder.number("predicted_n")),
                Some(usage.output_tokens)
            );
            let stop =
                if usage.output_tokens >= 24 { StopReason::MaxTokens } else { StopReason::End };
            assert_eq!(events.last(), Some(&Event::Done { stop }), "{protocol:?}");
            println!("{protocol:?}: {usage:?} {:?}", text_of(&events));
        }
    }
}

/// Started as `tests/peers/litellm.yaml` says, with llama-server behind it.
#[tokio::test]
#[ignore = "needs LiteLLM on 127.0.0.1:4000"]
async fn litellm_counts_the_same_tokens_and_says_the_price() {
    const SERVER: &str = "127.0.0.1:4000";
    for protocol in PROTOCOLS {
        let recorder = Recorder::before(SERVER).await;
        let events = asked(&provider(protocol, &recorder.base_url, "tiny"), "fn main() {").await;
        println!("{protocol:?}: {events:?}");
        let usage = usage_of(&events);
        let (input, output) = match protocol {
            Protocol::OpenaiChat => ("prompt_tokens", "completion_tokens"),
            _ => ("input_tokens", "output_tokens"),
        };
        let counted_apart = protocol == Protocol::AnthropicMessages;
        let expected = if counted_apart { usage.input_tokens } else { usage.prompt_tokens() };
        assert_eq!(recorder.number(input), Some(expected), "{protocol:?}");
        assert_eq!(recorder.number(output), Some(usage.output_tokens), "{protocol:?}");
        assert!(matches!(events.last(), Some(Event::Done { .. })), "{protocol:?}");
        if protocol == Protocol::OpenaiChat {
            assert!(usage.cost_pico_usd.is_some_and(|it| it > 0), "{usage:?}");
        }
    }
    let chat = |model| provider(Protocol::OpenaiChat, "http://127.0.0.1:4000", model);
    assert_eq!(failure(&asked(&chat("busy"), "x").await).kind, FaultKind::TooMany);
    let unknown = asked(&chat("no-such-model"), "x").await;
    println!("{:?}", failure(&unknown));
}

/// `npm install --ignore-scripts @copilotkit/aimock@1.43.0`, then
/// `node_modules/.bin/llmock -p 4010 -f tests/peers/aimock.json`.
#[tokio::test]
#[ignore = "needs aimock on 127.0.0.1:4010"]
async fn aimock_is_understood_and_its_errors_are_tried_again_as_they_should() {
    for protocol in PROTOCOLS {
        let provider = provider(protocol, "http://127.0.0.1:4010", "mock");
        let events = asked(&provider, "say hello").await;
        assert_eq!(text_of(&events), "Hello! \u{1f980} \u{e9}", "{protocol:?}");
        let usage = usage_of(&events);
        assert_eq!((usage.input_tokens, usage.output_tokens), (321, 7), "{protocol:?}");
        for (question, kind, n_waits) in [
            ("be busy", FaultKind::Overloaded, 2),
            ("be slow", FaultKind::TooMany, 2),
            ("no money", FaultKind::Money, 0),
        ] {
            let events = asked(&provider, question).await;
            assert_eq!(failure(&events).kind, kind, "{protocol:?} {question}");
            let waits = events.iter().filter(|it| matches!(it, Event::Waiting { .. })).count();
            assert_eq!(waits, n_waits, "{protocol:?} {question}");
        }
    }
}

/// Started with `tests/peers/llama_server.py`.
#[tokio::test]
#[ignore = "needs llama-server on 127.0.0.1:8089"]
async fn llama_server_fills_in_the_middle_and_tells_how_sure_it_is() {
    let setup = Setup::new(
        "[completion]\nserver = \"llama-server\"\nserver_url = \"http://127.0.0.1:8089\"\n",
    );
    let ask = FimAsk {
        before: "fn add(left: u32, right: u32) -> u32 {\n".to_owned(),
        line: "    left +".to_owned(),
        after: "\n}\n".to_owned(),
        spelled: None,
        max_tokens: 8,
        max_ms: 500,
    };
    let events = all(setup.broker.complete(ask)).await;
    let (last, pieces) = events.split_last().unwrap();
    assert!(matches!(last, Event::Done { .. }), "{events:?}");
    assert!(!pieces.is_empty(), "{events:?}");
    for piece in pieces {
        let Event::Generated { probability: Some(probability), .. } = piece else {
            panic!("{piece:?}");
        };
        assert!((0.0..=1.0).contains(probability), "{piece:?}");
    }
}

/// Started with `tests/peers/llama_server.py`. What both are asked is token for token the same; what may
/// differ is the arithmetic (other versions of llama.cpp, other batches) and how the likeliest token is
/// told. `cargo test --release --test it same_text -- --ignored --nocapture` prints the share.
#[tokio::test]
#[ignore = "needs llama-server on 127.0.0.1:8089"]
async fn llama_server_writes_the_same_text_as_the_resident_engine() {
    const SERVER: &str = "127.0.0.1:8089";
    const N_PLACES: usize = 200;
    const N_TOKENS: usize = 24;
    let model = get(SERVER, "/props").await["model_path"].as_str().unwrap().to_owned();
    let home = TempFolder::new();
    let backend = Registry::new(home.0.clone()).load(&ModelSpec::named(format!("file:{model}")));
    let mut runtime = Runtime::new(backend.unwrap(), Arc::default()).with_fixed_chunks(128);
    let info = Arc::clone(runtime.info());
    let budget = PromptBudget::of_context(512);
    let tokenizer = Arc::clone(&info.tokenizer);
    let mut assembler = Assembler::new(tokenizer, info.prompt_template().unwrap(), budget);
    let files =
        ["lib/text/edit.rs", "lib/wire/retry.rs", "pipeline/counts.py", "pipeline/samples.py"];
    let (mut n_same, mut others) = (0, Vec::new());
    for place in 0..N_PLACES {
        let file = files[place % files.len()];
        let rope = ropey::Rope::from_str(&frozen(file));
        let line = 4 + (place / files.len() * 37) % (rope.len_lines() - 8);
        let columns = rope.line(line).len_chars().saturating_sub(1);
        let caret = rope.line_to_char(line) + columns * (place % 3) / 3;
        let excerpt = Excerpt::around(&rope, caret);
        // Whole words before the caret: llama-server has no bytes to begin with.
        let (kept, _) = healing::split(&excerpt.line_before);
        let prompt = assembler.assemble(file, file, &excerpt, kept, PromptSize::Full);
        let mut task = GenerateTask {
            stop: Arc::new(StopAtLineEnd),
            ..GenerateTask::after(prompt.clone(), N_TOKENS)
        };
        let own = runtime.generate(&mut task, &CancelFlag::default()).unwrap().best.text;
        let body = json!({"prompt": prompt, "n_predict": N_TOKENS, "temperature": 0, "top_k": 1,
            "samplers": ["top_k"], "cache_prompt": false, "stop": ["\n"]});
        let theirs = post(SERVER, "/completion", &body).await["content"].clone();
        match theirs == own.as_str() {
            true => n_same += 1,
            false => others.push(format!("{file}:{}: {own:?} and {theirs}", line + 1)),
        }
    }
    println!("{} of {N_PLACES} texts are the same with {}; not:", n_same, info.name);
    others.iter().for_each(|it| println!("  {it}"));
    assert!(n_same * 100 >= N_PLACES * 95, "{n_same}");
}
