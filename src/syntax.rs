//! What code says of itself: which item a caret is in, which names it uses and where they are
//! defined, and how much of it is no code. By tree-sitter, with grammars that are linked into the
//! program.
//!
//! One file a subject: `queries` says what a query's captures mean, `parse` makes a tree or gives
//! up, `outline` finds items, `names` finds what they use, `places` says what a literal is for. The
//! queries are data in the folder `grammars`. Nothing here recurses, so that hostile nesting costs
//! memory and not the stack.

mod names;
mod outline;
mod parse;
mod places;
#[cfg(test)]
mod proofs;
mod queries;

pub use outline::{Item, ItemKind};
pub use parse::{MAX_BYTES, Parsed, parse, parse_while};
pub use places::Place;
