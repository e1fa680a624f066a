//! The hidden `keyside check-model`: loads a file and asks it for one token, in a process that may
//! die of it. `lm/backend/check.rs` starts it.

use std::io::Read;
use std::path::Path;

use crate::cli::setup;
use crate::lm::registry;

/// Runs the command.
///
/// # Errors
/// One sentence, where llama.cpp refuses the file.
pub fn run(path: &Path) -> Result<(), String> {
    let watcher = std::thread::Builder::new().spawn(|| {
        // Whoever asked is gone when this returns.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        setup::leave(3);
    });
    watcher.map_err(|error| format!("the system refuses a thread ({error})"))?;
    registry::try_file(path)
}
