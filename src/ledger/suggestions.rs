//! Suggestions: how many were shown and accepted, and characters spared. Sums by quarters of an
//! hour, so that the file stays small: some thirty rows a day, for ever.

use rusqlite::Connection;

use crate::ledger::Amounts;
use crate::ledger::calls::Suggested;
use crate::ledger::usage::Sums;

const QUARTER_MS: i64 = 15 * 60 * 1_000;

impl Suggested {
    /// The beginning of its quarter of an hour.
    fn quarter_unix_ms(&self) -> i64 {
        self.at_unix_ms - self.at_unix_ms.rem_euclid(QUARTER_MS)
    }

    /// Whether both are of one row.
    pub(super) fn is_summed_with(&self, other: &Self) -> bool {
        self.quarter_unix_ms() == other.quarter_unix_ms() && self.model == other.model
    }

    pub(super) fn add(&mut self, other: &Self) {
        let add = |sum: &mut u32, n: u32| *sum = sum.saturating_add(n);
        add(&mut self.n_shown, other.n_shown);
        add(&mut self.n_accepted, other.n_accepted);
        add(&mut self.n_accepted_words, other.n_accepted_words);
        add(&mut self.n_accepted_lines, other.n_accepted_lines);
        add(&mut self.n_rejected, other.n_rejected);
        add(&mut self.n_spared_characters, other.n_spared_characters);
    }
}

pub(super) fn insert(connection: &Connection, suggested: &[Suggested]) -> rusqlite::Result<()> {
    let sql = "INSERT INTO suggestions (quarter_unix_ms, model, n_shown, n_accepted,
            n_accepted_words, n_accepted_lines, n_rejected, n_spared_characters)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
        ON CONFLICT DO UPDATE SET
            n_shown = n_shown + excluded.n_shown,
            n_accepted = n_accepted + excluded.n_accepted,
            n_accepted_words = n_accepted_words + excluded.n_accepted_words,
            n_accepted_lines = n_accepted_lines + excluded.n_accepted_lines,
            n_rejected = n_rejected + excluded.n_rejected,
            n_spared_characters = n_spared_characters + excluded.n_spared_characters";
    let mut statement = connection.prepare_cached(sql)?;
    for it in suggested {
        statement.execute((
            it.quarter_unix_ms(),
            it.model.text(),
            it.n_shown,
            it.n_accepted,
            it.n_accepted_words,
            it.n_accepted_lines,
            it.n_rejected,
            it.n_spared_characters,
        ))?;
    }
    Ok(())
}

/// Adds what became of suggestions in the days of `sums`.
pub(super) fn add_suggestions(connection: &Connection, sums: &mut Sums) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT quarter_unix_ms, model, n_shown, n_accepted, n_accepted_words,
            n_accepted_lines, n_rejected, n_spared_characters FROM suggestions
        WHERE quarter_unix_ms >= ?1 AND quarter_unix_ms < ?2",
    )?;
    let mut rows = statement.query(sums.period())?;
    while let Some(row) = rows.next()? {
        let amounts = Amounts {
            shown_suggestions: row.get(2)?,
            accepted_suggestions: row.get(3)?,
            accepted_words: row.get(4)?,
            accepted_lines: row.get(5)?,
            rejected_suggestions: row.get(6)?,
            spared_characters: row.get(7)?,
            ..Amounts::default()
        };
        let model: String = row.get(1)?;
        sums.add(row.get(0)?, "complete", &model, &amounts);
    }
    Ok(())
}
