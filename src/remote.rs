//! Asking a model that is not in this process.
//!
//! ```text
//! outbound    the gate: what may leave, without which secrets, and who agreed
//! protocol    the providers' chat protocols: bytes in, bytes out
//! pricing     what a request can cost and has cost, and how many tokens a text has
//! broker      the one process with a network, and the way to it
//! ```

pub mod broker;
pub mod outbound;
pub mod pricing;
pub mod protocol;
