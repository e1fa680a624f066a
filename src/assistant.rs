//! Asking a cloud model, from the action that a person chooses to the edit or the text that comes
//! of it.
//!
//! ```text
//! actions          what may be asked, and in which words
//! cloud_request    one question, about one place of one document
//! gather           what goes into it
//! dialogue         a person agrees, or has agreed; route_note says what needs no cloud model
//! settle           the ledger before and after; stream takes the answer in between
//! settler          the ledger where the server is killed
//! change           what an answer makes of the document: apply (pure), put_back (its secrets)
//! present          the answer before the person
//! editor_ui        what all of it needs of an editor
//! ```
//!
//! No protocol type comes in here: an editor, or `keyside cloud retry`, is an
//! [`editor_ui::EditorUi`].

pub mod actions;
pub mod apply;
mod bill;
mod change;
pub mod cloud;
pub mod cloud_request;
pub mod dialogue;
pub mod editor_ui;
pub mod gather;
pub mod kept_requests;
mod present;
mod put_back;
mod readiness;
mod route_note;
mod settle;
pub mod settler;
mod shown_files;
mod stream;

pub use cloud::{Cloud, Helpers};
pub use cloud_request::CloudRequest;
