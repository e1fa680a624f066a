//! From a model's answer to edits of a document: `answer` takes the code out of it, `apply` puts it
//! in its place and refuses what is no replacement, `minimal` says with how few edits that can be
//! had, `moved` finds its place when a person has typed elsewhere since, `unified` writes it down
//! for later.

mod answer;
mod elision;
mod indentation;
mod minimal;
mod moved;
mod not_applied;
mod replace;
mod unified;

pub use answer::{code_of, prose_of};
pub use minimal::{Edit, applied, minimal_edits};
pub use moved::moved;
pub use not_applied::NotApplied;
pub use replace::{Replaced, has_no_new_errors, replaced};
pub use unified::unified_diff;
