//! OpenAI's Responses protocol, which some of its models speak alone.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use crate::config::cloud::Provider;
use crate::remote::protocol::answer::State;
use crate::remote::protocol::fault::FaultKind;
use crate::remote::protocol::provider_protocol::{Endpoint, ProviderProtocol};
use crate::remote::protocol::read_back::turns_of;
use crate::remote::protocol::usage::{UsageCounts, count, merge};
use crate::remote::protocol::{Ask, Piece, Role, StopReason, stop_reason};

/// `POST /v1/responses`.
pub(crate) struct OpenaiResponses;

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

impl ProviderProtocol for OpenaiResponses {
    fn endpoint(&self, _provider: &Provider) -> Endpoint {
        Endpoint {
            vendor: "https://api.openai.com",
            version: "/v1",
            path: Cow::Borrowed("/responses"),
        }
    }

    fn body(&self, provider: &Provider, ask: &Ask, stream: bool) -> String {
        let input = ask.turns.iter().map(|turn| Message { role: turn.role, content: &turn.text });
        let body = Body {
            model: &provider.model,
            max_output_tokens: ask.max_output_tokens,
            stream,
            store: false,
            instructions: &ask.system,
            input: input.collect(),
        };
        serde_json::to_string(&body).unwrap_or_default()
    }

    fn ask_of_body(&self, body: &Value) -> Option<Ask> {
        Some(Ask {
            system: body["instructions"].as_str().unwrap_or_default().to_owned(),
            turns: turns_of(&body["input"])?,
            max_output_tokens: body["max_output_tokens"].as_u64()?,
        })
    }

    fn on_event(&self, state: &mut State, json: &Value, pieces: &mut Vec<Piece>) {
        let delta = json["delta"].as_str().unwrap_or_default();
        let kind = json["type"].as_str().unwrap_or_default();
        match kind {
            "response.output_text.delta" => state.text(delta, pieces),
            "response.refusal.delta" => state.refuses(delta),
            "response.completed" | "response.done" => {
                on_response(state, &json["response"], pieces);
                state.end_marked(pieces);
            }
            "response.incomplete" | "response.failed" | "response.cancelled" => {
                on_response(state, &json["response"], pieces);
                state.end(pieces);
            }
            "response.output_item.done" => {
                state.sign_of_life();
                let item = &json["item"];
                state.is_whole_so_far = item["type"] == "message" && item["status"] == "completed";
                if !state.has_text {
                    on_item(state, item, pieces);
                }
            }
            // These say that the answer is on its way, as often as the server likes.
            "response.in_progress" | "response.queued" => {}
            _ if kind.starts_with("response.reasoning") => state.thinking(pieces),
            _ if kind.ends_with(".delta") && delta.is_empty() => {}
            _ if kind.starts_with("response.") => {
                state.sign_of_life();
                state.is_whole_so_far &= kind != "response.output_item.added";
            }
            _ => {}
        }
    }

    fn on_whole(&self, state: &mut State, json: &Value, pieces: &mut Vec<Piece>) {
        if !json["output"].is_array() {
            return state.fail(FaultKind::Malformed, String::new(), pieces);
        }
        on_response(state, json, pieces);
        if json["status"].is_null() {
            state.end_marked(pieces);
        } else {
            state.end(pieces);
        }
    }
}

/// Merges the protocol's `usage`.
pub(crate) fn merge_usage(counts: &mut UsageCounts, usage: &Value) {
    merge(&mut counts.input, count(&usage["input_tokens"]));
    merge(&mut counts.output, count(&usage["output_tokens"]));
    counts.merge_details(&usage["input_tokens_details"], &usage["output_tokens_details"]);
    counts.merge_cost(usage);
}

/// The response at its end, which repeats all that was streamed.
fn on_response(state: &mut State, response: &Value, pieces: &mut Vec<Piece>) {
    let has_streamed = state.has_text || !state.refusal.is_empty();
    for item in response["output"].as_array().into_iter().flatten().filter(|_| !has_streamed) {
        on_item(state, item, pieces);
    }
    merge_usage(&mut state.counts, &response["usage"]);
    state.usage(pieces);
    match response["status"].as_str().unwrap_or_default() {
        "completed" => state.stops(StopReason::End),
        "incomplete" => {
            let reason = response["incomplete_details"]["reason"].as_str().unwrap_or_default();
            let read = stop_reason::read(reason, "the provider's content filter");
            state.stops(read.unwrap_or_else(|| StopReason::Other("incomplete".to_owned())));
        }
        "failed" => state.refused(response, pieces),
        _ => {}
    }
}

fn on_item(state: &mut State, item: &Value, pieces: &mut Vec<Piece>) {
    for part in item["content"].as_array().into_iter().flatten() {
        match part["type"].as_str().unwrap_or_default() {
            "output_text" => state.text(part["text"].as_str().unwrap_or_default(), pieces),
            "refusal" => state.refuses(part["refusal"].as_str().unwrap_or_default()),
            _ => {}
        }
    }
}
