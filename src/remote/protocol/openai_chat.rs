//! OpenAI's Chat Completions protocol, which every server of models speaks, each with its own
//! accent.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use crate::config::cloud::Provider;
use crate::remote::protocol::address::Address;
use crate::remote::protocol::answer::State;
use crate::remote::protocol::fault::FaultKind;
use crate::remote::protocol::provider_protocol::{Endpoint, ProviderProtocol};
use crate::remote::protocol::read_back::turn_of;
use crate::remote::protocol::usage::{UsageCounts, count, merge};
use crate::remote::protocol::{Ask, Piece, Role, stop_reason};

/// `POST /v1/chat/completions`.
pub(crate) struct OpenaiChat;

// Fields are written in the order in which they stand.
#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    messages: Vec<Message<'a>>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

impl ProviderProtocol for OpenaiChat {
    fn endpoint(&self, _provider: &Provider) -> Endpoint {
        Endpoint {
            vendor: "https://api.openai.com",
            version: "/v1",
            path: Cow::Borrowed("/chat/completions"),
        }
    }

    fn body(&self, provider: &Provider, ask: &Ask, stream: bool) -> String {
        let limit = Some(ask.max_output_tokens);
        let (max_completion_tokens, max_tokens) =
            if counts_thinking(provider) { (limit, None) } else { (None, limit) };
        let system =
            (!ask.system.is_empty()).then_some(Message { role: "system", content: &ask.system });
        let turns = ask.turns.iter().map(|turn| {
            let role = match turn.role {
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            Message { role, content: &turn.text }
        });
        let body = Body {
            model: &provider.model,
            max_completion_tokens,
            max_tokens,
            stream,
            stream_options: stream.then_some(StreamOptions { include_usage: true }),
            messages: system.into_iter().chain(turns).collect(),
        };
        serde_json::to_string(&body).unwrap_or_default()
    }

    fn ask_of_body(&self, body: &Value) -> Option<Ask> {
        let limits = [&body["max_completion_tokens"], &body["max_tokens"]];
        let messages = body["messages"].as_array()?;
        let (system, turns) = match messages.split_first() {
            Some((first, turns)) if first["role"] == "system" => {
                (first["content"].as_str()?, turns)
            }
            _ => ("", &messages[..]),
        };
        Some(Ask {
            system: system.to_owned(),
            turns: turns.iter().map(turn_of).collect::<Option<_>>()?,
            max_output_tokens: limits.into_iter().find_map(Value::as_u64)?,
        })
    }

    fn on_event(&self, state: &mut State, json: &Value, pieces: &mut Vec<Piece>) {
        let choice = &json["choices"][0];
        // Some servers send the whole message in the one event of their stream.
        let message =
            if choice["delta"].is_object() || state.has_text { "delta" } else { "message" };
        on_message(state, &choice[message], pieces);
        on_finish(state, choice);
        // LiteLLM sends it after the chunk with the reason, vLLM with every chunk where it is set
        // so, others with no choice beside it.
        merge_usage(&mut state.counts, &json["usage"]);
        state.usage(pieces);
    }

    fn on_whole(&self, state: &mut State, json: &Value, pieces: &mut Vec<Piece>) {
        let choice = &json["choices"][0];
        if !choice["message"].is_object() {
            return state.fail(FaultKind::Malformed, String::new(), pieces);
        }
        on_message(state, &choice["message"], pieces);
        on_finish(state, choice);
        merge_usage(&mut state.counts, &json["usage"]);
        state.usage(pieces);
        state.end_marked(pieces);
    }
}

/// Whether the limit is called `max_completion_tokens`: OpenAI's own models from o1 and GPT-5 on
/// refuse the older name, which servers of one's own know alone. OpenAI and Azure take the new name
/// for every model.
fn counts_thinking(provider: &Provider) -> bool {
    let host = Address::of(provider).map(|it| it.host).unwrap_or_default();
    if host == "api.openai.com:443" || host.ends_with(".openai.azure.com:443") {
        return true;
    }
    let name = provider.model.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let number = |prefix: &str| {
        let digits = name.strip_prefix(prefix)?;
        let end = digits.find(|it: char| !it.is_ascii_digit()).unwrap_or(digits.len());
        digits[..end].parse::<u32>().ok()
    };
    number("gpt-").is_some_and(|it| it >= 5) || number("o").is_some()
}

/// Merges the protocol's `usage`.
pub(crate) fn merge_usage(counts: &mut UsageCounts, usage: &Value) {
    merge(&mut counts.input, count(&usage["prompt_tokens"]));
    // Gemini leaves what it thought out of the completion, and bills it.
    let total = count(&usage["total_tokens"]).zip(counts.input);
    let rest = total.and_then(|(total, input)| total.checked_sub(input));
    merge(&mut counts.output, count(&usage["completion_tokens"]).max(rest));
    counts.merge_details(&usage["prompt_tokens_details"], &usage["completion_tokens_details"]);
    counts.merge_cost(usage);
}

fn on_message(state: &mut State, message: &Value, pieces: &mut Vec<Piece>) {
    for thinking in ["reasoning_content", "reasoning"] {
        if message[thinking].as_str().is_some_and(|it| !it.is_empty()) {
            state.thinking(pieces);
        }
    }
    match &message["content"] {
        Value::String(text) => state.text(text, pieces),
        // Mistral's, where the model thinks.
        Value::Array(parts) => {
            for part in parts {
                if part["type"] == "thinking" {
                    state.thinking(pieces);
                }
                state.text(part["text"].as_str().unwrap_or_default(), pieces);
            }
        }
        _ => {}
    }
    state.refuses(message["refusal"].as_str().unwrap_or_default());
    // Tools that were never offered.
    if message["tool_calls"].as_array().is_some_and(|it| !it.is_empty()) {
        state.sign_of_life();
    }
}

fn on_finish(state: &mut State, choice: &Value) {
    let reason = choice["finish_reason"].as_str().unwrap_or_default();
    if let Some(reason) = stop_reason::read(reason, "the provider's content filter") {
        state.stops(reason);
    }
}
