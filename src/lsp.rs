//! The language server: the only place that knows the protocol. No policy lives here.
//!
//! A message goes `frames` (bytes to one JSON body) -> `transport` (body to request, one task a
//! request) -> `ingress` (documents change here, in wire order, with no await; the world is taken
//! for the request) -> tower-lsp's router -> one file of `handlers`. What goes out passes
//! `outgoing`, where words for a person are cleaned.

mod capabilities;
pub mod client;
pub mod editors;
mod escalations;
pub mod ext;
pub mod frames;
mod front;
pub mod handlers;
pub mod ingress;
pub mod lifetime;
mod notes;
mod outgoing;
pub mod proto;
pub mod server;
mod settings;
mod status;
pub mod transport;

pub use transport::{Ended, serve};
