//! The process that fetches model files from a hub (`HF_ENDPOINT`, or Hugging Face): orders on
//! standard input, answers on standard output. It has a network and writes no file.

use std::convert::Infallible;
use std::io::{self, BufRead, Write};
use std::time::Duration;

use reqwest::{Client, Response, StatusCode, redirect};
use serde::Deserialize;
use tokio::time::timeout;
use url::Url;

use super::{Variable, connection};
use crate::remote::broker::fetch::{FetchEvent, FetchOrder, HubFile};
use crate::remote::protocol::address::Address;
use crate::sandbox::{self, Needs};

const HUGGING_FACE: &str = "https://huggingface.co";
/// Between two pieces of a file.
const PATIENCE: Duration = Duration::from_secs(30);
const MAX_LIST_BYTES: usize = 16 << 20;
/// A hub sends to where its files lie.
const MAX_REDIRECTS: usize = 5;

/// Runs until standard input ends.
///
/// # Errors
/// One sentence, where it can't begin.
pub fn run(variable: Variable, out: &mut dyn Write) -> Result<Infallible, String> {
    sandbox::enter(Needs { network: true, ..Needs::NOTHING });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the system refuses threads ({error}); try again"))?;
    let hub = Hub::of(variable);
    for line in io::stdin().lock().lines() {
        let Ok(order) = line.map_err(drop).and_then(|it| serde_json::from_str(&it).map_err(drop))
        else {
            break;
        };
        let done = match &hub {
            Ok(hub) => runtime.block_on(hub.carry_out(order, out)),
            Err(sentence) => Err(Stopped { sentence: sentence.clone(), may_pass: false }),
        };
        let last = match done {
            Ok(()) => FetchEvent::Done,
            Err(Stopped { sentence, may_pass }) => FetchEvent::Failed { sentence, may_pass },
        };
        if say(out, &last).is_err() {
            break;
        }
    }
    std::process::exit(0)
}

fn say(out: &mut dyn Write, event: &FetchEvent) -> io::Result<()> {
    let line = serde_json::to_string(event).unwrap_or_default();
    writeln!(out, "{line}").and_then(|()| out.flush())
}

/// Why a file did not come.
struct Stopped {
    sentence: String,
    may_pass: bool,
}

struct Hub {
    base: String,
    host: String,
    client: Client,
}

/// What the hub says of a file.
#[derive(Deserialize)]
struct TreeEntry {
    path: String,
    #[serde(default)]
    size: u64,
    lfs: Option<LargeFile>,
}

#[derive(Deserialize)]
struct LargeFile {
    oid: String,
    size: u64,
}

impl Hub {
    fn of(variable: Variable) -> Result<Self, String> {
        let base = variable("HF_ENDPOINT").unwrap_or_else(|| HUGGING_FACE.to_owned());
        let base = base.trim().trim_end_matches('/').to_owned();
        let address = Address::of_hub(&base)?;
        let is_plain = address.is_plain;
        let follow = redirect::Policy::custom(move |attempt| {
            let is_encrypted = attempt.url().scheme() == "https";
            if attempt.previous().len() > MAX_REDIRECTS {
                attempt.error("it sends on and on")
            } else if is_encrypted || is_plain {
                attempt.follow()
            } else {
                attempt.error("it sends to an address without encryption")
            }
        });
        let builder = connection::builder(&address, &variable)?.redirect(follow);
        let client = builder.build().map_err(|_| {
            "no client for encrypted connections can be made; see whether this system has certificates installed"
        })?;
        Ok(Self { base, host: address.host, client })
    }

    async fn carry_out(&self, order: FetchOrder, out: &mut dyn Write) -> Result<(), Stopped> {
        match order {
            FetchOrder::List { repository } => self.list(&repository, out).await,
            FetchOrder::File { repository, file, from } => {
                self.file(&repository, &file, from, out).await
            }
        }
    }

    async fn list(&self, repository: &str, out: &mut dyn Write) -> Result<(), Stopped> {
        let path = format!("api/models/{repository}/tree/main");
        let mut url = self.url(&path)?;
        url.set_query(Some("recursive=true"));
        let mut response = self.get(url, 0).await?;
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk(&mut response).await? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_LIST_BYTES {
                return Err(self.stopped("lists more files than any repository has", false));
            }
        }
        let entries: Vec<TreeEntry> = serde_json::from_slice(&body)
            .map_err(|_| self.stopped("does not answer as a model hub does", false))?;
        let files = entries.into_iter().filter(|it| it.path.to_lowercase().ends_with(".gguf"));
        let files = files.map(|it| match it.lfs {
            Some(lfs) => HubFile { path: it.path, n_bytes: lfs.size, sha256: Some(lfs.oid) },
            None => HubFile { path: it.path, n_bytes: it.size, sha256: None },
        });
        self.said(out, &FetchEvent::Files(files.collect()))
    }

    async fn file(
        &self,
        repository: &str,
        file: &str,
        from: u64,
        out: &mut dyn Write,
    ) -> Result<(), Stopped> {
        let url = self.url(&format!("{repository}/resolve/main/{file}"))?;
        let mut response = self.get(url, from).await?;
        let begins = if response.status() == StatusCode::PARTIAL_CONTENT { from } else { 0 };
        self.said(out, &FetchEvent::From(begins))?;
        while let Some(chunk) = self.chunk(&mut response).await? {
            self.said(out, &FetchEvent::Bytes(chunk.len() as u64))?;
            out.write_all(&chunk).map_err(|_| self.stopped("is not listened to", false))?;
        }
        Ok(())
    }

    /// `path` has names of other people in it, which the URL's own rules make a part of a path.
    fn url(&self, path: &str) -> Result<Url, Stopped> {
        let mut url = Url::parse(&self.base).map_err(|_| self.stopped("is no address", false))?;
        let parts = path.split('/');
        if parts.clone().any(|it| it.is_empty() || it == "." || it == "..") {
            return Err(self.stopped("has no file of such a name", false));
        }
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(parts);
        }
        Ok(url)
    }

    async fn get(&self, url: Url, from: u64) -> Result<Response, Stopped> {
        let mut request = self.client.get(url);
        if from > 0 {
            request = request.header("range", format!("bytes={from}-"));
        }
        let response = match timeout(PATIENCE, request.send()).await {
            Err(_) => return Err(self.stopped("does not answer", true)),
            Ok(Err(error)) if error.is_redirect() => {
                return Err(self.stopped("sends to where keyside does not follow", false));
            }
            Ok(Err(_)) => return Err(self.stopped("can't be reached", true)),
            Ok(Ok(response)) => response,
        };
        match response.status().as_u16() {
            200..=299 => Ok(response),
            401 | 403 => Err(Stopped {
                sentence: format!(
                    "{} gives this only to those with an account; fetch it with its own program (`hf download`), keyside finds it then",
                    self.host
                ),
                may_pass: false,
            }),
            404 => Err(self.stopped("has no such repository or file", false)),
            status @ (408 | 429 | 500..) => {
                Err(self.stopped(&format!("is too busy (status {status})"), true))
            }
            status => Err(self.stopped(&format!("refuses it (status {status})"), false)),
        }
    }

    async fn chunk(&self, response: &mut Response) -> Result<Option<Vec<u8>>, Stopped> {
        match timeout(PATIENCE, response.chunk()).await {
            Err(_) => Err(self.stopped("stopped sending", true)),
            Ok(Err(_)) => Err(self.stopped("broke the connection off", true)),
            Ok(Ok(chunk)) => Ok(chunk.map(|it| it.to_vec())),
        }
    }

    fn said(&self, out: &mut dyn Write, event: &FetchEvent) -> Result<(), Stopped> {
        say(out, event).map_err(|_| self.stopped("is not listened to", false))
    }

    fn stopped(&self, what: &str, may_pass: bool) -> Stopped {
        let advice = match may_pass {
            true => {
                "see whether this machine is online, set HF_ENDPOINT to a mirror or HTTPS_PROXY to a proxy, and try again; what came is kept"
            }
            false => "see whether the name is right, and HF_ENDPOINT where it is set",
        };
        Stopped { sentence: format!("{} {what}; {advice}", self.host), may_pass }
    }
}
