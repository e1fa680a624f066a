//! The broker's process: orders on standard input, events on standard output, a line each. It ends
//! with its input.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::io::{BufRead, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::remote::broker::http::{
    Listener, Order, Settings, Variable, carry_out, check, complete,
};
use crate::remote::broker::ipc::{Event, Failure, FromBroker, MAX_BODY_BYTES, MAX_CALLS, ToBroker};
use crate::remote::protocol::fault::FaultKind;
use crate::remote::protocol::fim_server::FimAsk;
use crate::sandbox::{self, Needs};

/// An order's body with every character escaped, and the rest of it.
const MAX_ORDER_BYTES: u64 = 6 * MAX_BODY_BYTES as u64 + (1 << 20);
/// Events that wait for the server; more than these, and the provider has to wait.
const MAX_WAITING_EVENTS: usize = 64;
/// Requests within an hour: four a minute.
const MAX_REQUESTS_AN_HOUR: usize = 240;
const HOUR: Duration = Duration::from_secs(3_600);

/// Runs until standard input ends, which ends the process at once, whatever it is at: without a
/// server nobody pays attention to what is being paid for. `settings_file` is the user's own;
/// `variable` reads the environment.
///
/// # Errors
/// One sentence, where the system refuses threads.
pub fn run(settings_file: PathBuf, variable: Variable) -> Result<Infallible, String> {
    protect();
    // Once: a server that can get the file changed gets nothing from it.
    let settings = Settings::read(&settings_file);
    // It has a network, writes no file, and leaves other processes alone.
    sandbox::enter(Needs { network: true, ..Needs::NOTHING });
    let refused =
        |error: std::io::Error| format!("the system refuses threads ({error}); try again");
    let (to_writer, lines) = mpsc::channel(MAX_WAITING_EVENTS);
    let (to_main, orders) = mpsc::unbounded_channel();
    let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
    thread("orders").spawn(move || read_orders(&to_main)).map_err(refused)?;
    thread("events").spawn(move || write_events(lines)).map_err(refused)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(refused)?;
    let service = Service {
        to_writer,
        settings: Arc::new(settings),
        variable,
        cancels: HashMap::new(),
        recent: VecDeque::new(),
        n_requests: 0,
    };
    runtime.block_on(serve(orders, service))
}

/// Keeps keys where they are: no core file, no debugger of another process of this user. And a part
/// that fails ends it all, so that the server learns of it.
fn protect() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::exit(70);
    }));
}

fn read_orders(to_main: &mpsc::UnboundedSender<ToBroker>) {
    let mut input = std::io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        match input.by_ref().take(MAX_ORDER_BYTES).read_until(b'\n', &mut line) {
            Ok(n) if n > 0 && line.last() == Some(&b'\n') => {}
            Ok(_) | Err(_) => std::process::exit(0),
        }
        match serde_json::from_slice(&line) {
            Ok(order) => {
                let _ = to_main.send(order);
            }
            Err(_) => {
                tracing::error!("the broker got a line that is no order, and ends");
                std::process::exit(65);
            }
        }
    }
}

fn write_events(mut lines: mpsc::Receiver<FromBroker>) {
    let mut output = std::io::stdout().lock();
    while let Some(message) = lines.blocking_recv() {
        let Ok(mut line) = serde_json::to_vec(&message) else { continue };
        line.push(b'\n');
        if output.write_all(&line).and_then(|()| output.flush()).is_err() {
            std::process::exit(0);
        }
    }
}

/// Passes events of one call on.
struct ToServer {
    id: u64,
    to_writer: mpsc::Sender<FromBroker>,
    was_sent: AtomicBool,
}

impl Listener for ToServer {
    async fn send(&self, event: Event) {
        match event {
            Event::Sending => self.was_sent.store(true, Ordering::Relaxed),
            // What was refused is not charged for.
            Event::Waiting { .. } => self.was_sent.store(false, Ordering::Relaxed),
            _ => {}
        }
        // The receiver ends only with the process.
        let _ = self.to_writer.send(FromBroker { id: self.id, event }).await;
    }
}

async fn serve(
    mut orders: mpsc::UnboundedReceiver<ToBroker>,
    mut service: Service,
) -> Result<Infallible, String> {
    while let Some(order) = orders.recv().await {
        service.handle(order);
    }
    // The reader takes the process with it, so this is a thread that could not go on.
    Err("the broker's input has ended".to_owned())
}

/// What carries operations out.
struct Service {
    to_writer: mpsc::Sender<FromBroker>,
    settings: Arc<Settings>,
    variable: Variable,
    /// Of requests that are under way, by their ids.
    cancels: HashMap<u64, oneshot::Sender<()>>,
    /// When the requests of the last hour came.
    recent: VecDeque<Instant>,
    n_requests: u64,
}

impl Service {
    /// A handler for each operation.
    fn handle(&mut self, order: ToBroker) {
        match order {
            ToBroker::Ask { id, provider, host, model, sha256, body } => {
                self.ask(id, Order { provider, host, model, sha256, body });
            }
            ToBroker::Check { id, provider, host, model } => self.check(id, provider, host, model),
            ToBroker::Complete { id, ask } => self.complete(id, ask),
            ToBroker::Cancel { id } => drop(self.cancels.remove(&id)),
        }
    }

    /// One with each key, and on this machine: neither counted nor logged.
    fn complete(&mut self, id: u64, ask: FimAsk) {
        self.cancels.retain(|_, cancel| !cancel.is_closed());
        let (settings, variable) = (Arc::clone(&self.settings), self.variable);
        let to_server = self.to_server(id);
        let (cancel, cancelled) = oneshot::channel();
        self.cancels.insert(id, cancel);
        tokio::spawn(async move {
            // Dropping the request closes its connection.
            let last = tokio::select! {
                last = complete(ask, &settings, variable, &*to_server) => last,
                _ = cancelled => cancelled_event(false),
            };
            to_server.send(last).await;
        });
    }

    fn ask(&mut self, id: u64, order: Order) {
        let (settings, variable) = (Arc::clone(&self.settings), self.variable);
        self.begin_request(id, async move |number, to_server| {
            carry_out(order, number, &settings, variable, &*to_server).await
        });
    }

    fn check(&self, id: u64, provider: String, host: String, model: String) {
        let (settings, variable) = (Arc::clone(&self.settings), self.variable);
        let to_server = self.to_server(id);
        tokio::spawn(async move {
            let last = check(provider, host, model, &settings, variable).await;
            to_server.send(last).await;
        });
    }

    fn to_server(&self, id: u64) -> Arc<ToServer> {
        let to_writer = self.to_writer.clone();
        Arc::new(ToServer { id, to_writer, was_sent: AtomicBool::new(false) })
    }

    /// Begins an operation that sends something, if there are not too many of them. It gets its
    /// number, and whom to send events to; what it returns is its last event. It is dropped where
    /// it is cancelled.
    fn begin_request<F>(&mut self, id: u64, operation: impl FnOnce(u64, Arc<ToServer>) -> F)
    where
        F: Future<Output = Event> + Send + 'static,
    {
        self.n_requests += 1;
        let number = self.n_requests;
        let to_server = self.to_server(id);
        if let Err(why) = self.admit(id) {
            let sentence = format!("the request was not sent, because {why}");
            let failure = Failure { kind: FaultKind::TooMany, sentence, may_cost: false };
            tokio::spawn(async move {
                let last = Event::Failed(failure);
                log(number, &last, Duration::ZERO);
                to_server.send(last).await;
            });
            return;
        }
        let (cancel, cancelled) = oneshot::channel();
        self.cancels.insert(id, cancel);
        let work = operation(number, Arc::clone(&to_server));
        tokio::spawn(async move {
            let began = Instant::now();
            // Dropping the one that is not chosen closes its connection.
            let last = tokio::select! {
                last = work => last,
                _ = cancelled => cancelled_event(to_server.was_sent.load(Ordering::Relaxed)),
            };
            log(number, &last, began.elapsed());
            to_server.send(last).await;
        });
    }

    /// Counts a request in.
    ///
    /// # Errors
    /// Why there are too many, as the end of a sentence.
    fn admit(&mut self, id: u64) -> Result<(), &'static str> {
        self.cancels.retain(|_, cancel| !cancel.is_closed());
        while self.recent.front().is_some_and(|it| it.elapsed() > HOUR) {
            self.recent.pop_front();
        }
        // Of one that is under way, an answer would be taken for the other's.
        if self.cancels.len() >= MAX_CALLS || self.cancels.contains_key(&id) {
            return Err("too many are under way already; wait for one of them or cancel it");
        }
        if self.recent.len() >= MAX_REQUESTS_AN_HOUR {
            return Err(
                "there were more within an hour than a person asks; wait, or restart the server",
            );
        }
        self.recent.push_back(Instant::now());
        Ok(())
    }
}

/// One line for each request at its end, without a word of what was asked or answered. `carry_out`
/// has one for each that is sent.
fn log(number: u64, last: &Event, took: Duration) {
    let ms = took.as_millis() as u64;
    match last {
        Event::Failed(Failure { kind, may_cost, .. }) => {
            tracing::info!(request = number, ?kind, may_cost, ms, "failed");
        }
        _ => tracing::info!(request = number, ms, "answered"),
    }
}

fn cancelled_event(was_sent: bool) -> Event {
    let sentence = if was_sent {
        "the request was cancelled; what the provider had done by then may be charged for"
    } else {
        "the request was cancelled before anything was sent"
    };
    let (kind, sentence) = (FaultKind::Cancelled, sentence.to_owned());
    Event::Failed(Failure { kind, sentence, may_cost: was_sent })
}
