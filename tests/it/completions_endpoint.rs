//! `keyside serve --completions-port`, asked as Zed asks it and as others might.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::support::{TempFolder, keyside};

/// More suggestions than by default, however slow this machine is.
const SETTINGS: &str = "[completion]\nlevel = \"eager\"\ngenerate_ms = 60000\n";

const BEFORE: &str = r#"use std::collections::HashMap;

fn totals(map: &HashMap<String, u64>) -> u64 {
    let alpha = map.get("alpha").copied().unwrap_or(0);
    let beta = map.get("beta").copied().unwrap_or(0);
    let gamma = map.get("gamma").copied().unwrap_or(0);
    let delta = map.get("delta").copied().un"#;
const BEHIND: &str = "\n\n    alpha + beta + gamma + delta\n}\n";

struct Endpoint {
    _home: TempFolder,
    process: Child,
    address: String,
}

impl Endpoint {
    fn start() -> Self {
        let home = TempFolder::new();
        std::fs::write(home.0.join("config.toml"), SETTINGS).unwrap();
        let mut process = keyside(&home.0, &["serve", "--completions-port", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(process.stderr.take().unwrap()).read_line(&mut said).unwrap();
        let (_, rest) = said.split_once("http://").unwrap_or_else(|| panic!("{said}"));
        let (address, _) = rest.split_once('/').unwrap();
        let address = address.to_owned();
        assert!(address.starts_with("127.0.0.1:"), "{said}");
        Self { _home: home, process, address }
    }

    /// The status and the body of the answer to these bytes.
    fn ask(&self, head: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = head.replace("HOST", &self.address);
        let length = body.len();
        let request =
            format!("{head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
        // What is refused by its head may be answered before it is read.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        let status = answer.split(' ').nth(1).unwrap_or_else(|| panic!("{answer}"));
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        (status.parse().unwrap(), serde_json::from_str(body).unwrap())
    }

    fn complete(&self, request: &Value) -> (u16, Value) {
        let head = "POST /v1/completions HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json";
        self.ask(head, &request.to_string())
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn each_format_of_zed_gets_the_same_text_between() {
    let endpoint = Endpoint::start();
    let texts = [
        format!("<|fim_prefix|>{BEFORE}<|fim_suffix|>{BEHIND}<|fim_middle|>"),
        format!("<fim_prefix>{BEFORE}<fim_suffix>{BEHIND}<fim_middle>"),
        format!("<PRE> {BEFORE} <SUF>{BEHIND} <MID>"),
        format!("<｜fim▁begin｜>{BEFORE}<｜fim▁hole｜>{BEHIND}<｜fim▁end｜>"),
        format!("[SUFFIX]{BEHIND}[PREFIX]{BEFORE}"),
    ]
    .map(|prompt| {
        let stop = ["<|endoftext|>", "<|fim_pad|>"];
        let request = json!({"model": "keyside", "prompt": prompt, "max_tokens": 64, "stop": stop});
        let (status, answer) = endpoint.complete(&request);
        assert_eq!((status, &answer["object"]), (200, &json!("text_completion")), "{answer}");
        assert!(answer["id"].is_string() && answer["usage"]["total_tokens"].is_u64(), "{answer}");
        answer["choices"][0]["text"].as_str().unwrap().to_owned()
    });
    assert!(!texts[0].is_empty() && !texts[0].contains("fim"), "{texts:?}");
    assert!(texts.iter().all(|it| *it == texts[0]), "{texts:?}");

    // The older form of the protocol, with an end of its own.
    let mut request = json!({"prompt": BEFORE, "suffix": BEHIND});
    assert_eq!(endpoint.complete(&request).1["choices"][0]["text"], texts[0]);
    request["stop"] = json!(&texts[0][1..2]);
    assert_eq!(endpoint.complete(&request).1["choices"][0]["text"], texts[0][..1]);
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn who_is_no_program_of_this_machine_and_what_is_no_request_is_refused_and_the_next_is_answered() {
    let endpoint = Endpoint::start();
    let good = json!({"prompt": BEFORE, "suffix": BEHIND}).to_string();
    let post = "POST /v1/completions HTTP/1.1";
    let large = json!({"prompt": "a".repeat(1 << 20)}).to_string();
    for (head, body, status, why) in [
        (format!("{post}\r\nHost: keyside.example"), &*good, 403, "ask by 127.0.0.1"),
        (format!("{post}\r\nHost: HOST\r\nOrigin: http://a.example"), &good, 403, "a browser"),
        (format!("{post}\r\nHost: HOST"), &large, 413, "at most 1 MiB"),
        (format!("{post}\r\nHost: HOST"), "{\"prompt\": 1}", 400, "no request for a completion"),
        (format!("{post}\r\nHost: HOST"), "{\"prompt\": \"\", \"stream\": true}", 400, "whole"),
        ("POST /v1/chat/completions HTTP/1.1\r\nHost: HOST".to_owned(), &good, 404, "there are"),
    ] {
        let (got, answer) = endpoint.ask(&head, body);
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(got == status && message.contains(why), "{head}: {got} {answer}");
    }
    let (status, models) = endpoint.ask("GET /v1/models HTTP/1.1\r\nHost: HOST", "");
    assert_eq!((status, &models["data"][0]["id"]), (200, &json!("keyside")));
    let (status, answer) = endpoint.ask(&format!("{post}\r\nHost: HOST"), &good);
    assert!(status == 200 && answer["choices"][0]["text"] != "", "{answer}");
}
