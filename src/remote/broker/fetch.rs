//! Model files from a hub, for `keyside model pull`: what the process with a network is ordered,
//! and how it answers. The order comes as a line of JSON; the answer is lines of JSON, and after a
//! `Bytes` so many bytes of the file as they are.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::{Deserialize, Serialize};

/// The longest line of an answer: the list of a repository's files.
const MAX_LINE_BYTES: u64 = 32 << 20;

/// What is fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum FetchOrder {
    /// The GGUF files of a repository, `OWNER/NAME`.
    List { repository: String },
    /// A file of it, from this byte on.
    File { repository: String, file: String, from: u64 },
}

/// A file of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubFile {
    pub path: String,
    pub n_bytes: u64,
    /// In hexadecimal; of files that are kept apart, as all large ones are.
    pub sha256: Option<String>,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FetchEvent {
    Files(Vec<HubFile>),
    /// From which byte on the file comes: a server that can't begin in the middle begins at 0.
    From(u64),
    /// So many bytes follow.
    Bytes(u64),
    Done,
    /// A sentence, and whether the same may work at another time.
    Failed {
        sentence: String,
        may_pass: bool,
    },
}

/// The process that fetches; it ends when this is dropped.
#[derive(Debug)]
pub struct Fetcher {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Drop for Fetcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const GONE: &str = "the process that fetches ended; try again, what came is kept";

impl Fetcher {
    /// Starts it, before this process gives up its network.
    ///
    /// # Errors
    /// One sentence, where the system refuses the process.
    pub fn start(mut command: Command) -> Result<Self, String> {
        let refused = |error| format!("the system refuses the process that fetches ({error})");
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(refused)?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (Some(orders), Some(answers)) = (input, output) else { return Err(GONE.to_owned()) };
        Ok(Self { child, orders, answers: BufReader::new(answers) })
    }

    /// Orders something. The answer has to be read to its end before the next order.
    ///
    /// # Errors
    /// One sentence, where the process is gone.
    pub fn order(&mut self, order: &FetchOrder) -> Result<(), String> {
        let line = format!("{}\n", serde_json::to_string(order).unwrap_or_default());
        let written = self.orders.write_all(line.as_bytes()).and_then(|()| self.orders.flush());
        written.map_err(|_| GONE.to_owned())
    }

    /// The next event. After `Bytes`, [`Fetcher::bytes`] has to take them.
    ///
    /// # Errors
    /// One sentence, where the process is gone.
    pub fn event(&mut self) -> Result<FetchEvent, String> {
        let mut line = Vec::new();
        let n = self.answers.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line);
        if n.is_ok_and(|it| it > 0) && line.last() == Some(&b'\n') {
            serde_json::from_slice(&line).map_err(|_| GONE.to_owned())
        } else {
            Err(GONE.to_owned())
        }
    }

    /// The bytes that follow.
    ///
    /// # Errors
    /// One sentence, where the process is gone.
    pub fn bytes(&mut self, n_bytes: u64) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let n = self.answers.by_ref().take(n_bytes).read_to_end(&mut bytes);
        if n.is_ok_and(|it| it as u64 == n_bytes) { Ok(bytes) } else { Err(GONE.to_owned()) }
    }
}
