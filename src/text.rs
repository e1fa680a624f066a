//! Documents as the editor has them: one writer, immutable snapshots for everybody else.

pub mod documents;
pub mod edit;
pub mod language;
pub mod lexis;
pub mod lines;
pub mod position;
pub mod uri;
pub mod words;

pub use documents::{Document, DocumentError, Documents, Newest, World};
pub use edit::Change;
pub use language::Language;
pub use position::{LinePosition, LineRange, PositionEncoding};
pub use uri::{file_path, file_paths, file_uri};
