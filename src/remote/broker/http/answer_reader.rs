//! An answer, read to its end: where it is over without a mark of the end, where it stalls though
//! something comes, and where it goes past what it may be.

use std::time::{Duration, Instant};

use reqwest::Response;
use reqwest::header::CONTENT_ENCODING;
use tokio::time::timeout;

use crate::remote::broker::http::{Listener, Ready, stalled, without_secrets};
use crate::remote::broker::ipc::Event;
use crate::remote::protocol::answer::Answer;
use crate::remote::protocol::encoding::{Decoder, Unreadable};
use crate::remote::protocol::failure::{self, Failure};
use crate::remote::protocol::fault::{FaultKind, Refused};
use crate::remote::protocol::{Piece, StopReason};

/// Of an answer, however much of it is text.
const MAX_ANSWER_BYTES: usize = 256 << 20;
/// Of its text: more than 200,000 tokens can be.
const MAX_TEXT_BYTES: usize = 8 << 20;
/// Text for each token that the request allows, and some for the last ones. A token of code or
/// prose has three or four bytes; whoever sends four times as much does not keep to the limit.
const MAX_BYTES_PER_TOKEN: usize = 16;
const TEXT_BYTES_BEYOND: usize = 4 << 10;
/// Of an error's body.
const MAX_ERROR_BYTES: usize = 64 << 10;
/// From the first byte sent, however lively the provider is.
const MAX_TIME: Duration = Duration::from_secs(60 * 60);
/// After an answer that is whole, where its end is not marked and the connection stays open: time
/// for the tokens to be told.
const SETTLING: Duration = Duration::from_millis(1_000);
/// The same where they are told already.
const SETTLING_WITH_USAGE: Duration = Duration::from_millis(300);

/// Limits of an answer, and how far it has come.
struct Progress {
    n_bytes: usize,
    n_text_bytes: usize,
    n_output_tokens: u64,
    max_output_tokens: Option<u64>,
}

impl Progress {
    /// What is too much about the answer, if anything; `Some("")` where that goes without saying.
    /// One that is over was paid for, and its tokens are let pass.
    fn excess(&self, may_be_whole: bool) -> Option<String> {
        let limit = self.max_output_tokens.unwrap_or(u64::MAX);
        let max_text_bytes = usize::try_from(limit)
            .unwrap_or(usize::MAX)
            .saturating_mul(MAX_BYTES_PER_TOKEN)
            .saturating_add(TEXT_BYTES_BEYOND);
        // Some count differently by a little.
        let is_past_limit =
            self.n_output_tokens > limit.saturating_add(limit / 4).saturating_add(64);
        if self.n_bytes > MAX_ANSWER_BYTES || self.n_text_bytes > MAX_TEXT_BYTES {
            Some(String::new())
        } else if !may_be_whole && is_past_limit || self.n_text_bytes > max_text_bytes {
            Some(format!("{limit} tokens were asked for at most"))
        } else {
            None
        }
    }
}

/// Reads a successful answer to its end and passes its pieces on.
pub(super) async fn read(
    ready: &Ready,
    mut response: Response,
    listener: &impl Listener,
) -> Result<StopReason, Failure> {
    let host = &ready.address.host;
    // Whatever happens from here on, the provider has worked.
    let failed = |kind: FaultKind, message: String| {
        let message = without_secrets(ready, message);
        let (more, message) = match kind {
            FaultKind::CutOff | FaultKind::Empty => (String::new(), message),
            // What it is instead, in keyside's own words.
            FaultKind::Malformed | FaultKind::AnswerTooLarge => (message, String::new()),
            _ => ("in its answer".to_owned(), message),
        };
        failure::refused(&ready.provider, host, &Refused { kind, message }, &more, true)
    };
    let mut decoder = decoder(&response)
        .map_err(|encoding| failed(FaultKind::Malformed, format!("compressed as {encoding}")))?;
    let begun = Instant::now();
    let mut answer = Answer::new(ready.provider.protocol);
    let mut progress = Progress {
        n_bytes: 0,
        n_text_bytes: 0,
        n_output_tokens: 0,
        max_output_tokens: ready.max_output_tokens,
    };
    let (mut last_sign, mut n_signs) = (Instant::now(), 0);
    // How far the answer was when it was looked at whether it is whole.
    let mut settled_at = None;
    loop {
        let may_be_whole = answer.may_be_whole() && settled_at != Some(n_signs);
        let patience = match may_be_whole {
            true if progress.n_output_tokens > 0 => SETTLING_WITH_USAGE,
            true => SETTLING,
            false => ready.stall,
        };
        // Not asked for where time is up: what comes without a pause may be nothing but pings.
        let chunk = match patience.checked_sub(last_sign.elapsed()) {
            Some(left) => timeout(left, response.chunk()).await.ok(),
            None => None,
        };
        let pieces = match chunk {
            None if may_be_whole => {
                settled_at = Some(n_signs);
                answer.settle()
            }
            None => return Err(stalled(ready, "has sent nothing more")),
            Some(Ok(Some(bytes))) => match decoder.push(&bytes) {
                Ok(bytes) => {
                    progress.n_bytes += bytes.len();
                    answer.push(&bytes)
                }
                Err(Unreadable) if answer.may_be_whole() => answer.settle(),
                Err(Unreadable) => {
                    return Err(failed(FaultKind::Malformed, "badly compressed".to_owned()));
                }
            },
            Some(Ok(None)) => {
                let mut pieces = answer.push(&decoder.finish());
                pieces.extend(answer.finish());
                pieces
            }
            Some(Err(_)) => {
                let pieces = answer.settle();
                if pieces.is_empty() {
                    return Err(broken(host));
                }
                pieces
            }
        };
        for piece in pieces {
            match piece {
                Piece::Text(text) => {
                    progress.n_text_bytes += text.len();
                    listener.send(Event::Text(text)).await;
                }
                Piece::Thinking => listener.send(Event::Thinking).await,
                Piece::Usage(usage) => {
                    progress.n_output_tokens = usage.output_tokens;
                    listener.send(Event::Usage(usage)).await;
                }
                Piece::Stop(StopReason::End) if progress.n_text_bytes == 0 => {
                    return Err(failed(FaultKind::Empty, String::new()));
                }
                Piece::Stop(StopReason::Refusal(why)) => {
                    return Ok(StopReason::Refusal(without_secrets(ready, why)));
                }
                Piece::Stop(stop) => return Ok(named_right(stop, &progress)),
                Piece::Error { kind, message } => return Err(failed(kind, message)),
            }
        }
        if let Some(what) = progress.excess(answer.may_be_whole()) {
            return Err(failed(FaultKind::AnswerTooLarge, what));
        }
        if begun.elapsed() > MAX_TIME {
            return Err(stalled(ready, "has not come to an end"));
        }
        if answer.n_signs_of_life() != n_signs {
            n_signs = answer.n_signs_of_life();
            last_sign = Instant::now();
        }
    }
}

fn broken(host: &str) -> Failure {
    let sentence = format!(
        "the connection to {host} ended in the middle of the answer; it may have been charged for, see whether the network is up \
         and ask again"
    );
    Failure { kind: FaultKind::Broken, sentence, may_cost: true }
}

/// The reason for an end by what the answer holds, where servers name it wrongly.
fn named_right(stop: StopReason, progress: &Progress) -> StopReason {
    let n = progress.n_output_tokens;
    match (stop, progress.max_output_tokens) {
        // llama-server (b11549) calls a response complete that its limit has cut off.
        (StopReason::End, Some(limit)) if n >= limit => StopReason::MaxTokens,
        // Long before the limit that it was given it met another, which most protocols call by the
        // same name.
        (StopReason::MaxTokens, Some(limit)) if n > 0 && n < limit / 10 * 9 => {
            StopReason::ContextFull
        }
        (stop, _) => stop,
    }
}

/// # Errors
/// The name of an encoding that can't be read.
fn decoder(response: &Response) -> Result<Decoder, String> {
    let names = response.headers().get_all(CONTENT_ENCODING);
    let names: Vec<&str> = names.iter().filter_map(|it| it.to_str().ok()).collect();
    Decoder::of(&names.join(","))
}

/// The beginning of a body that says why a request was refused; empty where it can't be read.
pub(super) async fn error_body(ready: &Ready, response: &mut Response) -> String {
    let mut body = Vec::new();
    let Ok(mut decoder) = decoder(response) else { return String::new() };
    let all = async {
        while let Ok(Some(bytes)) = response.chunk().await {
            let Ok(bytes) = decoder.push(&bytes) else { break };
            let room = MAX_ERROR_BYTES.saturating_sub(body.len());
            body.extend_from_slice(&bytes[..bytes.len().min(room)]);
            if body.len() >= MAX_ERROR_BYTES {
                break;
            }
        }
    };
    // What has come until then is better than nothing.
    let _ = timeout(ready.stall, all).await;
    body.extend(decoder.finish());
    String::from_utf8_lossy(&body).into_owned()
}
