//! What the editor at the other end can do and how it shows things: what it says of itself, and
//! what no capability says. The one file that knows an editor by its name (`docs/editors.md` has
//! the same as a table).

use serde_json::Value;

use crate::lsp::ext::{ANSWERS_CAPABILITY, EVENTS_CAPABILITY, STATUS_CAPABILITY};

/// What an editor can do. The first ones it declares; the last three are known of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EditorCapabilities {
    /// `textDocument/inlineCompletion`: it has ghost text.
    pub has_inline_completion: bool,
    pub has_progress: bool,
    pub has_show_document: bool,
    /// It shows a text that grows (`keyside/answer`).
    pub shows_growing_answers: bool,
    /// It reports what it shows (`keyside/didShow`).
    pub reports_suggestions: bool,
    /// It follows `keyside/status`. Some clients warn at each notification that they do not know.
    pub follows_status: bool,
    /// It can be asked to report files that change, by globs of the workspace.
    pub watches_workspace_files: bool,
    /// The same by globs of other folders.
    pub watches_other_files: bool,

    /// A document that the server opens takes the place of the one that a person types in, whatever
    /// `takeFocus` was. It is opened while nothing is typed, and the place is named.
    pub opened_document_takes_view: bool,
    /// A question takes each key and hides what was opened, so that both at once can't be read.
    pub question_hides_document: bool,
    /// A message is cut at the end of the line, where it says what to do. Errors come again as a
    /// question, which has several lines, while nothing is typed.
    pub message_is_one_line: bool,
}

impl EditorCapabilities {
    /// From the parameters of `initialize`. Read leniently: a capability of an odd shape counts as
    /// one that is not there, and costs no other.
    pub fn from_params(params: &Value) -> Self {
        let is_true = |at: &str| params.pointer(at).and_then(Value::as_bool).unwrap_or_default();
        let watched = "/capabilities/workspace/didChangeWatchedFiles";
        let declared = Self {
            has_inline_completion: params
                .pointer("/capabilities/textDocument/inlineCompletion")
                .is_some_and(|it| !it.is_null()),
            has_progress: is_true("/capabilities/window/workDoneProgress"),
            has_show_document: is_true("/capabilities/window/showDocument/support"),
            shows_growing_answers: is_true(ANSWERS_CAPABILITY),
            reports_suggestions: is_true(EVENTS_CAPABILITY),
            follows_status: is_true(STATUS_CAPABILITY),
            watches_workspace_files: is_true(&format!("{watched}/dynamicRegistration")),
            watches_other_files: is_true(&format!("{watched}/relativePatternSupport")),
            ..Self::default()
        };
        match params.pointer("/clientInfo/name").and_then(Value::as_str) {
            Some("helix") => declared.in_one_view(),
            _ => declared,
        }
    }

    /// One view, a modal prompt and one line of status, as Helix has them.
    fn in_one_view(self) -> Self {
        Self {
            opened_document_takes_view: true,
            question_hides_document: true,
            message_is_one_line: true,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_that_is_said_is_nothing_that_can_be_done() {
        for params in [json!({}), json!(null), json!({"capabilities": {"window": true}})] {
            assert_eq!(EditorCapabilities::from_params(&params), EditorCapabilities::default());
        }
    }

    #[test]
    fn what_is_declared_is_taken_one_by_one() {
        let params = json!({
            "clientInfo": {"name": "another"},
            "capabilities": {
                "textDocument": {"inlineCompletion": {}},
                "window": {"workDoneProgress": true, "showDocument": {"support": "odd"}},
                "workspace": {"didChangeWatchedFiles": {"dynamicRegistration": true}},
                "experimental": {"keyside": {"answers": true, "events": 1, "status": true}},
            },
        });
        let expected = EditorCapabilities {
            has_inline_completion: true,
            has_progress: true,
            shows_growing_answers: true,
            follows_status: true,
            watches_workspace_files: true,
            ..EditorCapabilities::default()
        };
        assert_eq!(EditorCapabilities::from_params(&params), expected);
    }

    #[test]
    fn helix_has_one_view_whatever_it_declares() {
        let params = json!({"clientInfo": {"name": "helix"}, "capabilities": {}});
        let editor = EditorCapabilities::from_params(&params);
        assert_eq!(editor, EditorCapabilities::default().in_one_view());
    }
}
