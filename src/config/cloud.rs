//! What may leave this machine, to whom and at what price. Followed where it stands in the user's own settings file, and
//! nowhere else: what an editor sends may come from a workspace, and a workspace must not choose where text goes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::expected::expected;
pub use crate::config::protocols::Protocol;

/// Asking a cloud model, when a person asks for it. Followed in the user's settings file alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CloudConfig {
    /// Offer code actions that ask a cloud model. While it is off the system refuses keyside any connection to a
    /// network; a change takes a restart of the server.
    pub enabled: bool,
    /// The provider that is asked, by its name in `cloud.providers`. Empty: the first of them.
    pub provider: String,
    /// The most that a day may cost in US dollars, from midnight to midnight here; what would go past it is not sent.
    pub daily_cap_usd: f64,
    /// The most that a month may cost in US dollars.
    pub monthly_cap_usd: f64,
    /// The most tokens of text that a request carries, as keyside estimates them (500 to 1,000,000).
    pub max_input_tokens: u64,
    /// The most tokens that an answer may have, thinking included (64 to 200,000).
    pub max_output_tokens: u64,
    /// How long a provider may be silent, in seconds (1 to 3,600), before the request is given up.
    pub stall_seconds: u64,
    /// Globs of files, as in a `.gitignore`, of which nothing is ever sent, beside keyside's own list of files that hold
    /// secrets and the workspace's ignore files.
    pub never_send: Vec<String>,
    /// The model at whose price `keyside usage --json` says what calls to the local model would have cost.
    pub compare_with: String,
    /// Keep a request that could not be sent, for `keyside cloud retry`. It is text of the workspace, written to the data
    /// folder.
    pub keep_unsent: bool,
    /// Who can be asked: tables of `name`, `protocol`, `base_url`, `auth`, `key`, `model`, `headers` and `prices`.
    pub providers: Vec<Provider>,
}

impl Default for CloudConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            provider: String::new(),
            daily_cap_usd: 2.0,
            monthly_cap_usd: 20.0,
            max_input_tokens: 24_000,
            max_output_tokens: 8_000,
            stall_seconds: 60,
            never_send: Vec::new(),
            compare_with: "claude-sonnet-5-5".to_owned(),
            keep_unsent: false,
            providers: Vec::new(),
        }
    }
}

impl CloudConfig {
    /// The provider that is asked, if the settings name one.
    pub fn chosen(&self) -> Option<&Provider> {
        if self.provider.is_empty() {
            return self.providers.first();
        }
        self.providers.iter().find(|it| it.name == self.provider)
    }

    /// Why nobody is chosen, and what to do: one sentence.
    pub fn why_nobody(&self) -> String {
        let names: Vec<String> = self.providers.iter().map(|it| format!("`{}`", it.name)).collect();
        if names.is_empty() {
            return "cloud.enabled is set, and cloud.providers has nobody to ask; add a provider to the settings file".to_owned();
        }
        format!(
            "cloud.provider names `{}`, and cloud.providers has {}; correct the settings file",
            self.provider,
            names.join(", ")
        )
    }

    /// What is wrong with the values, as `(key, what it must be)`.
    pub(super) fn fault(&self) -> Option<(&'static str, &'static str)> {
        let is_amount = |usd: f64| (0.0..=1_000_000.0).contains(&usd);
        let is_fine = [
            ("cloud.daily_cap_usd", is_amount(self.daily_cap_usd)),
            ("cloud.monthly_cap_usd", is_amount(self.monthly_cap_usd)),
            ("cloud.max_input_tokens", (500..=1_000_000).contains(&self.max_input_tokens)),
            ("cloud.max_output_tokens", (64..=200_000).contains(&self.max_output_tokens)),
            ("cloud.stall_seconds", (1..=3_600).contains(&self.stall_seconds)),
        ];
        let fault = is_fine.iter().find(|(_, is_fine)| !is_fine);
        fault.map(|(key, _)| (*key, expected(key)))
    }
}

/// Somebody who can be asked.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// What people call it here.
    pub name: String,
    pub protocol: Protocol,
    /// Empty: the vendor's own. With or without the `/v1` at its end.
    #[serde(default)]
    pub base_url: String,
    #[serde(default)]
    pub auth: Auth,
    /// Where the key is: `keyring` (`keyside cloud login NAME` puts it there) or `env:VARIABLE`. Never the key itself.
    #[serde(default = "keyring")]
    pub key: String,
    /// The model, as the provider names it.
    pub model: String,
    /// Headers to send beside the protocol's own.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What it costs, where keyside's table does not know or differs.
    #[serde(default)]
    pub prices: Option<Prices>,
}

impl Provider {
    /// The name of the environment variable that holds the key, where the settings name one; it may be no name at all.
    pub fn key_variable(&self) -> Option<&str> {
        self.key.strip_prefix("env:")
    }

    /// What is wrong with it.
    pub(super) fn fault(&self) -> Option<&'static str> {
        if self.name.trim().is_empty() || self.name.chars().any(char::is_control) {
            return Some("it must have a `name`");
        }
        if self.model.trim().is_empty() {
            return Some("it must have a `model`");
        }
        let is_variable = self.key_variable().is_some_and(|it| !it.trim().is_empty());
        if self.key != "keyring" && !is_variable {
            return Some(
                "`key` must say where the key is, `keyring` or `env:VARIABLE`; a key itself does not belong here",
            );
        }
        if self.prices.is_some_and(|it| {
            let cached = [it.cache_read, it.cache_write].map(Option::unwrap_or_default);
            [it.input, it.output].iter().chain(&cached).any(|usd| !(0.0..=100_000.0).contains(usd))
        }) {
            return Some("`prices` must be US dollars for a million tokens, 0 to 100000");
        }
        None
    }
}

fn keyring() -> String {
    "keyring".to_owned()
}

/// How the key is shown to the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// As the protocol has it: `x-api-key` in Anthropic's, `Authorization: Bearer` in OpenAI's.
    #[default]
    Protocol,
    /// `x-api-key: KEY`.
    ApiKey,
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// No key, as with a server of one's own.
    None,
}

/// US dollars for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    pub input: f64,
    pub output: f64,
    /// Input that the provider had in its cache. Missing: as other input.
    #[serde(default)]
    pub cache_read: Option<f64>,
    /// Input that the provider put into its cache. Missing: as other input.
    #[serde(default)]
    pub cache_write: Option<f64>,
}
