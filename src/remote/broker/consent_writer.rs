//! Writing down what a person said once and for all. The server can't: its sandbox keeps it from
//! the settings' folder. So a process of its own does, with a pipe to it, no network and nothing
//! else to write. The server's word for what a person said is all that it has, so it takes an entry
//! in the strictest form alone, and can't take a "never" back.
//!
//! ```text
//! the server  --> {"workspace": "/w", "provider": "p", "host": "h:1", "answer": "always"}
//!             <-- null, or a sentence that says why not
//! ```

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::config::cloud::CloudConfig;
use crate::config::consent::{Consents, Entry, Standing};
use crate::files;
use crate::remote::protocol;

/// Longer than any path of a folder, escaped.
const MAX_LINE_BYTES: u64 = 64 << 10;
/// In one session. A person answers a few such questions.
const MAX_ENTRIES: usize = 200;

/// The server's end.
#[derive(Debug)]
pub struct ConsentWriter {
    // Locked while an entry is written, by threads that answer no request.
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

impl ConsentWriter {
    /// Starts the process. It ends with this value.
    ///
    /// # Errors
    /// One sentence, where the system refuses it.
    pub fn start(mut command: Command) -> Result<Self, String> {
        let refused = |what: String| {
            format!(
                "the system refuses the process that writes consent ({what}); restart the server"
            )
        };
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| refused(error.to_string()))?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(input), Some(output)) => {
                Ok(Self { pipes: Mutex::new((input, BufReader::new(output))) })
            }
            _ => Err(refused("it has no pipes".to_owned())),
        }
    }

    /// Has an entry written, in the place of what was said of the same workspace and provider
    /// before. It may wait for another program that writes.
    ///
    /// # Errors
    /// One sentence; then the file is as it was.
    pub fn remember(&self, entry: &Entry) -> Result<(), String> {
        let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        let (input, output) = &mut *pipes;
        let mut line = serde_json::to_vec(entry).unwrap_or_default();
        line.push(b'\n');
        let mut answer = String::new();
        let gone = || {
            "the process that writes consent is gone, so what you said was not kept; restart the server, or run `keyside cloud \
             allow` or `keyside cloud deny` in the workspace"
                .to_owned()
        };
        input.write_all(&line).and_then(|()| input.flush()).map_err(|_| gone())?;
        output.take(MAX_LINE_BYTES).read_line(&mut answer).map_err(|_| gone())?;
        match serde_json::from_str::<Option<String>>(&answer) {
            Ok(None) => Ok(()),
            Ok(Some(why)) => Err(why),
            Err(_) => Err(gone()),
        }
    }
}

/// The process: takes entries until its input ends.
///
/// # Errors
/// One sentence, after which it ends: what came is no entry, or came too often.
pub fn run(cloud: &CloudConfig, consent_file: &Path) -> Result<(), String> {
    let mut input = std::io::stdin().lock();
    let mut output = std::io::stdout().lock();
    for _ in 0..MAX_ENTRIES {
        let mut line = Vec::new();
        let read = input.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line);
        if !matches!(read, Ok(1..)) {
            return Ok(());
        }
        let entry: Entry = serde_json::from_slice(&line)
            .map_err(|_| "what came to be kept is no consent".to_owned())?;
        let kept = keep(cloud, consent_file, &entry);
        let Entry { workspace, provider, answer, .. } = &entry;
        tracing::info!(?workspace, provider, ?answer, kept = kept.is_ok(), "consent");
        let mut answer = serde_json::to_vec(&kept.err()).unwrap_or_default();
        answer.push(b'\n');
        if output.write_all(&answer).and_then(|()| output.flush()).is_err() {
            return Ok(());
        }
    }
    Err(format!("{MAX_ENTRIES} consents came to be kept, which no person gives"))
}

fn keep(cloud: &CloudConfig, consent_file: &Path, entry: &Entry) -> Result<(), String> {
    let known = cloud.providers.iter().find(|it| it.name == entry.provider);
    let host = known.map(protocol::host).transpose()?;
    if host.as_deref() != Some(&entry.host) {
        return Err(format!(
            "the settings name no provider {} at {}, so consent to it was not kept; restart the server",
            entry.provider, entry.host
        ));
    }
    let workspace = &entry.workspace;
    if !workspace.is_dir() || files::real_path(workspace) != *workspace {
        return Err(format!(
            "{} is no folder, or a link to one, so consent for it was not kept",
            workspace.display()
        ));
    }
    match entry.answer {
        Standing::Always => Consents::allow_unless_denied(consent_file, entry.clone()),
        Standing::Never => Consents::remember(consent_file, entry.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::cloud::{Auth, Provider};

    #[test]
    fn only_what_a_person_can_have_said_is_kept() {
        let folder = std::env::temp_dir().join(format!("keyside-writer-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("w/sub")).unwrap();
        let folder = folder.canonicalize().unwrap();
        let file = folder.join("consent.toml");
        let provider = Provider {
            name: "p".to_owned(),
            base_url: "http://127.0.0.1:9".to_owned(),
            auth: Auth::None,
            model: "m".to_owned(),
            ..Provider::default()
        };
        let cloud = CloudConfig { providers: vec![provider], ..CloudConfig::default() };
        let entry = |workspace: &str, provider: &str, host: &str, answer| Entry {
            workspace: folder.join(workspace),
            provider: provider.to_owned(),
            host: host.to_owned(),
            answer,
        };
        let (host, always, never) = ("127.0.0.1:9", Standing::Always, Standing::Never);
        for (entry, words) in [
            (entry("w", "p", "evil.example:443", always), "no provider p at evil"),
            (entry("w", "q", host, always), "no provider q"),
            (entry("none", "p", host, always), "is no folder"),
            (entry("w/sub/..", "p", host, always), "is no folder"),
            (Entry { workspace: "w".into(), ..entry("w", "p", host, always) }, "is no folder"),
        ] {
            let sentence = keep(&cloud, &file, &entry).unwrap_err();
            assert!(sentence.contains(words), "{sentence}");
        }
        assert!(!file.exists());
        let kept = |it| keep(&cloud, &file, &it);
        assert_eq!(kept(entry("w", "p", host, always)), Ok(()));
        assert_eq!(kept(entry("w", "p", host, never)), Ok(()));
        let written = std::fs::read_to_string(&file).unwrap();
        for workspace in ["w", "w/sub"] {
            let sentence = kept(entry(workspace, "p", host, always)).unwrap_err();
            assert!(sentence.contains("`keyside cloud allow`"), "{sentence}");
        }
        assert_eq!(std::fs::read_to_string(&file).unwrap(), written);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
