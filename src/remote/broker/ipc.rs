//! The way to the broker: the server's end of it. `messages` has what goes in both directions.
//!
//! The broker is started before there is a runtime, and before the system refuses this process a
//! network, so its pipes have a thread each. Text that nobody has fetched yet waits in memory, up
//! to a bound a call; a call that is dropped is cancelled.

use std::collections::HashMap;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc as std_mpsc};

use tokio::sync::mpsc;

pub use crate::remote::broker::messages::{Event, FromBroker, ToBroker};
use crate::remote::broker::pipes::{read_events, write_orders};
use crate::remote::outbound::Outbound;
pub use crate::remote::protocol::failure::Failure;
use crate::remote::protocol::fault::FaultKind;
use crate::remote::protocol::fim_server::FimAsk;
use crate::stdx::hex_sha256;

/// The longest body that is carried.
pub const MAX_BODY_BYTES: usize = 16 << 20;
/// Calls at a time; a person makes one, perhaps a few.
pub const MAX_CALLS: usize = 16;
/// Text of a call that nobody has fetched.
const MAX_UNREAD_BYTES: usize = 32 << 20;

/// A running broker; clones talk to the same one. It ends with the last of them.
#[derive(Debug, Clone)]
pub struct Broker {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    // Locked for a look-up; nothing is awaited or written under it.
    calls: Mutex<Calls>,
    /// Dropped with the last handle: its thread ends, the broker's input closes, the broker ends.
    to_writer: std_mpsc::Sender<ToBroker>,
}

#[derive(Debug, Default)]
struct Calls {
    last_id: u64,
    waiting: HashMap<u64, Waiting>,
    /// Why there is no broker any more.
    gone: Option<String>,
}

#[derive(Debug)]
struct Waiting {
    events: mpsc::UnboundedSender<Event>,
    unread_bytes: Arc<AtomicUsize>,
    was_sent: bool,
}

/// One request and its answer. Dropping it before the end cancels it.
#[derive(Debug)]
pub struct Call {
    pub id: u64,
    events: mpsc::UnboundedReceiver<Event>,
    unread_bytes: Arc<AtomicUsize>,
    broker: Broker,
    is_over: bool,
}

/// A broker to which nobody talks yet: the threads for that come after the server has entered its
/// sandbox, which it does with one.
#[derive(Debug)]
pub struct BrokerProcess {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

fn refused(what: &str, error: &std::io::Error) -> String {
    format!("the system refuses {what} for cloud requests ({error}); restart the server")
}

impl BrokerProcess {
    /// Starts the broker: `keyside broker`, with its arguments and its environment. Its input and
    /// output are taken; its errors go where this process's do, unless `command` says otherwise.
    ///
    /// # Errors
    /// One sentence, where the system refuses the process.
    pub fn start(mut command: Command) -> Result<Self, String> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| refused("the process", &error))?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(input), Some(output)) => Ok(Self { child, input, output }),
            _ => Err("the broker's pipes are missing; restart the server".to_owned()),
        }
    }

    /// Begins to talk to it.
    ///
    /// # Errors
    /// One sentence, where the system refuses a thread.
    pub fn connect(self) -> Result<Broker, String> {
        let Self { mut child, input, output } = self;
        let (to_writer, orders) = std_mpsc::channel();
        let calls = Mutex::new(Calls::default());
        let shared = Arc::new(Shared { calls, to_writer });
        let weak = Arc::downgrade(&shared);
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let writer = thread("broker-writer").spawn(move || write_orders(input, &orders));
        let reader = thread("broker-reader").spawn(move || {
            let why = read_events(output, &mut child, |message| {
                weak.upgrade().is_some_and(|shared| {
                    shared.hand_over(message);
                    true
                })
            });
            if let Some(shared) = weak.upgrade() {
                shared.lose(&why);
            }
        });
        // Without its writer the broker's input closes and it ends by itself.
        writer.and(reader).map_err(|error| refused("a thread", &error))?;
        Ok(Broker { shared })
    }
}

impl Broker {
    /// Starts a broker and begins to talk to it.
    ///
    /// # Errors
    /// One sentence, where the system refuses the process or a thread.
    pub fn spawn(command: Command) -> Result<Self, String> {
        BrokerProcess::start(command)?.connect()
    }

    /// Why there is no broker any more, or `None` while there is one.
    pub fn gone(&self) -> Option<String> {
        self.shared.lock().gone.clone()
    }

    /// Sends a request that a person has agreed to. It does not wait for anything. What is wrong,
    /// also here, comes as the call's one event.
    pub fn send(&self, outbound: &Outbound) -> Call {
        let request = outbound.request();
        self.start(|id| ToBroker::Ask {
            id,
            provider: request.provider().to_owned(),
            host: request.host().to_owned(),
            model: request.model().to_owned(),
            sha256: request.sha256(),
            body: request.body().to_owned(),
        })
    }

    /// Looks whether all is there that sending takes: the provider, its address and its key.
    /// Nothing is sent.
    ///
    /// # Errors
    /// What is missing, in a sentence.
    pub async fn check(&self, provider: &str, host: &str, model: &str) -> Result<(), String> {
        let mut call = self.start(|id| ToBroker::Check {
            id,
            provider: provider.to_owned(),
            host: host.to_owned(),
            model: model.to_owned(),
        });
        while let Some(event) = call.next().await {
            if let Event::Failed(failure) = event {
                return Err(failure.sentence);
            }
        }
        Ok(())
    }

    /// Asks the completion server of the settings, on this machine, about a place.
    pub fn complete(&self, ask: FimAsk) -> Call {
        self.start(|id| ToBroker::Complete { id, ask })
    }

    /// What `send` does with an `Outbound`, for tests of the broker itself; nothing in the program
    /// calls it (tests/it/tidy.rs).
    pub fn ask_without_gate(&self, provider: &str, host: &str, model: &str, body: String) -> Call {
        self.start(|id| ToBroker::Ask {
            id,
            provider: provider.to_owned(),
            host: host.to_owned(),
            model: model.to_owned(),
            sha256: hex_sha256(body.as_bytes()),
            body,
        })
    }

    /// Begins a call: hands an operation over, under an id of its own.
    fn start(&self, operation: impl FnOnce(u64) -> ToBroker) -> Call {
        let (events, receiver) = mpsc::unbounded_channel();
        let unread_bytes = Arc::new(AtomicUsize::new(0));
        let mut calls = self.shared.lock();
        calls.last_id += 1;
        let id = calls.last_id;
        let n_waiting = calls.waiting.len();
        let operation = operation(id);
        let failure = if let Some(why) = &calls.gone {
            Some(gone(why, false))
        } else if operation.n_body_bytes() > MAX_BODY_BYTES {
            let sentence = format!(
                "the request has more than {} MiB and was not sent; select less text",
                MAX_BODY_BYTES >> 20
            );
            Some(Failure { kind: FaultKind::TooLarge, sentence, may_cost: false })
        } else if n_waiting >= MAX_CALLS {
            let sentence = format!(
                "{MAX_CALLS} requests are under way already; wait for one of them or cancel it"
            );
            Some(Failure { kind: FaultKind::TooMany, sentence, may_cost: false })
        } else {
            None
        };
        match failure {
            Some(failure) => {
                let _ = events.send(Event::Failed(failure));
            }
            None => {
                let unread_bytes = Arc::clone(&unread_bytes);
                calls.waiting.insert(id, Waiting { events, unread_bytes, was_sent: false });
                // The writer ends only with the broker, and then the reader ends the call.
                let _ = self.shared.to_writer.send(operation);
            }
        }
        drop(calls);
        Call { id, events: receiver, unread_bytes, broker: self.clone(), is_over: false }
    }

    /// Cancels a call, whoever holds it; its last event says so. A call that is over already is let
    /// be.
    pub fn cancel(&self, id: u64) {
        if self.shared.lock().waiting.contains_key(&id) {
            let _ = self.shared.to_writer.send(ToBroker::Cancel { id });
        }
    }
}

impl Call {
    /// The next event; `None` after the last.
    pub async fn next(&mut self) -> Option<Event> {
        let event = self.events.recv().await?;
        self.unread_bytes.fetch_sub(event.n_bytes(), Ordering::Relaxed);
        self.is_over |= matches!(event, Event::Done { .. } | Event::Failed(_));
        Some(event)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.is_over {
            self.broker.cancel(self.id);
            self.broker.shared.lock().waiting.remove(&self.id);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_over(&self, FromBroker { id, event }: FromBroker) {
        let mut calls = self.lock();
        // A call that was dropped is not waited for.
        let Some(waiting) = calls.waiting.get_mut(&id) else { return };
        waiting.was_sent |= matches!(event, Event::Sending);
        let n_bytes = event.n_bytes();
        let unread = waiting.unread_bytes.fetch_add(n_bytes, Ordering::Relaxed) + n_bytes;
        let is_last = matches!(event, Event::Done { .. } | Event::Failed(_));
        let event = if unread > MAX_UNREAD_BYTES && !is_last {
            let sentence =
                "the answer is larger than anybody reads; the request was given up".to_owned();
            Event::Failed(Failure { kind: FaultKind::AnswerTooLarge, sentence, may_cost: true })
        } else {
            event
        };
        let given_up = !is_last && matches!(event, Event::Failed(_));
        let _ = waiting.events.send(event);
        if is_last || given_up {
            calls.waiting.remove(&id);
        }
        if given_up {
            let _ = self.to_writer.send(ToBroker::Cancel { id });
        }
    }

    /// There is no broker any more: whoever waits is told, and whoever comes later.
    fn lose(&self, why: &str) {
        let mut calls = self.lock();
        calls.gone = Some(why.to_owned());
        for (_, waiting) in calls.waiting.drain() {
            let _ = waiting.events.send(Event::Failed(gone(why, waiting.was_sent)));
        }
    }
}

fn gone(why: &str, was_sent: bool) -> Failure {
    let sent = if was_sent {
        "the request had been sent and may be charged for"
    } else {
        "nothing had been sent"
    };
    let sentence = format!(
        "keyside's broker for cloud requests {why}; {sent}, restart the server to ask again"
    );
    Failure { kind: FaultKind::BrokerGone, sentence, may_cost: was_sent }
}
