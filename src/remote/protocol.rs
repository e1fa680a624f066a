//! What is said to a provider and what its answer means: the request's bytes, its address and
//! headers, and the pieces of the answer. Pure: text in, text out; nothing here opens a connection,
//! reads a clock or knows a key.
//!
//! The body is built here, and once: what a person is shown before it is sent, what the ledger
//! counts and what goes over the wire are the same bytes. So nothing between this module and the
//! socket may parse and write the body again.

pub mod address;
pub mod answer;
pub mod anthropic;
pub(crate) mod decimal;
pub mod encoding;
pub mod failure;
pub mod fault;
pub mod fim_server;
pub(crate) mod json;
pub mod openai_chat;
pub mod openai_responses;
pub(crate) mod provider_protocol;
pub mod read_back;
pub mod retry;
pub mod sse;
pub(crate) mod stop_reason;
pub mod usage;

use serde::{Deserialize, Serialize};

use crate::config::cloud::{Auth, Provider};
use crate::remote::protocol::address::{Address, AddressFault};
use crate::remote::protocol::fault::FaultKind;
use crate::remote::protocol::provider_protocol::{API_KEY, BEARER, KeyHeader, implementation};
use crate::remote::protocol::usage::Usage;

/// A question to a model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ask {
    /// What the model is told about its task. The same from question to question, so that a
    /// provider can keep it in its cache.
    pub system: String,
    pub turns: Vec<Turn>,
    /// Thinking included.
    pub max_output_tokens: u64,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    pub role: Role,
    pub text: String,
}

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    User,
    Assistant,
}

/// A part of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    Text(String),
    /// The model thinks; what it thinks is not kept. Said once for each stretch of thinking.
    Thinking,
    /// All that is known of the tokens so far.
    Usage(Usage),
    /// The last piece of an answer that came to an end.
    Stop(StopReason),
    /// The last piece of one that did not.
    Error {
        kind: FaultKind,
        /// The provider's words, shortened; may be empty.
        message: String,
    },
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The model had said what it had to say.
    End,
    /// It used all the tokens that it was given.
    MaxTokens,
    /// Question and answer together filled the model's context, or another limit of the model's
    /// own.
    ContextFull,
    /// The model or its provider would not answer, with the reason where one is told.
    Refusal(String),
    /// Another reason, as the provider names it.
    Other(String),
}

impl StopReason {
    /// One sentence on what is lacking in such an answer, or `None` for a whole one. An answer that
    /// lacks something must not be applied to a file.
    pub fn shortfall(&self) -> Option<String> {
        match self {
            Self::End => None,
            Self::MaxTokens => Some(
                "the answer was cut off at the limit of its tokens; raise `cloud.max_output_tokens` or ask for less".to_owned(),
            ),
            Self::ContextFull => Some(
                "the answer was cut off by a limit of the model's own, such as its context; select less text, lower \
                 `cloud.max_input_tokens` or ask for less"
                    .to_owned(),
            ),
            Self::Refusal(why) if why.is_empty() => {
                Some("the model declined to answer; put the question differently or ask another model".to_owned())
            }
            Self::Refusal(why) => Some(format!(
                "the model declined to answer ({why}); put the question differently or ask another model"
            )),
            Self::Other(what) => Some(format!(
                "the answer ended for a reason that keyside does not know ({what}); it may not be whole, ask again"
            )),
        }
    }
}

/// The body of a request, the exact bytes that go over the wire. The order of the keys is fixed.
/// Sampling parameters are left to the provider: newer models refuse them.
pub fn body(provider: &Provider, ask: &Ask, stream: bool) -> String {
    implementation(provider.protocol).body(provider, ask, stream)
}

/// Where the request goes.
///
/// # Errors
/// Where `base_url` is no address that text may be sent to; see [`Address::of`].
pub fn url(provider: &Provider) -> Result<String, AddressFault> {
    Ok(Address::of(provider)?.url)
}

/// Who gets the request, `host:port`, for showing to a person.
///
/// # Errors
/// As [`url()`].
pub fn host(provider: &Provider) -> Result<String, AddressFault> {
    Ok(Address::of(provider)?.host)
}

/// Headers that the connection makes by itself, or that say where a request ends: from settings
/// they could only break it.
const NOT_FROM_SETTINGS: [&str; 9] = [
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "accept-encoding",
    "te",
    "upgrade",
    "expect",
];

/// The request's headers without the key, names in lower case; those of the settings come last and
/// replace the protocol's own.
///
/// # Errors
/// One sentence, where a header of the settings cannot be sent. It names the header and never its
/// value, which may be a secret.
pub fn headers(provider: &Provider) -> Result<Vec<(String, String)>, String> {
    let mut headers = vec![
        ("content-type".to_owned(), "application/json".to_owned()),
        ("accept".to_owned(), "text/event-stream".to_owned()),
    ];
    let of_protocol = implementation(provider.protocol).headers();
    headers
        .extend(of_protocol.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    for (name, value) in &provider.headers {
        let name = name.to_ascii_lowercase();
        let is_name = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
        let is_value = |it: char| it == '\t' || (' '..='~').contains(&it);
        if name.is_empty() || !name.chars().all(is_name) || !value.chars().all(is_value) {
            return Err(format!(
                "the header `{}` of the provider {} can't be sent; correct its name and value in the settings file",
                name.escape_debug(),
                provider.name
            ));
        }
        if NOT_FROM_SETTINGS.contains(&name.as_str()) {
            return Err(format!(
                "the header `{name}` of the provider {} belongs to the connection; take it out of the settings file",
                provider.name
            ));
        }
        headers.retain(|(other, _)| *other != name);
        headers.push((name, value.clone()));
    }
    Ok(headers)
}

/// The header that carries the key, as its name and what stands before the key; `None`: no key is
/// sent.
pub fn key_header(provider: &Provider) -> Option<KeyHeader> {
    match provider.auth {
        Auth::None => None,
        Auth::ApiKey => Some(API_KEY),
        Auth::Bearer => Some(BEARER),
        Auth::Protocol => Some(implementation(provider.protocol).key_header()),
    }
}
