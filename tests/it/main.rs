//! All tests that drive keyside from outside: one binary, one file a subject.

#![expect(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a failing unwrap is a failing test, and nothing outside reads this crate"
)]

mod adapters;
mod bad_input;
mod broker;
mod broker_faults;
mod broker_gone;
mod broker_strict;
mod cancel;
mod classify;
mod classify_by_model;
mod cli;
mod cli_place;
mod completion;
mod completions_endpoint;
mod corrections;
mod edits;
#[cfg(all(target_os = "linux", feature = "llama"))]
mod emacs;
#[cfg(unix)]
mod ends;
mod escalation;
mod escalation_answers;
mod escalation_ends;
#[cfg(unix)]
mod escalation_fence;
#[cfg(unix)]
mod escalation_kills;
mod escalation_later;
mod escalation_one_view;
mod escalation_route;
mod extract;
mod fim_formats;
#[cfg(unix)]
mod foreign_text;
mod gguf_file;
mod ghost_text;
mod grammars;
#[cfg(all(target_os = "linux", feature = "llama"))]
mod helix;
mod helix_config;
#[cfg(all(target_os = "linux", feature = "llama"))]
mod kakoune;
mod keys;
mod ledger;
mod ledger_faults;
mod ledger_local;
mod lifecycle;
mod limits;
mod lm_tasks;
#[cfg(feature = "llama")]
#[cfg(all(target_os = "linux", feature = "llama"))]
mod memory_cap;
mod mixture_parity;
mod model_bench;
mod model_files;
mod model_headers;
mod model_pull;
#[cfg(feature = "llama")]
mod model_zoo;
mod models;
#[cfg(unix)]
mod nvim;
#[cfg(unix)]
mod nvim_0_11;
#[cfg(unix)]
mod nvim_cloud;
#[cfg(unix)]
mod nvim_events;
mod nvim_faults;
#[cfg(unix)]
mod nvim_keys;
#[cfg(unix)]
mod nvim_layouts;
#[cfg(unix)]
mod nvim_status;
mod offline;
#[cfg(unix)]
mod ordinary_user;
mod peer;
mod peers;
mod property;
mod protocols;
mod provider;
mod quiet;
mod random_schemas;
mod redact;
mod release;
mod retrieval;
mod route;
mod sandbox;
#[cfg(all(target_os = "linux", feature = "llama"))]
mod screens;
mod second_tier;
mod secrets_elsewhere;
mod settings;
mod settler;
#[cfg(all(target_os = "linux", feature = "llama"))]
mod several_windows;
mod streams;
mod streams_odd;
mod support;
mod sync;
mod sync_versions;
#[cfg(unix)]
mod terminal;
#[cfg(feature = "llama")]
mod text_before;
mod tidy;
mod tidy_documents;
mod tidy_names;
mod tidy_tests;
mod usage;
mod warm;
mod workspace;
