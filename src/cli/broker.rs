//! `keyside broker`: the process that asks cloud models. The server starts it; people have no use
//! for it.

use std::convert::Infallible;

use crate::cli::setup;
use crate::remote::broker::process;

/// Runs until standard input ends.
///
/// # Errors
/// One sentence.
pub fn run() -> Result<Infallible, String> {
    let folders = setup::folders()?;
    process::run(folders.config_file(), setup::variable)
}
