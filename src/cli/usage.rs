//! `keyside usage`: suggestions that were shown and accepted, what calls to models have cost, by
//! day, by model and by action; what is left of the caps; what stayed local.

mod quality;
mod text;

use clap::Args;
use serde_json::{Value, json};

use crate::assistant::cloud::{caps, ledger_file};
use crate::cli::{setup, terminal};
use crate::config::cloud::Provider;
use crate::ledger::{Amounts, Calendar, Caps, Ledger, PICO_USD_PER_USD, Standing, UsageReport};
use crate::remote::pricing::tariff::{PriceSource, Tariff};
use crate::remote::protocol::usage::Usage;

/// What `usage` takes.
#[derive(Debug, Args)]
pub struct UsageArguments {
    /// How many days, today included.
    #[arg(long, default_value_t = 14, value_name = "N", conflicts_with = "month",
        value_parser = days)]
    pub days: u32,
    /// The days of this month.
    #[arg(long)]
    pub month: bool,
    /// What was learned from corrections, and how well.
    #[arg(long, conflicts_with_all = ["days", "month"])]
    pub quality: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

fn days(text: &str) -> Result<u32, String> {
    let days = text.parse().ok().filter(|it| (1..=3_650).contains(it));
    days.ok_or_else(|| "write a whole number of days from 1 to 3650".to_owned())
}

/// The price at which local calls are valued, for programs that ask for JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The model whose price it is.
    pub model: String,
    pub input_pico_usd_per_token: i64,
    pub output_pico_usd_per_token: i64,
}

/// Runs the command.
///
/// # Errors
/// One sentence.
pub fn run(arguments: &UsageArguments) -> Result<(), String> {
    if arguments.quality {
        return quality::run(arguments.json);
    }
    let folders = setup::folders()?;
    let resolved = setup::settings(&folders);
    terminal::notes(&resolved.notes);
    let calendar = Calendar::system();
    let now = calendar.now();
    let days = if arguments.month {
        calendar.days_of_month(now.unix_ms)
    } else {
        calendar.last_days(now.unix_ms, arguments.days)
    };
    let path = ledger_file(&folders.data);
    // Asking what was spent begins no ledger.
    let report = if path.exists() {
        let mut ledger = Ledger::open(&path).map_err(|it| it.sentence)?;
        ledger.sweep().map_err(|it| it.sentence)?;
        let report = ledger.usage(days, &now).map_err(|it| it.sentence)?;
        terminal::notes(&ledger.take_notes());
        report
    } else {
        UsageReport::of_nothing(days)
    };
    let caps = caps(&resolved.config.cloud);
    if arguments.json {
        let comparison = comparison(&resolved.config.cloud.compare_with);
        return terminal::print_json(&to_json(&report, &caps, comparison.as_ref()));
    }
    terminal::print(&text::render(&report, &caps))
}

/// The prices of the model that local work is compared with, where the table has it.
fn comparison(model: &str) -> Option<Comparison> {
    let tariff = Tariff::of(&Provider { model: model.to_owned(), ..Provider::default() });
    let price = |usage: Usage| tariff.cost(&usage).0;
    (tariff.source == PriceSource::Table).then(|| Comparison {
        model: model.to_owned(),
        input_pico_usd_per_token: price(Usage { input_tokens: 1, ..Usage::default() }),
        output_pico_usd_per_token: price(Usage { output_tokens: 1, ..Usage::default() }),
    })
}

fn to_json(report: &UsageReport, caps: &Caps, comparison: Option<&Comparison>) -> String {
    let list = |key: &str, name: &str, amounts: &Amounts| {
        let mut value = json!(amounts);
        value[key] = name.into();
        value
    };
    let standing = |it: &Standing, cap: i64| {
        json!({
            "spent_pico_usd": it.spent_pico_usd,
            "reserved_pico_usd": it.reserved_pico_usd,
            "cap_pico_usd": cap,
            "left_pico_usd": it.left(cap),
        })
    };
    let of = |key: &'static str, rows: &[(String, Amounts)]| -> Vec<Value> {
        rows.iter().map(|(name, it)| list(key, name, it)).collect()
    };
    let days = report.days.iter().map(|(day, it)| list("date", &day.date, it));
    let saved =
        comparison.map(|it| json!({"model": it.model, "pico_usd": saved(&report.total, it)}));
    let mut value = json!({
        "pico_usd_per_usd": PICO_USD_PER_USD,
        "days": days.collect::<Vec<_>>(),
        "models": of("model", &report.models),
        "actions": of("action", &report.actions),
        "total": report.total,
        "today": standing(&report.day, caps.daily_pico_usd),
        "this_month": standing(&report.month, caps.monthly_pico_usd),
        "share_kept_local": report.total.share_kept_local(),
        "local_at_the_price_of": saved,
        "notes": report.notes,
    });
    value.sort_all_objects();
    format!("{}\n", serde_json::to_string_pretty(&value).unwrap_or_default())
}

/// What local calls would have cost had each been sent with all of its prompt.
fn saved(total: &Amounts, price: &Comparison) -> i64 {
    let cost = |n: i64, each: i64| n.saturating_mul(each);
    cost(total.local_input_tokens, price.input_pico_usd_per_token)
        .saturating_add(cost(total.local_output_tokens, price.output_pico_usd_per_token))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn json_has_the_same_figures_as_the_text() {
        let calendar = Calendar::utc();
        let mut report = UsageReport::of_nothing(calendar.last_days(1_795_300_000_000, 1));
        report.total = Amounts {
            shown_suggestions: 9,
            accepted_suggestions: 4,
            accepted_words: 3,
            accepted_lines: 1,
            rejected_suggestions: 2,
            spared_characters: 61,
            local_calls: 3,
            local_input_tokens: 2_700,
            local_output_tokens: 36,
            sent_calls: 1,
            sent_input_tokens: 4_100,
            sent_output_tokens: 600,
            cost_pico_usd: 5_000_000_000,
            ..Amounts::default()
        };
        report.days[0].1 = report.total;
        report.models = vec![("a model".to_owned(), report.total)];
        report.day = Standing { spent_pico_usd: 5_000_000_000, reserved_pico_usd: 1 };
        let caps = Caps { daily_pico_usd: 2 * PICO_USD_PER_USD, monthly_pico_usd: 0 };
        let comparison = Comparison {
            model: "claude-sonnet-5-5".to_owned(),
            input_pico_usd_per_token: 2_000_000,
            output_pico_usd_per_token: 10_000_000,
        };
        let text = to_json(&report, &caps, Some(&comparison));
        expect![[r#"
            {
              "actions": [],
              "days": [
                {
                  "accepted_lines": 1,
                  "accepted_suggestions": 4,
                  "accepted_words": 3,
                  "cost_pico_usd": 5000000000,
                  "date": "2026-11-21",
                  "local_calls": 3,
                  "local_input_tokens": 2700,
                  "local_output_tokens": 36,
                  "lost_calls": 0,
                  "rejected_suggestions": 2,
                  "reserved_pico_usd": 0,
                  "sent_calls": 1,
                  "sent_input_tokens": 4100,
                  "sent_output_tokens": 600,
                  "shown_suggestions": 9,
                  "spared_characters": 61
                }
              ],
              "local_at_the_price_of": {
                "model": "claude-sonnet-5-5",
                "pico_usd": 5760000000
              },
              "models": [
                {
                  "accepted_lines": 1,
                  "accepted_suggestions": 4,
                  "accepted_words": 3,
                  "cost_pico_usd": 5000000000,
                  "local_calls": 3,
                  "local_input_tokens": 2700,
                  "local_output_tokens": 36,
                  "lost_calls": 0,
                  "model": "a model",
                  "rejected_suggestions": 2,
                  "reserved_pico_usd": 0,
                  "sent_calls": 1,
                  "sent_input_tokens": 4100,
                  "sent_output_tokens": 600,
                  "shown_suggestions": 9,
                  "spared_characters": 61
                }
              ],
              "notes": [],
              "pico_usd_per_usd": 1000000000000,
              "share_kept_local": 0.75,
              "this_month": {
                "cap_pico_usd": 0,
                "left_pico_usd": 0,
                "reserved_pico_usd": 0,
                "spent_pico_usd": 0
              },
              "today": {
                "cap_pico_usd": 2000000000000,
                "left_pico_usd": 1994999999999,
                "reserved_pico_usd": 1,
                "spent_pico_usd": 5000000000
              },
              "total": {
                "accepted_lines": 1,
                "accepted_suggestions": 4,
                "accepted_words": 3,
                "cost_pico_usd": 5000000000,
                "local_calls": 3,
                "local_input_tokens": 2700,
                "local_output_tokens": 36,
                "lost_calls": 0,
                "rejected_suggestions": 2,
                "reserved_pico_usd": 0,
                "sent_calls": 1,
                "sent_input_tokens": 4100,
                "sent_output_tokens": 600,
                "shown_suggestions": 9,
                "spared_characters": 61
              }
            }
        "#]]
        .assert_eq(&text);
    }
}
