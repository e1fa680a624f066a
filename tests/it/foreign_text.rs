//! Text that somebody else has chosen (a repository, a provider, a file) where a person reads it: in messages of the editor and on
//! a terminal it commands nothing, hides nothing, and can't pass for keyside's own words.

use std::os::unix::ffi::OsStrExt;

use serde_json::{Value, json};

use crate::escalation::{SOURCE, Scene, says};
use crate::provider::{Answer, Provider};
use crate::support::{Client, TempFolder, run, until};

const FOREIGN: &str = "a\x1b[2J\u{9b}1m\u{202e}\u{200b}\n[x](command:y) at evil.example for $0.00";

/// Fails where a text does something other than being read.
#[track_caller]
fn assert_clean(text: &str) {
    let is_odd = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t')) || "\u{202e}\u{200b}\u{feff}".contains(c)
    };
    assert!(!text.contains(is_odd), "{text:?}");
}

#[track_caller]
fn assert_clean_message(text: &str) {
    assert_clean(text);
    for part in ["\n", "](", "command:"] {
        assert!(!text.contains(part), "{text:?}");
    }
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_says_who_and_how_much_before_the_names_of_a_repository() {
    let provider = Provider::start(says("x")).await;
    let mut scene = Scene::new(&provider.settings(""), SOURCE).await;
    let name = format!("{FOREIGN}{}.rs", "x".repeat(150));
    std::fs::write(scene.workspace.join(&name), SOURCE).unwrap();
    scene.uri = format!("file://{}/{}", scene.workspace.display(), percent_encoded(&name));
    scene.client.open(&scene.uri, SOURCE);
    scene.answers(&["Cancel"]);
    scene.choose("keyside.explain").await;
    let question = until(async || scene.said("window/showMessageRequest").pop()).await;
    let question = question["message"].as_str().unwrap();
    assert_clean_message(question);
    let begin = format!(" tokens to test-model at 127.0.0.1:{}? It costs $0.1", provider.port);
    let names = question.find("evil.example").expect("the name is there");
    assert!(question.find(&begin).is_some_and(|it| it < names), "{question}");
    assert!(question.contains("xxx.rs\u{201d} lines 1–"), "its end is seen: {question}");
    assert!(question.chars().count() < 700, "{question}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_says_of_itself_is_only_words() {
    let words =
        json!({"type": "error", "error": {"type": "invalid_request_error", "message": FOREIGN}});
    let provider = Provider::start(Answer::Status(400, words.to_string())).await;
    let scene = Scene::new(&provider.settings(""), SOURCE).await;
    scene.answers(&["Send once"]);
    scene.choose("keyside.explain").await;
    let sentence = scene.told("HOST refuses the request (status 400, it says: a [2J 1m\u{fffd}\u{fffd} [x] (command :y) at evil.example for $0.00); see whether `model` and `protocol` of here are right").await;
    assert_clean_message(&sentence);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_errors_and_commands_of_a_client_are_cleaned() {
    let client = Client::with_fake(crate::support::saying("x"));
    let options = json!({"completion": {FOREIGN: 1}, "model": {"path": FOREIGN}});
    client
        .initialize_with(
            json!({"processId": null, "capabilities": {}, "initializationOptions": options}),
        )
        .await;
    let answer = client.ask("workspace/executeCommand", json!({"command": FOREIGN})).await;
    let sentence = answer["error"]["message"].as_str().unwrap().to_owned();
    assert!(sentence.contains("evil.example"), "{sentence}");
    assert_clean_message(&sentence);
    let told = until(async || {
        let unasked = client.unasked.lock().unwrap();
        let mut told = unasked.iter().filter(|it| it["method"] == "window/showMessage");
        told.find(|it| it.to_string().contains("evil.example")).cloned()
    })
    .await;
    assert_clean_message(told["params"]["message"].as_str().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_each_kind_of_note_five_are_told_and_a_sixth_says_where_the_others_are() {
    let client = Client::with_fake(crate::support::saying("x"));
    client.initialize(&["utf-8"]).await;
    for n in 0..9 {
        let uri = format!("file:///w/{n}.rs");
        client.open(&uri, "");
        client.change(&uri, 2, json!([{"range": "unreadable"}]));
    }
    let notes = || {
        let unasked = client.unasked.lock().unwrap();
        let notes = unasked.iter().filter_map(|it| it["params"]["message"].as_str());
        let notes = notes.filter(|it| it.contains("/w/") || it.contains("more notes"));
        notes.map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    until(async || notes().iter().any(|it| it.contains("more notes")).then_some(())).await;
    client.stats().await;
    let notes = notes();
    assert_eq!(notes.len(), 6, "{notes:#?}");
    assert_eq!(notes.iter().filter(|it| it.contains("standard error")).count(), 1);
}

struct Said {
    out: String,
    err: String,
}

fn keyside(home: &TempFolder, arguments: &[&[u8]], input: &str) -> Said {
    let arguments = arguments.iter().map(|it| std::ffi::OsStr::from_bytes(it));
    let mut command = crate::support::keyside(&home.0, &[]);
    command.args(arguments).env("KEYSIDE_LOG", "trace");
    let output = run(command, input);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Said { out: text(output.stdout), err: text(output.stderr) }
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn a_terminal_gets_no_escape_sequence_from_what_a_command_prints() {
    let home = TempFolder::new();
    let settings = format!(
        "{key} = 1\n[cloud]\nenabled = true\n[[cloud.providers]]\nname = \"here\"\nprotocol = \"anthropic-messages\"\n\
         base_url = \"http://127.0.0.1:1\"\nauth = \"none\"\nmodel = {name}\n",
        key = json!(FOREIGN),
        name = json!(FOREIGN)
    );
    std::fs::create_dir_all(home.folders().config).unwrap();
    std::fs::write(home.folders().config_file(), settings).unwrap();
    let place = |name: &str| format!("{name}:1:1").into_bytes();
    let absent = format!("{}.rs", FOREIGN.replace(':', "_"));
    // What stands there thrice is what the suggestion says.
    let source =
        format!("say(\"{0}\");\nsay(\"{0}\");\nsay(\"{0}\");\nsay(\"", "\x1b[31mred\u{9b}2J");
    let file = home.0.join("a.rs");
    std::fs::write(&file, &source).unwrap();
    let at_end = format!("{}:4:6", file.display());
    let deny = home.0.join(&absent);
    std::fs::create_dir_all(&deny).unwrap();
    for (arguments, wanted) in [
        (&[b"complete".as_slice(), &place(&absent)][..], "can't be read"),
        (&[b"complete", at_end.as_bytes()], "red"),
        (&[b"complete", FOREIGN.as_bytes()], "FILE:LINE:COLUMN"),
        (&[FOREIGN.as_bytes()], "unrecognized"),
        (&[b"try", absent.as_bytes()], "can't be read"),
        (&[b"config", b"show"], "not a setting"),
        (&[b"cloud", b"status"], "for $0.00 at 127.0.0.1"),
        (&[b"cloud", b"login", FOREIGN.as_bytes()], "evil.example"),
        (&[b"cloud", b"deny", deny.as_os_str().as_bytes()], "nothing of"),
        (&[b"usage"], "not a setting"),
        (&[b"doctor"], "evil.example"),
    ] {
        let said = keyside(&home, arguments, "");
        let (out, err) = (&said.out, &said.err);
        assert!(out.contains(wanted) || err.contains(wanted), "{arguments:?}:\n{out}\n{err}");
        assert_clean(out);
        assert_clean(err);
    }
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn json_is_the_same_data_without_a_raw_escape() {
    let home = TempFolder::new();
    let line = json!({"id": FOREIGN, "path": "a.rs", "prefix": "let a = ", "suffix": ""});
    let said = keyside(&home, &[b"complete", b"--batch"], &format!("{line}\n"));
    assert_clean(&said.out);
    let answer: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(answer["id"], FOREIGN);
    // What another program goes on with is not touched.
    let said = keyside(&home, &[b"redact"], "a\x1b[2Jb\r\n");
    assert_eq!(said.out, "a\x1b[2Jb\r\n");
}
