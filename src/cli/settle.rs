//! `keyside settle`: the process that writes down what was under way when the server was killed.
//! The server starts it; people have no use for it.

use crate::assistant::cloud::ledger_file;
use crate::assistant::settler;
use crate::cli::setup;

/// Runs until standard input ends.
///
/// # Errors
/// One sentence.
pub fn run() -> Result<(), String> {
    settler::run(&ledger_file(&setup::folders()?.data))
}
