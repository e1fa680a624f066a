//! A server of completions beside the model in this process.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::CompletionConfig;

/// What kind of server it is: how it is asked, and where it listens by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum CompletionServer {
    #[default]
    None,
    /// llama.cpp's server: `/infill`.
    LlamaServer,
    /// `/api/generate` with a suffix.
    Ollama,
    /// `/v1/completions`: vLLM, LM Studio, TGI and others.
    Openai,
}

impl CompletionServer {
    /// As the settings name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::LlamaServer => "llama-server",
            Self::Ollama => "ollama",
            Self::Openai => "openai",
        }
    }

    /// Its default address.
    pub fn own_url(self) -> &'static str {
        match self {
            Self::None | Self::Openai => "",
            Self::LlamaServer => "http://127.0.0.1:8080",
            Self::Ollama => "http://127.0.0.1:11434",
        }
    }
}

impl CompletionConfig {
    /// The address of the server: the settings', or the server's own.
    pub fn url_of_server(&self) -> &str {
        match self.server_url.trim() {
            "" => self.server.own_url(),
            url => url,
        }
    }
}
