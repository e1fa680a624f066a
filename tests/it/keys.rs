//! `keyside cloud`: keys are put in place and looked for, and never shown.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::support::TempFolder;

const SETTINGS: &str = r#"
[cloud]
enabled = true
[[cloud.providers]]
name = "ring"
protocol = "anthropic-messages"
model = "claude-sonnet-5-5"
[[cloud.providers]]
name = "variable"
protocol = "openai-chat"
base_url = "https://example.com"
key = "env:KEYSIDE_TEST_KEY"
model = "a-model-that-nobody-knows"
[[cloud.providers]]
name = "here"
protocol = "openai-chat"
base_url = "http://localhost:11434"
auth = "none"
model = "qwen"
"#;

/// Runs `keyside cloud` where no keyring can be reached.
fn cloud(arguments: &[&str], input: &str) -> Output {
    let home = TempFolder::new();
    std::fs::write(home.0.join("config.toml"), SETTINGS).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_keyside"))
        .arg("cloud")
        .args(arguments)
        .env("KEYSIDE_HOME", &home.0)
        .env("KEYSIDE_TEST_KEY", "sk-in-the-environment")
        .env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", home.0.join("no-bus").display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads nothing may be gone by now.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn status_tells_where_text_would_go_and_shows_no_key() {
    let output = cloud(&["status"], "");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && !text.contains("sk-in"), "{text}");
    for expected in [
        "* ring: claude-sonnet-5-5 at api.anthropic.com:443\n    the system's keyring can't be used (",
        "  variable: a-model-that-nobody-knows at example.com:443\n    the key is there\n    no price is known",
        "  here: qwen at localhost:11434\n    no key is needed\n    no price, as it is on this machine",
    ] {
        assert!(text.contains(expected), "{text}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_keyring_the_alternative_is_named_and_the_key_is_not() {
    let output = cloud(&["login", "ring"], "sk-piped-in\n");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && text.contains("env:VARIABLE"), "{text}");
    assert!(!text.contains("sk-piped"), "{text}");
}

#[test]
fn what_is_no_key_for_the_keyring_is_refused() {
    for (arguments, input, expected) in [
        (&["login", "nobody"][..], "x", "has no provider nobody (it has: ring, variable, here)"),
        (&["login", "variable"], "x", "is read from the environment variable KEYSIDE_TEST_KEY"),
        (&["login", "here"], "x", "is asked without a key"),
        (&["login", "ring"], "sk two words", "has blanks or special characters in it"),
        (&["login", "ring"], "", "the key is empty"),
        (&["login", "ring", "sk-on-the-command-line"], "", "unexpected argument"),
    ] {
        let output = cloud(arguments, input);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains(expected), "{text}");
    }
}
