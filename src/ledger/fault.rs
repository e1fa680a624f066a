//! Why the ledger can't be used just now, as one sentence that says what to do.

use std::fmt;
use std::path::Path;

use rusqlite::ErrorCode;

/// What is the matter, for whoever decides what to do next; the sentence is for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub kind: FaultKind,
    pub sentence: String,
}

/// Kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// Another process has held the ledger for longer than anybody waits.
    Busy,
    /// The disk is full, or a limit on the file's size is reached.
    Full,
    /// It can't be read. The next time it is opened it is moved aside.
    Damaged,
    /// The file or its folder may not be written.
    NotWritable,
    /// It was written by a newer keyside.
    Newer,
    /// What was asked for makes no sense, as a negative cost: a mistake in keyside.
    Mistake,
    Other,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Fault {}

impl Fault {
    pub(super) fn mistake(what: &str) -> Self {
        let sentence = format!("the ledger refuses {what}; please report this line");
        Self { kind: FaultKind::Mistake, sentence }
    }

    pub(super) fn busy(path: &Path) -> Self {
        let path = path.display();
        let sentence = format!(
            "another process holds the ledger {path} and does not let go; end what reads or copies it and try again"
        );
        Self { kind: FaultKind::Busy, sentence }
    }

    pub(super) fn damaged(path: &Path, what: &str) -> Self {
        let path = path.display();
        let sentence = format!(
            "the ledger {path} is damaged ({what}); try again, and it is moved aside and a new one begun"
        );
        Self { kind: FaultKind::Damaged, sentence }
    }

    pub(super) fn newer(path: &Path) -> Self {
        let path = path.display();
        let sentence = format!(
            "the ledger {path} was written by a newer keyside; install that version, or move the file away"
        );
        Self { kind: FaultKind::Newer, sentence }
    }

    /// Of the file system.
    pub(super) fn io(path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind as E;
        let path = path.display();
        match error.kind() {
            E::StorageFull | E::QuotaExceeded | E::FileTooLarge => Self {
                kind: FaultKind::Full,
                sentence: format!("there is no room to write {path} ({error}); free disk space"),
            },
            E::PermissionDenied | E::ReadOnlyFilesystem | E::NotADirectory | E::IsADirectory => {
                Self { kind: FaultKind::NotWritable, sentence: not_writable(&path, error) }
            }
            _ => Self {
                kind: FaultKind::Other,
                sentence: format!(
                    "{path} can't be used ({error}); make its folder writable, or set KEYSIDE_HOME to another one"
                ),
            },
        }
    }

    /// Of SQLite. Its own words hold no values.
    pub(super) fn sql(path: &Path, error: &rusqlite::Error) -> Self {
        use rusqlite::Error as E;
        let rusqlite::Error::SqliteFailure(code, _) = error else {
            return match error {
                // Tables are typed strictly, so values of another type are no keyside's.
                E::FromSqlConversionFailure(..)
                | E::IntegralValueOutOfRange(..)
                | E::InvalidColumnType(..)
                | E::Utf8Error(..) => Self::damaged(path, "a value of the wrong type"),
                _ => Self {
                    kind: FaultKind::Other,
                    sentence: format!(
                        "the ledger {} can't be used; please report this line",
                        path.display()
                    ),
                },
            };
        };
        let shown = path.display();
        match code.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::busy(path),
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                Self::damaged(path, &code.to_string())
            }
            ErrorCode::DiskFull => Self {
                kind: FaultKind::Full,
                sentence: format!("there is no room to write the ledger {shown}; free disk space"),
            },
            ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => {
                Self { kind: FaultKind::NotWritable, sentence: not_writable(&shown, code) }
            }
            ErrorCode::SystemIoFailure => Self {
                kind: FaultKind::Other,
                sentence: format!(
                    "the ledger {shown} can't be read or written ({code}); see whether its disk is full or failing"
                ),
            },
            _ => Self {
                kind: FaultKind::Other,
                sentence: format!(
                    "the ledger {shown} can't be used ({code}); please report this line"
                ),
            },
        }
    }
}

fn not_writable(path: &dyn fmt::Display, error: &dyn fmt::Display) -> String {
    format!(
        "{path} can't be written ({error}); make it and its folder writable, or set KEYSIDE_HOME to another folder"
    )
}
