//! The local model: one thread owns it, everybody else talks to that thread through [`Engine`].
//!
//! The model and its context live on a thread of their own, because a decode must block neither the
//! reader of the editor's messages nor be blocked by it. Prompts stay resident; a request evaluates only
//! what differs from them (`kv_cache`). The newest request wins: it replaces the one that waits and
//! stops the one that runs (`scheduler`), before its next token, or after the chunk of its prompt that is
//! being evaluated, which is kept.
//!
//! `backend::llama` is the only file that names llama.cpp; the rest sees the trait [`backend::Model`], which a
//! scripted fake implements too.

pub mod backend;
pub mod decode;
pub mod fim;
pub mod kv_cache;
pub mod prefill_rate;
pub mod scheduler;
pub mod task;
pub mod worker;

pub use scheduler::{Engine, EngineCounts, EngineState};
