//! The last thing that happens to a message before it is written: the words in it that a person
//! will see are cleaned ([`clean`]), whoever wrote them. The writer takes nothing but [`Outgoing`],
//! and words are found by the names that the protocol gives them, so a message that is added later
//! is covered too.

use serde_json::Value;

use crate::stdx::clean;

/// Names of members that hold words for a person, wherever they stand.
const WORDS: &[&str] = &["message", "title"];
/// The same in what the server says unasked. In an answer `label` is code, of a popup's item.
const WORDS_UNASKED: &[&str] = &["message", "title", "label", "network", "reason", "tooltip"];
/// What is below these is data, which comes back or goes into a document.
const DATA: &[&str] = &["edit", "arguments", "data", "diagnostics", "settings"];

/// A message to the client whose words are clean.
#[derive(Debug)]
pub(crate) struct Outgoing(Value);

impl Outgoing {
    /// A request or a notification of the server's.
    pub(crate) fn unasked(mut message: Value) -> Self {
        if let Some(params) = message.get_mut("params") {
            clean_below(params, WORDS_UNASKED);
        }
        Self(message)
    }

    /// The answer to a request of the client's.
    pub(crate) fn answer(mut message: Value) -> Self {
        for part in ["result", "error"] {
            if let Some(part) = message.get_mut(part) {
                clean_below(part, WORDS);
            }
        }
        Self(message)
    }

    pub(crate) fn to_body(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(&self.0).ok()
    }
}

fn clean_below(value: &mut Value, words: &[&str]) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|it| clean_below(it, words)),
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if words.contains(&&**name) => *text = clean::line(text),
                    _ if DATA.contains(&&**name) => {}
                    _ => clean_below(value, words),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const FOREIGN: &str = "a\x1b[2J\u{202e}\n[x](command:y)";
    const SHOWN: &str = "a\u{fffd}[2J\u{fffd} [x] (command :y)";

    /// `text` with foreign text where it has `$`, and what becomes of it where it has `%`.
    fn check(make: fn(Value) -> Outgoing, text: &str) {
        let with = |shown: &str| {
            let quoted = |it: &str| json!(it).to_string();
            let text = text.replace("\"$\"", &quoted(FOREIGN)).replace("\"%\"", &quoted(shown));
            serde_json::from_str::<Value>(&text).unwrap()
        };
        assert_eq!(make(with(FOREIGN)).0, with(SHOWN));
    }

    #[test]
    fn words_are_cleaned_and_data_is_not() {
        for text in [
            r#"{"method": "window/showMessage", "params": {"type": 1, "message": "%"}}"#,
            r#"{"method": "window/showMessageRequest", "params": {"message": "%", "actions": [{"title": "%"}]}}"#,
            r#"{"method": "$/progress", "params": {"token": "$", "value": {"kind": "begin", "title": "%"}}}"#,
            r#"{"method": "$/progress", "params": {"token": "$", "value": {"kind": "report", "message": "%"}}}"#,
            r#"{"method": "workspace/applyEdit", "params": {"label": "%", "edit": {"label": "$", "newText": "$"}}}"#,
            r#"{"method": "keyside/status", "params": {"state": "$", "message": "%", "network": "%"}}"#,
            r#"{"method": "keyside/answer", "params": {"title": "%", "text": "$"}}"#,
            r#"{"method": "what/comes/later", "params": {"a": [{"b": {"message": "%"}}]}}"#,
        ] {
            check(Outgoing::unasked, text);
        }
        for text in [
            r#"{"id": 1, "error": {"code": 2, "message": "%"}}"#,
            r#"{"id": 1, "result": [{"title": "%", "command": {"title": "%", "arguments": [{"message": "$"}]}}]}"#,
            r#"{"id": 1, "result": {"items": [{"insertText": "$", "label": "$", "filterText": "$"}]}}"#,
        ] {
            check(Outgoing::answer, text);
        }
    }
}
