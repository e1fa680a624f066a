//! Anthropic's Messages protocol, as its own SDK (2.11.0) has it, and as llama-server and LiteLLM speak it.

use serde::Serialize;
use serde_json::Value;

use crate::wire::answer::State;
use crate::wire::fault::FaultKind;
use crate::wire::{Ask, Piece, Role, StopReason};

/// The protocol's version, a header of every request.
pub(crate) const VERSION: &str = "2023-06-01";

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

pub(crate) fn body(model: &str, ask: &Ask, stream: bool) -> String {
    // An empty block of text is refused.
    let system = (!ask.system.is_empty()).then(|| {
        let cache_control = CacheControl { r#type: "ephemeral" };
        [Block { r#type: "text", text: &ask.system, cache_control }]
    });
    let messages =
        ask.turns.iter().map(|turn| Message { role: turn.role, content: &turn.text }).collect();
    let body = Body { model, max_tokens: ask.max_output_tokens, stream, system, messages };
    serde_json::to_string(&body).unwrap_or_default()
}

/// Whether an event of that name matters; others are to be ignored, whatever is in them. Without a name, the data tell.
pub(crate) fn knows(name: &str) -> bool {
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

pub(crate) fn on_event(state: &mut State, json: &Value, pieces: &mut Vec<Piece>) {
    match json["type"].as_str().unwrap_or_default() {
        "message_start" => {
            state.told.merge_anthropic(&json["message"]["usage"]);
            state.usage(pieces);
        }
        "content_block_start" => on_block(state, &json["content_block"], pieces),
        "content_block_delta" => match json["delta"]["type"].as_str().unwrap_or_default() {
            "text_delta" => state.text(json["delta"]["text"].as_str().unwrap_or_default(), pieces),
            "thinking_delta" => state.thinking(pieces),
            _ => {}
        },
        "message_delta" => {
            state.told.merge_anthropic(&json["usage"]);
            state.usage(pieces);
            let delta = &json["delta"];
            if let Some(reason) = delta["stop_reason"].as_str() {
                state.stop = Some(stop_reason(reason, &delta["stop_details"]));
            }
        }
        "message_stop" => state.end(pieces),
        "error" => state.refused(json, pieces),
        _ => {}
    }
}

pub(crate) fn on_whole(state: &mut State, json: &Value, pieces: &mut Vec<Piece>) {
    let Some(blocks) = json["content"].as_array() else {
        return state.fail(FaultKind::Malformed, String::new(), pieces);
    };
    for block in blocks {
        on_block(state, block, pieces);
    }
    state.told.merge_anthropic(&json["usage"]);
    state.usage(pieces);
    let reason = json["stop_reason"].as_str();
    state.stop = reason.map(|it| stop_reason(it, &json["stop_details"]));
    state.end(pieces);
}

fn on_block(state: &mut State, block: &Value, pieces: &mut Vec<Piece>) {
    match block["type"].as_str().unwrap_or_default() {
        "text" => state.text(block["text"].as_str().unwrap_or_default(), pieces),
        "thinking" | "redacted_thinking" => state.thinking(pieces),
        _ => {}
    }
}

fn stop_reason(reason: &str, details: &Value) -> StopReason {
    match reason {
        "end_turn" | "stop_sequence" => StopReason::End,
        "max_tokens" => StopReason::MaxTokens,
        "model_context_window_exceeded" => StopReason::ContextFull,
        "refusal" => {
            let words = [&details["explanation"], &details["category"]];
            let why = words.iter().find_map(|it| it.as_str()).unwrap_or_default();
            StopReason::Refusal(crate::wire::fault::shortened(why))
        }
        other => StopReason::Other(crate::wire::fault::shortened(other)),
    }
}
