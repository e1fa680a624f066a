//! One request from caret to answer: the imperative shell around `prompt` and `engine`.
//!
//! No protocol type comes in here, and the editor, `keyside complete` and `keyside try` all go through
//! the same [`complete::complete`].

mod bill;
pub mod cloud;
pub mod complete;
pub mod escalate;
pub mod escalation;
pub mod front;
pub mod loading;
pub mod model_context;
pub mod offer;
mod outcome;
pub mod prefetch;
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

pub use cloud::{Cloud, Helpers};
pub use complete::{Completion, CompletionAsk, OtherFiles, complete, prefill};
pub use session::Session;
