//! All tests that drive keyside from outside: one binary, one file a subject.

#![expect(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a failing unwrap is a failing test, and nothing outside reads this crate"
)]

mod adapt;
mod bad_input;
mod cancel;
mod cli;
mod completion;
mod lifecycle;
mod model_files;
#[cfg(unix)]
mod nvim;
mod offline;
mod support;
mod sync;
mod tidy;
mod warm;
mod workspace;
