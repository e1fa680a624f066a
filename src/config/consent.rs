//! Standing consent: which workspace's text may go to whom without asking again. A file that a person can read and correct,
//! in the folder of the user's own settings, where no workspace reaches.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::files;

/// What a person said once and for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    Always,
    Never,
}

/// One line of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The workspace's folder.
    pub workspace: PathBuf,
    /// The provider, by its name in the settings.
    pub provider: String,
    /// The host that it had when the person agreed: another one has to be agreed to anew.
    pub host: String,
    pub answer: Standing,
}

/// All that was said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consents {
    #[serde(default)]
    consent: Vec<Entry>,
}

const HEAD: &str = "# What keyside may send to a cloud model without asking, by workspace. `keyside cloud allow` and `keyside cloud deny`\n\
     # write it; it may be edited by hand.\n\n";

impl Consents {
    /// Reads the file; a missing one holds nothing.
    ///
    /// # Errors
    /// One sentence. Then nothing may be sent, because what it says may have been `never`.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = match files::read_text(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => {
                return Err(format!(
                    "{} can't be read ({error}); make it readable",
                    path.display()
                ));
            }
        };
        toml::from_str(&text).map_err(|error| {
            format!(
                "{} is not as keyside writes it ({}); correct or remove it",
                path.display(),
                error.message()
            )
        })
    }

    /// What was said of a workspace and a provider at a host. Of several lines the last holds; a `never` holds
    /// for what is in the folder as well, and whatever the host is. Workspaces are named without links.
    pub fn answer(&self, workspace: &Path, provider: &str, host: &str) -> Option<Standing> {
        self.consent
            .iter()
            .rev()
            .filter(|it| it.provider == provider)
            .find(|it| match it.answer {
                Standing::Never => workspace.starts_with(&it.workspace),
                Standing::Always => it.workspace == workspace && it.host == host,
            })
            .map(|it| it.answer)
    }

    /// Whether a person said no of a place in which a file lies, and did not say yes later of one of the `workspaces` that it is
    /// of, in that place. Links are followed in what was said, and have to be in the file's name.
    pub fn denies(&self, file: &Path, workspaces: &[PathBuf], provider: &str, host: &str) -> bool {
        let entries: Vec<&Entry> =
            self.consent.iter().filter(|it| it.provider == provider).collect();
        entries.iter().enumerate().any(|(at, no)| {
            let place = files::real_path(&no.workspace);
            let takes_back = |yes: &&Entry| {
                yes.answer == Standing::Always
                    && yes.host == host
                    && workspaces.contains(&yes.workspace)
                    && file.starts_with(&yes.workspace)
                    && yes.workspace.starts_with(&place)
            };
            no.answer == Standing::Never
                && (file.starts_with(&no.workspace) || file.starts_with(&place))
                && !entries[at + 1..].iter().copied().any(|yes| takes_back(&yes))
        })
    }

    /// Whether a person said of a place, or of a folder that it is in, that nothing of it is sent, to whatever provider, and did not
    /// take that back.
    pub fn is_private(&self, place: &Path) -> bool {
        self.consent.iter().enumerate().any(|(at, no)| {
            let takes_back = |yes: &Entry| {
                yes.answer == Standing::Always
                    && yes.provider == no.provider
                    && place.starts_with(&yes.workspace)
            };
            no.answer == Standing::Never
                && (place.starts_with(&no.workspace)
                    || place.starts_with(files::real_path(&no.workspace)))
                && !self.consent[at + 1..].iter().any(takes_back)
        })
    }

    /// All lines, in the order in which they were said.
    pub fn entries(&self) -> &[Entry] {
        &self.consent
    }

    /// Takes a line into the file, instead of what was said of the same workspace and provider before.
    ///
    /// # Errors
    /// One sentence; then the file is as it was.
    pub fn remember(path: &Path, entry: Entry) -> Result<(), String> {
        Self::change(path, entry, |_, _| Ok(()))
    }

    /// As [`Self::remember`], where the entry says yes and nobody has said no.
    ///
    /// # Errors
    /// The same, and where somebody has.
    pub fn allow_unless_denied(path: &Path, entry: Entry) -> Result<(), String> {
        Self::change(path, entry, |before, entry| {
            match before.answer(&entry.workspace, &entry.provider, &entry.host) {
                Some(Standing::Never) => Err(format!(
                    "{} says that nothing of it is sent to {}; `keyside cloud allow` takes that back",
                    path.display(),
                    entry.provider
                )),
                _ => Ok(()),
            }
        })
    }

    fn change(
        path: &Path,
        entry: Entry,
        check: impl FnOnce(&Self, &Entry) -> Result<(), String>,
    ) -> Result<(), String> {
        let failed = |error: std::io::Error| {
            format!("{} can't be written ({error}); make its folder writable", path.display())
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        // Several servers may be asked at once.
        let lock = files::open_lock(&path.with_extension("lock")).map_err(failed)?;
        take(&lock).map_err(failed)?;
        let mut consents = Self::read(path)?;
        check(&consents, &entry)?;
        consents
            .consent
            .retain(|it| it.workspace != entry.workspace || it.provider != entry.provider);
        consents.consent.push(entry);
        let text = toml::to_string(&consents)
            .map_err(|error| format!("consent can't be written ({error})"))?;
        files::replace(path, format!("{HEAD}{text}").as_bytes()).map_err(failed)
    }
}

/// Waits for others who write, but not for ever.
fn take(lock: &std::fs::File) -> std::io::Result<()> {
    const PAUSE: std::time::Duration = std::time::Duration::from_millis(20);
    for _ in 0..100 {
        match lock.try_lock() {
            Ok(()) => return Ok(()),
            Err(std::fs::TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            Err(std::fs::TryLockError::Error(error)) => return Err(error),
        }
    }
    Err(std::io::Error::other("another program holds it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(provider: &str, host: &str, answer: Standing) -> Entry {
        Entry { workspace: "/w".into(), provider: provider.into(), host: host.into(), answer }
    }

    #[test]
    fn consent_is_for_one_workspace_provider_and_host() {
        let folder = std::env::temp_dir().join(format!("keyside-consent-{}", std::process::id()));
        let path = folder.join("consent.toml");
        assert_eq!(Consents::read(&path), Ok(Consents::default()));
        Consents::remember(&path, entry("a", "a.com", Standing::Always)).unwrap();
        Consents::remember(&path, entry("b", "b.com", Standing::Always)).unwrap();
        Consents::remember(&path, entry("b", "b.com", Standing::Never)).unwrap();
        let consents = Consents::read(&path).unwrap();
        assert_eq!(consents.entries().len(), 2);
        let answer =
            |workspace, provider, host| consents.answer(Path::new(workspace), provider, host);
        assert_eq!(answer("/w", "a", "a.com"), Some(Standing::Always));
        assert_eq!(answer("/w", "a", "evil.com"), None);
        assert_eq!(answer("/w/sub", "a", "a.com"), None);
        assert_eq!(answer("/w", "b", "b.com"), Some(Standing::Never));
        assert_eq!(answer("/w", "b", "other.com"), Some(Standing::Never));
        assert_eq!(answer("/w/sub", "b", "b.com"), Some(Standing::Never));
        // Of a file the latest line holds that is of a place in which it lies.
        let (w, sub) = (PathBuf::from("/w"), PathBuf::from("/w/sub"));
        let both = [w.clone(), sub.clone()];
        let denies = |file: &str, all: &Consents| all.denies(Path::new(file), &both, "b", "b.com");
        assert!(denies("/w/sub/x", &consents) && !denies("/wide/x", &consents));
        let of = |workspace: &PathBuf, answer| Entry {
            workspace: workspace.clone(),
            ..entry("b", "b.com", answer)
        };
        Consents::remember(&path, of(&sub, Standing::Always)).unwrap();
        let later = Consents::read(&path).unwrap();
        assert!(!denies("/w/sub/x", &later) && denies("/w/x", &later));
        Consents::remember(&path, of(&w, Standing::Never)).unwrap();
        assert!(denies("/w/sub/x", &Consents::read(&path).unwrap()));
        // Of a workspace the latest line holds for each provider: `a` may be asked, `b` may not.
        assert!(later.is_private(&w.join("x")) && !later.is_private(&sub.join("x")));
        assert!(!later.is_private(Path::new("/wide")));
        std::fs::write(&path, "consent = 3").unwrap();
        assert!(Consents::read(&path).is_err());
        assert!(Consents::remember(&path, entry("a", "a.com", Standing::Always)).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "consent = 3");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
