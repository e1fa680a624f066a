//! A server of completions beside the model in this process.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::CompletionConfig;
use crate::config::cloud::{Auth, Provider};

/// By which name the keyring has the server's key.
pub const KEY_NAME: &str = "completion-server";

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
    /// Whether `server_key` is empty, or says where a key is.
    pub(super) fn says_where_its_key_is(&self) -> bool {
        let is_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
        match self.key_variable() {
            Some(name) => !name.is_empty() && name.chars().all(is_name),
            None => ["", "keyring"].contains(&self.server_key.as_str()),
        }
    }

    /// The variable of the environment that holds the server's key, if one does.
    pub fn key_variable(&self) -> Option<&str> {
        self.server_key.strip_prefix("env:")
    }

    /// The server as somebody whose key is kept as a provider's is; `None` where it gets none.
    pub fn holder_of_key(&self) -> Option<Provider> {
        (!self.server_key.is_empty()).then(|| Provider {
            name: KEY_NAME.to_owned(),
            base_url: self.url_of_server().to_owned(),
            auth: Auth::Bearer,
            key: self.server_key.clone(),
            ..Provider::default()
        })
    }

    /// The address of the server: the settings', or the server's own.
    pub fn url_of_server(&self) -> &str {
        match self.server_url.trim() {
            "" => self.server.own_url(),
            url => url,
        }
    }
}
