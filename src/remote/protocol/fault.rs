//! What a provider's refusal means: the kind of trouble, whether another try may help, and its own
//! words, shortened.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What went wrong, for whoever decides what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Something in keyside's settings.
    Settings,
    /// There is no key, or the place where it is kept does not answer.
    NoKey,
    /// What was agreed to and what the settings file says now are not the same.
    Mismatch,
    /// No such host, no way to it, or nobody listens there.
    Unreachable,
    /// The connection's encryption did not come about.
    Tls,
    /// The provider points to another address, which is never followed.
    Redirect,
    /// The provider does not know the key.
    WrongKey,
    /// The key may not do this.
    NotAllowed,
    /// The account with the provider has no money left or has reached a limit set there.
    Money,
    /// Too many requests.
    TooMany,
    /// The provider has more to do than it can.
    Overloaded,
    /// The model or the path does not exist there.
    NotFound,
    /// The text is too large for the model.
    TooLarge,
    /// The provider does not understand the request.
    BadRequest,
    /// The provider failed.
    Server,
    /// Nothing came for too long.
    Stalled,
    /// The connection ended in the middle.
    Broken,
    /// The answer ended without the mark that it is whole.
    CutOff,
    /// What came is not what the protocol says.
    Malformed,
    /// More came than anybody could use.
    AnswerTooLarge,
    /// An answer without a word.
    Empty,
    /// Somebody here wanted it no longer.
    Cancelled,
    /// keyside's own broker ended or failed.
    BrokerGone,
    /// Another error that the provider names.
    Other,
}

impl FaultKind {
    /// Whether the same request may well work later, with nothing changed here.
    pub fn may_pass(self) -> bool {
        matches!(
            self,
            Self::Unreachable
                | Self::TooMany
                | Self::Overloaded
                | Self::Server
                | Self::Stalled
                | Self::Broken
                | Self::CutOff
                | Self::BrokerGone
        )
    }
}

/// A refusal, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub kind: FaultKind,
    /// The provider's words on one line, shortened; empty where it has none.
    pub message: String,
}

/// Names and codes of errors that money is the reason of. Another try only annoys.
const MONEY: [&str; 8] = [
    "enforced_spend_limit_reached",
    "insufficient_quota",
    "credit_balance_exhausted",
    "billing_error",
    "billing_hard_limit_reached",
    "billing_not_active",
    "budget_exceeded",
    "payment_required",
];
/// Anthropic says this with 400 `invalid_request_error`.
const MONEY_WORDS: [&str; 2] = ["credit balance is too low", "exceeded your current quota"];
const TOO_LARGE: [&str; 4] = [
    "context_length_exceeded",
    "request_too_large",
    "string_above_max_length",
    "exceed_context_size_error",
];
const TOO_LARGE_WORDS: [&str; 4] = [
    "prompt is too long",
    "maximum context length",
    "exceeds the available context size",
    "contextwindowexceeded",
];

/// Reads an answer with an error status. `body` is what came with it.
pub fn of_status(status: u16, body: &str) -> Refused {
    // LiteLLM sends an error of a stream as a stream, whatever its status.
    let data = body.lines().find_map(|line| line.strip_prefix("data:")).unwrap_or(body);
    let mut json = serde_json::from_str::<Value>(data).unwrap_or_default();
    // Google's error is a list of one.
    if let Some(only) = json.as_array_mut().filter(|it| it.len() == 1).and_then(Vec::pop) {
        json = only;
    }
    let told = of_json(&json);
    let by_status = match status {
        401 => FaultKind::WrongKey,
        402 => FaultKind::Money,
        403 => FaultKind::NotAllowed,
        404 | 405 | 410 => FaultKind::NotFound,
        413 => FaultKind::TooLarge,
        429 => FaultKind::TooMany,
        503 | 529 => FaultKind::Overloaded,
        500.. => FaultKind::Server,
        300..=399 => FaultKind::Redirect,
        408 | 409 => FaultKind::Server,
        _ => FaultKind::BadRequest,
    };
    // Money and size come under several statuses and are the reasons that matter; for the rest the
    // status says it best.
    let kind = match told.kind {
        FaultKind::Money | FaultKind::TooLarge => told.kind,
        FaultKind::Overloaded if status >= 500 => told.kind,
        _ => by_status,
    };
    // A web page is no message.
    let is_page = json.is_null() && body.trim_start().starts_with('<');
    let message = match (json.is_null(), is_page) {
        (_, true) => String::new(),
        (true, _) => shortened(body),
        (false, _) => told.message,
    };
    Refused { kind, message }
}

/// Whether an event or a body is an error and no part of an answer.
pub(crate) fn is_error(json: &Value) -> bool {
    let is_told = |error: &Value| match error {
        Value::Object(error) => !error.is_empty(),
        Value::String(error) => !error.is_empty(),
        Value::Bool(is_error) => *is_error,
        _ => false,
    };
    let of_choice = || json.get("choices").is_some_and(|it| is_told(&it[0]["error"]));
    is_told(&json["error"]) || json["type"] == "error" || json["object"] == "error" || of_choice()
}

/// Reads an error as it stands in an event or a body: `{"error": {"type", "code", "message"}}`,
/// what is in it alone, and the shapes of common gateways.
pub fn of_json(json: &Value) -> Refused {
    let errors = [&json["error"], &json["choices"][0]["error"]];
    let error = errors.into_iter().find(|it| it.is_object() || it.is_string()).unwrap_or(json);
    let texts = [&error["message"], &error["detail"], &json["message"], &json["detail"], error];
    let message = texts.iter().find_map(|it| it.as_str()).unwrap_or_default();
    let mut names = Vec::new();
    for name in [&error["type"], &error["code"], &error["details"]["error_code"], &json["code"]] {
        match name {
            Value::String(name) => names.push(name.to_ascii_lowercase()),
            Value::Number(number) => names.push(number.to_string()),
            _ => {}
        }
    }
    let lower = message.to_ascii_lowercase();
    let named = |list: &[&str]| names.iter().any(|it| list.contains(&it.as_str()));
    let said = |list: &[&str]| list.iter().any(|it| lower.contains(it));
    let kind = if named(&MONEY) || named(&["402"]) || said(&MONEY_WORDS) {
        FaultKind::Money
    } else if named(&TOO_LARGE) || said(&TOO_LARGE_WORDS) {
        FaultKind::TooLarge
    } else if named(&["authentication_error", "invalid_api_key", "401"]) {
        FaultKind::WrongKey
    } else if named(&["permission_error", "permission_denied", "403"]) {
        FaultKind::NotAllowed
    } else if named(&["not_found_error", "model_not_found", "404"]) {
        FaultKind::NotFound
    } else if named(&["rate_limit_error", "rate_limit_exceeded", "429"]) {
        FaultKind::TooMany
    } else if named(&["overloaded_error", "server_is_overloaded", "529", "503"]) {
        FaultKind::Overloaded
    } else if named(&["api_error", "server_error", "timeout_error", "500", "502", "504"]) {
        FaultKind::Server
    } else if named(&["invalid_request_error", "400"]) {
        FaultKind::BadRequest
    } else {
        FaultKind::Other
    };
    Refused { kind, message: shortened(message) }
}

const MAX_MESSAGE_CHARS: usize = 300;

/// A text of somebody else's on one line of at most 300 characters, without control characters.
pub fn shortened(text: &str) -> String {
    let mut line = String::new();
    let mut n_chars = 0;
    for word in
        text.split(|it: char| it.is_whitespace() || it.is_control()).filter(|it| !it.is_empty())
    {
        if !line.is_empty() {
            line.push(' ');
            n_chars += 1;
        }
        for c in word.chars() {
            if n_chars >= MAX_MESSAGE_CHARS {
                line.push('…');
                return line;
            }
            line.push(c);
            n_chars += 1;
        }
    }
    line
}

/// How much of a request may come back in an error before it is taken for a copy of it, in bytes.
const ECHO_BYTES: usize = 16;

/// Empties a message that repeats text of the request: what was sent may not end up in a log or a
/// pop-up. `body` is the request's; the model's name in it may be repeated.
pub fn without_echo(message: String, body: &str) -> String {
    let mut sent = Vec::new();
    if let Ok(Value::Object(mut body)) = serde_json::from_str(body) {
        body.remove("model");
        body.values().for_each(|it| strings_of(it, &mut sent));
    }
    // Both as they were and on one line, as the message is.
    let sent = sent.into_iter().map(|it| it.split_whitespace().collect::<Vec<_>>().join(" "));
    let sent = sent.collect::<Vec<_>>().join("\n");
    let parts: HashSet<&[u8]> = message.as_bytes().windows(ECHO_BYTES).collect();
    let repeats = sent.as_bytes().windows(ECHO_BYTES).any(|it| parts.contains(it));
    if repeats { String::new() } else { message }
}

fn strings_of(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.push(text.clone()),
        Value::Array(list) => list.iter().for_each(|it| strings_of(it, into)),
        Value::Object(map) => map.values().for_each(|it| strings_of(it, into)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn vendors_and_gateways_are_understood() {
        let anthropic = |kind: &str, message: &str| {
            json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}).to_string()
        };
        for (status, body, kind, message) in [
            (401, anthropic("authentication_error", "invalid x-api-key"), FaultKind::WrongKey, "invalid x-api-key"),
            (400, anthropic("invalid_request_error", "Your credit balance is too low to"), FaultKind::Money, "Your credit balance is too low to"),
            (400, anthropic("invalid_request_error", "prompt is too long: 9 > 8"), FaultKind::TooLarge, "prompt is too long: 9 > 8"),
            (429, json!({"error": {"type": "rate_limit_error", "message": "m", "details": {"error_code": "enforced_spend_limit_reached"}}}).to_string(), FaultKind::Money, "m"),
            (429, json!({"error": {"code": "insufficient_quota", "message": "m"}}).to_string(), FaultKind::Money, "m"),
            (429, json!({"error": {"code": 429, "message": "slow"}}).to_string(), FaultKind::TooMany, "slow"),
            (500, anthropic("overloaded_error", "Overloaded"), FaultKind::Overloaded, "Overloaded"),
            (529, String::new(), FaultKind::Overloaded, ""),
            (422, json!({"detail": "a b\n c"}).to_string(), FaultKind::BadRequest, "a b c"),
            (404, json!({"error": "model 'x' not found"}).to_string(), FaultKind::NotFound, "model 'x' not found"),
            (502, "<html><body>Bad</body></html>".to_owned(), FaultKind::Server, ""),
            (503, "no healthy upstream".to_owned(), FaultKind::Overloaded, "no healthy upstream"),
            (418, "[1".to_owned(), FaultKind::BadRequest, "[1"),
        ] {
            let expected = Refused { kind, message: message.to_owned() };
            assert_eq!(of_status(status, &body), expected, "{status} {body}");
        }
    }

    #[test]
    fn words_of_others_are_one_short_line() {
        assert_eq!(shortened(" a\r\n\x1b[31mb\u{0}\tc "), "a [31mb c");
        let long = shortened(&"\u{e9}".repeat(1_000));
        assert_eq!(long.chars().count(), 301);
    }

    #[test]
    fn what_was_sent_does_not_come_back() {
        let body = json!({"model": "a-model-with-a-long-name", "messages": [{"content": "let secret_of_mine =\n    \"\u{e9}t\u{e9}\";"}]});
        let body = body.to_string();
        let kept = "model a-model-with-a-long-name not found".to_owned();
        assert_eq!(without_echo(kept.clone(), &body), kept);
        for echo in ["bad text: let secret_of_mine = ", "secret_of_mine = \"\u{e9}t\u{e9}\";"] {
            assert_eq!(without_echo(echo.to_owned(), &body), "");
        }
        assert_eq!(without_echo("short let".to_owned(), &body), "short let");
    }
}
