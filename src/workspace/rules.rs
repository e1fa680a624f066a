//! What a workspace says of itself: which of its files are left out of everything, and how its code
//! is to be written.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::files;
use crate::privacy::fence::{Fence, IGNORE_FILES, IgnoreFile};

/// Longer ignore files, and longer notes on style, are something else.
const MAX_RULES_BYTES: u64 = 256 * 1024;
const MAX_CONVENTION_BYTES: u64 = 4 * 1024;
/// Files that say how code is to be written, the most telling first.
const CONVENTIONS: &[&str] = &[
    ".editorconfig",
    "rustfmt.toml",
    ".rustfmt.toml",
    ".prettierrc",
    ".clang-format",
    "ruff.toml",
    "STYLE.md",
    "CONTRIBUTING.md",
    "docs/style.md",
];

/// The folder that a file's consent and ignore files are those of: the workspace's that holds it,
/// or its own.
pub fn root_of(folders: &[PathBuf], file: &Path) -> PathBuf {
    let holding =
        folders.iter().filter(|it| file.starts_with(it)).max_by_key(|it| it.as_os_str().len());
    holding.cloned().or_else(|| file.parent().map(Path::to_path_buf)).unwrap_or_default()
}

/// The folders that a file's consent is of, without links: the one that it was opened in, and the
/// one where it really lies if that is another.
pub fn workspaces_of(folders: &[PathBuf], file: &Path) -> Vec<PathBuf> {
    let opened_in = files::real_path(&root_of(folders, &files::plain_path(file)));
    let real_folders: Vec<PathBuf> = folders.iter().map(|it| files::real_path(it)).collect();
    let lies_in = root_of(&real_folders, &files::real_path(file));
    if lies_in == opened_in { vec![opened_in] } else { vec![opened_in, lies_in] }
}

/// The rules that hold for files of all `workspaces`, whichever it is that a file is of.
///
/// # Errors
/// As [`fence`].
pub fn fence_of(
    workspaces: &[PathBuf],
    files: &[PathBuf],
    never_send: &[String],
) -> Result<Fence, String> {
    let mut names: Vec<PathBuf> = files.iter().flat_map(|it| files::names_of(it)).collect();
    names.sort();
    names.dedup();
    let nowhere = [PathBuf::new()];
    let roots = if workspaces.is_empty() { &nowhere } else { workspaces };
    let mut fences = roots.iter().map(|root| fence(root, &names, never_send));
    let first = fences.next().unwrap_or_else(|| fence(Path::new(""), &names, never_send))?;
    fences.try_fold(first, |all, other| Ok(all.and(other?)))
}

/// The rules that hold for files of a workspace: the ignore files from the repository's top to each
/// file's folder, as git reads them, and the repository's own list.
///
/// # Errors
/// One sentence, where one of them can't be read: then nothing may be sent.
pub fn fence(root: &Path, files: &[PathBuf], never_send: &[String]) -> Result<Fence, String> {
    let (repository, ignore_files) = ignore_files(root, files, IGNORE_FILES)?;
    Fence::new(&repository, never_send, &ignore_files)
}

/// What is left out of the texts that tell how others go on, with what says so.
pub struct LeftOut {
    fence: Fence,
    /// `.ignore`, which is for all programs that search.
    ignore: Fence,
    /// All that was read, by which a change is noticed.
    pub ignore_files: Vec<IgnoreFile>,
}

impl LeftOut {
    /// Whether the file is one of them.
    pub fn holds(&self, file: &Path) -> bool {
        self.fence.stops(file).is_some() || self.ignore.stops(file).is_some()
    }
}

/// The rules by which files of a workspace are left out of what others are completed from: as
/// [`fence`], and `.ignore`.
///
/// # Errors
/// One sentence, where one of them can't be read: then none of these files may be used.
pub fn left_out(root: &Path, files: &[PathBuf]) -> Result<LeftOut, String> {
    let (repository, mut ignore_files) = ignore_files(root, files, IGNORE_FILES)?;
    let fence = Fence::new(&repository, &[], &ignore_files)?;
    // Read as git reads its own.
    let (_, searched) = self::ignore_files(root, files, &[".ignore"])?;
    let as_git: Vec<IgnoreFile> =
        searched.iter().map(|it| IgnoreFile { name: ".gitignore", ..it.clone() }).collect();
    let ignore = Fence::new(&repository, &[], &as_git)?;
    ignore_files.extend(searched);
    Ok(LeftOut { fence, ignore, ignore_files })
}

/// The repository's top, and its ignore files of these names from there to each file's folder.
fn ignore_files(
    root: &Path,
    files: &[PathBuf],
    names: &[&'static str],
) -> Result<(PathBuf, Vec<IgnoreFile>), String> {
    let mut ignore_files = Vec::new();
    // A text without a place is in no repository, not in the one that this process was started in.
    if root.as_os_str().is_empty() {
        return Ok((root.to_path_buf(), ignore_files));
    }
    let repository = root.ancestors().find(|it| it.join(".git").exists()).unwrap_or(root);
    let exclude = git_folder(repository).join("info/exclude");
    if names.contains(&".gitignore")
        && let Some(text) = rules_in(&exclude)?
    {
        ignore_files.push(IgnoreFile {
            folder: repository.to_path_buf(),
            name: ".gitignore",
            text,
        });
    }
    let above = |file: &'_ PathBuf| -> Vec<PathBuf> {
        let folders = file.ancestors().skip(1).take_while(|it| it.starts_with(repository));
        folders.map(Path::to_path_buf).collect()
    };
    let folders: BTreeSet<PathBuf> = files.iter().flat_map(above).collect();
    // In this order a folder comes before what is in it.
    for folder in &folders {
        for name in names.iter().copied() {
            if let Some(text) = rules_in(&folder.join(name))? {
                ignore_files.push(IgnoreFile { folder: folder.clone(), name, text });
            }
        }
    }
    Ok((repository.to_path_buf(), ignore_files))
}

/// Where git keeps a repository's own list. In a linked worktree and in a submodule `.git` is a
/// file that names another folder, and that may name the one which all worktrees share.
fn git_folder(repository: &Path) -> PathBuf {
    let own = repository.join(".git");
    let line = |file: &Path| -> Option<String> {
        let is_short = |it: &std::fs::Metadata| it.is_file() && it.len() <= MAX_CONVENTION_BYTES;
        std::fs::metadata(file).ok().filter(is_short)?;
        Some(std::fs::read_to_string(file).ok()?.trim_end_matches(['\r', '\n']).to_owned())
    };
    let Some(named) = line(&own) else { return own };
    let Some(named) = named.strip_prefix("gitdir: ") else { return own };
    let folder = repository.join(named);
    match line(&folder.join("commondir")) {
        Some(shared) => folder.join(shared),
        None => folder,
    }
}

/// An ignore file's text, whatever its bytes; `None` where there is none.
fn rules_in(path: &Path) -> Result<Option<String>, String> {
    let unreadable = |why: &str| {
        Err(format!("{} can't be read ({why}), so nothing is sent; correct it", path.display()))
    };
    match files::read(path, MAX_RULES_BYTES) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidInput => Ok(None),
            ErrorKind::FileTooLarge => unreadable("it is too large"),
            _ => unreadable(&error.to_string()),
        },
    }
}

/// The beginnings of files that say how code is to be written, with their names; what the fence
/// leaves out is left out.
pub fn conventions(root: &Path, fence: &Fence) -> Vec<(PathBuf, String)> {
    let Ok(real_root) = root.canonicalize() else { return Vec::new() };
    let is_here = |it: &PathBuf| it.canonicalize().is_ok_and(|real| real.starts_with(&real_root));
    let files = CONVENTIONS.iter().map(|it| root.join(it)).filter(is_here);
    let files = files.filter(|it| fence.stops_file(it).is_none());
    files.filter_map(|file| read(&file).map(|text| (file, text))).collect()
}

/// A regular file's text, as far as a limit and the last whole line before it. A link may lead
/// anywhere, and a pipe would wait for its writer, so neither is opened.
fn read(path: &Path) -> Option<String> {
    if std::fs::symlink_metadata(path).ok()?.is_symlink() {
        return None;
    }
    let mut bytes = Vec::new();
    files::open(path).ok()?.take(MAX_CONVENTION_BYTES).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 == MAX_CONVENTION_BYTES {
        let end = bytes.iter().rposition(|it| *it == b'\n').map_or(0, |it| it + 1);
        bytes.truncate(end);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_further_working_tree_has_the_rules_of_its_repository() {
        let folder = std::env::temp_dir().join(format!("keyside-rules-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        };
        write("main/.git/info/exclude", "private.rs\n");
        write("main/.git/worktrees/tree/commondir", "../..\n");
        write("tree/.git", &format!("gitdir: {}/main/.git/worktrees/tree\n", folder.display()));
        write("module/.git", "gitdir: ../main/.git/modules/module\n");
        write("main/.git/modules/module/info/exclude", "other.rs\n");
        for (root, stopped) in [
            ("main", "private.rs"),
            ("tree", "private.rs"),
            ("tree/src", "private.rs"),
            ("module", "other.rs"),
        ] {
            let root = folder.join(root);
            let files = ["private.rs", "other.rs"].map(|it| root.join(it));
            let fence = fence(&root, &files, &[]).expect("rules that can be read");
            let stops: Vec<&Path> = files
                .iter()
                .filter(|it| fence.stops(it).is_some())
                .filter_map(|it| it.strip_prefix(&root).ok())
                .collect();
            assert_eq!(stops, [Path::new(stopped)], "{}", root.display());
        }
        assert!(fence(Path::new(""), &[], &[]).is_ok());
        let _ = std::fs::remove_dir_all(&folder);
    }
}
