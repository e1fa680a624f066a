//! The command line: what each command takes, and one file a command.

pub mod complete;
pub mod serve;
pub mod setup;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    name = "keyside",
    version,
    about = "Ghost text from a small code model inside this program; nothing leaves the machine."
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The same as `keyside serve`.
    #[arg(long, hide = true)]
    stdio: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The language server on standard input and output.
    Serve {
        /// Accepted because clients pass it; there is no other way.
        #[arg(long, hide = true)]
        stdio: bool,
    },
    /// Complete at one caret, or many carets from standard input.
    Complete(CompleteArguments),
}

/// What `complete` takes.
#[derive(Debug, Args)]
pub struct CompleteArguments {
    /// FILE:LINE:COLUMN, both counted from 1, the column in characters.
    #[arg(required_unless_present = "batch")]
    pub place: Option<String>,
    /// Read JSON lines `{"id","path","prefix","suffix"}` from standard input.
    #[arg(long, conflicts_with = "place")]
    pub batch: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Use this GGUF file instead of the model in the settings.
    #[arg(long)]
    pub model: Option<String>,
}

/// Parses the arguments and runs the command.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    setup::start_logging();
    let done = |()| ExitCode::SUCCESS;
    let result = match arguments.command {
        None | Some(Command::Serve { .. }) => serve::run(),
        Some(Command::Complete(arguments)) => complete::run(&arguments).map(done),
    };
    match result {
        Ok(code) => code,
        Err(sentence) => {
            eprintln!("keyside: {sentence}");
            ExitCode::FAILURE
        }
    }
}
