//! What the server says that it can do, and what it asks the client to tell it.

use std::path::Path;

use serde_json::{Value, json};
use tower_lsp::gen_lsp_types as lsp;

use crate::lsp::client::ClientProfile;
use crate::lsp::handlers::execute_command;
use crate::lsp::proto::to_encoding;
use crate::text::file_uri;

/// After which a client with nothing but a popup should ask, beside letters.
const TRIGGER_CHARACTERS: &[char] = &[
    ' ', '.', ',', ':', ';', '(', '[', '{', '<', '=', '+', '-', '*', '/', '&', '|', '!', '?', '"',
    '\'', '_', '#', '@', '$',
];

/// The answer to `initialize`.
pub(super) fn of(profile: &ClientProfile, with_cloud: bool) -> lsp::ServerCapabilities {
    // Where both are offered VS Code shows both, so the popup is for clients that have only it.
    let popup = (!profile.editor.has_inline_completion).then(|| lsp::CompletionOptions {
        trigger_characters: Some(TRIGGER_CHARACTERS.iter().map(ToString::to_string).collect()),
        ..Default::default()
    });
    let kinds = ["quickfix", "refactor.explain", "refactor.rewrite"];
    let code_actions = with_cloud.then(|| {
        lsp::CodeActionProvider::CodeActionOptions(lsp::CodeActionOptions {
            code_action_kinds: Some(kinds.map(lsp::CodeActionKind::new).to_vec()),
            ..Default::default()
        })
    });
    let folders = lsp::WorkspaceFoldersServerCapabilities {
        supported: Some(true),
        change_notifications: Some(lsp::ChangeNotifications::Bool(true)),
    };
    lsp::ServerCapabilities {
        code_action_provider: code_actions,
        position_encoding: Some(to_encoding(profile.encoding)),
        text_document_sync: Some(lsp::TextDocumentSync::Options(lsp::TextDocumentSyncOptions {
            open_close: Some(true),
            change: Some(lsp::TextDocumentSyncKind::Incremental),
            save: Some(lsp::Save::Bool(true)),
            ..Default::default()
        })),
        inline_completion_provider: Some(lsp::InlineCompletionProvider::Bool(true)),
        completion_provider: popup,
        execute_command_provider: Some(lsp::ExecuteCommandOptions {
            commands: execute_command::commands(with_cloud),
            ..Default::default()
        }),
        workspace: Some(lsp::WorkspaceOptions {
            workspace_folders: Some(folders),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// What the client is to watch: files by these globs of the workspace, and the settings file, which
/// lies elsewhere. `None` where the client can't be asked.
pub(super) fn watched_files(
    profile: &ClientProfile,
    globs: Vec<String>,
    settings_file: &Path,
) -> Option<lsp::Registration> {
    if !profile.editor.watches_workspace_files {
        return None;
    }
    let mut globs: Vec<Value> = globs.into_iter().map(Value::from).collect();
    let folder = settings_file.parent().zip(settings_file.file_name());
    if let Some((folder, name)) = folder.filter(|_| profile.editor.watches_other_files) {
        globs.push(json!({"baseUri": file_uri(folder), "pattern": name.to_string_lossy()}));
    }
    let watchers: Vec<Value> = globs.into_iter().map(|it| json!({"globPattern": it})).collect();
    Some(lsp::Registration {
        id: "keyside-watched-files".to_owned(),
        method: "workspace/didChangeWatchedFiles".to_owned(),
        register_options: Some(json!({"watchers": watchers})),
    })
}
