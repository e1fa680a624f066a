//! What `keyside usage` says of suggestions: as many as a person saw and took.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Client, TempFolder};

const URI: &str = "file:///home/me/a.rs";
const TEXT: &str = "let first = map.get(1).unwrap();\nlet second = map.\n";

/// What the program says of the ledger in a folder.
fn usage(home: &TempFolder, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_keyside"))
        .arg("usage")
        .args(arguments)
        .env("KEYSIDE_HOME", &home.0)
        .output()
        .expect("the program that this test belongs to");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

async fn accept(client: &Client, arguments: Value) {
    let params = json!({"command": "keyside.accepted", "arguments": arguments});
    let answer = client.ask("workspace/executeCommand", params).await;
    assert_eq!(answer["result"], Value::Null, "{answer}");
}

/// Says good-bye, and hands back the folder.
async fn end(mut client: Client) -> TempFolder {
    client.ask("shutdown", Value::Null).await;
    client.notify("exit", Value::Null);
    client.child.take().unwrap().wait().await.unwrap();
    std::mem::replace(&mut client.home, TempFolder::new())
}

#[tokio::test(flavor = "multi_thread")]
async fn suggestions_are_counted_as_a_person_sees_them() {
    let client = Client::real_process();
    client.initialize(&["utf-8"]).await;
    client.open(URI, TEXT);
    client.model_ready().await;
    let first = client.ghost(URI, 1, 17).await.expect("a suggestion");
    // Typed along: it is the same suggestion, and what is left of it is what is spared.
    let mut version = 1;
    let mut last = first.clone();
    for (n, c) in first.text.chars().take(3).enumerate() {
        version += 1;
        client.type_at(URI, version, 1, 17 + n, &c.to_string());
        last = client.ghost(URI, 1, 18 + n).await.expect("the rest of it");
    }
    accept(&client, last.command["arguments"].clone()).await;
    // An editor may say it twice, or something else; nothing of that counts.
    for odd in [
        last.command["arguments"].clone(),
        json!([]),
        json!(null),
        json!(["x", -1]),
        json!([1e300]),
    ] {
        accept(&client, odd).await;
    }
    // Another one, which is not taken.
    client.change(URI, version + 1, json!([{"text": format!("{TEXT}let third = map.\n")}]));
    client.ghost(URI, 2, 16).await.expect("a suggestion");
    let home = end(client).await;

    let report: Value = serde_json::from_str(&usage(&home, &["--json"])).unwrap();
    let total = &report["total"];
    let spared = first.text.chars().count() - 3 - 1;
    let counts = ["shown_suggestions", "accepted_suggestions", "spared_characters"]
        .map(|it| total[it].clone());
    assert_eq!(counts, [json!(2), json!(1), json!(spared)], "{first:?}");
    assert_eq!(report["models"][0]["shown_suggestions"], 2);
    assert_eq!(report["actions"][0]["action"], "complete");
    // As programs read it before.
    assert!(
        total["local_calls"].as_i64() > Some(0) && report["share_kept_local"] == 1.0,
        "{report}"
    );
    let text = usage(&home, &[]);
    let line = format!("suggestions: 2 shown, 1 accepted (50.0%); {spared} characters spared\n");
    assert!(text.contains(&line) && !text.contains("would have cost"), "{text}");
}
