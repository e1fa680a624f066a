//! What keyside has to know of a chat protocol: one trait, with an implementation in a file of its
//! own for each line of the table in `config/protocols.rs`.

use std::borrow::Cow;

use serde_json::Value;

use crate::config::cloud::{Protocol, Provider};
use crate::config::protocols::protocols;
use crate::remote::protocol::answer::State;
use crate::remote::protocol::usage::{Usage, UsageCounts};
use crate::remote::protocol::{Ask, Piece};

/// A chat protocol. All of it is pure: text in, text out.
pub(crate) trait ProviderProtocol: Sync {
    /// Where requests go.
    fn endpoint(&self, provider: &Provider) -> Endpoint;

    /// Headers of every request beside those that all protocols have; names in lower case.
    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// The header that carries the key, as its name and what stands before the key.
    fn key_header(&self) -> KeyHeader {
        BEARER
    }

    /// The body of a request, the exact bytes, with the keys in a fixed order. `stream` asks for
    /// events; otherwise the answer comes whole.
    fn body(&self, provider: &Provider, ask: &Ask, stream: bool) -> String;

    /// What a body of [`ProviderProtocol::body`] asks. It may be lenient: whoever calls it makes
    /// the body again and compares the bytes. `None`: it lacks something.
    fn ask_of_body(&self, body: &Value) -> Option<Ask>;

    /// Whether an event of that name matters; others are ignored, whatever is in them.
    fn has_event(&self, _name: &str) -> bool {
        true
    }

    /// Adds what an event brings to `state`. It is no error; those are the same in all protocols.
    fn on_event(&self, state: &mut State, event: &Value, pieces: &mut Vec<Piece>);

    /// The same of an answer that came as one JSON object. It ends the answer, or fails it.
    fn on_whole(&self, state: &mut State, answer: &Value, pieces: &mut Vec<Piece>);

    /// What the counts mean. Most protocols count cached tokens in the input.
    fn usage(&self, counts: &UsageCounts) -> Usage {
        counts.with_input_whole()
    }
}

/// The name of a header, and what stands before the key in it.
pub(crate) type KeyHeader = (&'static str, &'static str);
pub(crate) const API_KEY: KeyHeader = ("x-api-key", "");
pub(crate) const BEARER: KeyHeader = ("authorization", "Bearer ");

/// Where a protocol's requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// The vendor's own address, for a provider without a `base_url`.
    pub(crate) vendor: &'static str,
    /// Put before the path where the base URL has no version in it: `/v1`.
    pub(crate) version: &'static str,
    /// `/messages`; with a query behind a `?` where the protocol wants one.
    pub(crate) path: Cow<'static, str>,
}

macro_rules! implementation_of_each {
    ($($file:ident::$name:ident $documentation:tt,)*) => {
        /// The table's implementation.
        pub(crate) fn implementation(protocol: Protocol) -> &'static dyn ProviderProtocol {
            match protocol {
                $(Protocol::$name => &crate::remote::protocol::$file::$name,)*
            }
        }
    };
}
protocols!(implementation_of_each);
