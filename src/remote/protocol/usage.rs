//! What a request used, in one form for all protocols.
//!
//! Anthropic's `input_tokens` leave out what came from the cache or went into it, OpenAI's
//! `prompt_tokens` count it in. Here the three are apart. Counts come in several events, whole or
//! in parts: they are merged field by field and the later wins, except that a later 0 takes nothing
//! away, because some gateways send zeros for what they have told already.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::remote::protocol::decimal::decimal_up;

/// Tokens and, where the provider says it, money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Read by the model afresh: without the three that follow.
    pub input_tokens: u64,
    /// Had from the provider's cache.
    pub cache_read: u64,
    /// Put into the cache for five minutes, or for as long as a provider without a choice keeps it.
    pub cache_write_5m: u64,
    /// Put into the cache for an hour.
    pub cache_write_1h: u64,
    /// Thinking included.
    pub output_tokens: u64,
    /// How many of the output were thinking.
    pub reasoning_tokens: u64,
    /// What the provider says that it cost, in trillionths of a US dollar.
    pub cost_pico_usd: Option<i64>,
}

impl Usage {
    /// All of the input, by whose size some prices go.
    pub fn prompt_tokens(&self) -> u64 {
        let parts = [self.input_tokens, self.cache_read, self.cache_write_5m, self.cache_write_1h];
        parts.into_iter().fold(0, u64::saturating_add)
    }
}

/// Counts as a provider reports them, from all events so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UsageCounts {
    pub(crate) input: Option<u64>,
    pub(crate) output: Option<u64>,
    pub(crate) cache_read: Option<u64>,
    /// All that was put into the cache.
    pub(crate) cache_write: Option<u64>,
    pub(crate) cache_write_1h: Option<u64>,
    pub(crate) reasoning: Option<u64>,
    cost_pico_usd: Option<i64>,
    /// What the provider's own supplier charges beside it.
    upstream_pico_usd: Option<i64>,
}

impl UsageCounts {
    /// Merges the details that OpenAI's protocols have beside both counts.
    pub(crate) fn merge_details(&mut self, input: &Value, output: &Value) {
        merge(&mut self.cache_read, count(&input["cached_tokens"]));
        merge(&mut self.cache_write, count(&input["cache_write_tokens"]));
        merge(&mut self.reasoning, count(&output["reasoning_tokens"]));
    }

    /// LiteLLM and OpenRouter report `cost`. Where OpenRouter uses a customer's own key, its `cost`
    /// is its fee alone and the supplier's bill comes on top.
    pub(crate) fn merge_cost(&mut self, usage: &Value) {
        merge(&mut self.cost_pico_usd, pico_usd(&usage["cost"]));
        if usage["is_byok"] == true {
            merge(
                &mut self.upstream_pico_usd,
                pico_usd(&usage["cost_details"]["upstream_inference_cost"]),
            );
        }
    }

    /// The counts of a protocol whose input leaves cached tokens out.
    pub fn with_input_apart(&self) -> Usage {
        let cache_write = self.cache_write.unwrap_or_default();
        let cache_write_1h = self.cache_write_1h.unwrap_or_default();
        Usage {
            input_tokens: self.input.unwrap_or_default(),
            cache_read: self.cache_read.unwrap_or_default(),
            cache_write_5m: cache_write.saturating_sub(cache_write_1h),
            cache_write_1h,
            output_tokens: self.output.unwrap_or_default(),
            reasoning_tokens: self.reasoning.unwrap_or_default(),
            cost_pico_usd: self
                .cost_pico_usd
                .map(|it| it.saturating_add(self.upstream_pico_usd.unwrap_or_default())),
        }
    }

    /// The counts of a protocol whose input counts cached tokens in.
    pub fn with_input_whole(&self) -> Usage {
        let mut usage = self.with_input_apart();
        let cached = usage.prompt_tokens().saturating_sub(usage.input_tokens);
        usage.input_tokens = usage.input_tokens.saturating_sub(cached);
        usage
    }

    /// Whether anything was reported.
    pub fn is_something(&self) -> bool {
        *self != Self::default()
    }
}

/// The later value, unless it is missing, or 0 after another.
pub(crate) fn merge<T: Default + PartialEq>(into: &mut Option<T>, later: Option<T>) {
    if let Some(later) = later
        && (into.is_none() || later != T::default())
    {
        *into = Some(later);
    }
}

/// A count of tokens; `None` for what is no whole number from 0 up.
pub(crate) fn count(value: &Value) -> Option<u64> {
    value.as_u64()
}

/// An amount of US dollars in trillionths, rounded up. The number's decimal digits are read, so
/// nothing drifts.
fn pico_usd(value: &Value) -> Option<i64> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    decimal_up(&text, 12)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::protocol::{anthropic, openai_chat, openai_responses};
    use serde_json::json;

    #[test]
    fn cached_input_is_counted_once_in_every_protocol() {
        let expected = Usage {
            input_tokens: 100,
            cache_read: 40,
            cache_write_5m: 7,
            output_tokens: 9,
            reasoning_tokens: 3,
            ..Usage::default()
        };
        let mut anthropic = UsageCounts::default();
        anthropic::merge_usage(
            &mut anthropic,
            &json!({
            "input_tokens": 100, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 7,
            "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 3}}),
        );
        assert_eq!(anthropic.with_input_apart(), expected);
        let mut chat = UsageCounts::default();
        openai_chat::merge_usage(
            &mut chat,
            &json!({
            "prompt_tokens": 147, "completion_tokens": 9,
            "prompt_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 7},
            "completion_tokens_details": {"reasoning_tokens": 3}}),
        );
        assert_eq!(chat.with_input_whole(), expected);
        // As Gemini counts.
        let mut chat = UsageCounts::default();
        openai_chat::merge_usage(
            &mut chat,
            &json!({
            "prompt_tokens": 147, "completion_tokens": 6, "total_tokens": 156,
            "prompt_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 7},
            "completion_tokens_details": {"reasoning_tokens": 3}}),
        );
        assert_eq!(chat.with_input_whole(), expected);
        let mut responses = UsageCounts::default();
        openai_responses::merge_usage(
            &mut responses,
            &json!({
            "input_tokens": 147, "output_tokens": 9,
            "input_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 7},
            "output_tokens_details": {"reasoning_tokens": 3}}),
        );
        assert_eq!(responses.with_input_whole(), expected);
    }

    #[test]
    fn the_later_wins_and_nothing_is_no_number() {
        let mut told = UsageCounts::default();
        anthropic::merge_usage(
            &mut told,
            &json!({"input_tokens": 0, "output_tokens": 1, "cache_read_input_tokens": null}),
        );
        anthropic::merge_usage(&mut told, &json!({"input_tokens": 12, "output_tokens": 5}));
        anthropic::merge_usage(&mut told, &json!({"input_tokens": 0, "output_tokens": 6}));
        anthropic::merge_usage(&mut told, &Value::Null);
        anthropic::merge_usage(&mut told, &json!({"output_tokens": -3, "input_tokens": "x"}));
        assert_eq!(told.with_input_apart().input_tokens, 12);
        assert_eq!(told.with_input_apart().output_tokens, 6);
        assert!(!UsageCounts::default().is_something());
    }

    #[test]
    fn one_hour_of_cache_is_apart() {
        let mut told = UsageCounts::default();
        anthropic::merge_usage(
            &mut told,
            &json!({"cache_creation_input_tokens": 10,
            "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 6}}),
        );
        let usage = told.with_input_apart();
        assert_eq!((usage.cache_write_5m, usage.cache_write_1h), (4, 6));
    }

    #[test]
    fn a_cost_is_read_digit_by_digit() {
        for (cost, expected) in [
            (json!(8.1e-5), Some(81_000_000)),
            (json!(0.000_000_5), Some(500_000)),
            (json!(0), Some(0)),
            (json!("0.25"), Some(250_000_000_000)),
            (json!(1e-13), Some(1)),
            (json!(-1), None),
            (json!("free"), None),
            (Value::Null, None),
        ] {
            let mut told = UsageCounts::default();
            openai_chat::merge_usage(&mut told, &json!({"cost": cost}));
            assert_eq!(told.with_input_whole().cost_pico_usd, expected, "{cost}");
        }
        let mut told = UsageCounts::default();
        openai_chat::merge_usage(
            &mut told,
            &json!({"cost": 0.1, "is_byok": true, "cost_details": {"upstream_inference_cost": 2}}),
        );
        assert_eq!(told.with_input_whole().cost_pico_usd, Some(2_100_000_000_000));
    }
}
