//! `keyside keep-consent`: the process that writes down what a person said once and for all. The
//! server starts it; people say `keyside cloud allow` and `keyside cloud deny`.

use crate::cli::setup;
use crate::remote::broker::consent_writer;
use crate::sandbox::{self, Needs};

/// Runs until standard input ends.
///
/// # Errors
/// One sentence.
pub fn run() -> Result<(), String> {
    let folders = setup::folders()?;
    let cloud = setup::settings(&folders).config.cloud;
    let writable: &[_] = &[&*folders.config];
    sandbox::enter(Needs { writable: Some(writable), ..Needs::NOTHING });
    consent_writer::run(&cloud, &folders.consent_file())
}
