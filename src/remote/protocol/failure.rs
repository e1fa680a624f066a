//! Where a request came to nothing: what a person reads of it, one sentence a kind of trouble, with
//! what to do next.

use serde::{Deserialize, Serialize};

use crate::config::cloud::Provider;
use crate::remote::protocol::fault::{FaultKind, Refused};

/// A call that came to nothing, or not to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub kind: FaultKind,
    /// For the user: what happened and what to do next.
    pub sentence: String,
    /// Whether the provider may charge for it: it had the request, and did not say that it refuses
    /// it.
    pub may_cost: bool,
}

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

/// Why no answer came to a request. With an inner cause in its own words, where that says more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// The request can't be made of this address.
    NotMade,
    /// The connection ended when the request may have been read.
    Broken(String),
    /// No name server has the host's name.
    UnknownHost(String),
    /// Nothing came back when connecting.
    Silence,
    /// The encryption did not come about.
    Tls(String),
    /// The machine is there, and no program listens.
    ConnectionRefused,
    Unreachable(String),
}

/// Of a request that no answer came to.
pub(crate) fn no_answer(provider: &Provider, host: &str, why: &NoAnswer) -> Failure {
    let name = &provider.name;
    let (kind, sentence) = match why {
        NoAnswer::NotMade => (
            FaultKind::Settings,
            format!("the request to {host} can't be made; correct `base_url` of {name}"),
        ),
        NoAnswer::Broken(cause) => (
            FaultKind::Broken,
            format!(
                "the request to {host} got no answer ({cause}); {CHARGED}see whether the network is up and ask again"
            ),
        ),
        NoAnswer::UnknownHost(cause) => (
            FaultKind::Unreachable,
            format!(
                "{host} can't be found ({cause}); see whether the network is up and `base_url` of {name} is right"
            ),
        ),
        NoAnswer::Silence => (
            FaultKind::Unreachable,
            format!(
                "{host} does not answer; see whether the network is up, a firewall is in the way, or a proxy is needed"
            ),
        ),
        NoAnswer::Tls(cause) => (
            FaultKind::Tls,
            format!(
                "no encrypted connection to {host} came about ({cause}); see whether `base_url` of {name} and this machine's clock and \
                 certificates are right"
            ),
        ),
        NoAnswer::ConnectionRefused => (
            FaultKind::Unreachable,
            format!(
                "nobody listens at {host}; start the server there or correct `base_url` of {name}"
            ),
        ),
        NoAnswer::Unreachable(cause) => (
            FaultKind::Unreachable,
            format!(
                "{host} can't be reached ({cause}); see whether the network is up and `base_url` of {name} is right"
            ),
        ),
    };
    Failure { kind, sentence, may_cost: matches!(why, NoAnswer::Broken(_)) }
}
