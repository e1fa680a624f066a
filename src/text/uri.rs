//! Documents' URIs and the files that they name.

use std::path::{Path, PathBuf};

/// The file that a URI names, or `None` for one that names something else.
pub fn file_path(uri: &str) -> Option<PathBuf> {
    let path = percent_decoded(uri.strip_prefix("file://").filter(|it| it.starts_with('/'))?);
    // `/c:/Users`, on Windows.
    let has_drive = cfg!(windows) && path.as_bytes().get(2) == Some(&b':');
    Some(PathBuf::from(&path[usize::from(has_drive)..]))
}

/// The URI of a file.
pub fn file_uri(path: &Path) -> String {
    let mut uri = "file://".to_owned();
    let text = path.to_string_lossy().replace('\\', "/");
    if !text.starts_with('/') {
        uri.push('/');
    }
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                uri.push(byte.into())
            }
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

/// A URI's text, with what was escaped in it.
pub fn percent_decoded(text: &str) -> String {
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
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_uris_and_other_things_have_no_files() {
        assert_eq!(file_path("untitled:Untitled-1"), None);
        for path in ["/home/me/a b/é%#?.rs", "/x/a-b_c~.rs"] {
            assert_eq!(file_path(&file_uri(Path::new(path))), Some(PathBuf::from(path)));
        }
        assert_eq!(file_uri(Path::new("/a b/é.rs")), "file:///a%20b/%C3%A9.rs");
    }
}
