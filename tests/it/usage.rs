//! What `keyside usage` says of suggestions: as many as a person saw and took.

use serde_json::{Value, json};

use crate::support::{Client, TempFolder, keyside, run};

const URI: &str = "file:///home/me/a.rs";
const TEXT: &str = "let first = map.get_or_insert(1);\nlet second = map.\n";

/// What the program says of the ledger in a folder.
fn usage(home: &TempFolder, arguments: &[&str]) -> String {
    let output = run(keyside(&home.0, &[&["usage"][..], arguments].concat()), "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

async fn accept(client: &Client, arguments: Value) {
    let params = json!({"command": "keyside.accepted", "arguments": arguments});
    let answer = client.ask("workspace/executeCommand", params).await;
    assert_eq!(answer["result"], Value::Null, "{answer}");
}

/// The counts of suggestions in the whole ledger: shown, accepted, words, lines, rejected, spared.
fn counts(home: &TempFolder) -> [i64; 6] {
    let report: Value = serde_json::from_str(&usage(home, &["--json"])).unwrap();
    [
        "shown_suggestions",
        "accepted_suggestions",
        "accepted_words",
        "accepted_lines",
        "rejected_suggestions",
        "spared_characters",
    ]
    .map(|it| report["total"][it].as_i64().unwrap())
}

/// Says good-bye, and hands back the folder.
async fn end(mut client: Client) -> TempFolder {
    client.ask("shutdown", Value::Null).await;
    client.notify("exit", Value::Null);
    client.child.take().unwrap().wait().await.unwrap();
    std::mem::replace(&mut client.home, TempFolder::new())
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
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

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_client_that_reports_events_is_believed_within_reason() {
    let client = Client::real_process();
    let capabilities = json!({
        "general": {"positionEncodings": ["utf-8"]},
        "textDocument": {"inlineCompletion": {}},
        "experimental": {"keyside": {"events": true}},
    });
    client.initialize_with(json!({"processId": null, "capabilities": capabilities})).await;
    client.open(URI, TEXT);
    client.model_ready().await;
    // Answered, and never on the screen: the person was quicker.
    client.ghost(URI, 1, 17).await.expect("a suggestion");
    let first = client.ghost(URI, 1, 17).await.expect("the same");
    let id = first.command["arguments"][0].clone();
    let n_characters = first.text.chars().count();
    assert!(n_characters >= 4, "{first:?}");
    client.notify("keyside/didShow", json!({"id": id}));
    client.notify("keyside/didShow", json!({"id": id}));
    let word = json!({"id": id, "unit": "word", "length": 2});
    client.notify("keyside/didPartiallyAccept", word);
    // More than there is; of what is left one character is the key.
    let line = json!({"id": id, "unit": "line", "length": 4_000_000_000_u32});
    client.notify("keyside/didPartiallyAccept", line.clone());
    client.notify("keyside/didPartiallyAccept", line);
    client.notify("keyside/didReject", json!({"id": id}));

    client.change(URI, 2, json!([{"text": format!("{TEXT}let third = map.\n")}]));
    let second = client.ghost(URI, 2, 16).await.expect("a suggestion");
    let id = second.command["arguments"][0].clone();
    client.notify("keyside/didReject", json!({"id": id}));
    client.notify("keyside/didShow", json!({"id": id, "index": 0}));
    client.notify("keyside/didReject", json!({"id": id}));
    client.notify("keyside/didReject", json!({"id": id}));

    client.change(URI, 3, json!([{"text": format!("{TEXT}// a comment\nlet third = map.\n")}]));
    let third = client.ghost(URI, 3, 16).await.expect("a suggestion");
    let id = third.command["arguments"][0].clone();
    // Accepted by notification and by command: it is once. And what makes no sense is passed over.
    client.notify("keyside/didAccept", json!({"id": id}));
    accept(&client, third.command["arguments"].clone()).await;
    for odd in [
        json!(null),
        json!({}),
        json!({"id": -1}),
        json!({"id": 77_777}),
        json!({"id": id, "unit": "page", "length": -3}),
    ] {
        for event in ["didShow", "didAccept", "didPartiallyAccept", "didReject"] {
            client.notify(&format!("keyside/{event}"), odd.clone());
        }
    }
    // Notifications have been taken in the order in which they were sent.
    let completions = client.stats().await["completions"].clone();
    assert_eq!([&completions["accepted_parts"], &completions["rejected"]], [2, 1], "{completions}");
    client.assert_no_faults();
    let home = end(client).await;

    let spared = (n_characters - 2) + (third.text.chars().count() - 1);
    assert_eq!(counts(&home), [3, 1, 1, 1, 1, i64::try_from(spared).unwrap()]);
    let text = usage(&home, &[]);
    let said =
        "3 shown, 1 accepted (33.3%), 1 word taken by itself, 1 line taken by itself, 1 rejected;";
    assert!(text.contains(said), "{text}");
}
