//! The tests of the plugin once more, in Neovim 0.11, which has no inline completion of its own.
//!
//! One of them alone: `KEYSIDE_TEST_NVIM=target/editors/nvim-0.11 cargo test --test it nvim_keys::`.
#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Tests whose names hold "nvim" and that are not about what the plugin does in a buffer.
const ELSEWHERE: &[&str] = &["nvim_0_11::", "nvim_layouts::"];

#[test]
#[cfg_attr(
    not(all(feature = "llama", target_os = "linux", target_arch = "x86_64")),
    ignore = "needs the built-in model, and a Neovim 0.11, which is to be had for Linux on x86-64"
)]
fn they_pass_as_well() {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/editors/nvim-0.11");
    let program = std::env::var_os("KEYSIDE_TEST_NVIM_0_11").map_or(fetched, PathBuf::from);
    let version = Command::new(&program).arg("--version").output().map(|it| it.stdout);
    assert!(
        version.is_ok_and(|it| it.starts_with(b"NVIM v0.11.")),
        "there is no Neovim 0.11 to test with: run `cargo xtask test`, which fetches one, or have \
         its path in KEYSIDE_TEST_NVIM_0_11"
    );
    let mut tests = Command::new(std::env::current_exe().expect("this program's path"));
    tests.args(["nvim", "--test-threads=2"]).env("KEYSIDE_TEST_NVIM", &program);
    for name in ELSEWHERE {
        tests.args(["--skip", name]);
    }
    let output = tests.stdin(Stdio::null()).output().expect("run the tests");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let n_passed = said.matches("... ok\n").count();
    assert!(n_passed >= 25, "{n_passed} tests ran:\n{said}");
}
