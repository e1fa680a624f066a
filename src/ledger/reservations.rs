//! Reserving money before a request is sent, settling it once, and counting what the dead have
//! left.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::ledger::calls::{Reservation, Settlement, Status, WorkspaceHash, clean};
use crate::ledger::fault::{Fault, FaultKind};
use crate::ledger::file::{self, LedgerFile};
use crate::ledger::outcome::{
    CallId, CapPeriod, CapRefusal, CapWarning, Caps, Granted, NotSettled, Refused, Standing, Swept,
};
use crate::ledger::presence::{self, Found, Presence};
use crate::ledger::{Now, Period, unix_ms};

/// An open ledger. All that it does may wait for other processes, five seconds at most: not for
/// threads that answer somebody.
pub struct Ledger {
    pub(super) file: LedgerFile,
    /// What others know this one by.
    pub(super) process: String,
    /// From the first reservation on.
    presence: Option<Presence>,
    /// Something was found to be damaged: open the file anew before anything else.
    is_suspect: bool,
    notes: Vec<String>,
}

impl Ledger {
    /// Opens the ledger at `path`, or begins one, with its folder. A damaged one is moved aside;
    /// see `take_notes`.
    ///
    /// # Errors
    /// Why there is no ledger now. Then nothing may be sent; all else goes on without it.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let (file, notes) = LedgerFile::open(path, false)?;
        let process = presence::new_name();
        Ok(Self { file, process, presence: None, is_suspect: false, notes })
    }

    /// What a person should be told, each thing once: that a ledger was damaged, and so what was
    /// spent is unknown.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Reserves the most that a request can cost. Without that, it must not be sent.
    ///
    /// The call belongs to the day and the month in which it is reserved, even if it ends later.
    ///
    /// # Errors
    /// A cap that it would go past, with the figures; or why there is no knowing.
    pub fn reserve(
        &mut self,
        what: &Reservation<'_>,
        caps: &Caps,
        now: &Now,
    ) -> Result<Granted, Refused> {
        what.check().map_err(Refused::Fault)?;
        self.try_reserve(what, caps, now)?.map_err(Refused::Cap)
    }

    fn try_reserve(
        &mut self,
        what: &Reservation<'_>,
        caps: &Caps,
        now: &Now,
    ) -> Result<Result<Granted, CapRefusal>, Fault> {
        self.make_ready()?;
        if self.presence.is_none() {
            let folder = file::processes(&self.file.path);
            let presence = Presence::announce(&folder, &self.process)
                .map_err(|error| Fault::io(&folder, &error))?;
            self.presence = Some(presence);
        }
        let (process, ledger) = (self.process.clone(), self.file.ledger_id);
        self.write(|connection| {
            let asked = what.reserved_pico_usd;
            let mut standings = [Standing::default(); 2];
            let mut warnings = Vec::new();
            for ((period, times, cap_pico_usd), standing) in
                periods(caps, now).into_iter().zip(&mut standings)
            {
                *standing = standing_in(connection, times)?;
                let before = standing.total();
                if before.saturating_add(asked) > cap_pico_usd {
                    let standing = *standing;
                    return Ok(Err(CapRefusal {
                        period,
                        standing,
                        asked_pico_usd: asked,
                        cap_pico_usd,
                    }));
                }
                standing.reserved_pico_usd += asked;
                if is_near(standing.total(), cap_pico_usd) {
                    let is_new = !is_near(before, cap_pico_usd);
                    warnings.push(CapWarning { period, standing: *standing, cap_pico_usd, is_new });
                }
            }
            let call = insert(connection, &process, what, now.unix_ms)?;
            let [day, month] = standings;
            Ok(Ok(Granted { id: CallId { call, ledger }, day, month, warnings }))
        })
    }

    /// Writes what became of a call, once.
    ///
    /// # Errors
    /// Why it was not written; the ledger is as it was.
    pub fn settle(&mut self, id: CallId, what: &Settlement<'_>) -> Result<(), NotSettled> {
        what.check()?;
        self.make_ready()?;
        if id.ledger != self.file.ledger_id {
            return Err(NotSettled::OtherLedger);
        }
        self.write(|connection| {
            if update(connection, id.call, what)? {
                return Ok(Ok(()));
            }
            let status = connection
                .query_row("SELECT status FROM sent_calls WHERE call_id = ?1", [id.call], |row| {
                    row.get::<_, String>(0)
                })
                .optional()?;
            Ok(Err(match status.and_then(|it| Status::from_name(&it)) {
                None => NotSettled::Unknown,
                Some(Status::Lost) => NotSettled::Swept,
                Some(status) => NotSettled::Already(status),
            }))
        })?
    }

    /// How the day and the month stand, for whoever asks a person.
    ///
    /// # Errors
    /// Why that can't be said.
    pub fn standings(&mut self, now: &Now) -> Result<(Standing, Standing), Fault> {
        self.make_ready()?;
        self.read(|connection| {
            Ok((standing_in(connection, now.day)?, standing_in(connection, now.month)?))
        })
    }

    /// Whether a request of these bytes was reserved once, of the same workspace, for the same
    /// provider, host and model.
    ///
    /// # Errors
    /// Why that can't be said.
    pub fn has_payload(
        &mut self,
        sha256: &str,
        workspace: WorkspaceHash,
        (provider, host, model): (&str, &str, &str),
    ) -> Result<bool, Fault> {
        self.make_ready()?;
        self.read(|connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM sent_calls
                WHERE payload_sha256 = ?1 AND workspace_hash = ?2 AND provider = ?3 AND host = ?4
                    AND model = ?5)";
            let workspace = workspace.to_sql();
            let what = (sha256, workspace, clean(provider), clean(host), clean(model));
            connection.prepare_cached(sql)?.query_row(what, |row| row.get(0))
        })
    }

    /// What a reservation would be refused for now; `None`: for nothing.
    ///
    /// # Errors
    /// Why that can't be said.
    pub fn refusal(
        &mut self,
        asked_pico_usd: i64,
        caps: &Caps,
        now: &Now,
    ) -> Result<Option<CapRefusal>, Fault> {
        self.make_ready()?;
        self.read(|connection| {
            for (period, times, cap_pico_usd) in periods(caps, now) {
                let standing = standing_in(connection, times)?;
                if standing.total().saturating_add(asked_pico_usd) > cap_pico_usd {
                    return Ok(Some(CapRefusal { period, standing, asked_pico_usd, cap_pico_usd }));
                }
            }
            Ok(None)
        })
    }

    /// Finds the calls of processes that are gone, and counts the worst case for each: the money
    /// may have been spent. Sums do not change by it, so nothing hangs on when it is done.
    ///
    /// # Errors
    /// Why that can't be done now.
    pub fn sweep(&mut self) -> Result<Swept, Fault> {
        self.make_ready()?;
        let folder = file::processes(&self.file.path);
        let mut others: Vec<String> = self.read(|connection| {
            let sql = "SELECT DISTINCT process FROM sent_calls WHERE status = 'reserved'";
            connection.prepare_cached(sql)?.query_map([], |row| row.get(0))?.collect()
        })?;
        others.extend(presence::names(&folder));
        others.sort_unstable();
        others.dedup();
        others.retain(|it| *it != self.process);
        let mut swept = Swept::default();
        for process in others {
            let Found::Gone(grave) = presence::find(&folder, &process) else { continue };
            let (n_calls, pico_usd) = self.write(|connection| lose(connection, &process))?;
            grave.clear();
            swept.n_calls += n_calls;
            swept.pico_usd += pico_usd;
        }
        Ok(swept)
    }

    /// Sees to it that the file that is open is the one that others use, and not known to be
    /// damaged.
    pub(super) fn make_ready(&mut self) -> Result<(), Fault> {
        if !self.is_suspect && self.file.is_current() {
            return Ok(());
        }
        let (file, notes) = LedgerFile::open(&self.file.path, true)?;
        self.file = file;
        self.notes.extend(notes);
        self.is_suspect = false;
        Ok(())
    }

    /// Waits no longer than this for other processes, from now on.
    pub(super) fn be_impatient(&self, patience: Duration) {
        let _ = self.file.connection.busy_timeout(patience);
    }

    /// One transaction, all of it or nothing; nobody else writes meanwhile.
    pub(super) fn write<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Fault> {
        let behavior = TransactionBehavior::Immediate;
        let result = self.file.connection.transaction_with_behavior(behavior).and_then(|it| {
            let value = work(&it)?;
            it.commit()?;
            Ok(value)
        });
        self.judge(result)
    }

    pub(super) fn read<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Fault> {
        let result = self.file.connection.transaction().and_then(|it| work(&it));
        self.judge(result)
    }

    fn judge<T>(&mut self, result: rusqlite::Result<T>) -> Result<T, Fault> {
        result.map_err(|error| {
            let fault = self.file.fault(&error);
            self.is_suspect |= fault.kind == FaultKind::Damaged;
            fault
        })
    }
}

fn periods(caps: &Caps, now: &Now) -> [(CapPeriod, Period, i64); 2] {
    [
        (CapPeriod::Day, now.day, caps.daily_pico_usd),
        (CapPeriod::Month, now.month, caps.monthly_pico_usd),
    ]
}

/// Whether more than four fifths of the cap are gone.
fn is_near(pico_usd: i64, cap_pico_usd: i64) -> bool {
    i128::from(pico_usd) * 5 > i128::from(cap_pico_usd) * 4
}

pub(super) fn standing_in(connection: &Connection, period: Period) -> rusqlite::Result<Standing> {
    let sql = "SELECT coalesce(sum(cost_pico_usd), 0),
            coalesce(sum(reserved_pico_usd) FILTER (WHERE status = 'reserved'), 0)
        FROM sent_calls WHERE at_unix_ms >= ?1 AND at_unix_ms < ?2";
    connection.prepare_cached(sql)?.query_row((period.start_unix_ms, period.end_unix_ms), |row| {
        Ok(Standing { spent_pico_usd: row.get(0)?, reserved_pico_usd: row.get(1)? })
    })
}

fn insert(
    connection: &Connection,
    process: &str,
    what: &Reservation<'_>,
    at_unix_ms: i64,
) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO sent_calls (at_unix_ms, process, workspace_hash, action, provider, host,
            model, status, reserved_pico_usd, price_table_date, sent_bytes, n_files, n_redactions,
            payload_sha256, consent, reason)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'reserved', ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
    connection.prepare_cached(sql)?.insert(params![
        at_unix_ms,
        process,
        what.workspace.to_sql(),
        clean(what.action),
        clean(what.provider),
        clean(what.host),
        clean(what.model),
        what.reserved_pico_usd,
        what.price_table_date.map(clean),
        of_count(what.n_sent_bytes),
        what.n_files,
        what.n_redactions,
        what.payload_sha256,
        what.consent.name(),
        clean(what.reason),
    ])
}

/// Whether there was such a reservation.
fn update(connection: &Connection, call: i64, what: &Settlement<'_>) -> rusqlite::Result<bool> {
    let sql = "UPDATE sent_calls SET status = ?2, settled_unix_ms = ?3, input_tokens = ?4,
            output_tokens = ?5, cache_read_tokens = ?6, cache_write_5m_tokens = ?7,
            cache_write_1h_tokens = ?8, reasoning_tokens = ?9, usage_source = ?10,
            cost_pico_usd = ?11, cost_source = ?12, request_id = ?13, duration_ms = ?14,
            first_text_ms = ?15
        WHERE call_id = ?1 AND status = 'reserved'";
    let n_changed = connection.prepare_cached(sql)?.execute(params![
        call,
        what.status.name(),
        unix_ms(),
        of_count(what.tokens.input),
        of_count(what.tokens.output),
        of_count(what.tokens.cache_read),
        of_count(what.tokens.cache_write_5m),
        of_count(what.tokens.cache_write_1h),
        of_count(what.tokens.reasoning),
        what.usage_source.name(),
        what.cost_pico_usd,
        what.cost_source.name(),
        what.request_id.map(clean),
        of_count(what.duration_ms),
        what.first_text_ms.map(of_count),
    ])?;
    Ok(n_changed == 1)
}

/// How many calls, and what they are counted at.
fn lose(connection: &Connection, process: &str) -> rusqlite::Result<(u64, i64)> {
    let sql = "UPDATE sent_calls SET status = 'lost', settled_unix_ms = ?2,
            cost_pico_usd = reserved_pico_usd, cost_source = 'worst_case'
        WHERE process = ?1 AND status = 'reserved' RETURNING cost_pico_usd";
    let mut statement = connection.prepare_cached(sql)?;
    let mut costs = statement.query((process, unix_ms()))?;
    let mut sums = (0, 0);
    while let Some(row) = costs.next()? {
        sums.0 += 1;
        sums.1 += row.get::<_, i64>(0)?;
    }
    Ok(sums)
}

/// Sums of what is written must not overflow, whatever a provider says.
pub(super) fn of_count(n: u64) -> i64 {
    const MAX: i64 = 1 << 40;
    i64::try_from(n).map_or(MAX, |it| it.min(MAX))
}
