//! `keyside eval`: how often suggestions are right, on source files that no model was trained on.
//!
//! The prompt, the healing, the counts and the engine's own arithmetic are those of the editor's
//! path, so that the product is measured and not a model beside it; any GGUF can be put in.

pub mod cases;
pub mod keyboard;
pub mod keys;
pub mod model_bench;
pub mod names;
pub mod new_code;
pub mod openers;
pub mod positions;
pub mod report;
pub mod scenarios;
pub mod score;
pub mod typing;
