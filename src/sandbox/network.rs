//! Calls: a seccomp filter (Linux 3.17 and later) answers "not permitted" to those that reach a
//! network or another process.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use crate::sandbox::Hold;

/// Calls of the same name for programs with 32-bit pointers have this bit in their number (x86-64's
/// x32).
#[cfg(target_arch = "x86_64")]
const X32: libc::c_long = 0x4000_0000;

/// The way into another process: its memory and its descriptors, and the kernel's own ways to make
/// calls or to start programs.
const OTHERS: &[libc::c_long] = &[
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_pidfd_getfd,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
];

/// Making a socket, and making one of the standard streams, should it be one, talk to somebody
/// else. Unix sockets are among them, because a proxy or a container's daemon may listen on one.
const SOCKETS: &[libc::c_long] =
    &[libc::SYS_socket, libc::SYS_connect, libc::SYS_bind, libc::SYS_listen];

/// Of a socket's type, the part that says which it is.
const SOCKET_TYPE_MASK: u64 = 0xf;

/// Taking a connection that somebody else has made.
const ACCEPTING: &[libc::c_long] = &[libc::SYS_accept, libc::SYS_accept4];

pub(super) fn give_up(keeps_network: bool, listener: Option<i32>) -> Hold {
    match refuse(keeps_network, listener) {
        _ if keeps_network => Hold::BestEffort("this process has a network, as it is for"),
        Ok(()) if is_refused() => Hold::Enforced,
        Ok(()) => Hold::BestEffort("the system took the rule and does not follow it"),
        Err(reason) => Hold::BestEffort(reason),
    }
}

fn refuse(keeps_network: bool, listener: Option<i32>) -> Result<(), &'static str> {
    let faulty = "the rule could not be made; please report this";
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    let mut calls = OTHERS.to_vec();
    if !keeps_network {
        calls.extend(SOCKETS);
        for call in ACCEPTING {
            let rule = listener.map(at_others).transpose().map_err(|_| faulty)?;
            rules.insert(*call, rule.unwrap_or_default());
        }
        rules.insert(libc::SYS_socketpair, other_pairs().map_err(|_| faulty)?);
    }
    rules.insert(libc::SYS_ioctl, typing().map_err(|_| faulty)?);
    // Without a condition a call is refused whatever it is given.
    rules.extend(calls.into_iter().map(|it| (it, vec![])));
    #[cfg(target_arch = "x86_64")]
    for (call, rule) in rules.clone() {
        rules.insert(call | X32, rule);
    }
    let arch = TargetArch::try_from(std::env::consts::ARCH)
        .map_err(|_| "no rule is known for this processor")?;
    let not_permitted = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let program = SeccompFilter::new(rules, SeccompAction::Allow, not_permitted, arch)
        .and_then(BpfProgram::try_from)
        .map_err(|_| faulty)?;
    seccompiler::apply_filter_all_threads(&program)
        .map_err(|_| "this system's kernel refuses seccomp filters")
}

/// Pairs of sockets but connected Unix streams, which reach nobody: one of datagrams can be sent
/// from to any other socket.
fn other_pairs() -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let condition =
        |argument, how, value| SeccompCondition::new(argument, SeccompCmpArgLen::Dword, how, value);
    let unix = u64::from(libc::AF_UNIX.unsigned_abs());
    let stream = u64::from(libc::SOCK_STREAM.unsigned_abs());
    let is_type = |it| condition(1, SeccompCmpOp::MaskedEq(SOCKET_TYPE_MASK), it);
    let others = (0..=SOCKET_TYPE_MASK).filter(|it| *it != stream).map(is_type);
    std::iter::once(condition(0, SeccompCmpOp::Ne, unix))
        .chain(others)
        .map(|it| SeccompRule::new(vec![it?]))
        .collect()
}

/// Any descriptor but this one.
fn at_others(listener: i32) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let listener = u64::from(listener.unsigned_abs());
    let is_other = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, listener)?;
    Ok(vec![SeccompRule::new(vec![is_other])?])
}

/// Typing into the terminal as if a person did, which runs what is typed there.
fn typing() -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    [libc::TIOCSTI, libc::TIOCLINUX]
        .into_iter()
        .map(|it| {
            let request = u64::from(it as u32);
            let is = SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, request)?;
            SeccompRule::new(vec![is])
        })
        .collect()
}

/// Tries to make sockets, connected to nothing, and closes them again.
fn is_refused() -> bool {
    use std::io::ErrorKind::PermissionDenied;
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
    use std::os::unix::net::UnixDatagram;
    let refused = |tried: std::io::Result<()>| tried.is_err_and(|it| it.kind() == PermissionDenied);
    refused(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map(drop))
        && refused(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map(drop))
        && refused(TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).map(drop))
        && refused(UnixDatagram::pair().map(drop))
}
