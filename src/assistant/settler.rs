//! A process that writes down what a call has cost where the server is killed in the middle of it,
//! as Helix does when it quits. The server says how far each call is; when its end of the pipe
//! closes, so does the broker's, and with it the connection: what is open then is over. What the
//! server had heard is what there is to pay.
//!
//! ```text
//! the server --> {"id": …, "so_far": {…}}     if it ended now, it would have cost this
//!            --> {"id": …, "so_far": null}    it is settled
//! ```
//!
//! Where this process is gone as well, or was not fast enough, the reservation stays, and is
//! counted at the most that it could cost (`Ledger::sweep`).

use std::collections::HashMap;
use std::io::{BufRead, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};

use serde::{Deserialize, Serialize};

use crate::assistant::bill::Bill;
use crate::assistant::stream::Received;
use crate::ledger::{
    CallId, CostSource, Ledger, NotSettled, Settlement, Status, Tokens, UsageSource,
};

/// Numbers and an id of the provider's, which the broker has cut short.
const MAX_LINE_BYTES: u64 = 16 << 10;

/// What is known of a call, as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SoFar {
    tokens: Tokens,
    usage_source: UsageSource,
    cost_pico_usd: i64,
    cost_source: CostSource,
    request_id: String,
    duration_ms: u64,
    first_text_ms: Option<u64>,
}

impl SoFar {
    pub(crate) fn of(bill: &Bill, received: &Received, duration_ms: u64) -> Self {
        let tokens = Tokens {
            input: bill.usage.input_tokens,
            output: bill.usage.output_tokens,
            cache_read: bill.usage.cache_read,
            cache_write_5m: bill.usage.cache_write_5m,
            cache_write_1h: bill.usage.cache_write_1h,
            reasoning: bill.usage.reasoning_tokens,
        };
        Self {
            tokens,
            usage_source: bill.usage_source,
            cost_pico_usd: bill.cost_pico_usd,
            cost_source: bill.cost_source,
            request_id: received.request_id.clone(),
            duration_ms,
            first_text_ms: received.first_text.map(|it| it.as_millis() as u64),
        }
    }

    pub(crate) fn settlement(&self, status: Status) -> Settlement<'_> {
        Settlement {
            status,
            tokens: self.tokens,
            usage_source: self.usage_source,
            cost_pico_usd: self.cost_pico_usd,
            cost_source: self.cost_source,
            request_id: Some(&*self.request_id).filter(|it| !it.is_empty()),
            duration_ms: self.duration_ms,
            first_text_ms: self.first_text_ms,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    id: CallId,
    so_far: Option<SoFar>,
}

/// The server's end. The process is started for the first request.
// Locked for the moment of a look.
#[derive(Debug)]
pub(crate) struct Settler(Mutex<State>);

#[derive(Debug)]
enum State {
    Ready(Command),
    Started(mpsc::Sender<Line>),
    /// The system refuses it. Then a server that is killed leaves its reservations.
    Refused,
}

impl Settler {
    pub(crate) fn new(command: Command) -> Self {
        Self(Mutex::new(State::Ready(command)))
    }

    /// Starts the process, where that has not been done. Waits for nothing.
    pub(crate) fn start(&self) {
        let mut state = self.lock();
        let State::Ready(command) = &mut *state else { return };
        let command = std::mem::replace(command, Command::new(""));
        let (to_writer, lines) = mpsc::channel();
        let thread = std::thread::Builder::new().name("settler-writer".to_owned());
        *state = match thread.spawn(move || write_lines(command, &lines)) {
            Ok(_) => State::Started(to_writer),
            Err(_) => State::Refused,
        };
    }

    /// Says how far a call is; `None`: it is settled. Waits for nothing.
    pub(crate) fn tell(&self, id: CallId, so_far: Option<SoFar>) {
        if let State::Started(to_writer) = &*self.lock() {
            let _ = to_writer.send(Line { id, so_far });
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the process, and says what is to be said while there is a server.
fn write_lines(mut command: Command, lines: &mpsc::Receiver<Line>) {
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // What ends an editor in a terminal ends all that is in its group.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let child = command.spawn();
    let Some(mut input) = child.ok().and_then(|mut it| it.stdin.take()) else {
        return tracing::warn!("the system refuses the process that settles what is cut off");
    };
    while let Ok(line) = lines.recv() {
        let Ok(mut bytes) = serde_json::to_vec(&line) else { continue };
        bytes.push(b'\n');
        if input.write_all(&bytes).is_err() {
            return;
        }
    }
}

/// The process: listens until its input ends, then writes down what is open.
///
/// # Errors
/// One sentence, where the ledger can't be written. Then what was reserved stays counted.
pub fn run(ledger_file: &Path) -> Result<(), String> {
    let mut open = HashMap::new();
    let mut input = std::io::stdin().lock();
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let read = input.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes);
        if !matches!(read, Ok(1..)) {
            break;
        }
        // Of a server that was killed in the middle of a line, the line before it holds.
        let Ok(Line { id, so_far }) = serde_json::from_slice(&bytes) else { continue };
        match so_far {
            Some(so_far) => drop(open.insert(id, so_far)),
            None => drop(open.remove(&id)),
        }
    }
    if open.is_empty() {
        return Ok(());
    }
    let mut ledger = Ledger::open(ledger_file).map_err(|fault| fault.to_string())?;
    for (id, so_far) in open {
        match ledger.settle(id, &so_far.settlement(Status::Cancelled)) {
            // The server was faster, or somebody has found it gone already.
            Ok(()) | Err(NotSettled::Already(_) | NotSettled::Swept) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}
