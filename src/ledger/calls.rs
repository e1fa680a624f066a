//! What is written of a call: of one that is sent, and of one that stays in this process.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ledger::PICO_USD_PER_USD;
use crate::ledger::fault::Fault;

/// More than any call costs; sums of what is below it can't overflow.
const MAX_CALL_PICO_USD: i64 = 1_000 * PICO_USD_PER_USD;
/// Of names and reasons, in bytes. Longer ones are cut.
const MAX_TEXT_BYTES: usize = 200;
/// Names that are kept for the life of the process.
const MAX_NAMES: usize = 1_000;

/// Tells one workspace from another and does not say where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkspaceHash(u64);

impl WorkspaceHash {
    /// `root` is the workspace's folder as the editor names it. The hash is not secret: who guesses
    /// the folder can check the guess.
    pub fn of(root: &str) -> Self {
        let digest = Sha256::digest(root.as_bytes());
        Self(digest.iter().take(8).fold(0, |hash, byte| (hash << 8) | u64::from(*byte)))
    }

    pub(super) fn to_sql(self) -> i64 {
        self.0.cast_signed()
    }
}

/// What is known of a request before it is sent.
#[derive(Debug, Clone)]
pub struct Reservation<'a> {
    pub workspace: WorkspaceHash,
    /// As `explain`.
    pub action: &'a str,
    /// By its name in the settings.
    pub provider: &'a str,
    /// Of the URL that is asked, the host and the port: no path, no user.
    pub host: &'a str,
    pub model: &'a str,
    /// The most that the request can cost.
    pub reserved_pico_usd: i64,
    /// The date of the table of prices that says so.
    pub price_table_date: Option<&'a str>,
    /// The size of the request's body.
    pub n_sent_bytes: u64,
    /// Files of which there is text in it.
    pub n_files: u32,
    /// Secrets that were taken out of it.
    pub n_redactions: u32,
    /// Of the body, in hexadecimal.
    pub payload_sha256: &'a str,
    pub consent: Consent,
    /// Why it goes there, in words of keyside's own; never the user's.
    pub reason: &'a str,
}

/// Who said yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// A person, to this request.
    Once,
    /// A person, to all of this workspace.
    Workspace,
    /// The settings.
    Policy,
}

/// How a call that was sent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Under way, as far as anybody knows.
    Reserved,
    Ok,
    Cancelled,
    /// The answer was cut off.
    Truncated,
    Failed,
    /// Its process is gone and can't say.
    Lost,
}

/// Who counted the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UsageSource {
    Provider,
    /// keyside, from the text.
    Estimated,
}

/// Where the cost is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CostSource {
    Provider,
    /// The tokens at the prices of a table.
    Table,
    /// What was reserved.
    WorstCase,
}

/// Tokens of a call that was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Read in full: neither out of the provider's cache nor into it. (OpenAI's protocols count
    /// both in their `prompt_tokens`, Anthropic's does not.)
    pub input: u64,
    /// Reasoning included.
    pub output: u64,
    pub cache_read: u64,
    /// Put into the cache for five minutes; where a provider does not say for how long, here.
    pub cache_write_5m: u64,
    pub cache_write_1h: u64,
    /// Of the output.
    pub reasoning: u64,
}

/// What is known of a request when it is over.
#[derive(Debug, Clone)]
pub struct Settlement<'a> {
    /// Not `Reserved`, and not `Lost`, which only others can tell.
    pub status: Status,
    pub tokens: Tokens,
    pub usage_source: UsageSource,
    /// 0 where nothing was sent after all.
    pub cost_pico_usd: i64,
    pub cost_source: CostSource,
    /// The provider's own name of the request.
    pub request_id: Option<&'a str>,
    pub duration_ms: u64,
    /// From sending to the first text of the answer.
    pub first_text_ms: Option<u64>,
}

/// A call to a model in this process. Small and `Copy`, because there is one on every key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalCall {
    pub at_unix_ms: i64,
    pub workspace: WorkspaceHash,
    pub action: Name,
    pub model: Name,
    pub status: LocalStatus,
    /// All tokens of the prompt.
    pub input_tokens: u32,
    /// Of these, the ones that were resident.
    pub cached_tokens: u32,
    pub output_tokens: u32,
    pub duration_us: u32,
}

/// What became of suggestions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suggested {
    pub at_unix_ms: i64,
    /// Of the model that is resident.
    pub model: Name,
    pub n_shown: u32,
    pub n_accepted: u32,
    /// Words and lines that were taken by themselves.
    pub n_accepted_words: u32,
    pub n_accepted_lines: u32,
    pub n_rejected: u32,
    /// Characters that were put in, less the keys that accepted them.
    pub n_spared_characters: u32,
}

/// How a local call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalStatus {
    Ok,
    Cancelled,
    Failed,
}

/// A name that is kept as long as the process lives, so that it can be copied: of an action, of a
/// model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(&'static str);

impl Name {
    /// A name that is in the program.
    pub const fn of(name: &'static str) -> Self {
        Self(name)
    }

    /// Any name, as of a model that was loaded. Not for what changes with each call: after a
    /// thousand different ones they are all `other`.
    pub fn kept(name: &str) -> Self {
        static KEPT: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        let name = clean(name);
        if let Some(name) = kept.get(name.as_str()) {
            return Self(name);
        }
        if kept.len() >= MAX_NAMES {
            return Self("other");
        }
        let name: &'static str = name.leak();
        kept.insert(name);
        Self(name)
    }

    pub fn text(self) -> &'static str {
        self.0
    }
}

impl Reservation<'_> {
    /// # Errors
    /// What makes no sense, or could hold more than it should.
    pub(super) fn check(&self) -> Result<(), Fault> {
        check_cost(self.reserved_pico_usd)?;
        if self.host.contains(['/', '@', '?', '#', ' ']) {
            return Err(Fault::mistake("a host that is more than a host"));
        }
        let is_hex = |it: u8| it.is_ascii_digit() || (b'a'..=b'f').contains(&it);
        if self.payload_sha256.len() != 64 || !self.payload_sha256.bytes().all(is_hex) {
            return Err(Fault::mistake("a payload without its SHA-256"));
        }
        Ok(())
    }
}

impl Settlement<'_> {
    /// # Errors
    /// What makes no sense.
    pub(super) fn check(&self) -> Result<(), Fault> {
        if matches!(self.status, Status::Reserved | Status::Lost) {
            return Err(Fault::mistake("a settlement that settles nothing"));
        }
        check_cost(self.cost_pico_usd)
    }
}

fn check_cost(pico_usd: i64) -> Result<(), Fault> {
    if (0..=MAX_CALL_PICO_USD).contains(&pico_usd) {
        return Ok(());
    }
    Err(Fault::mistake("a cost below nothing or over $1000"))
}

/// One line of bounded length.
pub(super) fn clean(text: &str) -> String {
    let fits = text.char_indices().take_while(|(at, c)| at + c.len_utf8() <= MAX_TEXT_BYTES);
    fits.map(|(_, c)| if c.is_control() { ' ' } else { c }).collect()
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Ok => "ok",
            Self::Cancelled => "cancelled",
            Self::Truncated => "truncated",
            Self::Failed => "failed",
            Self::Lost => "lost",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        let all =
            [Self::Reserved, Self::Ok, Self::Cancelled, Self::Truncated, Self::Failed, Self::Lost];
        all.into_iter().find(|it| it.name() == name)
    }
}

impl Consent {
    pub fn name(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Workspace => "workspace",
            Self::Policy => "policy",
        }
    }
}

impl UsageSource {
    pub fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Estimated => "estimated",
        }
    }
}

impl CostSource {
    pub fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Table => "table",
            Self::WorstCase => "worst_case",
        }
    }
}

impl LocalStatus {
    pub(super) fn to_sql(self) -> i64 {
        match self {
            Self::Ok => 0,
            Self::Cancelled => 1,
            Self::Failed => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_once_and_not_without_end() {
        let first = Name::kept("a model");
        assert!(std::ptr::eq(first.text(), Name::kept(&String::from("a model")).text()));
        assert_eq!(Name::kept(&"x".repeat(1_000)).text().len(), MAX_TEXT_BYTES);
        assert_eq!(Name::kept("two\nlines").text(), "two lines");
        for n in 0..2 * MAX_NAMES {
            Name::kept(&format!("name {n}"));
        }
        assert_eq!(Name::kept("one too many").text(), "other");
        assert_eq!(Name::kept("a model"), first);
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(clean(&"ü".repeat(150)).chars().count(), 100);
        assert_eq!(clean(&format!("x{}", "ü".repeat(150))).len(), 199);
    }

    #[test]
    fn workspaces_differ_and_their_hashes_do_not_say_where_they_are() {
        let (one, other) = (WorkspaceHash::of("/home/a/one"), WorkspaceHash::of("/home/a/other"));
        assert_ne!(one, other);
        assert_eq!(one, WorkspaceHash::of("/home/a/one"));
        assert!(!format!("{one:?}").contains("one"));
    }
}
