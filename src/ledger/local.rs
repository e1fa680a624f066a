//! Calls to the local model: written in batches, and folded into sums of days when they are old, so
//! that the file stays small.
//!
//! A call is a row of some twenty bytes for a month; ten thousand a day are six megabytes. What is
//! folded is gone from the rows in the same transaction, so sums are the same before and after, and
//! two processes that fold at once do not count anything twice.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use crate::ledger::calls::{LocalCall, LocalStatus, Suggested};
use crate::ledger::fault::Fault;
use crate::ledger::{Calendar, Day, Ledger, suggestions};

/// The end of the year 9998; calendars end soon after.
const MAX_UNIX_MS: i64 = 253_370_764_800_000;
/// More pages than a day of rows has are freed at once.
const MAX_PAGES_TO_FREE: i64 = 2_000;

impl Ledger {
    /// Writes calls to the local model, all of them or none.
    ///
    /// # Errors
    /// Why they could not be written.
    pub fn record_local(&mut self, calls: &[LocalCall]) -> Result<(), Fault> {
        self.record(calls, &[])
    }

    /// Writes calls to the local model and what became of suggestions, all of it or nothing.
    ///
    /// # Errors
    /// Why they could not be written.
    pub fn record(&mut self, calls: &[LocalCall], suggested: &[Suggested]) -> Result<(), Fault> {
        if calls.is_empty() && suggested.is_empty() {
            return Ok(());
        }
        self.make_ready()?;
        // The loss of power may cost the last rows of these, but no money, and a disk that sleeps
        // may sleep on.
        let lazily = self.set_synchronous("NORMAL");
        let process = self.process.clone();
        let written = lazily.and_then(|()| {
            self.write(|it| {
                insert(it, &process, calls)?;
                suggestions::insert(it, suggested)
            })
        });
        self.set_synchronous("FULL")?;
        written
    }

    fn set_synchronous(&mut self, level: &str) -> Result<(), Fault> {
        let done = self.file.connection.pragma_update(None, "synchronous", level);
        done.map_err(|error| self.file.fault(&error))
    }

    /// Folds the local calls of days that ended more than `keep_days` days before `unix_ms`; how
    /// many there were.
    ///
    /// # Errors
    /// Why it could not go on. Days that were folded stay so.
    pub fn fold_local(
        &mut self,
        calendar: &Calendar,
        unix_ms: i64,
        keep_days: u32,
    ) -> Result<u64, Fault> {
        self.make_ready()?;
        let kept = calendar.last_days(unix_ms, keep_days.saturating_add(1));
        let Some(before) = kept.first().map(|it| it.period.start_unix_ms) else { return Ok(0) };
        let mut n_folded = 0;
        while let Some(oldest) = self.read(|it| oldest(it, before))? {
            let day = calendar.day(oldest);
            let n_rows = self.write(|connection| fold_day(connection, &day))?;
            n_folded += n_rows;
            if n_rows == 0 {
                // Somebody else was quicker, and goes on.
                break;
            }
        }
        if n_folded > 0 {
            self.write(remove_unused_kinds)?;
            self.read(|it| {
                let sql = format!("PRAGMA incremental_vacuum({MAX_PAGES_TO_FREE})");
                let mut statement = it.prepare(&sql)?;
                let mut freed = statement.query([])?;
                while freed.next()?.is_some() {}
                Ok(())
            })?;
        }
        Ok(n_folded)
    }
}

fn insert(connection: &Connection, process: &str, calls: &[LocalCall]) -> rusqlite::Result<()> {
    let mut kinds = HashMap::new();
    let sql = "INSERT INTO local_calls VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let mut statement = connection.prepare_cached(sql)?;
    for call in calls {
        let key = (call.workspace, call.action, call.model);
        let kind = match kinds.get(&key) {
            Some(kind) => *kind,
            None => *kinds.entry(key).or_insert(kind_of(connection, process, call)?),
        };
        statement.execute(params![
            call.at_unix_ms.clamp(0, MAX_UNIX_MS),
            kind,
            call.status.to_sql(),
            call.input_tokens,
            call.cached_tokens,
            call.output_tokens,
            call.duration_us,
        ])?;
    }
    Ok(())
}

/// The number of what many calls have in common. Looked for in each transaction: another process
/// may have removed it with the last rows that had it.
fn kind_of(connection: &Connection, process: &str, call: &LocalCall) -> rusqlite::Result<i64> {
    let values = params![process, call.workspace.to_sql(), call.action.text(), call.model.text()];
    let sql = "INSERT OR IGNORE INTO local_kinds (process, workspace_hash, action, model)
        VALUES (?1, ?2, ?3, ?4)";
    connection.prepare_cached(sql)?.execute(values)?;
    let sql = "SELECT kind_id FROM local_kinds
        WHERE process = ?1 AND workspace_hash = ?2 AND action = ?3 AND model = ?4";
    connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))
}

fn oldest(connection: &Connection, before_unix_ms: i64) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT min(at_unix_ms) FROM local_calls WHERE at_unix_ms < ?1";
    connection.prepare_cached(sql)?.query_row([before_unix_ms], |row| row.get(0))
}

/// How many rows there were.
fn fold_day(connection: &Connection, day: &Day) -> rusqlite::Result<u64> {
    let (start, end) = (day.period.start_unix_ms, day.period.end_unix_ms);
    let noon = start + (end - start) / 2;
    // Rows of a day that was folded before come late, from a process that could not write.
    let sql = "INSERT INTO local_days
        SELECT ?1, action, model, count(*), sum(status = ?4), sum(input_tokens),
            sum(cached_tokens), sum(output_tokens), sum(duration_us)
        FROM local_calls JOIN local_kinds USING (kind_id)
        WHERE at_unix_ms >= ?2 AND at_unix_ms < ?3
        GROUP BY action, model
        ON CONFLICT DO UPDATE SET
            n_calls = n_calls + excluded.n_calls,
            n_ok = n_ok + excluded.n_ok,
            input_tokens = input_tokens + excluded.input_tokens,
            cached_tokens = cached_tokens + excluded.cached_tokens,
            output_tokens = output_tokens + excluded.output_tokens,
            duration_us = duration_us + excluded.duration_us";
    connection.prepare_cached(sql)?.execute((noon, start, end, LocalStatus::Ok.to_sql()))?;
    let sql = "DELETE FROM local_calls WHERE at_unix_ms >= ?1 AND at_unix_ms < ?2";
    Ok(connection.prepare_cached(sql)?.execute((start, end))? as u64)
}

fn remove_unused_kinds(connection: &Connection) -> rusqlite::Result<usize> {
    let sql = "DELETE FROM local_kinds WHERE kind_id NOT IN (SELECT kind_id FROM local_calls)";
    connection.execute(sql, [])
}
