//! What the server can't do: tried from within its sandbox, by a program that does nothing else, as a user who is not root; and
//! watched from outside.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::json;

use crate::escalation::{SOURCE, Scene, says};
use crate::ordinary_user::{as_ordinary_user, program_in};
use crate::provider::Provider;
use crate::support::{Client, PROGRAM, TempFolder, keyside, run, until};

const HOME: &str = "KEYSIDE_HOME";
const TARGET: &str = "KEYSIDE_TEST_TARGET";
/// Of a descriptor that another program has left open.
const INHERITED: i32 = 9;

/// What a call came to: `ok` or the name of its error.
fn of(result: i64) -> String {
    if result >= 0 {
        return "ok".to_owned();
    }
    match std::io::Error::last_os_error().raw_os_error().unwrap_or_default() {
        libc::EPERM => "EPERM".to_owned(),
        libc::EACCES => "EACCES".to_owned(),
        libc::EBADF => "EBADF".to_owned(),
        other => other.to_string(),
    }
}

fn call(number: libc::c_long, arguments: [usize; 5]) -> String {
    let [a, b, c, d, e] = arguments;
    // SAFETY: what each call is given here is either a number or a pointer to something that outlives it.
    of(unsafe { libc::syscall(number, a, b, c, d, e) })
}

fn file(result: std::io::Result<()>) -> String {
    match result.map_err(|it| it.raw_os_error().unwrap_or_default()) {
        Ok(()) => "ok".to_owned(),
        Err(libc::EACCES) => "EACCES".to_owned(),
        Err(libc::EXDEV) => "EXDEV".to_owned(),
        Err(other) => other.to_string(),
    }
}

/// Tries everything, in whatever process this is.
fn tries(home: &Path, target: i32, listener: Option<usize>) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut add = |name: &str, came_to: String| all.insert(name.to_owned(), came_to);
    let mut pair = [0_i32; 2];
    for (name, kind) in [
        ("stream", libc::SOCK_STREAM),
        ("stream with flags", libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK),
        ("datagram", libc::SOCK_DGRAM),
        ("datagram with flags", libc::SOCK_DGRAM | libc::SOCK_CLOEXEC),
        ("seqpacket", libc::SOCK_SEQPACKET),
    ] {
        let pair = pair.as_mut_ptr() as usize;
        add(&format!("pair {name}"), call(libc::SYS_socketpair, [1, kind as usize, 0, pair, 0]));
    }
    let of_network =
        [libc::AF_TIPC as usize, libc::SOCK_STREAM as usize, 0, pair.as_mut_ptr() as usize, 0];
    add("pair of a network", call(libc::SYS_socketpair, of_network));
    for (name, domain) in [
        ("unix", libc::AF_UNIX),
        ("inet", libc::AF_INET),
        ("inet6", libc::AF_INET6),
        ("netlink", libc::AF_NETLINK),
    ] {
        add(
            &format!("socket {name}"),
            call(libc::SYS_socket, [domain as usize, libc::SOCK_DGRAM as usize, 0, 0, 0]),
        );
    }
    let (user, name, text) = (CString::new("user").unwrap(), CString::new("k").unwrap(), [0_u8; 1]);
    let (user, name) = (user.as_ptr() as usize, name.as_ptr() as usize);
    add(
        "add_key",
        call(libc::SYS_add_key, [user, name, text.as_ptr() as usize, 1, -2_isize as usize]),
    );
    add("request_key", call(libc::SYS_request_key, [user, name, 0, 0, 0]));
    add("keyctl", call(libc::SYS_keyctl, [0, -2_isize as usize, 0, 0, 0]));
    add("io_uring", call(libc::SYS_io_uring_setup, [1, 0, 0, 0, 0]));
    add("ptrace", call(libc::SYS_ptrace, [libc::PTRACE_ATTACH as usize, target as usize, 0, 0, 0]));
    let part = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
    let part = &raw const part as usize;
    for (name, number) in [
        ("process_vm_writev", libc::SYS_process_vm_writev),
        ("process_vm_readv", libc::SYS_process_vm_readv),
    ] {
        add(name, call(number, [target as usize, part, 1, part, 1]));
    }
    add(
        "typing into the terminal",
        call(libc::SYS_ioctl, [0, libc::TIOCSTI as usize, text.as_ptr() as usize, 0, 0]),
    );
    add(
        "inherited socket",
        call(libc::SYS_write, [INHERITED as usize, text.as_ptr() as usize, 1, 0, 0]),
    );
    let writing =
        |path: PathBuf| file(std::fs::OpenOptions::new().write(true).open(path).map(drop));
    let making = |path: PathBuf| file(std::fs::File::create(path).map(drop));
    add("memory of another process", writing(format!("/proc/{target}/mem").into()));
    for name in ["config.toml", "consent.toml", "outside"] {
        add(&format!("write {name}"), writing(home.join(name)));
    }
    let empty = CString::new(home.join("config.toml").to_str().unwrap()).unwrap();
    add("empty config.toml", call(libc::SYS_truncate, [empty.as_ptr() as usize, 1_000, 0, 0, 0]));
    let flags = libc::O_RDONLY | libc::O_TRUNC;
    add(
        "open to empty config.toml",
        call(
            libc::SYS_openat,
            [libc::AT_FDCWD as usize, empty.as_ptr() as usize, flags as usize, 0, 0],
        ),
    );
    add("make beside it", making(home.join("new")));
    add(
        "make in the temporary folder",
        making(std::env::temp_dir().join(format!("keyside-probe-{target}"))),
    );
    add("make a folder", file(std::fs::create_dir(home.join("folder"))));
    add("remove", file(std::fs::remove_file(home.join("outside"))));
    for folder in ["data", "cache"] {
        let at = |name: &str| home.join(folder).join(name);
        add(&format!("make in {folder}"), making(at("new")));
        add(&format!("rename in {folder}"), file(std::fs::rename(at("new"), at("named"))));
        add(
            &format!("rename out of {folder}"),
            file(std::fs::rename(at("named"), home.join("config.toml"))),
        );
        add(
            &format!("link config.toml into {folder}"),
            file(std::fs::hard_link(home.join("config.toml"), at("link"))),
        );
        std::os::unix::fs::symlink(home.join("config.toml"), at("symlink")).unwrap();
        add(&format!("write by a link in {folder}"), writing(at("symlink")));
    }
    add("read", file(std::fs::read(home.join("config.toml")).map(drop)));
    if let Some(listener) = listener {
        let accept = |from: usize| call(libc::SYS_accept4, [from, 0, 0, 0, 0]);
        add("accept from the listener, of whom there is none", accept(listener));
        // SAFETY: a descriptor is copied.
        add("accept from another", accept(unsafe { libc::dup(listener as i32) } as usize));
        add("connect the listener", call(libc::SYS_connect, [listener, 0, 0, 0, 0]));
        add("listen on it again", call(libc::SYS_listen, [listener, 1, 0, 0, 0]));
    }
    all
}

#[test]
#[ignore = "runs inside of the sandbox, started by the tests below"]
fn probe() {
    #[expect(clippy::disallowed_methods, reason = "how the test outside tells what it is about")]
    let variable = |name: &str| std::env::var(name).ok();
    let (home, target) = (variable(HOME).unwrap(), variable(TARGET).unwrap());
    let listener = variable("KEYSIDE_LISTENER").map(|it| it.parse().unwrap());
    let all = tries(Path::new(&home), target.parse().unwrap(), listener);
    std::fs::write(Path::new(&home).join("data/tries"), json!(all).to_string()).unwrap();
}

/// What the probe came to, where `before` is what starts it.
fn probed(before: &[&str]) -> BTreeMap<String, String> {
    let home = TempFolder::new();
    for name in ["config.toml", "consent.toml", "outside"] {
        std::fs::write(home.0.join(name), "").unwrap();
    }
    for folder in ["data", "cache"] {
        std::fs::create_dir_all(home.0.join(folder)).unwrap();
    }
    let keyside = program_in(&home, PROGRAM);
    let probe = home.0.join("program/probe");
    let own = std::env::current_exe().unwrap();
    if std::fs::hard_link(&own, &probe).is_err() {
        std::fs::copy(&own, &probe).unwrap();
    }
    let mut target = as_ordinary_user("sleep", &home).arg("600").spawn().unwrap();
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let connection = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let descriptor = connection.as_raw_fd();
    let words: Vec<&Path> = before
        .iter()
        .map(|it| if *it == "keyside" { &*keyside } else { Path::new(it) })
        .chain([&*probe])
        .collect();
    let mut command = as_ordinary_user(words[0].to_str().unwrap(), &home);
    command.args(&words[1..]).args(["--ignored", "--exact", "sandbox::probe"]);
    command.env(HOME, &home.0).env(TARGET, target.id().to_string()).stdin(Stdio::null());
    // SAFETY: a call that may be made between fork and exec.
    unsafe {
        command.pre_exec(move || match libc::dup2(descriptor, INHERITED) {
            INHERITED => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
    let output = command.output().unwrap();
    target.kill().unwrap();
    target.wait().unwrap();
    let said = std::fs::read_to_string(home.0.join("data/tries"));
    serde_json::from_str(&said.unwrap_or_else(|_| panic!("{output:?}"))).unwrap()
}

#[test]
fn a_process_that_listens_can_accept_there_and_nothing_more() {
    let held = probed(&["keyside", "in-sandbox"]);
    let listening = probed(&["keyside", "in-sandbox", "--listening"]);
    let more: Vec<_> = listening.iter().filter(|(name, _)| !held.contains_key(*name)).collect();
    // 11: there is nothing to be accepted yet.
    assert_eq!(
        more.iter().map(|(name, came_to)| format!("{name}: {came_to}")).collect::<Vec<_>>(),
        [
            "accept from another: EPERM",
            "accept from the listener, of whom there is none: 11",
            "connect the listener: EPERM",
            "listen on it again: EPERM",
        ]
    );
    assert!(held.iter().all(|(name, came_to)| listening.get(name) == Some(came_to)));
}

#[test]
fn the_kernel_refuses_what_the_server_has_no_use_for() {
    let free = probed(&[]);
    let held = probed(&["keyside", "in-sandbox"]);
    let mut report = String::new();
    for (name, came_to) in &held {
        report.push_str(&format!("{name}: {came_to}\n"));
    }
    expect_test::expect![[r#"
        add_key: EPERM
        empty config.toml: EACCES
        inherited socket: EBADF
        io_uring: EPERM
        keyctl: EPERM
        link config.toml into cache: EXDEV
        link config.toml into data: EXDEV
        make a folder: EACCES
        make beside it: EACCES
        make in cache: ok
        make in data: ok
        make in the temporary folder: EACCES
        memory of another process: EACCES
        open to empty config.toml: EACCES
        pair datagram: EPERM
        pair datagram with flags: EPERM
        pair of a network: EPERM
        pair seqpacket: EPERM
        pair stream: ok
        pair stream with flags: ok
        process_vm_readv: EPERM
        process_vm_writev: EPERM
        ptrace: EPERM
        read: ok
        remove: EACCES
        rename in cache: ok
        rename in data: ok
        rename out of cache: EACCES
        rename out of data: EACCES
        request_key: EPERM
        socket inet: EPERM
        socket inet6: EPERM
        socket netlink: EPERM
        socket unix: EPERM
        typing into the terminal: EPERM
        write by a link in cache: EACCES
        write by a link in data: EACCES
        write config.toml: EACCES
        write consent.toml: EACCES
        write outside: EACCES
    "#]]
    .assert_eq(&report);
    // Most of it is not refused without: what depends on the machine's own rules is left out.
    for name in [
        "pair datagram",
        "socket unix",
        "socket inet",
        "inherited socket",
        "write config.toml",
        "empty config.toml",
        "make beside it",
        "make a folder",
        "make in the temporary folder",
        "rename out of data",
        "write by a link in cache",
    ] {
        assert_eq!(free[name], "ok", "{name}");
        assert_ne!(held[name], "ok", "{name}");
    }
}

/// Names of what the real server has open.
fn descriptors(id: u32) -> Vec<String> {
    let entries = std::fs::read_dir(format!("/proc/{id}/fd")).unwrap().flatten();
    entries
        .filter_map(|it| Some(std::fs::read_link(it.path()).ok()?.to_string_lossy().into_owned()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_keeps_nothing_that_it_was_given_beside_its_streams() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let descriptor = listener.as_raw_fd();
    let home = TempFolder::new();
    let mut command = keyside(&home.0, &["serve"]);
    // SAFETY: a call that may be made between fork and exec.
    unsafe {
        command.pre_exec(move || match libc::dup2(descriptor, INHERITED) {
            INHERITED => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
    let client = Client::started(command, home);
    client.initialize(&["utf-8"]).await;
    client.model_ready().await;
    let id = client.child.as_ref().unwrap().id().unwrap();
    let open = descriptors(id);
    // The runtime wakes itself by a pair of connected streams, in builds that have its signals.
    let n_sockets = open.iter().filter(|it| it.starts_with("socket:")).count();
    let n_tcp = std::fs::read_to_string(format!("/proc/{id}/net/tcp")).unwrap().lines().count();
    assert!(n_sockets <= 3 && n_tcp > 0, "{open:?}");
    let inode = format!("socket:[{}]", socket_of(std::process::id(), descriptor));
    assert!(!open.contains(&inode), "{open:?}");
}

fn socket_of(id: u32, descriptor: i32) -> String {
    let link = std::fs::read_link(format!("/proc/{id}/fd/{descriptor}")).unwrap();
    let name = link.to_str().unwrap();
    name.trim_start_matches("socket:[").trim_end_matches(']').to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn consent_is_written_by_a_process_that_writes_nothing_else() {
    let provider = Provider::start(says("It multiplies.")).await;
    let scene = Scene::new(&provider.settings(""), SOURCE).await;
    scene.answers(&["Always for this workspace"]);
    scene.choose("keyside.explain").await;
    scene.over().await;
    let consent = std::fs::read_to_string(scene.client.home.folders().consent_file()).unwrap();
    assert!(consent.contains(scene.workspace.to_str().unwrap()), "{consent}");
    let server = scene.client.child.as_ref().unwrap().id().unwrap();
    let children = format!("/proc/{server}/task/{server}/children");
    let children = std::fs::read_to_string(children).unwrap();
    let mut helpers = Vec::new();
    for id in children.split_whitespace() {
        let line = std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        assert!(status.contains("Seccomp:\t2\n") && status.contains("NoNewPrivs:\t1\n"), "{line}");
        helpers.push(line.split('\0').nth(1).unwrap_or_default().to_owned());
    }
    helpers.sort();
    assert_eq!(helpers, ["broker", "keep-consent"]);
    // Asked no more, and nothing else was changed.
    scene.answers(&[]);
    scene.choose("keyside.explain").await;
    until(async || (provider.requests().len() == 2).then_some(())).await;
    let settings = std::fs::read_to_string(scene.client.home.folders().config_file()).unwrap();
    assert_eq!(settings, provider.settings(""));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_has_to_hold_and_does_not_the_server_does_not_start() {
    // Settings in a folder that keyside writes to can't be kept from it.
    let home = TempFolder::new();
    let start = |required: bool| {
        let folder = home.0.join("keyside");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("config.toml"), format!("sandbox.required = {required}\n"))
            .unwrap();
        let mut command = keyside(&home.0, &["serve"]);
        command.env_remove(HOME);
        for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"] {
            command.env(name, &home.0);
        }
        let output = run(command, "");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = start(true);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("sandbox.required is set") && said.contains("files: best effort ("),
        "{said}"
    );
    let (code, said) = start(false);
    // It started, and its client is gone at once.
    assert_eq!((code, said.as_str()), (Some(1), ""));
}
