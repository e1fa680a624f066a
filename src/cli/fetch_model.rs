//! `keyside fetch-model`: the process with a network that `keyside model pull` starts.

use std::convert::Infallible;

use crate::cli::setup;
use crate::remote::broker::http::hub;

/// Runs until standard input ends.
///
/// # Errors
/// One sentence.
pub fn run() -> Result<Infallible, String> {
    // For the program that has started it.
    hub::run(setup::variable, &mut std::io::BufWriter::new(std::io::stdout().lock()))
}
