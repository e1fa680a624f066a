//! Folders with GGUF files, at any depth: LM Studio's, llama.cpp's cache, and those that a person
//! names.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::files;
use crate::models::{FoundModels, KeptBy};

const MAX_DEPTH: usize = 12;
/// Files and folders that are looked at in one folder, with those below it.
const MAX_ENTRIES: usize = 200_000;

/// Finds the GGUF files below a folder. Links are followed, each folder is looked at once.
pub(super) fn find(root: &Path, kept_by: KeptBy, found: &mut FoundModels) {
    let mut walk = Walk { seen: HashSet::new(), n_entries: 0, files: Vec::new() };
    walk.visit(root, 0);
    if walk.n_entries > MAX_ENTRIES {
        found.notes.push(format!(
            "{} has more than {MAX_ENTRIES} files, and not all were looked at; name a folder further down",
            root.display()
        ));
    }
    walk.files.sort();
    for path in walk.files {
        found.add(name_of(&path, root), kept_by, path, None);
    }
}

struct Walk {
    seen: HashSet<PathBuf>,
    n_entries: usize,
    files: Vec<PathBuf>,
}

impl Walk {
    fn visit(&mut self, folder: &Path, depth: usize) {
        if depth > MAX_DEPTH || !self.seen.insert(files::real_path(folder)) {
            return;
        }
        // One that can't be read holds nothing for this user.
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            self.n_entries += 1;
            if self.n_entries > MAX_ENTRIES {
                return;
            }
            let path = entry.path();
            // The type of what a link leads to.
            let Ok(metadata) = std::fs::metadata(&path) else { continue };
            if metadata.is_dir() {
                self.visit(&path, depth + 1);
            } else if metadata.is_file() && is_gguf(&path) {
                self.files.push(path);
            }
        }
    }
}

/// Whether a file is called one.
pub(super) fn is_gguf(path: &Path) -> bool {
    path.extension().is_some_and(|it| it.eq_ignore_ascii_case("gguf"))
}

/// The path below the folder, without the ending.
pub(super) fn name_of(path: &Path, root: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path).with_extension("");
    let parts: Vec<String> = below.iter().map(|it| it.to_string_lossy().into_owned()).collect();
    let mut name = parts.join("/");
    if let Some(at) = part_suffix(&name) {
        name.truncate(at);
    }
    name
}

/// Where `-00001-of-00003` begins, at the end of a name.
fn part_suffix(stem: &str) -> Option<usize> {
    let at = stem.len().checked_sub("-00001-of-00003".len())?;
    let suffix = stem.get(at..)?.as_bytes();
    let is_so = suffix.iter().zip(b"-00001-of-00003").all(|(it, pattern)| match pattern {
        b'0'..=b'9' => it.is_ascii_digit(),
        _ => it == pattern,
    });
    is_so.then_some(at)
}

/// The number of this file and of all of them, where a model is split into several (llama.cpp's
/// `gguf-split`).
pub(super) fn part_of(path: &Path) -> Option<(usize, usize)> {
    let stem = path.file_stem()?.to_str()?;
    let suffix = &stem[part_suffix(stem)?..];
    Some((suffix[1..6].parse().ok()?, suffix[10..].parse().ok()?))
}

/// The size of a model, all its files together; `None` where one is missing.
pub(super) fn bytes_of_all_parts(path: &Path) -> Option<u64> {
    let n_bytes = |path: &Path| Some(std::fs::metadata(path).ok()?.len());
    let Some((_, n_parts)) = part_of(path) else { return n_bytes(path) };
    let stem = path.file_stem()?.to_str()?;
    let begin = &stem[..part_suffix(stem)?];
    let mut sum: u64 = 0;
    for number in 1..=n_parts {
        let part = path.with_file_name(format!("{begin}-{number:05}-of-{n_parts:05}.gguf"));
        sum = sum.checked_add(n_bytes(&part)?)?;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_in_several_files_is_one() {
        let path = Path::new("/m/a/big-00002-of-00003.gguf");
        assert_eq!(part_of(path), Some((2, 3)));
        assert_eq!(name_of(path, Path::new("/m")), "a/big");
        for other in ["big.gguf", "big-0002-of-00003.gguf", "ö-00002-af-00003.gguf", "0-of-1.gguf"]
        {
            assert_eq!(part_of(Path::new(other)), None, "{other}");
        }
    }
}
