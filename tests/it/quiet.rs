//! Where nothing is suggested unasked: by the level, in comments and strings, while deleting.

use serde_json::{Value, json};

use crate::support::{Client, inline_params};

const SECOND_LINE: usize = 1;

/// What is shown at the `$0` of a Python text.
async fn shown(client: &Client, marked: &str, is_explicit: bool) -> String {
    let caret = marked.find("$0").expect("$0 marks the caret");
    let line = marked[..caret].matches('\n').count();
    let column = caret - marked[..caret].rfind('\n').map_or(0, |it| it + 1);
    let uri = "file:///p/a.py";
    client.open_as(uri, "python", &marked.replacen("$0", "", 1));
    let text = shown_at(client, uri, (line, column), is_explicit).await;
    client.notify("textDocument/didClose", json!({"textDocument": {"uri": uri}}));
    text
}

async fn shown_at(
    client: &Client,
    uri: &str,
    (line, column): (usize, usize),
    is_explicit: bool,
) -> String {
    let mut params = inline_params(uri, line, column);
    params["context"]["triggerKind"] = json!(if is_explicit { 1 } else { 2 });
    let answer = client.ask("textDocument/inlineCompletion", params).await;
    let item = &answer["result"]["items"][0];
    let start = item["range"]["start"]["character"].as_u64().unwrap_or(column as u64) as usize;
    let text = item["insertText"].as_str().unwrap_or_default();
    text.chars().skip(column - start).collect()
}

async fn started(completion: Value) -> Client {
    let client = Client::with_embedded_model_and(completion);
    client.initialize(&["utf-32"]).await;
    client.model_ready().await;
    client
}

const CALLS: &str = "items = []\nitems.append(1)\nitems.append(2)\nitems.app$0";

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_level_says_how_much_is_suggested() {
    for (settings, right) in [
        (json!({"level": "eager"}), "end"),
        // Of three characters nothing may be unsure.
        (json!({"level": "balanced"}), "end"),
        (json!({"level": "quiet"}), ""),
        // What is set beside it counts.
        (json!({"level": "quiet", "min_characters": 2, "min_confidence": 0.45}), "end"),
        (json!({"level": "eager", "min_characters": 4}), ""),
    ] {
        let client = started(settings.clone()).await;
        assert_eq!(shown(&client, CALLS, false).await, right, "{settings}");
        assert!(shown(&client, CALLS, true).await.starts_with("end"), "{settings}");
        client.assert_no_faults();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn comments_and_strings_are_left_out_where_the_settings_say_so() {
    let comment = "deliveries = load()\ndeliveries.sort()\n# sort the deliveries\nsort(deliveries)\n\
                   # print the deliv$0";
    let string = "f('deliveries', 1)\ng('deliveries', 2)\nh('deliv$0', 3)\n";
    let code = "deliveries = load()\nsort(deliveries)\nprint(deliv$0)\n";
    for (settings, is_in_comment, is_in_string) in [
        (json!({"level": "eager"}), true, true),
        (json!({"level": "eager", "in_comments": false}), false, true),
        (json!({"level": "eager", "in_strings": false}), true, false),
    ] {
        let client = started(settings.clone()).await;
        assert_eq!(!shown(&client, comment, false).await.is_empty(), is_in_comment, "{settings}");
        assert_eq!(!shown(&client, string, false).await.is_empty(), is_in_string, "{settings}");
        assert_eq!(shown(&client, code, false).await, "eries", "{settings}");
        // Who asks is answered.
        assert!(!shown(&client, comment, true).await.is_empty(), "{settings}");
        assert!(!shown(&client, string, true).await.is_empty(), "{settings}");
        client.assert_no_faults();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn nothing_is_suggested_while_a_person_deletes() {
    let client = started(json!({"level": "eager"})).await;
    let uri = "file:///p/b.py";
    client.open_as(
        uri,
        "python",
        "deliveries = load(deliveries); send(deliveries)\nprint(delive)\n",
    );
    let delete = |version: i32, column: usize| {
        let place = |column: usize| json!({"line": SECOND_LINE, "character": column});
        let range = json!({"start": place(column - 1), "end": place(column)});
        client.change(uri, version, json!([{"range": range, "text": ""}]));
    };
    let at = |column: usize| shown_at(&client, uri, (SECOND_LINE, column), false);
    delete(2, 12);
    assert_eq!(at(11).await, "");
    // Elsewhere nothing was deleted, and a person who asks is answered.
    assert_eq!(shown_at(&client, uri, (SECOND_LINE, 11), true).await, "eries");
    client.type_at(uri, 3, SECOND_LINE, 11, "e");
    assert_eq!(at(12).await, "ries");
    delete(4, 12);
    delete(5, 11);
    assert_eq!(at(10).await, "");
    client.type_at(uri, 6, SECOND_LINE, 10, "v");
    assert_eq!(at(11).await, "eries");
    client.assert_no_faults();
}
