//! keyside: a language server with a small code model inside. See ARCHITECTURE.md for the map.

// Modules in reading order; who may import whom is checked by tests/it/tidy.rs.
pub mod stdx;
pub mod text;

pub mod config;
pub mod files;
pub mod ledger;
pub mod lm;

pub mod classify;
pub mod instruct;
pub mod privacy;
pub mod prompt;
pub mod remote;
pub mod retrieval;
pub mod route;
pub mod syntax;

pub mod corrections;
pub mod machine;
pub mod models;
pub mod sandbox;
pub mod workspace;

pub mod assistant;
pub mod completion;
pub mod completions_endpoint;

pub mod app;
pub mod evaluate;

pub mod cli;
pub mod lsp;
