//! The program, as a person, a script or an editor starts it. No other file names where it is.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The program that these tests belong to.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_keyside");

/// The program with these arguments, and with its folders in `home`.
pub fn keyside(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env("KEYSIDE_HOME", home);
    command
}

/// Runs a command to its end with this input.
pub fn run(mut command: Command, input: impl AsRef<[u8]>) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    // It may end without reading.
    let _ = child.stdin.take().expect("piped").write_all(input.as_ref());
    child.wait_with_output().expect("its output")
}

/// What was written, as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
