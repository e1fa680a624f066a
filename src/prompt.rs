//! From a caret in a text to the tokens of a prompt, and from raw generated text to a suggestion.
//!
//! All of it is pure: value in, value out, no clock and no await.

pub mod assemble;
pub mod block;
pub mod blocks;
pub mod brackets;
pub mod budget;
pub mod ends;
pub mod excerpt;
pub mod finish;
pub mod follows;
pub mod healing;
pub mod lexis;
pub mod names;
pub mod repetition;
pub mod stop;
pub mod window;
