//! What a person is told where a request came to nothing: one sentence a kind of trouble, with what
//! to do next.

use std::error::Error;
use std::io;

use crate::config::cloud::Provider;
use crate::remote::broker::ipc::Failure;
use crate::remote::protocol::fault::{FaultKind, Refused, shortened};

/// Of an answer with an error status, or an error within an answer. `more` is put with what the
/// provider says; `may_cost` says that the provider may charge for it.
pub(crate) fn refused(
    provider: &Provider,
    host: &str,
    refused: &Refused,
    more: &str,
    may_cost: bool,
) -> Failure {
    let name = &provider.name;
    let model = &provider.model;
    let (what, next) = match refused.kind {
        FaultKind::WrongKey => (
            format!("{host} does not accept the key of {name}"),
            format!(
                "put a valid one in place, with `keyside cloud login {name}` if it is in the keyring"
            ),
        ),
        FaultKind::NotAllowed => (
            format!("{host} does not allow the key of {name} to do this"),
            "see with the provider what the key may do".to_owned(),
        ),
        FaultKind::Money => (
            format!("the account of {name} with {host} has no money left or has reached its limit"),
            "top it up or raise the limit there, or ask another provider".to_owned(),
        ),
        FaultKind::TooMany => (
            format!("{host} gets too many requests from {name}"),
            "wait a minute and ask again".to_owned(),
        ),
        FaultKind::Overloaded => (
            format!("{host} has more to do than it can"),
            "ask again in a while, or another provider".to_owned(),
        ),
        FaultKind::NotFound => (
            format!("{host} has no model `{model}`, or nothing at this address"),
            format!("correct `model` or `base_url` of {name} in the settings file"),
        ),
        FaultKind::TooLarge => (
            format!("the text is too large for `{model}`"),
            "select less text or lower `cloud.max_input_tokens`".to_owned(),
        ),
        FaultKind::Server => {
            (format!("{host} failed"), "ask again in a while, or another provider".to_owned())
        }
        FaultKind::CutOff => {
            (format!("the answer of {host} was cut off before its end"), "ask again".to_owned())
        }
        FaultKind::Malformed => (
            format!("{host} does not answer as its protocol says"),
            format!("see whether `protocol` and `base_url` of {name} fit each other"),
        ),
        FaultKind::AnswerTooLarge => (
            format!("{host} sends more than an answer can be"),
            format!("see whether `base_url` of {name} is right"),
        ),
        FaultKind::Empty => (
            format!("{host} ended its answer without a word"),
            "ask again, or another model".to_owned(),
        ),
        FaultKind::Redirect => (
            format!("{host} points to another address, which is not followed"),
            format!("correct `base_url` of {name} in the settings file"),
        ),
        _ => (
            format!("{host} refuses the request"),
            format!("see whether `model` and `protocol` of {name} are right"),
        ),
    };
    let message = refused.message.trim_end_matches(['.', ';', ' ']);
    let said = if message.is_empty() { String::new() } else { format!("it says: {message}") };
    let details: Vec<&str> = [more, &said].into_iter().filter(|it| !it.is_empty()).collect();
    let details =
        if details.is_empty() { String::new() } else { format!(" ({})", details.join(", ")) };
    let charged = if may_cost { CHARGED } else { "" };
    let sentence = format!("{what}{details}; {charged}{next}");
    Failure { kind: refused.kind, sentence, may_cost }
}

/// Stands before what to do next.
const CHARGED: &str = "it may have been charged for, ";

/// Of a request that no answer came to.
pub(crate) fn no_answer(provider: &Provider, host: &str, error: &reqwest::Error) -> Failure {
    let name = &provider.name;
    let failure = |kind, sentence| Failure { kind, sentence, may_cost: false };
    if error.is_builder() {
        let sentence = format!("the request to {host} can't be made; correct `base_url` of {name}");
        return failure(FaultKind::Settings, sentence);
    }
    if !error.is_connect() {
        let sentence = format!(
            "the request to {host} got no answer ({}); {CHARGED}see whether the network is up and ask again",
            cause(error)
        );
        return Failure { kind: FaultKind::Broken, sentence, may_cost: true };
    }
    if error.is_dns() {
        return failure(
            FaultKind::Unreachable,
            format!(
                "{host} can't be found ({}); see whether the network is up and `base_url` of {name} is right",
                cause(error)
            ),
        );
    }
    if error.is_timeout() {
        return failure(
            FaultKind::Unreachable,
            format!(
                "{host} does not answer; see whether the network is up, a firewall is in the way, or a proxy is needed"
            ),
        );
    }
    match io_kind(error) {
        Some(io::ErrorKind::InvalidData) => failure(
            FaultKind::Tls,
            format!(
                "no encrypted connection to {host} came about ({}); see whether `base_url` of {name} and this machine's clock and \
                 certificates are right",
                cause(error)
            ),
        ),
        Some(io::ErrorKind::ConnectionRefused) => failure(
            FaultKind::Unreachable,
            format!(
                "nobody listens at {host}; start the server there or correct `base_url` of {name}"
            ),
        ),
        _ => failure(
            FaultKind::Unreachable,
            format!(
                "{host} can't be reached ({}); see whether the network is up and `base_url` of {name} is right",
                cause(error)
            ),
        ),
    }
}

/// The innermost cause in its own words. The outer ones repeat the whole address.
fn cause(error: &reqwest::Error) -> String {
    let mut last = None;
    each_cause(error, &mut |it| last = Some(it.to_string()));
    shortened(&last.unwrap_or_default())
}

fn io_kind(error: &reqwest::Error) -> Option<io::ErrorKind> {
    let mut kind = None;
    each_cause(error, &mut |it| {
        if let Some(error) = it.downcast_ref::<io::Error>() {
            kind = Some(error.kind());
        }
    });
    kind
}

/// Goes from the outer to the inner cause. An [`io::Error`] that wraps another names the other's
/// cause as its own and leaves out the other itself.
fn each_cause(error: &reqwest::Error, look: &mut dyn FnMut(&(dyn Error + 'static))) {
    let mut next: Option<&(dyn Error + 'static)> = error.source();
    while let Some(it) = next {
        look(it);
        let inner = it.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => it.source(),
        };
    }
}
