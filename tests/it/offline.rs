//! No connection to a network: what the kernel says of the real program, watched from outside.
#![cfg(target_os = "linux")]

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::provider::{Answer, Provider};
use crate::support::{Client, PATIENCE, PROGRAM, TempFolder, keyside, repository, run, until};

const URI: &str = "file:///a.rs";

/// Types three lines and takes what is suggested, as a person would; returns how often there was something.
async fn type_and_accept(client: &Client) -> usize {
    client.open(URI, "fn sum(values: &[u32]) -> u32 {\n    let mut total = 0;\n\n}\n");
    let (mut version, mut column, mut shown) = (2, 0, 0);
    for key in "    for value in values.iter() { total += value; }".chars() {
        client.type_at(URI, version, 2, column, &key.to_string());
        (version, column) = (version + 1, column + 1);
        shown += usize::from(client.ghost(URI, 2, column).await.is_some());
    }
    client.ask("workspace/executeCommand", json!({"command": "keyside.accepted"})).await;
    shown
}

/// The calls of a file that strace wrote, each in one line with what the kernel said. Where threads
/// call at the same time, strace writes a call in two halves. One that never came back stays half.
fn calls(trace_file: &Path) -> Vec<String> {
    let trace = std::fs::read_to_string(trace_file).unwrap();
    let (mut calls, mut begun) = (Vec::new(), HashMap::new());
    for line in trace.lines() {
        let (id, call) = line.split_once(' ').unwrap();
        if let Some(first_half) = line.strip_suffix("<unfinished ...>") {
            begun.insert(id, first_half);
        } else if call.trim_start().starts_with("<... ")
            && let Some(first_half) = begun.remove(id)
        {
            let (_, second_half) = call.split_once(" resumed>").unwrap();
            calls.push(format!("{first_half}{second_half}"));
        } else {
            calls.push(line.to_owned());
        }
    }
    calls.extend(begun.into_values().map(ToOwned::to_owned));
    calls
}

/// Those that made a socket.
fn sockets(calls: &[String]) -> Vec<&str> {
    let made = |it: &&String| it.contains(" socket(") || it.contains("io_uring");
    calls.iter().filter(made).map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn no_socket_is_made_by_any_thread_or_child_through_a_typing_run() {
    let home = TempFolder::new();
    // A model of the user's, so that the child that tries it is watched as well.
    let model = home.0.join("model.gguf");
    std::fs::copy(repository("model/keyside-nano-v1.gguf"), &model).unwrap();
    let config = format!("[model]\npath = {:?}\n", model.to_str().unwrap());
    let folders = home.folders();
    std::fs::create_dir_all(folders.config_file().parent().unwrap()).unwrap();
    std::fs::write(folders.config_file(), config).unwrap();
    let trace_file = home.0.join("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", "trace=%network,io_uring_setup", "-o"]);
    command.arg(&trace_file).arg(PROGRAM).arg("serve");
    let mut client = Client::started(command, home);
    client.initialize(&["utf-8"]).await;
    let network = until(async || {
        let unasked = client.unasked.lock().unwrap();
        let status = unasked.iter().rev().find(|it| it["method"] == "keyside/status")?;
        let is_ready = status["params"]["state"] == "ready";
        is_ready.then(|| status["params"]["network"].as_str().unwrap().to_owned())
    })
    .await;
    assert_eq!(network, "offline: enforced");
    assert!(type_and_accept(&client).await > 10);
    client.ask("shutdown", Value::Null).await;
    client.notify("exit", Value::Null);
    let mut tracer = client.child.take().unwrap();
    tokio::time::timeout(PATIENCE, tracer.wait()).await.expect("it stayed").unwrap();
    let calls = calls(&trace_file);
    let made = sockets(&calls);
    // The program and its child each try three, so that a trace that sees nothing can't pass.
    assert_eq!(made.len(), 6, "{made:#?}");
    for line in made {
        assert!(line.contains("= -1 EPERM"), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn every_thread_is_under_the_kernels_rule() {
    let client = Client::real_process();
    client.initialize(&["utf-8"]).await;
    client.open(URI, "let first = map.get_or_insert(1);\nlet second = map.\n");
    assert!(client.ghost(URI, 1, 17).await.is_some());
    let id = client.child.as_ref().unwrap().id().unwrap();
    let mut n_threads = 0;
    for task in std::fs::read_dir(format!("/proc/{id}/task")).unwrap().flatten() {
        let status = std::fs::read_to_string(task.path().join("status")).unwrap();
        assert!(status.contains("Seccomp:\t2\n"), "{status}");
        assert!(status.contains("NoNewPrivs:\t1\n"), "{status}");
        n_threads += 1;
    }
    assert!(n_threads > 3, "{n_threads}");
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_says_what_holds() {
    let home = TempFolder::new();
    let output = run(keyside(&home.0, &["doctor", "--json"]), "");
    let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
    let network = findings.as_array().unwrap().iter().find(|it| it["name"] == "network").unwrap();
    assert_eq!(network["state"], "good", "{network}");
    assert_eq!(network["what"], "offline: enforced; it can make no connection");
    let files = findings.as_array().unwrap().iter().find(|it| it["name"] == "files").unwrap();
    assert_eq!(files["state"], "good", "{files}");
    let what = files["what"].as_str().unwrap();
    assert!(
        what.starts_with("files: enforced; it can write in ")
            && what.ends_with("alone, not the settings"),
        "{what}"
    );
}

/// Process and thread ids of a trace that belong to the broker: the one that became `keyside broker`, and what it started.
fn brokers(calls: &[String]) -> HashSet<&str> {
    let mut ids: HashSet<&str> = HashSet::new();
    for line in calls {
        let Some((id, call)) = line.split_once(' ') else { continue };
        let started = call.trim_start().starts_with("clone");
        if call.contains("execve(") && call.contains("\"broker\"") {
            ids.insert(id);
        } else if started && ids.contains(id) {
            ids.extend(call.rsplit_once("= ").map(|(_, id)| id));
        }
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn with_the_cloud_on_only_the_broker_connects_and_only_to_its_host() {
    let text = "It adds.".to_owned();
    let provider = Provider::start(Answer::Says { text, input_tokens: 5, output_tokens: 5 }).await;
    let home = TempFolder::new();
    std::fs::write(home.folders().config_file(), provider.settings("")).unwrap();
    let trace_file = home.0.join("trace");
    let mut command = Command::new("strace");
    command.args([
        "-f",
        "-qq",
        "-s",
        "200",
        "-e",
        "trace=%network,io_uring_setup,execve,clone,clone3",
        "-o",
    ]);
    command.arg(&trace_file).arg(PROGRAM).arg("serve");
    let mut client = Client::started(command, home);
    *client.person.lock().unwrap() =
        Box::new(|request| match request["method"].as_str().unwrap() {
            "window/showMessageRequest" => json!({"title": "Send once"}),
            _ => Value::Null,
        });
    client.initialize(&["utf-8"]).await;
    let network = until(async || {
        let unasked = client.unasked.lock().unwrap();
        let status = unasked.iter().rev().find(|it| it["method"] == "keyside/status")?;
        Some(status["params"]["network"].as_str().unwrap().to_owned())
    })
    .await;
    assert!(
        network.starts_with("cloud: on") && network.ends_with("offline: enforced)"),
        "{network}"
    );
    assert!(type_and_accept(&client).await > 10);
    let range = json!({"start": {"line": 1, "character": 0}, "end": {"line": 2, "character": 0}});
    let arguments = json!([{"uri": URI, "range": range}]);
    client
        .ask(
            "workspace/executeCommand",
            json!({"command": "keyside.explain", "arguments": arguments}),
        )
        .await;
    until(async || {
        let unasked = client.unasked.lock().unwrap();
        unasked.iter().any(|it| it.to_string().contains("the answer is in")).then_some(())
    })
    .await;
    client.ask("shutdown", Value::Null).await;
    client.notify("exit", Value::Null);
    let mut tracer = client.child.take().unwrap();
    tokio::time::timeout(PATIENCE, tracer.wait()).await.expect("it stayed").unwrap();
    let calls = calls(&trace_file);
    let brokers = brokers(&calls);
    let connects: Vec<&String> = calls.iter().filter(|it| it.contains(" connect(")).collect();
    assert_eq!(connects.len(), 1, "{connects:#?}");
    let place = format!("sin_port=htons({}), sin_addr=inet_addr(\"127.0.0.1\")", provider.port);
    assert!(connects[0].contains(&place), "{connects:#?}");
    let mut n_refused = 0;
    for line in sockets(&calls) {
        let is_refused = line.contains("= -1 EPERM");
        let (id, _) = line.split_once(' ').unwrap();
        assert!(is_refused || brokers.contains(id), "{line}; the broker is {brokers:?}");
        n_refused += usize::from(is_refused);
    }
    assert_eq!(
        n_refused, 9,
        "what the server and the processes that write consent and settle try at their start"
    );
    assert!(brokers.contains(connects[0].split_once(' ').unwrap().0));
}
