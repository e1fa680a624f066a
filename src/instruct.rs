//! What an instruct model is asked for, text by text: JSON of a schema (`extraction`, `schema`),
//! summaries (`summary`), and one of some labels (`labelling`).

pub mod extraction;
pub mod finite;
pub mod labelling;
pub mod schema;
pub mod summary;

pub use extraction::{ExtractionExample, extraction_instruction};
pub use schema::AnswerSchema;
pub use summary::{Summary, WordLimit, n_words, summary_instruction};
