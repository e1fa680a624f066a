//! `keyside classify`, `keyside/classify` and the command: labels for texts.

use std::io::{BufRead, BufReader, Write};
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::support::{Client, TempFolder, keyside, run, saying, text};

const EXAMPLES: &str = r#"{"text": "It crashes when the file is empty", "label": "bug"}
{"text": "panics on an empty line", "label": "bug"}
{"text": "wrong result after a restart", "label": "bug"}
{"text": "Please add a dark theme", "label": "feature"}
{"text": "support for Windows would be nice", "label": "feature"}
{"text": "add an option for the width", "label": "feature"}
"#;

/// A home with the examples in a file.
fn home() -> TempFolder {
    let home = TempFolder::new();
    std::fs::write(home.0.join("examples.jsonl"), EXAMPLES).unwrap();
    home
}

fn classify(home: &TempFolder, arguments: &[&str], input: impl AsRef<[u8]>) -> Output {
    let mut command = keyside(&home.0, &["classify"]);
    command.args(arguments).current_dir(&home.0);
    run(command, input)
}

const WITH_EXAMPLES: &[&str] = &["--labels", "bug,feature", "--examples", "examples.jsonl"];

fn answers(output: &[u8]) -> Vec<Value> {
    text(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn sum(answer: &Value) -> f64 {
    answer["scores"].as_object().unwrap().values().map(|it| it.as_f64().unwrap()).sum()
}

#[test]
fn texts_are_labelled_in_order_and_keep_their_ids() {
    let ids = ["7", "\"b\"", "null", "[1, {\"x\": 2.50}]", "123456789012345678901234567890", "1.0"];
    let input: String = ids
        .iter()
        .map(|id| format!("{{\"text\": \"it crashes on an empty file\", \"id\": {id}}}\r\n\n"))
        .collect();
    let home = home();
    let output = classify(&home, WITH_EXAMPLES, input + "{\"text\": \"please add colours\"}");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    let out = text(&output.stdout);
    for (line, id) in out.lines().zip(ids) {
        let start = format!("{{\"id\":{id},\"label\":\"bug\",\"scores\":{{\"bug\":");
        assert!(line.starts_with(&start), "{line}");
    }
    let answers = answers(&output.stdout);
    assert_eq!(answers.len(), ids.len() + 1);
    assert_eq!(answers[ids.len()]["label"], "feature");
    assert_eq!(answers[ids.len()]["id"], Value::Null);
    for answer in &answers {
        assert!((sum(answer) - 1.0).abs() < 1e-6, "{answer}");
        assert!(answer["ms"].is_number() && answer["unsure"].is_boolean(), "{answer}");
    }
}

#[test]
fn each_answer_comes_before_the_next_question() {
    let home = home();
    let mut command = keyside(&home.0, &["classify"]);
    command.args(WITH_EXAMPLES).current_dir(&home.0);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program");
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    for id in 0..3 {
        writeln!(input, "{}", json!({"id": id, "text": "it panics"})).unwrap();
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["id"], id);
    }
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_bad_line_is_reported_and_passed_over_or_stops_it() {
    let mut input = b"no JSON\n{\"id\": 2}\n{\"id\": \"c\", \"text\": \" \\n\"}\n".to_vec();
    input.extend(b"{\"id\": 4, \"text\": \"\xff\"}\n{\"id\": 5, \"text\": 5}\n[]\n");
    input.extend(json!({"id": 7, "text": "it panics"}).to_string().into_bytes());
    let home = home();
    let output = classify(&home, WITH_EXAMPLES, &input);
    assert_eq!(output.status.code(), Some(0));
    let answers = answers(&output.stdout);
    let ids: Vec<&Value> = answers.iter().map(|it| &it["id"]).collect();
    let null = &Value::Null;
    assert_eq!(ids, [null, &json!(2), &json!("c"), &json!(4), &json!(5), null, &json!(7)]);
    for (index, answer) in answers[..6].iter().enumerate() {
        let error = answer["error"].as_str().unwrap();
        assert!(error.starts_with(&format!("line {} ", index + 1)), "{error}");
    }
    assert_eq!(answers[2]["error"], "line 3 has an empty text");
    assert_eq!(answers[6]["label"], "bug");
    let said = text(&output.stderr);
    assert!(said.contains("line 1 is not {\"id\": …, \"text\": …} as JSON"), "{said}");
    assert!(said.ends_with("6 lines were passed over\n"), "{said}");

    let strict = [WITH_EXAMPLES, &["--strict"]].concat();
    let first = json!({"id": 0, "text": "it panics"}).to_string();
    let output = classify(&home, &strict, [first.as_bytes(), b"\n", &input].concat());
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout).lines().count(), 1, "what came before it was answered");
    let said = text(&output.stderr);
    assert!(said.contains("line 2 is not") && said.contains("leave out --strict"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn an_item_that_is_too_long_says_what_was_cut() {
    let long = "it panics ".repeat(1_234);
    let home = home();
    let output = classify(&home, WITH_EXAMPLES, json!({"id": 1, "text": long}).to_string() + "\n");
    assert_eq!(output.status.code(), Some(0));
    let answer = &answers(&output.stdout)[0];
    assert_eq!((&answer["label"], &answer["cut_chars"]), (&json!("bug"), &json!(2_340)));
}

#[test]
fn labels_that_are_no_choice_are_refused_and_odd_ones_taken() {
    let home = home();
    for (labels, part) in [
        ("", "label 1 is empty"),
        ("bug,,feature", "label 2 is empty"),
        ("bug,feature,bug", "labels 1 and 3 have the same name"),
        ("bug", "name two labels or more"),
    ] {
        let output = classify(&home, &["--labels", labels], "{\"id\": 1, \"text\": \"a\"}\n");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(part) && output.stdout.is_empty(), "{said}");
    }
    let labels = "bug,bug report,bug report of a crash=it panics,🐛 \"quoted\",ähnlich";
    let input = "{\"id\": 1, \"text\": \"🐛\"}\n{\"id\": 2, \"text\": \"bug report\"}\n";
    let output = classify(&home, &["--labels", labels], input);
    assert_eq!(output.status.code(), Some(0));
    let answers = answers(&output.stdout);
    assert_eq!(answers[0]["label"], "🐛 \"quoted\"");
    assert_eq!(answers[1]["label"], "bug report");
    assert_eq!(answers[0]["scores"].as_object().unwrap().len(), 5);
    assert!((sum(&answers[0]) - 1.0).abs() < 1e-6);
}

#[test]
fn without_examples_it_says_how_unsure_it_is() {
    let home = home();
    let input = "{\"id\": 1, \"text\": \"日本語\"}\n";
    let output = classify(&home, &["--labels", "bug,feature,question"], input);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(answers(&output.stdout)[0]["unsure"], true);
    let said = text(&output.stderr);
    assert!(said.contains("3 labels have no example") && said.contains("--examples"), "{said}");
}

#[test]
fn bad_examples_are_reported_and_passed_over_or_stop_it() {
    let home = home();
    let more =
        "nothing\n{\"text\": \"a\", \"label\": \"other\"}\n{\"text\": \"\", \"label\": \"bug\"}\n";
    std::fs::write(home.0.join("mixed.jsonl"), format!("{EXAMPLES}{more}")).unwrap();
    let arguments = ["--labels", "bug,feature", "--examples", "mixed.jsonl"];
    let input = "{\"id\": 1, \"text\": \"it panics\"}\n";
    let output = classify(&home, &arguments, input);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(answers(&output.stdout)[0]["label"], "bug");
    let said = text(&output.stderr);
    for part in ["line 7 of mixed.jsonl is not", "line 8 of", "none of --labels", "an empty text"] {
        assert!(said.contains(part), "{said}");
    }
    let output = classify(&home, &[&arguments[..], &["--strict"]].concat(), input);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()));
    let output = classify(&home, &["--labels", "a,b", "--examples", "nowhere"], input);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("nowhere can't be read"));
}

fn items(n: usize) -> String {
    (0..n).map(|id| json!({"id": id, "text": "it panics"}).to_string() + "\n").collect()
}

#[test]
#[cfg(unix)]
fn what_was_stopped_goes_on_where_it_was() {
    let home = home();
    let file = home.0.join("out.jsonl");
    let arguments = [WITH_EXAMPLES, &["--output", "out.jsonl"]].concat();
    let mut command = keyside(&home.0, &["classify"]);
    command.args(&arguments).current_dir(&home.0).stdin(Stdio::piped());
    let mut child = command.spawn().expect("the program");
    child.stdin.as_ref().unwrap().write_all(items(50).as_bytes()).unwrap();
    while std::fs::read(&file).unwrap_or_default().is_empty() {
        std::thread::yield_now();
    }
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), None, "Ctrl-C ends it");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(kept.ends_with('\n') && !kept.is_empty(), "whole lines: {kept}");
    // As a full disk or a power failure would leave it, and one that has to be tried again.
    let torn = format!("{{\"id\":60,\"error\":\"\"}}\n{kept}{{\"id\":61,\"label\":\"b");
    std::fs::write(&file, torn).unwrap();

    let resumed = [&arguments[..], &["--resume"]].concat();
    let output = classify(&home, &resumed, items(70));
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), String::new()));
    let n_kept = kept.lines().count();
    let said = text(&output.stderr);
    assert!(said.contains(&format!("{n_kept} items were done already")), "{said}");
    let all = answers(&std::fs::read(&file).unwrap());
    let done: Vec<u64> = all
        .iter()
        .filter(|it| it.get("label").is_some())
        .map(|it| it["id"].as_u64().unwrap())
        .collect();
    assert_eq!(done, (0..70).collect::<Vec<u64>>());

    let output = classify(&home, &[WITH_EXAMPLES, &["--resume"]].concat(), "");
    assert_eq!(output.status.code(), Some(2), "--resume needs --output");
}

#[test]
fn a_reader_that_goes_away_ends_it_with_a_sentence() {
    let home = home();
    let mut command = keyside(&home.0, &["classify"]);
    command.args(WITH_EXAMPLES).current_dir(&home.0);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().expect("the program");
    drop(child.stdout.take());
    let _ = child.stdin.take().unwrap().write_all(items(1_000).as_bytes());
    let output = child.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("can't be written") && said.lines().count() == 1, "{said}");
}

fn request(of: &Value) -> Value {
    let examples: Vec<Value> =
        EXAMPLES.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut params = json!({"labels": ["bug", {"name": "feature", "description": "new"}]});
    params["examples"] = json!(examples);
    params.as_object_mut().unwrap().extend(of.as_object().unwrap().clone());
    params
}

#[tokio::test]
async fn the_server_labels_a_text_and_a_part_of_a_document() {
    let client = Client::with_fake(saying("1;"));
    let capabilities = client.initialize(&["utf-8"]).await;
    let commands = capabilities["capabilities"]["executeCommandProvider"]["commands"].to_string();
    assert!(commands.contains("\"keyside.classify\""), "{commands}");
    let answer = client.ask("keyside/classify", request(&json!({"text": "it panics"}))).await;
    let answer = &answer["result"];
    assert_eq!((&answer["label"], &answer["labels_by_name"]), (&json!("bug"), &json!(0)));
    assert!((sum(answer) - 1.0).abs() < 1e-6 && answer["ms"].is_number(), "{answer}");

    client.open("file:///w/a.rs", "fn main() {}\n// please add colours\n");
    let line = json!({"start": {"line": 1, "character": 3}, "end": {"line": 1, "character": 30}});
    let argument = request(&json!({"uri": "file:///w/a.rs", "range": line}));
    let command = json!({"command": "keyside.classify", "arguments": [argument]});
    let answer = client.ask("workspace/executeCommand", command).await;
    assert_eq!(answer["result"]["label"], "feature", "{answer}");

    let answer =
        client.ask("keyside/classify", json!({"text": "日本", "labels": ["bug", "feature"]})).await;
    let answer = &answer["result"];
    assert_eq!((&answer["labels_by_name"], &answer["unsure"]), (&json!(2), &json!(true)));
    client.assert_no_faults();
}

#[tokio::test]
async fn the_server_refuses_with_what_to_do() {
    let client = Client::with_fake(saying("1;"));
    client.initialize(&["utf-8"]).await;
    for (params, part) in [
        (request(&json!({})), "there is no text"),
        (request(&json!({"text": " "})), "the text is empty"),
        (request(&json!({"text": "a", "labels": ["bug"]})), "name two labels or more"),
        (request(&json!({"text": "a", "labels": ["bug", "bug"]})), "have the same name"),
        (request(&json!({"text": "a", "labels": ["x", "bug"]})), "example 4 has a label"),
        (request(&json!({"uri": "file:///nowhere"})), "is not open"),
        (
            request(
                &json!({"text": "a", "examples": vec![json!({"text": "", "label": "bug"}); 2_001]}),
            ),
            "send at most 2000",
        ),
    ] {
        let answer = client.ask("keyside/classify", params).await;
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains(part), "{part}: {answer}");
        assert_eq!(answer["error"]["code"], -32602);
    }
    let command = json!({"command": "keyside.classify"});
    let answer = client.ask("workspace/executeCommand", command).await;
    assert_eq!(answer["result"], Value::Null);
    let said = client.unasked.lock().unwrap().clone();
    let mut said = said.iter().filter(|it| it["method"] == "window/showMessage");
    assert!(said.next_back().unwrap().to_string().contains("needs a text and labels"));
    client.assert_no_faults();
}

#[tokio::test]
async fn a_keystroke_does_not_wait_for_a_head() {
    let client = Client::with_fake(saying("1;"));
    client.initialize(&["utf-8"]).await;
    client.open("file:///a.rs", "let x = ");
    client.model_ready().await;
    let example = |n: usize| {
        let words: Vec<String> = (0..60).map(|it| format!("w{}", (n * it) % 1_009)).collect();
        json!({"text": words.join(" "), "label": if n.is_multiple_of(2) { "bug" } else { "feature" }})
    };
    let examples: Vec<Value> = (0..2_000).map(example).collect();
    let params = request(&json!({"text": "it panics", "examples": examples}));
    let (_, mut head) = client.request("keyside/classify", params);
    assert_eq!(client.ghost("file:///a.rs", 0, 8).await.unwrap().text, "1;");
    assert!(head.try_recv().is_err(), "it was answered first");
    assert_eq!(head.await.unwrap()["result"]["scores"].as_object().unwrap().len(), 2);
    client.assert_no_faults();
}
