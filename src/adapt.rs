//! What the user's own texts say of how a line goes on, mixed with the model's opinion.
//!
//! A small model knows the language; the file and its workspace know their own names. What followed where the text was like this is
//! right as often as a model of five million parameters, and the two are right where the other is not (Hellendoorn
//! and Devanbu, FSE 2017; figures in model/FIGURES.md). Everything here is pure: tokens in, probabilities out.

pub mod corpus;
pub mod document;
pub mod gate;
pub mod index;
pub mod mixture;
pub mod network;
pub mod others;
pub mod places;
pub mod recent;
pub mod weighing;
