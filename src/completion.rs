//! Ghost text: from a caret to a suggestion.
//!
//! The editor, `keyside complete` and `keyside try` all ask by [`complete()`]. The way of a
//! request: `ask` says what is asked and on whose behalf; `cache` may know the answer; `request`
//! makes the task for the model, with `model_context`; `offer` and `secrets` decide what is shown
//! of its answer; `prefetch` goes on while the engine is idle; `second_tier` asks a larger model
//! behind a server, where the settings name one. `completer` holds what lives longer than a
//! request. No protocol type comes in here.

pub mod ask;
pub mod cache;
pub mod complete;
pub mod completer;
pub mod model_context;
pub mod offer;
pub mod prefetch;
pub mod request;
pub mod result;
pub mod second_tier;
mod secrets;
pub mod snooze;
pub mod stats;
pub mod suggestion_log;
pub mod when_to_speak;

pub use ask::{CompletionAsk, CompletionMode, OtherFiles};
pub use complete::{complete, prefill};
pub use completer::Completer;
pub use result::{Completion, CompletionSource};

pub use crate::prompt::finish::Dropped;
