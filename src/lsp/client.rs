//! What the client said of itself in `initialize`, as far as keyside needs it.
//!
//! Read leniently from the JSON: a capability of an odd shape somewhere else must not cost the
//! session.

use std::path::PathBuf;

use serde_json::Value;

use crate::lsp::editors::EditorCapabilities;
use crate::text::uri::{canonical, percent_decoded};
use crate::text::{Document, PositionEncoding, file_path};

/// The client.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClientProfile {
    /// The process to die with.
    pub process_id: Option<u32>,
    pub encoding: PositionEncoding,
    pub editor: EditorCapabilities,
    /// Folders of the workspace as it was opened, as URIs.
    pub roots: Vec<String>,
    pub initialization_options: Value,
}

impl ClientProfile {
    pub fn from_params(params: &Value) -> Self {
        let encodings = params.pointer("/capabilities/general/positionEncodings");
        let offered = |name: &str| {
            encodings.and_then(Value::as_array).is_some_and(|it| it.iter().any(|it| it == name))
        };
        // utf-8 is what the text is kept in; utf-16 is the default that every client has.
        let encoding = if offered("utf-8") {
            PositionEncoding::Utf8
        } else if offered("utf-16") || !offered("utf-32") {
            PositionEncoding::Utf16
        } else {
            PositionEncoding::Utf32
        };
        let folders = params.get("workspaceFolders").and_then(Value::as_array);
        let mut roots: Vec<String> = folders
            .into_iter()
            .flatten()
            .filter_map(|folder| folder.get("uri")?.as_str().map(ToOwned::to_owned))
            .collect();
        if roots.is_empty() {
            // The older ways to say it.
            let root = ["rootUri", "rootPath"].iter().find_map(|it| params.get(it)?.as_str());
            roots.extend(root.map(ToOwned::to_owned));
        }
        Self {
            process_id: params
                .get("processId")
                .and_then(Value::as_u64)
                .and_then(|it| u32::try_from(it).ok()),
            encoding,
            editor: EditorCapabilities::from_params(params),
            roots,
            initialization_options: params
                .get("initializationOptions")
                .cloned()
                .unwrap_or_default(),
        }
    }

    /// The workspace's folders as paths.
    pub fn folders(&self) -> Vec<PathBuf> {
        self.roots.iter().filter_map(|it| file_path(it)).collect()
    }

    /// The path of a document as a model should see it: relative to the folder of the workspace
    /// that holds it. `folders` are those of the workspace as it is now.
    pub fn path_of(&self, folders: &[PathBuf], document: &Document) -> String {
        if let Some(path) = document.file.as_deref() {
            let relative = folders.iter().filter_map(|it| path.strip_prefix(it).ok());
            let shortest = relative.min_by_key(|it| it.as_os_str().len());
            let path = shortest.unwrap_or(path).to_string_lossy();
            return if cfg!(windows) { path.replace('\\', "/") } else { path.into_owned() };
        }
        let uri = &*document.key;
        let roots = self.roots.iter().map(|it| canonical(it));
        let relative = roots
            .filter_map(|root| uri.strip_prefix(root.trim_end_matches('/'))?.strip_prefix('/'))
            .min_by_key(|rest| rest.len());
        percent_decoded(relative.unwrap_or(uri))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn encoding(offered: Value) -> PositionEncoding {
        let params = json!({"capabilities": {"general": {"positionEncodings": offered}}});
        ClientProfile::from_params(&params).encoding
    }

    #[test]
    fn encodings_are_negotiated() {
        assert_eq!(encoding(json!(["utf-16", "utf-8"])), PositionEncoding::Utf8);
        assert_eq!(encoding(json!(["utf-32", "utf-16"])), PositionEncoding::Utf16);
        assert_eq!(encoding(json!(["utf-32"])), PositionEncoding::Utf32);
        assert_eq!(encoding(json!([])), PositionEncoding::Utf16);
        assert_eq!(encoding(json!("nonsense")), PositionEncoding::Utf16);
    }

    #[test]
    fn paths_are_relative_to_the_workspace() {
        let profile = ClientProfile::from_params(&json!({
            "processId": null,
            "rootUri": "file:///unused",
            "workspaceFolders": [
                {"uri": "file:///home/me/pro%20ject/", "name": "x"},
                {"uri": "vscode-vfs://github/me/it", "name": "y"},
            ],
        }));
        for (uri, path) in [
            ("file:///home/me/pro%20ject/src/%C3%A9.rs", "src/é.rs"),
            ("file:///home/me/pro ject/./src//a.rs", "src/a.rs"),
            ("untitled:/home/me/pro%20ject/.env", ".env"),
            ("vscode-notebook-cell:/home/me/pro%20ject/n.ipynb#W0", "n.ipynb"),
            ("file:///home/me/pro%20ject2/a.rs", "/home/me/pro ject2/a.rs"),
            ("file:///tmp/a%2.rs", "/tmp/a%2.rs"),
            ("vscode-vfs://github/me/it/src/a.rs", "src/a.rs"),
            ("untitled:Untitled-1", "untitled:Untitled-1"),
        ] {
            assert_eq!(
                profile.path_of(&profile.folders(), &Document::new(uri, "", None, "")),
                path
            );
        }
        assert_eq!(profile.folders(), [PathBuf::from("/home/me/pro ject/")]);
    }
}
