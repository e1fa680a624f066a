//! One request from caret to answer: the imperative shell around `prompt` and `engine`.
//!
//! No protocol type comes in here, and the editor, `keyside complete` and `keyside try` all go through
//! the same [`complete::complete`].

pub mod ahead;
mod bill;
pub mod cloud;
pub mod complete;
pub mod escalate;
pub mod escalation;
pub mod front;
mod loading;
pub mod offer;
mod outcome;
mod put_back;
mod readiness;
pub mod request;
pub mod retry;
pub mod reuse;
mod secrets;
pub mod session;
mod shown;
pub mod stats;
mod stream;
pub(crate) mod suggested;
pub mod typist;
pub mod warm;

pub use cloud::{Cloud, Helpers};
pub use complete::{Completion, CompletionAsk, OtherFiles, complete};
pub use session::Session;
pub use warm::warm;
