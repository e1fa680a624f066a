//! From a model's answer to edits of a document: `answer` takes the code out of it, `apply` puts it in its place and refuses
//! what is no replacement, `minimal` says with how few edits that can be had, `unified` writes it down for later.

mod answer;
mod apply;
mod elision;
mod indentation;
mod minimal;
mod unified;

pub use answer::code_of;
pub use apply::{Replaced, has_no_new_errors, replaced};
pub use minimal::{Edit, applied, minimal_edits};
pub use unified::unified_diff;
