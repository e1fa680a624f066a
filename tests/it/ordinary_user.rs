//! Programs that a user runs who is not root, whoever runs the tests.
#![cfg(unix)]

use std::hash::{Hash, Hasher};
use std::path::PathBuf;

use crate::support::TempFolder;

/// A command that a user who is not root runs, with a home of their own, whoever runs the tests.
pub fn as_ordinary_user(program: &str, home: &TempFolder) -> std::process::Command {
    use std::os::unix::process::CommandExt;
    // Another one for each home, so that nothing else counts for their limits: not what other tests
    // run at the same time either.
    let mut hasher = std::hash::DefaultHasher::new();
    home.0.hash(&mut hasher);
    let user = 50_000 + (hasher.finish() % 10_000) as u32;
    let mut command = std::process::Command::new(program);
    if rustix::process::getuid().is_root() {
        // The program is a link to what was built, which stays its builder's.
        let owned = std::process::Command::new("find")
            .arg(&home.0)
            .args(["-name", "program", "-prune", "-o", "-exec", "chown", "-h"])
            .args([&format!("{user}:{user}"), "{}", "+"])
            .status();
        assert!(owned.expect("chown").success());
        command.uid(user).gid(user);
    }
    command
}

/// The program where everybody may run it: the tests may lie where only their owner may look. A link, because a copy that
/// another test's new process still holds open can't be run.
pub fn program_in(home: &TempFolder, program: &str) -> PathBuf {
    let copy = home.0.join("program").join("keyside");
    std::fs::create_dir_all(copy.parent().expect("a folder")).expect("a folder");
    if std::fs::hard_link(program, &copy).is_err() {
        std::fs::copy(program, &copy).expect("a copy");
    }
    copy
}
