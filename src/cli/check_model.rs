//! The hidden `keyside check-model`: loads a file, with an adapter where one is named, and asks it
//! for one token, or measures it, in a process that may die of it. `lm/backend/probe.rs` starts it.

use std::io::Read;
use std::path::Path;

use crate::cli::{setup, terminal};
use crate::lm::registry::{self, LoraSpec};

/// Runs the command.
///
/// # Errors
/// One sentence, where llama.cpp refuses the file.
pub fn run(path: &Path, lora: Option<String>, measures: bool) -> Result<(), String> {
    let watcher = std::thread::Builder::new().spawn(|| {
        // Whoever asked is gone when this returns.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        setup::leave(3);
    });
    watcher.map_err(|error| format!("the system refuses a thread ({error})"))?;
    if !measures {
        // How strongly it counts changes nothing of whether it fits.
        let lora = lora.map(|path| LoraSpec { path, scale_thousandths: 1_000 });
        return registry::try_file(path, lora);
    }
    let measured = registry::measure_file(path)?;
    terminal::print_json(&serde_json::json!(measured).to_string())
}
