//! keyside's own messages, commands and capabilities, beside the protocol's: every name and every
//! shape. `docs/protocol.md` describes them for whoever writes a plugin; a test holds it to this
//! file (`tests/it/tidy_documents.rs`).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower_lsp::gen_lsp_types::{
    self as lsp, LspNotificationMethod, MessageDirection, Notification,
};

/// A part of a suggestion that is taken with one key: `word` or `line`.
pub use crate::completion::suggestion_log::AcceptedUnit;

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
pub const CLASSIFY: &str = "keyside/classify";

/// The command of each suggestion: it was accepted, whole.
pub const ACCEPTED_COMMAND: &str = "keyside.accepted";
/// Ends all requests to a cloud model.
pub const CANCEL_COMMAND: &str = "keyside.cancel";
/// Nothing is suggested unasked for as many minutes as its argument says, or 15; 0 ends that. For
/// editors whose plugins have no such thing of their own.
pub const SNOOZE_COMMAND: &str = "keyside.snoozeMinutes";
/// Shows the [`Status`] as a message, for editors that have no place for it.
pub const SHOW_STATUS_COMMAND: &str = "keyside.showStatus";
/// The same as [`CLASSIFY`], for editors that run commands.
pub const CLASSIFY_COMMAND: &str = "keyside.classify";

/// In the parameters of `initialize`: the client shows a text that grows ([`ANSWER`]).
pub const ANSWERS_CAPABILITY: &str = "/capabilities/experimental/keyside/answers";
/// In the parameters of `initialize`: the client reports what it shows ([`DID_SHOW`]).
pub const EVENTS_CAPABILITY: &str = "/capabilities/experimental/keyside/events";
/// In the parameters of `initialize`: the client follows [`STATUS`] as a notification.
pub const STATUS_CAPABILITY: &str = "/capabilities/experimental/keyside/status";

/// [`STATUS`], server to client, where the client has [`STATUS_CAPABILITY`]: whether ghost text can
/// be had. As a request, from any client: the same, now.
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
    pub state: StatusState,
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

/// Whether ghost text can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusState {
    Loading,
    Ready,
    Error,
    /// Nothing is suggested: settings say so, or the document's text is not known.
    Off,
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

/// The parameters of [`DID_SHOW`], [`DID_ACCEPT`] and [`DID_REJECT`], and by place the arguments of
/// the item's [`ACCEPTED_COMMAND`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct SuggestionParams {
    /// The first argument.
    pub id: u64,
    /// The second, where there is one: which of several items.
    #[serde(default)]
    pub index: usize,
}

impl SuggestionParams {
    pub fn to_arguments(self) -> Vec<Value> {
        let mut arguments = vec![json!(self.id)];
        if self.index > 0 {
            arguments.push(json!(self.index));
        }
        arguments
    }

    /// What is missing or is no number is 0, which names no suggestion.
    pub fn from_arguments(arguments: &[Value]) -> Self {
        let number = |at: usize| arguments.get(at).and_then(Value::as_u64).unwrap_or_default();
        Self { id: number(0), index: usize::try_from(number(1)).unwrap_or_default() }
    }
}

/// The parameters of [`DID_PARTIALLY_ACCEPT`].
#[derive(Debug, Deserialize)]
pub struct PartParams {
    #[serde(flatten)]
    pub suggestion: SuggestionParams,
    /// `word` or `line`.
    pub unit: AcceptedUnit,
    /// The length of what was put in, in Unicode code points.
    pub length: u32,
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

/// The answer of [`STATS`]: counts since the start, and times of the last completion, in
/// milliseconds.
#[derive(Debug, Serialize)]
pub struct StatsAnswer {
    pub uptime_ms: f64,
    pub model: ModelStats,
    pub completions: CompletionStats,
    pub engine: EngineStats,
    pub workspace: Vec<IndexStats>,
    /// Requests to a cloud model that are under way.
    pub escalations: usize,
    pub last: Option<LastCompletionStats>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum ModelStats {
    Loading,
    Ready {
        name: String,
        /// Why it is not the one of the settings.
        instead_of: Option<String>,
        n_params: u64,
        context_tokens: usize,
        /// Prompts of that length that stay.
        sequences: usize,
        /// About, and rather more; `null` where it is not known.
        memory_mib: Option<u64>,
        threads: usize,
        /// The name of the template; `null` where the model is shown the text before the caret
        /// alone.
        fim: Option<&'static str>,
        load_ms: f64,
    },
    Error {
        message: String,
    },
}

#[derive(Debug, Serialize)]
pub struct CompletionStats {
    pub requested: u64,
    pub shown: u64,
    pub empty: u64,
    pub reused: u64,
    pub accepted: u64,
    pub accepted_parts: u64,
    pub rejected: u64,
}

#[derive(Debug, Serialize)]
pub struct EngineStats {
    pub busy: bool,
    pub idle: bool,
    pub generations: u64,
    pub cancelled: u64,
    pub superseded: u64,
    pub failed: u64,
    /// Interrupted for a more urgent task, and resumed.
    pub preempted: u64,
    pub cached_tokens: u64,
    pub evaluated_tokens: u64,
    pub generated_tokens: u64,
    pub speculative_tokens: u64,
    pub reused_logits: u64,
    pub prefetch_evaluated_tokens: u64,
    pub prefetch_generated_tokens: u64,
    pub short_prompts: u64,
    pub by_lookup: u64,
    pub prompt_tokens_per_second: u64,
}

/// The index of a family of languages.
#[derive(Debug, Serialize)]
pub struct IndexStats {
    pub family: String,
    pub building: bool,
    pub files: usize,
    pub tokens: usize,
    pub build_ms: u64,
    pub skipped: SkippedFiles,
}

#[derive(Debug, Serialize)]
pub struct SkippedFiles {
    pub too_large: usize,
    pub unreadable: usize,
    pub minified: usize,
    pub over_budget: usize,
    pub walk_cut_short: bool,
}

#[derive(Debug, Serialize)]
pub struct LastCompletionStats {
    pub cached_tokens: usize,
    pub evaluated_tokens: usize,
    pub generated_tokens: usize,
    pub speculative_tokens: usize,
    pub reused_logits: usize,
    pub assemble_ms: f64,
    pub queue_ms: f64,
    pub prompt_ms: f64,
    pub generate_ms: f64,
    pub total_ms: f64,
    pub confidence: f32,
    pub source: &'static str,
    /// Why nothing was shown.
    pub dropped: Option<&'static str>,
}

/// The parameters of [`CLASSIFY`], and the one argument of [`CLASSIFY_COMMAND`].
#[derive(Debug, Deserialize)]
pub struct ClassifyParams {
    /// What is to be labelled.
    #[serde(default)]
    pub text: Option<String>,
    /// Where there is no `text`: an open document.
    #[serde(default)]
    pub uri: Option<String>,
    /// The part of the document; missing: all of it.
    #[serde(default)]
    pub range: Option<lsp::Range>,
    /// Two or more, each with a name of its own.
    pub labels: Vec<ClassifyLabel>,
    /// Texts whose labels are known.
    #[serde(default)]
    pub examples: Vec<ClassifyExample>,
}

/// A label: its name, or its name with what it means.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum ClassifyLabel {
    Name(String),
    Described { name: String, description: String },
}

#[derive(Debug, Deserialize)]
pub struct ClassifyExample {
    pub text: String,
    /// The name of one of the labels.
    pub label: String,
}

/// The answer of [`CLASSIFY`].
#[derive(Debug, Serialize)]
pub struct ClassifyAnswer {
    /// The likeliest one.
    pub label: String,
    /// How likely each is, by its name; they add up to 1.
    pub scores: serde_json::Map<String, Value>,
    /// The likeliest is less likely than all others together, or less than twice as likely as the
    /// next.
    pub unsure: bool,
    /// How many labels had no example, so that their names stood in for one.
    pub labels_by_name: usize,
    /// How many characters of the text were too many, and were not looked at.
    pub cut_chars: usize,
    pub ms: f64,
}

/// The one argument of the commands that ask a cloud model (`keyside.explain` and so on).
#[derive(Debug, Serialize, Deserialize)]
pub struct CloudArgument {
    pub uri: String,
    /// What it is about; where it is empty, the item that its start is in.
    pub range: lsp::Range,
    /// Of `keyside.fix`.
    #[serde(default)]
    pub diagnostics: Vec<CloudDiagnostic>,
    /// Of `keyside.ask` and `keyside.fix`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub question: String,
}

/// A diagnostic of another server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CloudDiagnostic {
    /// From 1.
    pub line: usize,
    pub message: String,
}
