//! Whether ghost text can be had, told to the client whenever that changes: of the server, and of
//! each document in which nothing is suggested.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tower_lsp::Client;
use tower_lsp::gen_lsp_types as lsp;

use crate::app::Session;
use crate::config;
use crate::lm::EngineState;
use crate::lm::ModelInfo;
use crate::lsp::ext::{Status, StatusNotification, StatusState};
use crate::lsp::notes::NoteKind;
use crate::lsp::server::Server;
use crate::text::{Document, World};

/// How long a state holds before it is told.
const SETTLE: Duration = Duration::from_millis(20);

/// What was told.
#[derive(Default)]
pub(super) struct Told {
    /// Tells the client of the newest engine.
    watcher: Mutex<Option<JoinHandle<()>>>,
    /// Why nothing is suggested in a document, by its key. Locked for a look.
    documents: Mutex<HashMap<Arc<str>, String>>,
}

impl Server {
    /// How things are now: of a document, or of all.
    pub(super) fn status_of(&self, document: Option<&Document>) -> Status {
        let status = of_session(&self.session);
        let Some(document) = document else { return status };
        let uri = Some(document.uri.to_string());
        match self.why_nothing(document) {
            Some(message) => Status { state: StatusState::Off, message, uri, ..status },
            None => Status { uri, ..status },
        }
    }

    /// Why nothing is suggested in a document, if that is so.
    fn why_nothing(&self, document: &Document) -> Option<String> {
        if document.lost {
            return Some("an edit of this document was lost; close and reopen the file".to_owned());
        }
        self.session.config().completion.why_nothing_in(&document.language_id)
    }

    /// What the client has to be told of documents: those in which nothing is suggested, and that
    /// no longer so.
    pub(super) fn news_of_documents(&self, world: &World) -> Vec<Status> {
        let is_on = self.session.config().completion.enabled;
        let mut told = self.told_documents();
        told.retain(|key, _| world.is_open(key));
        let mut news = Vec::new();
        for document in world.documents() {
            // Where nothing is suggested anywhere, that has been said.
            if !is_on && !document.lost {
                continue;
            }
            let why = self.why_nothing(document);
            if told.get(&document.key) == why.as_ref() {
                continue;
            }
            match why {
                Some(why) => told.insert(Arc::clone(&document.key), why),
                None => told.remove(&document.key),
            };
            news.push(self.status_of(Some(document)));
        }
        news
    }

    /// Tells the client what [`Self::news_of_documents`] finds.
    pub(super) async fn tell_of_documents(&self, world: &World) {
        let news = self.news_of_documents(world);
        tell(self.client(), self.profile().editor.follows_status, news).await;
    }

    /// Nothing is suggested unasked for this long, which is told now and when it is over.
    pub(super) fn snooze(&self, time: Duration) {
        self.session.completer.snooze.set(time);
        let is_followed = self.profile().editor.follows_status;
        // The session ends when its client does, not when this does.
        let (client, session) = (self.client().clone(), Arc::downgrade(&self.session));
        let now = of_session(&self.session);
        tokio::spawn(async move {
            tell(&client, is_followed, vec![now]).await;
            if time.is_zero() {
                return;
            }
            tokio::time::sleep(time).await;
            // Another one may have been set since.
            let over = session.upgrade().filter(|it| it.completer.snooze.left().is_none());
            let news = over.map(|it| of_session(&it)).into_iter().collect();
            tell(&client, is_followed, news).await;
        });
    }

    /// How things are, for a message.
    pub(super) fn sentence_of_status(&self) -> String {
        let Status { state, message, network, .. } = of_session(&self.session);
        let is_on = match state {
            StatusState::Ready => "ready: ",
            _ => "",
        };
        let off = &self.session.config().completion.disabled_languages;
        let off = match &off[..] {
            [] => String::new(),
            languages => format!("; off in {}", languages.join(", ")),
        };
        format!("keyside: {is_on}{message}{off}; {network}")
    }

    fn told_documents(&self) -> MutexGuard<'_, HashMap<Arc<str>, String>> {
        self.told.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the client how the model does, now and whenever that changes; of the newest model
    /// only.
    pub(super) fn watch_engine(&self) {
        let mut state = self.session.engine().watch();
        // The session ends when its client does, not when this does.
        let (client, session) = (self.client().clone(), Arc::downgrade(&self.session));
        let notes = Arc::clone(&self.notes);
        let is_followed = self.profile().editor.follows_status;
        let watcher = tokio::spawn(async move {
            loop {
                // A model that is replaced at once has nothing to say.
                tokio::time::sleep(SETTLE).await;
                state.borrow_and_update();
                let Some(session) = session.upgrade() else { return };
                let (status, state_now) = (of_session(&session), session.engine().state());
                drop(session);
                let (kind, note) = match &state_now {
                    EngineState::Failed(sentence) => {
                        (lsp::MessageType::Error, Some(sentence.clone()))
                    }
                    EngineState::Ready(model) => {
                        let note = instead(model).map(|it| format!("keyside: {it}"));
                        (lsp::MessageType::Warning, note)
                    }
                    EngineState::Loading => (lsp::MessageType::Info, None),
                };
                if let Some(note) = note.and_then(|it| notes.next(NoteKind::Model, it)) {
                    client.show_message(kind, note).await;
                }
                tell(&client, is_followed, vec![status]).await;
                if state.changed().await.is_err() {
                    return;
                }
            }
        });
        let older =
            self.told.watcher.lock().unwrap_or_else(PoisonError::into_inner).replace(watcher);
        if let Some(older) = older {
            older.abort();
        }
    }
}

/// Sends each status to a client that follows them. A person who uses another one is told of faults
/// by messages.
pub(super) async fn tell(client: &Client, is_followed: bool, news: Vec<Status>) {
    for status in news.into_iter().filter(|_| is_followed) {
        client.send_notification::<StatusNotification>(status).await;
    }
}

/// As `sandbox` has it where a rule does not hold.
const BEST_EFFORT: &str = "best effort";

fn of_session(session: &Session) -> Status {
    let (state, message) = match session.engine().state() {
        _ if !session.config().completion.enabled => (StatusState::Off, config::OFF.to_owned()),
        _ if let Some(left) = session.completer.snooze.left() => {
            (StatusState::Off, format!("snoozed for another {}", minutes(left)))
        }
        EngineState::Loading => (StatusState::Loading, "loading the model".to_owned()),
        EngineState::Ready(model) => {
            (StatusState::Ready, instead(&model).unwrap_or_else(|| named(&model)))
        }
        EngineState::Failed(sentence) => (StatusState::Error, sentence),
    };
    let (network, files) = (session.network(), session.files());
    let mut message = message;
    // What a person takes for granted and is not so is said where they look.
    for held in [&network, &files]
        .into_iter()
        .filter(|it| state == StatusState::Ready && it.contains(BEST_EFFORT))
    {
        message.push_str("; ");
        message.push_str(held);
    }
    if let Some(fault) = session.completer.second_tier_fault() {
        message.push_str("; ");
        message.push_str(&fault);
    }
    Status { state, message, network, files, uri: None }
}

/// A time in whole minutes, rounded up.
pub(super) fn minutes(time: Duration) -> String {
    match time.as_secs().div_ceil(60) {
        1 => "minute".to_owned(),
        n => format!("{n} minutes"),
    }
}

/// A model's name, with what a person should know of it.
fn named(model: &ModelInfo) -> String {
    let adapter = model.adapter.as_ref().map(|it| format!(" with the adapter {it}"));
    let how = model.completes_how().map(|it| format!(", which {it}"));
    format!("{}{}{}", model.name, adapter.unwrap_or_default(), how.unwrap_or_default())
}

/// Which model suggests in the place of the one that the settings name.
fn instead(model: &ModelInfo) -> Option<String> {
    let why = model.instead_of.as_ref()?;
    Some(format!("{} suggests instead, because {why}", model.name))
}
