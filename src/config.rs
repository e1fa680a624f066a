//! Settings: what each one means and does by default. The doc comments here are the documentation;
//! `keyside config schema`, `keyside config show` and docs/configuration.md are made of them.

pub mod cloud;
pub mod completion_server;
pub mod consent;
pub mod expected;
pub mod folders;
pub mod gpu_layers;
pub mod languages;
pub mod layers;
pub mod lora;
pub(crate) mod protocols;
mod providers;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::cloud::CloudConfig;
use crate::config::completion_server::CompletionServer;
use crate::config::expected::expected;
use crate::config::gpu_layers::GpuLayers;
use crate::config::lora::LoraAdapter;

/// All settings, every field final.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    pub model: ModelConfig,
    pub completion: CompletionConfig,
    pub cloud: CloudConfig,
    pub sandbox: SandboxConfig,
}

/// Which model to keep resident, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ModelConfig {
    /// A GGUF file of a model that writes text, best a code model with fill-in-the-middle tokens;
    /// without them it sees the text before the caret alone. `~/` is the home folder. Empty: the
    /// built-in model. Followed in the user's settings file alone.
    pub path: String,
    /// Which of the built-in models completes where `path` is empty: `keyside-nano-v2`, or
    /// `keyside-nano-v1`, which is half as large and takes half as long; its suggestions are not as
    /// good.
    pub built_in: BuiltInModel,
    /// Folders of GGUF files that `keyside model` looks in, beside those of Ollama, LM Studio,
    /// llama.cpp and Hugging Face; `~/` is the home folder. Followed in the user's settings file
    /// alone.
    pub folders: Vec<String>,
    /// A GGUF file of a model that follows instructions, with a chat template, for `keyside extract`
    /// and `keyside summarize`: its path, or its name in `keyside model list`. Empty: there is none.
    /// It is loaded when it is first needed. Followed in the user's settings file alone.
    pub instruct: String,
    /// Tokens of context of the instruct model, prompt and answer together, never more than it was
    /// trained on. 0: 4,096.
    pub instruct_context_tokens: usize,
    /// Seconds after which an instruct model that has nothing to do is unloaded (1 to 86,400).
    pub instruct_idle_seconds: u64,
    /// The most memory that the instruct model may take, in MiB; a larger one is refused. 0: what is
    /// free when it is loaded.
    pub instruct_memory_mib: u64,
    /// The most memory that the model of `path` may take with its KV cache, in MiB. Fewer and shorter
    /// prompts stay where that is needed; a model that does not fit with the least is not loaded. 0:
    /// what is free when it is loaded.
    pub memory_mib: u64,
    /// Threads to evaluate with. 0: one for a model under 100 million parameters, otherwise the
    /// physical cores less one.
    pub threads: usize,
    /// Tokens of context, prompt and generation together, never more than the model was trained on.
    /// 0: 1,024 for a model under 100 million parameters, otherwise 2,048.
    pub context_tokens: usize,
    /// Adapters (LoRA) in GGUF files, by which the weights of the model are changed. One counts at a
    /// time: that of the deepest `workspace` that the window's first folder is in; without
    /// `workspace` it counts everywhere else. Followed in the user's settings file alone.
    pub lora: Vec<LoraAdapter>,
    /// Layers of the model that run on a graphics processor (0 to 1,000), where keyside was built for
    /// one. `"auto"`: as many as its free memory holds; none of a model under 100 million parameters.
    pub gpu_layers: GpuLayers,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            path: String::new(),
            built_in: BuiltInModel::default(),
            folders: Vec::new(),
            instruct: String::new(),
            instruct_context_tokens: 0,
            instruct_idle_seconds: 300,
            instruct_memory_mib: 0,
            memory_mib: 0,
            threads: 0,
            context_tokens: 0,
            lora: Vec::new(),
            gpu_layers: GpuLayers::Auto,
        }
    }
}

/// A model in this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum BuiltInModel {
    #[default]
    #[serde(rename = "keyside-nano-v2")]
    NanoV2,
    #[serde(rename = "keyside-nano-v1")]
    NanoV1,
}

impl BuiltInModel {
    pub fn name(self) -> &'static str {
        match self {
            Self::NanoV2 => "keyside-nano-v2",
            Self::NanoV1 => "keyside-nano-v1",
        }
    }
}

/// What the system keeps keyside from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SandboxConfig {
    /// Refuse to start where the system does not keep the server from networks and from writing
    /// files that are not its own (`keyside doctor` says whether it does). Otherwise it starts, and
    /// says `best effort`. Followed in the user's settings file alone.
    pub required: bool,
}

/// What to suggest while typing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CompletionConfig {
    /// Whether to suggest anything at all.
    pub enabled: bool,
    /// Language ids, as the editor names them and in capitals or not, in which nothing is
    /// suggested.
    pub disabled_languages: Vec<String>,
    /// The longest suggestion, in tokens (1 to 512), and no more than an eighth of the context.
    pub max_tokens: usize,
    /// The longest suggestion, in lines (1 to 64); 1 suggests the rest of the line only.
    pub max_lines: usize,
    /// Prefetch while the keyboard is idle: generate what is likely to be requested next (what
    /// follows a suggestion that is accepted, the next line), evaluate the prompt where the caret
    /// rests, and answer the first key in a file from less text, so that the rest of it is
    /// evaluated afterwards. It costs processor time.
    pub prefetch: bool,
    /// Prefetch on battery power and while many programs run, too, as far as the system tells.
    pub prefetch_on_battery: bool,
    /// The most speculative tokens (0 to 16): tokens that retrieval proposes and the model verifies
    /// in one batch. What is suggested stays the same; 0 turns it off.
    pub speculative_tokens: usize,
    /// How long to generate at most, in milliseconds (10 to 60,000); what is there by then is
    /// shown.
    pub generate_ms: u64,
    /// How much is suggested unasked: `quiet`, only what is very likely right; `balanced`; `eager`,
    /// more, and more often wrong. A block's first line is shown whole from a probability of 0.6,
    /// 0.3 and 0.12 on. The two settings below that are not 0 count instead.
    pub level: SuggestionLevel,
    /// Suggest only as much text as has at least this probability of being right in all its parts,
    /// as the model sees it, 0 to 1; 0: as `level` has it (0.75, 0.6, 0.45). An explicit request
    /// shows everything.
    pub min_confidence: f64,
    /// Suggest nothing unasked that is shorter than this, in characters (1 to 64), where it first
    /// shows; 0: as `level` has it (5, 3, 2), where `quiet` and `balanced` show short ones only if they
    /// are sure.
    pub min_characters: usize,
    /// Suggest in comments, too, unasked.
    pub in_comments: bool,
    /// Suggest in strings, too, unasked.
    pub in_strings: bool,
    /// Skip the model where retrieval alone predicts the rest of the line with at least this
    /// probability, 0.5 to 1; 1 always asks the model. Only with `retrieval`.
    pub min_lookup_confidence: f64,
    /// Mix the model's predictions with what followed similar text in the document itself, in other
    /// open documents in its language, and in the workspace's files.
    pub retrieval: bool,
    /// The most tokens of the workspace's files that `retrieval` searches, recently changed files
    /// first (0 to 16,000,000); each takes 8 bytes of memory. Nothing of them is written to disk.
    pub workspace_tokens: usize,
    /// A server on this machine with a larger model, `llama-server`, `ollama` or `openai`
    /// (`/v1/completions`), whose text is shown where the built-in model has none, or goes on from
    /// it. `none`: the model in this process alone. Followed in the user's settings file alone; a
    /// change takes a restart of the server.
    pub server: CompletionServer,
    /// Where that server listens; empty: where it does by itself (llama-server
    /// `http://127.0.0.1:8080`, Ollama `http://127.0.0.1:11434`). It has to be this machine.
    /// Followed in the user's settings file alone.
    pub server_url: String,
    /// The model, as that server names it; llama-server has only one. Followed in the user's
    /// settings file alone.
    pub server_model: String,
    /// Where the key of that server is, if it wants one: `env:VARIABLE`, or `keyring` (`keyside cloud
    /// login completion-server` puts it there). Never the key itself. Followed in the user's settings
    /// file alone.
    pub server_key: String,
}

impl Default for CompletionConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            disabled_languages: Vec::new(),
            max_tokens: 64,
            max_lines: 8,
            prefetch: true,
            prefetch_on_battery: false,
            speculative_tokens: 3,
            generate_ms: 500,
            level: SuggestionLevel::Balanced,
            min_confidence: 0.0,
            min_characters: 0,
            in_comments: true,
            in_strings: true,
            min_lookup_confidence: 0.6,
            retrieval: true,
            workspace_tokens: 2_000_000,
            server: CompletionServer::None,
            server_url: String::new(),
            server_model: String::new(),
            server_key: String::new(),
        }
    }
}

/// How much is suggested unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum SuggestionLevel {
    Quiet,
    #[default]
    Balanced,
    Eager,
}

/// Why nothing is suggested anywhere, where that is so.
pub const OFF: &str = "nothing is suggested, because `completion.enabled` is false in the settings";

impl CompletionConfig {
    /// From which probability on a text is shown unasked.
    pub fn shown_confidence(&self) -> f64 {
        match self.level {
            _ if self.min_confidence > 0.0 => self.min_confidence,
            SuggestionLevel::Quiet => 0.75,
            SuggestionLevel::Balanced => 0.6,
            SuggestionLevel::Eager => 0.45,
        }
    }

    /// From which probability on a block's first line is shown unasked. It is long, and its end is
    /// where a person waits for what comes, so that it may be wrong more often.
    pub fn shown_first_line_confidence(&self) -> f64 {
        match self.level {
            _ if self.min_confidence > 0.0 => self.min_confidence,
            SuggestionLevel::Quiet => 0.6,
            SuggestionLevel::Balanced => 0.3,
            SuggestionLevel::Eager => 0.12,
        }
    }

    /// From which length on, in characters.
    pub fn shown_characters(&self) -> usize {
        match self.level {
            _ if self.min_characters > 0 => self.min_characters,
            SuggestionLevel::Quiet => 5,
            // Three characters of which nothing is unsure are as good as four.
            SuggestionLevel::Balanced if self.wrong_text_seconds() > 0.0 => 3,
            SuggestionLevel::Balanced => 4,
            SuggestionLevel::Eager => 2,
        }
    }

    /// What a wrong suggestion costs a person: with it in the balance, a short one is shown only
    /// where it is sure. 0: whatever is likely and long enough is shown, as far as it is. A choice
    /// by measure (model/FIGURES.md, "When to speak").
    pub fn wrong_text_seconds(&self) -> f64 {
        match self.level {
            _ if self.min_confidence > 0.0 || self.min_characters > 0 => 0.0,
            SuggestionLevel::Quiet | SuggestionLevel::Balanced => 0.7,
            SuggestionLevel::Eager => 0.0,
        }
    }

    /// Whether anything is suggested in a language.
    pub fn suggests_in(&self, language_id: &str) -> bool {
        self.enabled && self.disabling(language_id).is_none()
    }

    /// Why nothing is suggested in a language, if that is so, as a sentence.
    pub fn why_nothing_in(&self, language_id: &str) -> Option<String> {
        if !self.enabled {
            return Some(OFF.to_owned());
        }
        self.disabling(language_id).map(|it| {
            format!(
                "nothing is suggested in this document, because its language `{it}` is in `completion.disabled_languages`"
            )
        })
    }

    /// The entry that names a language. Editors and people do not agree on capitals.
    fn disabling(&self, language_id: &str) -> Option<&str> {
        let mut entries = self.disabled_languages.iter().map(|it| it.trim());
        entries.find(|it| !it.is_empty() && it.eq_ignore_ascii_case(language_id))
    }
}

impl Config {
    /// The variables of the environment that hold keys: of providers, and of the completion server.
    pub fn key_variables(&self) -> impl Iterator<Item = &str> {
        let of_providers = self.cloud.providers.iter().filter_map(|it| it.key_variable());
        of_providers.chain(self.completion.key_variable())
    }

    /// The setting whose value is out of bounds, and what it must be.
    fn faults(&self) -> Option<(&'static str, &'static str)> {
        let (completion, model) = (&self.completion, &self.model);
        let is_fine = [
            ("completion.max_tokens", (1..=512).contains(&completion.max_tokens)),
            ("completion.max_lines", (1..=64).contains(&completion.max_lines)),
            ("completion.min_characters", completion.min_characters <= 64),
            ("completion.speculative_tokens", completion.speculative_tokens <= 16),
            ("completion.generate_ms", (10..=60_000).contains(&completion.generate_ms)),
            ("completion.min_confidence", (0.0..=1.0).contains(&completion.min_confidence)),
            (
                "completion.min_lookup_confidence",
                (0.5..=1.0).contains(&completion.min_lookup_confidence),
            ),
            ("completion.server_key", completion.says_where_its_key_is()),
            ("completion.workspace_tokens", completion.workspace_tokens <= 16_000_000),
            ("model.instruct_context_tokens", model.instruct_context_tokens <= 1_048_576),
            ("model.instruct_idle_seconds", (1..=86_400).contains(&model.instruct_idle_seconds)),
            ("model.instruct_memory_mib", model.instruct_memory_mib <= 16_777_216),
            ("model.lora", model.lora.iter().all(LoraAdapter::is_fine)),
            ("model.memory_mib", model.memory_mib <= 16_777_216),
            ("model.threads", model.threads <= 1_024),
            ("model.context_tokens", model.context_tokens <= 1_048_576),
        ];
        let fault = is_fine.iter().find(|(_, is_fine)| !is_fine);
        fault.map(|(key, _)| (*key, expected(key))).or_else(|| self.cloud.fault())
    }
}
