//! The list of everything that the server answers, and what it says of itself.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinHandle;
use tower_lsp::gen_lsp_types as lsp;
use tower_lsp::jsonrpc::Result;
use tower_lsp::{Client, ClientSocket, LanguageServer, LspService};

use crate::assist::Session;
use crate::config::layers::{self, Layer};
use crate::engine::EngineState;
use crate::lsp::client::ClientProfile;
use crate::lsp::escalations::Escalations;
use crate::lsp::ext::{
    DocumentAnswer, DocumentParams, MoveCaretParams, Status, StatusNotification,
};
use crate::lsp::handlers::{self, code_action, execute_command};
use crate::lsp::proto::to_encoding;
use crate::text::{Newest, file_path};

/// One client's server.
pub struct Server {
    client: Client,
    pub(crate) session: Arc<Session>,
    profile: Arc<OnceLock<ClientProfile>>,
    /// Locked for the moment of a merge.
    settings: Mutex<Settings>,
    /// Tells the client of the newest engine.
    watcher: Mutex<Option<JoinHandle<()>>>,
    pub(crate) escalations: Arc<Escalations>,
    /// For what takes so long that its own world is old when it is done.
    pub(crate) newest: Newest,
}

impl Server {
    /// The service with every method that there is.
    pub fn service(
        session: Arc<Session>,
        profile: Arc<OnceLock<ClientProfile>>,
        file_settings: std::result::Result<Layer, String>,
    ) -> (LspService<Self>, ClientSocket) {
        let empty = |source: &str| Layer::of_editor(source, Value::Null);
        let (file, fault) = match file_settings {
            Ok(layer) => (layer, None),
            Err(sentence) => (empty("file"), Some(sentence)),
        };
        let layers = [file, empty("initializationOptions"), empty("editor")];
        LspService::build_with_lifecycle_methods(|client| Self {
            client,
            session,
            profile,
            settings: Mutex::new(Settings { layers, fault }),
            watcher: Mutex::new(None),
            escalations: Arc::default(),
            newest: Newest::default(),
        })
        // On every keystroke.
        .custom_method("textDocument/inlineCompletion", Self::inline_completion)
        .custom_method("textDocument/completion", Self::completion)
        .custom_method("keyside/didMoveCaret", Self::caret_moved)
        // When a person does something.
        .custom_method("textDocument/codeAction", Self::code_action)
        .custom_method("workspace/executeCommand", Self::execute_command)
        .custom_method("window/workDoneProgress/cancel", Self::progress_cancelled)
        // For tests, bug reports and status lines.
        .custom_method("keyside/stats", Self::stats)
        .custom_method("keyside/document", Self::document)
        // Nothing to do here: the ingress has.
        .custom_method("workspace/didChangeConfiguration", Self::ignore)
        // Files of the workspace.
        .custom_method("textDocument/didSave", Self::files_changed)
        .custom_method("workspace/didChangeWatchedFiles", Self::files_changed)
        .custom_method("workspace/didChangeWorkspaceFolders", Self::folders_changed)
        .finish()
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What the client said of itself; nothing, where it has not spoken yet.
    pub(crate) fn profile(&self) -> &ClientProfile {
        static UNKNOWN: LazyLock<ClientProfile> = LazyLock::new(ClientProfile::default);
        self.profile.get().unwrap_or(&UNKNOWN)
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
        handlers::execute_command::answer(self, params)
    }

    async fn code_action(&self, params: code_action::Params) -> Result<Vec<Value>> {
        Ok(code_action::answer(self, &params))
    }

    async fn progress_cancelled(&self, params: lsp::WorkDoneProgressCancelParams) {
        self.escalations.cancel(&params.token);
    }

    async fn caret_moved(&self, params: MoveCaretParams) {
        handlers::move_caret::notice(self, params).await;
    }

    async fn stats(&self) -> Result<Value> {
        Ok(handlers::stats::answer(&self.session))
    }

    async fn document(&self, params: DocumentParams) -> Result<DocumentAnswer> {
        handlers::document::answer(&params)
    }

    async fn ignore(&self, _: Value) {}

    async fn files_changed(&self, _: Value) {
        self.session.workspace.changed();
    }

    async fn folders_changed(&self, params: Value) {
        let folders = |name: &str| -> Vec<PathBuf> {
            let list = params.pointer(&format!("/event/{name}")).and_then(Value::as_array);
            let uris = list.into_iter().flatten().filter_map(|it| it.get("uri")?.as_str());
            uris.filter_map(file_path).collect()
        };
        self.session.workspace.change_folders(&folders("removed"), folders("added"));
    }

    /// Takes `initializationOptions` into use. Returns what is wrong in all settings, in sentences.
    pub(crate) fn first_settings(&self) -> Vec<String> {
        let options = layers::editor_values(&self.profile().initialization_options);
        let mut notes: Vec<String> = self.settings().fault.take().into_iter().collect();
        notes.extend(self.session.cloud_fault());
        notes.extend(self.settings_with(|settings| settings.layers[1].values = options));
        self.watch_engine();
        notes
    }

    /// Takes the settings of `workspace/didChangeConfiguration` into use, over the earlier ones. Nothing
    /// in them (`null`, which some clients send to say "ask for them") changes nothing.
    pub(crate) fn settings_changed(&self, settings: Value) -> Vec<String> {
        if settings.is_null() {
            return Vec::new();
        }
        let values = layers::editor_values(&settings);
        self.settings_with(|settings| settings.layers[2].values = values)
    }

    fn settings_with(&self, change: impl FnOnce(&mut Settings)) -> Vec<String> {
        let resolved = {
            let mut settings = self.settings();
            change(&mut settings);
            layers::resolve(&settings.layers)
        };
        let mut notes = resolved.notes;
        match self.session.reconfigure(resolved.config) {
            Ok(replaced) if replaced => self.watch_engine(),
            Ok(_) => {}
            Err(error) => {
                notes.push(format!("the new model can't be started ({error}); the old one stays"));
            }
        }
        notes
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the client how the model does, now and whenever that changes; of the newest model only.
    fn watch_engine(&self) {
        let mut state = self.session.engine().watch();
        let client = self.client.clone();
        let network = self.session.network();
        let watcher = tokio::spawn(async move {
            loop {
                let status = match &*state.borrow_and_update() {
                    EngineState::Loading => status("loading", "loading the model", &network),
                    EngineState::Ready(model) => status("ready", &model.name, &network),
                    EngineState::Failed(sentence) => status("error", sentence, &network),
                };
                // A model that is replaced at once has nothing to say.
                tokio::time::sleep(SETTLE).await;
                if status.state == "error" {
                    client.show_message(lsp::MessageType::Error, &status.message).await;
                }
                client.send_notification::<StatusNotification>(status).await;
                if state.changed().await.is_err() {
                    return;
                }
            }
        });
        let older = self.watcher.lock().unwrap_or_else(PoisonError::into_inner).replace(watcher);
        if let Some(older) = older {
            older.abort();
        }
    }
}

/// How long a state holds before it is told.
const SETTLE: Duration = Duration::from_millis(20);

/// Settings as they were written: file, `initializationOptions`, `didChangeConfiguration`.
struct Settings {
    layers: [Layer; 3],
    /// Why the file could not be read, until that has been told.
    fault: Option<String>,
}

fn status(state: &str, message: &str, network: &str) -> Status {
    Status { state: state.to_owned(), message: message.to_owned(), network: network.to_owned() }
}

impl LanguageServer for Server {
    async fn initialize(&self, _: lsp::InitializeParams) -> Result<lsp::InitializeResult> {
        let profile = self.profile();
        // Where both are offered VS Code shows both, so the popup is for clients that have only it.
        let popup = (!profile.has_inline_completion).then(|| lsp::CompletionOptions {
            trigger_characters: Some(TRIGGER_CHARACTERS.iter().map(ToString::to_string).collect()),
            ..Default::default()
        });
        let with_cloud = self.session.cloud().is_some();
        let kinds = ["quickfix", "refactor.explain", "refactor.rewrite"];
        let code_actions = with_cloud.then(|| {
            lsp::CodeActionProvider::CodeActionOptions(lsp::CodeActionOptions {
                code_action_kinds: Some(kinds.map(lsp::CodeActionKind::new).to_vec()),
                ..Default::default()
            })
        });
        let capabilities = lsp::ServerCapabilities {
            code_action_provider: code_actions,
            position_encoding: Some(to_encoding(profile.encoding)),
            text_document_sync: Some(lsp::TextDocumentSync::Options(
                lsp::TextDocumentSyncOptions {
                    open_close: Some(true),
                    change: Some(lsp::TextDocumentSyncKind::Incremental),
                    save: Some(lsp::Save::Bool(true)),
                    ..Default::default()
                },
            )),
            inline_completion_provider: Some(lsp::InlineCompletionProvider::Bool(true)),
            completion_provider: popup,
            execute_command_provider: Some(lsp::ExecuteCommandOptions {
                commands: execute_command::commands(with_cloud),
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
        // The ingress has taken the settings already.
    }

    async fn shutdown(&self) -> Result<()> {
        // Some editors end the process with the answer to this (Helix).
        if let Some(cloud) = self.session.cloud() {
            cloud.close(SETTLING).await;
        }
        Ok(())
    }
}

/// How long the end of the session waits for money to be written down.
const SETTLING: Duration = Duration::from_millis(300);

/// After which a client with nothing but a popup should ask, beside letters.
const TRIGGER_CHARACTERS: &[char] = &[
    ' ', '.', ',', ':', ';', '(', '[', '{', '<', '=', '+', '-', '*', '/', '&', '|', '!', '?', '"',
    '\'', '_', '#', '@', '$',
];
