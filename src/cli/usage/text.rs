//! What `keyside usage` prints, as a function of the sums.

use crate::ledger::{Amounts, Calendar, Caps, Day, UsageReport, usd};

/// Of the longest bar, in characters.
const BAR_WIDTH: i128 = 40;

/// Tables by day, model and action, a bar for each day, and what it comes to.
pub(super) fn render(report: &UsageReport, caps: &Caps) -> String {
    let mut text = String::new();
    if let (Some((first, _)), Some((last, _))) = (report.days.first(), report.days.last()) {
        text.push_str(&format!("From {} to {}\n\n", first.date, last.date));
    }
    let days = report.days.iter().map(|(day, it)| (day.date.as_str(), it));
    let worked: Vec<Row<'_>> = days.filter(|(_, it)| **it != Amounts::default()).collect();
    if worked.is_empty() {
        text.push_str("no suggestions and no calls\n\n");
    } else {
        let named = |list| -> Vec<Row<'_>> { Vec::from_iter(rows(list)) };
        // Who sends nothing does not look for money.
        let with_cloud = report.total.sent_calls > 0;
        text.push_str(&table("day", &worked, Some(&report.total), with_cloud));
        text.push_str(&table("model", &named(&report.models), None, with_cloud));
        text.push_str(&table("action", &named(&report.actions), None, with_cloud));
        text.push_str(&bars(&report.days));
    }
    text.push_str(&summary(report, caps));
    text
}

/// A line of a table: its name, and what it sums up.
type Row<'a> = (&'a str, &'a Amounts);

fn rows(list: &[(String, Amounts)]) -> impl Iterator<Item = Row<'_>> {
    list.iter().map(|(name, it)| (name.as_str(), it))
}

/// Names to the left, numbers to the right, an empty line at the end.
fn table(of: &str, rows: &[Row<'_>], total: Option<&Amounts>, with_cloud: bool) -> String {
    let heads = [
        of,
        "shown",
        "accepted",
        "spared",
        "local calls",
        "sent",
        "tokens in",
        "tokens out",
        "cost",
        "held",
    ];
    let n_columns = if with_cloud { heads.len() } else { 5 };
    let mut cells = vec![heads.map(ToOwned::to_owned)];
    for (name, it) in rows.iter().copied().chain(total.map(|it| ("all", it))) {
        cells.push([
            name.to_owned(),
            count(it.shown_suggestions),
            count(it.accepted_suggestions),
            count(it.spared_characters),
            count(it.local_calls),
            count(it.sent_calls),
            count(it.sent_input_tokens),
            count(it.sent_output_tokens),
            amount(it.cost_pico_usd),
            amount(it.reserved_pico_usd),
        ]);
    }
    let width = |column: usize| cells.iter().map(|it| it[column].chars().count()).max();
    let widths: Vec<usize> = (0..n_columns).map(|it| width(it).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &cells {
        text.push_str(&format!("{:<1$}", row[0], widths[0]));
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            text.push_str(&format!("  {cell:>width$}"));
        }
        text.push('\n');
    }
    text.push('\n');
    text
}

/// A bar for each day: of its cost where there is any, else of characters spared, else of calls.
fn bars(days: &[(Day, Amounts)]) -> String {
    let any = |value: fn(&Amounts) -> i64| days.iter().any(|(_, it)| value(it) > 0);
    let cost = |it: &Amounts| it.cost_pico_usd;
    let spared = |it: &Amounts| it.spared_characters;
    let calls = |it: &Amounts| it.local_calls + it.sent_calls;
    let (head, value): (&str, fn(&Amounts) -> i64) = if any(cost) {
        ("cost", cost)
    } else if any(spared) {
        ("characters spared", spared)
    } else {
        ("calls", calls)
    };
    let most = days.iter().map(|(_, it)| value(it)).max().unwrap_or(0).max(1);
    let mut text = format!("{head} a day\n");
    for (day, amounts) in days {
        let value = value(amounts);
        // Whatever is more than nothing is seen.
        let most = i128::from(most);
        let length = (i128::from(value) * BAR_WIDTH + most - 1) / most;
        let bar = "#".repeat(usize::try_from(length).unwrap_or(0));
        let shown = match value {
            0 => String::new(),
            _ if head == "cost" => format!(" {}", usd(value)),
            _ => format!(" {}", grouped(value)),
        };
        text.push_str(format!("{} {bar}{shown}", day.date).trim_end());
        text.push('\n');
    }
    text.push('\n');
    text
}

fn summary(report: &UsageReport, caps: &Caps) -> String {
    let mut text = suggestions(&report.total);
    for (name, standing, cap) in [
        ("today", &report.day, caps.daily_pico_usd),
        ("this month", &report.month, caps.monthly_pico_usd),
    ] {
        text.push_str(&format!(
            "{name}: {} spent, {} held for requests under way, {} left of the cap of {}\n",
            usd(standing.spent_pico_usd),
            usd(standing.reserved_pico_usd),
            usd(standing.left(cap)),
            usd(cap)
        ));
    }
    let total = &report.total;
    if let Some(permille) = permille_kept_local(total) {
        text.push_str(&format!(
            "kept local: {}.{}% of calls ({} of {})\n",
            permille / 10,
            permille % 10,
            grouped(total.local_calls),
            grouped(total.local_calls + total.sent_calls)
        ));
    }
    if total.lost_calls > 0 {
        text.push_str(&format!(
            "sent and never heard of again, because their process ended; counted at the most that they could cost: {}\n",
            grouped(total.lost_calls)
        ));
    }
    for note in &report.notes {
        let date = Calendar::system().day(note.at_unix_ms).date;
        text.push_str(&format!("on {date}: {}; what was spent before is not in it\n", note.note));
    }
    text
}

/// What local work has saved: keys.
fn suggestions(total: &Amounts) -> String {
    let Amounts { shown_suggestions: shown, accepted_suggestions: accepted, .. } = *total;
    let parts = [
        (total.accepted_words, "word taken by itself", "words taken by themselves"),
        (total.accepted_lines, "line taken by itself", "lines taken by themselves"),
        (total.rejected_suggestions, "rejected", "rejected"),
    ];
    if shown == 0 && accepted == 0 && parts.iter().all(|(n, ..)| *n == 0) {
        return String::new();
    }
    let share = match (accepted * 1_000).checked_div(shown) {
        // Shown before these days, or by an editor that does not say what it accepts.
        Some(permille @ 1..=1_000) => format!(" ({}.{}%)", permille / 10, permille % 10),
        _ => String::new(),
    };
    let parts = parts.into_iter().filter(|(n, ..)| *n > 0).map(|(n, one, more)| {
        let what = if n == 1 { one } else { more };
        format!(", {} {what}", grouped(n))
    });
    format!(
        "suggestions: {} shown, {} accepted{share}{}; {} characters spared\n",
        grouped(shown),
        grouped(accepted),
        parts.collect::<String>(),
        grouped(total.spared_characters)
    )
}

/// Of a table: nothing is a dash.
fn count(n: i64) -> String {
    if n == 0 { "-".to_owned() } else { grouped(n) }
}

/// Of a table: as many digits in each line, so that they can be compared.
fn amount(pico_usd: i64) -> String {
    let text = usd(pico_usd);
    match text.split_once('.') {
        _ if pico_usd == 0 => "-".to_owned(),
        Some((_, cents)) if cents.len() == 2 => format!("{text}00"),
        _ => text.replace("under ", "<"),
    }
}

/// Rounded down: only where nothing was sent is it all of them.
fn permille_kept_local(total: &Amounts) -> Option<i64> {
    (total.local_calls * 1_000).checked_div(total.local_calls + total.sent_calls)
}

/// As `12,345`.
fn grouped(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut text = if n < 0 { "-".to_owned() } else { String::new() };
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use crate::ledger::{Note, PICO_USD_PER_USD, Standing, unix_ms};

    use super::*;

    const CAPS: Caps =
        Caps { daily_pico_usd: 2 * PICO_USD_PER_USD, monthly_pico_usd: 20 * PICO_USD_PER_USD };
    /// 2026-11-21 22:26:40 in UTC.
    const NOW: i64 = 1_795_300_000_000;

    fn local(n: i64) -> Amounts {
        Amounts {
            local_calls: n,
            local_input_tokens: 900 * n,
            local_output_tokens: 12 * n,
            shown_suggestions: n / 2,
            accepted_suggestions: n / 8,
            spared_characters: n,
            ..Amounts::default()
        }
    }

    fn sent(n: i64, cost_pico_usd: i64) -> Amounts {
        Amounts {
            sent_calls: n,
            sent_input_tokens: 4_100 * n,
            sent_output_tokens: 600 * n,
            cost_pico_usd,
            ..Amounts::default()
        }
    }

    fn both(mut one: Amounts, other: Amounts) -> Amounts {
        one.add(&other);
        one
    }

    fn report(days: &[Amounts]) -> UsageReport {
        let dates = Calendar::utc().last_days(NOW, u32::try_from(days.len()).expect("few"));
        let mut report = UsageReport::of_nothing(dates);
        for ((_, day), amounts) in report.days.iter_mut().zip(days) {
            *day = *amounts;
            report.total.add(amounts);
        }
        report
    }

    fn check(report: &UsageReport, expected: &Expect) {
        expected.assert_eq(&render(report, &CAPS));
    }

    #[test]
    fn nothing_at_all() {
        check(
            &report(&[Amounts::default(); 3]),
            &expect![[r#"
            From 2026-11-19 to 2026-11-21

            no suggestions and no calls

            today: $0.00 spent, $0.00 held for requests under way, $2.00 left of the cap of $2.00
            this month: $0.00 spent, $0.00 held for requests under way, $20.00 left of the cap of $20.00
        "#]],
        );
    }

    #[test]
    fn local_work_only() {
        let mut report = report(&[local(812), Amounts::default(), local(12_345)]);
        report.models = vec![("keyside-20m".to_owned(), local(13_157))];
        report.actions = vec![("complete".to_owned(), local(13_157))];
        check(
            &report,
            &expect![[r#"
                From 2026-11-19 to 2026-11-21

                day         shown  accepted  spared  local calls
                2026-11-19    406       101     812          812
                2026-11-21  6,172     1,543  12,345       12,345
                all         6,578     1,644  13,157       13,157

                model        shown  accepted  spared  local calls
                keyside-20m  6,578     1,644  13,157       13,157

                action    shown  accepted  spared  local calls
                complete  6,578     1,644  13,157       13,157

                characters spared a day
                2026-11-19 ### 812
                2026-11-20
                2026-11-21 ######################################## 12,345

                suggestions: 6,578 shown, 1,644 accepted (24.9%); 13,157 characters spared
                today: $0.00 spent, $0.00 held for requests under way, $2.00 left of the cap of $2.00
                this month: $0.00 spent, $0.00 held for requests under way, $20.00 left of the cap of $20.00
                kept local: 100.0% of calls (13,157 of 13,157)
            "#]],
        );
    }

    #[test]
    fn local_and_sent() {
        let dear = both(sent(3, 312_345_678_901), local(100));
        let mut held = sent(2, 1_000_000);
        (held.reserved_pico_usd, held.lost_calls) = (80_000_000_000, 1);
        let mut report = report(&[local(812), dear, held]);
        report.models = vec![
            ("claude-sonnet-5-5".to_owned(), both(sent(3, 312_345_678_901), held)),
            ("keyside-20m".to_owned(), local(912)),
        ];
        report.actions = vec![
            ("explain".to_owned(), both(sent(3, 312_345_678_901), held)),
            ("complete".to_owned(), local(912)),
        ];
        report.day = Standing { spent_pico_usd: 1_000_000, reserved_pico_usd: 80_000_000_000 };
        report.month =
            Standing { spent_pico_usd: 312_346_678_901, reserved_pico_usd: 80_000_000_000 };
        check(
            &report,
            &expect![[r#"
                From 2026-11-19 to 2026-11-21

                day         shown  accepted  spared  local calls  sent  tokens in  tokens out      cost     held
                2026-11-19    406       101     812          812     -          -           -         -        -
                2026-11-20     50        12     100          100     3     12,300       1,800   $0.3123        -
                2026-11-21      -         -       -            -     2      8,200       1,200  <$0.0001  $0.0800
                all           456       113     912          912     5     20,500       3,000   $0.3123  $0.0800

                model              shown  accepted  spared  local calls  sent  tokens in  tokens out     cost     held
                claude-sonnet-5-5      -         -       -            -     5     20,500       3,000  $0.3123  $0.0800
                keyside-20m          456       114     912          912     -          -           -        -        -

                action    shown  accepted  spared  local calls  sent  tokens in  tokens out     cost     held
                explain       -         -       -            -     5     20,500       3,000  $0.3123  $0.0800
                complete    456       114     912          912     -          -           -        -        -

                cost a day
                2026-11-19
                2026-11-20 ######################################## $0.3123
                2026-11-21 # under $0.0001

                suggestions: 456 shown, 113 accepted (24.7%); 912 characters spared
                today: under $0.0001 spent, $0.08 held for requests under way, $1.92 left of the cap of $2.00
                this month: $0.3123 spent, $0.08 held for requests under way, $19.6077 left of the cap of $20.00
                kept local: 99.4% of calls (912 of 917)
                sent and never heard of again, because their process ended; counted at the most that they could cost: 1
            "#]],
        );
    }

    #[test]
    fn a_ledger_that_was_begun_anew_says_so() {
        let mut report = report(&[local(1)]);
        report.notes = vec![Note { at_unix_ms: unix_ms(), note: "the ledger was gone".to_owned() }];
        let text = render(&report, &CAPS);
        assert!(text.ends_with(": the ledger was gone; what was spent before is not in it\n"));
        // What each key would have cost elsewhere says nothing.
        assert!(!text.contains("would have cost") && !text.contains("sent  "), "{text}");
    }

    #[test]
    fn all_is_said_only_where_all_is() {
        assert_eq!(permille_kept_local(&Amounts::default()), None);
        assert_eq!(permille_kept_local(&local(5)), Some(1_000));
        assert_eq!(permille_kept_local(&both(local(100_000), sent(1, 0))), Some(999));
    }

    #[test]
    fn thousands_are_set_apart() {
        let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (-1_234_567, "-1,234,567")];
        for (n, expected) in cases {
            assert_eq!(grouped(n), expected);
        }
    }
}
