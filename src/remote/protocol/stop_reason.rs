//! Why an answer ended, in the words of many servers. The protocols name four or five reasons;
//! servers that speak them have more names for the same, in small letters and in capitals.

use crate::remote::protocol::StopReason;
use crate::remote::protocol::fault::shortened;

/// The model had said what it had to say.
const END: &[&str] = &[
    "stop",
    "end",
    "end_turn",
    "stop_sequence",
    "stop_str",
    "stop_token",
    "eos",
    "eos_token",
    "eos_token_id",
    "eot",
    "end_of_text",
    "end_of_turn",
    "end_of_sequence",
    "complete",
    "completed",
    "done",
    "finish",
    "finished",
    "success",
];
/// It used all the tokens that it was given.
const MAX_TOKENS: &[&str] = &[
    "length",
    "limit",
    "max_tokens",
    "max_length",
    "max_new_tokens",
    "max_output_tokens",
    "max_completion_tokens",
    "max_tokens_reached",
    "token_limit",
    "length_limit",
    "output_limit",
];
/// A limit of the model's own.
const CONTEXT_FULL: &[&str] = &[
    "model_context_window_exceeded",
    "model_length",
    "context_length",
    "context_length_exceeded",
    "context_window",
    "max_context_length",
    "max_model_length",
];
/// The model or its provider would not answer.
const REFUSAL: &[&str] = &[
    "refusal",
    "content_filter",
    "content_filtered",
    "contentfilter",
    "safety",
    "sensitive",
    "moderation",
    "guardrail_intervened",
    "recitation",
    "blocklist",
    "blocked",
    "prohibited_content",
    "spii",
];
/// No reason at all: the answer goes on.
const NOT_YET: &[&str] = &["", "null", "none", "nil", "in_progress", "not_finished", "unspecified"];

/// Reads a reason, whatever its case. `None`: it says that the answer goes on. `refusal` are the
/// words for a refusal.
pub(crate) fn read(reason: &str, refusal: &str) -> Option<StopReason> {
    let name = reason.trim().to_ascii_lowercase().replace(['-', ' '], "_");
    // `FINISH_REASON_STOP`, `FinishReason.STOP`, as enumerations of client libraries are printed.
    let name = ["finish_reason_", "finishreason.", "stop_reason_", "stopreason."]
        .iter()
        .find_map(|it| name.strip_prefix(it))
        .unwrap_or(&name);
    let is_among = |names: &[&str]| names.contains(&name);
    if is_among(NOT_YET) {
        return None;
    }
    Some(if is_among(END) {
        StopReason::End
    } else if is_among(MAX_TOKENS) {
        StopReason::MaxTokens
    } else if is_among(CONTEXT_FULL) {
        StopReason::ContextFull
    } else if is_among(REFUSAL) {
        StopReason::Refusal(shortened(refusal))
    } else {
        StopReason::Other(shortened(reason))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_same_reason() {
        for name in ["stop", "STOP", " Stop ", "eos_token", "END_TURN", "FINISH_REASON_STOP"] {
            assert_eq!(read(name, ""), Some(StopReason::End), "{name}");
        }
        for name in ["length", "MAX_TOKENS", "max-length", "FinishReason.MAX_TOKENS"] {
            assert_eq!(read(name, ""), Some(StopReason::MaxTokens), "{name}");
        }
        for name in ["", "null", "None", "FINISH_REASON_UNSPECIFIED"] {
            assert_eq!(read(name, ""), None, "{name}");
        }
        assert_eq!(read("SAFETY", "why"), Some(StopReason::Refusal("why".to_owned())));
        assert_eq!(read("model_length", ""), Some(StopReason::ContextFull));
        for name in ["abort", "tool_calls", "Insufficient_System_Resource"] {
            assert_eq!(read(name, ""), Some(StopReason::Other(name.to_owned())), "{name}");
        }
    }
}
