//! Edits whose versions do not rise, or that can't be followed: the server's copy is the editor's, or it says that it is not.

use serde_json::{Value, json};

use crate::support::{Client, saying, until};

const URI: &str = "file:///home/me/a.rs";

async fn server() -> Client {
    let client = Client::with_fake(saying("1;"));
    client.initialize(&["utf-8"]).await;
    client
}

/// The text as the server has it, told by its hash; `None` where it says that it is not the editor's.
async fn is_in_step(client: &Client, expected: &str) -> bool {
    let copy = client.ask("keyside/document", json!({"uri": URI})).await;
    let is_same = copy["result"]["sha256"] == keyside::stdx::hex_sha256(expected.as_bytes());
    assert!(is_same || copy["result"]["in_sync"] == false, "silently wrong: {copy}");
    copy["result"]["in_sync"] == true
}

/// A change with a version of any shape, or with none.
fn change(client: &Client, version: Option<Value>, changes: Value) {
    let mut document = json!({"uri": URI});
    if let Some(version) = version {
        document["version"] = version;
    }
    let params = json!({"textDocument": document, "contentChanges": changes});
    client.notify("textDocument/didChange", params);
}

fn typed(text: &str) -> Value {
    let at = json!({"line": 0, "character": 0});
    json!([{"range": {"start": at, "end": at}, "text": text}])
}

fn unasked(client: &Client, method: &str) -> Vec<Value> {
    let unasked = client.unasked.lock().unwrap();
    unasked.iter().filter(|it| it["method"] == method).map(|it| it["params"].clone()).collect()
}

/// What is no version at all, and versions that do not rise above 5.
fn odd_versions() -> Vec<Option<Value>> {
    let some = [
        json!(5),
        json!(4),
        json!(0),
        json!(-7),
        json!(null),
        json!("6"),
        json!(6.5),
        json!(1e300),
    ];
    some.into_iter().map(Some).chain([None]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_text_is_applied_whatever_its_version() {
    let client = server().await;
    for version in odd_versions() {
        client.open(URI, "one");
        change(&client, Some(json!(5)), json!([{"text": "five"}]));
        change(&client, version.clone(), json!([{"text": "let x = "}]));
        assert!(is_in_step(&client, "let x = ").await, "{version:?}");
        assert!(client.ghost(URI, 0, 8).await.is_some());
        // And the editor counts on, from wherever it is.
        let next = version.and_then(|it| it.as_i64()).map_or(1, |it| it + 1);
        change(&client, Some(json!(next)), typed("y"));
        assert!(is_in_step(&client, "ylet x = ").await, "{next}");
    }
    client.open(URI, "opened again, with the version that it had");
    assert!(is_in_step(&client, "opened again, with the version that it had").await);
    assert!(unasked(&client, "window/showMessage").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_a_range_whose_version_does_not_rise_is_never_silently_wrong() {
    let client = server().await;
    client.open("file:///b.rs", "let x = ");
    for (n, version) in odd_versions().into_iter().enumerate() {
        client.open(URI, "one");
        change(&client, Some(json!(5)), json!([{"text": "let x = "}]));
        change(&client, version.clone(), typed("y"));
        assert!(!is_in_step(&client, "ylet x = ").await, "{version:?}");
        // Nothing is suggested, whatever is typed now, and it is told once.
        change(&client, Some(json!(6)), typed("z"));
        change(&client, version.clone(), typed("z"));
        assert!(!is_in_step(&client, "zylet x = ").await);
        assert_eq!(client.ghost(URI, 0, 8).await, None);
        let told = until(async || {
            let told = unasked(&client, "window/showMessage");
            (told.len() > n).then_some(told)
        });
        let told = told.await;
        assert_eq!(told.len(), n + 1, "{told:#?}");
        let sentence = told[n]["message"].as_str().unwrap();
        assert!(sentence.contains("a.rs") && sentence.contains("reopen"), "{sentence}");
        // The whole text mends it, and other documents are as they were.
        change(&client, version, json!([{"text": "let z = "}]));
        assert!(is_in_step(&client, "let z = ").await);
        assert!(client.ghost(URI, 0, 8).await.is_some());
        assert!(client.ghost("file:///b.rs", 0, 8).await.is_some());
        if n == 3 {
            // More of a kind than anybody reads.
            break;
        }
    }
    client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_text_mends_what_stands_before_it_in_the_same_notification() {
    let client = server().await;
    client.open(URI, "one");
    let join = |a: Value, b: Value| json!([a[0].clone(), b[0].clone()]);
    let whole = |text: &str| json!([{"text": text}]);
    let unreadable = json!([{"range": "x", "text": "y"}]);
    change(&client, Some(json!(0)), join(typed("x"), whole("two")));
    assert!(is_in_step(&client, "two").await);
    change(&client, Some(json!(0)), join(whole("three"), typed("x")));
    assert!(is_in_step(&client, "xthree").await);
    change(&client, Some(json!(1)), join(unreadable.clone(), whole("four")));
    assert!(is_in_step(&client, "four").await);
    change(&client, Some(json!(2)), join(whole("five"), unreadable));
    assert!(!is_in_step(&client, "five").await);
    change(&client, None, whole("six"));
    assert!(is_in_step(&client, "six").await);
    // Nothing was changed, so nothing is lost.
    change(&client, Some(json!(0)), json!([]));
    assert!(is_in_step(&client, "six").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_of_odd_shapes_lose_the_document_that_they_name() {
    let client = server().await;
    for changes in
        [json!(null), json!({}), json!("x"), json!([null]), json!([{"text": 3}]), json!([[]])]
    {
        client.open(URI, "let x = ");
        change(&client, Some(json!(2)), changes.clone());
        assert!(!is_in_step(&client, "let x = ").await, "{changes}");
        change(&client, Some(json!(3)), json!([{"text": "let y = "}]));
        assert!(is_in_step(&client, "let y = ").await);
    }
    // Opened without a text, or without the rest.
    client.notify("textDocument/didOpen", json!({"textDocument": {"uri": URI, "text": 3}}));
    assert!(!is_in_step(&client, "").await);
    client
        .notify("textDocument/didOpen", json!({"textDocument": {"uri": URI, "text": "let x = "}}));
    assert!(is_in_step(&client, "let x = ").await);
    for params in
        [json!(null), json!([]), json!({"textDocument": 3}), json!({"textDocument": {"uri": 3}})]
    {
        for method in ["didOpen", "didChange", "didClose", "didSave"] {
            client.notify(&format!("textDocument/{method}"), params.clone());
        }
    }
    assert!(is_in_step(&client, "let x = ").await);
    client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
async fn status_says_that_a_text_is_lost_and_when_it_is_found() {
    let client = server().await;
    client.open(URI, "let x = ");
    client.model_ready().await;
    let states = || -> Vec<String> {
        let all = unasked(&client, "keyside/status");
        let here = all.iter().filter(|it| it["uri"] == URI);
        here.map(|it| it["state"].as_str().unwrap().to_owned()).collect()
    };
    change(&client, Some(json!(1)), typed("y"));
    until(async || (states() == ["off"]).then_some(())).await;
    let now = client.ask("keyside/status", json!({"uri": URI})).await;
    assert_eq!((&now["result"]["state"], &now["result"]["uri"]), (&json!("off"), &json!(URI)));
    assert!(now["result"]["message"].as_str().unwrap().contains("lost"), "{now}");
    change(&client, Some(json!(1)), json!([{"text": "let x = "}]));
    until(async || (states() == ["off", "ready"]).then_some(())).await;
    for params in [json!({"uri": URI}), json!({"uri": "file:///else.rs"}), json!({}), json!(null)] {
        let now = client.ask("keyside/status", params).await;
        assert_eq!(now["result"]["state"], "ready", "{now}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_has_one_text_however_its_uri_is_spelled() {
    let client = server().await;
    let spellings = [
        "file:///c%3A/pro%20ject/a.rs",
        "file:///C:/pro%20ject/a.rs",
        "file:///c:/pro%20ject/./a.rs",
        "file:///c%3a/pro%20ject//%61.rs",
        "FILE://localhost/C%3A/pro ject/a.rs",
    ];
    client.open(spellings[0], "");
    let mut text = String::new();
    for (n, uri) in spellings.iter().cycle().take(20).enumerate() {
        client.type_at(uri, i32::try_from(n).unwrap() + 2, 0, n, "a");
        text.push('a');
        let other = spellings[(n + 2) % spellings.len()];
        let copy = client.ask("keyside/document", json!({"uri": other})).await;
        assert_eq!(copy["result"]["sha256"], keyside::stdx::hex_sha256(text.as_bytes()));
        assert!(client.ghost(other, 0, n + 1).await.is_some());
    }
    let other_case =
        client.ask("keyside/document", json!({"uri": "file:///c:/pro%20ject/A.rs"})).await;
    assert_eq!(other_case["error"]["code"], -32602);
    client.notify("textDocument/didClose", json!({"textDocument": {"uri": spellings[3]}}));
    for uri in spellings {
        let copy = client.ask("keyside/document", json!({"uri": uri})).await;
        assert_eq!(copy["error"]["code"], -32602, "{copy}");
    }
}
