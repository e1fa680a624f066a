//! Which files of a workspace are read, and why the others are not.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use ignore::WalkBuilder;

use crate::files;
use crate::lm::{ModelInfo, Token};
use crate::privacy::elsewhere::without_secret_lines;
use crate::retrieval::datastore::tokenize_lines;
use crate::retrieval::suffix_array::SuffixArray;
use crate::text::Language;
use crate::workspace::rules::{self, LeftOut};

/// Entries of folders that are looked at, and for how long: a home folder opened by mistake is no
/// workspace.
const MAX_ENTRIES: usize = 300_000;
const MAX_WALK: Duration = Duration::from_secs(30);
/// How long files are read and tokenised; a slow disk gets no more.
const MAX_READ: Duration = Duration::from_secs(30);
/// Larger files are data, or generated.
const MAX_FILE_BYTES: u64 = 256 * 1024;
/// In minified text lines are longer than this on average.
const MAX_MEAN_LINE_BYTES: usize = 160;

/// What a file's language is known by: the first ending of its family.
pub(super) fn family_of(path: &Path) -> Option<&str> {
    Some(Language::family_of(path.extension()?.to_str()?))
}

/// How many files of the family were left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Skipped {
    pub too_large: usize,
    /// Not UTF-8, or not to be read at all.
    pub unreadable: usize,
    pub minified: usize,
    /// Older than those that fill `completion.workspace_tokens`, or not reached in time.
    pub over_budget: usize,
    /// There were more files and folders than are looked at.
    pub walk_cut_short: bool,
}

/// An index and which files it is of.
#[derive(Clone, Default)]
pub(super) struct Indexed {
    pub index: Arc<SuffixArray>,
    numbers: HashMap<PathBuf, usize>,
    /// What each file was when it was read.
    stamps: Vec<Stamp>,
    /// Of all files that were found, read or not, and what they were to fill.
    found: u64,
    pub took: Duration,
    pub skipped: Skipped,
}

type Stamp = (Option<SystemTime>, u64);

struct Found {
    path: PathBuf,
    stamp: Stamp,
}

impl Indexed {
    /// Reads the files of a family, recently changed ones first; of files that are as they were
    /// `before` the tokens are taken from there.
    pub(super) fn of(
        folders: &[PathBuf],
        recursive: bool,
        family: &str,
        before: &Self,
        model: &ModelInfo,
        max_tokens: usize,
    ) -> Self {
        let began = Instant::now();
        let mut skipped = Skipped::default();
        let is_of_family = |it: &Path| family_of(it) == Some(family);
        let found = walk(folders, recursive, &is_of_family, &mut skipped);
        let mut hasher = DefaultHasher::new();
        max_tokens.hash(&mut hasher);
        found.iter().for_each(|it| (&it.path, it.stamp).hash(&mut hasher));
        let left_out = LeftOutOf::these(folders, &found);
        left_out.0.iter().for_each(|(_, rules)| match rules {
            Some(rules) => rules.ignore_files.hash(&mut hasher),
            None => u64::MAX.hash(&mut hasher),
        });
        let fingerprint = hasher.finish();
        if fingerprint == before.found {
            return Self { took: began.elapsed(), ..before.clone() };
        }
        let reading = Instant::now();
        let (mut texts, mut numbers, mut stamps) = (Vec::new(), HashMap::new(), Vec::new());
        let mut n_tokens = 0;
        for (at, file) in found.iter().enumerate() {
            if n_tokens >= max_tokens || reading.elapsed() > MAX_READ {
                skipped.over_budget = found.len() - at;
                break;
            }
            if left_out.holds(&file.path) {
                continue;
            }
            let Some(mut tokens) =
                before.tokens_of(file).or_else(|| read(file, model, &mut skipped))
            else {
                continue;
            };
            // Each file ends in a border.
            tokens.truncate(max_tokens - n_tokens - 1);
            n_tokens += tokens.len() + 1;
            numbers.insert(file.path.clone(), texts.len());
            stamps.push(file.stamp);
            texts.push(tokens);
        }
        let index = Arc::new(SuffixArray::new(&texts));
        Self { index, numbers, stamps, found: fingerprint, took: began.elapsed(), skipped }
    }

    /// Which of the index's files it is.
    pub(super) fn number_of(&self, path: &Path) -> Option<usize> {
        self.numbers.get(path).copied()
    }

    fn tokens_of(&self, file: &Found) -> Option<Vec<Token>> {
        let number = self.number_of(&file.path)?;
        // A file that was cut at the budget is shorter than it should be, and is last; it is read
        // anew.
        let whole = number + 1 < self.stamps.len();
        (whole && self.stamps[number] == file.stamp && file.stamp.0.is_some())
            .then(|| self.index.file(number).to_vec())
    }
}

/// Files of a folder, and of those in it, that hold code in a language whose files are watched;
/// none that git ignores or a fence leaves out. By path.
pub fn code_files(folder: &Path) -> Vec<PathBuf> {
    let is_code = |path: &Path| {
        let extension = path.extension().and_then(|it| it.to_str());
        let of_it = extension.and_then(|it| Language::of("", &format!(".{it}")));
        of_it.is_some_and(|it| it.is_watched)
    };
    let folders = [folder.to_owned()];
    let mut found = walk(&folders, true, &is_code, &mut Skipped::default());
    let left_out = LeftOutOf::these(&folders, &found);
    found.retain(|it| !left_out.holds(&it.path));
    let mut paths: Vec<PathBuf> = found.into_iter().map(|it| it.path).collect();
    paths.sort();
    paths
}

/// The wanted files, recently changed ones first. What git ignores is left out at once, and
/// symbolic links are not followed, so that there are no circles.
fn walk(
    folders: &[PathBuf],
    recursive: bool,
    is_wanted: &dyn Fn(&Path) -> bool,
    skipped: &mut Skipped,
) -> Vec<Found> {
    let began = Instant::now();
    let mut found = Vec::new();
    let Some((first, others)) = folders.split_first() else { return found };
    let mut builder = WalkBuilder::new(first);
    others.iter().for_each(|it| {
        builder.add(it);
    });
    builder.require_git(false).max_depth((!recursive).then_some(1));
    builder.filter_entry(|it| it.file_name() != "node_modules");
    for (n, entry) in builder.build().enumerate() {
        if n >= MAX_ENTRIES || began.elapsed() > MAX_WALK {
            skipped.walk_cut_short = true;
            break;
        }
        // What can't be listed, for want of a right say, is not there for us.
        let Ok(entry) = entry else { continue };
        let is_file = entry.file_type().is_some_and(|it| it.is_file());
        if !is_file || !is_wanted(entry.path()) {
            continue;
        }
        match entry.metadata() {
            Ok(it) if it.len() > MAX_FILE_BYTES => skipped.too_large += 1,
            Ok(it) => {
                found.push(Found { path: entry.into_path(), stamp: (it.modified().ok(), it.len()) })
            }
            Err(_) => skipped.unreadable += 1,
        }
    }
    // Of files of one time, as after a checkout, always the same ones.
    found.sort_by(|a, b| b.stamp.0.cmp(&a.stamp.0).then_with(|| a.path.cmp(&b.path)));
    found
}

fn read(file: &Found, model: &ModelInfo, skipped: &mut Skipped) -> Option<Vec<Token>> {
    let text =
        files::read(&file.path, MAX_FILE_BYTES).ok().and_then(|it| String::from_utf8(it).ok());
    let Some(text) = text.filter(|it| !it.contains('\0')) else {
        skipped.unreadable += 1;
        return None;
    };
    if text.len() > MAX_MEAN_LINE_BYTES * (1 + text.lines().count()) {
        skipped.minified += 1;
        return None;
    }
    let text = without_secret_lines(&text, file.path.to_str());
    Some(tokenize_lines(&text, model.end, model.tokenizer.as_ref()))
}

/// What each folder of the workspace leaves out; where its rules can't be read, everything.
struct LeftOutOf(Vec<(PathBuf, Option<LeftOut>)>);

impl LeftOutOf {
    fn these(folders: &[PathBuf], found: &[Found]) -> Self {
        let of = |folder: &PathBuf| {
            let files = found.iter().map(|it| &it.path).filter(|it| it.starts_with(folder));
            // Of each folder one file: rules are looked for above it.
            let beside: HashMap<&Path, &PathBuf> =
                files.filter_map(|it| Some((it.parent()?, it))).collect();
            let files: Vec<PathBuf> = beside.into_values().cloned().collect();
            let rules = rules::left_out(folder, &files);
            let rules = rules.inspect_err(|sentence| {
                tracing::warn!(
                    "no file of {} is read for suggestions: {sentence}",
                    folder.display()
                );
            });
            (folder.clone(), rules.ok())
        };
        Self(folders.iter().map(of).collect())
    }

    fn holds(&self, file: &Path) -> bool {
        let mut of = self.0.iter().filter(|(folder, _)| file.starts_with(folder));
        of.any(|(_, rules)| rules.as_ref().is_none_or(|it| it.holds(file)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families() {
        let family = |path: &str| family_of(Path::new(path)).map(str::to_owned);
        assert_eq!(family("/a/b.tsx").as_deref(), Some("ts"));
        assert_eq!(family("b.mjs").as_deref(), Some("ts"));
        assert_eq!(family("b.rs").as_deref(), Some("rs"));
        assert_eq!(family("b.pyi").as_deref(), Some("py"));
        assert_eq!(family("Makefile"), None);
        assert_eq!(family(".gitignore"), None);
    }
}
