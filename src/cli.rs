//! The command line: what each command takes, and one file a command.

pub mod bench_model;
pub mod beside;
pub mod broker;
pub mod check_model;
pub mod classify;
pub mod cloud;
pub mod complete;
pub mod config;
pub mod consent;
pub mod correct;
pub mod doctor;
pub mod eval;
pub mod extract;
pub mod fetch_model;
pub mod helix;
#[cfg(unix)]
pub mod in_sandbox;
pub mod instruct_command;
pub mod items;
pub mod keep_consent;
pub mod local_calls;
pub mod model;
pub mod redact;
pub mod retry;
pub mod route;
pub mod serve;
pub mod serve_completions;
pub mod settle;
pub mod setup;
pub mod summarize;
pub mod terminal;
pub mod tokenize;
pub mod try_it;
pub mod usage;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::filter::LevelFilter;

use crate::lm::backend::probe;
use crate::sandbox::{self, Needs};

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
        /// Answer `POST /v1/completions` on this port of 127.0.0.1 instead, for Zed; 0: on a free
        /// one, which is printed.
        #[arg(long, value_name = "PORT")]
        completions_port: Option<u16>,
    },
    /// Complete at one caret, or many carets from standard input.
    Complete(CompleteArguments),
    /// Which of some labels each text has: lines of JSON in, lines of JSON out.
    Classify(classify::ClassifyArguments),
    /// JSON of a schema from each text: lines of JSON in, lines of JSON out.
    Extract(extract::ExtractArguments),
    /// Each text in a few words: lines of JSON in, lines of JSON out.
    Summarize(summarize::SummarizeArguments),
    /// What a request asks for, and whether it stays on this machine; sends nothing.
    Route(route::RouteArguments),
    /// Say what a request or a text should have been; used from then on.
    Correct(correct::CorrectArguments),
    /// Take corrections out again.
    Forget(correct::ForgetArguments),
    /// Type a file as a person would; show the ghost text and its latency.
    Try(try_it::TryArguments),
    /// What works here and what does not, each with the fix.
    Doctor {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Measure a model on held-out source files (see model/README.md).
    Eval(Box<eval::EvalArguments>),
    /// Standard input without its secrets.
    Redact {
        /// The name of the file that it is from: some rules are for some files only.
        #[arg(long, value_name = "NAME")]
        path: Option<String>,
        /// Print the findings, with rule, line and column, and never a secret.
        #[arg(long)]
        json: bool,
        /// Read many texts, a line of JSON each with `path` and `text`, and print the findings of
        /// each, a line.
        #[arg(long, conflicts_with_all = ["path", "json"])]
        each: bool,
    },
    /// Suggestions shown and accepted, and what calls to models have cost.
    Usage(usage::UsageArguments),
    /// Keys of cloud providers, and what may be sent to them.
    #[command(subcommand)]
    Cloud(cloud::CloudCommand),
    /// The one process with a network, started by the server.
    #[command(hide = true)]
    Broker,
    /// The one process that writes consent, started by the server.
    #[command(hide = true)]
    KeepConsent,
    /// The process that settles what was under way when the server was killed.
    #[command(hide = true)]
    Settle,
    /// Another program in the server's sandbox, for seeing what is refused there.
    #[cfg(unix)]
    #[command(hide = true)]
    InSandbox {
        /// In that of the completions endpoint, with a port that is listened on; its descriptor is
        /// in `KEYSIDE_LISTENER`.
        #[arg(long)]
        listening: bool,
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        program: Vec<std::ffi::OsString>,
    },
    /// The tokens of JSON strings on standard input, one a line.
    #[command(hide = true)]
    Tokenize {
        /// Use this GGUF file instead of the model in the settings.
        #[arg(long)]
        model: Option<String>,
    },
    /// Load a model file in a process of its own.
    #[command(hide = true)]
    CheckModel {
        /// Print what it is like, as JSON.
        #[arg(long)]
        measure: bool,
        /// With this adapter.
        #[arg(long)]
        lora: Option<String>,
        path: std::path::PathBuf,
    },
    /// Type a workspace's code with one model, for `model bench`.
    #[command(hide = true)]
    BenchModel,
    /// The process with a network that `model pull` starts.
    #[command(hide = true)]
    FetchModel,
    /// The models on this machine, and which of them suggests.
    #[command(subcommand)]
    Model(model::ModelCommand),
    /// The settings.
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// The settings in force, each with where it came from.
    Show {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// The JSON Schema of the settings.
    Schema,
    /// Put keyside into Helix's languages.toml, beside what is there.
    Helix(helix::HelixArguments),
}

/// What `complete` takes.
#[derive(Debug, Args)]
pub struct CompleteArguments {
    /// FILE:LINE:COLUMN, both counted from 1, the column in characters.
    #[arg(required_unless_present = "batch")]
    pub place: Option<complete::Place>,
    /// Read JSON lines `{"id","path","prefix","suffix"}` from standard input.
    #[arg(long, conflicts_with = "place")]
    pub batch: bool,
    /// Hold back what the model is not sure of, as while typing. Otherwise it is as if a person had
    /// asked for a suggestion.
    #[arg(long)]
    pub automatic: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Use this GGUF file instead of the model in the settings.
    #[arg(long)]
    pub model: Option<String>,
}

/// A number on the command line, refused in a person's words.
///
/// # Errors
/// What to write.
pub fn whole_number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "write a whole number, for example 14".to_owned())
}

/// Gives up what a command does not need.
fn enter_sandbox(command: Option<&Command>) {
    match command {
        // They do so themselves: the server after it has started its broker, and the broker and the
        // keyring need a network; and of Helix's file the place has to be found.
        None
        | Some(
            Command::Serve { .. }
            | Command::Broker
            | Command::FetchModel
            | Command::KeepConsent
            | Command::Cloud(_)
            | Command::Config(ConfigCommand::Helix(_)),
        ) => {}
        #[cfg(unix)]
        Some(Command::InSandbox { listening: true, .. }) => {}
        Some(Command::Model(command)) => command.enter_sandbox(),
        // It writes where a person says.
        Some(Command::Eval(_)) => drop(sandbox::enter(Needs { writable: None, ..Needs::NOTHING })),
        Some(Command::CheckModel { .. } | Command::BenchModel | Command::Redact { .. }) => {
            sandbox::enter(Needs::NOTHING);
        }
        Some(Command::Extract(arguments)) => arguments.instruct.enter_sandbox(),
        Some(Command::Summarize(arguments)) => arguments.instruct.enter_sandbox(),
        Some(Command::Classify(arguments)) if arguments.asks_model() => {
            instruct_command::enter_sandbox(&arguments.stream);
        }
        Some(Command::Classify(arguments)) => {
            let folder = arguments.stream.output_folder();
            let writable: &[&std::path::Path] = &[folder.as_deref().unwrap_or("".as_ref())];
            let writable = if folder.is_some() { writable } else { &[] };
            sandbox::enter(Needs { writable: Some(writable), ..Needs::NOTHING });
        }
        Some(_) => match setup::folders() {
            Ok(folders) => drop(setup::enter_sandbox(&folders)),
            // Of a command that needs them it is the error.
            Err(_) => drop(sandbox::enter(Needs::NOTHING)),
        },
    }
}

/// Parses the arguments and runs the command.
pub fn run() -> ExitCode {
    if let Ok(program) = std::env::current_exe() {
        probe::set_program(program);
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return terminal::refuse(&error),
    };
    // Who names a file may name one that the shell has opened.
    let reads_named_files = matches!(
        arguments.command,
        Some(
            Command::Complete(_)
                | Command::Try(_)
                | Command::Eval(_)
                | Command::Classify(_)
                | Command::Extract(_)
                | Command::Summarize(_)
        )
    );
    if !reads_named_files {
        sandbox::close_inherited();
    }
    setup::take_limits_as_errors();
    // Of what goes out, and of what is agreed to, a line each is always there.
    let is_helper = matches!(arguments.command, Some(Command::Broker | Command::KeepConsent));
    setup::start_logging(if is_helper { LevelFilter::INFO } else { LevelFilter::WARN });
    enter_sandbox(arguments.command.as_ref());
    let done = |()| ExitCode::SUCCESS;
    let result = match arguments.command {
        Some(Command::Serve { completions_port: Some(port), .. }) => {
            serve_completions::run(port).map(|never| match never {})
        }
        None | Some(Command::Serve { .. }) => serve::run().map(|never| match never {}),
        Some(Command::Complete(arguments)) => complete::run(&arguments).map(done),
        Some(Command::Classify(arguments)) => classify::run(&arguments).map(done),
        Some(Command::Extract(arguments)) => extract::run(&arguments).map(done),
        Some(Command::Summarize(arguments)) => summarize::run(&arguments).map(done),
        Some(Command::Route(arguments)) => route::run(&arguments).map(done),
        Some(Command::Correct(arguments)) => correct::correct(&arguments).map(done),
        Some(Command::Forget(arguments)) => correct::forget(&arguments).map(done),
        Some(Command::Try(arguments)) => try_it::run(&arguments).map(done),
        Some(Command::Eval(arguments)) => eval::run(&arguments).map(done),
        Some(Command::Redact { each: true, .. }) => redact::run_each().map(done),
        Some(Command::Redact { path, json, .. }) => redact::run(path.as_deref(), json).map(done),
        Some(Command::Usage(arguments)) => usage::run(&arguments).map(done),
        Some(Command::Cloud(command)) => cloud::run(&command).map(done),
        Some(Command::Broker) => broker::run().map(|never| match never {}),
        #[cfg(unix)]
        Some(Command::InSandbox { listening, program }) => {
            in_sandbox::run(listening, &program).map(|never| match never {})
        }
        Some(Command::KeepConsent) => keep_consent::run().map(done),
        Some(Command::Settle) => settle::run().map(done),
        Some(Command::Tokenize { model }) => tokenize::run(model.as_deref()).map(done),
        Some(Command::CheckModel { measure, lora, path }) => {
            check_model::run(&path, lora, measure).map(done)
        }
        Some(Command::BenchModel) => bench_model::run().map(done),
        Some(Command::FetchModel) => fetch_model::run().map(|never| match never {}),
        Some(Command::Model(command)) => model::run(&command).map(done),
        Some(Command::Doctor { json }) => doctor::run(json).map(done),
        Some(Command::Config(ConfigCommand::Show { json })) => config::show(json).map(done),
        Some(Command::Config(ConfigCommand::Schema)) => config::schema().map(done),
        Some(Command::Config(ConfigCommand::Helix(it))) => helix::run(&it).map(done),
    };
    match result {
        Ok(code) => code,
        Err(sentence) => {
            terminal::complain(&sentence);
            ExitCode::FAILURE
        }
    }
}
