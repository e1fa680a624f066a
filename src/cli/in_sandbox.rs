//! `keyside in-sandbox`: another program in the place of this one, under the server's rules. What
//! the server can't do can be tried from within so (tests/it/sandbox.rs), with any program.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Runs the program, which takes the place of this process.
///
/// # Errors
/// One sentence, where it can't be started.
pub fn run(program: &[OsString]) -> Result<Infallible, String> {
    let Some((name, arguments)) = program.split_first() else {
        return Err("there is no program to run; name one".to_owned());
    };
    let error = Command::new(name).args(arguments).exec();
    Err(format!("{} can't be started ({error})", name.display()))
}
