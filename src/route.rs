//! Which requests stay on this machine and which deserve a cloud model, with a reason for each.
//!
//! ```text
//! task      what a request asks for, and where it may be answered
//! requests  the head that reads a request in a person's words, fitted to those of model/routing
//! words     words in which a person says where a request shall go
//! policy    the table: from a request and what is around it to a decision
//! ```
//!
//! Routing decides and sends nothing. Whatever it says, a request leaves only by the outbound gate,
//! with a person's consent (`remote/outbound.rs`).

pub mod policy;
pub mod requests;
pub mod task;
pub mod words;

pub use policy::{RouteDecision, RouteRequest};
pub use requests::RequestRouter;
pub use task::{RequestTask, RouteTarget};

#[cfg(test)]
mod tests;
