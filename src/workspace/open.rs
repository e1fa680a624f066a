//! Which documents that are open may tell how another one goes on: not those that hold secrets by
//! their name, nor those that the workspace's ignore files leave out of what programs like this one
//! read.
//!
//! Ignore files are on a disk, so they are read by a thread, and a key finds the verdict in memory.
//! A document of which nothing is known yet tells nothing. The first request that meets it waits
//! for the thread, once, and not for long.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::workspace::rules;

/// A verdict is looked at again after this, because ignore files change behind the editor's back.
const FRESH: Duration = Duration::from_secs(20);
/// How long a verdict is waited for, once for each document. It takes a tenth of a millisecond
/// unless the disk hangs.
const PATIENCE: Duration = Duration::from_millis(100);
/// More documents than anybody has open; then all are looked at anew.
const MAX_VERDICTS: usize = 1_024;

/// What is known of each document's file.
#[derive(Default)]
pub(super) struct OpenFiles(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Locked for a look.
    state: Mutex<State>,
    decided: Notify,
}

#[derive(Default)]
struct State {
    verdicts: HashMap<PathBuf, Verdict>,
    /// To be decided, each with the workspace's folders.
    queue: Vec<(PathBuf, Vec<PathBuf>)>,
    is_working: bool,
}

#[derive(Clone, Copy, Default)]
struct Verdict {
    may_be_read: Option<bool>,
    decided: Option<Instant>,
    is_queued: bool,
    was_waited_for: bool,
}

impl OpenFiles {
    /// Begins to find out about a file, unless that is known.
    pub(super) fn look_at(&self, file: &Path, folders: &[PathBuf]) {
        let mut state = self.0.state();
        if state.verdicts.len() > MAX_VERDICTS {
            state.verdicts.clear();
        }
        let verdict = state.verdicts.entry(file.to_path_buf()).or_default();
        if verdict.is_queued || verdict.decided.is_some_and(|it| it.elapsed() < FRESH) {
            return;
        }
        verdict.is_queued = true;
        state.queue.push((file.to_path_buf(), folders.to_vec()));
        if state.is_working {
            return;
        }
        state.is_working = true;
        drop(state);
        let shared = Arc::clone(&self.0);
        let thread = std::thread::Builder::new().name("keyside-ignore-files".to_owned());
        if let Err(error) = thread.spawn(move || shared.decide_all()) {
            // These documents tell nothing; the next one tries again.
            tracing::warn!("ignore files can't be read in the background ({error})");
            self.0.state().is_working = false;
        }
    }

    /// Whether each of these files' texts may be used for others, where all of that is known and
    /// fresh: one look, for each key.
    pub(super) fn known(&self, files: &[Arc<Path>]) -> Option<Vec<bool>> {
        let now = Instant::now();
        let state = self.0.state();
        let known = |file: &Arc<Path>| {
            let verdict = state.verdicts.get(&**file)?;
            verdict.decided.filter(|it| now.duration_since(*it) < FRESH)?;
            verdict.may_be_read
        };
        files.iter().map(known).collect()
    }

    /// Ignore files may have changed: what is known holds until it is known anew.
    pub(super) fn forget(&self) {
        self.0.state().verdicts.values_mut().for_each(|it| it.decided = None);
    }

    /// Whether a file's text may be used for another one. `false` where that is not known.
    pub(super) fn may_be_read(&self, file: &Path) -> bool {
        self.0.state().verdicts.get(file).and_then(|it| it.may_be_read).unwrap_or(false)
    }

    /// Waits until something is known of each of these files, or for a tenth of a second, once for
    /// each.
    pub(super) async fn decided(&self, files: &[Arc<Path>]) {
        let all = async {
            loop {
                let decided = self.0.decided.notified();
                if !self.0.is_any_open(files) {
                    return;
                }
                decided.await;
            }
        };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            let mut state = self.0.state();
            for file in files {
                state.verdicts.entry(file.to_path_buf()).or_default().was_waited_for = true;
            }
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_any_open(&self, files: &[Arc<Path>]) -> bool {
        let state = self.state();
        let verdicts = files.iter().filter_map(|it| state.verdicts.get(&**it));
        verdicts
            .into_iter()
            .any(|it| it.may_be_read.is_none() && it.is_queued && !it.was_waited_for)
    }

    fn decide_all(&self) {
        loop {
            let next = {
                let mut state = self.state();
                let next = state.queue.pop();
                state.is_working = next.is_some();
                next
            };
            let Some((file, folders)) = next else { return };
            let decide = || may_be_read(&file, &folders);
            // A panic, which its hook logs, costs one document.
            let answer = std::panic::catch_unwind(decide).unwrap_or(false);
            let mut state = self.state();
            let verdict = state.verdicts.entry(file).or_default();
            *verdict = Verdict {
                may_be_read: Some(answer),
                decided: Some(Instant::now()),
                is_queued: false,
                was_waited_for: verdict.was_waited_for,
            };
            drop(state);
            self.decided.notify_waiters();
        }
    }
}

/// By the path as it is written, and by the place that it leads to.
fn may_be_read(file: &Path, folders: &[PathBuf]) -> bool {
    let real = file.canonicalize().ok().filter(|it| it != file);
    std::iter::once(file).chain(real.as_deref()).all(|file| {
        let root = rules::root_of(folders, file);
        rules::left_out(&root, &[file.to_path_buf()]).is_ok_and(|it| !it.holds(file))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn verdicts_follow_names_ignore_files_and_links() {
        let folder = std::env::temp_dir().join(format!("keyside-open-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("private")).expect("a folder");
        std::fs::write(folder.join(".aiignore"), "private/\n").expect("a file");
        std::fs::write(folder.join(".ignore"), "old.rs\n").expect("a file");
        std::fs::write(folder.join("private/a.rs"), "").expect("a file");
        let link = folder.join("link.rs");
        std::os::unix::fs::symlink(folder.join("private/a.rs"), &link).expect("a link");
        let open = OpenFiles::default();
        let folders = [folder.clone()];
        for (name, expected) in [
            ("a.rs", true),
            (".env", false),
            ("private/a.rs", false),
            ("old.rs", false),
            ("link.rs", false),
            ("not/there.rs", true),
        ] {
            let file = folder.join(name);
            assert!(!open.may_be_read(&file), "nothing is known of {name}");
            open.look_at(&file, &folders);
            open.decided(&[Arc::from(&*file)]).await;
            assert_eq!(open.may_be_read(&file), expected, "{name}");
        }
        std::fs::write(folder.join(".cursorignore"), "a.rs\n").expect("a file");
        let file = folder.join("a.rs");
        open.forget();
        open.look_at(&file, &folders);
        // Until it is known anew, what was known holds.
        while open.may_be_read(&file) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let _ = std::fs::remove_dir_all(&folder);
    }
}
