//! The one way to standard output and standard error. What is printed may be foreign text (names of
//! files, code, a provider's words, a model file's name for itself), and a terminal obeys what it
//! finds in it, so it is cleaned here ([`clean`]).

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use crate::cli::setup;
use crate::stdx::clean;

/// Notes that are printed, of more a number.
const MAX_NOTES: usize = 5;

/// Prints what a command has to say.
///
/// # Errors
/// One sentence, where standard output is closed or full.
pub fn print(text: &str) -> Result<(), String> {
    written(io::stdout().write_all(clean::lines(text).as_bytes()))
}

/// Prints JSON, the same data whatever is in it.
///
/// # Errors
/// As [`print()`].
pub fn print_json(text: &str) -> Result<(), String> {
    written(io::stdout().write_all(clean::json(text).as_bytes()))
}

/// Prints a text that another program goes on with: as it is, unless a person looks at it.
///
/// # Errors
/// As [`print()`].
pub fn print_exact(text: &str) -> Result<(), String> {
    let mut out = io::stdout();
    if out.is_terminal() {
        return print(text);
    }
    written(out.write_all(text.as_bytes()))
}

fn written(result: io::Result<()>) -> Result<(), String> {
    result.map_err(|error| format!("the answer can't be written ({error})"))
}

/// Whether a person looks at standard output.
pub fn is_watched() -> bool {
    io::stdout().is_terminal()
}

/// Says a sentence on standard error.
pub fn complain(sentence: &str) {
    let line = format!("keyside: {}\n", clean::line(sentence));
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Says notes on standard error: the first ones, and how many more there are.
pub fn notes(notes: &[String]) {
    notes.iter().take(MAX_NOTES).for_each(|it| complain(it));
    if let Some(n_more @ 1..) = notes.len().checked_sub(MAX_NOTES) {
        complain(&format!("there are {n_more} more such notes; `keyside doctor` lists them"));
    }
}

/// Whether a person looks at standard error, and sees nothing else change there.
pub fn shows_progress() -> bool {
    io::stderr().is_terminal() && !is_watched()
}

/// Shows how far something is, in the place of what was shown before.
pub fn progress(sentence: &str) {
    let _ = io::stderr().write_all(format!("\r\x1b[K{}", clean::line(sentence)).as_bytes());
}

/// Asks for something on standard error, without a line break.
pub fn ask(question: &str) {
    let mut err = io::stderr();
    let _ = err.write_all(clean::lines(question).as_bytes()).and_then(|()| err.flush());
}

/// Says what is wrong with the arguments, which may be names of files that a shell has completed.
/// Help and version are printed as the library does.
pub fn refuse(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        error.exit();
    }
    let text = error.render().to_string();
    let _ = io::stderr().write_all(clean::lines(&text).as_bytes());
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Standard error for the log: one event, one line.
pub struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let line = clean::line(text.trim_end()) + "\n";
        io::stderr().write_all(line.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Whether colours are wanted: not with `NO_COLOR` (no-color.org) set to anything, nor on a
/// terminal that has none.
pub fn has_colours() -> bool {
    setup::variable("NO_COLOR").is_none() && setup::variable("TERM").is_none_or(|it| it != "dumb")
}

/// A line with colours of keyside's own around foreign text, or with marks where no colours are
/// wanted.
#[derive(Debug)]
pub struct Styled {
    text: String,
    has_colours: bool,
}

impl Styled {
    pub fn line() -> Self {
        Self { text: String::new(), has_colours: has_colours() }
    }

    /// Takes the place of the line that the caret is in.
    pub fn anew() -> Self {
        Self { text: "\r\x1b[K".to_owned(), ..Self::line() }
    }

    pub fn plain(mut self, text: &str) -> Self {
        self.text.push_str(&clean::lines(text));
        self
    }

    pub fn dim(self, text: &str) -> Self {
        self.with(["\x1b[2m", "\x1b[0m"], ["", ""], text)
    }

    /// Text that was suggested and taken.
    pub fn accepted(self, text: &str) -> Self {
        self.with(["\x1b[32m", "\x1b[0m"], ["[", "]"], text)
    }

    fn with(mut self, colour: [&str; 2], marks: [&str; 2], text: &str) -> Self {
        let [before, after] = if self.has_colours { colour } else { marks };
        self.text.push_str(before);
        self = self.plain(text);
        self.text.push_str(after);
        self
    }

    /// Prints it at once. Errors of a closed output are ignored.
    pub fn print(&self) {
        let mut out = io::stdout();
        let _ = out.write_all(self.text.as_bytes()).and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_escape_sequences_are_keysides_own() {
        let line = |has_colours| {
            let empty = Styled { text: String::new(), has_colours };
            empty.dim("a\x1b[31m").accepted("b\u{9b}2J").plain("c\x07\td").text
        };
        assert_eq!(line(true), "\x1b[2ma\u{fffd}[31m\x1b[0m\x1b[32mb\u{fffd}2J\x1b[0mc\u{fffd}\td");
        assert_eq!(line(false), "a\u{fffd}[31m[b\u{fffd}2J]c\u{fffd}\td");
    }
}
