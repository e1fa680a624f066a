//! The kernel's refusal of any network to this process: what makes "nothing leaves the machine" more than a promise.
//!
//! A seccomp filter (Linux 3.17 and later) answers `socket` with "not permitted" in all threads there are and will be, and
//! in all children; nothing can take it back. Unix sockets are refused as well, because a proxy or a container's daemon
//! may listen on one. The ways around `socket` are closed too: `io_uring`, taking another process's descriptor, and making another process do it.
//! What the process was given at its start, standard input and output, it keeps. Other systems have no equal, so there it
//! is the absence of any code that opens a connection (tests/it/tidy.rs), and is called best effort.

use std::sync::OnceLock;

/// What stands between this process and a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offline {
    /// The kernel refuses, and has been tried.
    Enforced,
    /// No code here opens a connection, but nothing would stop it; with the reason.
    BestEffort(&'static str),
}

impl Offline {
    /// As it is said to people, in `doctor`, `keyside/status` and the log.
    pub fn sentence(&self) -> String {
        match self {
            Self::Enforced => "offline: enforced".to_owned(),
            Self::BestEffort(reason) => format!("offline: best effort ({reason})"),
        }
    }
}

static STATE: OnceLock<Offline> = OnceLock::new();

/// Gives up the network for this process and all its children, for good. To be called before anything is read that is not
/// keyside's own. Calling it again changes nothing.
pub fn give_up_network() -> &'static Offline {
    STATE.get_or_init(|| match system::refuse() {
        Ok(()) if is_refused() => Offline::Enforced,
        Ok(()) => Offline::BestEffort("the system took the rule and does not follow it"),
        Err(reason) => Offline::BestEffort(reason),
    })
}

/// What holds in this process.
pub fn state() -> Offline {
    STATE.get().cloned().unwrap_or(Offline::BestEffort("this program did not ask for more"))
}

/// Tries to make sockets, connected to nothing, and closes them again.
fn is_refused() -> bool {
    use std::io::ErrorKind::PermissionDenied;
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
    let refused = |tried: std::io::Result<()>| tried.is_err_and(|it| it.kind() == PermissionDenied);
    refused(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map(drop))
        && refused(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map(drop))
        && refused(TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).map(drop))
}

#[cfg(target_os = "linux")]
mod system {
    use std::collections::BTreeMap;

    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

    /// Calls of the same name for programs with 32-bit pointers have this bit in their number (x86-64's x32).
    #[cfg(target_arch = "x86_64")]
    const X32: libc::c_long = 0x4000_0000;

    pub(super) fn refuse() -> Result<(), &'static str> {
        let calls = [
            libc::SYS_socket,
            libc::SYS_io_uring_setup,
            libc::SYS_io_uring_enter,
            libc::SYS_io_uring_register,
            libc::SYS_pidfd_getfd,
            libc::SYS_ptrace,
            libc::SYS_process_vm_writev,
        ];
        #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut))]
        let mut rules: BTreeMap<i64, Vec<_>> = calls.iter().map(|it| (*it, vec![])).collect();
        #[cfg(target_arch = "x86_64")]
        rules.extend(calls.iter().map(|it| (*it | X32, vec![])));
        let arch = TargetArch::try_from(std::env::consts::ARCH)
            .map_err(|_| "no rule is known for this processor")?;
        let not_permitted = SeccompAction::Errno(libc::EPERM.unsigned_abs());
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, not_permitted, arch);
        let program = filter
            .and_then(BpfProgram::try_from)
            .map_err(|_| "the rule could not be made; please report this")?;
        seccompiler::apply_filter_all_threads(&program)
            .map_err(|_| "this system's kernel refuses seccomp filters")
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) fn refuse() -> Result<(), &'static str> {
        Err("this system has no way for a program to give its network up")
    }
}
