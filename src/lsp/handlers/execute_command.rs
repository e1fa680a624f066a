//! `workspace/executeCommand`: what the editor reports and asks for. What asks a model is answered
//! at once and goes on under a progress that can be cancelled.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::{Value, json};
use tower_lsp::gen_lsp_types as lsp;
use tower_lsp::jsonrpc::{Error, Result};

use crate::assistant::actions::Action;
use crate::assistant::{Cloud, CloudRequest, dialogue};
use crate::lsp::ext::{
    ACCEPTED_COMMAND, CANCEL_COMMAND, CLASSIFY_COMMAND, CloudArgument, SHOW_STATUS_COMMAND,
    SNOOZE_COMMAND, SuggestionParams,
};
use crate::lsp::front::ClientFront;
use crate::lsp::ingress::world;
use crate::lsp::proto::{caret, document};
use crate::lsp::server::Server;
use crate::lsp::status::minutes;

/// All commands; those that ask a cloud model are there where one may be asked.
pub(crate) fn commands(with_cloud: bool) -> Vec<String> {
    let own =
        [ACCEPTED_COMMAND, CANCEL_COMMAND, CLASSIFY_COMMAND, SHOW_STATUS_COMMAND, SNOOZE_COMMAND]
            .map(ToOwned::to_owned);
    let cloud = Action::ALL.iter().filter(|_| with_cloud).map(|it| it.command());
    own.into_iter().chain(cloud).collect()
}

pub(crate) fn answer(server: &Server, params: lsp::ExecuteCommandParams) -> Result<Value> {
    match params.command.as_str() {
        ACCEPTED_COMMAND => {
            let arguments = params.arguments.as_deref().unwrap_or_default();
            let SuggestionParams { id, index } = SuggestionParams::from_arguments(arguments);
            server.session.completer.note_accepted(id, index);
        }
        CANCEL_COMMAND => server.escalations.cancel_all(),
        SHOW_STATUS_COMMAND => {
            show(server, lsp::MessageType::Info, server.sentence_of_status());
        }
        SNOOZE_COMMAND => {
            let time = snooze_time(params.arguments.as_deref().unwrap_or_default())?;
            server.snooze(time);
            let sentence = if time.is_zero() {
                "keyside: snoozing has ended".to_owned()
            } else {
                let minutes = minutes(time);
                format!(
                    "keyside: nothing is suggested for the next {minutes}; {SNOOZE_COMMAND} with 0 ends that"
                )
            };
            show(server, lsp::MessageType::Info, sentence);
        }
        command => {
            let Some(action) = Action::of_command(command) else {
                return Err(Error::invalid_params(format!("keyside has no command {command}")));
            };
            let Some(cloud) = server.session.cloud() else {
                if let Some(sentence) = server.session.cloud_fault() {
                    return Err(Error::invalid_params(format!(
                        "{sentence}, and restart the server"
                    )));
                }
                return Err(Error::invalid_params(
                    "asking a cloud model is off; set cloud.enabled and a provider in your settings file and restart the server",
                ));
            };
            let argument = params.arguments.and_then(|it| it.into_iter().next());
            if argument.is_none() {
                // Editors list commands, and put what comes back into a log.
                let sentence = format!(
                    "keyside: {command} needs a place in a file; choose it among the code actions there"
                );
                show(server, lsp::MessageType::Warning, sentence);
                return Ok(Value::Null);
            }
            let argument = serde_json::from_value::<CloudArgument>(json!(argument))
                .map_err(|error| Error::invalid_params(format!("{command}: {error}")))?;
            start(server, cloud, action, argument)?;
        }
    }
    Ok(Value::Null)
}

/// Beside the answer to a command, which editors put into a log.
fn show(server: &Server, kind: lsp::MessageType, sentence: String) {
    let client = server.client().clone();
    tokio::spawn(async move { client.show_message(kind, sentence).await });
}

/// From the arguments of [`SNOOZE_COMMAND`]: minutes as a number, or as a text, which is what
/// editors make of what is typed.
fn snooze_time(arguments: &[Value]) -> Result<Duration> {
    let minutes = match arguments {
        [] => Some(15),
        [Value::Number(number)] => number.as_u64(),
        [Value::String(text)] => text.trim().parse().ok(),
        _ => None,
    };
    match minutes {
        Some(minutes @ 0..=1440) => Ok(Duration::from_secs(60 * minutes)),
        _ => Err(Error::invalid_params(format!(
            "{SNOOZE_COMMAND} takes a number of minutes up to 1440, or nothing for 15"
        ))),
    }
}

fn start(
    server: &Server,
    cloud: Arc<Cloud>,
    action: Action,
    argument: CloudArgument,
) -> Result<()> {
    if action.needs_question() && argument.question.trim().is_empty() {
        return Err(Error::invalid_params(
            "there is no question; say what you want to know behind the command, as in `:Keyside ask why is this slow`",
        ));
    }
    let world = world();
    let document = document(&world, &argument.uri)?;
    if document.lost {
        return Err(Error::invalid_params(
            "an edit of this document was lost; close and reopen the file",
        ));
    }
    let at = |position| caret(&document, position, world.encoding);
    let (start, end) = (at(argument.range.start), at(argument.range.end));
    let asked = CloudRequest {
        action,
        model: cloud.model().to_owned(),
        uri: argument.uri,
        version: document.version,
        language_id: document.language_id.to_string(),
        name: name_of(&server.path_of(&document)),
        file: document.file.as_deref().map(Path::to_path_buf),
        rope: document.rope.clone(),
        selection: start.min(end)..start.max(end),
        encoding: world.encoding,
        diagnostics: argument.diagnostics.into_iter().map(|it| (it.line, it.message)).collect(),
        question: argument.question,
        folders: server.session.completer.workspace.folders(),
        others: world.others(&document, crate::retrieval::datastore::MAX_OPEN_DOCUMENTS),
    };
    let (client, newest) = (server.client().clone(), server.newest.clone());
    let front = ClientFront::new(client, server.profile().editor.clone(), newest, asked.title());
    let (token, cancelled) = server.escalations.begin(front.token());
    let newest = server.newest.clone();
    let (escalations, client) = (Arc::clone(&server.escalations), server.client().clone());
    tokio::spawn(async move {
        // However it ends, also by a panic.
        let _token = escalations.forget_at_end(token);
        let work = dialogue::run(cloud, newest, asked, front, cancelled);
        if AssertUnwindSafe(work).catch_unwind().await.is_err() {
            let sentence = "keyside: a part of it failed; the log says where, and what it may have cost is counted";
            client.show_message(lsp::MessageType::Error, sentence).await;
        }
    });
    Ok(())
}

/// A document as a provider sees it: within its workspace, or else by its last name. Where a file
/// lies beyond that says who its owner is.
fn name_of(path: &str) -> String {
    let is_absolute =
        path.starts_with(['/', '\\']) || path.get(1..2) == Some(":") || path.contains("://");
    let last = path.rsplit(['/', '\\']).next().unwrap_or(path);
    if is_absolute { last.to_owned() } else { path.to_owned() }
}
