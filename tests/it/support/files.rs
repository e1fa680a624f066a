//! Files and folders of tests.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use keyside::config::folders::Folders;

/// A folder that is gone when the test is over.
pub struct TempFolder(pub PathBuf);

impl TempFolder {
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("keyside-test-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    pub fn folders(&self) -> Folders {
        Folders::find(Some(self.0.clone())).expect("folders below a given home")
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A file of the frozen workspace.
pub fn project(path: &str) -> PathBuf {
    repository("tests/fixtures/project").join(path)
}

/// A GGUF file of an instruct model, SmolLM2-135M-Instruct, which `cargo xtask test` fetches.
pub fn instruct_model() -> PathBuf {
    let path = repository("target/instruct-model/SmolLM2-135M-Instruct.Q4_1.gguf");
    assert!(path.exists(), "{} is missing; `cargo xtask test` fetches it", path.display());
    path
}

/// The text of a file of the frozen workspace.
pub fn frozen(path: &str) -> String {
    let path = project(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
