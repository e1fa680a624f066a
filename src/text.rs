//! Documents as the editor has them: one writer, immutable snapshots for everybody else.

pub mod documents;
pub mod edit;
pub mod position;

pub use documents::{Document, DocumentError, Documents, World};
pub use edit::Change;
pub use position::{LinePosition, LineRange, PositionEncoding};
