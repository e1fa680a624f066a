//! What this process gives up for good, so that "nothing leaves the machine" is more than a
//! promise: networks (`network`), files that are not its own (`files`), and what it was given
//! beside its three streams (`descriptors`). The kernel sees to it, in all threads and all
//! children; nothing can take it back, and no privilege is needed.
//!
//! What is left: it reads what its user may read, starts programs (under the same rules), writes to
//! its own folders and to the streams that it was started with, and sends signals. Where a system
//! has nothing of the kind (macOS, Windows), it is the absence of any code that does it
//! (tests/it/tidy.rs), and is called best effort.

#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod network;

mod descriptors;

use std::path::Path;
use std::sync::OnceLock;

pub use descriptors::close_inherited;

/// Whether a rule holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    /// The kernel refuses, and has been tried.
    Enforced,
    /// There is no code here that does it, but nothing would stop it; with the reason.
    BestEffort(&'static str),
}

/// What a process needs.
#[derive(Debug, Clone, Copy)]
pub struct Needs<'a> {
    /// Connections: of the broker alone.
    pub network: bool,
    /// The descriptor of a socket that was made before and on which others may connect; no other
    /// is accepted from, and none can be made.
    pub listener: Option<i32>,
    /// Folders in which it writes; `None`: anywhere, of a command that writes where a person says.
    pub writable: Option<&'a [&'a Path]>,
    /// What must not lie in one of them: the settings and the consent are for a person to write.
    pub protected: &'a [&'a Path],
}

impl Needs<'_> {
    /// Of a process that neither talks nor writes.
    pub const NOTHING: Self =
        Self { network: false, listener: None, writable: Some(&[]), protected: &[] };
}

/// What holds in this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sandbox {
    pub network: Hold,
    pub files: Hold,
}

static STATE: OnceLock<Sandbox> = OnceLock::new();

/// Gives up what is not needed. To be called before anything is read that is not keyside's own, and
/// while there is no other thread: the rule for files holds in the thread that makes it and in
/// those that it starts. Calling it again changes nothing.
pub fn enter(needs: Needs<'_>) -> &'static Sandbox {
    STATE.get_or_init(|| {
        // What makes the second rule is refused by none of the first.
        let files = system::give_up_files(needs);
        Sandbox { network: system::give_up_network(needs.network, needs.listener), files }
    })
}

/// What holds in this process.
pub fn state() -> Sandbox {
    const NOT_ASKED: Hold = Hold::BestEffort("this program did not ask for more");
    STATE.get().cloned().unwrap_or(Sandbox { network: NOT_ASKED, files: NOT_ASKED })
}

impl Sandbox {
    /// As it is said to people, in `doctor`, `keyside/status` and the log.
    pub fn network_sentence(&self) -> String {
        sentence("offline", &self.network)
    }

    /// The same of files.
    pub fn files_sentence(&self) -> String {
        sentence("files", &self.files)
    }

    /// Why not all holds that could; `None` where it does.
    pub fn shortfall(&self) -> Option<String> {
        let both = [("offline", &self.network), ("files", &self.files)];
        let missing: Vec<String> = both
            .into_iter()
            .filter(|(_, hold)| **hold != Hold::Enforced)
            .map(|(name, hold)| sentence(name, hold))
            .collect();
        (!missing.is_empty()).then(|| missing.join("; "))
    }
}

fn sentence(name: &str, hold: &Hold) -> String {
    match hold {
        Hold::Enforced => format!("{name}: enforced"),
        Hold::BestEffort(reason) => format!("{name}: best effort ({reason})"),
    }
}

#[cfg(target_os = "linux")]
mod system {
    pub(super) use super::files::give_up as give_up_files;
    pub(super) use super::network::give_up as give_up_network;
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{Hold, Needs};

    const NOTHING: &str = "this system has no way for a program to give that up";

    pub(super) fn give_up_network(_: bool, _: Option<i32>) -> Hold {
        Hold::BestEffort(NOTHING)
    }

    pub(super) fn give_up_files(_: Needs<'_>) -> Hold {
        Hold::BestEffort(NOTHING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_hold_is_said_with_its_reason() {
        let mut sandbox = Sandbox { network: Hold::Enforced, files: Hold::Enforced };
        assert_eq!(sandbox.shortfall(), None);
        assert_eq!(sandbox.network_sentence(), "offline: enforced");
        sandbox.files = Hold::BestEffort("why");
        assert_eq!(sandbox.shortfall().as_deref(), Some("files: best effort (why)"));
    }
}
