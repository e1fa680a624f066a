//! Things that the standard library could have had.

pub mod cancel;
