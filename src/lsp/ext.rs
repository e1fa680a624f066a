//! keyside's own messages, beside the protocol's.

use serde::{Deserialize, Serialize};
use tower_lsp::gen_lsp_types::{
    self as lsp, LspNotificationMethod, MessageDirection, Notification,
};

/// `keyside/status`, server to client: whether ghost text can be had. As a request, client to server, with the `uri` of a document
/// or without: the same, now.
#[derive(Debug)]
pub enum StatusNotification {}

impl Notification for StatusNotification {
    type Params = Status;
    const METHOD: LspNotificationMethod<'static> = LspNotificationMethod::Custom("keyside/status");
    const MESSAGE_DIRECTION: MessageDirection = MessageDirection::ServerToClient;
}

/// The parameters of `keyside/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// `loading`, `ready`, `error`, or `off` where nothing is suggested because somebody wants it so, or because the text is not
    /// known.
    pub state: String,
    /// One sentence for a person.
    pub message: String,
    /// What stands between keyside and a network: `offline: enforced`, `offline: best effort` with the reason, or `cloud: on` with
    /// who may be asked.
    pub network: String,
    /// What keeps it from other files than its own: `files: enforced`, or `files: best effort` with the reason.
    pub files: String,
    /// The document that it is about; missing: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
}

/// The parameters of the request `keyside/status`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct StatusParams {
    pub uri: Option<String>,
}

/// The parameters of `keyside/didMoveCaret`, client to server: where the caret rests. Clients that know send it
/// when the caret has not moved for a moment and nothing is being typed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MoveCaretParams {
    pub text_document: lsp::TextDocumentIdentifier,
    pub position: lsp::Position,
}

/// The parameters of `keyside/document`.
#[derive(Debug, Deserialize)]
pub struct DocumentParams {
    pub uri: String,
}

/// The answer of `keyside/document`: what the server's own copy is, without its text.
#[derive(Debug, Serialize)]
pub struct DocumentAnswer {
    pub version: i32,
    /// `false` after an edit that could not be followed, until the whole text is sent again.
    pub in_sync: bool,
    /// In bytes of UTF-8.
    pub length: usize,
    /// Of the bytes of UTF-8, in hexadecimal.
    pub sha256: String,
}
