//! `textDocument/didSave`, `workspace/didChangeWatchedFiles` and
//! `workspace/didChangeWorkspaceFolders`: what has changed on the disk.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tower_lsp::gen_lsp_types as lsp;

use crate::lsp::ingress::world;
use crate::lsp::notes::NoteKind;
use crate::lsp::server::Server;
use crate::text::file_path;

/// Files were saved, made, changed or deleted. Nothing is read here, because edits wait behind it.
pub(crate) fn changed(server: &Server, params: &Value) {
    let session = &server.session;
    if files(params).any(|it| session.completer.workspace.is_rules_file(&it)) {
        session.completer.rules_changed();
    }
    session.completer.workspace.changed();
}

/// Takes the settings file into use where it is among the files that have changed.
pub(crate) async fn settings_changed(server: &Server, params: &Value) {
    let settings_file = server.session.settings_file();
    if !files(params).any(|it| is_same(&it, &settings_file)) {
        return;
    }
    let notes = server.settings_file_changed().await.into_iter();
    for note in notes.filter_map(|it| server.notes.next(NoteKind::ChangedSettings, it)) {
        server.client().show_message(lsp::MessageType::Warning, note).await;
    }
    server.tell_of_documents(&world()).await;
}

/// What can be read of the parameters.
fn files(params: &Value) -> impl Iterator<Item = PathBuf> {
    let saved = params.pointer("/textDocument/uri");
    let changes = params.get("changes").and_then(Value::as_array).into_iter().flatten();
    let uris = saved.into_iter().chain(changes.filter_map(|it| it.get("uri")));
    uris.filter_map(|it| file_path(it.as_str()?))
}

/// By name, or because a link leads there.
fn is_same(one: &Path, other: &Path) -> bool {
    let is_named_so = one.file_name() == other.file_name();
    one == other || (is_named_so && one.canonicalize().ok() == other.canonicalize().ok())
}

/// Folders were added to the workspace, or taken from it.
pub(crate) fn folders_changed(server: &Server, params: &Value) {
    let folders = |name: &str| -> Vec<PathBuf> {
        let list = params.pointer(&format!("/event/{name}")).and_then(Value::as_array);
        let uris = list.into_iter().flatten().filter_map(|it| it.get("uri")?.as_str());
        uris.filter_map(file_path).collect()
    };
    server.session.completer.workspace.change_folders(&folders("removed"), folders("added"));
    server.take_folders();
}
