//! The models that ship inside the program, so that one file is a whole installation.
//!
//! llama.cpp loads from a file, so a model is unpacked once into the cache folder, under a name
//! that carries its hash, and compared with what is in the program at every start: a file that
//! somebody has changed is written anew. It is mapped into memory, so that several windows share
//! its weights. Where the cache folder can't be written, a file in memory serves until the model
//! has been read; on systems without those, a folder of its own below the temporary one.

use std::path::{Path, PathBuf};

use crate::files;

/// A model in this program.
#[derive(Debug)]
pub struct EmbeddedModel {
    pub name: &'static str,
    /// SHA-256 of `bytes`; model/CARD.md says where it comes from.
    pub sha256: &'static str,
    /// The GGUF file.
    pub bytes: &'static [u8],
}

/// The models in this program; the first is the default.
pub static MODELS: [EmbeddedModel; 2] = [
    EmbeddedModel {
        name: "keyside-nano-v2",
        sha256: "d72658dac3ffd3eacc43967f2ced4115d409e559ee7364e6ffecb3ca53de762e",
        bytes: include_bytes!("../../../model/keyside-nano-v2.gguf"),
    },
    EmbeddedModel {
        name: "keyside-nano-v1",
        sha256: "abc006cc20ea554cc017f9d9fc1fab82292e63da34f7a6afa842bbe710090b8e",
        bytes: include_bytes!("../../../model/keyside-nano-v1.gguf"),
    },
];

/// The model of this name; the default where there is none, as for an empty name.
pub fn model(name: &str) -> &'static EmbeddedModel {
    MODELS.iter().find(|it| it.name == name).unwrap_or(&MODELS[0])
}

/// A file that holds the embedded model.
#[derive(Debug)]
pub struct Unpacked {
    pub path: PathBuf,
    /// Holds it where the cache folder does not, until the model has been read.
    _temporary: Option<Temporary>,
}

/// Unpacks a model into `cache_folder`, if it is not there yet.
///
/// # Errors
/// One sentence, where neither it nor a temporary folder can be written.
pub fn unpack(model: &EmbeddedModel, cache_folder: &Path) -> Result<Unpacked, String> {
    let wanted = cache_folder.join("models");
    let error = match unpack_into(model, &wanted) {
        Ok(path) => return Ok(Unpacked { path, _temporary: None }),
        Err(error) => error,
    };
    tracing::warn!("{} can't be written ({error}), unpacking elsewhere for now", wanted.display());
    match temporary(model) {
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
fn temporary(model: &EmbeddedModel) -> std::io::Result<(PathBuf, Temporary)> {
    use std::io::Write;
    use std::os::fd::AsRawFd;
    let mut file: std::fs::File =
        rustix::fs::memfd_create(model.name, rustix::fs::MemfdFlags::CLOEXEC)?.into();
    file.write_all(model.bytes)?;
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
fn temporary(model: &EmbeddedModel) -> std::io::Result<(PathBuf, Temporary)> {
    // The name can be guessed, so a folder that is there already is somebody else's: `create_dir`
    // fails.
    let folder = std::env::temp_dir().join(format!("keyside-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    let temporary = Temporary(folder);
    Ok((unpack_into(model, &temporary.0)?, temporary))
}

fn unpack_into(model: &EmbeddedModel, folder: &Path) -> std::io::Result<PathBuf> {
    let path = folder.join(format!("{}-{}.gguf", model.name, &model.sha256[..12]));
    // Comparing takes a millisecond where hashing takes sixteen, and says more.
    if !files::holds(&path, model.bytes) {
        std::fs::create_dir_all(folder)?;
        files::replace(&path, model.bytes)?;
    }
    protect(&path);
    Ok(path)
}

/// It is mapped, and a mapped file that shrinks ends the process, so nobody is to write it by
/// accident.
fn protect(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Where it is refused, the file is somebody else's to write.
        let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o444));
    }
    #[cfg(not(unix))]
    let _ = path;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stdx::hex_sha256;

    #[test]
    fn the_embedded_models_are_those_that_were_measured() {
        for it in &MODELS {
            assert_eq!(hex_sha256(it.bytes), it.sha256, "{}", it.name);
        }
    }
}
