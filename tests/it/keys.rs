//! `keyside cloud`: keys are put in place and looked for, and never shown.

use std::process::Output;

use crate::support::{TempFolder, keyside, run};

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
    let mut command = keyside(&home.0, &[&["cloud"][..], arguments].concat());
    let no_bus = format!("unix:path={}", home.0.join("no-bus").display());
    command
        .env("KEYSIDE_TEST_KEY", "sk-in-the-environment")
        .env("DBUS_SESSION_BUS_ADDRESS", no_bus);
    run(command, input)
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

/// What a program holds that must not be there: nothing of it is in any of its memory.
#[cfg(target_os = "linux")]
fn holds(process_id: u32, text: &str) -> Vec<String> {
    use std::os::unix::fs::FileExt;
    let process = std::path::PathBuf::from(format!("/proc/{process_id}"));
    let memory = std::fs::File::open(process.join("mem")).unwrap();
    let maps = std::fs::read_to_string(process.join("maps")).unwrap();
    let (mut n_bytes, mut found) = (0, vec![]);
    for line in maps.lines() {
        let (range, rest) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let [start, end] = [start, end].map(|it| u64::from_str_radix(it, 16).unwrap());
        let mut bytes = vec![0; (end - start) as usize];
        // The kernel's own pages can't be read.
        if !rest.starts_with('r') || memory.read_exact_at(&mut bytes, start).is_err() {
            continue;
        }
        n_bytes += bytes.len();
        if bytes.windows(text.len()).any(|it| it == text.as_bytes()) {
            found.push(line.to_owned());
        }
    }
    assert!(n_bytes > 10 << 20, "only {n_bytes} bytes could be read");
    found
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_environment_is_the_brokers_and_not_in_the_servers_memory() {
    use crate::provider::{Answer, Provider};
    use crate::support::{Client, until};

    // Put together here, so that it is in no program's text.
    let key = ["sk-of", "-the", "-environment"].concat();
    let says = Answer::Says { text: "It adds.".to_owned(), input_tokens: 3, output_tokens: 3 };
    let provider = Provider::start(says).await;
    let home = TempFolder::new();
    let settings =
        provider.settings("").replace("auth = \"none\"", "key = \"env:KEYSIDE_TEST_KEY\"");
    let folders = home.folders();
    std::fs::create_dir_all(&folders.config).unwrap();
    std::fs::write(folders.config_file(), settings).unwrap();
    let mut command = keyside(&home.0, &["serve"]);
    command.env("KEYSIDE_TEST_KEY", &key);
    let client = Client::started(command, home);
    client.initialize(&["utf-8"]).await;
    client.open("file:///a.rs", "fn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n");
    *client.person.lock().unwrap() = Box::new(|_| serde_json::json!({"title": "Send once"}));
    let at = serde_json::json!({"line": 1, "character": 4});
    let argument = serde_json::json!({"uri": "file:///a.rs", "range": {"start": at, "end": at}});
    let command = serde_json::json!({"command": "keyside.explain", "arguments": [argument]});
    client.ask("workspace/executeCommand", command).await;
    let request = until(async || provider.requests().pop()).await;
    assert!(request.head.contains(&key), "the broker has the key: {}", request.head);

    let server = client.child.as_ref().unwrap().id().unwrap();
    let environment = std::fs::read(format!("/proc/{server}/environ")).unwrap();
    assert!(environment.windows(12).any(|it| it == b"KEYSIDE_HOME"), "the environment is read");
    assert_eq!(holds(server, &key), Vec::<String>::new());
    // And the way of looking finds what is there.
    assert_ne!(holds(server, "KEYSIDE_HOME="), Vec::<String>::new());
}
