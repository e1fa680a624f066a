//! What must not leave this machine: files that are excluded, and secrets. Pure, but for the rules'
//! first compilation.

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
mod occurrences;
mod pairs;
pub mod placeholders;
mod providers;
pub mod redact;
mod rules;
mod search;
mod tables;
mod values;
mod words;
