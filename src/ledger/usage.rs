//! Sums of the ledger: by day, by model, by action.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde::Serialize;

use crate::ledger::fault::Fault;
use crate::ledger::reservations::standing_in;
use crate::ledger::suggestions::add_suggestions;
use crate::ledger::{Day, Ledger, Now, Standing};

/// Sums of calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Amounts {
    /// Suggestions that were shown, however long they stayed while somebody typed along them.
    pub shown_suggestions: i64,
    pub accepted_suggestions: i64,
    /// Words and lines of suggestions that were taken by themselves.
    pub accepted_words: i64,
    pub accepted_lines: i64,
    /// Shown, and dismissed with nothing of them taken.
    pub rejected_suggestions: i64,
    /// Characters that suggestions put in, less the keys that accepted them.
    pub spared_characters: i64,
    /// Calls to a model in this process, whatever came of them.
    pub local_calls: i64,
    /// Their prompts, resident parts included.
    pub local_input_tokens: i64,
    pub local_output_tokens: i64,
    /// Calls to others, whatever came of them.
    pub sent_calls: i64,
    /// What was read into caches and out of them included.
    pub sent_input_tokens: i64,
    pub sent_output_tokens: i64,
    /// Of settled and lost calls.
    pub cost_pico_usd: i64,
    /// For calls under way.
    pub reserved_pico_usd: i64,
    /// Calls that are counted at their worst case, because their process is gone.
    pub lost_calls: i64,
}

/// What the ledger says of some days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageReport {
    /// All days that were asked for, in their order.
    pub days: Vec<(Day, Amounts)>,
    /// The most expensive first, then those with most calls.
    pub models: Vec<(String, Amounts)>,
    pub actions: Vec<(String, Amounts)>,
    pub total: Amounts,
    /// Of the present day and month, whatever days were asked for.
    pub day: Standing,
    pub month: Standing,
    /// From these days and the present month.
    pub notes: Vec<Note>,
}

/// What whoever reads sums has to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    pub at_unix_ms: i64,
    pub note: String,
}

impl Ledger {
    /// Sums up `days`, which touch and are in order.
    ///
    /// # Errors
    /// Why that can't be done now.
    pub fn usage(&mut self, days: Vec<Day>, now: &Now) -> Result<UsageReport, Fault> {
        self.make_ready()?;
        self.read(|connection| {
            let mut sums = Sums {
                days: days.into_iter().map(|it| (it, Amounts::default())).collect(),
                models: BTreeMap::new(),
                actions: BTreeMap::new(),
            };
            add_local_calls(connection, &mut sums)?;
            add_local_days(connection, &mut sums)?;
            add_sent_calls(connection, &mut sums)?;
            add_suggestions(connection, &mut sums)?;
            let mut total = Amounts::default();
            sums.days.iter().for_each(|(_, it)| total.add(it));
            let (start, _) = sums.period();
            let start = start.min(now.month.start_unix_ms);
            Ok(UsageReport {
                total,
                days: sums.days,
                models: by_weight(sums.models),
                actions: by_weight(sums.actions),
                day: standing_in(connection, now.day)?,
                month: standing_in(connection, now.month)?,
                notes: notes_since(connection, start)?,
            })
        })
    }
}

impl UsageReport {
    /// For where there is no ledger yet.
    pub fn of_nothing(days: Vec<Day>) -> Self {
        Self {
            days: days.into_iter().map(|it| (it, Amounts::default())).collect(),
            models: Vec::new(),
            actions: Vec::new(),
            total: Amounts::default(),
            day: Standing::default(),
            month: Standing::default(),
            notes: Vec::new(),
        }
    }
}

pub(super) struct Sums {
    days: Vec<(Day, Amounts)>,
    models: BTreeMap<String, Amounts>,
    actions: BTreeMap<String, Amounts>,
}

impl Sums {
    pub(super) fn period(&self) -> (i64, i64) {
        match (self.days.first(), self.days.last()) {
            (Some((first, _)), Some((last, _))) => {
                (first.period.start_unix_ms, last.period.end_unix_ms)
            }
            _ => (0, 0),
        }
    }

    fn day(&mut self, at_unix_ms: i64) -> Option<&mut Amounts> {
        let after = self.days.partition_point(|(it, _)| it.period.start_unix_ms <= at_unix_ms);
        let (day, amounts) = self.days.get_mut(after.checked_sub(1)?)?;
        day.period.contains(at_unix_ms).then_some(amounts)
    }

    pub(super) fn add(&mut self, at_unix_ms: i64, action: &str, model: &str, amounts: &Amounts) {
        let Some(day) = self.day(at_unix_ms) else { return };
        day.add(amounts);
        self.actions.entry(action.to_owned()).or_default().add(amounts);
        self.models.entry(model.to_owned()).or_default().add(amounts);
    }
}

fn add_local_calls(connection: &Connection, sums: &mut Sums) -> rusqlite::Result<()> {
    let mut kinds: BTreeMap<i64, (String, String, Amounts)> = BTreeMap::new();
    let mut statement = connection.prepare("SELECT kind_id, action, model FROM local_kinds")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        kinds.insert(row.get(0)?, (row.get(1)?, row.get(2)?, Amounts::default()));
    }
    let mut statement = connection.prepare(
        "SELECT at_unix_ms, kind_id, input_tokens, output_tokens FROM local_calls
        WHERE at_unix_ms >= ?1 AND at_unix_ms < ?2",
    )?;
    let mut rows = statement.query(sums.period())?;
    // There are hundreds of thousands: sums of kinds first, and names once.
    while let Some(row) = rows.next()? {
        let amounts = Amounts {
            local_calls: 1,
            local_input_tokens: row.get(2)?,
            local_output_tokens: row.get(3)?,
            ..Amounts::default()
        };
        let Some(day) = sums.day(row.get(0)?) else { continue };
        day.add(&amounts);
        if let Some((_, _, of_kind)) = kinds.get_mut(&row.get(1)?) {
            of_kind.add(&amounts);
        }
    }
    for (action, model, amounts) in kinds.into_values().filter(|it| it.2 != Amounts::default()) {
        sums.actions.entry(action).or_default().add(&amounts);
        sums.models.entry(model).or_default().add(&amounts);
    }
    Ok(())
}

fn add_local_days(connection: &Connection, sums: &mut Sums) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT noon_unix_ms, action, model, n_calls, input_tokens, output_tokens FROM local_days
        WHERE noon_unix_ms >= ?1 AND noon_unix_ms < ?2",
    )?;
    let mut rows = statement.query(sums.period())?;
    while let Some(row) = rows.next()? {
        let amounts = Amounts {
            local_calls: row.get(3)?,
            local_input_tokens: row.get(4)?,
            local_output_tokens: row.get(5)?,
            ..Amounts::default()
        };
        let (action, model): (String, String) = (row.get(1)?, row.get(2)?);
        sums.add(row.get(0)?, &action, &model, &amounts);
    }
    Ok(())
}

fn add_sent_calls(connection: &Connection, sums: &mut Sums) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT at_unix_ms, action, model, status, coalesce(cost_pico_usd, 0), reserved_pico_usd,
            coalesce(input_tokens + cache_read_tokens + cache_write_5m_tokens
                + cache_write_1h_tokens, 0),
            coalesce(output_tokens, 0)
        FROM sent_calls WHERE at_unix_ms >= ?1 AND at_unix_ms < ?2",
    )?;
    let mut rows = statement.query(sums.period())?;
    while let Some(row) = rows.next()? {
        let (action, model, status): (String, String, String) =
            (row.get(1)?, row.get(2)?, row.get(3)?);
        let amounts = Amounts {
            sent_calls: 1,
            sent_input_tokens: row.get(6)?,
            sent_output_tokens: row.get(7)?,
            cost_pico_usd: row.get(4)?,
            reserved_pico_usd: if status == "reserved" { row.get(5)? } else { 0 },
            lost_calls: i64::from(status == "lost"),
            ..Amounts::default()
        };
        sums.add(row.get(0)?, &action, &model, &amounts);
    }
    Ok(())
}

fn notes_since(connection: &Connection, unix_ms: i64) -> rusqlite::Result<Vec<Note>> {
    let sql = "SELECT at_unix_ms, note FROM notes WHERE at_unix_ms >= ?1 ORDER BY 1";
    let note = |row: &rusqlite::Row<'_>| Ok(Note { at_unix_ms: row.get(0)?, note: row.get(1)? });
    connection.prepare(sql)?.query_map([unix_ms], note)?.collect()
}

fn by_weight(sums: BTreeMap<String, Amounts>) -> Vec<(String, Amounts)> {
    let mut list: Vec<_> = sums.into_iter().collect();
    let weight =
        |it: &Amounts| (it.cost_pico_usd, it.local_calls + it.sent_calls, it.shown_suggestions);
    // Stable: what weighs the same stays in the order of its name.
    list.sort_by_key(|(_, it)| std::cmp::Reverse(weight(it)));
    list
}

impl Amounts {
    /// The share of calls that stayed in this process, 0 to 1; `None` where there are none.
    pub fn share_kept_local(&self) -> Option<f64> {
        let n_calls = self.local_calls + self.sent_calls;
        (n_calls > 0).then(|| self.local_calls as f64 / n_calls as f64)
    }

    /// Adds another sum to this one.
    pub fn add(&mut self, other: &Self) {
        let Self {
            shown_suggestions,
            accepted_suggestions,
            accepted_words,
            accepted_lines,
            rejected_suggestions,
            spared_characters,
            local_calls,
            local_input_tokens,
            local_output_tokens,
            sent_calls,
            sent_input_tokens,
            sent_output_tokens,
            cost_pico_usd,
            reserved_pico_usd,
            lost_calls,
        } = other;
        self.shown_suggestions += shown_suggestions;
        self.accepted_suggestions += accepted_suggestions;
        self.accepted_words += accepted_words;
        self.accepted_lines += accepted_lines;
        self.rejected_suggestions += rejected_suggestions;
        self.spared_characters += spared_characters;
        self.local_calls += local_calls;
        self.local_input_tokens += local_input_tokens;
        self.local_output_tokens += local_output_tokens;
        self.sent_calls += sent_calls;
        self.sent_input_tokens += sent_input_tokens;
        self.sent_output_tokens += sent_output_tokens;
        self.cost_pico_usd += cost_pico_usd;
        self.reserved_pico_usd += reserved_pico_usd;
        self.lost_calls += lost_calls;
    }
}
