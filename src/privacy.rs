//! What may leave this machine: which files, without which secrets, and who agreed. Pure, but for the rules' first compilation.

mod allowlist;
mod bare;
mod calls;
mod declarations;
pub mod elsewhere;
mod entropy;
pub mod fence;
mod judge;
mod keys;
mod kinds;
mod literals;
mod memory;
mod names;
pub mod outbound;
mod pairs;
pub mod placeholders;
mod providers;
pub mod redact;
mod rules;
mod search;
mod tables;
mod values;
mod words;
