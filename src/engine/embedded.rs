//! The model that ships inside the program, so that one file is a whole installation.
//!
//! llama.cpp loads from a file, so the model is unpacked once into the cache folder, under a name that
//! carries its hash, and compared with what is in the program at every start: a file that somebody has
//! changed is written anew. Where the cache folder can't be written, a folder of its own below the
//! system's temporary folder serves until the model has been read.

use std::io::Write;
use std::path::{Path, PathBuf};

/// The model's name.
pub const NAME: &str = "keyside-nano-v1";
/// SHA-256 of [`BYTES`]; model/CARD.md says where it comes from.
pub const SHA256: &str = "abc006cc20ea554cc017f9d9fc1fab82292e63da34f7a6afa842bbe710090b8e";
/// The GGUF file.
pub static BYTES: &[u8] = include_bytes!("../../model/keyside-nano-v1.gguf");

/// A file that holds the embedded model.
#[derive(Debug)]
pub struct Unpacked {
    pub path: PathBuf,
    /// A folder of this process's own, to go when the model has been read.
    temporary: Option<PathBuf>,
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        if let Some(folder) = &self.temporary {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// Unpacks the embedded model into `cache_folder`, if it is not there yet.
///
/// # Errors
/// One sentence, where neither it nor a temporary folder can be written.
pub fn unpack(cache_folder: &Path) -> Result<Unpacked, String> {
    let wanted = cache_folder.join("models");
    let error = match unpack_into(&wanted) {
        Ok(path) => return Ok(Unpacked { path, temporary: None }),
        Err(error) => error,
    };
    tracing::warn!("{} can't be written ({error}), using a temporary folder", wanted.display());
    // The name can be guessed, so a folder that is there already is somebody else's: `create_dir` fails.
    let folder = std::env::temp_dir().join(format!("keyside-{}", std::process::id()));
    let unpacked = std::fs::create_dir(&folder).and_then(|()| unpack_into(&folder));
    match unpacked {
        Ok(path) => Ok(Unpacked { path, temporary: Some(folder) }),
        Err(error) => Err(format!(
            "the built-in model can't be unpacked ({error}); free some disk space or make {} writable",
            wanted.display()
        )),
    }
}

fn unpack_into(folder: &Path) -> std::io::Result<PathBuf> {
    let path = folder.join(format!("{NAME}-{}.gguf", &SHA256[..12]));
    // Comparing takes a millisecond where hashing takes sixteen, and says more.
    if std::fs::read(&path).is_ok_and(|bytes| bytes == BYTES) {
        return Ok(path);
    }
    std::fs::create_dir_all(folder)?;
    // Written beside it and renamed, so that another keyside never sees half of it.
    let unfinished = folder.join(format!("{NAME}-{}.part", std::process::id()));
    let written = std::fs::File::create(&unfinished).and_then(|mut file| {
        file.write_all(BYTES)?;
        file.sync_all()?;
        std::fs::rename(&unfinished, &path)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&unfinished);
    }
    written.map(|()| path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stdx::hex_sha256;

    #[test]
    fn the_embedded_model_is_the_one_that_was_measured() {
        assert_eq!(hex_sha256(BYTES), SHA256);
    }
}
