//! The list of everything that the server answers, and what it says of itself.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::Value;
use tower_lsp::gen_lsp_types as lsp;
use tower_lsp::jsonrpc::Result;
use tower_lsp::{Client, ClientSocket, LanguageServer, LspService};

use crate::assist::Session;
use crate::config::layers::{self, Layer};
use crate::engine::{Engine, EngineState};
use crate::lsp::client::ClientProfile;
use crate::lsp::ext::{DocumentAnswer, DocumentParams, Status, StatusNotification};
use crate::lsp::handlers;
use crate::lsp::proto::to_encoding;

/// One client's server.
pub struct Server {
    client: Client,
    pub(crate) session: Arc<Session>,
    profile: Arc<OnceLock<ClientProfile>>,
    /// The layers of settings below and of the client's own; locked for the moment of a merge.
    settings: Mutex<[Layer; 2]>,
}

impl Server {
    /// The service with every method that there is.
    pub fn service(
        session: Arc<Session>,
        profile: Arc<OnceLock<ClientProfile>>,
        file_settings: Layer,
    ) -> (LspService<Self>, ClientSocket) {
        let editor = Layer { source: "editor".to_owned(), values: Value::Null };
        LspService::build_with_lifecycle_methods(|client| Self {
            client,
            session,
            profile,
            settings: Mutex::new([file_settings, editor]),
        })
        // On every keystroke.
        .custom_method("textDocument/inlineCompletion", Self::inline_completion)
        .custom_method("textDocument/completion", Self::completion)
        // When a person does something.
        .custom_method("workspace/executeCommand", Self::execute_command)
        .custom_method("workspace/didChangeConfiguration", Self::did_change_configuration)
        // For tests, bug reports and status lines.
        .custom_method("keyside/stats", Self::stats)
        .custom_method("keyside/document", Self::document)
        // Nothing to do, but clients send them unasked.
        .custom_method("textDocument/didSave", Self::ignore)
        .custom_method("workspace/didChangeWatchedFiles", Self::ignore)
        .custom_method("workspace/didChangeWorkspaceFolders", Self::ignore)
        .finish()
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What the client said of itself.
    pub(crate) fn profile(&self) -> ClientProfile {
        self.profile.get().cloned().unwrap_or_default()
    }

    async fn inline_completion(
        &self,
        params: lsp::InlineCompletionParams,
    ) -> Result<lsp::InlineCompletionList> {
        handlers::inline_completion::answer(self, params).await
    }

    async fn completion(&self, params: lsp::CompletionParams) -> Result<lsp::CompletionList> {
        handlers::completion::answer(self, params).await
    }

    async fn execute_command(&self, params: lsp::ExecuteCommandParams) -> Result<Value> {
        handlers::execute_command::answer(self, &params)
    }

    async fn did_change_configuration(&self, params: Value) {
        let settings = params.get("settings").cloned().unwrap_or_default();
        self.configure(&settings).await;
    }

    async fn stats(&self) -> Result<Value> {
        Ok(handlers::stats::answer(&self.session))
    }

    async fn document(&self, params: DocumentParams) -> Result<DocumentAnswer> {
        handlers::document::answer(&params)
    }

    async fn ignore(&self, _: Value) {}

    /// Takes the client's settings into use and tells it what in them is wrong.
    async fn configure(&self, editor_settings: &Value) {
        let resolved = {
            let mut layers = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
            layers[1].values = layers::editor_values(editor_settings);
            layers::resolve(&*layers)
        };
        for note in resolved.notes {
            self.client.log_message(lsp::MessageType::Warning, note).await;
        }
        match self.session.reconfigure(resolved.config) {
            Ok(false) => {}
            Ok(true) => self.watch_engine(),
            Err(error) => {
                let sentence =
                    format!("the new model can't be started ({error}); the old one stays");
                self.client.show_message(lsp::MessageType::Error, sentence).await;
            }
        }
    }

    /// Tells the client how the model does, now and whenever that changes.
    fn watch_engine(&self) {
        let engine: Arc<Engine> = self.session.engine();
        let mut state = engine.watch();
        drop(engine);
        let client = self.client.clone();
        tokio::spawn(async move {
            loop {
                let status = match &*state.borrow_and_update() {
                    EngineState::Loading => status("loading", "loading the model"),
                    EngineState::Ready(model) => status("ready", &model.name),
                    EngineState::Failed(sentence) => status("error", sentence),
                };
                if status.state == "error" {
                    client.show_message(lsp::MessageType::Error, &status.message).await;
                }
                client.send_notification::<StatusNotification>(status).await;
                if state.changed().await.is_err() {
                    return;
                }
            }
        });
    }
}

fn status(state: &str, message: &str) -> Status {
    Status { state: state.to_owned(), message: message.to_owned() }
}

impl LanguageServer for Server {
    async fn initialize(&self, _: lsp::InitializeParams) -> Result<lsp::InitializeResult> {
        let profile = self.profile();
        // Where both are offered VS Code shows both, so the popup is for clients that have only it.
        let popup = (!profile.has_inline_completion).then(|| lsp::CompletionOptions {
            trigger_characters: Some(TRIGGER_CHARACTERS.iter().map(ToString::to_string).collect()),
            ..Default::default()
        });
        let capabilities = lsp::ServerCapabilities {
            position_encoding: Some(to_encoding(profile.encoding)),
            text_document_sync: Some(lsp::TextDocumentSync::Options(
                lsp::TextDocumentSyncOptions {
                    open_close: Some(true),
                    change: Some(lsp::TextDocumentSyncKind::Incremental),
                    ..Default::default()
                },
            )),
            inline_completion_provider: Some(lsp::InlineCompletionProvider::Bool(true)),
            completion_provider: popup,
            execute_command_provider: Some(lsp::ExecuteCommandOptions {
                commands: vec!["keyside.accepted".to_owned()],
                ..Default::default()
            }),
            ..Default::default()
        };
        let server_info = Some(lsp::ServerInfo {
            name: "keyside".to_owned(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        });
        Ok(lsp::InitializeResult { capabilities, server_info })
    }

    async fn initialized(&self, _: lsp::InitializedParams) {
        self.configure(&self.profile().initialization_options).await;
        self.watch_engine();
    }

    async fn shutdown(&self) -> Result<()> {
        Ok(())
    }
}

/// After which a client with nothing but a popup should ask, beside letters.
const TRIGGER_CHARACTERS: &[char] = &[
    ' ', '.', ',', ':', ';', '(', '[', '{', '<', '=', '+', '-', '*', '/', '&', '|', '!', '?', '"',
    '\'', '_', '#', '@', '$',
];
