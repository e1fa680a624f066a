//! From a caret in a text to the tokens of a prompt, and from raw generated text to a suggestion.
//!
//! All of it is pure: value in, value out, no clock and no await.

pub mod assemble;
pub mod brackets;
pub mod excerpt;
pub mod finish;
pub mod healing;
pub mod stop;
pub mod window;
