//! What an escalation needs of the editor, whatever protocol it speaks.

use std::path::Path;

use crate::text::LineRange;

/// The editor's side of an escalation: a person to ask, and places to show things.
pub trait EditorUi: Send + Sync + 'static {
    /// Asks a person to choose.
    fn ask(&self, question: String, answers: &[&str]) -> impl Future<Output = Answered> + Send;

    /// Whether a question hides what is shown, so that a person who wants to read has to be asked
    /// another time.
    fn hides_what_it_shows(&self) -> bool;

    /// Says a sentence.
    fn tell(&self, tone: Tone, sentence: String) -> impl Future<Output = ()> + Send;

    /// Opens a file beside, and takes the person there only if they asked to see it: what they type
    /// must not go elsewhere. Whether the editor did.
    fn show(&self, file: &Path, was_asked_for: bool) -> impl Future<Output = bool> + Send;

    /// How far it is; an empty message is the end of it.
    fn progress(&self, message: String) -> impl Future<Output = ()> + Send;

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

/// What came of a question. Whatever is no choice means no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    Chose(String),
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
