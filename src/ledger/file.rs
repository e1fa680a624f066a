//! The ledger's file: opened or begun, its owner's alone, checked, and moved aside where it is
//! damaged.
//!
//! Opening is done by one process at a time, under a lock of its own, so that two that begin at the
//! same moment do not both make tables, and two that find the same damage do not move the new file
//! aside as well. What is open already takes no part in that: it looks before each transaction
//! whether another file has taken its place (`is_current`). What is written in the moment between
//! is in the file that was moved aside, whose sums count no more anyway.
//!
//! The file is never opened but through SQLite: closing any other handle would let go all locks
//! that this process has on it (sqlite.org/howtocorrupt.html, 2.2).

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::ledger::fault::{Fault, FaultKind};
use crate::ledger::{migrations, presence, unix_ms};

/// How long one waits for a transaction of another process. A long one takes milliseconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Several may wait to open.
const PATIENCE_TO_OPEN: Duration = Duration::from_secs(15);
/// The smallest page that SQLite knows, in bytes.
const SMALLEST: u64 = 512;
/// Beside the ledger: lock files of processes, and the lock that is held while opening.
const PROCESSES: &str = "ledger-processes";
const OPENING: &str = "opening";

/// An open ledger.
pub(super) struct LedgerFile {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    /// Different in each file that was ever begun.
    pub(super) ledger_id: i64,
    identity: Option<Identity>,
}

/// Which file it is, whatever its name is now: device and number.
type Identity = (u64, u64);

impl LedgerFile {
    /// Opens the ledger, or begins one. `lost` is said of a ledger that was there a moment ago, for
    /// the note that is left in a new one. The second value is what a person should be told, as
    /// sentences.
    ///
    /// # Errors
    /// Why there is none now. A damaged file is no error: it is moved aside, and that is told.
    pub(super) fn open(path: &Path, lost: bool) -> Result<(Self, Vec<String>), Fault> {
        let processes = processes(path);
        private_folder(&processes).map_err(|error| Fault::io(&processes, &error))?;
        let opening = processes.join(OPENING);
        let _opening = presence::lock(&opening, PATIENCE_TO_OPEN).map_err(|error| {
            if error.kind() == io::ErrorKind::WouldBlock {
                Fault::busy(path)
            } else {
                Fault::io(&opening, &error)
            }
        })?;
        let mut notes = Vec::new();
        let fault = match Self::open_or_begin(path) {
            Ok((file, begun)) => {
                if begun && lost {
                    notes.push(file.note("the ledger was gone and a new one was begun")?);
                }
                return Ok((file, notes));
            }
            Err(fault) => fault,
        };
        if fault.kind != FaultKind::Damaged {
            return Err(fault);
        }
        let aside = move_aside(path).map_err(|error| Fault::io(path, &error))?;
        let (file, _) = Self::open_or_begin(path)?;
        notes.push(file.note(&format!(
            "the ledger was damaged; it is kept as {} and a new one was begun",
            aside.to_string_lossy()
        ))?);
        Ok((file, notes))
    }

    /// Whether the file that is open still is the one that has its name.
    pub(super) fn is_current(&self) -> bool {
        self.identity == identity(&self.path)
    }

    pub(super) fn fault(&self, error: &rusqlite::Error) -> Fault {
        Fault::sql(&self.path, error)
    }

    /// Leaves a note for whoever reads sums, and says what it means.
    fn note(&self, what: &str) -> Result<String, Fault> {
        self.connection
            .execute("INSERT INTO notes VALUES (?1, ?2)", (unix_ms(), what))
            .map_err(|error| self.fault(&error))?;
        Ok(format!("{what}; what was spent before is not known, so the caps count from now on"))
    }

    /// The second value is whether there was none.
    fn open_or_begin(path: &Path) -> Result<(Self, bool), Fault> {
        let is_there = path.try_exists().map_err(|error| Fault::io(path, &error))?;
        if !is_there {
            begin(path)?;
        }
        Ok((Self::open_as_it_is(path)?, !is_there))
    }

    fn open_as_it_is(path: &Path) -> Result<Self, Fault> {
        let data = std::fs::metadata(path).map_err(|error| Fault::io(path, &error))?;
        if data.is_file() && data.len() < SMALLEST {
            // SQLite would take it for a new one.
            return Err(Fault::damaged(path, "it is cut off"));
        }
        // With a log beside it, the end of the file may be in there.
        let has_log = std::fs::metadata(beside(path, "-wal")).is_ok_and(|it| it.len() > 0);
        make_private(path);
        let sql = |error| Fault::sql(path, &error);
        let mut connection = connect(path)?;
        check_kind(&connection, path)?;
        let page_bytes: u32 =
            connection.query_row("PRAGMA page_size", [], |row| row.get(0)).map_err(sql)?;
        if !has_log && !data.len().is_multiple_of(page_bytes.into()) {
            // SQLite would read noughts for what is missing of the last page.
            return Err(Fault::damaged(path, "it is cut off"));
        }
        set_up(&connection).map_err(sql)?;
        migrations::to_latest(&mut connection).map_err(|error| of_migration(path, error))?;
        // Looks at every page; some milliseconds for a file as small as this one is kept.
        let verdict: String =
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(sql)?;
        if verdict != "ok" {
            return Err(Fault::damaged(path, "its pages do not fit together"));
        }
        let ledger_id = connection
            .query_row("SELECT ledger_id FROM ledger", [], |row| row.get(0))
            .map_err(|_| Fault::damaged(path, "it has no number"))?;
        let identity = identity(path);
        Ok(Self { connection, path: path.to_owned(), ledger_id, identity })
    }
}

/// Makes an empty ledger under another name and gives it its own when it is whole, so that a
/// process that dies meanwhile leaves nothing that looks like a ledger that was cut off.
fn begin(path: &Path) -> Result<(), Fault> {
    let new = beside(path, ".new");
    let io = |error| Fault::io(path, &error);
    for ending in ["", "-wal", "-shm"] {
        remove(&beside(&new, ending)).map_err(io)?;
        // A log that was left behind would be read as the new file's own.
        remove(&beside(path, ending)).map_err(io)?;
    }
    drop(presence::create(&new).map_err(io)?);
    let mut connection = connect(&new)?;
    set_up(&connection).map_err(|error| Fault::sql(path, &error))?;
    migrations::to_latest(&mut connection).map_err(|error| of_migration(path, error))?;
    // Writes the log to the file and removes it.
    connection.close().map_err(|(_, error)| Fault::sql(path, &error))?;
    std::fs::rename(&new, path).map_err(io)?;
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        // The name has to be on the disk as well before money is spent.
        std::fs::File::open(folder).and_then(|it| it.sync_all()).map_err(io)?;
    }
    Ok(())
}

fn connect(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
        .and_then(|it| it.busy_timeout(PATIENCE).map(|()| it))
        .map_err(|error| Fault::sql(path, &error))
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The folder of what processes hold while they live.
pub(super) fn processes(path: &Path) -> PathBuf {
    path.with_file_name(PROCESSES)
}

/// Different each time, for what must not be mistaken for another one.
pub(super) fn random() -> u64 {
    // The keys of hash maps are the random numbers of the standard library.
    RandomState::new().hash_one(unix_ms())
}

/// Whether it is a ledger at all, and one that can be used here. Writes nothing.
fn check_kind(connection: &Connection, path: &Path) -> Result<(), Fault> {
    let sql = |error| Fault::sql(path, &error);
    let pragma = |name: &str| -> rusqlite::Result<i32> {
        connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
    };
    let n_tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(sql)?;
    if n_tables > 0 && pragma("application_id").map_err(sql)? != migrations::APPLICATION_ID {
        return Err(Fault::damaged(path, "it is no ledger of keyside's"));
    }
    match migrations::is_newer(connection) {
        Ok(false) => Ok(()),
        Ok(true) => Err(Fault::newer(path)),
        Err(error) => Err(of_migration(path, error)),
    }
}

fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    // Before there is a table only: lets the file shrink after days have been folded.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    // Readers do not wait for writers, nor the other way round. Where the file system can't,
    // another mode stays.
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "journal_size_limit", 1 << 20)?;
    // A reservation has to be on the disk before money is spent.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // The system's temporary folders are out of the sandbox's reach.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "foreign_keys", true)
}

fn of_migration(path: &Path, error: rusqlite_migration::Error) -> Fault {
    use rusqlite_migration::Error as E;
    match error {
        E::RusqliteError { err, .. } => Fault::sql(path, &err),
        E::MigrationDefinition(
            rusqlite_migration::MigrationDefinitionError::DatabaseTooFarAhead,
        ) => Fault::newer(path),
        _ => Fault::damaged(path, "its tables are of no known version"),
    }
}

/// Renames the file and what SQLite keeps beside it; the new name of the file, without its folder.
///
/// The file itself goes last: with the old write-ahead log beside it a new file would be damaged
/// from the start.
fn move_aside(path: &Path) -> io::Result<OsString> {
    let aside = beside(path, &format!(".damaged-{}", unix_ms()));
    for ending in ["-wal", "-shm", ""] {
        match std::fs::rename(beside(path, ending), beside(&aside, ending)) {
            Err(error) if !ending.is_empty() && error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(aside.file_name().unwrap_or_default().to_owned())
}

/// The path with `ending` added to its name.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Creates the folder and those above it that are not there, for their owner alone.
fn private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Takes from others what a copy or an older program may have given them. SQLite gives what it
/// makes beside the file the file's own mode.
fn make_private(path: &Path) {
    #[cfg(unix)]
    for ending in ["", "-wal", "-shm"] {
        use std::os::unix::fs::PermissionsExt;
        let name = beside(path, ending);
        let Ok(data) = std::fs::metadata(&name) else { continue };
        if data.permissions().mode() & 0o077 != 0 {
            // By name: see the module about opening it. Where it can't be done, the file is
            // somebody else's.
            let _ = std::fs::set_permissions(&name, PermissionsExt::from_mode(0o600));
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    let data = std::fs::metadata(path).ok()?;
    Some((data.dev(), data.ino()))
}

/// Elsewhere a file that is open can't be renamed.
#[cfg(not(unix))]
fn identity(_: &Path) -> Option<Identity> {
    None
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A folder that is gone when the test is over.
    pub(in crate::ledger) struct Scratch(pub(in crate::ledger) PathBuf);

    impl Scratch {
        pub(in crate::ledger) fn new() -> Self {
            static NEXT: AtomicU64 = AtomicU64::new(0);
            let n = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("keyside-store-{}-{n}", std::process::id());
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&path).expect("a temporary folder");
            Self(path)
        }

        pub(in crate::ledger) fn ledger(&self) -> PathBuf {
            self.0.join("data").join("ledger.db")
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_ledger_is_begun_once() {
        let scratch = Scratch::new();
        let (first, notes) = LedgerFile::open(&scratch.ledger(), false).expect("a new one");
        assert!(notes.is_empty());
        let (second, notes) = LedgerFile::open(&scratch.ledger(), false).expect("the same");
        assert!(notes.is_empty());
        assert_eq!(first.ledger_id, second.ledger_id);
        assert!(first.is_current());
        let mode: String = first
            .connection
            .query_row("PRAGMA journal_mode", [], |row| row.get(0))
            .expect("a mode");
        assert_eq!(mode, "wal");
    }

    #[test]
    fn whoever_has_a_file_open_that_was_moved_sees_it() {
        let scratch = Scratch::new();
        let path = scratch.ledger();
        let (first, _) = LedgerFile::open(&path, false).expect("a new one");
        move_aside(&path).expect("it is there");
        assert!(!first.is_current());
        let (second, notes) = LedgerFile::open(&path, true).expect("another one");
        assert_eq!(notes.len(), 1);
        assert_ne!(first.ledger_id, second.ledger_id);
        // Its end must not take anything from the new one.
        drop(first);
        assert!(second.is_current());
        second.note("still there").expect("it can be written");
        let (_, notes) = LedgerFile::open(&path, false).expect("it is whole");
        assert!(notes.is_empty());
    }
}
