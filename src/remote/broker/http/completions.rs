//! One completion from a server on this machine, as the user's own settings name it. Dropping the
//! future closes the connection, by which the server knows to stop.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, Response};
use secrecy::ExposeSecret;
use tokio::time::timeout;

use super::{Listener, Settings, Variable, connection, unsent};
use crate::config::CompletionConfig;
use crate::remote::broker::ipc::{Event, Failure};
use crate::remote::broker::keys;
use crate::remote::protocol::StopReason;
use crate::remote::protocol::address::Address;
use crate::remote::protocol::fault::FaultKind;
use crate::remote::protocol::fim_server::{self, FimAsk};

/// Between two pieces of an answer; reading a long prompt comes before the first.
const PATIENCE: Duration = Duration::from_secs(20);
/// More is no suggestion.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Asks the server; returns the last event.
pub(crate) async fn complete(
    ask: FimAsk,
    settings: &Settings,
    variable: Variable,
    listener: &impl Listener,
) -> Event {
    match stream(ask, settings, variable, listener).await {
        Ok(stop) => Event::Done { stop },
        Err(failure) => Event::Failed(failure),
    }
}

async fn stream(
    ask: FimAsk,
    settings: &Settings,
    variable: Variable,
    listener: &impl Listener,
) -> Result<StopReason, Failure> {
    let of_settings = |sentence: String| unsent(FaultKind::Settings, sentence);
    let resolved = settings.0.as_ref().map_err(|it| of_settings(it.clone()))?;
    let completion = &resolved.config.completion;
    let address = Address::of_completion_server(completion).map_err(of_settings)?;
    let client = client(&address, &variable).map_err(of_settings)?;
    let body = fim_server::body(completion.server, completion.server_model.trim(), &ask);
    let mut request = client.post(&address.url).header("content-type", "application/json");
    if let Some(key) = key(completion, variable).await? {
        request = request.header(AUTHORIZATION, key);
    }
    let sent = timeout(PATIENCE, request.body(body).send()).await;
    let response = match sent {
        Err(_) => return Err(failed(completion, FaultKind::Stalled, "does not answer")),
        Ok(Err(error)) if error.is_connect() => {
            return Err(failed(completion, FaultKind::Unreachable, "is not there"));
        }
        Ok(Err(_)) => {
            return Err(failed(completion, FaultKind::Broken, "broke the connection off"));
        }
        Ok(Ok(response)) => response,
    };
    read(response, completion, listener).await
}

async fn read(
    mut response: Response,
    completion: &CompletionConfig,
    listener: &impl Listener,
) -> Result<StopReason, Failure> {
    let status = response.status();
    let mut n_bytes = 0;
    let mut lines = Vec::new();
    loop {
        let chunk = match timeout(PATIENCE, response.chunk()).await {
            Err(_) => return Err(failed(completion, FaultKind::Stalled, "stopped in its answer")),
            Ok(Err(_)) => {
                return Err(failed(completion, FaultKind::Broken, "broke its answer off"));
            }
            Ok(Ok(chunk)) => chunk,
        };
        let is_over = chunk.is_none();
        let chunk = chunk.unwrap_or_default();
        n_bytes += chunk.len();
        if n_bytes > MAX_ANSWER_BYTES {
            return Err(failed(completion, FaultKind::AnswerTooLarge, "answers without end"));
        }
        lines.extend_from_slice(&chunk);
        while let Some(at) = lines.iter().position(|it| *it == b'\n').or(match is_over {
            true if !lines.is_empty() => Some(lines.len() - 1),
            _ => None,
        }) {
            let line: Vec<u8> = lines.drain(..=at).collect();
            let line = String::from_utf8_lossy(&line);
            let piece = fim_server::piece_of_line(&line);
            if is_refused(status.as_u16()) {
                return Err(without_key(completion));
            }
            if !status.is_success() {
                let what = match piece {
                    Err(what) => format!("refuses ({}) and {what}", status.as_u16()),
                    Ok(_) => format!("refuses ({})", status.as_u16()),
                };
                return Err(failed(completion, FaultKind::BadRequest, &what));
            }
            let piece = piece.map_err(|it| failed(completion, FaultKind::Malformed, &it))?;
            let Some(piece) = piece else { continue };
            if !piece.text.is_empty() {
                let (text, probability) = (piece.text, piece.probability);
                listener.send(Event::Generated { text, probability }).await;
            }
            if let Some(stop) = piece.stop {
                return Ok(stop);
            }
        }
        if is_over && is_refused(status.as_u16()) {
            return Err(without_key(completion));
        }
        if is_over {
            let what = match status.is_success() {
                true => "ended its answer in the middle".to_owned(),
                false => format!("refuses ({})", status.as_u16()),
            };
            return Err(failed(completion, FaultKind::CutOff, &what));
        }
    }
}

/// 401 Unauthorized or 403 Forbidden.
fn is_refused(status: u16) -> bool {
    matches!(status, 401 | 403)
}

/// The failure of an answer that [`is_refused`]: the key is missing, or is not accepted.
fn without_key(completion: &CompletionConfig) -> Failure {
    let (server, url) = (completion.server.as_str(), completion.url_of_server());
    let sentence = match completion.holder_of_key() {
        Some(_) => format!(
            "the completion server {server} at {url} refuses the key that `completion.server_key` leads to; correct it there"
        ),
        None => format!(
            "the completion server {server} at {url} wants a key; say in `completion.server_key` where it is (`env:VARIABLE`, or \
             `keyring`), and restart the server"
        ),
    };
    Failure { kind: FaultKind::NoKey, sentence, may_cost: false }
}

/// The header with the server's key, fetched once.
async fn key(
    completion: &CompletionConfig,
    variable: Variable,
) -> Result<Option<HeaderValue>, Failure> {
    static KEY: OnceLock<HeaderValue> = OnceLock::new();
    let Some(holder) = completion.holder_of_key() else { return Ok(None) };
    if let Some(key) = KEY.get() {
        return Ok(Some(key.clone()));
    }
    let no_key = |sentence: String| unsent(FaultKind::NoKey, sentence);
    let fetched = tokio::task::spawn_blocking(move || keys::fetch(&holder, &variable)).await;
    let fetched = fetched
        .unwrap_or_else(|_| Err("the key can't be fetched; restart the server".to_owned()))
        .map_err(no_key)?;
    let Some(fetched) = fetched else { return Ok(None) };
    let header = HeaderValue::try_from(format!("Bearer {}", fetched.expose_secret()));
    let mut header = header.map_err(|_| {
        no_key(
            "the key of the completion server has special characters in it; copy it again"
                .to_owned(),
        )
    })?;
    header.set_sensitive(true);
    Ok(Some(KEY.get_or_init(|| header).clone()))
}

fn failed(completion: &CompletionConfig, kind: FaultKind, what: &str) -> Failure {
    let sentence = format!(
        "the completion server {} at {} {what}; see whether it runs, or set `completion.server` to none",
        completion.server.as_str(),
        completion.url_of_server()
    );
    Failure { kind, sentence, may_cost: false }
}

/// The client of all requests; each has a connection of its own.
fn client(address: &Address, variable: &Variable) -> Result<Client, String> {
    static CLIENT: OnceLock<Result<Client, String>> = OnceLock::new();
    CLIENT.get_or_init(|| connection::client(address, variable)).clone()
}
