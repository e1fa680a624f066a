//! The process ends when its client does, however that ends, and leaves nothing behind.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Client, PATIENCE, PROGRAM, TempFolder, frozen, inline_params, saying, until};

const URI: &str = "file:///a.rs";

async fn working_server() -> Client {
    let client = Client::real_process();
    client.initialize(&["utf-8"]).await;
    client.open(URI, "let first = map.get_or_insert(1);\nlet second = map.\n");
    assert!(client.ghost(URI, 1, 17).await.is_some());
    client
}

async fn exit_code(mut client: Client) -> Option<i32> {
    let mut child = client.child.take().expect("a real process");
    let status = tokio::time::timeout(PATIENCE, child.wait()).await.expect("the process stayed");
    status.expect("a status").code()
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn shutdown_and_exit_are_a_success() {
    let client = working_server().await;
    assert_eq!(client.ask("shutdown", Value::Null).await["result"], Value::Null);
    let refused = client.ask("textDocument/inlineCompletion", inline_params(URI, 0, 0)).await;
    assert_eq!(refused["error"]["code"], -32600, "{refused}");
    client.notify("exit", Value::Null);
    assert_eq!(exit_code(client).await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_takes_any_parameters() {
    for params in [json!(null), json!({}), json!([]), json!("now"), json!({"reason": "bye"})] {
        let client = Client::with_fake(saying("x"));
        client.initialize(&[]).await;
        assert_eq!(client.ask("shutdown", params).await["result"], Value::Null);
        let refused = client.ask("textDocument/inlineCompletion", inline_params(URI, 0, 0)).await;
        assert_eq!(refused["error"]["code"], -32600, "{refused}");
        client.assert_no_faults();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn exit_without_shutdown_is_a_failure() {
    let client = working_server().await;
    client.notify("exit", Value::Null);
    assert_eq!(exit_code(client).await, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_closed_pipe_is_an_end_even_while_the_model_works() {
    let mut client = working_server().await;
    let source = frozen("lib/prompt/finish.rs");
    client.open("file:///b.rs", &source);
    let (_, _answer) = client.inline_completion("file:///b.rs", 150, 0);
    let mut child = client.child.take().expect("a real process");
    let folder = client.home.0.clone();
    client.hang_up().await;
    let status = tokio::time::timeout(PATIENCE, child.wait()).await.expect("the process stayed");
    assert_eq!(status.unwrap().code(), Some(1));
    assert!(!folder.exists(), "the test's own folder is gone");
}

/// The client is a process of its own here, killed with the signal that it can't catch.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_killed_client_takes_the_server_with_it() {
    let home = TempFolder::new();
    // The shell holds the server's input open by a pipe of its own and names itself as the client, as
    // an editor does; `sleep` keeps the pipe open after the shell has been killed, so that only the
    // process id tells the server.
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"processId":PID,"capabilities":{}}}"#;
    let script = format!(
        "body=$(printf '%s' '{body}' | sed \"s/PID/$$/\"); \
         {{ printf 'Content-Length: %s\\r\\n\\r\\n%s' \"${{#body}}\" \"$body\"; exec sleep 600; }} | \
         {{ \"$0\" serve & echo $! > \"$1/pid\"; wait; }}"
    );
    let mut shell = tokio::process::Command::new("sh")
        .arg("-c")
        .arg(&script)
        .arg(PROGRAM)
        .arg(&home.0)
        .env("KEYSIDE_HOME", &home.0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .expect("a shell");
    let group = shell.id().expect("it runs");
    let pid = async || std::fs::read_to_string(home.0.join("pid")).ok()?.trim().parse::<u32>().ok();
    let pid = until(pid).await;
    let process = |id: u32| rustix::process::Pid::from_raw(i32::try_from(id).unwrap()).unwrap();
    let is_alive = || rustix::process::test_kill_process(process(pid)).is_ok();
    assert!(is_alive());
    // Its model is unpacked when it is at work.
    until(async || std::fs::read_dir(home.0.join("cache/models")).ok()?.next()?.ok()).await;
    shell.start_kill().expect("kill -9");
    shell.wait().await.expect("it is gone");
    until(async || (!is_alive()).then_some(())).await;
    // What `sleep` there still is belongs to this test.
    let _ = rustix::process::kill_process_group(process(group), rustix::process::Signal::KILL);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn nothing_is_left_behind_but_the_cache_and_no_source_text_anywhere() {
    let home = TempFolder::new();
    let folder = home.0.clone();
    let mut client = Client::real_process_in(home);
    client.initialize(&[]).await;
    let secret = "let very_private_name = very_private_name.";
    client.open(URI, &format!("fn very_private_name() {{}}\n{secret}"));
    client.ask("textDocument/inlineCompletion", inline_params(URI, 1, secret.len())).await;
    // Whatever goes wrong is logged at the highest level, without the text that it went wrong with.
    client.change(URI, 1, json!([{"text": secret}]));
    client.change("file:///b.rs", 1, json!([{"text": secret}]));
    client.change(URI, 2, json!([{"range": secret, "text": secret}]));
    client.send_body(format!("{{\"{secret}\": ").as_bytes());
    client.send_raw(format!("{secret}\r\n").as_bytes());
    client.ask("textDocument/inlineCompletion", json!({"textDocument": secret})).await;
    client.ask("shutdown", Value::Null).await;
    client.notify("exit", json!(null));
    let mut child = client.child.take().expect("a real process");
    tokio::time::timeout(PATIENCE, child.wait()).await.expect("the process stayed").unwrap();

    let files = all_files(&folder);
    let name = |file: &std::path::Path| file.file_name().unwrap().to_string_lossy().into_owned();
    // The model; the log of this test, because the program itself writes to stderr only; and the ledger.
    let expected = ["keyside-nano-v2-", "stderr.log", "ledger.db"];
    for beginning in expected {
        assert!(
            files.iter().any(|it| name(it).starts_with(beginning)),
            "no {beginning}: {files:?}"
        );
    }
    for file in files {
        let is_expected = expected.iter().any(|it| name(&file).starts_with(it));
        assert!(
            is_expected || file.components().any(|it| it.as_os_str() == "ledger-processes"),
            "{file:?}"
        );
        let bytes = std::fs::read(&file).unwrap();
        let part = b"very_private";
        assert!(!bytes.windows(part.len()).any(|it| it == part), "source text in {}", name(&file));
    }
}

fn all_files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            found.extend(all_files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}
