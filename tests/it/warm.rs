//! What is ready before it is asked for: the first key in a file where the caret has rested, or else from a short
//! prompt where the model is slow; what follows ghost text that is taken, and the next line.

use keyside::lm::backend::scripted::Script;
use serde_json::{Value, json};

use crate::support::{Client, TempFolder, inline_params, saying, until};

const URI: &str = "file:///home/me/project/src/a.rs";

/// A document of some 3,000 tokens.
fn long_text() -> String {
    (0..150)
        .map(|n| {
            format!(
                "fn step_{n}(values: &[u32]) -> u32 {{\n    values.iter().sum::<u32>() + {n}\n}}\n\n"
            )
        })
        .collect()
}

async fn opened(config: &str) -> Client {
    let home = TempFolder::new();
    std::fs::write(home.0.join("config.toml"), config).unwrap();
    let client = Client::real_process_in(home);
    client.initialize(&["utf-8"]).await;
    client.model_ready().await;
    client.open(URI, &long_text());
    client
}

fn of_engine(stats: &Value, name: &str) -> u64 {
    stats["engine"][name].as_u64().unwrap()
}

/// Waits until the engine has done something ahead, and has nothing left to do.
async fn rested(client: &Client) -> Value {
    until(async || {
        let stats = client.idle().await;
        (of_engine(&stats, "prefetch_evaluated_tokens") > 0).then_some(stats)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_model_answers_the_first_key_from_a_short_prompt_and_a_later_one_from_the_whole() {
    // A model of this size is taken for a little slow until it has shown that it is not.
    let script = Script { n_parameters: 15_000_000, ..saying("x") };
    let client = Client::with_fake(script);
    client.initialize(&["utf-8"]).await;
    client.open(URI, &long_text());
    client.ghost(URI, 301, 8).await;
    let stats = client.stats().await;
    assert_eq!(of_engine(&stats, "short_prompts"), 1);
    let evaluated = stats["last"]["evaluated_tokens"].as_u64().unwrap();
    assert!((20..=96).contains(&evaluated), "{evaluated} tokens of the short prompt");
    let stats = rested(&client).await;
    assert!(of_engine(&stats, "prefetch_evaluated_tokens") > 1_000, "{stats}");
    client.ghost(URI, 301, 12).await;
    let stats = client.stats().await;
    assert_eq!(of_engine(&stats, "short_prompts"), 1);
    let last = &stats["last"];
    assert!(last["cached_tokens"].as_u64().unwrap() > 1_000, "{last}");
    client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn where_the_caret_rests_the_first_key_finds_its_prompt_ready() {
    let client = opened("[completion]\nprefetch_on_battery = true\n").await;
    let place = json!({"textDocument": {"uri": URI}, "position": {"line": 401, "character": 8}});
    client.notify("keyside/didMoveCaret", place);
    rested(&client).await;
    client.ghost(URI, 401, 8).await;
    let last = client.stats().await["last"].clone();
    assert!(last["cached_tokens"].as_u64().unwrap() > 300, "{last}");
    assert!(last["evaluated_tokens"].as_u64().unwrap() <= 8, "{last}");
    client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_caret_that_nothing_can_be_done_with_is_ignored() {
    let client = opened("[completion]\nprefetch_on_battery = true\n").await;
    for (uri, line) in [(URI, 3), ("file:///not/open.rs", 0), (URI, 4_000_000_000_u32)] {
        let place =
            json!({"textDocument": {"uri": uri}, "position": {"line": line, "character": 0}});
        client.notify("keyside/didMoveCaret", place);
    }
    client.notify("keyside/didMoveCaret", json!({"textDocument": URI}));
    client.notify("keyside/didMoveCaret", json!(null));
    // The places in the open document are prepared for, the nearest that there are.
    let stats = rested(&client).await;
    assert_eq!(of_engine(&stats, "failed"), 0);
    assert!(client.ghost(URI, 3, 0).await.is_none_or(|it| !it.text.is_empty()));
    client.assert_no_faults();

    let client = opened("[completion]\nprefetch = false\n").await;
    let place = json!({"textDocument": {"uri": URI}, "position": {"line": 401, "character": 8}});
    client.notify("keyside/didMoveCaret", place);
    assert_eq!(of_engine(&client.idle().await, "prefetch_evaluated_tokens"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_gets_the_whole_prompt_and_a_hasty_answer_is_not_given_twice() {
    let script = Script { n_parameters: 15_000_000, ..saying("x") };
    let client = Client::with_fake(script.clone());
    client.initialize(&["utf-8"]).await;
    client.open(URI, &long_text());
    let mut params = inline_params(URI, 201, 8);
    params["context"]["triggerKind"] = json!(1);
    client.ask("textDocument/inlineCompletion", params).await;
    assert_eq!(client.stats().await["last"]["source"], "model");

    let client = Client::with_fake(script);
    client.initialize(&["utf-8"]).await;
    client.open(URI, &long_text());
    let mut sources = Vec::new();
    for _ in 0..3 {
        client.ghost(URI, 301, 8).await;
        sources.push(client.stats().await["last"]["source"].clone());
        rested(&client).await;
    }
    assert_eq!(sources, ["model, short prompt", "model", "same question"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_likely_to_come_next_is_ready_before_it_is_asked_for() {
    let client = Client::with_fake(saying(";;"));
    client.initialize(&["utf-8"]).await;
    let after = "    call(&more)?;\n".repeat(20);
    client.open(URI, &format!("fn f() {{\n    let x = 1\n{after}}}\n"));
    assert_eq!(client.ghost(URI, 1, 13).await.expect("ghost text").text, "1;;");
    let whole_prompt = client.stats().await["last"]["evaluated_tokens"].as_u64().unwrap();
    assert!(whole_prompt > 150);
    // The place after the ghost text, and the line after that.
    let ahead = async || client.stats().await["engine"]["prefetch_generated_tokens"].as_u64();
    until(async || ahead().await.filter(|it| *it >= 6)).await;
    client.type_at(URI, 2, 1, 13, ";;");
    client.ghost(URI, 1, 15).await;
    let stats = client.stats().await;
    assert_eq!(stats["last"]["source"], "same question");
    assert_eq!(stats["engine"]["generations"], 1);
    client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_line_is_ready_before_it_is_asked_for() {
    // One character is not shown, so the line is ended after it.
    let client = Client::with_fake(saying(";"));
    client.initialize(&["utf-8"]).await;
    let after = "    let more = 1;\n".repeat(20);
    client.open(URI, &format!("fn f() {{\n    let x = 1\n{after}}}\n"));
    assert!(client.ghost(URI, 1, 13).await.is_none());
    let ahead = async || client.stats().await["engine"]["prefetch_generated_tokens"].as_u64();
    until(async || ahead().await.filter(|it| *it >= 4)).await;
    client.type_at(URI, 2, 1, 13, ";\n    ");
    client.ghost(URI, 2, 4).await;
    assert_eq!(client.stats().await["last"]["source"], "same question");
    // Another indentation is another question, whose prompt is resident but for a few tokens.
    client.type_at(URI, 3, 2, 4, "    ");
    client.ghost(URI, 2, 8).await;
    let last = client.stats().await["last"].clone();
    assert_eq!(last["source"], "model");
    assert!(last["evaluated_tokens"].as_u64().unwrap() <= 8, "{last}");
    // The line above is as it was, beside it.
    let range = json!({"start": {"line": 1, "character": 13}, "end": {"line": 2, "character": 8}});
    client.change(URI, 4, json!([{"range": range, "text": "2"}]));
    client.ghost(URI, 1, 14).await;
    let last = client.stats().await["last"].clone();
    assert!(last["evaluated_tokens"].as_u64().unwrap() <= 5, "{last}");
    client.assert_no_faults();
}
