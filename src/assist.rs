//! One request from caret to answer: the imperative shell around `prompt` and `engine`.
//!
//! No protocol type comes in here, and the editor, `keyside complete` and `keyside try` all go
//! through the same [`complete::complete`].

pub mod complete;
pub mod loading;
pub mod model_context;
pub mod offer;
pub mod prefetch;
pub mod request;
pub mod reuse;
mod secrets;
pub mod session;
pub mod stats;
pub(crate) mod suggested;
pub mod typist;

pub use complete::{Completion, CompletionAsk, OtherFiles, complete, prefill};
pub use session::Session;
