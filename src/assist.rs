//! One request from caret to answer: the imperative shell around `prompt` and `engine`.
//!
//! No protocol type comes in here, and the editor, `keyside complete` and `keyside try` all go through
//! the same [`complete::complete`].

pub mod ahead;
pub mod complete;
pub mod request;
pub mod reuse;
pub mod session;
pub mod stats;
pub mod typist;
pub mod warm;

pub use complete::{Completion, CompletionAsk, OtherFiles, complete};
pub use session::Session;
pub use warm::warm;
