//! Asking a cloud model: the broker, the one process with a network, and the way to it.
//!
//! ```text
//! the server (no network, by the kernel)          keyside broker (no text but what was agreed to)
//!   ipc::Broker::ask(provider, host, body)  -->    process: settings file, key, connection, limits
//!   Call::next(), drop to cancel             <--    pieces of the answer, one JSON object a line
//! ```
//!
//! What the two halves rely on: the server sends a body only after a person agreed to it, and the
//! broker sends exactly those bytes, once, to the host that the person saw. Host, key and headers
//! come from the user's settings file, which the broker reads itself: a server that is fooled can
//! choose among the user's providers and nothing else. A request that may have been billed is never
//! sent again by itself.

pub mod consent_writer;
pub mod fetch;
pub mod http;
pub mod ipc;
pub mod keys;
mod messages;
mod pipes;
pub mod process;
