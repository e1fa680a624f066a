//! OpenAI's Responses protocol, which some of its models speak alone.

use serde::Serialize;
use serde_json::Value;

use crate::wire::answer::State;
use crate::wire::fault::{FaultKind, shortened};
use crate::wire::{Ask, Piece, Role, StopReason};

// Fields are written in the order in which they stand.
#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_output_tokens: u64,
    stream: bool,
    /// Otherwise OpenAI keeps question and answer for 30 days.
    store: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    instructions: &'a str,
    input: Vec<Message<'a>>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: Role,
    content: &'a str,
}

pub(crate) fn body(model: &str, ask: &Ask, stream: bool) -> String {
    let input = ask.turns.iter().map(|turn| Message { role: turn.role, content: &turn.text });
    let body = Body {
        model,
        max_output_tokens: ask.max_output_tokens,
        stream,
        store: false,
        instructions: &ask.system,
        input: input.collect(),
    };
    serde_json::to_string(&body).unwrap_or_default()
}

pub(crate) fn on_event(state: &mut State, json: &Value, pieces: &mut Vec<Piece>) {
    match json["type"].as_str().unwrap_or_default() {
        "response.output_text.delta" => {
            state.text(json["delta"].as_str().unwrap_or_default(), pieces);
        }
        "response.refusal.delta" => {
            state.refusal.push_str(json["delta"].as_str().unwrap_or_default());
        }
        "response.completed" | "response.incomplete" | "response.failed" => {
            on_response(state, &json["response"], pieces);
        }
        "error" => state.refused(json, pieces),
        other if other.starts_with("response.reasoning") => state.thinking(pieces),
        _ => {
            // LiteLLM reports an error as it would in a chat.
            if !json["error"].is_null() {
                state.refused(json, pieces);
            }
        }
    }
}

pub(crate) fn on_whole(state: &mut State, json: &Value, pieces: &mut Vec<Piece>) {
    if !json["output"].is_array() {
        return state.fail(FaultKind::Malformed, String::new(), pieces);
    }
    on_response(state, json, pieces);
}

/// The response at its end, which repeats all that was streamed.
fn on_response(state: &mut State, response: &Value, pieces: &mut Vec<Piece>) {
    let has_streamed = state.has_text || !state.refusal.is_empty();
    for item in response["output"].as_array().into_iter().flatten().filter(|_| !has_streamed) {
        for part in item["content"].as_array().into_iter().flatten() {
            match part["type"].as_str().unwrap_or_default() {
                "output_text" => state.text(part["text"].as_str().unwrap_or_default(), pieces),
                "refusal" => state.refusal.push_str(part["refusal"].as_str().unwrap_or_default()),
                _ => {}
            }
        }
    }
    state.told.merge_responses(&response["usage"]);
    state.usage(pieces);
    match response["status"].as_str().unwrap_or_default() {
        "completed" => state.stop = Some(StopReason::End),
        "incomplete" => {
            let reason = response["incomplete_details"]["reason"].as_str().unwrap_or_default();
            state.stop = Some(match reason {
                "max_output_tokens" => StopReason::MaxTokens,
                "content_filter" => StopReason::Refusal("the provider's content filter".to_owned()),
                other => StopReason::Other(shortened(other)),
            });
        }
        "failed" => return state.refused(response, pieces),
        _ => {}
    }
    state.end(pieces);
}
