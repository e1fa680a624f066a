//! Servers that fill in the middle: what each is asked, and what a line of its answer says. All of
//! them stream, as server-sent events or as a JSON object a line, so that who has enough can close
//! the connection.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config::completion_server::CompletionServer;
use crate::remote::protocol::StopReason;
use crate::remote::protocol::fault::shortened;
use crate::remote::protocol::provider_protocol::Endpoint;

/// The text around a caret, and how much is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FimAsk {
    /// Whole lines before the caret's.
    pub before: String,
    /// The caret's line up to the caret.
    pub line: String,
    pub after: String,
    /// The three with the model's markers, spelled, for a server that adds none.
    pub spelled: Option<String>,
    pub max_tokens: usize,
    /// How long to generate, in milliseconds, where a server takes a limit.
    pub max_ms: u64,
}

/// A part of an answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct FimPiece {
    pub(crate) text: String,
    /// The probability of its tokens, where the server tells.
    pub(crate) probability: Option<f32>,
    /// Set in the last one.
    pub(crate) stop: Option<StopReason>,
}

/// Where requests go.
pub(crate) fn endpoint(server: CompletionServer) -> Endpoint {
    let (version, path) = match server {
        CompletionServer::None | CompletionServer::LlamaServer => ("", "/infill"),
        CompletionServer::Ollama => ("", "/api/generate"),
        CompletionServer::Openai => ("/v1", "/completions"),
    };
    Endpoint { vendor: "", version, path: path.into() }
}

/// The body of a request.
pub(crate) fn body(server: CompletionServer, model: &str, ask: &FimAsk) -> String {
    let FimAsk { before, line, after, spelled, max_tokens, max_ms } = ask;
    let prefix = || format!("{before}{line}");
    let body = match server {
        // What is typed comes last, so that a key only adds to what the server has in its cache.
        CompletionServer::None | CompletionServer::LlamaServer => json!({
            "input_prefix": before,
            "prompt": line,
            "input_suffix": after,
            "n_predict": max_tokens,
            "t_max_predict_ms": max_ms,
            "temperature": 0.0,
            "n_probs": 1,
            "cache_prompt": true,
            "stream": true,
        }),
        CompletionServer::Ollama => json!({
            "model": model,
            "prompt": prefix(),
            "suffix": after,
            "stream": true,
            "options": {"num_predict": max_tokens, "temperature": 0.0},
        }),
        CompletionServer::Openai => json!({
            "model": model,
            "prompt": spelled.clone().unwrap_or_else(prefix),
            "max_tokens": max_tokens,
            "temperature": 0.0,
            "stream": true,
        }),
    };
    body.to_string()
}

/// Reads a line of an answer; `None` for one without a piece in it.
///
/// # Errors
/// What the server says went wrong, or that this is no such answer.
pub(crate) fn piece_of_line(line: &str) -> Result<Option<FimPiece>, String> {
    let line = line.trim();
    // Other fields of an event, its end, a comment.
    let is_field = |name: &&str| line.starts_with(*name);
    if line.is_empty() || [":", "event:", "id:", "retry:"].iter().any(is_field) {
        return Ok(None);
    }
    let data = line.strip_prefix("data:").map_or(line, str::trim_start);
    if data == "[DONE]" {
        return Ok(Some(FimPiece { stop: Some(StopReason::End), ..FimPiece::default() }));
    }
    let data = data.strip_prefix("error:").map_or(data, str::trim_start);
    let Ok(value) = serde_json::from_str::<Value>(data) else {
        return Err("answers with something that is no JSON".to_owned());
    };
    if let Some(error) = value.get("error").filter(|it| !it.is_null()) {
        let message = error["message"].as_str().or(error.as_str()).unwrap_or_default();
        return Err(format!("says: {}", shortened(message)));
    }
    piece_of(&value).map(Some).ok_or_else(|| "answers with other JSON than expected".to_owned())
}

fn piece_of(value: &Value) -> Option<FimPiece> {
    // llama-server's, Ollama's, and that of `/v1/completions`.
    if let Some(text) = value.get("content").and_then(Value::as_str) {
        let is_last = value["stop"].as_bool().unwrap_or_default();
        let at_limit = matches!(value["stop_type"].as_str(), Some("limit"))
            || value["stopped_limit"].as_bool() == Some(true);
        let probability = probability_of(value["completion_probabilities"].as_array());
        return Some(FimPiece {
            text: text.to_owned(),
            probability,
            stop: is_last.then(|| stop_reason(at_limit)),
        });
    }
    if let Some(text) = value.get("response").and_then(Value::as_str) {
        let is_last = value["done"].as_bool().unwrap_or_default();
        let at_limit = value["done_reason"].as_str() == Some("length");
        let stop = is_last.then(|| stop_reason(at_limit));
        return Some(FimPiece { text: text.to_owned(), probability: None, stop });
    }
    let choices = value.get("choices")?.as_array()?;
    // The counts come in one without a choice.
    let Some(choice) = choices.first() else { return Some(FimPiece::default()) };
    let logprobs = choice["logprobs"]["token_logprobs"].as_array();
    let reason = choice["finish_reason"].as_str();
    Some(FimPiece {
        text: choice["text"].as_str()?.to_owned(),
        probability: logprobs.and_then(|it| product(it.iter().map(Value::as_f64))),
        stop: reason.map(|it| stop_reason(it == "length")),
    })
}

fn stop_reason(at_limit: bool) -> StopReason {
    if at_limit { StopReason::MaxTokens } else { StopReason::End }
}

fn probability_of(tokens: Option<&Vec<Value>>) -> Option<f32> {
    product(tokens?.iter().map(|it| it["logprob"].as_f64()))
}

/// Of logarithms; `None` where one is missing or there is none.
fn product(logarithms: impl Iterator<Item = Option<f64>>) -> Option<f32> {
    let all: Vec<f64> = logarithms.collect::<Option<_>>()?;
    let sum: f64 = all.iter().sum();
    (!all.is_empty() && sum.is_finite()).then(|| sum.exp().min(1.0) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(line: &str) -> FimPiece {
        piece_of_line(line).expect("an answer").expect("a piece")
    }

    #[test]
    fn each_server_has_its_words() {
        let text = |text: &str, stop| FimPiece { text: text.to_owned(), probability: None, stop };
        let end = Some(StopReason::End);
        assert_eq!(piece(r#"data: {"content":"a","stop":false}"#), text("a", None));
        assert_eq!(
            piece(r#"data: {"content":"","stop":true,"stop_type":"eos"}"#),
            text("", end.clone())
        );
        assert_eq!(piece(r#"{"response":"b","done":false}"#), text("b", None));
        let full = Some(StopReason::MaxTokens);
        assert_eq!(piece(r#"{"response":"","done":true,"done_reason":"length"}"#), text("", full));
        let openai = r#"data: {"choices":[{"text":"c","finish_reason":null,"logprobs":null}]}"#;
        assert_eq!(piece(openai), text("c", None));
        assert_eq!(piece(r#"data: {"choices":[],"usage":{}}"#), text("", None));
        assert_eq!(piece("data: [DONE]"), text("", end));
        for nothing in ["", ": ping", "event: message"] {
            assert_eq!(piece_of_line(nothing), Ok(None));
        }
    }

    #[test]
    fn probabilities_are_read_where_there_are_some() {
        let line = r#"data: {"content":"a","completion_probabilities":[{"logprob":-0.5},{"logprob":-0.5}]}"#;
        assert!((piece(line).probability.expect("one") - (-1_f32).exp()).abs() < 1e-6);
        let line = r#"data: {"content":"a","completion_probabilities":[{"prob":0.5}]}"#;
        assert_eq!(piece(line).probability, None);
    }

    #[test]
    fn what_is_no_answer_is_refused_with_its_reason() {
        for (line, reason) in [
            ("<!DOCTYPE html>", "answers with something that is no JSON"),
            ("data: {\"a\":1}", "answers with other JSON than expected"),
            (r#"{"error":"model 'x' not found"}"#, "says: model 'x' not found"),
            (r#"error: {"error":{"message":"no infill"}}"#, "says: no infill"),
        ] {
            assert_eq!(piece_of_line(line), Err(reason.to_owned()));
        }
    }

    #[test]
    fn what_is_asked_is_the_text_around_the_caret() {
        let ask = FimAsk {
            before: "a\n".to_owned(),
            line: "b = ".to_owned(),
            after: "\nc\n".to_owned(),
            spelled: Some("<P>a\nb = <S>\nc\n<M>".to_owned()),
            max_tokens: 9,
            max_ms: 500,
        };
        let body =
            |server| -> Value { serde_json::from_str(&body(server, "m", &ask)).expect("JSON") };
        let llama = body(CompletionServer::LlamaServer);
        assert_eq!([&llama["input_prefix"], &llama["prompt"]], ["a\n", "b = "]);
        let ollama = body(CompletionServer::Ollama);
        assert_eq!([&ollama["prompt"], &ollama["suffix"]], ["a\nb = ", "\nc\n"]);
        assert_eq!(body(CompletionServer::Openai)["prompt"], "<P>a\nb = <S>\nc\n<M>");
    }
}
