//! Cancelling, superseding, and staying responsive while a model works.

use std::time::Duration;

use keyside::config::{CompletionConfig, Config};
use keyside::lm::backend::scripted::Script;
use serde_json::{Value, json};

use crate::support::{Client, frozen, inline_params, saying, until};

const URI: &str = "file:///a.rs";

/// Says `x` for ever, slowly: a completion of ten seconds.
fn endless() -> Client {
    let script = Script { time_per_token: Duration::from_millis(20), ..saying("") };
    let completion =
        CompletionConfig { max_tokens: 512, generate_ms: 60_000, ..CompletionConfig::default() };
    Client::with_fake_and(script, Config { completion, ..Config::default() })
}

async fn decoding(client: &Client) -> Value {
    until(async || {
        let engine = client.stats().await["engine"].clone();
        (engine["generated_tokens"].as_u64() > Some(1)).then_some(engine)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_is_answered_and_decoding_stops() {
    let client = endless();
    client.initialize(&[]).await;
    client.open(URI, "let x = ");
    let (id, answer) = client.inline_completion(URI, 0, 8);
    decoding(&client).await;
    client.notify("$/cancelRequest", json!({"id": id}));
    let answer = answer.await.unwrap();
    assert_eq!(answer["error"]["code"], -32800, "{answer}");
    // The flag is read before each token; once the engine is idle nothing is generated any more.
    let engine = client.idle().await["engine"].clone();
    assert_eq!((&engine["busy"], &engine["cancelled"]), (&json!(false), &json!(1)));
    assert!(engine["generated_tokens"].as_u64() < Some(200), "of 512: {engine}");
    client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_in_the_middle_of_a_prompt_ends_its_evaluation() {
    // Each part of the prompt takes half a second, so that the second is under way when the cancel comes.
    let script = Script { time_per_token: Duration::from_millis(500), ..saying("x") };
    let client = Client::with_fake(script);
    client.initialize(&[]).await;
    client.model_ready().await;
    client.open(URI, &"let value = map.get(key).unwrap();\n".repeat(200));
    let (id, answer) = client.inline_completion(URI, 100, 0);
    let evaluated = async || client.stats().await["engine"]["evaluated_tokens"].as_u64();
    until(async || evaluated().await.filter(|it| *it > 0)).await;
    client.notify("$/cancelRequest", json!({"id": id}));
    assert_eq!(answer.await.unwrap()["error"]["code"], -32800);
    let engine = client.idle().await["engine"].clone();
    assert_eq!(
        (&engine["cancelled"], &engine["generated_tokens"], &engine["generations"]),
        (&json!(1), &json!(0), &json!(0))
    );
    client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_context_is_in_order_after_prompts_that_were_cancelled() {
    // The real model: a long prompt is being evaluated when the cancel comes.
    let client = Client::with_embedded_model();
    client.initialize(&[]).await;
    client.model_ready().await;
    let source = frozen("lib/prompt/finish.rs");
    for n in 0..20 {
        let uri = format!("file:///{n}.rs");
        client.open(&uri, &format!("// {n}\n{source}"));
        let (id, answer) = client.inline_completion(&uri, 120, 0);
        client.notify("$/cancelRequest", json!({"id": id}));
        // Cancelled, unless it was done by then.
        let answer = answer.await.unwrap();
        assert!(answer["error"]["code"] == -32800 || answer["result"]["items"].is_array());
        // Open documents have a say in others of their language.
        client.notify("textDocument/didClose", json!({"textDocument": {"uri": uri}}));
    }
    // The same question has the same answer as a fresh server's.
    let text = "fn total() -> u32 {\n    let mut result = 0;\n    result += 1;\n    resu\n}\n";
    client.open("file:///b.rs", text);
    let ghost = client.ghost("file:///b.rs", 3, 8).await;
    let fresh = Client::with_embedded_model();
    fresh.initialize(&[]).await;
    fresh.open("file:///b.rs", text);
    let expected = fresh.ghost("file:///b.rs", 3, 8).await;
    assert_eq!(ghost.map(|it| it.text), expected.map(|it| it.text));
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_and_cancels_are_taken_in_while_eight_requests_are_in_flight() {
    let client = endless();
    client.initialize(&[]).await;
    client.open(URI, "let x = ");
    let mut answers = Vec::new();
    for n in 0..8 {
        client.type_at(URI, 2 + n, 0, 8, "a");
        answers.push(client.inline_completion(URI, 0, 9));
    }
    // The document answers of the last edit although no completion has ended by itself.
    let copy = client.ask("keyside/document", json!({"uri": URI})).await;
    assert_eq!(copy["result"]["version"], 9);
    let (last, earlier) = answers.split_last_mut().unwrap();
    for (_, answer) in earlier {
        let answer = answer.await.unwrap();
        assert_eq!(answer["result"]["items"], json!([]), "superseded");
    }
    client.notify("$/cancelRequest", json!({"id": last.0}));
    assert_eq!((&mut last.1).await.unwrap()["error"]["code"], -32800);
    client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_keys_faster_than_the_model() {
    let script = Script { time_per_token: Duration::from_millis(2), ..saying("the last one") };
    let client = Client::with_fake(script);
    client.initialize(&["utf-8"]).await;
    // What is superseded while the model loads never reaches the engine, and is not in its counts.
    client.model_ready().await;
    client.open(URI, "");
    let mut answers = Vec::new();
    for n in 0..1_000 {
        client.type_at(URI, n + 2, 0, n as usize, "k");
        answers.push(
            client
                .request("textDocument/inlineCompletion", inline_params(URI, 0, n as usize + 1))
                .1,
        );
    }
    let mut last = Value::Null;
    for answer in answers {
        last = answer.await.unwrap();
        assert!(last["result"]["items"].is_array(), "{last}");
    }
    let text = last["result"]["items"][0]["insertText"].as_str().unwrap();
    assert_eq!(text, format!("{}the last one", "k".repeat(1_000)));
    let engine = client.stats().await["engine"].clone();
    let n = |key: &str| engine[key].as_u64().unwrap();
    assert_eq!(n("generations") + n("superseded") + n("cancelled"), 1_000, "{engine}");
    assert_eq!(client.n_unanswered(), 0);
    client.assert_no_faults();
}

/// A key every 8 ms, each cancelling the one before, as VS Code does: shorter than the evaluation of a
/// stretch of the prompt. What has begun is kept, or there would be no answer before the person pauses.
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_prompt_advances_while_somebody_types() {
    let client = Client::with_embedded_model();
    client.initialize(&["utf-8"]).await;
    client.model_ready().await;
    let source = frozen("lib/prompt/finish.rs");
    let line = 120;
    let lines: Vec<&str> = source.lines().collect();
    client.open(URI, &format!("{}\n\n{}", lines[..line].join("\n"), lines[line..].join("\n")));
    let mut pending: Option<(i64, tokio::sync::oneshot::Receiver<Value>)> = None;
    for n in 0..60 {
        if let Some((id, _)) = &pending {
            client.notify("$/cancelRequest", json!({"id": id}));
        }
        client.type_at(URI, n + 2, line, n as usize, "x");
        pending = Some(client.inline_completion(URI, line, n as usize + 1));
        tokio::time::sleep(Duration::from_millis(8)).await;
    }
    let last = pending.unwrap().1.await.unwrap();
    assert!(last["result"]["items"].is_array(), "{last}");
    let last = client.stats().await["last"].clone();
    assert!(last["cached_tokens"].as_u64() > last["evaluated_tokens"].as_u64(), "{last}");
}
