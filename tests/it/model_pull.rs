//! `keyside model pull` from a hub on loopback that cuts its connections, says wrong sums, or is
//! not there.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};

use keyside::stdx::hex;
use keyside::stdx::random::Random;
use serde_json::json;
use sha2::{Digest, Sha256};

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

/// A model whose weights are made as they are asked for.
struct LargeFile {
    header: Vec<u8>,
    n_bytes: usize,
}

impl LargeFile {
    fn of(n_bytes: usize) -> Arc<Self> {
        Arc::new(Self { header: GgufFile::default().bytes(), n_bytes })
    }

    /// The bytes from `from` to `end`, block by block: a block's are by chance, and always the same.
    fn blocks(&self, from: usize, end: usize) -> impl Iterator<Item = Vec<u8>> {
        let end = end.min(self.n_bytes);
        (from / BLOCK_BYTES..end.div_ceil(BLOCK_BYTES)).map(move |number| {
            let mut random = Random::new(number as u64);
            let words = (0..BLOCK_BYTES / 8).map(|_| random.next_u64().to_le_bytes());
            let mut block: Vec<u8> = words.flatten().collect();
            let start = number * BLOCK_BYTES;
            if number == 0 {
                block[..self.header.len()].copy_from_slice(&self.header);
            }
            block.truncate(end - start);
            block.split_off(from.saturating_sub(start))
        })
    }

    fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        self.blocks(0, self.n_bytes).for_each(|it| hash.update(it));
        hex(&hash.finalize())
    }

    fn is_at(&self, path: &Path) -> bool {
        let mut file = File::open(path).unwrap();
        let mut there = Vec::new();
        let is_same = self.blocks(0, self.n_bytes).all(|block| {
            there.clear();
            Read::by_ref(&mut file).take(block.len() as u64).read_to_end(&mut there).unwrap();
            there == block
        });
        is_same && file.read(&mut [0]).unwrap() == 0
    }
}

const BLOCK_BYTES: usize = 1 << 16;

/// A hub with one repository, `owner/Coder-GGUF`, of a file and a projector.
struct Hub {
    url: String,
    /// First and last byte of each part that was sent.
    sent: Arc<Mutex<Vec<(usize, usize)>>>,
}

impl Hub {
    fn start(file: &Arc<LargeFile>, sha256: String, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let sent: Arc<Mutex<Vec<(usize, usize)>>> = Arc::default();
        let (sent_too, file) = (Arc::clone(&sent), Arc::clone(file));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &file, &sha256, manner, &sent_too);
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
    file: &LargeFile,
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
        let lfs = json!({"oid": sha256, "size": file.n_bytes, "pointerSize": 134});
        let list = json!([
            {"type": "file", "path": "README.md", "size": 3},
            {"type": "file", "path": "coder-q4_k_m.gguf", "size": file.n_bytes, "lfs": lfs},
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
        Manner::Whole => file.n_bytes,
    };
    let end = (from + n).min(file.n_bytes);
    sent.lock().unwrap().push((from, end));
    let status = if from > 0 { "206 Partial Content" } else { "200 OK" };
    let length = file.n_bytes - from;
    let _ = write!(stream, "HTTP/1.1 {status}\r\n{close}content-length: {length}\r\n\r\n");
    file.blocks(from, end).for_each(|it| {
        let _ = stream.write_all(&it);
    });
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
    const PART_BYTES: usize = 9_600_000;
    let file = LargeFile::of(21 * PART_BYTES);
    let hub = Hub::start(&file, file.sha256(), Manner::CutAfter(PART_BYTES));
    let home = TempFolder::new();
    let output = pull(&home, &hub.url, &["pull", NAME]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(file.is_at(&home.0.join(FILE)));
    let parts: Vec<(usize, usize)> =
        (0..21).map(|it| (it * PART_BYTES, (it + 1) * PART_BYTES)).collect();
    assert_eq!(hub.parts(), parts);
    let said = text(&output.stdout);
    assert!(said.starts_with("owner/Coder-GGUF/coder-q4_k_m is here (202 MB, "), "{said}");
    // Another time there is nothing to fetch.
    let said = text(&pull(&home, &hub.url, &["pull", &format!("{NAME}:q4_k_m")]).stdout);
    assert!(said.contains("is here already"), "{said}");
    assert_eq!(hub.parts().len(), 21);
    // It is a model like the others, and the only kind that `remove` removes.
    let list = text(&pull(&home, &hub.url, &["list", "--json"]).stdout);
    assert!(list.contains("\"kept_by\": \"keyside\""), "{list}");
    let gone = pull(&home, &hub.url, &["remove", "coder-q4_k_m"]);
    assert!(text(&gone.stdout).contains("coder-q4_k_m is gone (202 MB)"), "{}", text(&gone.stderr));
    assert!(!home.0.join("cache/models/pulled/owner").exists());
    let own = home.0.join("own.gguf");
    std::fs::write(&own, GgufFile::default().bytes()).unwrap();
    let refused = pull(&home, &hub.url, &["remove", own.to_str().unwrap()]);
    assert!(text(&refused.stderr).contains("was not fetched by keyside, so it stays"));
    assert!(own.exists());
}

#[test]
fn what_came_is_kept_for_the_next_time() {
    let file = LargeFile::of(300_000);
    let sha256 = file.sha256();
    let manner = Manner::CutAndFail(100_000, 2);
    let hub = Hub::start(&file, sha256.clone(), manner);
    let home = TempFolder::new();
    let output = pull(&home, &hub.url, &["pull", NAME]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.contains("is too busy (status 503)") && said.contains("what came is kept"),
        "{said}"
    );
    assert!(!home.0.join(FILE).exists());
    let hub = Hub::start(&file, sha256, Manner::Whole);
    assert!(pull(&home, &hub.url, &["pull", NAME]).status.success());
    assert_eq!(hub.parts(), [(200_000, 300_000)]);
    assert!(file.is_at(&home.0.join(FILE)));
}

#[test]
fn what_is_wrong_is_told_and_nothing_is_left() {
    let file = LargeFile::of(2_000);
    let hub = Hub::start(&file, "0".repeat(64), Manner::Whole);
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
