//! The endpoint's HTTP: what it answers to whom, within bounds.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, ORIGIN};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::app::Session;
use crate::completions_endpoint::listener::AtListener;
use crate::completions_endpoint::{MODEL, answer};

/// A prompt of an editor has some thousand characters.
const MAX_BODY_BYTES: usize = 1 << 20;
/// An editor has one or two.
const MAX_CONNECTIONS: usize = 16;
/// For a request's head to arrive.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// After the system had no more descriptors, or the like.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers until the process ends.
///
/// # Errors
/// One sentence, where the system does not watch the port.
pub async fn serve(at: AtListener, session: Arc<Session>) -> Result<Infallible, String> {
    let port = at.address.port();
    let listener = tokio::net::TcpListener::from_std(at.listener)
        .map_err(|error| format!("the system does not watch the port ({error}); try again"))?;
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let session = Arc::clone(&session);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let session = Arc::clone(&session);
                async move { Ok::<_, Infallible>(respond(&session, port, request).await) }
            });
            // What ends a connection early is the client's affair.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_PATIENCE)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            drop(place);
        });
    }
    Err("the port is not answered any more; start keyside again".to_owned())
}

async fn respond(
    session: &Session,
    port: u16,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    if let Err(why) = is_of_this_machine(&request, port) {
        return refuse(StatusCode::FORBIDDEN, why);
    }
    match (request.method(), request.uri().path()) {
        (&Method::POST, "/v1/completions") => {}
        (&Method::GET, "/v1/models") => {
            let model = json!({"id": MODEL, "object": "model", "owned_by": MODEL});
            return with(StatusCode::OK, &json!({"object": "list", "data": [model]}));
        }
        _ => {
            let why = "there are POST /v1/completions and GET /v1/models";
            return refuse(StatusCode::NOT_FOUND, why);
        }
    }
    let body = match Limited::new(request.into_body(), MAX_BODY_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return refuse(StatusCode::PAYLOAD_TOO_LARGE, "a request has at most 1 MiB");
        }
        Err(_) => return refuse(StatusCode::BAD_REQUEST, "the request ends too early"),
    };
    match answer(&session.completer, &body).await {
        Ok(answer) => with(StatusCode::OK, &answer),
        Err(why) => refuse(StatusCode::BAD_REQUEST, &why),
    }
}

/// A page in a browser can send requests to this machine, by a name of its own that leads here or
/// with its origin in the head; no editor does either.
fn is_of_this_machine(request: &Request<Incoming>, port: u16) -> Result<(), &'static str> {
    let names = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    let host = request.headers().get(HOST).and_then(|it| it.to_str().ok());
    if !host.is_some_and(|host| names.iter().any(|it| it == host)) {
        Err("ask by 127.0.0.1 or localhost, with the port")
    } else if request.headers().contains_key(ORIGIN) {
        Err("pages of a browser get no answer")
    } else {
        Ok(())
    }
}

fn refuse(status: StatusCode, why: &str) -> Response<Full<Bytes>> {
    with(status, &json!({"error": {"message": why, "type": "invalid_request_error"}}))
}

fn with(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
