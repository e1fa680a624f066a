//! Sending what was agreed to, and taking the answer in while it comes: text, tokens, money, until
//! its end or a person's.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::assistant::editor_ui::{EditorUi, Progress};
use crate::assistant::settle::Sending;
use crate::ledger::usd;
use crate::remote::broker::ipc::{Event, Failure};
use crate::remote::pricing::tariff::Tariff;
use crate::remote::pricing::token_estimate;
use crate::remote::protocol::usage::Usage;

/// How often what has come is shown.
const REPORT_EVERY: Duration = Duration::from_millis(150);

/// How long a cancelled request's last words are waited for; the connection is closed at once.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What came of a request.
#[derive(Debug)]
pub(crate) struct Received {
    /// As the model said it, with placeholders for secrets.
    pub text: String,
    /// By the provider's word.
    pub usage: Option<Usage>,
    pub ended: Ended,
    pub request_id: String,
    /// Bytes have left this machine.
    pub was_sent: bool,
    /// The model thought, at an unknown length.
    pub has_thought: bool,
    pub first_text: Option<Duration>,
}

#[derive(Debug)]
pub(crate) enum Ended {
    Whole,
    /// It lacks something, in a sentence.
    Short(String),
    Failed(Failure),
    Cancelled,
}

/// Sends the request and takes in its answer, which is shown under its title while it comes if it
/// is text for a person; `note` is told how far it is. It returns when the answer is over, or when
/// `cancelled` is true; then the broker closes the connection at once.
pub(crate) async fn receive<F: EditorUi>(
    sending: &Sending<'_>,
    front: &F,
    mut cancelled: watch::Receiver<bool>,
    note: impl Fn(&Received),
) -> Received {
    let &Sending { cloud, title, shows_text, outbound, .. } = sending;
    let tariff = cloud.tariff_of(outbound.request().provider());
    let began = Instant::now();
    let mut received = Received {
        text: String::new(),
        usage: None,
        ended: Ended::Cancelled,
        request_id: String::new(),
        was_sent: false,
        has_thought: false,
        first_text: None,
    };
    let (mut call, mut closing) = (cloud.broker.send(outbound), cloud.closing());
    let mut reports = interval(REPORT_EVERY);
    reports.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut state, mut told) = ("connecting".to_owned(), (0, String::new()));
    front.progress(Progress::Step(state.clone())).await;
    loop {
        let event = tokio::select! {
            biased;
            () = until_cancelled(&mut cancelled) => break,
            () = until_cancelled(&mut closing) => break,
            event = call.next() => event,
            _ = reports.tick() => {
                let now = (received.text.len(), progress(&tariff, &received, &state));
                if now != told {
                    // Before the provider has told anything, all that was reserved may be due.
                    if received.usage.is_some() || !received.text.is_empty() {
                        note(&received);
                    }
                    front.progress(Progress::Step(now.1.clone())).await;
                    if shows_text && now.0 != told.0 {
                        front.answer(title, &received.text, false).await;
                    }
                    told = now;
                }
                continue;
            }
        };
        if let Some(now) = received.take(event, began) {
            state = now;
        }
        if !matches!(received.ended, Ended::Cancelled) {
            break;
        }
    }
    if matches!(received.ended, Ended::Cancelled) {
        // What is on its way here tells what it has cost.
        cloud.broker.cancel(call.id);
        let rest = async {
            while let Some(event) = call.next().await {
                received.take(Some(event), began);
            }
        };
        let _ = tokio::time::timeout(LAST_WORDS, rest).await;
        if let Ended::Failed(failure) = &received.ended {
            received.was_sent |= failure.may_cost;
        }
        received.ended = Ended::Cancelled;
    }
    received
}

/// Returns when somebody wants it to stop.
pub(crate) async fn until_cancelled(cancelled: &mut watch::Receiver<bool>) {
    let _ = cancelled.wait_for(|it| *it).await;
}

impl Received {
    /// What the answer lacks, in a sentence.
    pub(crate) fn lack(&self) -> Option<String> {
        match &self.ended {
            Ended::Whole => None,
            Ended::Short(sentence) => Some(sentence.clone()),
            Ended::Failed(failure) => Some(failure.sentence.clone()),
            Ended::Cancelled => Some("cancelled; the connection is closed".to_owned()),
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        matches!(self.ended, Ended::Cancelled)
    }

    /// Whether the provider may charge for it.
    pub(crate) fn may_cost(&self) -> bool {
        match &self.ended {
            Ended::Failed(failure) => failure.may_cost,
            Ended::Whole | Ended::Short(_) | Ended::Cancelled => self.was_sent,
        }
    }

    /// Takes an event in; returns what is going on now, where that has changed. `ended` says when
    /// it was the last.
    fn take(&mut self, event: Option<Event>, began: Instant) -> Option<String> {
        match event {
            Some(Event::Sending) => {
                self.was_sent = true;
                return Some("waiting for the answer".to_owned());
            }
            Some(Event::Waiting { sentence, .. }) => {
                // What was refused is not charged for.
                self.was_sent = false;
                return Some(sentence);
            }
            Some(Event::Answering { request_id }) => self.request_id = request_id,
            Some(Event::Thinking) => {
                self.has_thought = true;
                return Some("the model is thinking".to_owned());
            }
            Some(Event::Text(piece)) => {
                self.first_text.get_or_insert_with(|| began.elapsed());
                self.text.push_str(&piece);
                return Some("writing".to_owned());
            }
            // Of another operation.
            Some(Event::Generated { .. }) => {}
            Some(Event::Usage(usage)) => self.usage = Some(usage),
            Some(Event::Done { stop }) => {
                self.ended = stop.shortfall().map_or(Ended::Whole, Ended::Short);
            }
            Some(Event::Failed(failure)) => self.ended = Ended::Failed(failure),
            // It ends with an event, so this can't be; then nothing is known.
            None => self.ended = Ended::Short("the answer was cut off; ask again".to_owned()),
        }
        None
    }
}

/// How far it is: `writing, 120 tokens, $0.0021`.
fn progress(tariff: &Tariff, received: &Received, state: &str) -> String {
    let told = received.usage.unwrap_or_default();
    let n_tokens = told.output_tokens.max(token_estimate::text_tokens(&received.text));
    if n_tokens == 0 {
        return state.to_owned();
    }
    let (cost, _) = tariff.cost(&Usage { output_tokens: n_tokens, ..told });
    format!("{state}, about {n_tokens} tokens, {}", usd(cost))
}
