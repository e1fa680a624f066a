//! How an escalation can end other than well: a document that has changed, a person who cancels, a cap, an error, an editor that says
//! yes and does nothing. What was paid for is counted and kept.

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::escalation::{ANSWER, SOURCE, Scene, says, words};
use crate::provider::{Answer, Provider};

/// Of the one call in the ledger: its status, where its cost is from, and its cost.
fn call(scene: &Scene) -> (String, String, i64) {
    let path = scene.client.home.folders().data.join("ledger.db");
    let ledger = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let sql = "SELECT status, cost_source, cost_pico_usd FROM sent_calls";
    ledger.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_editor_that_does_not_do_what_it_says_loses_nothing() {
    let provider = Provider::start(says(ANSWER)).await;
    let scene = Scene::new(&provider.settings(""), SOURCE).await;
    scene.answers(&["Send once"]);
    scene.choose("keyside.refactor").await;
    let sentence = scene.told("nothing was changed, because the document is not what it was to become; the answer is kept as FILE").await;
    let file = Scene::file_named_by(&sentence);
    assert!(std::fs::read_to_string(file).unwrap().contains("+    width * height"));
    // Who types on types on where they are.
    assert_eq!(scene.said("window/showDocument")[0]["takeFocus"], false);
    // 321 and 45 tokens at 3 and 15 dollars a million.
    assert_eq!(call(&scene), ("ok".to_owned(), "table".to_owned(), 1_638_000_000));
}

/// How long it thought is charged for, and the text does not tell.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_after_thinking_without_a_count_is_counted_at_its_worst_case() {
    let events = [
        r#"{"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "content": []}}"#,
        r#"{"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}}"#,
        r#"{"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}}"#,
        r#"{"type": "content_block_stop", "index": 0}"#,
        r#"{"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}}"#,
        r#"{"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "It adds."}}"#,
        r#"{"type": "content_block_stop", "index": 1}"#,
        r#"{"type": "message_delta", "delta": {"stop_reason": "end_turn"}}"#,
        r#"{"type": "message_stop"}"#,
    ];
    let events = events.map(|it| serde_json::from_str(it).unwrap()).to_vec();
    let provider = Provider::start(Answer::Streams(events)).await;
    let scene = Scene::new(&provider.settings(""), SOURCE).await;
    scene.answers(&["Send once"]);
    scene.choose("keyside.explain").await;
    scene.over().await;
    let (status, source, cost) = call(&scene);
    assert_eq!((status.as_str(), source.as_str()), ("ok", "worst_case"));
    // 8,000 tokens of an answer at 15 dollars a million, and the question.
    assert!(cost > 120_000_000_000, "{cost}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_can_not_be_put_in_is_kept() {
    let provider = Provider::start(says("I would rather not change it.")).await;
    let scene = Scene::new(&provider.settings(""), SOURCE).await;
    scene.answers(&["Send once"]);
    scene.choose("keyside.refactor").await;
    let sentence = scene.told("The answer holds no block of code; ask again, or read it as text. (what the model said is in FILE)").await;
    let file = Scene::file_named_by(&sentence);
    assert_eq!(std::fs::read_to_string(file).unwrap(), "I would rather not change it.");
    assert!(scene.said("workspace/applyEdit").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_has_changed_is_not_touched() {
    let provider = Provider::start(says(ANSWER)).await;
    let scene = Scene::new(&provider.settings(""), SOURCE).await;
    let change = json!({"textDocument": {"uri": scene.uri, "version": 2}, "contentChanges": [{"text": "fn x() {}\n"}]});
    let typed =
        json!({"jsonrpc": "2.0", "method": "textDocument/didChange", "params": change}).to_string();
    let to_server = scene.client.sender();
    *scene.client.person.lock().unwrap() =
        Box::new(move |request| match request["method"].as_str().unwrap() {
            "window/showMessageRequest" => {
                to_server.send(keyside::lsp::frames::encode(typed.as_bytes())).unwrap();
                json!({"title": "Send once"})
            }
            _ => Value::Null,
        });
    scene.choose("keyside.refactor").await;
    let sentence = scene.told(words::DOCUMENT_CHANGED).await;
    let file = Scene::file_named_by(&sentence);
    let diff = std::fs::read_to_string(file).unwrap();
    assert!(diff.contains("-    let result = width * height;"), "{diff}");
    assert!(diff.contains("+    width * height"), "{diff}");
    assert!(scene.said("workspace/applyEdit").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_request_closes_its_connection() {
    let provider =
        Provider::start(Answer::SaysAndStalls { text: "It multiplies ".to_owned() }).await;
    let scene = Scene::new(&provider.settings(""), SOURCE).await;
    scene.answers(&["Send once"]);
    scene.choose("keyside.explain").await;
    let progress = scene.comes_to("writing").await;
    scene.client.notify("window/workDoneProgress/cancel", json!({"token": progress["token"]}));
    let mut n_closed = provider.n_closed.clone();
    n_closed.wait_for(|it| *it == 1).await.unwrap();
    scene.told(words::CANCELLED_IN_THE_MIDDLE).await;
    scene.over().await;
    // What the provider had read, and what it had written.
    let (status, source, cost) = call(&scene);
    assert_eq!((status.as_str(), source.as_str()), ("cancelled", "table"));
    assert!(cost > 10 * 3_000_000, "{cost}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_stops_what_would_go_past_it() {
    let provider = Provider::start(says(ANSWER)).await;
    let scene = Scene::new(&provider.settings("daily_cap_usd = 0.01"), SOURCE).await;
    scene.answers(&["Send once"]);
    scene.choose("keyside.explain").await;
    scene.told(words::PAST_THE_CAP).await;
    assert!(provider.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_an_error_changes_nothing_and_says_one_sentence() {
    let body = json!({"type": "error", "error": {"type": "invalid_request_error", "message": "no such thing"}});
    let provider = Provider::start(Answer::Status(400, body.to_string())).await;
    let scene = Scene::new(&provider.settings(""), SOURCE).await;
    scene.answers(&["Send once"]);
    scene.choose("keyside.refactor").await;
    scene.told("nothing was changed: HOST refuses the request (status 400, it says: no such thing); see whether `model` and `protocol` of here are right").await;
    assert!(scene.said("workspace/applyEdit").is_empty());
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_properly_settles_what_is_under_way() {
    let provider =
        Provider::start(Answer::SaysAndStalls { text: "It multiplies ".to_owned() }).await;
    let mut scene = Scene::new(&provider.settings(""), SOURCE).await;
    scene.answers(&["Send once"]);
    scene.choose("keyside.explain").await;
    scene.comes_to("writing").await;
    scene.client.ask("shutdown", Value::Null).await;
    // Already: some editors end the process now.
    let (status, source, _) = call(&scene);
    assert_eq!((status.as_str(), source.as_str()), ("cancelled", "table"));
    scene.client.notify("exit", Value::Null);
    scene.client.child.take().unwrap().wait().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_and_waits_to_be_sent_again_costs_nothing() {
    let body =
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let provider = Provider::start(Answer::Status(529, body.to_string())).await;
    let scene = Scene::new(&provider.settings(""), SOURCE).await;
    scene.answers(&["Send once"]);
    scene.choose("keyside.explain").await;
    scene.comes_to("trying again").await;
    scene.client.ask("workspace/executeCommand", json!({"command": "keyside.cancel"})).await;
    scene.told(words::CANCELLED).await;
    let (status, _, cost) = call(&scene);
    assert_eq!((status.as_str(), cost), ("cancelled", 0));
}
