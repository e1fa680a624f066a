//! The table of chat protocols that keyside speaks.
//!
//! A protocol is a line here and a file in `remote/protocol`, which has a type of that name with the
//! trait `ProviderProtocol`. Its name in the settings is the type's in kebab case; the setting's schema
//! and its documentation come from here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Hands the table to another macro. A line is the file, the type in it, and the documentation of
/// the setting's value. The first is the default.
macro_rules! protocols {
    ($take:ident) => {
        $take! {
            anthropic::AnthropicMessages "`POST /v1/messages`.",
            openai_chat::OpenaiChat "`POST /v1/chat/completions`.",
            openai_responses::OpenaiResponses "`POST /v1/responses`.",
        }
    };
}
pub(crate) use protocols;

macro_rules! declare_setting {
    ($($file:ident::$name:ident $documentation:tt,)*) => {
        /// The language that a provider speaks.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        pub enum Protocol {
            $(#[doc = $documentation] $name,)*
        }

        impl Protocol {
            /// All, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}
protocols!(declare_setting);

impl Default for Protocol {
    fn default() -> Self {
        Self::ALL[0]
    }
}
