//! What a request costs, in whole trillionths of a US dollar: an i64 of them holds nine million
//! dollars, and every price in the table is a whole number of them a token, so a sum never drifts.
//!
//! The table is made by `tools/prices.py`, which says from what. It is never fetched: prices of
//! the settings override it, what the provider itself reports overrides the table, and prices of
//! the settings where it is more, and an unknown model costs as much as the most expensive that
//! is known, so that a cap holds.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::config::cloud::{Prices, Provider};
use crate::remote::protocol::address::Address;
use crate::remote::protocol::decimal::decimal_up;
use crate::remote::protocol::usage::Usage;

/// The table, as it lies in the program.
static TABLE: LazyLock<Table> =
    LazyLock::new(|| serde_json::from_str(include_str!("prices.json")).unwrap_or_default());

#[derive(Debug, Default, Deserialize)]
struct Table {
    /// The version that it was made from.
    source: String,
    /// Of the models and their prices, `YYYY-MM-DD`.
    date: String,
    models: BTreeMap<String, Vec<Rates>>,
}

/// Prices in trillionths of a US dollar for one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub struct Rates {
    /// These hold for prompts of more tokens than this.
    #[serde(default)]
    pub above_tokens: u64,
    pub input: i64,
    pub output: i64,
    pub cache_read: i64,
    pub cache_write_5m: i64,
    pub cache_write_1h: i64,
}

/// Where prices are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriceSource {
    /// The provider said what this request cost.
    Provider,
    /// `prices` of the provider in the settings file.
    Settings,
    Table,
    /// A server on this machine for whose model no price is given: nothing.
    ThisMachine,
    /// No price is given: the highest known.
    HighestKnown,
}

/// The prices of one model, by the size of the prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tariff {
    pub source: PriceSource,
    /// Never empty, rising by `above_tokens`, the first from 0.
    rates: Vec<Rates>,
}

impl Tariff {
    /// The prices of a provider's model.
    pub fn of(provider: &Provider) -> Self {
        if let Some(rates) = provider.prices.as_ref().and_then(from_settings) {
            return Self { source: PriceSource::Settings, rates: vec![rates] };
        }
        if let Some(rates) = known(&provider.model) {
            return Self { source: PriceSource::Table, rates: rates.to_vec() };
        }
        // `prices` that are no prices are no reason to call it free.
        if provider.prices.is_none() && Address::of(provider).is_ok_and(|it| it.is_loopback) {
            return Self { source: PriceSource::ThisMachine, rates: vec![Rates::default()] };
        }
        Self { source: PriceSource::HighestKnown, rates: vec![highest_known()] }
    }

    /// What the tokens cost: by the provider's own word where it gives one, otherwise by these
    /// prices. Where a person gave the prices, the larger of both: they know what they pay, and a
    /// gateway may know half of it.
    pub fn cost(&self, usage: &Usage) -> (i64, PriceSource) {
        let by_tokens = self.by_tokens(usage);
        match usage.cost_pico_usd {
            Some(told) if self.source == PriceSource::Settings && told < by_tokens => {
                (by_tokens, self.source)
            }
            Some(told) => (told, PriceSource::Provider),
            None => (by_tokens, self.source),
        }
    }

    fn by_tokens(&self, usage: &Usage) -> i64 {
        let prompt_tokens = usage.prompt_tokens();
        let rates =
            self.rates.iter().rfind(|it| it.above_tokens == 0 || prompt_tokens > it.above_tokens);
        let rates = rates.copied().unwrap_or_default();
        sum(&[
            (usage.input_tokens, rates.input),
            (usage.cache_read, rates.cache_read),
            (usage.cache_write_5m, rates.cache_write_5m),
            (usage.cache_write_1h, rates.cache_write_1h),
            (usage.output_tokens, rates.output),
        ])
    }

    /// The most that a request can cost: all input at the dearer of reading and caching it, all
    /// output used, at the most expensive of the sizes that the estimate may fall into.
    pub fn worst_case(&self, estimated_input_tokens: u64, max_output_tokens: u64) -> i64 {
        self.rates
            .iter()
            .filter(|it| it.above_tokens == 0 || estimated_input_tokens > it.above_tokens)
            .map(|it| {
                let input = it.input.max(it.cache_write_5m).max(it.cache_read);
                sum(&[(estimated_input_tokens, input), (max_output_tokens, it.output)])
            })
            .max()
            .unwrap_or(i64::MAX)
    }
}

/// What the embedded table was made from and its date, for people and for the ledger.
pub fn table_source() -> (&'static str, &'static str) {
    (&TABLE.source, &TABLE.date)
}

fn sum(parts: &[(u64, i64)]) -> i64 {
    let exact = parts.iter().fold(0_i128, |sum, (n, price)| {
        sum.saturating_add(i128::from(*n).saturating_mul(i128::from(*price)))
    });
    i64::try_from(exact).unwrap_or(i64::MAX)
}

/// A model of the table by the name that a provider gives it: gateways put the vendor before it
/// (`anthropic/claude-x`).
fn known(model: &str) -> Option<&'static [Rates]> {
    let model = model.trim().to_ascii_lowercase();
    let short = model.rsplit('/').next().unwrap_or_default();
    let rates = TABLE.models.get(&model).or_else(|| TABLE.models.get(short))?;
    (!rates.is_empty()).then_some(rates)
}

fn highest_known() -> Rates {
    // Should the table ever be unreadable, nothing can be said to be within a cap.
    let most = |price: fn(&Rates) -> i64| {
        TABLE.models.values().flatten().map(price).max().unwrap_or(i64::MAX)
    };
    Rates {
        above_tokens: 0,
        input: most(|it| it.input),
        output: most(|it| it.output),
        cache_read: most(|it| it.cache_read),
        cache_write_5m: most(|it| it.cache_write_5m),
        cache_write_1h: most(|it| it.cache_write_1h),
    }
}

/// `None` where an amount is negative or no number.
fn from_settings(prices: &Prices) -> Option<Rates> {
    // Dollars for a million tokens are millions of trillionths for one. `{}` writes the digits that
    // were read.
    let rate = |usd_per_million: f64| decimal_up(&format!("{usd_per_million}"), 6);
    let input = rate(prices.input)?;
    let cache_write = prices.cache_write.map_or(Some(input), rate)?;
    Some(Rates {
        above_tokens: 0,
        input,
        output: rate(prices.output)?,
        cache_read: prices.cache_read.map_or(Some(input), rate)?,
        cache_write_5m: cache_write,
        cache_write_1h: cache_write,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::cloud::Protocol;

    const USD: i64 = 1_000_000_000_000;

    fn model(name: &str) -> Provider {
        Provider { name: "p".to_owned(), model: name.to_owned(), ..Provider::default() }
    }

    fn usage(input_tokens: u64, output_tokens: u64) -> Usage {
        Usage { input_tokens, output_tokens, ..Usage::default() }
    }

    #[test]
    fn the_table_is_there_and_says_where_it_is_from() {
        assert!(TABLE.models.len() > 150, "{}", TABLE.models.len());
        let (source, date) = table_source();
        assert!(source.starts_with("litellm ") && date.len() == 10, "{source} {date}");
        for (name, rates) in &TABLE.models {
            assert_eq!(rates[0].above_tokens, 0, "{name}");
            assert!(rates.is_sorted_by(|a, b| a.above_tokens < b.above_tokens), "{name}");
            assert!(
                rates.iter().all(|it| it.input >= 0 && it.output >= 0 && it.cache_read >= 0),
                "{name}"
            );
        }
    }

    #[test]
    fn a_million_tokens_cost_what_the_vendor_says() {
        let million = usage(1_000_000, 1_000_000);
        for name in ["claude-sonnet-5-5", "anthropic/claude-sonnet-5-5", "CLAUDE-SONNET-5-5"] {
            assert_eq!(Tariff::of(&model(name)).cost(&million), (12 * USD, PriceSource::Table));
        }
        let tariff = Tariff::of(&model("claude-sonnet-5-5"));
        let cached = Usage {
            cache_read: 1_000,
            cache_write_5m: 1_000,
            cache_write_1h: 1_000,
            ..Usage::default()
        };
        assert_eq!(tariff.cost(&cached).0, 1_000 * (100_000 + 2_500_000 + 4_000_000));
    }

    #[test]
    fn the_size_of_the_prompt_chooses_the_price() {
        let tariff = Tariff::of(&model("gpt-5.5"));
        assert_eq!(tariff.cost(&usage(272_000, 0)).0, 272_000 * 5_000_000);
        assert_eq!(tariff.cost(&usage(272_001, 1)).0, 272_001 * 10_000_000 + 45_000_000);
        let cached = Usage { cache_read: 272_001, ..Usage::default() };
        assert_eq!(tariff.cost(&cached).0, 272_001 * 1_000_000);
    }

    #[test]
    fn who_says_the_price() {
        let asked = usage(1_000, 100);
        let unknown = model("a-model-that-nobody-knows");
        let (dear, source) = Tariff::of(&unknown).cost(&asked);
        assert_eq!(source, PriceSource::HighestKnown);
        for rates in TABLE.models.values().flatten() {
            let tariff = Tariff {
                source: PriceSource::Table,
                rates: vec![Rates { above_tokens: 0, ..*rates }],
            };
            assert!(tariff.cost(&asked).0 <= dear);
        }

        let base_url = "http://localhost:8080".to_owned();
        let here = Provider { protocol: Protocol::OpenaiChat, base_url, ..unknown.clone() };
        assert_eq!(Tariff::of(&here).cost(&asked), (0, PriceSource::ThisMachine));
        // A gateway on this machine in front of a vendor.
        let gateway = Provider { model: "claude-sonnet-5-5".to_owned(), ..here.clone() };
        assert_eq!(Tariff::of(&gateway).source, PriceSource::Table);
        let base_url = "http://192.168.0.2:8080".to_owned();
        assert_eq!(Tariff::of(&Provider { base_url, ..here }).source, PriceSource::HighestKnown);

        let prices =
            Some(Prices { input: 0.1, output: 0.35, cache_read: Some(0.01), cache_write: None });
        let own = Provider { prices, ..unknown.clone() };
        assert_eq!(
            Tariff::of(&own).cost(&asked),
            (1_000 * 100_000 + 100 * 350_000, PriceSource::Settings)
        );
        let prices = Some(Prices { input: -1.0, output: f64::NAN, ..Prices::default() });
        assert_eq!(
            Tariff::of(&Provider { prices, ..unknown.clone() }).source,
            PriceSource::HighestKnown
        );

        let reported = Usage { cost_pico_usd: Some(7), ..asked };
        assert_eq!(Tariff::of(&unknown).cost(&reported), (7, PriceSource::Provider));
        assert_eq!(Tariff::of(&own).cost(&reported), (135_000_000, PriceSource::Settings));
        let reported = Usage { cost_pico_usd: Some(135_000_001), ..asked };
        assert_eq!(Tariff::of(&own).cost(&reported), (135_000_001, PriceSource::Provider));
    }

    #[test]
    fn the_worst_case_is_never_less_than_the_cost() {
        for (name, rates) in &TABLE.models {
            let tariff = Tariff { source: PriceSource::Table, rates: rates.clone() };
            for n in [1, 1_000, 99_999, 100_001, 200_001, 272_001, 900_000] {
                let worst = tariff.worst_case(n, 500);
                for part in [
                    usage(n, 500),
                    Usage { cache_write_5m: n, output_tokens: 500, ..Usage::default() },
                    Usage { cache_read: n / 2, input_tokens: n / 2, ..Usage::default() },
                ] {
                    assert!(tariff.cost(&part).0 <= worst, "{name} {n}");
                }
            }
        }
        assert_eq!(Tariff::of(&model("?")).worst_case(u64::MAX, u64::MAX), i64::MAX);
    }
}
