//! The loop between a pair of streams and the service: reads frames, runs one task a message,
//! writes answers.
//!
//! The library brings a loop of its own; this one differs in four ways that a server at a keyboard
//! needs. A broken frame is answered and does not end the connection. Each message runs in a task
//! of its own, so a slow one holds up neither edits nor cancellations. A panic is answered as an
//! internal error and costs nothing else. And the loop ends, with everything that it started, when
//! the client is gone.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::{FutureExt, Sink, SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tower_lsp::jsonrpc::{Error, Id, Request, Response};

use crate::app::Session;
use crate::config::layers::Layer;
use crate::lsp::frames::{Frame, FrameReader, encode, mend};
use crate::lsp::ingress::Ingress;
use crate::lsp::lifetime;
use crate::lsp::outgoing::Outgoing;
use crate::lsp::server::Server;

/// Answers that wait for a client that does not read; then tasks wait, and at last the reader.
const WAITING_ANSWERS: usize = 256;
/// Messages in flight before the reader waits for one to end.
const MESSAGES_IN_FLIGHT: usize = 1_024;
/// How long answers that are due are still written when the client says good-bye.
const FLUSH: Duration = Duration::from_millis(200);

/// Why serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// `exit` after `shutdown`.
    Properly,
    /// `exit` without `shutdown`, a closed pipe, or the editor's process is gone.
    ClientGone,
}

/// Serves one client until it leaves. `file_settings` is the layer below the client's own settings,
/// or why there is none.
pub async fn serve<I, O>(
    input: I,
    output: O,
    session: Arc<Session>,
    file_settings: Result<Layer, String>,
) -> Ended
where
    I: AsyncRead + Unpin,
    O: AsyncWrite + Unpin + Send + 'static,
{
    let profile = Arc::new(OnceLock::new());
    let (service, socket) = Server::service(session, Arc::clone(&profile), file_settings);
    let client = service.inner().client().clone();
    let ingress = Ingress::new(service, client, Arc::clone(&profile));

    let (answers, mut to_write) = mpsc::channel::<Outgoing>(WAITING_ANSWERS);
    let mut writer = tokio::spawn(async move { write_all(output, &mut to_write).await });
    let (mut client_requests, client_responses) = socket.split();
    let requests_out = answers.clone();
    let forward = tokio::spawn(async move {
        while let Some(request) = client_requests.next().await {
            let value = Outgoing::unasked(serde_json::to_value(request).unwrap_or_default());
            if requests_out.send(value).await.is_err() {
                break;
            }
        }
    });

    let parent_gone = lifetime::parent_gone(profile);
    let ended = tokio::select! {
        ended = converse(FrameReader::new(input), ingress, client_responses, &answers) => ended,
        _ = &mut writer => Ended::ClientGone,
        () = parent_gone => Ended::ClientGone,
    };
    forward.abort();
    drop(answers);
    if ended == Ended::Properly {
        let _ = tokio::time::timeout(FLUSH, &mut writer).await;
    }
    writer.abort();
    ended
}

/// Reads messages and runs a task for each until the client says good-bye or closes its end.
/// Dropping it, or its end, drops what is in flight, which cancels it down to the decode loop.
async fn converse<I: AsyncRead + Unpin, S: Sink<Response> + Unpin>(
    mut reader: FrameReader<I>,
    mut ingress: Ingress,
    mut client_responses: S,
    answers: &mpsc::Sender<Outgoing>,
) -> Ended {
    let mut tasks = JoinSet::new();
    let mut shut_down = false;
    loop {
        while tasks.len() >= MESSAGES_IN_FLIGHT {
            tasks.join_next().await;
        }
        while tasks.try_join_next().is_some() {}
        let body = match reader.next().await {
            Ok(Some(Frame::Body(body))) => body,
            Ok(Some(Frame::Broken(why))) => {
                tracing::warn!("{why}");
                let answer = Response::from_error(Id::Null, Error::parse_error());
                let _ = answers.send(to_outgoing(answer)).await;
                continue;
            }
            Ok(None) | Err(_) => return Ended::ClientGone,
        };
        match incoming(&body) {
            Incoming::Request(request) => {
                let method = request.method().to_owned();
                shut_down |= method == "shutdown";
                if method == "exit" {
                    return if shut_down { Ended::Properly } else { Ended::ClientGone };
                }
                let is_handshake = method == "initialize" || method == "shutdown";
                let id = request.id().cloned();
                // The ingress works when it is called, the handler when its future is polled; a
                // panic in either is fenced.
                let called = std::panic::catch_unwind(AssertUnwindSafe(|| ingress.call(request)));
                let answers = answers.clone();
                let task = async move {
                    let answer = match called {
                        Ok(future) => AssertUnwindSafe(future).catch_unwind().await,
                        Err(panic) => Err(panic),
                    };
                    let response = match answer {
                        Ok(answer) => answer.ok().flatten(),
                        Err(_) => id.map(|id| failed(id, &method)),
                    };
                    if let Some(response) = response {
                        let _ = answers.send(to_outgoing(response)).await;
                    }
                };
                if is_handshake {
                    // Whether what follows is allowed depends on this having been done.
                    task.await;
                } else {
                    tasks.spawn(task);
                }
            }
            Incoming::Response(response) => {
                let _ = client_responses.send(response).await;
            }
            Incoming::Invalid(id, error) => {
                let _ = answers.send(to_outgoing(Response::from_error(id, error))).await;
            }
        }
    }
}

async fn write_all<O: AsyncWrite + Unpin>(mut output: O, to_write: &mut mpsc::Receiver<Outgoing>) {
    while let Some(message) = to_write.recv().await {
        let Some(body) = message.to_body() else { continue };
        let written = async {
            output.write_all(&encode(&body)).await?;
            output.flush().await
        };
        if written.await.is_err() {
            break;
        }
    }
}

enum Incoming {
    Request(Request),
    Response(Response),
    Invalid(Id, Error),
}

fn incoming(body: &[u8]) -> Incoming {
    let Ok(value) = serde_json::from_str::<Value>(&mend(body)) else {
        return Incoming::Invalid(Id::Null, Error::parse_error());
    };
    let id = value
        .get("id")
        .and_then(|id| serde_json::from_value::<Id>(id.clone()).ok())
        .unwrap_or_default();
    if value.get("method").is_some() {
        return serde_json::from_value(value)
            .map_or_else(|_| Incoming::Invalid(id, Error::invalid_request()), Incoming::Request);
    }
    serde_json::from_value(value)
        .map_or_else(|_| Incoming::Invalid(id, Error::invalid_request()), Incoming::Response)
}

fn to_outgoing(response: Response) -> Outgoing {
    Outgoing::answer(serde_json::to_value(response).unwrap_or_default())
}

fn failed(id: Id, method: &str) -> Response {
    let mut error = Error::internal_error();
    error.message = format!(
        "keyside failed while answering {method}; the log says where, and the next request works"
    )
    .into();
    Response::from_error(id, error)
}
