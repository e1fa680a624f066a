//! The list of everything that the server answers, and what it says of itself.

use std::sync::{Arc, LazyLock, Mutex, OnceLock};
use std::time::Duration;

use serde_json::Value;
use tower_lsp::gen_lsp_types as lsp;
use tower_lsp::jsonrpc::Result;
use tower_lsp::{Client, ClientSocket, LanguageServer, LspService};

use crate::app::Session;
use crate::config::layers::Layer;
use crate::lsp::capabilities;
use crate::lsp::client::ClientProfile;
use crate::lsp::escalations::Escalations;
use crate::lsp::ext::{
    self, ClassifyAnswer, ClassifyParams, DocumentAnswer, DocumentParams, MoveCaretParams,
    StatsAnswer, Status, StatusParams,
};
use crate::lsp::handlers::{self, code_action};
use crate::lsp::ingress::world;
use crate::lsp::notes::Notes;
use crate::lsp::settings::Settings;
use crate::lsp::status::Told;
use crate::text::{Document, Newest};

/// One client's server.
pub struct Server {
    client: Client,
    pub(crate) session: Arc<Session>,
    profile: Arc<OnceLock<ClientProfile>>,
    /// Locked for the moment of a merge.
    pub(super) settings: Mutex<Settings>,
    pub(super) told: Told,
    pub(crate) escalations: Arc<Escalations>,
    pub(crate) notes: Arc<Notes>,
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
        LspService::build_with_lifecycle_methods(|client| Self {
            client,
            session,
            profile,
            settings: Mutex::new(Settings::new(file_settings)),
            told: Told::default(),
            escalations: Arc::default(),
            notes: Arc::default(),
            newest: Newest::default(),
        })
        // On every keystroke.
        .custom_method("textDocument/inlineCompletion", Self::inline_completion)
        .custom_method("textDocument/completion", Self::completion)
        .custom_method(ext::DID_MOVE_CARET, Self::caret_moved)
        // When a person does something.
        .custom_method("textDocument/codeAction", Self::code_action)
        .custom_method("workspace/executeCommand", Self::execute_command)
        .custom_method(ext::CLASSIFY, Self::classify)
        .custom_method("window/workDoneProgress/cancel", Self::progress_cancelled)
        // For tests, bug reports and status lines.
        .custom_method(ext::STATS, Self::stats)
        .custom_method(ext::DOCUMENT, Self::document)
        .custom_method(ext::STATUS, Self::status_now)
        // Nothing to do here: the ingress has.
        .custom_method(ext::DID_SHOW, Self::ignore)
        .custom_method(ext::DID_ACCEPT, Self::ignore)
        .custom_method(ext::DID_PARTIALLY_ACCEPT, Self::ignore)
        .custom_method(ext::DID_REJECT, Self::ignore)
        .custom_method("workspace/didChangeConfiguration", Self::ignore)
        .custom_method("workspace/didChangeWorkspaceFolders", Self::ignore)
        .custom_method("workspace/didChangeWatchedFiles", Self::files_changed)
        .custom_method("textDocument/didSave", Self::files_changed)
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

    /// The path of a document as a model should see it.
    pub(crate) fn path_of(&self, document: &Document) -> String {
        self.profile().path_of(&self.session.completer.workspace.folders(), document)
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
        if params.command == ext::CLASSIFY_COMMAND {
            return handlers::classify::command(self, params.arguments).await;
        }
        handlers::execute_command::answer(self, params)
    }

    async fn classify(&self, params: ClassifyParams) -> Result<ClassifyAnswer> {
        handlers::classify::answer(self, params).await
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

    async fn stats(&self) -> Result<StatsAnswer> {
        Ok(handlers::stats::answer(&self.session, self.escalations.n_running()))
    }

    async fn document(&self, params: DocumentParams) -> Result<DocumentAnswer> {
        handlers::document::answer(&params)
    }

    async fn status_now(&self, params: Option<StatusParams>) -> Result<Status> {
        let uri = params.and_then(|it| it.uri);
        Ok(self.status_of(uri.and_then(|it| world().document(&it)).as_deref()))
    }

    async fn ignore(&self, _: Value) {}

    async fn files_changed(&self, params: Value) {
        handlers::files::settings_changed(self, &params).await;
    }
}

impl LanguageServer for Server {
    async fn initialize(&self, _: lsp::InitializeParams) -> Result<lsp::InitializeResult> {
        let capabilities = capabilities::of(self.profile(), self.session.cloud().is_some());
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
