//! The bytes of an answer made into pieces: as an event stream, or as the one JSON object that some gateways answer with
//! whatever was asked for.

use serde_json::Value;

use crate::config::cloud::Protocol;
use crate::wire::fault::{self, FaultKind};
use crate::wire::sse::{Event, MAX_EVENT_BYTES, Parser, TooLong};
use crate::wire::usage::{Told, Usage};
use crate::wire::{Piece, StopReason, anthropic, openai_chat, openai_responses};

/// What is known of an answer between two events. Once a `Stop` or an `Error` was given, nothing more comes.
#[derive(Debug, Clone)]
pub struct State {
    pub(crate) protocol: Protocol,
    pub(crate) told: Told,
    /// Told before the end, as two of the protocols do.
    pub(crate) stop: Option<StopReason>,
    /// What the model says instead of answering.
    pub(crate) refusal: String,
    pub(crate) has_text: bool,
    is_thinking: bool,
    usage_given: Option<Usage>,
    is_over: bool,
}

impl State {
    pub fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            told: Told::default(),
            stop: None,
            refusal: String::new(),
            has_text: false,
            is_thinking: false,
            usage_given: None,
            is_over: false,
        }
    }

    pub(crate) fn text(&mut self, text: &str, pieces: &mut Vec<Piece>) {
        if !text.is_empty() {
            self.has_text = true;
            self.is_thinking = false;
            pieces.push(Piece::Text(text.to_owned()));
        }
    }

    pub(crate) fn thinking(&mut self, pieces: &mut Vec<Piece>) {
        if !std::mem::replace(&mut self.is_thinking, true) {
            pieces.push(Piece::Thinking);
        }
    }

    /// Gives what is known of the tokens where it is news.
    pub(crate) fn usage(&mut self, pieces: &mut Vec<Piece>) {
        let usage = match self.protocol {
            Protocol::AnthropicMessages => self.told.with_input_apart(),
            Protocol::OpenaiChat | Protocol::OpenaiResponses => self.told.with_input_whole(),
        };
        if self.told.is_something() && self.usage_given != Some(usage) {
            self.usage_given = Some(usage);
            pieces.push(Piece::Usage(usage));
        }
    }

    pub(crate) fn end(&mut self, pieces: &mut Vec<Piece>) {
        let stop = match self.stop.take() {
            Some(_) if !self.refusal.is_empty() => {
                StopReason::Refusal(fault::shortened(&self.refusal))
            }
            Some(stop) => stop,
            None => return self.fail(FaultKind::CutOff, String::new(), pieces),
        };
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
    if state.is_over {
        return pieces;
    }
    if event.data == "[DONE]" {
        // The chat protocol's end; some send it after the others' as well, where the answer is over by then.
        if state.protocol == Protocol::OpenaiChat {
            state.end(&mut pieces);
        }
        return pieces;
    }
    if state.protocol == Protocol::AnthropicMessages && !anthropic::knows(&event.name) {
        return pieces;
    }
    let Ok(json) = serde_json::from_str::<Value>(&event.data) else {
        state.fail(FaultKind::Malformed, String::new(), &mut pieces);
        return pieces;
    };
    match state.protocol {
        Protocol::AnthropicMessages => anthropic::on_event(state, &json, &mut pieces),
        Protocol::OpenaiChat => openai_chat::on_event(state, &json, &mut pieces),
        Protocol::OpenaiResponses => openai_responses::on_event(state, &json, &mut pieces),
    }
    pieces
}

/// What a whole answer says that came as one JSON object.
pub fn on_whole(state: &mut State, json: &Value) -> Vec<Piece> {
    let mut pieces = Vec::new();
    if !json["error"].is_null() || json["type"] == "error" {
        state.refused(json, &mut pieces);
        return pieces;
    }
    match state.protocol {
        Protocol::AnthropicMessages => anthropic::on_whole(state, json, &mut pieces),
        Protocol::OpenaiChat => openai_chat::on_whole(state, json, &mut pieces),
        Protocol::OpenaiResponses => openai_responses::on_whole(state, json, &mut pieces),
    }
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

    /// Whether the answer has come to its end, good or bad; the rest of the bytes need not be awaited.
    pub fn is_over(&self) -> bool {
        self.state.is_over
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
            // What begins with a brace is no field of an event. The first byte decides, as content types are often wrong.
            let form = match visible.first() {
                Some(b'{') => Form::Whole(Vec::new()),
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
                all.extend_from_slice(bytes);
                if all.len() > MAX_EVENT_BYTES {
                    return self.failed(FaultKind::AnswerTooLarge, "");
                }
                Vec::new()
            }
            Form::Events(parser) => {
                let mut events = Vec::new();
                let pushed = parser.push(bytes, &mut events);
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
            Form::Whole(all) => match serde_json::from_slice::<Value>(&all) {
                Ok(json) => on_whole(&mut self.state, &json),
                Err(error) if error.is_eof() => Vec::new(),
                Err(_) => return self.failed(FaultKind::Malformed, ""),
            },
            Form::Events(mut parser) => {
                let mut events = Vec::new();
                parser.finish(&mut events);
                // Half an event at the end is not somebody's mistake, the stream was cut there.
                events.retain(|it| {
                    it.data == "[DONE]" || serde_json::from_str::<Value>(&it.data).is_ok()
                });
                self.take_events(&events)
            }
        };
        if !self.state.is_over {
            pieces.extend(self.failed(FaultKind::CutOff, ""));
        }
        pieces
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
