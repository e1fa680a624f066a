//! The workspace's files on the disk, as an index of their tokens: read in the background, by a thread of low
//! priority, and never waited for.

mod collect;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::adapt::index::IndexView;
use crate::generation::ModelInfo;
pub use collect::Skipped;
use collect::{Indexed, family_of};

/// After files have changed, the index is made anew no sooner than this after the last time.
const REST_AFTER_CHANGE: Duration = Duration::from_secs(20);
/// Files also change behind the editor's back, when a branch is checked out.
const REST: Duration = Duration::from_secs(300);
/// Languages whose indices are kept: of more, the one that was not asked for longest goes.
const MAX_INDICES: usize = 3;

/// The folders, and an index for each family of languages that was asked for.
#[derive(Default)]
pub struct Workspace {
    shared: Arc<Mutex<Shared>>,
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
#[derive(Debug, Clone, PartialEq, Serialize)]
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

    /// Folders that the workspace has lost and won.
    pub fn change_folders(&self, removed: &[PathBuf], added: Vec<PathBuf>) {
        let folders = &mut self.shared().folders;
        folders.retain(|it| !removed.contains(it));
        folders.extend(added);
    }

    /// Notes that a file on the disk has changed.
    pub fn changed(&self) {
        self.shared().changed = Some(Instant::now());
    }

    /// The index of files in the language of `file`, as it is now, without the files that are `open`. Where
    /// there is none yet, or it is out of date, a thread begins to make it.
    pub fn view(
        &self,
        file: &Path,
        open: &[PathBuf],
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
        let stale = at.is_none() || age > REST || (changed && age > REST_AFTER_CHANGE);
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

/// Typing goes before reading files. Linux alone has priorities of threads in this call; elsewhere the
/// scheduler is trusted.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    {
        let thread = rustix::thread::gettid();
        // Refused or not, the work is the same.
        let _ = rustix::process::setpriority_process(Some(thread), 10);
    }
}
