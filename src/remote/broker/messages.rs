//! What the server and the broker say to each other: an object of JSON a line.

use serde::{Deserialize, Serialize};

use crate::remote::protocol::StopReason;
use crate::remote::protocol::failure::Failure;
use crate::remote::protocol::fim_server::FimAsk;
use crate::remote::protocol::usage::Usage;

/// From the server to the broker: an operation a variant. Each has a handler in `process.rs`; what
/// it says of its call are [`Event`]s with the same id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum ToBroker {
    Ask {
        id: u64,
        /// The provider's name in the settings file.
        provider: String,
        /// The `host:port` that the person saw.
        host: String,
        /// The model that they saw.
        model: String,
        /// Of the bytes that they agreed to, in hexadecimal.
        sha256: String,
        /// The bytes to send.
        body: String,
    },
    /// Would a request be sent? Nothing leaves this machine.
    Check {
        id: u64,
        provider: String,
        host: String,
        model: String,
    },
    /// Asks the completion server of the settings, on this machine, about a place.
    Complete {
        id: u64,
        ask: FimAsk,
    },
    Cancel {
        id: u64,
    },
}

impl ToBroker {
    /// How many bytes it would send.
    pub(super) fn n_body_bytes(&self) -> usize {
        match self {
            Self::Ask { body, .. } => body.len(),
            Self::Complete { ask, .. } => ask.before.len() + ask.line.len() + ask.after.len(),
            Self::Check { .. } | Self::Cancel { .. } => 0,
        }
    }
}

/// From the broker to the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FromBroker {
    pub id: u64,
    pub event: Event,
}

/// What happens to a call. The last is `Done` or `Failed`, and there is always exactly one of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// From here on bytes leave this machine.
    Sending,
    /// The provider was too busy; the request goes out again after this time.
    Waiting {
        seconds: u64,
        sentence: String,
    },
    /// The provider answers.
    Answering {
        /// By which the provider knows the request.
        request_id: String,
    },
    Text(String),
    /// A part of a completion, with the probability of its tokens where the server tells.
    Generated {
        text: String,
        probability: Option<f32>,
    },
    Thinking,
    /// All that is known of the tokens so far; the later replaces the earlier.
    Usage(Usage),
    Done {
        stop: StopReason,
    },
    Failed(Failure),
}

impl Event {
    /// The memory that it takes.
    pub(super) fn n_bytes(&self) -> usize {
        match self {
            Self::Text(text) | Self::Generated { text, .. } => text.len() + size_of::<Self>(),
            _ => size_of::<Self>(),
        }
    }
}
