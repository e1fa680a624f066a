//! The local model: one thread owns it, everybody else talks to that thread through [`Engine`].
//!
//! The model and its context live on a thread of their own, because a decode must block neither the
//! reader of the editor's messages nor be blocked by it. Prompts stay resident; a request evaluates only
//! what differs from them (`resident`). The newest request wins: it replaces the one that waits and
//! stops the one that runs (`actor`), before its next token, or after the chunk of its prompt that is
//! being evaluated, which is kept.
//!
//! `llama` is the only file that names llama.cpp; the rest sees the trait [`model::Model`], which a
//! scripted fake implements too.

pub mod actor;
pub mod check;
pub mod embedded;
pub mod fake;
pub mod generate;
pub mod line_so_far;
pub mod llama;
pub mod model;
pub mod next_token;
pub mod pace;
pub mod resident;
pub mod sampled;
pub mod thread;

pub use actor::{Engine, EngineCounts, EngineState};
