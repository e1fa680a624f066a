//! Where messages enter: documents change here, and here a request is given its world.
//!
//! The library runs handlers concurrently, notifications too, so an edit that is applied in a
//! handler can be overtaken by the request that follows it. Here edits are applied when the message
//! is called, in wire order, with no await, and the world is taken at the same point
//! (tests/it/sync.rs). A handler reads its world with [`world`] and never sees a later or earlier
//! text.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tower::Service;
use tower_lsp::gen_lsp_types as lsp;
use tower_lsp::jsonrpc::{Error, Request, Response};
use tower_lsp::{Client, ExitedError, LspService};

use crate::lsp::capabilities;
use crate::lsp::client::ClientProfile;
use crate::lsp::ext::{self, Status};
use crate::lsp::handlers::{files, suggestion};
use crate::lsp::notes::NoteKind;
use crate::lsp::proto::from_change;
use crate::lsp::server::Server;
use crate::lsp::status::tell;
use crate::text::{DocumentError, Documents, World, file_path};

tokio::task_local! {
    static WORLD: World;
}

/// The documents as they were when the request at hand arrived. Empty outside of a request.
pub fn world() -> World {
    WORLD.try_with(Clone::clone).unwrap_or_default()
}

/// Requests that take no parameters, and any that come with them.
const TAKE_NOTHING: &[&str] = &["shutdown", ext::STATS];

/// The owner of the documents, in front of the library's router.
pub struct Ingress {
    service: LspService<Server>,
    documents: Documents,
    profile: Arc<OnceLock<ClientProfile>>,
    client: Client,
    /// Documents that are not open, of whose edits somebody was told.
    not_open: HashSet<String>,
}

/// Of which is told; a client with more of them does not know what it does.
const MAX_NOT_OPEN: usize = 100;

/// The answer to a message, if one is due.
pub type Answer = BoxFuture<'static, Result<Option<Response>, ExitedError>>;

impl Ingress {
    pub fn new(
        service: LspService<Server>,
        client: Client,
        profile: Arc<OnceLock<ClientProfile>>,
    ) -> Self {
        let documents = Documents::with_newest(service.inner().newest.clone());
        Self { service, documents, profile, client, not_open: HashSet::new() }
    }

    /// Takes in one message. Everything that has to happen in wire order has happened when this
    /// returns; the rest is in the future.
    pub fn call(&mut self, request: Request) -> Answer {
        // Clients send documents only after `initialize`; before it there is no encoding to read
        // them by.
        let ready = self.profile.get().is_some();
        match request.method() {
            "initialize" => {
                let request = self.initialize(request);
                self.service.call(request)
            }
            "textDocument/didOpen" if ready => self.notified(request, Self::did_open),
            "textDocument/didChange" if ready => self.notified(request, Self::did_change),
            "textDocument/didClose" if ready => self.notified(request, Self::did_close),
            // Settings too are taken in wire order: the later ones have to win.
            "initialized" if ready => {
                let notes = self.service.inner().first_settings();
                self.after_settings(request, NoteKind::Settings, notes, self.registration())
            }
            "workspace/didChangeConfiguration" if ready => {
                let settings = request.params().and_then(|it| it.get("settings")).cloned();
                let notes = self.service.inner().settings_changed(&settings.unwrap_or_default());
                self.after_settings(request, NoteKind::ChangedSettings, notes, None)
            }
            // So are the folders of the workspace, and which files are left out.
            "workspace/didChangeWorkspaceFolders" if ready => {
                let params = request.params().unwrap_or(&Value::Null);
                files::folders_changed(self.service.inner(), params);
                self.forward(request)
            }
            "workspace/didChangeWatchedFiles" | "textDocument/didSave" if ready => {
                files::changed(self.service.inner(), request.params().unwrap_or(&Value::Null));
                self.forward(request)
            }
            // A suggestion is rejected after it was shown.
            ext::DID_SHOW | ext::DID_ACCEPT | ext::DID_PARTIALLY_ACCEPT | ext::DID_REJECT => {
                let params = request.params().unwrap_or(&Value::Null);
                suggestion::notice(
                    &self.service.inner().session.completer,
                    request.method(),
                    params,
                );
                self.forward(request)
            }
            method if TAKE_NOTHING.contains(&method) => {
                let (method, id, _) = request.into_parts();
                let plain = Request::build(method);
                self.forward(match id {
                    Some(id) => plain.id(id).finish(),
                    None => plain.finish(),
                })
            }
            // The library wants parameters where a handler takes some.
            ext::STATUS if request.params().is_none() => {
                let (method, id, _) = request.into_parts();
                let plain = Request::build(method).params(Value::Null);
                self.forward(match id {
                    Some(id) => plain.id(id).finish(),
                    None => plain.finish(),
                })
            }
            // The library passes over a request of this kind that it does not know, as if it were a
            // notification.
            method if method.starts_with("$/") && request.id().is_some() => {
                let (_, id, _) = request.into_parts();
                let unknown = id.map(|id| Response::from_error(id, Error::method_not_found()));
                std::future::ready(Ok(unknown)).boxed()
            }
            _ => self.forward(request),
        }
    }

    fn forward(&mut self, request: Request) -> Answer {
        WORLD.scope(self.documents.world(), self.service.call(request)).boxed()
    }

    fn registration(&self) -> Option<lsp::Registration> {
        let session = &self.service.inner().session;
        let globs = session.completer.workspace.watched_globs();
        capabilities::watched_files(self.profile.get()?, globs, &session.settings_file())
    }

    /// Reads the client's profile, and hands on a request that any parser takes.
    fn initialize(&mut self, request: Request) -> Request {
        let (method, id, params) = request.into_parts();
        let params = params.unwrap_or_default();
        if self.profile.set(ClientProfile::from_params(&params)).is_ok()
            && let Some(profile) = self.profile.get()
        {
            self.documents.set_encoding(profile.encoding);
            self.service.inner().session.completer.workspace.set_folders(profile.folders());
        }
        let plain = Request::build(method).params(json!({"capabilities": {}, "processId": null}));
        match id {
            Some(id) => plain.id(id).finish(),
            None => plain.finish(),
        }
    }

    fn after_settings(
        &mut self,
        request: Request,
        kind: NoteKind,
        notes: Vec<String>,
        registration: Option<lsp::Registration>,
    ) -> Answer {
        // Counted in wire order too.
        let counts = Arc::clone(&self.service.inner().notes);
        let notes: Vec<String> = notes.into_iter().filter_map(|it| counts.next(kind, it)).collect();
        let client = self.client.clone();
        let is_followed = self.follows_status();
        let news = self.news();
        let rest = self.forward(request);
        async move {
            let answer = rest.await;
            for note in notes {
                client.show_message(lsp::MessageType::Warning, note).await;
            }
            tell(&client, is_followed, news).await;
            if let Some(registration) = registration
                && let Err(error) = client.register_capability(vec![registration]).await
            {
                tracing::warn!("the client does not watch files: {error}");
            }
            answer
        }
        .boxed()
    }

    fn follows_status(&self) -> bool {
        self.service.inner().profile().editor.follows_status
    }

    /// What the client has to be told of the documents as they are now.
    fn news(&mut self) -> Vec<Status> {
        self.service.inner().news_of_documents(&self.documents.world())
    }

    fn notified(
        &mut self,
        request: Request,
        apply: fn(&mut Self, &str, &Value) -> Result<(), DocumentError>,
    ) -> Answer {
        let (method, id, params) = request.into_parts();
        let is_opened = method == "textDocument/didOpen";
        if let Some(id) = id {
            let refused = Response::from_error(id, Error::invalid_request());
            return std::future::ready(Ok(Some(refused))).boxed();
        }
        let params = params.unwrap_or(Value::Null);
        let uri = params.pointer("/textDocument/uri").and_then(Value::as_str);
        let Some(uri) = uri else {
            tracing::warn!("a notification about a document did not say which");
            return std::future::ready(Ok(None)).boxed();
        };
        let was_lost = self.documents.is_lost(uri);
        let outcome = apply(self, uri, &params);
        let is_news = is_opened || outcome.is_err() || was_lost != self.documents.is_lost(uri);
        // Not on the way of a key.
        let news = if is_news { self.news() } else { Vec::new() };
        let told = outcome.err().filter(|error| match error {
            DocumentError::NotOpen { uri } => {
                self.not_open.len() < MAX_NOT_OPEN && self.not_open.insert(uri.clone())
            }
            DocumentError::Unreadable { .. } | DocumentError::OutOfOrder { .. } => true,
        });
        if told.is_none() && news.is_empty() {
            return std::future::ready(Ok(None)).boxed();
        }
        let counts = Arc::clone(&self.service.inner().notes);
        let told = told.and_then(|error| {
            tracing::warn!("{error}");
            let is_open = !matches!(error, DocumentError::NotOpen { .. });
            let note = counts.next(NoteKind::Documents, format!("keyside: {error}"))?;
            Some((is_open, note))
        });
        let (client, is_followed) = (self.client.clone(), self.follows_status());
        async move {
            match told {
                Some((true, note)) => client.show_message(lsp::MessageType::Warning, note).await,
                Some((false, note)) => client.log_message(lsp::MessageType::Warning, note).await,
                None => {}
            }
            tell(&client, is_followed, news).await;
            Ok(None)
        }
        .boxed()
    }

    fn did_open(&mut self, uri: &str, params: &Value) -> Result<(), DocumentError> {
        let text_of = |name: &str| params.pointer(&format!("/textDocument/{name}"))?.as_str();
        let version = version(params);
        self.not_open.remove(uri);
        if let Some(file) = file_path(uri) {
            self.service.inner().session.completer.workspace.opened(&file);
        }
        self.documents.open(
            uri,
            text_of("languageId").unwrap_or_default(),
            version,
            text_of("text"),
        );
        if self.documents.is_lost(uri) {
            return Err(DocumentError::Unreadable { uri: uri.to_owned() });
        }
        Ok(())
    }

    fn did_change(&mut self, uri: &str, params: &Value) -> Result<(), DocumentError> {
        match params.get("contentChanges").and_then(Value::as_array) {
            Some(changes) => {
                let changes: Vec<_> = changes.iter().map(from_change).collect();
                self.documents.change(uri, version(params), &changes)
            }
            // What it would have done is not known, so neither is the text after it.
            None => self.documents.lose(uri),
        }
    }

    fn did_close(&mut self, uri: &str, _: &Value) -> Result<(), DocumentError> {
        self.documents.close(uri)
    }
}

/// `None` where there is none that means anything: clients of older versions of the protocol send
/// `null`.
fn version(params: &Value) -> Option<i32> {
    i32::try_from(params.pointer("/textDocument/version")?.as_i64()?).ok()
}
