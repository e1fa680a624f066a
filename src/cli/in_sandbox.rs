//! `keyside in-sandbox`: another program in the place of this one, under the server's rules. What
//! the server can't do can be tried from within so (tests/it/sandbox.rs), with any program.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::cli::setup;
use crate::completions_endpoint;

/// Runs the program, which takes the place of this process; `listening`: in the sandbox of the
/// completions endpoint.
///
/// # Errors
/// One sentence, where it can't be started.
pub fn run(listening: bool, program: &[OsString]) -> Result<Infallible, String> {
    let Some((name, arguments)) = program.split_first() else {
        return Err("there is no program to run; name one".to_owned());
    };
    let mut command = Command::new(name);
    command.args(arguments);
    if listening {
        let listener = completions_endpoint::listen(0)?;
        let descriptor = listener.left_open()?;
        setup::enter_sandbox_with(&setup::folders()?, Some(descriptor));
        command.env("KEYSIDE_LISTENER", descriptor.to_string());
    }
    let error = command.exec();
    Err(format!("{} can't be started ({error})", name.display()))
}
