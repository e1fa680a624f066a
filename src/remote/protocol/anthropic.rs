//! Anthropic's Messages protocol, as its own SDK (2.11.0) has it, and as llama-server and LiteLLM
//! speak it.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use crate::config::cloud::Provider;
use crate::remote::protocol::answer::State;
use crate::remote::protocol::fault::FaultKind;
use crate::remote::protocol::provider_protocol::{API_KEY, Endpoint, KeyHeader, ProviderProtocol};
use crate::remote::protocol::read_back::turns_of;
use crate::remote::protocol::usage::{Usage, UsageCounts, count, merge};
use crate::remote::protocol::{Ask, Piece, Role, StopReason, stop_reason};

/// `POST /v1/messages`.
pub(crate) struct AnthropicMessages;

// Fields are written in the order in which they stand.
#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u64,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<[Block<'a>; 1]>,
    messages: Vec<Message<'a>>,
}

#[derive(Serialize)]
struct Block<'a> {
    r#type: &'static str,
    text: &'a str,
    cache_control: CacheControl,
}

#[derive(Serialize)]
struct CacheControl {
    r#type: &'static str,
}

#[derive(Serialize)]
struct Message<'a> {
    role: Role,
    content: &'a str,
}

impl ProviderProtocol for AnthropicMessages {
    fn endpoint(&self, _provider: &Provider) -> Endpoint {
        Endpoint {
            vendor: "https://api.anthropic.com",
            version: "/v1",
            path: Cow::Borrowed("/messages"),
        }
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[("anthropic-version", "2023-06-01")]
    }

    fn key_header(&self) -> KeyHeader {
        API_KEY
    }

    fn body(&self, provider: &Provider, ask: &Ask, stream: bool) -> String {
        // An empty block of text is refused.
        let system = (!ask.system.is_empty()).then(|| {
            let cache_control = CacheControl { r#type: "ephemeral" };
            [Block { r#type: "text", text: &ask.system, cache_control }]
        });
        let messages =
            ask.turns.iter().map(|turn| Message { role: turn.role, content: &turn.text }).collect();
        let body = Body {
            model: &provider.model,
            max_tokens: ask.max_output_tokens,
            stream,
            system,
            messages,
        };
        serde_json::to_string(&body).unwrap_or_default()
    }

    fn ask_of_body(&self, body: &Value) -> Option<Ask> {
        Some(Ask {
            system: body
                .pointer("/system/0/text")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            turns: turns_of(&body["messages"])?,
            max_output_tokens: body["max_tokens"].as_u64()?,
        })
    }

    /// Others are new in the protocol. Without a name, the data tell.
    fn has_event(&self, name: &str) -> bool {
        matches!(
            name,
            "" | "message_start"
                | "content_block_start"
                | "content_block_delta"
                | "message_delta"
                | "message_stop"
                | "error"
        )
    }

    fn on_event(&self, state: &mut State, json: &Value, pieces: &mut Vec<Piece>) {
        match json["type"].as_str().unwrap_or_default() {
            "message_start" => {
                state.sign_of_life();
                merge_usage(&mut state.counts, &json["message"]["usage"]);
                state.usage(pieces);
            }
            "content_block_start" => {
                state.sign_of_life();
                on_block(state, &json["content_block"], pieces);
            }
            "content_block_delta" => on_delta(state, &json["delta"], pieces),
            "message_delta" => {
                merge_usage(&mut state.counts, &json["usage"]);
                state.usage(pieces);
                let delta = &json["delta"];
                let reason = delta["stop_reason"].as_str().unwrap_or_default();
                if let Some(reason) = stop_reason(reason, &delta["stop_details"]) {
                    state.stops(reason);
                }
            }
            "message_stop" => state.end_marked(pieces),
            _ => {}
        }
    }

    fn on_whole(&self, state: &mut State, json: &Value, pieces: &mut Vec<Piece>) {
        let Some(blocks) = json["content"].as_array() else {
            return state.fail(FaultKind::Malformed, String::new(), pieces);
        };
        for block in blocks {
            on_block(state, block, pieces);
        }
        merge_usage(&mut state.counts, &json["usage"]);
        state.usage(pieces);
        let reason = json["stop_reason"].as_str().unwrap_or_default();
        state.stop = stop_reason(reason, &json["stop_details"]);
        state.end_marked(pieces);
    }

    /// The input leaves cached tokens out.
    fn usage(&self, counts: &UsageCounts) -> Usage {
        counts.with_input_apart()
    }
}

/// Merges the protocol's `usage`.
pub(crate) fn merge_usage(counts: &mut UsageCounts, usage: &Value) {
    merge(&mut counts.input, count(&usage["input_tokens"]));
    merge(&mut counts.output, count(&usage["output_tokens"]));
    merge(&mut counts.cache_read, count(&usage["cache_read_input_tokens"]));
    merge(&mut counts.cache_write, count(&usage["cache_creation_input_tokens"]));
    let written_for_an_hour = &usage["cache_creation"]["ephemeral_1h_input_tokens"];
    merge(&mut counts.cache_write_1h, count(written_for_an_hour));
    merge(&mut counts.reasoning, count(&usage["output_tokens_details"]["thinking_tokens"]));
    counts.merge_cost(usage);
}

fn on_delta(state: &mut State, delta: &Value, pieces: &mut Vec<Piece>) {
    let text = |name: &str| delta[name].as_str().unwrap_or_default();
    match delta["type"].as_str().unwrap_or_default() {
        "text_delta" => state.text(text("text"), pieces),
        "thinking_delta" if !text("thinking").is_empty() => state.thinking(pieces),
        "thinking_delta" => {}
        // Signatures, citations, tools that were never offered: the answer goes on.
        _ => {
            let has_words = |it: &Value| it.as_str().is_none_or(|it| !it.is_empty());
            let mut parts = delta.as_object().into_iter().flatten();
            if parts.any(|(name, it)| name != "type" && has_words(it)) {
                state.sign_of_life();
            }
        }
    }
}

fn on_block(state: &mut State, block: &Value, pieces: &mut Vec<Piece>) {
    match block["type"].as_str().unwrap_or_default() {
        "text" => state.text(block["text"].as_str().unwrap_or_default(), pieces),
        "thinking" | "redacted_thinking" => state.thinking(pieces),
        _ => {}
    }
}

fn stop_reason(reason: &str, details: &Value) -> Option<StopReason> {
    let words = [&details["explanation"], &details["category"]];
    let why = words.iter().find_map(|it| it.as_str()).unwrap_or_default();
    stop_reason::read(reason, why)
}
