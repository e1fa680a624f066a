//! The completions endpoint: `POST /v1/completions` in the manner of OpenAI's legacy API, for
//! programs of this machine that ask for the text between two others (Zed's edit predictions). It
//! answers by the same path as the language server, from what is in the request alone: no file, and
//! no other request's text.

pub mod fim_prompt;
mod http;
mod listener;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use ropey::Rope;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::completion::{Completer, Completion, CompletionAsk, complete};
use crate::lm::TaskError;

pub use fim_prompt::FimPrompt;
pub use http::serve;
pub use listener::{AtListener, listen};

/// As clients name it; whatever they name is taken.
pub const MODEL: &str = "keyside";

/// The body of a request; what else there is in one is passed over. How much is suggested is
/// keyside's own decision, so `max_tokens` is passed over as well.
#[derive(Debug, Deserialize)]
pub struct CompletionsRequest {
    prompt: String,
    /// The text behind the caret, where the prompt has no markers.
    #[serde(default)]
    suffix: Option<String>,
    #[serde(default)]
    stop: Stop,
    #[serde(default)]
    stream: bool,
}

/// One text or several, where an answer ends.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Stop {
    #[default]
    None,
    One(String),
    Several(Vec<String>),
}

/// The answer to a request's body.
///
/// # Errors
/// What is wrong with the request, in one sentence.
pub async fn answer(completer: &Completer, body: &[u8]) -> Result<Value, String> {
    let request: CompletionsRequest = serde_json::from_slice(body)
        .map_err(|error| format!("the body is no request for a completion ({error})"))?;
    if request.stream {
        return Err("answers come whole; leave `stream` out".to_owned());
    }
    let prompt = match request.suffix {
        Some(suffix) => FimPrompt { prefix: request.prompt, suffix },
        None => FimPrompt::parse(&request.prompt)?,
    };
    let caret = prompt.prefix.chars().count();
    let rope = Rope::from_str(&(prompt.prefix + &prompt.suffix));
    // No two requests are of one document, as far as is known; but a newer one means that the older
    // is not waited for any more.
    let ask = CompletionAsk::at("completions:", "", rope.clone(), caret)
        .arriving(completer.next_arrival());
    let (text, usage) = match complete(completer, ask).await {
        Ok(completion) => (at_caret(&completion, &rope, caret), completion.usage),
        Err(TaskError::Failed(why)) => return Err(why),
        Err(_) => <_>::default(),
    };
    let text = until_stop(text, &request.stop);
    let prompt_tokens = usage.cached_tokens + usage.evaluated_tokens;
    Ok(json!({
        "id": next_id(),
        "object": "text_completion",
        "created": SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs()),
        "model": MODEL,
        "choices": [{"text": text, "index": 0, "finish_reason": "stop", "logprobs": null}],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": usage.generated_tokens,
            "total_tokens": prompt_tokens + usage.generated_tokens,
        },
    }))
}

/// What goes in at the caret. A client of this kind replaces nothing, so of a text that would
/// replace what stands behind the caret it gets what comes before that, or nothing.
fn at_caret(completion: &Completion, rope: &Rope, caret: usize) -> String {
    let text = completion.text_as_in_document();
    if completion.replaced_after == 0 {
        return text;
    }
    let after: String = rope.chars_at(caret).take(completion.replaced_after).collect();
    text[..text.find(&after).unwrap_or(0)].to_owned()
}

fn until_stop(mut text: String, stop: &Stop) -> String {
    let stops = match stop {
        Stop::None => &[][..],
        Stop::One(stop) => std::slice::from_ref(stop),
        Stop::Several(stops) => stops,
    };
    let ends = stops.iter().filter(|it| !it.is_empty()).filter_map(|it| text.find(it.as_str()));
    if let Some(end) = ends.min() {
        text.truncate(end);
    }
    text
}

fn next_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("cmpl-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}
