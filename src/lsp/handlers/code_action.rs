//! `textDocument/codeAction`: what a person may ask a cloud model here. Answered from the settings
//! alone, at once; nothing is read, and nothing is asked of anybody until one of them is chosen.

use serde::Deserialize;
use serde_json::{Value, json};
use tower_lsp::gen_lsp_types as lsp;

use crate::assistant::actions::{Action, MenuKind};
use crate::lsp::ext::{CloudArgument, CloudDiagnostic};
use crate::lsp::server::Server;

/// The parameters, as far as they matter; read leniently, because diagnostics of other servers come
/// with them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Params {
    text_document: lsp::TextDocumentIdentifier,
    range: lsp::Range,
    #[serde(default)]
    context: Context,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Context {
    diagnostics: Vec<Value>,
    only: Option<Vec<String>>,
    trigger_kind: Option<u32>,
}

/// The editor asks at each move of the caret, for a lamp in the margin.
const AUTOMATIC: u32 = 2;
/// Made by a language model (LSP 3.18, `CodeActionTag.LLMGenerated`).
const LLM_GENERATED: u32 = 1;
/// Diagnostics that are handed on with a request.
const MAX_DIAGNOSTICS: usize = 20;

pub(crate) fn answer(server: &Server, params: &Params) -> Vec<Value> {
    let Some(cloud) = server.session.cloud() else { return Vec::new() };
    let Context { diagnostics, only, trigger_kind } = &params.context;
    let nothing_chosen = params.range.start == params.range.end && diagnostics.is_empty();
    if *trigger_kind == Some(AUTOMATIC) && nothing_chosen {
        return Vec::new();
    }
    let to = format!("{} at {}", cloud.model(), cloud.host());
    let messages: Vec<CloudDiagnostic> =
        diagnostics.iter().take(MAX_DIAGNOSTICS).filter_map(diagnostic).collect();
    Action::ALL
        .into_iter()
        .filter(|action| !action.needs_question())
        .filter(|action| !(*action == Action::Fix && messages.is_empty()))
        .filter(|action| {
            only.as_ref().is_none_or(|only| only.iter().any(|it| is_of(kind(*action), it)))
        })
        .map(|action| {
            let title = format!("{} with {to} ☁", action.menu_title());
            let argument = CloudArgument {
                uri: params.text_document.uri.0.clone(),
                range: params.range,
                diagnostics: messages.clone(),
                question: String::new(),
            };
            json!({
                "title": title,
                "kind": kind(action),
                "tags": [LLM_GENERATED],
                "command": {"title": title, "command": action.command(), "arguments": [argument]},
            })
        })
        .collect()
}

/// What of a diagnostic is of use in a question: its line, from 1, and its words.
fn diagnostic(diagnostic: &Value) -> Option<CloudDiagnostic> {
    let message = diagnostic.get("message")?;
    let message = message.as_str().or_else(|| message.get("value")?.as_str())?;
    let line = usize::try_from(diagnostic.pointer("/range/start/line")?.as_u64()?).ok()?;
    Some(CloudDiagnostic { line: line.checked_add(1)?, message: message.to_owned() })
}

/// No kind of `source`: those run when a file is saved.
fn kind(action: Action) -> &'static str {
    match action.menu_kind() {
        MenuKind::QuickFix => "quickfix",
        MenuKind::Explain => "refactor.explain",
        MenuKind::Rewrite => "refactor.rewrite",
    }
}

fn is_of(kind: &str, wanted: &str) -> bool {
    wanted.is_empty()
        || kind.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
