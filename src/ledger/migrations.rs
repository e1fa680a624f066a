//! The ledger's tables, as the steps that made them. Steps are only ever appended: each has run on
//! somebody's machine.

use rusqlite::Connection;
use rusqlite_migration::{M, Migrations, SchemaVersion};

/// Marks the file as a ledger of keyside's ("keys"); `PRAGMA application_id` is for this.
pub(super) const APPLICATION_ID: i32 = 0x6B65_7973;

/// Columns whose name ends in `_pico_usd` are trillionths of a US dollar; those in `_unix_ms`
/// milliseconds since 1970.
const STEPS: &[M<'_>] = &[M::up(
    "
    PRAGMA application_id = 1801812339;

    -- What the file says of itself.
    CREATE TABLE ledger (
        ledger_id INTEGER NOT NULL
    ) STRICT;
    INSERT INTO ledger VALUES (random());

    -- What whoever reads sums has to know.
    CREATE TABLE notes (
        at_unix_ms INTEGER NOT NULL,
        note TEXT NOT NULL
    ) STRICT;

    -- A call that was to leave this process. Never deleted.
    CREATE TABLE sent_calls (
        call_id INTEGER PRIMARY KEY AUTOINCREMENT,
        at_unix_ms INTEGER NOT NULL,
        settled_unix_ms INTEGER,
        process TEXT NOT NULL,
        workspace_hash INTEGER NOT NULL,
        action TEXT NOT NULL,
        provider TEXT NOT NULL,
        host TEXT NOT NULL,
        model TEXT NOT NULL,
        request_id TEXT,
        status TEXT NOT NULL
            CHECK (status IN ('reserved', 'ok', 'cancelled', 'truncated', 'failed', 'lost')),
        input_tokens INTEGER,
        output_tokens INTEGER,
        cache_read_tokens INTEGER,
        cache_write_5m_tokens INTEGER,
        cache_write_1h_tokens INTEGER,
        reasoning_tokens INTEGER,
        usage_source TEXT CHECK (usage_source IN ('provider', 'estimated')),
        reserved_pico_usd INTEGER NOT NULL CHECK (reserved_pico_usd >= 0),
        cost_pico_usd INTEGER CHECK (cost_pico_usd >= 0),
        cost_source TEXT CHECK (cost_source IN ('provider', 'table', 'worst_case')),
        price_table_date TEXT,
        duration_ms INTEGER,
        first_text_ms INTEGER,
        sent_bytes INTEGER NOT NULL,
        n_files INTEGER NOT NULL,
        n_redactions INTEGER NOT NULL,
        payload_sha256 TEXT NOT NULL CHECK (length(payload_sha256) = 64),
        consent TEXT NOT NULL CHECK (consent IN ('once', 'workspace', 'policy')),
        reason TEXT NOT NULL,
        CHECK ((status = 'reserved') = (cost_pico_usd IS NULL))
    ) STRICT;
    -- Holds all that a cap asks for.
    CREATE INDEX sent_calls_by_time
        ON sent_calls (at_unix_ms, status, cost_pico_usd, reserved_pico_usd);
    CREATE INDEX sent_calls_open ON sent_calls (process) WHERE status = 'reserved';

    -- Calls to a model in this process: words that many rows share, so that a row is some twenty bytes.
    CREATE TABLE local_kinds (
        kind_id INTEGER PRIMARY KEY,
        process TEXT NOT NULL,
        workspace_hash INTEGER NOT NULL,
        action TEXT NOT NULL,
        model TEXT NOT NULL,
        UNIQUE (process, workspace_hash, action, model)
    ) STRICT;
    CREATE TABLE local_calls (
        at_unix_ms INTEGER NOT NULL,
        kind_id INTEGER NOT NULL REFERENCES local_kinds,
        -- 0: ok, 1: cancelled, 2: failed.
        status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 2),
        input_tokens INTEGER NOT NULL,
        cached_tokens INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL,
        duration_us INTEGER NOT NULL
    ) STRICT;
    -- The same of days long past. They stand at their noon: it is in the same day in most time zones to which
    -- somebody may have moved since.
    CREATE TABLE local_days (
        noon_unix_ms INTEGER NOT NULL,
        action TEXT NOT NULL,
        model TEXT NOT NULL,
        n_calls INTEGER NOT NULL,
        n_ok INTEGER NOT NULL,
        input_tokens INTEGER NOT NULL,
        cached_tokens INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL,
        duration_us INTEGER NOT NULL,
        PRIMARY KEY (noon_unix_ms, action, model)
    ) STRICT, WITHOUT ROWID;
    ",
), M::up(
    "
    -- What became of suggestions, by quarters of an hour: every time zone's day has a whole number of them.
    CREATE TABLE suggestions (
        quarter_unix_ms INTEGER NOT NULL,
        model TEXT NOT NULL,
        n_shown INTEGER NOT NULL,
        n_accepted INTEGER NOT NULL,
        -- Characters that accepted suggestions put in, less the keys that accepted them.
        n_spared_characters INTEGER NOT NULL,
        PRIMARY KEY (quarter_unix_ms, model)
    ) STRICT, WITHOUT ROWID;
    ",
), M::up(
    "
    -- Parts that were taken by themselves, and suggestions of which nothing was taken.
    ALTER TABLE suggestions ADD COLUMN n_accepted_words INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE suggestions ADD COLUMN n_accepted_lines INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE suggestions ADD COLUMN n_rejected INTEGER NOT NULL DEFAULT 0;
    ",
)];

/// Whether the file's tables are of a version that is not known here.
pub(super) fn is_newer(connection: &Connection) -> rusqlite_migration::Result<bool> {
    let migrations = Migrations::from_slice(STEPS);
    Ok(matches!(migrations.current_version(connection)?, SchemaVersion::Outside(_)))
}

/// Brings the tables up to date.
pub(super) fn to_latest(connection: &mut Connection) -> rusqlite_migration::Result<()> {
    Migrations::from_slice(STEPS).to_latest(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_can_be_run() {
        Migrations::from_slice(STEPS).validate().expect("they run on an empty file");
        let mut connection = Connection::open_in_memory().expect("SQLite");
        to_latest(&mut connection).expect("they run");
        let id: i32 =
            connection.query_row("PRAGMA application_id", [], |row| row.get(0)).expect("an id");
        assert_eq!(id, APPLICATION_ID);
    }

    /// Whoever changes a step that somebody has run already has to answer for it here.
    #[test]
    fn steps_stay_what_they_were() {
        let mut connection = Connection::open_in_memory().expect("SQLite");
        let hashes = [
            "a43c5eb041c54fe53bde36d4457e2fd2f5963064d6b29ed4b33ed40ede49057d",
            "6d209b9e7d692529d444e8cce94bc91c4427e0e52611fba03a85ab44bfd803ac",
            "6c2b17f1c0cd004158895d2e12cf96e937c10b2cdcaa3d48dc54ee1b35ebdb1a",
        ];
        for (step, hash) in hashes.iter().enumerate() {
            let migrations = Migrations::from_slice(STEPS);
            migrations.to_version(&mut connection, step + 1).expect("it runs");
            let all: String = connection
                .query_row("SELECT group_concat(sql) FROM sqlite_schema", [], |row| row.get(0))
                .expect("the schema");
            assert_eq!(crate::stdx::hex_sha256(all.as_bytes()), *hash, "step {}", step + 1);
        }
    }
}
