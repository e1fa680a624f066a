//! What a cloud request needs of the editor, whatever protocol it speaks.

use std::path::Path;

use crate::text::LineRange;

/// The editor's side of a cloud request: a person to ask, and places to show things.
pub trait EditorUi: Send + Sync + 'static {
    /// Asks a person whether a request may be sent, by the titles of `choices`.
    fn ask(
        &self,
        question: String,
        choices: &[ConsentChoice],
    ) -> impl Future<Output = Answered> + Send;

    /// Whether a question hides what is shown, so that a person who wants to read has to be asked
    /// another time.
    fn hides_what_it_shows(&self) -> bool;

    /// Says a sentence.
    fn tell(&self, tone: Tone, sentence: String) -> impl Future<Output = ()> + Send;

    /// Opens a file beside, and takes the person there only if they asked to see it: what they type
    /// must not go elsewhere. Whether the editor did.
    fn show(&self, file: &Path, was_asked_for: bool) -> impl Future<Output = bool> + Send;

    /// How far it is.
    fn progress(&self, progress: Progress) -> impl Future<Output = ()> + Send;

    /// The answer so far, for editors that can show a growing text; whether this one can.
    fn answer(&self, title: &str, text: &str, is_done: bool) -> impl Future<Output = bool> + Send;

    /// Puts edits into a document, all or none.
    ///
    /// # Errors
    /// The editor's reason, where it did not.
    fn apply(
        &self,
        label: &str,
        uri: &str,
        version: i32,
        edits: Vec<(LineRange, String)>,
    ) -> impl Future<Output = Result<(), String>> + Send;
}

/// What a person may say to the question whether a request may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsentChoice {
    SendOnce,
    AlwaysForWorkspace,
    /// Show what will be sent, and ask again.
    Show,
    NeverForWorkspace,
    Cancel,
}

impl ConsentChoice {
    /// All that can be said of text of a workspace.
    pub const OF_WORKSPACE: &[Self] = &[
        Self::SendOnce,
        Self::AlwaysForWorkspace,
        Self::Show,
        Self::NeverForWorkspace,
        Self::Cancel,
    ];
    /// Of a text that is no file of one nothing can be said once and for all.
    pub const OF_NO_WORKSPACE: &[Self] = &[Self::SendOnce, Self::Show, Self::Cancel];

    /// On a button.
    pub fn title(self) -> &'static str {
        match self {
            Self::SendOnce => "Send once",
            Self::AlwaysForWorkspace => "Always for this workspace",
            Self::Show => "Show what will be sent",
            Self::NeverForWorkspace => "Never for this workspace",
            Self::Cancel => "Cancel",
        }
    }
}

/// How far a request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// What it is at, on one line.
    Step(String),
    /// It is over; what shows progress goes.
    End,
}

/// What came of a question. Whatever is no choice means no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    Chose(ConsentChoice),
    /// The person went on without an answer, or gave none in time.
    Nothing,
    /// This editor shows no questions.
    NotAsked,
}

/// How a sentence is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Info,
    Warning,
    Error,
}
