//! The workspace's files on the disk, as an index of their tokens: read in the background, by a
//! thread of low priority, and never waited for.

mod collect;
mod open;
pub mod rules;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::lm::ModelInfo;
use crate::machine::lower_priority;
use crate::retrieval::suffix_array::IndexView;
use crate::text::language::LANGUAGES;
pub use collect::Skipped;
pub use collect::code_files;
use collect::{Indexed, family_of};
use open::OpenFiles;

/// After files have changed, the index is made anew no sooner than this after the last time, and
/// than so many times what the last time took.
const REST_AFTER_CHANGE: Rest = (Duration::from_secs(20), 20);
/// Files also change behind the editor's back, when a branch is checked out.
const REST: Rest = (Duration::from_secs(300), 100);
/// Languages whose indices are kept: of more, the one that was not asked for longest goes.
const MAX_INDICES: usize = 3;

/// Names of ignore files, of whatever program.
const RULES_FILES: &[&str] = &[".gitignore", ".ignore", ".aiignore", ".cursorignore", ".aiexclude"];

/// The folders, and an index for each family of languages that was asked for.
pub struct Workspace {
    shared: Arc<Mutex<Shared>>,
    open: OpenFiles,
    rest: Rest,
    rest_after_change: Rest,
}

/// A time, and so many times what an index has taken: the longer of both.
type Rest = (Duration, u32);

impl Default for Workspace {
    fn default() -> Self {
        let open = OpenFiles::default();
        Self { shared: Arc::default(), open, rest: REST, rest_after_change: REST_AFTER_CHANGE }
    }
}

/// Locked for moments: to hand out an index, and to put a new one in its place.
#[derive(Default)]
struct Shared {
    folders: Vec<PathBuf>,
    /// The latest last.
    indices: Vec<Kept>,
    changed: Option<Instant>,
}

struct Kept {
    family: String,
    /// Tokens are those of one model.
    vocabulary_hash: u64,
    folders: Vec<PathBuf>,
    /// When the present one was begun.
    begun: Instant,
    building: bool,
    indexed: Arc<Indexed>,
}

/// What `keyside/stats` says of an index.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexReport {
    /// The languages, by one of their files' endings.
    pub family: String,
    pub building: bool,
    pub files: usize,
    pub tokens: usize,
    pub build_ms: u64,
    pub skipped: Skipped,
}

impl Workspace {
    /// Sets which folders make the workspace.
    pub fn set_folders(&self, folders: Vec<PathBuf>) {
        self.shared().folders = folders;
    }

    /// The folders that make the workspace.
    pub fn folders(&self) -> Vec<PathBuf> {
        self.shared().folders.clone()
    }

    /// Folders that the workspace has lost and won.
    pub fn change_folders(&self, removed: &[PathBuf], added: Vec<PathBuf>) {
        let folders = &mut self.shared().folders;
        folders.retain(|it| !removed.contains(it));
        for folder in added {
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
    }

    /// Begins to find out whether a file that is opened may tell how others go on.
    pub fn opened(&self, file: &Path) {
        self.open.look_at(file, &self.folders());
    }

    /// Whether each of these files that are open may tell how others go on. What is not known yet
    /// is waited for, a moment and once; most requests find everything known.
    pub async fn may_tell(&self, files: &[Arc<Path>]) -> Vec<bool> {
        if files.is_empty() {
            return Vec::new();
        }
        if let Some(known) = self.open.known(files) {
            return known;
        }
        let folders = self.folders();
        files.iter().for_each(|it| self.open.look_at(it, &folders));
        self.open.decided(files).await;
        files.iter().map(|it| self.open.may_be_read(it)).collect()
    }

    /// Notes that a file on the disk has changed.
    pub fn changed(&self) {
        self.open.forget();
        self.shared().changed = Some(Instant::now());
    }

    /// Notes that an ignore file has changed. What was read before may be left out now, so there is
    /// no index until it is made anew.
    pub fn rules_changed(&self) {
        self.shared().indices.clear();
    }

    /// Whether a file says which others are left out.
    pub fn is_rules_file(&self, file: &Path) -> bool {
        let is_named = |name: &str| file.file_name().is_some_and(|it| it == name);
        RULES_FILES.iter().any(|it| is_named(it)) || file.ends_with(".git/info/exclude")
    }

    /// Globs of the files that say what the index is made of, and of those that it is made of.
    pub fn watched_globs(&self) -> Vec<String> {
        let watched = LANGUAGES.iter().filter(|it| it.is_watched);
        let watched: Vec<&str> = watched.flat_map(|it| it.extensions).copied().collect();
        vec![format!("**/{{{}}}", RULES_FILES.join(",")), format!("**/*.{{{}}}", watched.join(","))]
    }

    /// The index of files in the language of `file`, as it is now, without the files that are
    /// `open`. Where there is none yet, or it is out of date, a thread begins to make it.
    pub fn view(
        &self,
        file: &Path,
        open: &[Arc<Path>],
        model: &Arc<ModelInfo>,
        max_tokens: usize,
    ) -> IndexView {
        let Some(family) = family_of(file).filter(|_| max_tokens > 0) else {
            return IndexView::default();
        };
        let mut shared = self.shared();
        let folders = match shared.folders.iter().find(|it| file.starts_with(it)) {
            Some(_) => shared.folders.clone(),
            // A file from elsewhere: what lies beside it belongs to it, but nothing below that.
            None => file.parent().map(Path::to_path_buf).into_iter().collect(),
        };
        let at = shared.indices.iter().position(|it| {
            it.family == family
                && it.vocabulary_hash == model.vocabulary_hash
                && it.folders == folders
        });
        let mut kept = match at {
            Some(at) => shared.indices.remove(at),
            None => Kept {
                family: family.to_owned(),
                vocabulary_hash: model.vocabulary_hash,
                folders,
                begun: Instant::now(),
                building: false,
                indexed: Arc::default(),
            },
        };
        let age = kept.begun.elapsed();
        let changed = shared.changed.is_some_and(|it| it > kept.begun);
        let took = kept.indexed.took;
        let rested = |(least, times): Rest| age > least.max(took * times);
        let stale =
            at.is_none() || rested(self.rest) || (changed && rested(self.rest_after_change));
        if stale && !kept.building {
            kept.begun = Instant::now();
            kept.building = true;
            self.build(&kept, shared.folders.contains(&kept.folders[0]), model, max_tokens);
        }
        let indexed = Arc::clone(&kept.indexed);
        if shared.indices.len() >= MAX_INDICES {
            shared.indices.remove(0);
        }
        shared.indices.push(kept);
        drop(shared);
        let without = open.iter().filter_map(|it| indexed.number_of(it));
        IndexView::without(Arc::clone(&indexed.index), without)
    }

    fn build(&self, kept: &Kept, recursive: bool, model: &Arc<ModelInfo>, max_tokens: usize) {
        let (folders, family) = (kept.folders.clone(), kept.family.clone());
        let (before, begun) = (Arc::clone(&kept.indexed), kept.begun);
        let vocabulary_hash = kept.vocabulary_hash;
        let model = Arc::clone(model);
        let shared = Arc::clone(&self.shared);
        let work = move || {
            lower_priority();
            let work = || Indexed::of(&folders, recursive, &family, &before, &model, max_tokens);
            // A panic, which its hook logs, costs the index and not the chance of another.
            let indexed =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_default();
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let place = shared.indices.iter_mut().find(|it| {
                it.family == family && it.vocabulary_hash == vocabulary_hash && it.begun == begun
            });
            if let Some(kept) = place {
                kept.building = false;
                kept.indexed = Arc::new(indexed);
            }
        };
        let thread = std::thread::Builder::new().name("keyside-workspace".to_owned());
        if let Err(error) = thread.spawn(work) {
            // Suggestions go on without; the next look tries again.
            tracing::warn!("the workspace's files can't be read in the background ({error})");
        }
    }

    /// What there is, for statistics.
    pub fn report(&self) -> Vec<IndexReport> {
        let shared = self.shared();
        let report = |it: &Kept| IndexReport {
            family: it.family.clone(),
            building: it.building,
            files: it.indexed.index.n_files(),
            tokens: it.indexed.index.n_tokens(),
            build_ms: it.indexed.took.as_millis() as u64,
            skipped: it.indexed.skipped,
        };
        shared.indices.iter().map(report).collect()
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lm::backend::Backend;
    use crate::lm::backend::scripted::{Script, ScriptedBackend};

    /// What follows `history` in the files of `folder`, once what is being built is built.
    fn known(workspace: &Workspace, folder: &Path, history: &str) -> String {
        let model = ScriptedBackend::new(Script::saying(""));
        let view = || workspace.view(&folder.join("open.rs"), &[], model.info(), 1_000);
        view();
        while workspace.report().iter().any(|it| it.building) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let history: Vec<i32> = history.bytes().map(i32::from).collect();
        let view = view();
        let places = view.longest_matches(&history, None, 1);
        places.iter().filter_map(|at| char::from_u32(view.tokens()[at + 1] as u32)).collect()
    }

    #[test]
    fn files_that_change_are_read_again_and_others_are_not() {
        let folder = std::env::temp_dir().join(format!("keyside-index-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.join(name), text).expect("a file");
        };
        write("a.rs", "abc");
        write("b.rs", "xyz");
        let mut workspace = Workspace::default();
        workspace.set_folders(vec![folder.clone()]);
        assert_eq!(known(&workspace, &folder, "ab"), "c");
        write("a.rs", "abdd");
        workspace.changed();
        // It rests.
        assert_eq!(known(&workspace, &folder, "ab"), "c");
        workspace.rest_after_change = (Duration::ZERO, 0);
        assert_eq!(known(&workspace, &folder, "ab"), "d");
        assert_eq!(known(&workspace, &folder, "xy"), "z");
        std::fs::remove_file(folder.join("b.rs")).expect("it was there");
        workspace.changed();
        assert_eq!(known(&workspace, &folder, "xy"), "");
        // Nothing has changed, so the index is the same one.
        let index = Arc::clone(&workspace.shared().indices[0].indexed.index);
        workspace.rest = (Duration::ZERO, 0);
        assert_eq!(known(&workspace, &folder, "ab"), "d");
        assert!(Arc::ptr_eq(&index, &workspace.shared().indices[0].indexed.index));
        let _ = std::fs::remove_dir_all(&folder);
    }
}
