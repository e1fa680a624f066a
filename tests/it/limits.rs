//! Where the system gives little: pipes where files should be, few processes, small files, a full disk. Nothing hangs, nothing is
//! ended by a signal, and nothing that was paid for is lost.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::escalation::{SOURCE, Scene, says};
use crate::ordinary_user::{as_ordinary_user, program_in};
use crate::provider::{Answer, Provider};
use crate::support::{Client, PATIENCE, PROGRAM, TempFolder, inline_params, until};

const URI: &str = "file:///w/a.rs";

fn pipe(path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

/// Ghost text at an easy place, and an orderly end.
async fn works(client: &mut Client) {
    client.initialize(&["utf-8"]).await;
    client.open(URI, "let first = map.get_or_insert(1);\nlet second = map.\n");
    assert!(client.ghost(URI, 1, 17).await.is_some());
    end(client).await;
}

async fn end(client: &mut Client) {
    client.ask("shutdown", Value::Null).await;
    client.notify("exit", Value::Null);
    let mut child = client.child.take().unwrap();
    let status = tokio::time::timeout(PATIENCE, child.wait()).await.expect("it stayed").unwrap();
    assert_eq!(status.code(), Some(0), "{status}");
}

/// Where answers are shown from, a file stands.
const SHOWN_IS_NO_FOLDER: &str = "HOME/cache/shown can't be written (File exists (os error 17)); free disk space or make its folder writable";

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn pipes_in_the_place_of_files_are_not_waited_for() {
    let model = format!(
        "cache/models/keyside-nano-v2-{}.gguf",
        &keyside::lm::backend::embedded::MODELS[0].sha256[..12]
    );
    for name in ["config.toml", &model, "cache/models/checked.txt", "data/ledger.db"] {
        let home = TempFolder::new();
        pipe(&home.0.join(name));
        let mut client = Client::real_process_in(home);
        works(&mut client).await;
        let told = client.unasked.lock().unwrap().iter().any(|it| {
            it["method"] == "window/showMessage"
                && it.to_string().contains("config.toml can't be read")
        });
        assert_eq!(told, name == "config.toml", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pipes_are_not_waited_for_where_a_cloud_model_is_asked() {
    for (name, words) in [
        (
            "consent.toml",
            "HOME/consent.toml can't be read (it is a folder, a pipe or a device and no file); make it readable",
        ),
        (
            "templates/explain.md",
            "HOME/templates/explain.md can't be read (it is a folder, a pipe or a device and no file); correct or remove it",
        ),
        ("work/.gitignore", ""),
        ("work/STYLE.md", ""),
        (
            "data/ledger.db",
            "the ledger HOME/data/ledger.db can't be read or written (Error code 266: disk I/O error); see whether its disk is full or failing",
        ),
        ("cache/shown", SHOWN_IS_NO_FOLDER),
    ] {
        let provider = Provider::start(says("It multiplies.")).await;
        let scene = Scene::new(&provider.settings(""), SOURCE).await;
        pipe(&scene.client.home.0.join(name));
        scene.answers(&["Send once"]);
        scene.choose("keyside.explain").await;
        match words {
            "" => scene.over().await,
            words => drop(scene.told(words).await),
        }
    }
}

/// The server under a limit of the shell's, as somebody who is not root.
fn limited(home: &TempFolder, limit: &str) -> Command {
    let mut command = as_ordinary_user("bash", home);
    command
        .arg("-c")
        .arg(format!("ulimit {limit}; exec \"$0\" serve"))
        .arg(program_in(home, PROGRAM));
    Command::from(command)
}

#[tokio::test(flavor = "multi_thread")]
async fn with_few_processes_it_works_or_says_so() {
    let mut n_refused = 0;
    for n_processes in [1, 2, 3, 4, 5, 6, 8, 10, 11, 12, 14, 32] {
        let home = TempFolder::new();
        let mut client = Client::started(limited(&home, &format!("-u {n_processes}")), home);
        let initialized = client.request("initialize", json!({"capabilities": {}})).1;
        let mut child = client.child.take().unwrap();
        let first = async {
            tokio::select! {
                _ = initialized => None,
                status = child.wait() => Some(status.unwrap()),
            }
        };
        let ended = tokio::time::timeout(PATIENCE, first).await.expect("it hangs");
        let Some(status) = ended else {
            client.child = Some(child);
            client.notify("initialized", json!({}));
            client.open(URI, "let first = map.get_or_insert(1);\nlet second = map.\n");
            client.ask("textDocument/inlineCompletion", inline_params(URI, 1, 17)).await;
            end(&mut client).await;
            continue;
        };
        let log = std::fs::read_to_string(client.home.0.join("stderr.log")).unwrap();
        assert_eq!(status.code(), Some(1), "{log}");
        assert!(
            log.contains("raise the limit of processes") && !log.contains("failed at"),
            "{log}"
        );
        n_refused += 1;
    }
    assert!(n_refused >= 4, "{n_refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_files_can_not_grow_it_goes_on() {
    for n_kib in [0, 1, 100, 5_000] {
        let home = TempFolder::new();
        let mut client = Client::started(limited(&home, &format!("-f {n_kib}")), home);
        client.initialize(&["utf-8"]).await;
        client.open(URI, "let first = map.get_or_insert(1);\nlet second = map.\n");
        client.ask("textDocument/inlineCompletion", inline_params(URI, 1, 17)).await;
        end(&mut client).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_not_ended_by_a_file_that_can_not_grow() {
    for arguments in ["doctor", "config show", "complete a.rs:1:1", "usage"] {
        let home = TempFolder::new();
        std::fs::write(home.0.join("a.rs"), "fn main() {}\n").unwrap();
        let mut command = as_ordinary_user("bash", &home);
        let script = format!("ulimit -f 0; cd \"$1\"; \"$0\" {arguments}; echo $? >&2");
        let output = command
            .arg("-c")
            .arg(script)
            .arg(program_in(&home, PROGRAM))
            .arg(&home.0)
            .env("KEYSIDE_HOME", &home.0)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let code = said.lines().last().unwrap_or_default();
        assert!(["0", "1"].contains(&code), "{arguments}: {said}");
    }
}

const LONG: &str = "The function multiplies its two parameters and gives back the product.";

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_for_which_there_is_no_room_is_shown_from_memory() {
    let provider = Provider::start(says(LONG)).await;
    let scene = Scene::new(&provider.settings(""), SOURCE).await;
    // Nothing can be made in it.
    std::fs::create_dir_all(scene.client.home.0.join("cache")).unwrap();
    std::fs::write(scene.client.home.0.join("cache/shown"), "").unwrap();
    scene.answers(&["Send once"]);
    let shown = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = std::sync::Arc::clone(&shown);
    *scene.client.person.lock().unwrap() =
        Box::new(move |request| match request["method"].as_str().unwrap() {
            "window/showMessageRequest" => json!({"title": "Send once"}),
            "window/showDocument" => {
                let uri = request["params"]["uri"].as_str().unwrap();
                let file = uri.strip_prefix("file://").unwrap();
                seen.lock().unwrap().push(std::fs::read_to_string(file).unwrap());
                json!({"success": true})
            }
            _ => Value::Null,
        });
    scene.choose("keyside.explain").await;
    scene.told(SHOWN_IS_NO_FOLDER).await;
    until(async || shown.lock().unwrap().pop().filter(|it| it == LONG)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_finds_the_disk_full_in_its_middle_is_told() {
    let provider = Provider::start(Answer::SaysAndStalls { text: LONG.to_owned() }).await;
    let scene = Scene::new(&provider.settings("stall_seconds = 1"), SOURCE).await;
    scene.answers(&["Send once"]);
    scene.choose("keyside.explain").await;
    scene.comes_to("writing").await;
    let id = i32::try_from(scene.client.child.as_ref().unwrap().id().unwrap()).unwrap();
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    prlimit(Pid::from_raw(id), Resource::Fsize, none).unwrap();
    scene.told("FILE can't be written (File too large (os error 27)); free disk space or make its folder writable; the answer is in the messages before this one").await;
    let part = format!(
        "the answer, part 1 of 1: {LONG} ⏎  ⏎ --- ⏎ *127.0.0.1:{} has sent nothing more for 1 s and was given up; it may have been charged for, ask again or raise `cloud.stall_seconds`* ⏎ ",
        provider.port
    );
    scene.told(&part).await;
}
