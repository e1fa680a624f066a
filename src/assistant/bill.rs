//! What a request cost, by what is known of it when it is over.

use crate::assistant::stream::{Ended, Received};
use crate::ledger::{CostSource, UsageSource};
use crate::remote::pricing::tariff::{PriceSource, Tariff};
use crate::remote::pricing::token_estimate::text_tokens;
use crate::remote::protocol::fault::FaultKind;
use crate::remote::protocol::usage::Usage;

/// What is written into the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bill {
    pub(crate) usage: Usage,
    pub(crate) usage_source: UsageSource,
    pub(crate) cost_pico_usd: i64,
    pub(crate) cost_source: CostSource,
}

/// By the cost that the provider reports, else by its tokens, else, where a cost is possible and
/// not reported, the most that it can be.
///
/// An estimate is never more than was reserved, except of an answer that went past its limits until
/// the broker ended it. What the provider itself told is written down as it is.
pub(crate) fn bill(
    tariff: &Tariff,
    received: &Received,
    n_input_tokens: u64,
    reserved_pico_usd: i64,
) -> Bill {
    let may_cost = received.may_cost();
    let is_whole = matches!(received.ended, Ended::Whole | Ended::Short(_));
    let told = received.usage.filter(|_| may_cost || is_whole);
    let n_text_tokens = text_tokens(&received.text);
    let (usage, usage_source) = match told {
        // A gateway that tells the money and not the tokens: a person's own prices need them.
        Some(told) if is_whole && tariff.source == PriceSource::Settings => {
            let usage = filled_in(told, n_input_tokens, n_text_tokens);
            let is_told = usage == told;
            (usage, if is_told { UsageSource::Provider } else { UsageSource::Estimated })
        }
        Some(told) if is_whole => (told, UsageSource::Provider),
        // Cut off in the middle: what was read is told at the beginning, what was written only at
        // the end.
        Some(told) => {
            let output_tokens = told.output_tokens.max(n_text_tokens);
            (Usage { output_tokens, ..told }, UsageSource::Estimated)
        }
        None if may_cost => {
            let usage = Usage {
                input_tokens: n_input_tokens,
                output_tokens: n_text_tokens,
                ..Usage::default()
            };
            (usage, UsageSource::Estimated)
        }
        None => (Usage::default(), UsageSource::Estimated),
    };
    // How long a model thought is told at the end alone, and by some gateways not at all.
    let is_told = told.is_some() || !received.text.is_empty();
    let is_known = !may_cost || (is_whole && told.is_some()) || (is_told && !received.has_thought);
    let (cost, source) = match tariff.cost(&usage) {
        (cost, PriceSource::Provider) => (cost, CostSource::Provider),
        (cost, _) if is_known => (cost, CostSource::Table),
        _ => (reserved_pico_usd, CostSource::WorstCase),
    };
    let was_too_much = matches!(
        &received.ended,
        Ended::Failed(failure) if failure.kind == FaultKind::AnswerTooLarge
    );
    let least = told.map_or(0, |it| tariff.cost(&it).0);
    let is_estimate = usage_source == UsageSource::Estimated && source != CostSource::Provider;
    let (cost_pico_usd, cost_source) = if is_estimate && !was_too_much && cost > reserved_pico_usd {
        (reserved_pico_usd.max(least), CostSource::WorstCase)
    } else {
        (cost, source)
    };
    Bill { usage, usage_source, cost_pico_usd, cost_source }
}

fn filled_in(told: Usage, n_input_tokens: u64, n_text_tokens: u64) -> Usage {
    let mut usage = told;
    if usage.prompt_tokens() == 0 {
        usage.input_tokens = n_input_tokens;
    }
    if usage.output_tokens == 0 {
        usage.output_tokens = n_text_tokens;
    }
    usage
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::cloud::{Prices, Provider};
    use crate::remote::broker::ipc::Failure;

    const RESERVED: i64 = 1_000_000;

    /// A dollar for a million tokens, whichever.
    fn own_prices() -> Tariff {
        let prices = Some(Prices { input: 1.0, output: 1.0, ..Prices::default() });
        Tariff::of(&Provider { model: "m".to_owned(), prices, ..Provider::default() })
    }

    fn received(ended: Ended, usage: Option<Usage>, n_text_tokens: usize) -> Received {
        Received {
            text: "1".repeat(n_text_tokens),
            usage,
            ended,
            request_id: String::new(),
            was_sent: true,
            has_thought: false,
            first_text: None,
        }
    }

    fn failed(kind: FaultKind) -> Ended {
        Ended::Failed(Failure { kind, sentence: String::new(), may_cost: true })
    }

    fn told(input_tokens: u64, output_tokens: u64, cost_pico_usd: Option<i64>) -> Option<Usage> {
        Some(Usage { input_tokens, output_tokens, cost_pico_usd, ..Usage::default() })
    }

    fn cost(received: &Received) -> (i64, CostSource) {
        let bill = bill(&own_prices(), received, 100, RESERVED);
        (bill.cost_pico_usd / 1_000_000, bill.cost_source)
    }

    #[test]
    fn where_a_person_gave_prices_the_larger_counts() {
        let whole = |usage| received(Ended::Whole, usage, 50);
        for (usage, expected) in [
            (told(3, 4, None), (7, CostSource::Table)),
            (told(3, 4, Some(1)), (7, CostSource::Table)),
            (told(3, 4, Some(9_000_000)), (9, CostSource::Provider)),
            // Money alone: by the tokens that the question and the text have.
            (told(0, 0, Some(0)), (150, CostSource::Table)),
            (told(0, 4, Some(0)), (104, CostSource::Table)),
        ] {
            // The reservation is larger here.
            let bill = bill(&own_prices(), &whole(usage), 100, 1_000_000_000);
            assert_eq!((bill.cost_pico_usd / 1_000_000, bill.cost_source), expected, "{usage:?}");
        }
        // What the table says is no person's word.
        let model = "claude-sonnet-5-5".to_owned();
        let table = Tariff::of(&Provider { model, ..Provider::default() });
        let bill = bill(&table, &whole(told(1_000, 1_000, Some(5))), 100, RESERVED);
        assert_eq!((bill.cost_pico_usd, bill.cost_source), (5, CostSource::Provider));
    }

    #[test]
    fn an_estimate_is_not_more_than_was_reserved() {
        let reserved = (1, CostSource::WorstCase);
        for ended in [Ended::Whole, Ended::Cancelled, failed(FaultKind::Broken)] {
            assert_eq!(cost(&received(ended, None, 5_000)), reserved);
        }
        for ended in [Ended::Cancelled, failed(FaultKind::Stalled)] {
            assert_eq!(cost(&received(ended, told(1, 0, None), 5_000)), reserved);
        }
        // What was told is more already.
        let cancelled = received(Ended::Cancelled, told(70, 1, None), 5_000);
        assert_eq!(cost(&cancelled), (71, CostSource::WorstCase));
        assert_eq!(
            cost(&received(Ended::Whole, told(70, 80, None), 5_000)),
            (150, CostSource::Table)
        );
        // The broker ended it because it was too much.
        let too_much = received(failed(FaultKind::AnswerTooLarge), None, 5_000);
        assert_eq!(cost(&too_much), (5_100, CostSource::Table));
    }

    #[test]
    fn what_was_never_sent_or_refused_costs_nothing() {
        let refused =
            Failure { kind: FaultKind::TooMany, sentence: String::new(), may_cost: false };
        let refused = received(Ended::Failed(refused), None, 0);
        assert_eq!(cost(&refused), (0, CostSource::Table));
        let unsent = Received { was_sent: false, ..received(Ended::Cancelled, None, 0) };
        assert_eq!(cost(&unsent), (0, CostSource::Table));
    }
}
