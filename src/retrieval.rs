//! Retrieval: what the user's own texts and an n-gram table predict for the next token, mixed with
//! the model's distribution.
//!
//! A small model knows the language; the file and its workspace know their own names. Tokens that
//! followed similar contexts there are right as often as a model of some million parameters, and
//! the two are right at different positions (Hellendoorn and Devanbu, FSE 2017; figures in
//! model/FIGURES.md). Everything here is pure: tokens in, probabilities out.
//!
//! In the order of a lookup: `datastore` keeps texts as tokens, `suffix_array` indexes many files,
//! `contexts` retrieves earlier positions that match the caret's, `features` describes each of
//! them, `attention` turns them into distributions of the next token, `ngram_table` adds those of
//! the corpus, and `mixture` weights all of them and the model.

pub mod attention;
pub mod contexts;
pub mod datastore;
pub mod features;
pub mod mixture;
pub mod ngram_table;
pub mod suffix_array;
