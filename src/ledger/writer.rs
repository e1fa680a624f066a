//! The thread that writes calls to the local model, so that the path of a key only hands over a
//! small value.
//!
//! A channel of bounded length leads to it. What can't be handed over because the channel is full,
//! and what can't be written because the ledger can't for a long time, is counted and not written;
//! whoever has handed it over never waits and never hears of it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::ledger::{Calendar, Fault, FaultKind, Ledger, LocalCall, Suggested, unix_ms};

/// More than a minute of ten calls a second; the thread is held up for five seconds by others at
/// most.
const MAX_IN_CHANNEL: usize = 1_024;
/// Kept for when the ledger can be written again: half an hour of typing or so.
const MAX_WAITING: usize = 20_000;
/// Rows reach the file so long after their calls.
const FLUSH_EVERY: Duration = Duration::from_secs(3);
/// After the ledger could not be written.
const REST_AFTER_FAULT: Duration = Duration::from_secs(60);
const FOLD_EVERY: Duration = Duration::from_secs(6 * 3_600);
/// Days whose calls stay rows.
const KEEP_DAYS: u32 = 31;
/// The end of the program should not wait.
const PATIENCE_AT_THE_END: Duration = Duration::from_millis(500);

/// See the module. Its drop writes what is left, and waits for that.
pub struct LedgerWriter {
    /// `None` only while it is dropped.
    sender: Option<SyncSender<Message>>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

enum Message {
    Call(LocalCall),
    Suggested(Suggested),
    /// Answered when all that came before it is written, or can't be.
    Flush(SyncSender<()>),
}

#[derive(Default)]
struct Shared {
    n_written: AtomicU64,
    n_not_written: AtomicU64,
    /// The latest, until the ledger can be written again. Held for a copy.
    fault: Mutex<Option<Fault>>,
    notes: Mutex<Vec<String>>,
}

/// What has become of the calls that were handed over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriterCounts {
    pub n_written: u64,
    /// Never will be.
    pub n_not_written: u64,
    /// Why the ledger can't be written at present, as a sentence.
    pub fault: Option<String>,
}

impl LedgerWriter {
    /// Starts the thread. It opens the ledger at `path` when there is something to write.
    ///
    /// # Errors
    /// What the system says where it refuses a thread.
    pub fn start(path: &Path) -> std::io::Result<Self> {
        Self::start_with(path, FLUSH_EVERY)
    }

    fn start_with(path: &Path, flush_every: Duration) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::sync_channel(MAX_IN_CHANNEL);
        let shared = Arc::<Shared>::default();
        let mut worker = Worker {
            path: path.to_owned(),
            ledger: None,
            waiting: Vec::new(),
            suggested: Vec::new(),
            folded: None,
            shared: Arc::clone(&shared),
        };
        let builder = std::thread::Builder::new().name("keyside-ledger".to_owned());
        let thread = builder.spawn(move || worker.run(&receiver, flush_every))?;
        Ok(Self { sender: Some(sender), thread: Some(thread), shared })
    }

    /// Hands a call over. Never waits.
    pub fn record(&self, call: LocalCall) {
        let sent = self.sender.as_ref().is_some_and(|it| it.try_send(Message::Call(call)).is_ok());
        if !sent {
            self.shared.n_not_written.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Hands over what became of a suggestion. Never waits; what can't be handed over is not
    /// counted.
    pub fn record_suggested(&self, suggested: Suggested) {
        if let Some(sender) = &self.sender {
            let _ = sender.try_send(Message::Suggested(suggested));
        }
    }

    /// Waits until what was handed over is written, or can't be.
    pub fn flush(&self) {
        let (done, wait) = mpsc::sync_channel(1);
        let sent = self.sender.as_ref().is_some_and(|it| it.send(Message::Flush(done)).is_ok());
        if sent {
            // It is answered or dropped.
            let _ = wait.recv();
        }
    }

    pub fn counts(&self) -> WriterCounts {
        WriterCounts {
            n_written: self.shared.n_written.load(Ordering::Relaxed),
            n_not_written: self.shared.n_not_written.load(Ordering::Relaxed),
            fault: lock(&self.shared.fault).as_ref().map(|it| it.sentence.clone()),
        }
    }

    /// What a person should be told, each thing once; see `Ledger::take_notes`.
    pub fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.shared.notes))
    }
}

impl Drop for LedgerWriter {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Worker {
    path: PathBuf,
    ledger: Option<Ledger>,
    /// At most `MAX_WAITING`.
    waiting: Vec<LocalCall>,
    /// Sums, at most `MAX_WAITING`.
    suggested: Vec<Suggested>,
    /// When days were folded last.
    folded: Option<Instant>,
    shared: Arc<Shared>,
}

impl Worker {
    fn run(&mut self, receiver: &Receiver<Message>, flush_every: Duration) {
        let mut next_flush: Option<Instant> = None;
        loop {
            let message = match next_flush {
                None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => receiver.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            match message {
                Ok(Message::Call(call)) => {
                    self.keep(call);
                    next_flush.get_or_insert_with(|| Instant::now() + flush_every);
                }
                Ok(Message::Suggested(suggested)) => {
                    self.add(suggested);
                    next_flush.get_or_insert_with(|| Instant::now() + flush_every);
                }
                Ok(Message::Flush(done)) => {
                    next_flush = self.flush().then(|| Instant::now() + REST_AFTER_FAULT);
                    let _ = done.send(());
                }
                Err(RecvTimeoutError::Timeout) => {
                    next_flush = self.flush().then(|| Instant::now() + REST_AFTER_FAULT);
                    self.fold();
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if let Some(ledger) = &self.ledger {
            ledger.be_impatient(PATIENCE_AT_THE_END);
        }
        self.flush();
        self.shared.n_not_written.fetch_add(self.waiting.len() as u64, Ordering::Relaxed);
    }

    fn keep(&mut self, call: LocalCall) {
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push(call);
        } else {
            self.shared.n_not_written.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn add(&mut self, new: Suggested) {
        if let Some(sum) = self.suggested.last_mut().filter(|it| it.is_summed_with(&new)) {
            return sum.add(&new);
        }
        self.suggested.push(new);
        // For when the ledger can't be written for a long time: the oldest is the least.
        if self.suggested.len() > MAX_WAITING {
            self.suggested.remove(0);
        }
    }

    /// Whether something is left.
    fn flush(&mut self) -> bool {
        if self.waiting.is_empty() && self.suggested.is_empty() {
            return false;
        }
        let written = self.write();
        let is_new = {
            let mut fault = lock(&self.shared.fault);
            let is_new = written.is_err() && fault.is_none();
            *fault = written.err();
            is_new
        };
        if is_new && let Some(fault) = &*lock(&self.shared.fault) {
            tracing::warn!("calls to the local model are not counted at present: {fault}");
        }
        !(self.waiting.is_empty() && self.suggested.is_empty())
    }

    fn write(&mut self) -> Result<(), Fault> {
        let ledger = match &mut self.ledger {
            Some(ledger) => ledger,
            None => self.ledger.insert(Ledger::open(&self.path)?),
        };
        let write = |ledger: &mut Ledger| ledger.record(&self.waiting, &self.suggested);
        let mut written = write(ledger);
        if written.as_ref().is_err_and(|it| it.kind == FaultKind::Damaged) {
            // The second time it is moved aside.
            written = write(ledger);
        }
        lock(&self.shared.notes).extend(ledger.take_notes());
        written?;
        self.shared.n_written.fetch_add(self.waiting.len() as u64, Ordering::Relaxed);
        self.waiting.clear();
        self.suggested.clear();
        Ok(())
    }

    fn fold(&mut self) {
        if self.folded.is_some_and(|it| it.elapsed() < FOLD_EVERY) {
            return;
        }
        let Some(ledger) = &mut self.ledger else { return };
        self.folded = Some(Instant::now());
        if let Err(fault) = ledger.fold_local(&Calendar::system(), unix_ms(), KEEP_DAYS) {
            tracing::debug!("days of the ledger were not folded: {fault}");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
