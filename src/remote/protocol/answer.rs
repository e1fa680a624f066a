//! The bytes of an answer made into pieces: as an event stream, or as the one JSON object that some
//! gateways answer with whatever was asked for.

use serde_json::Value;

use crate::config::cloud::Protocol;
use crate::remote::protocol::fault::{self, FaultKind};
use crate::remote::protocol::json::{self, Halves};
use crate::remote::protocol::provider_protocol::implementation;
use crate::remote::protocol::sse::{Event, MAX_EVENT_BYTES, Parser, TooLong, is_end_mark};
use crate::remote::protocol::usage::{Usage, UsageCounts};
use crate::remote::protocol::{Piece, StopReason};

/// What is known of an answer between two events. Once a `Stop` or an `Error` was given, nothing
/// more comes.
#[derive(Debug, Clone)]
pub struct State {
    protocol: Protocol,
    pub(crate) counts: UsageCounts,
    /// Told before the end, as two of the protocols do.
    pub(crate) stop: Option<StopReason>,
    /// What there is so far is whole, and more may follow; where the stream ends here, it is the
    /// answer.
    pub(crate) is_whole_so_far: bool,
    /// What the model says instead of answering.
    pub(crate) refusal: String,
    pub(crate) has_text: bool,
    is_thinking: bool,
    usage_given: Option<Usage>,
    is_over: bool,
    /// Something came that the protocol does not have.
    has_junk: bool,
    /// Halves of characters between two texts, and whether the present event has any.
    halves: Halves,
    has_halves: bool,
    n_signs_of_life: u64,
}

impl State {
    pub fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            counts: UsageCounts::default(),
            stop: None,
            is_whole_so_far: false,
            refusal: String::new(),
            has_text: false,
            is_thinking: false,
            usage_given: None,
            is_over: false,
            has_junk: false,
            halves: Halves::default(),
            has_halves: false,
            n_signs_of_life: 0,
        }
    }

    /// The answer has come a step further. What only keeps a connection open is no such step.
    pub(crate) fn sign_of_life(&mut self) {
        self.n_signs_of_life += 1;
    }

    pub(crate) fn text(&mut self, text: &str, pieces: &mut Vec<Piece>) {
        if text.is_empty() {
            return;
        }
        self.sign_of_life();
        self.has_text = true;
        self.is_thinking = false;
        if !self.has_halves && !self.halves.is_waiting() {
            pieces.push(Piece::Text(text.to_owned()));
            return;
        }
        let joined = self.halves.join(text);
        if !joined.is_empty() {
            pieces.push(Piece::Text(joined));
        }
    }

    pub(crate) fn thinking(&mut self, pieces: &mut Vec<Piece>) {
        self.sign_of_life();
        if !std::mem::replace(&mut self.is_thinking, true) {
            pieces.push(Piece::Thinking);
        }
    }

    pub(crate) fn refuses(&mut self, text: &str) {
        if !text.is_empty() {
            self.sign_of_life();
            self.refusal.push_str(text);
        }
    }

    /// The model has said why it ends.
    pub(crate) fn stops(&mut self, reason: StopReason) {
        if self.stop.is_none() {
            self.sign_of_life();
        }
        self.stop = Some(reason);
    }

    /// Gives what is known of the tokens where it is news.
    pub(crate) fn usage(&mut self, pieces: &mut Vec<Piece>) {
        let usage = implementation(self.protocol).usage(&self.counts);
        if self.counts.is_something() && self.usage_given != Some(usage) {
            self.sign_of_life();
            self.usage_given = Some(usage);
            pieces.push(Piece::Usage(usage));
        }
    }

    /// The server has marked the answer's end, whether or not the model's reason was told.
    pub(crate) fn end_marked(&mut self, pieces: &mut Vec<Piece>) {
        self.stop.get_or_insert(StopReason::End);
        self.end(pieces);
    }

    pub(crate) fn end(&mut self, pieces: &mut Vec<Piece>) {
        if self.is_over {
            return;
        }
        let stop = match self.stop.take() {
            Some(_) if !self.refusal.is_empty() => {
                StopReason::Refusal(fault::shortened(&self.refusal))
            }
            Some(stop) => stop,
            None if self.has_junk => return self.fail(FaultKind::Malformed, String::new(), pieces),
            None => return self.fail(FaultKind::CutOff, String::new(), pieces),
        };
        let half = self.halves.finish();
        if !half.is_empty() {
            pieces.push(Piece::Text(half.to_owned()));
        }
        self.is_over = true;
        pieces.push(Piece::Stop(stop));
    }

    pub(crate) fn fail(&mut self, kind: FaultKind, message: String, pieces: &mut Vec<Piece>) {
        self.is_over = true;
        pieces.push(Piece::Error { kind, message });
    }

    /// An error that the provider reports in the middle of an answer, or instead of one.
    pub(crate) fn refused(&mut self, json: &Value, pieces: &mut Vec<Piece>) {
        let refused = fault::of_json(json);
        self.fail(refused.kind, refused.message, pieces);
    }
}

/// What an event adds to an answer.
pub fn on_event(state: &mut State, event: &Event) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let data = event.data.trim();
    if state.is_over || data.is_empty() {
        return pieces;
    }
    if is_end_mark(data) {
        // The chat protocol's end; some send it after the others' as well, or instead.
        state.end_marked(&mut pieces);
        return pieces;
    }
    let protocol = implementation(state.protocol);
    if !protocol.has_event(&event.name) {
        return pieces;
    }
    let Some(parsed) = json::parse(data) else {
        if event.name == "error" {
            state.fail(FaultKind::Server, fault::shortened(data), &mut pieces);
        } else if data.starts_with(['{', '[']) {
            state.fail(FaultKind::Malformed, String::new(), &mut pieces);
        } else {
            // Some say `ping` so; whether it matters, the rest of the stream tells.
            state.has_junk = true;
        }
        return pieces;
    };
    let json = parsed.value;
    state.has_halves = parsed.has_halves;
    if fault::is_error(&json) {
        state.refused(&json, &mut pieces);
        return pieces;
    }
    protocol.on_event(state, &json, &mut pieces);
    pieces
}

/// What a whole answer says that came as one JSON object.
pub fn on_whole(state: &mut State, json: &Value) -> Vec<Piece> {
    let mut pieces = Vec::new();
    // Google's error is a list of one.
    let json = match json.as_array().map(Vec::as_slice) {
        Some([only]) => only,
        _ => json,
    };
    if fault::is_error(json) {
        state.refused(json, &mut pieces);
        return pieces;
    }
    implementation(state.protocol).on_whole(state, json, &mut pieces);
    pieces
}

/// Bytes in, pieces out.
#[derive(Debug, Clone)]
pub struct Answer {
    state: State,
    form: Form,
}

#[derive(Debug, Clone)]
enum Form {
    /// Nothing but blanks so far.
    Unknown(Vec<u8>),
    Events(Parser),
    Whole(Vec<u8>),
}

impl Answer {
    pub fn new(protocol: Protocol) -> Self {
        Self { state: State::new(protocol), form: Form::Unknown(Vec::new()) }
    }

    /// Whether the answer has come to its end, good or bad; the rest of the bytes need not be
    /// awaited.
    pub fn is_over(&self) -> bool {
        self.state.is_over
    }

    /// How often the answer has come a step further. Comments, pings, empty events and blanks are
    /// no steps.
    pub fn n_signs_of_life(&self) -> u64 {
        self.state.n_signs_of_life
    }

    /// Whether what has come may be all of it, with nothing lacking but the mark of its end. Then
    /// [`Answer::settle`] tells.
    pub fn may_be_whole(&self) -> bool {
        match &self.form {
            Form::Unknown(_) => false,
            Form::Events(_) => self.state.stop.is_some(),
            Form::Whole(all) => all.trim_ascii_end().last() == Some(&b'}'),
        }
    }

    /// Nothing more has come for a while, or the connection broke: the last pieces, where the
    /// answer is whole without the mark of its end. Otherwise there are none, and the answer goes
    /// on.
    pub fn settle(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        if self.state.is_over {
            return pieces;
        }
        match &self.form {
            Form::Events(_) if self.state.stop.is_some() => self.state.end(&mut pieces),
            Form::Whole(all) => {
                if let Some(json) = whole(all) {
                    pieces = on_whole(&mut self.state, &json);
                }
            }
            Form::Unknown(_) | Form::Events(_) => {}
        }
        pieces
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Piece> {
        if self.state.is_over {
            return Vec::new();
        }
        let waiting;
        let mut bytes = bytes;
        if let Form::Unknown(before) = &mut self.form {
            before.extend_from_slice(bytes);
            let visible = before.trim_ascii_start();
            let visible =
                visible.strip_prefix(b"\xef\xbb\xbf").unwrap_or(visible).trim_ascii_start();
            // What begins with a brace or a bracket is no field of an event. The first byte
            // decides, as content types are often wrong.
            let form = match visible.first() {
                Some(b'{' | b'[') => Form::Whole(Vec::new()),
                Some(b'<') => return self.failed(FaultKind::Malformed, "a web page"),
                Some(_) if visible.len() >= 3 || visible[0] != 0xef => {
                    Form::Events(Parser::default())
                }
                _ if before.len() > MAX_EVENT_BYTES => {
                    return self.failed(FaultKind::AnswerTooLarge, "");
                }
                _ => return Vec::new(),
            };
            waiting = std::mem::take(before);
            bytes = &waiting;
            self.form = form;
        }
        match &mut self.form {
            Form::Unknown(_) => Vec::new(),
            Form::Whole(all) => {
                if !bytes.trim_ascii().is_empty() {
                    self.state.sign_of_life();
                }
                all.extend_from_slice(bytes);
                if all.len() > MAX_EVENT_BYTES {
                    return self.failed(FaultKind::AnswerTooLarge, "");
                }
                Vec::new()
            }
            Form::Events(parser) => {
                let mut events = Vec::new();
                let n_waiting_bytes = parser.n_waiting_bytes();
                let pushed = parser.push(bytes, &mut events);
                if parser.n_waiting_bytes() > n_waiting_bytes {
                    self.state.sign_of_life();
                }
                let mut pieces = self.take_events(&events);
                if pushed == Err(TooLong) && !self.state.is_over {
                    pieces.extend(self.failed(FaultKind::AnswerTooLarge, ""));
                }
                pieces
            }
        }
    }

    /// The stream has ended: the last pieces. Where no end was told, the answer is cut off.
    pub fn finish(&mut self) -> Vec<Piece> {
        if self.state.is_over {
            return Vec::new();
        }
        let mut pieces = match std::mem::replace(&mut self.form, Form::Unknown(Vec::new())) {
            Form::Unknown(_) => Vec::new(),
            Form::Whole(all) => match whole(&all) {
                Some(json) => on_whole(&mut self.state, &json),
                None => self.lines(&all),
            },
            Form::Events(mut parser) => {
                let mut events = Vec::new();
                parser.finish(&mut events);
                // Half an event at the end is not somebody's mistake, the stream was cut there.
                events.retain(|it| is_end_mark(&it.data) || json::parse(&it.data).is_some());
                self.take_events(&events)
            }
        };
        if !self.state.is_over && self.state.is_whole_so_far {
            self.state.stop.get_or_insert(StopReason::End);
        }
        if !self.state.is_over {
            self.state.end(&mut pieces);
        }
        pieces
    }

    /// A body that is no JSON: objects line by line, as events without their names.
    fn lines(&mut self, all: &[u8]) -> Vec<Piece> {
        let mut parser = Parser::default();
        let mut events = Vec::new();
        // It is within bounds already.
        let _ = parser.push(all, &mut events);
        parser.finish(&mut events);
        events.retain(|it| is_end_mark(&it.data) || json::parse(&it.data).is_some());
        let is_cut = || serde_json::from_slice::<Value>(all).is_err_and(|error| error.is_eof());
        if events.is_empty() && !is_cut() {
            return self.failed(FaultKind::Malformed, "");
        }
        self.take_events(&events)
    }

    fn take_events(&mut self, events: &[Event]) -> Vec<Piece> {
        events.iter().flat_map(|event| on_event(&mut self.state, event)).collect()
    }

    fn failed(&mut self, kind: FaultKind, message: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        self.state.fail(kind, message.to_owned(), &mut pieces);
        pieces
    }
}

/// A body that is one JSON value.
fn whole(bytes: &[u8]) -> Option<Value> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start().trim_start_matches('\u{feff}');
    json::parse(text).map(|it| it.value)
}
