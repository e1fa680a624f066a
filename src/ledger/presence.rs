//! Whether the process that holds a reservation still lives.
//!
//! Each process that reserves has a file of its own beside the ledger and a lock (`flock` on Unix)
//! on it, which the system lets go when the process ends, however it ends. A number of a process
//! would be given to another one sooner or later, and means something else in another container
//! that shares the folder; a lock does neither, and needs no system call that only one system has.
//!
//! A lock is never tried on a file that its owner has not locked yet: it is created under another
//! name, locked, and then renamed. So a file that is there and can be locked belonged to a process
//! that is gone, and a file that is not there belonged to one that is gone and has been looked
//! after.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What the names of the lock files end in, and of those that are not locked yet.
const LOCKED: &str = "lock";
const NEW: &str = "new";

/// This process, as others can see it. Its drop is its end, as far as the ledger is concerned.
pub struct Presence {
    path: PathBuf,
    /// Holds the lock.
    _file: File,
}

/// What is known of another process.
pub enum Found {
    /// It lives, or that can't be told.
    Alive,
    /// As long as this value lives, nobody else can find the same.
    Gone(Grave),
}

/// The lock file of a process that is gone, locked; or no file.
pub struct Grave(Option<(PathBuf, File)>);

impl Presence {
    /// Begins to be seen as `name` in `folder`, which there must be.
    ///
    /// # Errors
    /// What the file system says.
    pub fn announce(folder: &Path, name: &str) -> io::Result<Self> {
        let (new, path) = (file_of(folder, name, NEW), file_of(folder, name, LOCKED));
        let mut result = Ok(());
        // Somebody who clears the folder up may take the new file for a dead one, once in a blue
        // moon.
        for _ in 0..10 {
            let file = create(&new)?;
            result = file.try_lock().map_err(io::Error::from);
            if result.is_ok() {
                result = std::fs::rename(&new, &path);
            }
            if result.is_ok() {
                return Ok(Self { path, _file: file });
            }
            let _ = std::fs::remove_file(&new);
        }
        Err(result.err().unwrap_or_else(|| io::ErrorKind::Other.into()))
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        // Fields are dropped after this: nobody finds the file unlocked.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Grave {
    /// Takes the file away, once nothing of the process is left to be looked after.
    pub fn clear(self) {
        if let Some((path, _locked)) = self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A name that no other process has.
pub fn new_name() -> String {
    format!("{}-{:016x}", std::process::id(), crate::ledger::file::random())
}

/// Whether a file is one of those that tell who lives.
pub fn is_lock(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == LOCKED || it == NEW)
}

/// Looks for the process that calls itself `name`.
pub fn find(folder: &Path, name: &str) -> Found {
    look(file_of(folder, name, LOCKED))
}

fn look(path: PathBuf) -> Found {
    match OpenOptions::new().read(true).write(true).open(&path) {
        Ok(file) => match file.try_lock() {
            Ok(()) => Found::Gone(Grave(Some((path, file)))),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => Found::Alive,
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Found::Gone(Grave(None)),
        Err(_) => Found::Alive,
    }
}

/// The names of all that there are files of, and files that never came to be locked, which are
/// removed.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Some(name) = path.file_stem().and_then(|it| it.to_str()) else { continue };
        match path.extension().and_then(|it| it.to_str()) {
            Some(LOCKED) => names.push(name.to_owned()),
            Some(NEW) => {
                if let Found::Gone(grave) = look(path) {
                    grave.clear();
                }
            }
            _ => {}
        }
    }
    names
}

/// Waits for the lock of the file at `path`, which is created; the lock is let go with the answer.
///
/// # Errors
/// `WouldBlock` where somebody else has held it for all of `patience`.
pub(super) fn lock(path: &Path, patience: Duration) -> io::Result<File> {
    let file = match create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().read(true).write(true).open(path)?
        }
        other => other?,
    };
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if begun.elapsed() < patience => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Creates a file that is its owner's alone.
///
/// # Errors
/// `AlreadyExists` where there is one.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn file_of(folder: &Path, name: &str, ending: &str) -> PathBuf {
    folder.join(format!("{name}.{ending}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::file::tests::Scratch;

    fn is_gone(folder: &Path, name: &str) -> bool {
        matches!(find(folder, name), Found::Gone(_))
    }

    #[test]
    fn who_lives_is_seen_and_who_is_gone_is_not() {
        let scratch = Scratch::new();
        let folder = scratch.0.as_path();
        let presence = Presence::announce(folder, "one").expect("a file");
        assert!(!is_gone(folder, "one"));
        assert!(is_gone(folder, "two"));
        assert_eq!(names(folder), ["one"]);
        drop(presence);
        assert!(is_gone(folder, "one"));
        assert!(names(folder).is_empty());
    }

    #[test]
    fn a_file_that_nobody_locks_is_of_somebody_who_is_gone() {
        let scratch = Scratch::new();
        let folder = scratch.0.as_path();
        drop(create(&file_of(folder, "killed", LOCKED)).expect("a file"));
        let Found::Gone(grave) = find(folder, "killed") else { panic!("it lives") };
        assert!(!is_gone(folder, "killed"), "two would look after it");
        grave.clear();
        assert!(names(folder).is_empty());
    }

    #[test]
    fn files_that_were_never_locked_are_cleared_away() {
        let scratch = Scratch::new();
        let folder = scratch.0.as_path();
        drop(create(&file_of(folder, "half", NEW)).expect("a file"));
        assert!(names(folder).is_empty());
        assert_eq!(std::fs::read_dir(folder).expect("the folder").count(), 0);
    }

    #[test]
    fn a_lock_is_waited_for_but_not_for_ever() {
        let scratch = Scratch::new();
        let path = scratch.0.join("opening");
        let held = lock(&path, Duration::ZERO).expect("it is free");
        let error = lock(&path, Duration::from_millis(20)).expect_err("it is held");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(held);
        lock(&path, Duration::ZERO).expect("it is free again");
    }
}
