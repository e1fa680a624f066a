//! Language models in this process. Whoever wants something of one hands a [`Task`] to its
//! [`Engine`].
//!
//! A model and its context live on a thread of their own, because a decode must block neither the
//! reader of the editor's messages nor be blocked by it. The way of a task:
//!
//! 1. [`Engine::run`] (`engine`) hands it in, with its [`Lane`];
//! 2. `scheduler` decides what runs next, and what is superseded or pre-empted;
//! 3. `worker`, the thread, runs it on the `runtime`;
//! 4. `runtime` has the prompt in the KV cache (`kv_cache`): only what differs is evaluated
//!    (prefill);
//! 5. `decode` is the loop in which a token is chosen from the distribution
//!    (`decode::distribution`) and speculative tokens (`decode::speculative`) are verified;
//! 6. `backend` evaluates tokens: [`backend::Backend`] is the seam, `backend::llama` the only file
//!    that names llama.cpp.
//!
//! `registry` knows the models by name and starts their engines.

pub mod backend;
pub mod chat;
pub mod choice;
pub mod counts;
pub mod decode;
pub mod engine;
pub mod fim;
pub mod gguf_header;
pub mod grammar;
pub mod kv_cache;
pub mod logits_cache;
pub mod memory;
pub mod mixer;
pub mod model_info;
mod prefill;
pub mod prefill_rate;
pub mod registry;
pub mod runtime;
pub mod scheduler;
pub mod sizing;
pub mod task;
pub mod vocabulary;
mod worker;

pub use chat::ChatTemplate;
pub use choice::{Choice, ChooseTask};
pub use counts::EngineCounts;
pub use engine::{Engine, EngineState};
pub use grammar::Grammar;
pub use mixer::{
    ModelConfidence, NextTokenContext, NextTokenMixer, NextTokenMixture, PrefixConstraint,
};
pub use model_info::{Capabilities, ModelInfo, TextSplits, Tokenizer};
pub use scheduler::IdleWork;
pub use task::{
    ContinuationScore, EmbedTask, Finish, GenerateTask, GeneratedText, Generation, Lane,
    PrefillTask, ScoreTask, ShortPrompt, Source, StopRule, Task, TaskError, TaskOutput, Times,
    TokenEnd, Usage,
};
pub use vocabulary::{Token, TokenKind, Vocabulary};
