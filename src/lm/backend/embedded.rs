//! The model that ships inside the program, so that one file is a whole installation.
//!
//! llama.cpp loads from a file, so the model is unpacked once into the cache folder, under a name
//! that carries its hash, and compared with what is in the program at every start: a file that
//! somebody has changed is written anew. Where the cache folder can't be written, a file in memory
//! serves until the model has been read; on systems without those, a folder of its own below the
//! temporary one.

use std::path::{Path, PathBuf};

use crate::files;

/// The model's name.
pub const NAME: &str = "keyside-nano-v1";
/// SHA-256 of [`BYTES`]; model/CARD.md says where it comes from.
pub const SHA256: &str = "abc006cc20ea554cc017f9d9fc1fab82292e63da34f7a6afa842bbe710090b8e";
/// The GGUF file.
pub static BYTES: &[u8] = include_bytes!("../../../model/keyside-nano-v1.gguf");

/// A file that holds the embedded model.
#[derive(Debug)]
pub struct Unpacked {
    pub path: PathBuf,
    /// Holds it where the cache folder does not, until the model has been read.
    _temporary: Option<Temporary>,
}

/// Unpacks the embedded model into `cache_folder`, if it is not there yet.
///
/// # Errors
/// One sentence, where neither it nor a temporary folder can be written.
pub fn unpack(cache_folder: &Path) -> Result<Unpacked, String> {
    let wanted = cache_folder.join("models");
    let error = match unpack_into(&wanted) {
        Ok(path) => return Ok(Unpacked { path, _temporary: None }),
        Err(error) => error,
    };
    tracing::warn!("{} can't be written ({error}), unpacking elsewhere for now", wanted.display());
    match temporary() {
        Ok((path, temporary)) => Ok(Unpacked { path, _temporary: Some(temporary) }),
        Err(error) => Err(format!(
            "the built-in model can't be unpacked ({error}); free some disk space or make {} writable",
            wanted.display()
        )),
    }
}

/// A file in memory, which has a name as long as it is open. Temporary folders are out of the
/// sandbox's reach.
#[cfg(target_os = "linux")]
type Temporary = std::fs::File;

#[cfg(target_os = "linux")]
fn temporary() -> std::io::Result<(PathBuf, Temporary)> {
    use std::io::Write;
    use std::os::fd::AsRawFd;
    let mut file: std::fs::File =
        rustix::fs::memfd_create(NAME, rustix::fs::MemfdFlags::CLOEXEC)?.into();
    file.write_all(BYTES)?;
    Ok((format!("/proc/self/fd/{}", file.as_raw_fd()).into(), file))
}

/// A folder of this process's own.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
struct Temporary(PathBuf);

#[cfg(not(target_os = "linux"))]
impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(not(target_os = "linux"))]
fn temporary() -> std::io::Result<(PathBuf, Temporary)> {
    // The name can be guessed, so a folder that is there already is somebody else's: `create_dir`
    // fails.
    let folder = std::env::temp_dir().join(format!("keyside-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    let temporary = Temporary(folder);
    Ok((unpack_into(&temporary.0)?, temporary))
}

fn unpack_into(folder: &Path) -> std::io::Result<PathBuf> {
    let path = folder.join(format!("{NAME}-{}.gguf", &SHA256[..12]));
    // Comparing takes a millisecond where hashing takes sixteen, and says more.
    if files::read(&path, BYTES.len() as u64).is_ok_and(|bytes| bytes == BYTES) {
        return Ok(path);
    }
    std::fs::create_dir_all(folder)?;
    files::replace(&path, BYTES).map(|()| path)
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
