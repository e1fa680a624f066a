//! Where messages enter: documents change here, and here a request is given its world.
//!
//! The library runs handlers concurrently, notifications too, so an edit that is applied in a handler can
//! be overtaken by the request that follows it. Here edits are applied when the message is called, in
//! wire order, with no await, and the world is taken at the same point (tests/it/sync.rs). A handler reads its world with [`world`] and never sees a later or earlier text.

use std::sync::{Arc, OnceLock};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use tower::Service;
use tower_lsp::gen_lsp_types as lsp;
use tower_lsp::jsonrpc::{Error, Request, Response};
use tower_lsp::{Client, ExitedError, LspService};

use crate::lsp::client::ClientProfile;
use crate::lsp::proto::from_change;
use crate::lsp::server::Server;
use crate::text::{Change, Documents, World};

tokio::task_local! {
    static WORLD: World;
}

/// The documents as they were when the request at hand arrived. Empty outside of a request.
pub fn world() -> World {
    WORLD.try_with(Clone::clone).unwrap_or_default()
}

/// `textDocument/didChange`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DidChangeParams {
    text_document: lsp::VersionedTextDocumentIdentifier,
    #[serde(deserialize_with = "changes")]
    content_changes: Vec<Change>,
}

fn changes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Change>, D::Error> {
    let changes = Vec::<Value>::deserialize(deserializer)?;
    let read = changes.iter().map(from_change).collect::<Option<_>>();
    read.ok_or_else(|| D::Error::custom("a change that can't be read"))
}

/// The owner of the documents, in front of the library's router.
pub struct Ingress {
    service: LspService<Server>,
    documents: Documents,
    profile: Arc<OnceLock<ClientProfile>>,
    client: Client,
}

/// The answer to a message, if one is due.
pub type Answer = BoxFuture<'static, Result<Option<Response>, ExitedError>>;

impl Ingress {
    pub fn new(
        service: LspService<Server>,
        client: Client,
        profile: Arc<OnceLock<ClientProfile>>,
    ) -> Self {
        let documents = Documents::with_newest(service.inner().newest.clone());
        Self { service, documents, profile, client }
    }

    /// Takes in one message. Everything that has to happen in wire order has happened when this
    /// returns; the rest is in the future.
    pub fn call(&mut self, request: Request) -> Answer {
        // Clients send documents only after `initialize`; before it there is no encoding to read them by.
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
                self.after_settings(request, notes)
            }
            "workspace/didChangeConfiguration" if ready => {
                let settings = request.params().and_then(|it| it.get("settings")).cloned();
                let notes = self.service.inner().settings_changed(settings.unwrap_or_default());
                self.after_settings(request, notes)
            }
            _ => WORLD.scope(self.documents.world(), self.service.call(request)).boxed(),
        }
    }

    /// Reads the client's profile, and hands on a request that any parser takes.
    fn initialize(&mut self, request: Request) -> Request {
        let (method, id, params) = request.into_parts();
        let params = params.unwrap_or_default();
        if self.profile.set(ClientProfile::from_params(&params)).is_ok()
            && let Some(profile) = self.profile.get()
        {
            self.documents.set_encoding(profile.encoding);
            self.service.inner().session.workspace.set_folders(profile.folders());
        }
        let plain = Request::build(method).params(json!({"capabilities": {}, "processId": null}));
        match id {
            Some(id) => plain.id(id).finish(),
            None => plain.finish(),
        }
    }

    fn after_settings(&mut self, request: Request, notes: Vec<String>) -> Answer {
        let client = self.client.clone();
        let rest = self.service.call(request);
        async move {
            let answer = rest.await;
            for note in notes {
                client.show_message(lsp::MessageType::Warning, note).await;
            }
            answer
        }
        .boxed()
    }

    fn notified<P: DeserializeOwned>(
        &mut self,
        request: Request,
        apply: fn(&mut Self, P) -> Result<(), String>,
    ) -> Answer {
        let (method, id, params) = request.into_parts();
        if let Some(id) = id {
            let refused = Response::from_error(id, Error::invalid_request());
            return std::future::ready(Ok(Some(refused))).boxed();
        }
        let params = params.unwrap_or(Value::Null);
        let uri = params.pointer("/textDocument/uri").and_then(Value::as_str).map(str::to_owned);
        let outcome = match serde_json::from_value::<P>(params) {
            Ok(params) => apply(self, params),
            Err(_) => {
                // What it would have done is not known, so neither is the text after it.
                self.documents.lose(uri.as_deref().unwrap_or_default());
                Err(format!("a {method} could not be read; close and reopen the file"))
            }
        };
        let Err(sentence) = outcome else { return std::future::ready(Ok(None)).boxed() };
        tracing::warn!("{sentence}");
        let client = self.client.clone();
        async move {
            client.log_message(lsp::MessageType::Warning, sentence).await;
            Ok(None)
        }
        .boxed()
    }

    fn did_open(&mut self, params: lsp::DidOpenTextDocumentParams) -> Result<(), String> {
        let lsp::TextDocumentItem { uri, language_id, version, text } = params.text_document;
        let language_id = serde_json::to_value(language_id).unwrap_or_default();
        self.documents.open(&uri.0, language_id.as_str().unwrap_or_default(), version, &text);
        Ok(())
    }

    fn did_change(&mut self, params: DidChangeParams) -> Result<(), String> {
        let DidChangeParams { text_document: document, content_changes } = params;
        let uri = document.text_document_identifier.uri.0;
        self.documents
            .change(&uri, document.version, &content_changes)
            .map_err(|error| error.to_string())
    }

    fn did_close(&mut self, params: lsp::DidCloseTextDocumentParams) -> Result<(), String> {
        self.documents.close(&params.text_document.uri.0).map_err(|error| error.to_string())
    }
}
