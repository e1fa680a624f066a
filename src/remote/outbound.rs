//! The gate. Text leaves this machine as an [`Outbound`] and in no other way, and there is one only
//! where a person agreed to just these bytes, or to all of this workspace.
//!
//! [`prepare`] takes what is to be asked, stops files that are fenced off, takes secrets out, and
//! makes the bytes of the request's body. The [`Prepared`] can be looked at, and goes nowhere.
//! Consent makes an `Outbound` of it, without touching the bytes: what was shown is what is sent.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::cloud::Provider;
use crate::config::consent::{Consents, Standing};
use crate::files;
use crate::privacy::fence::Fence;
use crate::privacy::placeholders::{Placeholders, names_like_placeholders};
use crate::privacy::redact::Redactor;
use crate::remote::pricing::token_estimate;
use crate::remote::protocol::address::AddressFault;
use crate::remote::protocol::{self, Ask, Role, Turn, read_back};
use crate::stdx::hex_sha256;

/// What is to be asked, with nothing taken out yet.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    pub system: String,
    pub user: String,
    /// What an answer that is code takes the place of; a part of `user`.
    pub target: String,
    /// The files of which there is text in it.
    pub files: Vec<DraftFile>,
    pub max_output_tokens: u64,
}

/// A file, or the part of it, that a draft holds text of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftFile {
    /// `None`: a text that is no file yet.
    pub path: Option<PathBuf>,
    /// As people and the model see it.
    pub name: String,
    /// Lines from 1, the end not included.
    pub lines: Range<usize>,
}

/// Why there is nothing to send. Shown as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotPrepared {
    /// A file, and the rule that leaves it out.
    Excluded {
        name: String,
        by: String,
    },
    Address(AddressFault),
    /// What was kept is for a model and host that the settings do not name any more.
    OtherRecipient {
        model: String,
        host: String,
    },
    /// What was kept is not what was agreed to.
    Changed,
    /// What was kept is none of keyside's requests.
    NoRequest,
}

impl fmt::Display for NotPrepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Excluded { name, by } => {
                write!(f, "nothing of {name} is sent: {by} leaves it out")
            }
            Self::Address(fault) => fault.fmt(f),
            Self::OtherRecipient { model, host } => write!(
                f,
                "it was agreed to for {model} at {host}, and the settings name another model or host now"
            ),
            Self::Changed => f.write_str(
                "what was kept has changed since it was agreed to; remove the file and ask again",
            ),
            Self::NoRequest => {
                f.write_str("what was kept is no request to this model; remove the file")
            }
        }
    }
}

impl std::error::Error for NotPrepared {}

impl From<AddressFault> for NotPrepared {
    fn from(fault: AddressFault) -> Self {
        Self::Address(fault)
    }
}

impl From<NotPrepared> for String {
    fn from(fault: NotPrepared) -> Self {
        fault.to_string()
    }
}

/// A request that can be looked at, and goes nowhere.
#[derive(Debug)]
pub struct Prepared {
    provider: String,
    model: String,
    host: String,
    body: String,
    files: Vec<DraftFile>,
    /// How many secrets each rule found.
    redactions: BTreeMap<String, usize>,
    secrets: Placeholders,
    target: String,
    n_input_tokens: u64,
    max_output_tokens: u64,
}

/// Makes the bytes of a request, without what must not be in them.
///
/// # Errors
/// A file that is excluded, or a provider whose address text may not be sent to.
pub fn prepare(provider: &Provider, draft: &Draft, fence: &Fence) -> Result<Prepared, NotPrepared> {
    for file in &draft.files {
        if let Some(who) = file.path.as_deref().and_then(|it| fence.stops_file(it)) {
            return Err(NotPrepared::Excluded { name: file.name.clone(), by: who });
        }
    }
    let host = protocol::host(provider)?;
    let mut secrets = Placeholders::new();
    // Some rules are not for some files; where there are several, all rules are for all.
    let is_same = |it: &DraftFile| draft.files.first().is_some_and(|first| first.name == it.name);
    let path = draft.files.first().filter(|_| draft.files.iter().all(is_same));
    let path = path.map(|it| it.name.as_str());
    let texts: [(&str, Option<&str>); 3] =
        [(&draft.system, None), (&draft.user, path), (&draft.target, path)];
    let mut redacted = secrets.redact_all(Redactor::shared(), &texts);
    // It is a part of another, and not counted twice.
    let target = redacted.pop().map(|it| it.text).unwrap_or_default();
    let mut redactions = BTreeMap::new();
    for finding in redacted.iter().flat_map(|it| &it.findings) {
        *redactions.entry(finding.rule.clone()).or_default() += 1;
    }
    let mut texts = redacted.into_iter().map(|it| it.text);
    let ask = Ask {
        system: texts.next().unwrap_or_default(),
        turns: vec![Turn { role: Role::User, text: texts.next().unwrap_or_default() }],
        max_output_tokens: draft.max_output_tokens,
    };
    let body = protocol::body(provider, &ask, true);
    Ok(Prepared {
        provider: provider.name.clone(),
        model: provider.model.clone(),
        host,
        n_input_tokens: token_estimate::ask_tokens(&ask),
        body,
        files: draft.files.clone(),
        redactions,
        secrets,
        target,
        max_output_tokens: draft.max_output_tokens,
    })
}

impl Prepared {
    /// The exact bytes that would go over the wire.
    pub fn body(&self) -> &str {
        &self.body
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn model(&self) -> &str {
        &self.model
    }

    pub fn provider(&self) -> &str {
        &self.provider
    }

    pub fn files(&self) -> &[DraftFile] {
        &self.files
    }

    /// How many secrets each rule found.
    pub fn redactions(&self) -> &BTreeMap<String, usize> {
        &self.redactions
    }

    /// For putting secrets back into the answer.
    pub fn secrets(&self) -> &Placeholders {
        &self.secrets
    }

    /// What an answer that is code takes the place of, as the model saw it.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The names of secrets in a text that were taken out of this request.
    pub fn secrets_named_in<'text>(&self, text: &'text str) -> Vec<&'text str> {
        let given = names_like_placeholders(&self.body);
        let mut names = names_like_placeholders(text);
        names.retain(|it| given.contains(it));
        names
    }

    /// On the safe side.
    pub fn n_input_tokens(&self) -> u64 {
        self.n_input_tokens
    }

    pub fn max_output_tokens(&self) -> u64 {
        self.max_output_tokens
    }

    /// Of the body, in hexadecimal.
    pub fn sha256(&self) -> String {
        hex_sha256(self.body.as_bytes())
    }

    /// The request as it can be kept on the disk, for sending it later. Without the secrets, which
    /// stay in this process: an answer to it keeps their placeholders.
    pub fn kept(&self, action: &str, workspace: Option<&Path>) -> Kept {
        Kept {
            action: action.to_owned(),
            workspace: workspace.map(Path::to_path_buf),
            files: self.files.iter().filter_map(|it| it.path.clone()).collect(),
            provider: self.provider.clone(),
            host: self.host.clone(),
            model: self.model.clone(),
            sha256: self.sha256(),
            body: self.body.clone(),
        }
    }

    /// What was said once and for all, for this provider and host: no, where it was said of one of
    /// the `workspaces` that the text is of, or of a file by any of its names; yes, where it was
    /// said of each workspace. They are named without links.
    pub fn standing(&self, consents: &Consents, workspaces: &[PathBuf]) -> Option<Standing> {
        let (provider, host) = (&self.provider, &self.host);
        let files = self.files.iter().filter_map(|it| it.path.as_deref());
        let mut names = files.flat_map(files::names_of).chain(workspaces.iter().cloned());
        if names.any(|it| consents.denies(&it, workspaces, provider, host)) {
            return Some(Standing::Never);
        }
        let is_yes = |it: &PathBuf| consents.answer(it, provider, host) == Some(Standing::Always);
        (!workspaces.is_empty() && workspaces.iter().all(is_yes)).then_some(Standing::Always)
    }

    /// The request under what was said once and for all, where that is yes.
    ///
    /// # Errors
    /// The request as it was.
    pub fn under(self, consents: &Consents, workspaces: &[PathBuf]) -> Result<Outbound, Box<Self>> {
        match self.standing(consents, workspaces) {
            Some(Standing::Always) => Ok(Outbound { prepared: self, agreed: Agreed::Workspace }),
            Some(Standing::Never) | None => Err(Box::new(self)),
        }
    }

    /// The request, after a person was asked about it and agreed. Called where the answer comes in,
    /// and nowhere else.
    pub fn agreed_by_a_person(self) -> Outbound {
        Outbound { prepared: self, agreed: Agreed::Once }
    }
}

/// A request that could not be sent, to which a person had agreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    pub action: String,
    pub workspace: Option<PathBuf>,
    /// Of which there is text in it.
    pub files: Vec<PathBuf>,
    pub provider: String,
    pub host: String,
    pub model: String,
    /// Of the body, in hexadecimal.
    pub sha256: String,
    pub body: String,
}

impl Kept {
    /// The request, if it is still the one that a person agreed to, and the provider the one that
    /// they saw. What it may cost is reckoned anew, from the bytes.
    ///
    /// # Errors
    /// Why it is not.
    pub fn prepared(self, provider: &Provider) -> Result<Prepared, NotPrepared> {
        if self.provider != provider.name
            || self.host != protocol::host(provider)?
            || self.model != provider.model
        {
            return Err(NotPrepared::OtherRecipient { model: self.model, host: self.host });
        }
        if hex_sha256(self.body.as_bytes()) != self.sha256 {
            return Err(NotPrepared::Changed);
        }
        let Some(ask) = read_back::ask_of(provider, &self.body) else {
            return Err(NotPrepared::NoRequest);
        };
        Ok(Prepared {
            provider: self.provider,
            model: self.model,
            host: self.host,
            body: self.body,
            files: Vec::new(),
            redactions: BTreeMap::new(),
            secrets: Placeholders::new(),
            target: String::new(),
            n_input_tokens: token_estimate::ask_tokens(&ask),
            max_output_tokens: ask.max_output_tokens,
        })
    }
}

/// Who agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreed {
    /// A person, to these bytes.
    Once,
    /// A person, to all of this workspace.
    Workspace,
}

/// A request that may be sent.
#[derive(Debug)]
pub struct Outbound {
    prepared: Prepared,
    agreed: Agreed,
}

impl Outbound {
    pub fn request(&self) -> &Prepared {
        &self.prepared
    }

    pub fn agreed(&self) -> Agreed {
        self.agreed
    }
}
