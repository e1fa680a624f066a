//! keyside's own messages, commands and capabilities, beside the protocol's: every name and every
//! shape. `docs/protocol.md` describes them for whoever writes a plugin; a test holds it to this
//! file (`tests/it/tidy_documents.rs`).

use serde::{Deserialize, Serialize};
use tower_lsp::gen_lsp_types::{
    self as lsp, LspNotificationMethod, MessageDirection, Notification,
};

// Server to client; the first one also as a request, client to server.
pub const STATUS: &str = "keyside/status";
pub const ANSWER: &str = "keyside/answer";
// Notifications, client to server.
pub const DID_MOVE_CARET: &str = "keyside/didMoveCaret";
pub const DID_SHOW: &str = "keyside/didShow";
pub const DID_ACCEPT: &str = "keyside/didAccept";
pub const DID_PARTIALLY_ACCEPT: &str = "keyside/didPartiallyAccept";
pub const DID_REJECT: &str = "keyside/didReject";
// Requests, client to server.
pub const STATS: &str = "keyside/stats";
pub const DOCUMENT: &str = "keyside/document";

/// The command of each suggestion: it was accepted, whole.
pub const ACCEPTED_COMMAND: &str = "keyside.accepted";
/// Ends all requests to a cloud model.
pub const CANCEL_COMMAND: &str = "keyside.cancel";

/// In the parameters of `initialize`: the client shows a text that grows ([`ANSWER`]).
pub const ANSWERS_CAPABILITY: &str = "/capabilities/experimental/keyside/answers";
/// In the parameters of `initialize`: the client reports what it shows ([`DID_SHOW`]).
pub const EVENTS_CAPABILITY: &str = "/capabilities/experimental/keyside/events";

/// [`STATUS`], server to client: whether ghost text can be had. As a request: the same, now.
#[derive(Debug)]
pub enum StatusNotification {}

impl Notification for StatusNotification {
    type Params = Status;
    const METHOD: LspNotificationMethod<'static> = LspNotificationMethod::Custom(STATUS);
    const MESSAGE_DIRECTION: MessageDirection = MessageDirection::ServerToClient;
}

/// The parameters of [`STATUS`], and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// `loading`, `ready`, `error`, or `off` where nothing is suggested: settings say so, or the
    /// document's text is not known.
    pub state: String,
    /// One sentence for a person.
    pub message: String,
    /// What stands between keyside and a network: `offline: enforced`, `offline: best effort` with
    /// the reason, or `cloud: on` with who may be asked.
    pub network: String,
    /// What keeps it from other files than its own: `files: enforced`, or `files: best effort` with
    /// the reason.
    pub files: String,
    /// The document that it is about; missing: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
}

/// The parameters of the request [`STATUS`].
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct StatusParams {
    pub uri: Option<String>,
}

/// [`ANSWER`], server to client, where the client has [`ANSWERS_CAPABILITY`].
#[derive(Debug)]
pub enum AnswerNotification {}

impl Notification for AnswerNotification {
    type Params = AnswerParams;
    const METHOD: LspNotificationMethod<'static> = LspNotificationMethod::Custom(ANSWER);
    const MESSAGE_DIRECTION: MessageDirection = MessageDirection::ServerToClient;
}

/// The parameters of [`ANSWER`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AnswerParams {
    /// The token of the request's work-done progress, which cancels it.
    pub token: lsp::ProgressToken,
    pub title: String,
    /// The whole text so far, in Markdown.
    pub text: String,
    /// Nothing more comes.
    pub done: bool,
}

/// The parameters of [`DID_MOVE_CARET`]: the caret has not moved for a moment, and nothing is being
/// typed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MoveCaretParams {
    pub text_document: lsp::TextDocumentIdentifier,
    pub position: lsp::Position,
}

/// The parameters of [`DID_SHOW`], [`DID_ACCEPT`] and [`DID_REJECT`]: the arguments of the item's
/// [`ACCEPTED_COMMAND`], by name.
#[derive(Debug, Deserialize)]
pub struct SuggestionParams {
    /// The first argument.
    pub id: u64,
    /// The second, where there is one: which of several items.
    #[serde(default)]
    pub index: usize,
}

/// The parameters of [`DID_PARTIALLY_ACCEPT`].
#[derive(Debug, Deserialize)]
pub struct PartParams {
    #[serde(flatten)]
    pub suggestion: SuggestionParams,
    pub unit: AcceptedUnit,
    /// The length of what was put in, in Unicode code points.
    pub length: u32,
}

/// What a person took of a suggestion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AcceptedUnit {
    Word,
    Line,
}

/// The parameters of [`DOCUMENT`].
#[derive(Debug, Deserialize)]
pub struct DocumentParams {
    pub uri: String,
}

/// The answer of [`DOCUMENT`]: what the server's own copy is, without its text.
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

/// The one argument of the commands that ask a cloud model (`keyside.explain` and so on).
#[derive(Debug, Deserialize)]
pub struct CloudArgument {
    pub uri: String,
    /// What it is about; where it is empty, the item that its start is in.
    pub range: lsp::Range,
    /// Of `keyside.fix`.
    #[serde(default)]
    pub diagnostics: Vec<CloudDiagnostic>,
    /// Of `keyside.ask` and `keyside.fix`.
    #[serde(default)]
    pub question: String,
}

/// A diagnostic of another server.
#[derive(Debug, Deserialize)]
pub struct CloudDiagnostic {
    /// From 1.
    pub line: usize,
    pub message: String,
}
