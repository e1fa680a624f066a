//! The client as a cloud request sees it: questions, messages, documents, progress and edits by the
//! protocol.

use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::sync::Mutex;
use tower_lsp::gen_lsp_types as lsp;
use tower_lsp::{Client, OngoingProgress, jsonrpc};

use crate::assistant::editor_ui::{Answered, ConsentChoice, EditorUi, Progress, Tone};
use crate::lsp::editors::EditorCapabilities;
use crate::lsp::ext::{AnswerNotification, AnswerParams};
use crate::text::{LineRange, Newest, file_uri};

/// How long a question stands; then the answer is no.
const PATIENCE: Duration = Duration::from_secs(300);

/// A person who has not typed for so long rests; how often that is waited for.
const REST: Duration = Duration::from_millis(1_500);
const RESTS: usize = 40;

/// How long an editor may take to make a place for progress; without one it goes on.
const SOON: Duration = Duration::from_secs(2);

type OpenProgress = OngoingProgress<tower_lsp::Unbounded, tower_lsp::Cancellable>;

/// One cloud request's way to the client.
pub(crate) struct ClientFront {
    client: Client,
    token: lsp::ProgressToken,
    title: String,
    editor: EditorCapabilities,
    newest: Newest,
    progress: Mutex<Option<OpenProgress>>,
}

impl ClientFront {
    pub(crate) fn new(
        client: Client,
        editor: EditorCapabilities,
        newest: Newest,
        title: String,
    ) -> Self {
        static NEXT: AtomicI32 = AtomicI32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            client,
            token: lsp::ProgressToken::String(format!("keyside-{number}")),
            title,
            editor,
            newest,
            progress: Mutex::new(None),
        }
    }

    /// What the client names when it cancels.
    pub(crate) fn token(&self) -> &lsp::ProgressToken {
        &self.token
    }
}

/// Waits until no key has come for a while, but not for ever.
async fn rest(newest: &Newest) {
    for _ in 0..RESTS {
        let n_changes = newest.n_changes();
        tokio::time::sleep(REST).await;
        if newest.n_changes() == n_changes {
            break;
        }
    }
}

fn item(title: &str) -> lsp::MessageActionItem {
    lsp::MessageActionItem { title: title.to_owned(), properties: Default::default() }
}

impl EditorUi for ClientFront {
    async fn ask(&self, question: String, choices: &[ConsentChoice]) -> Answered {
        let items = choices.iter().map(|it| item(it.title())).collect();
        let asked = self.client.show_message_request(lsp::MessageType::Info, question, Some(items));
        match tokio::time::timeout(PATIENCE, asked).await {
            // The protocol hands back the title.
            Ok(Ok(Some(item))) => choices
                .iter()
                .find(|it| it.title() == item.title)
                .map_or(Answered::Nothing, |it| Answered::Chose(*it)),
            Ok(Ok(None)) | Err(_) => Answered::Nothing,
            Ok(Err(_)) => Answered::NotAsked,
        }
    }

    fn hides_what_it_shows(&self) -> bool {
        self.editor.question_hides_document
    }

    async fn tell(&self, tone: Tone, sentence: String) {
        let kind = match tone {
            Tone::Info => lsp::MessageType::Info,
            Tone::Warning => lsp::MessageType::Warning,
            Tone::Error => lsp::MessageType::Error,
        };
        if !self.editor.message_is_one_line || tone != Tone::Error {
            return self.client.show_message(kind, sentence).await;
        }
        // What to do is at a sentence's end, where one line does not reach; a question's box has
        // several.
        let (client, newest) = (self.client.clone(), self.newest.clone());
        tokio::spawn(async move {
            client.show_message(kind, sentence.clone()).await;
            rest(&newest).await;
            // Older ones have no questions, and leave it at the line.
            let _ = client.show_message_request(kind, sentence, Some(vec![item("OK")])).await;
        });
    }

    async fn show(&self, file: &Path, was_asked_for: bool) -> bool {
        if !self.editor.has_show_document {
            return false;
        }
        let is_unexpected = self.editor.opened_document_takes_view && !was_asked_for;
        if is_unexpected {
            rest(&self.newest).await;
        }
        let params = lsp::ShowDocumentParams {
            uri: lsp::Uri(file_uri(file)),
            external: None,
            take_focus: Some(was_asked_for),
            selection: None,
        };
        let shown = tokio::time::timeout(PATIENCE, self.client.show_document(params)).await;
        let is_shown = matches!(shown, Ok(Ok(true)));
        if is_shown && is_unexpected {
            // Behind an open menu it is not to be seen.
            let sentence = format!("keyside: {} is open", file.display());
            self.client.show_message(lsp::MessageType::Info, sentence).await;
        }
        is_shown
    }

    async fn progress(&self, progress: Progress) {
        if !self.editor.has_progress {
            return;
        }
        let mut open = self.progress.lock().await;
        let Progress::Step(message) = progress else {
            if let Some(open) = open.take() {
                open.finish().await;
            }
            return;
        };
        if open.is_none() {
            let created = self.client.create_work_done_progress(self.token.clone());
            if !matches!(tokio::time::timeout(SOON, created).await, Ok(Ok(()))) {
                return;
            }
            let begun = self.client.progress(self.token.clone(), self.title.clone());
            *open = Some(begun.with_cancel_button().begin().await);
        }
        if let Some(open) = &*open {
            open.report_with_message(message, Some(true)).await;
        }
    }

    async fn answer(&self, title: &str, text: &str, is_done: bool) -> bool {
        if self.editor.shows_growing_answers {
            let (title, text) = (title.to_owned(), text.to_owned());
            let answer = AnswerParams { token: self.token.clone(), title, text, done: is_done };
            self.client.send_notification::<AnswerNotification>(answer).await;
        }
        self.editor.shows_growing_answers
    }

    async fn apply(
        &self,
        label: &str,
        uri: &str,
        version: i32,
        edits: Vec<(LineRange, String)>,
    ) -> Result<(), String> {
        let position =
            |at: crate::text::LinePosition| json!({"line": at.line, "character": at.column});
        let edits: Vec<_> = edits
            .iter()
            .map(|(range, text)| {
                let range = json!({"start": position(range.start), "end": position(range.end)});
                json!({"range": range, "newText": text})
            })
            .collect();
        let change = json!({"textDocument": {"uri": uri, "version": version}, "edits": edits});
        let params = json!({"label": label, "edit": {"documentChanges": [change]}});
        let params: lsp::ApplyWorkspaceEditParams = serde_json::from_value(params)
            .map_err(|_| "the edits can't be said in the protocol".to_owned())?;
        let asked = self.client.send_request::<lsp::ApplyWorkspaceEditRequest>(params);
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(lsp::ApplyWorkspaceEditResult { applied: true, .. })) => Ok(()),
            Ok(Ok(result)) => {
                Err(result.failure_reason.unwrap_or_else(|| "the editor gave no reason".to_owned()))
            }
            Ok(Err(jsonrpc::Error { message, .. })) => Err(message.into_owned()),
            Err(_) => Err("the editor did not answer".to_owned()),
        }
    }
}
