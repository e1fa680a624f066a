//! Files that are written for a person to look at: requests, answers, differences. They are text of
//! the workspace, so each session has a folder of its own, which its owner alone can read and which
//! goes with the session. What a session has left behind that was killed goes when the next one
//! starts.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::ledger::presence::{self, Found, Presence};
use crate::stdx::clean;

/// The files of one session.
pub(crate) struct Shown {
    /// Of all sessions.
    folder: PathBuf,
    /// This session among them.
    name: String,
    state: Mutex<State>,
}

enum State {
    /// Nothing was written yet.
    Empty,
    /// By the lock that is held, others see that the folder is in use.
    Begun { _presence: Presence },
    /// The session is over, and nothing more is written.
    Over,
}

impl Shown {
    /// A place for files below `folder`. Nothing is written yet.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, name: presence::new_name(), state: Mutex::new(State::Empty) }
    }

    /// Writes a file, and says where it is. `name` ends in what says its kind, and is made
    /// different from those of other files.
    ///
    /// # Errors
    /// One sentence.
    pub(crate) fn write(&self, name: &str, ending: &str, text: &str) -> Result<PathBuf, String> {
        let mut state = self.lock();
        if let State::Over = *state {
            return Err("the session is over, and nothing more is written".to_owned());
        }
        let own = self.folder.join(&self.name);
        if let State::Empty = *state {
            private_folder(&self.folder).map_err(|error| failed(&self.folder, &error))?;
            let presence = Presence::announce(&self.folder, &self.name)
                .map_err(|error| failed(&self.folder, &error))?;
            private_folder(&own).map_err(|error| failed(&own, &error))?;
            *state = State::Begun { _presence: presence };
        }
        for n in 0_u32.. {
            let number = if n == 0 { String::new() } else { format!("-{n}") };
            let file = own.join(format!("{name}{number}.{ending}"));
            match write_new(&file, text) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(&file, &error)),
                Ok(()) => return Ok(file),
            }
        }
        Err(failed(&own, &std::io::ErrorKind::AlreadyExists.into()))
    }

    /// Takes away what was written. Nothing more is written after it.
    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        if let State::Begun { .. } = *state {
            let _ = std::fs::remove_dir_all(self.folder.join(&self.name));
        }
        *state = State::Over;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Takes away the files of sessions that are gone.
pub(crate) fn forget_the_dead(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut sessions = presence::names(folder);
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => {
                sessions.push(entry.file_name().to_string_lossy().into_owned());
            }
            // Before sessions had folders, files lay here.
            Ok(_) if !presence::is_lock(&entry.path()) => {
                let _ = std::fs::remove_file(entry.path());
            }
            _ => {}
        }
    }
    sessions.sort_unstable();
    sessions.dedup();
    for session in sessions {
        let Found::Gone(grave) = presence::find(folder, &session) else { continue };
        let _ = std::fs::remove_dir_all(folder.join(&session));
        grave.clear();
    }
}

fn failed(path: &Path, error: &std::io::Error) -> String {
    format!(
        "{} can't be written ({error}); free disk space or make its folder writable",
        path.display()
    )
}

/// Makes a folder, with those above it, that its owner alone can look into.
///
/// # Errors
/// What the file system says.
fn private_folder(path: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(path)?;
    #[cfg(unix)]
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    Ok(())
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    if written.as_ref().is_err_and(|it| it.kind() != std::io::ErrorKind::AlreadyExists) {
        // Half a text is worse than none.
        let _ = std::fs::remove_file(path);
    }
    written
}

/// Writes a file that its owner alone can read, with its folder, in the place of one that is there.
///
/// # Errors
/// One sentence.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), String> {
    if let Some(folder) = path.parent() {
        private_folder(folder).map_err(|error| failed(folder, &error))?;
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(path, &error)),
        _ => write_new(path, text).map_err(|error| failed(path, &error)),
    }
}

/// A request to be read: each text of more than one line below a heading that says where in the
/// JSON it is, then all of the bytes, which are what is sent.
pub(crate) fn readable(body: &str) -> String {
    let mut text = String::new();
    if let Ok(request) = serde_json::from_str::<Value>(body) {
        add_texts(&request, "", &mut text);
    }
    format!("{text}── the bytes, all of them ──\n\n{body}\n")
}

fn add_texts(value: &Value, at: &str, text: &mut String) {
    match value {
        Value::String(it) if it.contains('\n') => {
            text.push_str(&format!("── {at} ──\n\n{}\n\n", clean::lines(it)));
        }
        Value::Array(items) => {
            for (i, it) in items.iter().enumerate() {
                add_texts(it, &format!("{at}[{i}]"), text);
            }
        }
        Value::Object(fields) => {
            for (key, it) in fields {
                let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                add_texts(it, &at, text);
            }
        }
        _ => {}
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("keyside-shown-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).expect("a folder");
            Self(path)
        }

        fn entries(&self) -> usize {
            std::fs::read_dir(&self.0).expect("the folder").count()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).expect("a file").permissions().mode() & 0o777
    }

    #[test]
    fn a_request_is_to_be_read_and_its_bytes_are_all_there() {
        let body = r#"{"model":"m","messages":[{"content":"fn a() {\n    1\n}"}]}"#;
        let expected = format!(
            "── messages[0].content ──\n\nfn a() {{\n    1\n}}\n\n── the bytes, all of them ──\n\n{body}\n"
        );
        assert_eq!(super::readable(body), expected);
        assert!(super::readable("no JSON").contains("no JSON"));
    }

    #[test]
    fn files_are_their_owners_alone_and_go_with_the_session() {
        let scratch = Scratch::new("own");
        // As an earlier version has left it.
        std::fs::set_permissions(&scratch.0, PermissionsExt::from_mode(0o755)).unwrap();
        let shown = Shown::new(scratch.0.clone());
        let one = shown.write("explain-1", "md", "one").unwrap();
        let other = shown.write("explain-1", "md", "other").unwrap();
        assert_eq!(std::fs::read_to_string(&one).unwrap(), "one");
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "other");
        assert_eq!((mode(&one), mode(one.parent().unwrap())), (0o600, 0o700));
        assert_eq!(mode(&scratch.0), 0o700);
        // Another session that starts leaves it alone.
        forget_the_dead(&scratch.0);
        assert!(one.exists());
        shown.clear();
        assert!(shown.write("explain-2", "md", "late").is_err());
        drop(shown);
        assert_eq!(scratch.entries(), 0);
    }

    #[test]
    fn what_the_dead_have_left_goes() {
        let scratch = Scratch::new("dead");
        std::fs::create_dir(scratch.0.join("killed")).unwrap();
        std::fs::write(scratch.0.join("killed/explain-1.md"), "text").unwrap();
        std::fs::write(scratch.0.join("killed.lock"), "").unwrap();
        std::fs::create_dir(scratch.0.join("without-a-lock")).unwrap();
        std::fs::write(scratch.0.join("request-0.json"), "{}").unwrap();
        forget_the_dead(&scratch.0);
        assert_eq!(scratch.entries(), 0);
    }
}
