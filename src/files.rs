//! Files that somebody else may have put there: what is no file is not waited for, a file is read
//! up to a limit, and it is replaced as a whole.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Settings, consent, templates and other files that a person writes.
pub const MAX_TEXT_BYTES: u64 = 4 << 20;

/// Opens a file for reading without blocking: opening a pipe would wait for its writer.
///
/// # Errors
/// What the system says; `InvalidInput` where it is a folder, a pipe or a device.
pub fn open(path: &Path) -> io::Result<File> {
    // Before it is opened, because opening is an order to some devices; and after it, because it
    // may be another one by then.
    let is_file = |it: std::fs::Metadata| if it.is_file() { Ok(()) } else { Err(no_file()) };
    is_file(std::fs::metadata(path)?)?;
    let file = without_waiting(OpenOptions::new().read(true)).open(path)?;
    is_file(file.metadata()?)?;
    Ok(file)
}

/// Reads a file of at most `max_bytes`.
///
/// # Errors
/// As [`open`]; `FileTooLarge` where it has more.
pub fn read(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(max_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        let what = format!("it has more than {max_bytes} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

/// Whether a file holds these bytes and no more. It is compared piece by piece, so that it takes no
/// memory.
pub fn holds(path: &Path, bytes: &[u8]) -> bool {
    let Ok(mut file) = open(path) else { return false };
    let mut buffer = [0; 1 << 16];
    let mut left = bytes;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return left.is_empty(),
            Ok(n) => match left.strip_prefix(&buffer[..n]) {
                Some(rest) => left = rest,
                None => return false,
            },
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
}

/// Reads a text that a person may have written, of at most [`MAX_TEXT_BYTES`].
///
/// # Errors
/// As [`read`]; `InvalidData` where it is not UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read(path, MAX_TEXT_BYTES)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

/// Opens a file that is there for its lock alone, and makes it where there is none.
///
/// # Errors
/// As [`open`].
pub fn open_lock(path: &Path) -> io::Result<File> {
    // With both, opening a pipe does not wait either.
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let file = without_waiting(&mut options).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(no_file()) }
}

/// Writes a file anew, as a whole: whoever reads it meanwhile sees the old one, and so does
/// everybody where it can't be written.
///
/// # Errors
/// What the system says. Then nothing is left behind.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let unfinished = path.with_extension(format!("{}-{number}.part", std::process::id()));
    // Of a process that had the same number and was killed.
    let _ = std::fs::remove_file(&unfinished);
    let written =
        OpenOptions::new().write(true).create_new(true).open(&unfinished).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&unfinished, path)
        });
    if written.is_err() {
        let _ = std::fs::remove_file(&unfinished);
    }
    written
}

/// The same for a file that may be there already, which keeps its permissions.
///
/// # Errors
/// As [`replace`].
pub fn replace_in_place(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let permissions = std::fs::metadata(path).map(|it| it.permissions());
    replace(path, bytes)?;
    permissions.map_or(Ok(()), |it| std::fs::set_permissions(path, it))
}

/// A path in the settings; `~/` is the home folder.
pub fn expand_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), etcetera::home_dir()) {
        (Some(rest), Ok(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

/// Where a path leads to, links and `..` resolved as the system would; what is not there yet is
/// placed in the folder that is.
pub fn real_path(path: &Path) -> PathBuf {
    let mut missing = Vec::new();
    let mut there = path;
    loop {
        if let Ok(mut real) = there.canonicalize() {
            // In what is not there, no link changes what `..` means.
            let goes_up = missing.contains(&Component::ParentDir);
            missing.into_iter().rev().for_each(|part| step(&mut real, part));
            // What was passed by on the way up may have been all that there is not.
            return if goes_up { real_path(&real) } else { real };
        }
        let mut parts = there.components();
        match (parts.next_back(), parts.as_path()) {
            (Some(part), rest) if !rest.as_os_str().is_empty() => {
                missing.push(part);
                there = rest;
            }
            _ => return path.to_path_buf(),
        }
    }
}

/// A path without `..`, as editors have it: by its names alone, wherever links lead.
pub fn plain_path(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir | Component::Normal(_) => step(&mut plain, part),
            beginning => plain.push(beginning),
        }
    }
    plain
}

/// All names under which a file may be meant: as it is written, as an editor reads that, and where
/// it really lies.
pub fn names_of(path: &Path) -> Vec<PathBuf> {
    let mut names = vec![path.to_path_buf()];
    for name in [plain_path(path), real_path(path)] {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn step(at: &mut PathBuf, part: Component<'_>) {
    match part {
        Component::ParentDir => drop(at.pop()),
        Component::Normal(name) => at.push(name),
        _ => {}
    }
}

fn no_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is a folder, a pipe or a device and no file")
}

#[cfg(unix)]
fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, libc::O_NONBLOCK | libc::O_NOCTTY)
}

#[cfg(not(unix))]
fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("keyside-files-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path.canonicalize().unwrap())
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let folder = Folder::new("limit");
        let path = folder.0.join("a");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert_eq!(read(&path, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(read(&folder.0.join("b"), 4).unwrap_err().kind(), io::ErrorKind::NotFound);
        std::fs::write(&path, [0xff]).unwrap();
        assert_eq!(read_text(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[cfg(unix)]
    #[test]
    fn pipes_folders_and_devices_are_refused_at_once() {
        let folder = Folder::new("kinds");
        let pipe = folder.0.join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let link = folder.0.join("link");
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        for path in [&pipe, &link, &folder.0, Path::new("/dev/zero")] {
            assert_eq!(read(path, 9).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{path:?}");
        }
        assert_eq!(open_lock(&pipe).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        replace(&pipe, b"a file now").unwrap();
        assert_eq!(read_text(&pipe).unwrap(), "a file now");
    }

    #[cfg(unix)]
    #[test]
    fn a_path_is_followed_to_its_real_place() {
        let folder = Folder::new("real");
        let at = |path: &str| folder.0.join(path);
        std::fs::create_dir_all(at("a/deep")).unwrap();
        std::fs::create_dir_all(at("b")).unwrap();
        std::fs::write(at("b/secret"), "").unwrap();
        std::os::unix::fs::symlink(at("b/secret"), at("a/file")).unwrap();
        std::os::unix::fs::symlink(at("b"), at("a/folder")).unwrap();
        std::os::unix::fs::symlink(at("a/deep"), at("b/up")).unwrap();
        for (path, real) in [
            ("a/file", "b/secret"),
            ("a/folder/secret", "b/secret"),
            ("a/folder/new/file", "b/new/file"),
            ("a/folder/../b/secret", "b/secret"),
            // As the system has it: the parent of where the link leads to.
            ("b/up/../x", "a/x"),
            ("a/none/../../b/secret", "b/secret"),
            ("a/none/../folder/secret", "b/secret"),
            ("a/./deep", "a/deep"),
        ] {
            assert_eq!(real_path(&at(path)), at(real), "{path}");
        }
        assert_eq!(real_path(Path::new("")), Path::new(""));
        assert_eq!(plain_path(&at("a/folder/.././x")), at("a/x"));
        assert_eq!(plain_path(Path::new("/../x")), Path::new("/x"));
    }
}
