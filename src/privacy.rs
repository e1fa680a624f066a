//! What may leave this machine: which files, without which secrets, and who agreed. Pure, but for the rules' first compilation.

mod allowlist;
pub mod elsewhere;
mod entropy;
pub mod fence;
pub mod outbound;
pub mod placeholders;
pub mod redact;
mod rules;
