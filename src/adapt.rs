//! What this text says of how it goes on: counts of its own token n-grams, mixed with the model's opinion.
//!
//! A small model knows the language; the file knows its own names. Counts of the file alone are right
//! about as often as a model of five million parameters, and the two are right where the other is not
//! (Hellendoorn and Devanbu, FSE 2017; figures in model/FIGURES.md). Everything here is pure: tokens in,
//! probabilities out.

pub mod corpus;
pub mod document;
pub mod gate;
pub mod index;
pub mod matches;
pub mod mixture;
pub mod others;
pub mod recent;
