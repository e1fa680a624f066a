//! `keyside model pull` from a hub on loopback that cuts its connections, says wrong sums, or is
//! not there.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Output;
use std::sync::{Arc, Mutex};

use keyside::stdx::hex_sha256;
use keyside::stdx::random::Random;
use serde_json::json;

use crate::gguf_file::GgufFile;
use crate::support::{TempFolder, keyside, run, text};

/// What the hub does with requests for the file.
#[derive(Clone, Copy)]
enum Manner {
    /// Sends so many bytes of what is asked for, and closes.
    CutAfter(usize),
    /// The same, so many times, and then only errors.
    CutAndFail(usize, usize),
    Whole,
}

/// A hub with one repository, `owner/Coder-GGUF`, of a file and a projector.
struct Hub {
    url: String,
    /// First and last byte of each part that was sent.
    sent: Arc<Mutex<Vec<(usize, usize)>>>,
}

impl Hub {
    fn start(bytes: Arc<Vec<u8>>, sha256: String, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let sent: Arc<Mutex<Vec<(usize, usize)>>> = Arc::default();
        let sent_too = Arc::clone(&sent);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &bytes, &sha256, manner, &sent_too);
            }
        });
        Self { url, sent }
    }

    fn parts(&self) -> Vec<(usize, usize)> {
        self.sent.lock().unwrap().clone()
    }
}

fn serve(
    mut stream: TcpStream,
    bytes: &[u8],
    sha256: &str,
    manner: Manner,
    sent: &Mutex<Vec<(usize, usize)>>,
) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_exact(&mut byte).is_err() {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let close = "connection: close\r\n";
    if path == "/api/models/owner/coder-gguf/tree/main?recursive=true" {
        let lfs = json!({"oid": sha256, "size": bytes.len(), "pointerSize": 134});
        let list = json!([
            {"type": "file", "path": "README.md", "size": 3},
            {"type": "file", "path": "coder-q4_k_m.gguf", "size": bytes.len(), "lfs": lfs},
            {"type": "file", "path": "mmproj-coder.gguf", "size": 3},
            {"type": "file", "path": "../../outside.gguf", "size": 3},
        ]);
        let body = list.to_string();
        let _ = write!(
            stream,
            "HTTP/1.1 200 OK\r\n{close}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        return;
    }
    // Files lie elsewhere, as with the real one.
    if path == "/owner/coder-gguf/resolve/main/coder-q4_k_m.gguf" {
        let _ = write!(
            stream,
            "HTTP/1.1 302 Found\r\n{close}location: /blobs/1?sig=x\r\ncontent-length: 0\r\n\r\n"
        );
        return;
    }
    if path != "/blobs/1?sig=x" {
        let _ = write!(stream, "HTTP/1.1 404 Not Found\r\n{close}content-length: 0\r\n\r\n");
        return;
    }
    let from: usize = head
        .lines()
        .find_map(|it| it.strip_prefix("range: bytes=")?.strip_suffix('-')?.parse().ok())
        .unwrap_or_default();
    let n_parts = sent.lock().unwrap().len();
    let n = match manner {
        Manner::CutAfter(n) => n,
        Manner::CutAndFail(n, most) if n_parts < most => n,
        Manner::CutAndFail(..) => {
            let _ = write!(stream, "HTTP/1.1 503 Busy\r\n{close}content-length: 0\r\n\r\n");
            return;
        }
        Manner::Whole => bytes.len(),
    };
    let end = (from + n).min(bytes.len());
    sent.lock().unwrap().push((from, end));
    let status = if from > 0 { "206 Partial Content" } else { "200 OK" };
    let length = bytes.len() - from;
    let _ = write!(stream, "HTTP/1.1 {status}\r\n{close}content-length: {length}\r\n\r\n");
    let _ = stream.write_all(&bytes[from..end]);
}

/// A model whose weights are `n_bytes` of chance.
fn model(n_bytes: usize) -> Arc<Vec<u8>> {
    let mut bytes = GgufFile::default().bytes();
    let mut random = Random::new(3);
    while bytes.len() < n_bytes {
        bytes.extend(random.next_u64().to_le_bytes());
    }
    bytes.truncate(n_bytes);
    Arc::new(bytes)
}

fn pull(home: &TempFolder, url: &str, arguments: &[&str]) -> Output {
    let mut command = keyside(&home.0, &[&["model"], arguments].concat());
    command.env("HOME", &home.0).env("HF_ENDPOINT", url);
    command.env_remove("HTTPS_PROXY").env_remove("ALL_PROXY");
    run(command, "")
}

const NAME: &str = "owner/Coder-GGUF";
const FILE: &str = "cache/models/pulled/owner/Coder-GGUF/coder-q4_k_m.gguf";

#[test]
fn a_link_that_is_cut_twenty_times_brings_the_right_bytes_and_none_twice() {
    let bytes = model(21_000_000);
    let hub = Hub::start(Arc::clone(&bytes), hex_sha256(&bytes), Manner::CutAfter(1_000_000));
    let home = TempFolder::new();
    let output = pull(&home, &hub.url, &["pull", NAME]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(std::fs::read(home.0.join(FILE)).unwrap() == *bytes);
    let parts: Vec<(usize, usize)> =
        (0..21).map(|it| (it * 1_000_000, (it + 1) * 1_000_000)).collect();
    assert_eq!(hub.parts(), parts);
    let said = text(&output.stdout);
    assert!(said.starts_with("owner/Coder-GGUF/coder-q4_k_m is here (21 MB, "), "{said}");
    // Another time there is nothing to fetch.
    let said = text(&pull(&home, &hub.url, &["pull", &format!("{NAME}:q4_k_m")]).stdout);
    assert!(said.contains("is here already"), "{said}");
    assert_eq!(hub.parts().len(), 21);
    // It is a model like the others, and the only kind that `remove` removes.
    let list = text(&pull(&home, &hub.url, &["list", "--json"]).stdout);
    assert!(list.contains("\"kept_by\": \"keyside\""), "{list}");
    let gone = pull(&home, &hub.url, &["remove", "coder-q4_k_m"]);
    assert!(text(&gone.stdout).contains("coder-q4_k_m is gone (21 MB)"), "{}", text(&gone.stderr));
    assert!(!home.0.join("cache/models/pulled/owner").exists());
    let own = home.0.join("own.gguf");
    std::fs::write(&own, GgufFile::default().bytes()).unwrap();
    let refused = pull(&home, &hub.url, &["remove", own.to_str().unwrap()]);
    assert!(text(&refused.stderr).contains("was not fetched by keyside, so it stays"));
    assert!(own.exists());
}

#[test]
fn what_came_is_kept_for_the_next_time() {
    let bytes = model(300_000);
    let sha256 = hex_sha256(&bytes);
    let manner = Manner::CutAndFail(100_000, 2);
    let hub = Hub::start(Arc::clone(&bytes), sha256.clone(), manner);
    let home = TempFolder::new();
    let output = pull(&home, &hub.url, &["pull", NAME]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.contains("is too busy (status 503)") && said.contains("what came is kept"),
        "{said}"
    );
    assert!(!home.0.join(FILE).exists());
    let hub = Hub::start(Arc::clone(&bytes), sha256, Manner::Whole);
    assert!(pull(&home, &hub.url, &["pull", NAME]).status.success());
    assert_eq!(hub.parts(), [(200_000, 300_000)]);
    assert!(std::fs::read(home.0.join(FILE)).unwrap() == *bytes);
}

#[test]
fn what_is_wrong_is_told_and_nothing_is_left() {
    let bytes = model(2_000);
    let hub = Hub::start(Arc::clone(&bytes), "0".repeat(64), Manner::Whole);
    let home = TempFolder::new();
    let refused = |url: &str, wanted: &str| {
        let output = pull(&home, url, &["pull", wanted]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
        text(&output.stderr)
    };
    let said = refused(&hub.url, NAME);
    assert!(said.contains("coder-q4_k_m.gguf is damaged: its SHA-256 is"), "{said}");
    let left = std::fs::read_dir(home.0.join(FILE).parent().unwrap()).unwrap().count();
    assert_eq!(left, 0);
    for (url, wanted, sentence) in [
        (&*hub.url, "owner/Nothing", "has no such repository or file"),
        (&*hub.url, "coder", "is no name of a model on a hub; write OWNER/REPOSITORY"),
        (&*hub.url, "owner/../x", "is no name of a model on a hub"),
        (&*hub.url, "owner/Coder-GGUF:Q8_0", "has 1 files that this may be; name one"),
        (
            "http://127.0.0.1:1",
            NAME,
            "127.0.0.1:1 can't be reached; see whether this machine is online",
        ),
        ("http://example.com", NAME, "HF_ENDPOINT is http://"),
    ] {
        let said = refused(url, wanted);
        assert!(said.contains(sentence), "{said}");
    }
}
