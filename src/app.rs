//! The wiring: which features run, with which models and settings.

pub mod classify_thread;
pub mod instruct;
pub mod model;
pub mod session;

pub use session::Session;
