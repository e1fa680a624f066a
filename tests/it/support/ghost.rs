//! Ghost text as a request and as an answer.

use serde_json::{Value, json};

/// The parameters of a request at a place, as while somebody types.
pub fn inline_params(uri: &str, line: usize, column: usize) -> Value {
    json!({
        "textDocument": {"uri": uri},
        "position": {"line": line, "character": column},
        "context": {"triggerKind": 2},
    })
}

/// An inline item, as far as tests look at it.
#[derive(Debug, Clone, PartialEq)]
pub struct Ghost {
    pub text: String,
    pub start: u64,
    pub end: u64,
    pub command: Value,
}

impl Ghost {
    pub fn of(answer: &Value) -> Option<Self> {
        let items = answer["result"]["items"].as_array().unwrap_or_else(|| panic!("{answer}"));
        let item = items.first()?;
        Some(Self {
            text: item["insertText"].as_str().expect("plain text").to_owned(),
            start: item["range"]["start"]["character"].as_u64().expect("a range"),
            end: item["range"]["end"]["character"].as_u64().expect("a range"),
            command: item["command"].clone(),
        })
    }
}
