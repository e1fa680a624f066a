//! Documents' URIs: when two of them are one document, and which path a URI names.
//!
//! Editors spell one URI in several ways (`%3A` or `:`, `C:` or `c:`, `/./`, `//`), and give texts
//! that are not saved yet, cells of notebooks and old versions URIs of other schemes that hold a
//! path all the same (`untitled:/home/me/.env`).

use std::path::{Path, PathBuf};

/// A URI in its parts, with what was escaped in them.
struct Parts {
    /// In lower case; empty for a bare path.
    scheme: String,
    /// In lower case; empty for this machine.
    authority: String,
    path: Vec<u8>,
    /// From the first `?` or `#` on. In URIs of files, which some editors do not escape, that is
    /// part of the path.
    rest: Vec<u8>,
}

impl Parts {
    fn of(uri: &str) -> Self {
        let (scheme, after) = uri.split_once(':').unwrap_or(("", uri));
        let is_scheme = |it: &str| {
            // One letter is a drive.
            it.len() > 1
                && it.starts_with(|c: char| c.is_ascii_alphabetic())
                && it.bytes().all(|c| c.is_ascii_alphanumeric() || b"+-.".contains(&c))
        };
        let (scheme, after) = if is_scheme(scheme) { (scheme, after) } else { ("", uri) };
        let scheme = scheme.to_ascii_lowercase();
        let is_file = scheme.is_empty() || scheme == "file";
        let (authority, after) = match after.strip_prefix("//") {
            Some(after) if !scheme.is_empty() => {
                after.split_at(after.find(['/', '?', '#']).unwrap_or(after.len()))
            }
            _ => ("", after),
        };
        let authority = String::from_utf8_lossy(&decoded(authority)).to_ascii_lowercase();
        let end = after.find(['?', '#']).filter(|_| !is_file).unwrap_or(after.len());
        let (path, rest) = after.split_at(end);
        let mut path = decoded(path);
        if let [b'/', letter, colon @ (b':' | b'|'), ..] = &mut path[..] {
            letter.make_ascii_lowercase();
            *colon = b':';
            path.iter_mut().filter(|it| **it == b'\\').for_each(|it| *it = b'/');
        }
        Self {
            scheme,
            authority: if authority == "localhost" { String::new() } else { authority },
            path,
            rest: decoded(rest),
        }
    }

    /// The path without `.` and, where it is one of files, without empty parts; without `..` as
    /// well, if `up`.
    fn straight(&self, up: bool) -> Vec<u8> {
        if !self.path.starts_with(b"/") {
            return self.path.clone();
        }
        let is_of_files = ["", "file", "untitled"].contains(&&*self.scheme);
        let mut parts: Vec<&[u8]> = Vec::new();
        for part in self.path[1..].split(|it| *it == b'/') {
            match part {
                b"." => {}
                b"" if is_of_files => {}
                b".." if up => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        let mut path = Vec::with_capacity(self.path.len());
        for part in parts {
            path.push(b'/');
            path.extend_from_slice(part);
        }
        if path.is_empty() { b"/".to_vec() } else { path }
    }
}

/// The one spelling of a URI: two URIs with the same name one document.
pub fn canonical(uri: &str) -> String {
    let (scheme, parts) = (scheme(uri), Parts::of(uri));
    let mut canonical = String::with_capacity(uri.len() + 8);
    if !scheme.is_empty() {
        canonical.push_str(&scheme);
        canonical.push(':');
    }
    if scheme == "file" || !parts.authority.is_empty() {
        canonical.push_str("//");
        escape(parts.authority.as_bytes(), &mut canonical);
    }
    escape(&parts.straight(true), &mut canonical);
    if let Some((mark, rest)) = parts.rest.split_first() {
        canonical.push(char::from(*mark));
        escape(rest, &mut canonical);
    }
    canonical
}

/// The file that a URI names, or would name once it is saved; `None` for one that names something
/// else. Any scheme: what is in a notebook's cell, in an old version or in a text that was never
/// saved belongs to the path that its URI holds.
pub fn file_path(uri: &str) -> Option<PathBuf> {
    let parts = Parts::of(uri);
    // `file://host/share` is a folder of another machine; in other schemes an authority is
    // anything.
    let is_here = parts.authority.is_empty();
    if !parts.path.starts_with(b"/") || !(is_here || parts.scheme == "file") {
        return None;
    }
    let mut path = parts.straight(false);
    if !is_here {
        path = [b"//", parts.authority.as_bytes(), &path].concat();
    }
    Some(to_path(path))
}

/// All files that a URI may name, for whoever has to leave a file out: [`file_path`]; the same
/// without what stands behind a `#` or `?`, which some editors escape in names of files and others
/// do not; and the path on a machine that is not this one.
pub fn file_paths(uri: &str) -> Vec<PathBuf> {
    let cut = uri.find(['?', '#']).map(|at| &uri[..at]);
    let mut paths: Vec<PathBuf> = Vec::new();
    for uri in std::iter::once(uri).chain(cut) {
        let parts = Parts::of(uri);
        let anywhere = parts.path.starts_with(b"/").then(|| to_path(parts.straight(false)));
        paths.extend(file_path(uri).or(anywhere).filter(|it| !paths.contains(it)));
    }
    paths
}

/// A URI's scheme, in lower case; that of a bare path is `file`.
pub fn scheme(uri: &str) -> String {
    let parts = Parts::of(uri);
    let is_bare_path = parts.scheme.is_empty() && parts.path.starts_with(b"/");
    if is_bare_path { "file".to_owned() } else { parts.scheme }
}

/// The URI of a file.
pub fn file_uri(path: &Path) -> String {
    let mut uri = "file://".to_owned();
    #[cfg(unix)]
    let bytes = std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str());
    #[cfg(not(unix))]
    let text = path.to_string_lossy().replace('\\', "/");
    #[cfg(not(unix))]
    let bytes = text.as_bytes();
    if !bytes.starts_with(b"/") {
        uri.push('/');
    }
    escape(bytes, &mut uri);
    uri
}

/// A URI's text, with what was escaped in it.
pub fn percent_decoded(text: &str) -> String {
    String::from_utf8_lossy(&decoded(text)).into_owned()
}

#[cfg(unix)]
fn to_path(path: Vec<u8>) -> PathBuf {
    PathBuf::from(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(path))
}

/// `/c:/Users` is `c:/Users`.
#[cfg(not(unix))]
fn to_path(path: Vec<u8>) -> PathBuf {
    let has_drive = path.get(2) == Some(&b':');
    PathBuf::from(String::from_utf8_lossy(&path[usize::from(has_drive)..]).into_owned())
}

fn escape(bytes: &[u8], into: &mut String) {
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                into.push(char::from(*byte));
            }
            byte => into.push_str(&format!("%{byte:02X}")),
        }
    }
}

/// The bytes; what is escaped wrongly stays.
fn decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let hex = (byte == b'%').then(|| [ahead.next(), ahead.next()]);
        match hex {
            Some([Some(a), Some(b)]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
                let digit = |it: u8| (it as char).to_digit(16).unwrap_or_default() as u8;
                out.push(digit(a) << 4 | digit(b));
                bytes = ahead;
            }
            _ => out.push(byte),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_uris_and_other_things_have_no_files() {
        for path in ["/home/me/a b/é%#?.rs", "/x/a-b_c~.rs"] {
            assert_eq!(file_path(&file_uri(Path::new(path))), Some(PathBuf::from(path)));
        }
        assert_eq!(file_uri(Path::new("/a b/é.rs")), "file:///a%20b/%C3%A9.rs");
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_no_utf_8_is_kept() {
        let path = to_path(b"/a/\xff\xfe.rs".to_vec());
        assert_eq!(file_uri(&path), "file:///a/%FF%FE.rs");
        assert_eq!(file_path("file:///a/%ff%FE.rs"), Some(path));
        assert_ne!(canonical("file:///a/%FF.rs"), canonical("file:///a/%FE.rs"));
    }

    #[cfg(unix)]
    #[test]
    fn a_path_in_a_uri_of_any_scheme_is_that_path() {
        for (uri, path) in [
            ("untitled:/home/me/.env", Some("/home/me/.env")),
            ("untitled:///home/me/.env", Some("/home/me/.env")),
            ("UNTITLED:/home/me/%2Eenv", Some("/home/me/.env")),
            ("untitled:/home/me/.env?x=1#y", Some("/home/me/.env")),
            ("vscode-notebook-cell:/home/me/n.ipynb#W0sZmlsZQ%3D%3D", Some("/home/me/n.ipynb")),
            ("vscode-userdata:/home/me/settings.json", Some("/home/me/settings.json")),
            ("git:/home/me/.env?%7B%22ref%22%3A%22HEAD%22%7D", Some("/home/me/.env")),
            ("fugitive:///home/me/.git//0/.env", Some("/home/me/.git//0/.env")),
            ("file:/home/me/a.rs", Some("/home/me/a.rs")),
            ("file://localhost/home/me/a.rs", Some("/home/me/a.rs")),
            ("file://Server/share/.env", Some("//server/share/.env")),
            ("file:///home/me//x/./.env", Some("/home/me/x/.env")),
            ("file:///home/link/../.env", Some("/home/link/../.env")),
            ("file:///C%3A/Users/me/.env", Some("/c:/Users/me/.env")),
            ("file:///c:\\Users\\me\\.env", Some("/c:/Users/me/.env")),
            ("/home/me/.env", Some("/home/me/.env")),
            ("file:///home/me/c#/a.cs", Some("/home/me/c#/a.cs")),
            ("untitled:Untitled-1", None),
            ("output:extension-output-rust", None),
            ("vscode-remote://ssh/home/me/.env", None),
            ("jdt://contents/rt.jar/a.class", None),
            ("", None),
            (":", None),
        ] {
            // As bytes: paths that mean the same are equal.
            let found = file_path(uri).map(|it| it.display().to_string());
            assert_eq!(found.as_deref(), path, "{uri}");
        }
    }

    #[test]
    fn a_mark_in_a_name_leaves_two_paths() {
        let paths = |uri| -> Vec<String> {
            file_paths(uri).iter().map(|it| it.display().to_string()).collect()
        };
        assert_eq!(paths("file:///me/.env#L3"), ["/me/.env#L3", "/me/.env"]);
        assert_eq!(paths("untitled:/me/.env#L3"), ["/me/.env"]);
        assert_eq!(paths("file:///me/a.rs"), ["/me/a.rs"]);
        assert_eq!(paths("untitled://ssh/me/.env"), ["/me/.env"]);
        assert!(paths("untitled:Untitled-1").is_empty());
    }

    #[test]
    fn one_document_has_one_spelling() {
        for same in [
            &[
                "file:///c%3A/pro%20ject/a.rs",
                "file:///C:/pro%20ject/a.rs",
                "file:///c:/pro ject/./a.rs",
                "FILE:///c%3a/pro%20ject//a.rs",
                "file://localhost/C%3A/pro%20ject/%61.rs",
                "file:/c:/pro%20ject/x/../a.rs",
                "file:///c|/pro%20ject/a.rs",
            ][..],
            &["file:///home/%C3%A9.rs", "file:///home/é.rs", "/home/é.rs"],
            &["file:///a/b/", "file:///a/b"],
            &["untitled:/home/me/a.rs", "untitled:///home//me/a.rs"],
            &["untitled:Untitled-1", "untitled:Untitled%2D1"],
            &["vscode-notebook-cell:/a.ipynb#W1", "vscode-notebook-cell:/%61.ipynb#W1"],
        ] {
            for uri in same {
                assert_eq!(canonical(uri), canonical(same[0]), "{uri}");
                assert_eq!(canonical(&canonical(uri)), canonical(uri), "{uri}");
            }
        }
        for (one, other) in [
            ("vscode-notebook-cell:/a.ipynb#W1", "vscode-notebook-cell:/a.ipynb#W2"),
            ("git:/a.rs?1", "git:/a.rs?2"),
            ("git:/a.rs", "file:///a.rs"),
            ("file:///a.rs", "file:///A.rs"),
            ("file:///a%2520b", "file:///a%20b"),
            ("file://server/a", "file:///a"),
            ("jdt://contents//a", "jdt://contents/a"),
            ("untitled:Untitled-1", "untitled:/Untitled-1"),
        ] {
            assert_ne!(canonical(one), canonical(other), "{one} {other}");
        }
    }
}
