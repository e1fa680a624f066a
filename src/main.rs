//! Parses, runs, exits.

fn main() -> std::process::ExitCode {
    keyside::cli::run()
}
