//! All tests that drive keyside from outside: one binary, one file a subject.

mod bad_input;
mod cancel;
mod completion;
mod lifecycle;
mod model_files;
#[cfg(unix)]
mod nvim;
mod support;
mod sync;
mod tidy;
