//! Ghost text as a client gets it.

use keyside::lm::backend::scripted::Script;
use serde_json::{Value, json};

use crate::support::{Client, Ghost, frozen, inline_params, saying, until};

const URI: &str = "file:///home/me/project/src/a.rs";

/// Opens a text with `$0` for the caret and asks there. Shows the line as the editor would have it after
/// accepting, with what the item replaces in `[…]` brackets: `kept[replaced->new]kept`.
async fn shown(answer: &str, marked: &str) -> String {
    let client = Client::with_fake(saying(answer));
    client.initialize(&["utf-8"]).await;
    let caret = marked.find("$0").expect("$0 marks the caret");
    let text = marked.replacen("$0", "", 1);
    client.open(URI, &text);
    let line = text[..caret].matches('\n').count();
    let column = caret - text[..caret].rfind('\n').map_or(0, |at| at + 1);
    let ghost = client.ghost(URI, line, column).await;
    client.assert_no_faults();
    let line_text = text.split('\n').nth(line).unwrap();
    match ghost {
        None => "nothing".to_owned(),
        Some(Ghost { text, start, end, .. }) => {
            let (start, end) = (start as usize, end as usize);
            format!(
                "{}[{}->{text}]{}",
                &line_text[..start],
                &line_text[start..end],
                &line_text[end..]
            )
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn items_replace_the_word_at_the_caret() {
    // The fake says its answer after the forced bytes, which it says too, so they are part of it here.
    assert_eq!(shown(" = 1;", "let value$0").await, "let [value->value = 1;]");
    assert_eq!(shown("1;", "let x =$0\n").await, "let x =[->1;]");
    assert_eq!(shown("a, b)", "call($0)").await, "call([->a, b])");
    assert_eq!(shown("a, b);", "call($0)").await, "call([)->a, b);]");
    assert_eq!(shown("  ", "let x$0").await, "nothing");
    assert_eq!(shown("漢😀", "let é$0").await, "let [é->é漢😀]");
}

#[tokio::test(flavor = "multi_thread")]
async fn line_breaks_of_ghost_text_are_plain() {
    assert_eq!(shown("a();\n    b();", "{\r\n    $0\r\n}\r\n").await, "    [->a();\n    b();]\r");
    assert_eq!(shown("a();\n    b();", "{\n    $0\n}\n").await, "    [->a();\n    b();]");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selected_popup_item_is_part_of_the_answer() {
    let client = Client::with_fake(saying("(1)"));
    client.initialize(&["utf-16"]).await;
    client.open(URI, "let x = se");
    let mut params = inline_params(URI, 0, 10);
    let range = json!({"start": {"line": 0, "character": 8}, "end": {"line": 0, "character": 10}});
    params["context"]["selectedCompletionInfo"] = json!({"range": range, "text": "select"});
    let answer = client.ask("textDocument/inlineCompletion", params).await;
    let item = &answer["result"]["items"][0];
    assert_eq!(item["range"], range);
    assert_eq!(item["insertText"], "select(1)");

    // The range can't take in the bracket after the caret, so the text ends before it.
    let client = Client::with_fake(saying(").unwrap();"));
    client.initialize(&["utf-16"]).await;
    client.open(URI, "let x = map.get(ke)");
    let mut params = inline_params(URI, 0, 18);
    let range = json!({"start": {"line": 0, "character": 16}, "end": {"line": 0, "character": 18}});
    params["context"]["selectedCompletionInfo"] = json!({"range": range, "text": "key"});
    let answer = client.ask("textDocument/inlineCompletion", params).await;
    assert_eq!(answer["result"]["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn acceptance_is_counted() {
    let client = Client::with_fake(saying("1;"));
    client.initialize(&[]).await;
    client.open(URI, "let x = ");
    let ghost = client.ghost(URI, 0, 8).await.expect("ghost text");
    let answer = client.ask("workspace/executeCommand", ghost.command.clone()).await;
    assert_eq!(answer["result"], Value::Null);
    assert!(answer.get("error").is_none());
    let stats = client.stats().await;
    let expected = json!({
        "requested": 1, "shown": 1, "empty": 0, "reused": 0,
        "accepted": 1, "accepted_parts": 0, "rejected": 0,
    });
    assert_eq!(stats["completions"], expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_popup_is_for_clients_without_ghost_text() {
    let client = Client::with_fake(saying("len();"));
    let with = client.initialize(&[]).await;
    assert_eq!(with["serverInfo"]["name"], "keyside");
    assert_eq!(with["capabilities"]["inlineCompletionProvider"], true);
    assert_eq!(with["capabilities"].get("completionProvider"), None);

    let client = Client::with_fake(saying("len();"));
    let without = client.initialize_with(json!({"processId": null, "capabilities": {}})).await;
    assert_eq!(without["capabilities"]["inlineCompletionProvider"], true);
    assert!(without["capabilities"]["completionProvider"]["triggerCharacters"].is_array());
    client.open(URI, "let n = items.");
    let params = json!({"textDocument": {"uri": URI}, "position": {"line": 0, "character": 14}});
    let answer = client.ask("textDocument/completion", params).await;
    let list = &answer["result"];
    assert_eq!(list["isIncomplete"], true);
    assert_eq!(list["items"][0]["textEdit"]["newText"], "len();");
    assert_eq!(list["items"][0]["command"]["command"], "keyside.accepted");
    assert_eq!(list["items"][0]["insertTextMode"], 1, "its lines are indented already");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_popup_does_not_repeat_a_name_that_other_servers_offer() {
    let client = Client::with_fake(saying("len()"));
    client.initialize_with(json!({"processId": null, "capabilities": {}})).await;
    client.open(URI, "let n = items.");
    let params = json!({"textDocument": {"uri": URI}, "position": {"line": 0, "character": 14}});
    let answer = client.ask("textDocument/completion", params).await;
    assert_eq!(answer["result"]["items"], json!([]));
    assert_eq!(client.stats().await["completions"]["shown"], 0, "nor does it count as shown");
    // As ghost text it is of use.
    assert!(client.ghost(URI, 0, 14).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_switch_it_off() {
    let client = Client::with_fake(saying("1;"));
    let options = json!({"completion": {"disabled_languages": ["rust"]}, "colour": "red"});
    client.initialize_with(json!({"capabilities": {}, "initializationOptions": options})).await;
    client.open(URI, "let x = ");
    // `initialized` is a notification; its effect is there when its message about `colour` is.
    let is_named = |it: &Value| it.to_string().contains("colour");
    until(async || client.unasked.lock().unwrap().iter().any(is_named).then_some(())).await;
    assert_eq!(client.ghost(URI, 0, 8).await, None);
    client.notify(
        "workspace/didChangeConfiguration",
        json!({"settings": {"keyside": {"completion": {"disabled_languages": []}}}}),
    );
    until(async || client.ghost(URI, 0, 8).await).await;
}

/// Types a text at one place with the embedded model, a request after each key, as VS Code does.
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn typing_three_hundred_characters_evaluates_only_what_is_new() {
    let client = Client::with_embedded_model();
    client.initialize(&["utf-16"]).await;
    let source = frozen("lib/text/edit.rs");
    let lines: Vec<&str> = source.lines().collect();
    let at = lines.iter().position(|line| line.contains("let (start, end) =")).unwrap();
    let before = lines[..at].join("\n") + "\n";
    let after = lines[at..].join("\n");
    client.open(URI, &format!("{before}\n{after}"));
    client.model_ready().await;
    let typed = "    let first = place(&rope, range.start, encoding); let last = place(&rope, range.end, \
                 encoding); assert!(first.char_index <= last.char_index); let removed = \
                 rope.slice(first.char_index..last.char_index).to_string(); let inserted = \
                 change.text.chars().count(); counts.push((removed.len(), inserted)); let total = \
                 removed.len() + inserted;";
    let typed: String = typed.chars().take(300).collect();
    assert_eq!(typed.chars().count(), 300);
    let mut evaluated = Vec::new();
    for (column, c) in typed.chars().enumerate() {
        let version = i32::try_from(column).unwrap() + 2;
        client.type_at(URI, version, at, column, &c.to_string());
        let answer =
            client.ask("textDocument/inlineCompletion", inline_params(URI, at, column + 1)).await;
        assert!(answer["result"]["items"].is_array(), "{answer}");
        let last = client.stats().await["last"].clone();
        // What was typed along an answer did not ask the model.
        if last["source"] == "model" {
            evaluated.push((
                last["evaluated_tokens"].as_u64().unwrap(),
                last["cached_tokens"].as_u64().unwrap(),
            ));
        }
    }
    let (first, rest) = evaluated.split_first().unwrap();
    assert_eq!(first.1, 0, "the first prompt can't be cached");
    let mut per_key: Vec<u64> = rest.iter().map(|(evaluated, _)| *evaluated).collect();
    per_key.sort_unstable();
    assert!(per_key.len() > 100 && per_key[per_key.len() / 2] <= 4, "{per_key:?}");
    for (evaluated, cached) in rest {
        assert!(evaluated < cached, "a prefill of {evaluated} with {cached} cached");
    }
    assert_eq!(client.n_unanswered(), 0);
    client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_along_ghost_text_asks_no_model() {
    let client = Client::with_fake(saying("call(1, 2);"));
    initialize_asking_the_model(&client).await;
    client.open(URI, "let x = \nlet y;\n");
    let typed_here = "call(1, 2);";
    let mut shown = Vec::new();
    for column in 0..=typed_here.len() {
        if column > 0 {
            let c = &typed_here[column - 1..column];
            client.type_at(URI, i32::try_from(column).unwrap() + 1, 0, 7 + column, c);
        }
        let ghost = client.ghost(URI, 0, 8 + column).await;
        // Items replace the word at the caret, so its typed part is in their text.
        let word = |it: &Ghost| it.text[8 + column - it.start as usize..].to_owned();
        let source = client.stats().await["last"]["source"].as_str().unwrap().to_owned();
        shown.push((ghost.as_ref().map(word).unwrap_or_default(), source));
    }
    assert_eq!(shown[0], ("call(1, 2);".to_owned(), "model".to_owned()));
    for (column, (text, source)) in shown[..typed_here.len()].iter().enumerate().skip(1) {
        assert_eq!((text.as_str(), source.as_str()), (&typed_here[column..], "typed along"));
    }
    // Nothing was left of it, so the model was asked how it goes on.
    assert_eq!(shown[typed_here.len()].1, "model");
    // Back where it began: the editor has the earlier text again.
    client.change(URI, 99, json!([{"text": "let x = \nlet y;\n"}]));
    let ghost = client.ghost(URI, 0, 8).await.expect("ghost text");
    assert_eq!(ghost.text, "call(1, 2);");
    let stats = client.stats().await;
    assert_eq!(stats["last"]["source"], "same question");
    assert_eq!(stats["completions"]["reused"], 11);
    assert_eq!(stats["engine"]["generations"], 2);
    // Another text below may mean another answer.
    client.type_at(URI, 100, 1, 0, "// ");
    client.ghost(URI, 0, 8).await;
    assert_eq!(client.stats().await["last"]["source"], "model");
    client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_agrees_with_what_is_being_generated_goes_on_with_it() {
    let time_per_token = std::time::Duration::from_millis(15);
    let client = Client::with_fake(Script { time_per_token, ..saying(" abcdefghijklmnop;") });
    client.initialize(&["utf-8"]).await;
    client.open(URI, "fn f() {\n    let x =\n}\n");
    // Once to its end, so that the model has shown that it can take tokens back.
    client.ghost(URI, 1, 11).await;
    client.type_at(URI, 2, 1, 11, " ");
    client.type_at(URI, 3, 0, 0, "// \n");
    let (_, first) = client.inline_completion(URI, 2, 12);
    let generated = async || client.stats().await["engine"]["generated_tokens"].as_u64();
    let before = generated().await;
    until(async || generated().await.filter(|it| Some(*it) > before.map(|it| it + 8))).await;
    // A person types on before the answer is there.
    client.type_at(URI, 4, 2, 12, "a");
    let ghost = client.ghost(URI, 2, 13).await.expect("ghost text");
    assert_eq!(ghost.text, "abcdefghijklmnop;");
    assert_eq!(Ghost::of(&first.await.unwrap()), None);
    let last = client.stats().await["last"].clone();
    // What was generated until then is not evaluated again.
    assert!(last["reused_logits"].as_u64().unwrap() >= 4, "{last}");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_person_who_asks_gets_alternatives_that_differ() {
    let client = Client::with_embedded_model();
    client.initialize(&["utf-8"]).await;
    let text = "fn a(map: &Map) {\n    let first = map.get(1);\n    let second = map.insert(2);\n    \
                let third = map.\n}\n";
    client.open(URI, text);
    let texts = async |kind: u32, column: usize| {
        let mut params = inline_params(URI, 3, column);
        params["context"]["triggerKind"] = json!(kind);
        let answer = client.ask("textDocument/inlineCompletion", params).await;
        let items = answer["result"]["items"].as_array().unwrap().clone();
        items.iter().map(|it| it["insertText"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let asked = texts(1, 20).await;
    assert!((2..=3).contains(&asked.len()), "{asked:?}");
    let mut different = asked.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), asked.len(), "{asked:?}");
    assert!(asked.iter().any(|it| it.starts_with("get(")), "{asked:?}");
    // The same again, and no model for it; and after a letter those that begin with it.
    let steps = async || client.stats().await["engine"]["generated_tokens"].clone();
    let before = steps().await;
    assert_eq!(texts(1, 20).await, asked);
    assert_eq!(steps().await, before);
    let letter = &asked[0][..1];
    client.type_at(URI, 2, 3, 20, letter);
    let along = texts(1, 21).await;
    let expected: Vec<_> = asked.iter().filter(|it| it.starts_with(letter)).cloned().collect();
    assert_eq!(along, expected);
    client.type_at(URI, 3, 0, 0, "// ");
    assert!(texts(2, 21).await.len() <= 1);
    client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
async fn other_settings_are_another_question() {
    let client = Client::with_fake(saying("one();\n    two();"));
    client.initialize(&["utf-8"]).await;
    client.open(URI, "fn f() {\n    \n}\n");
    let shown = async || client.ghost(URI, 1, 4).await.map(|it| it.text);
    assert_eq!(shown().await.as_deref(), Some("one();\n    two();"));
    let settings = json!({"settings": {"keyside": {"completion": {"max_lines": 1}}}});
    client.notify("workspace/didChangeConfiguration", settings);
    assert_eq!(shown().await.as_deref(), Some("one();"));
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_caret_inside_an_identifier_completes_it() {
    let client = Client::with_embedded_model_and(json!({"min_characters": 2}));
    client.initialize(&["utf-8"]).await;
    let text = "fn total(quantities: &[u32]) -> u32 {\n    let mut result = 0;\n    for quantity in \
                quantities {\n        result += quantity;\n    }\n    resu\n}\n";
    client.open(URI, text);
    let ghost = client.ghost(URI, 5, 8).await.expect("ghost text");
    assert_eq!((ghost.start, ghost.end), (4, 8));
    assert!(ghost.text.starts_with("result"), "{ghost:?}");
}

/// With settings by which the model is asked wherever nothing else was said, with its whole prompt.
async fn initialize_asking_the_model(client: &Client) {
    let completion = json!({"min_lookup_confidence": 1.0, "prefetch": false});
    let encodings = json!({"positionEncodings": ["utf-8"]});
    let params = json!({
        "capabilities": {"general": encodings},
        "initializationOptions": {"completion": completion},
    });
    client.initialize_with(params).await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn what_was_generated_is_kept_when_it_is_accepted() {
    let client = Client::with_embedded_model();
    initialize_asking_the_model(&client).await;
    let text = "fn a() {\n    let first = map.get(key).unwrap();\n    let second = \
                map.get(key).unwrap();\n    let third = map.get(\n}\n";
    client.open(URI, text);
    let ghost = client.ghost(URI, 3, 24).await.expect("ghost text");
    let added = &ghost.text[(24 - ghost.start as usize)..];
    assert!(added.len() > 5, "{ghost:?}");
    let prompt = client.stats().await["last"].clone();
    client.type_at(URI, 2, 3, 24, added);
    client.ask("textDocument/inlineCompletion", inline_params(URI, 3, 24 + added.len())).await;
    let last = client.stats().await["last"].clone();
    let before =
        prompt["cached_tokens"].as_u64().unwrap() + prompt["evaluated_tokens"].as_u64().unwrap();
    assert!(last["cached_tokens"].as_u64().unwrap() > before, "{last} after {prompt}");
}

#[tokio::test(flavor = "multi_thread")]
async fn later_settings_win_and_null_changes_nothing() {
    for _ in 0..20 {
        let client = Client::with_fake(saying("12345"));
        let options = json!({"completion": {"max_tokens": 4}, "unknown": 1, "unknown_too": 2});
        client.initialize_with(json!({"capabilities": {}, "initializationOptions": options})).await;
        let set = |n: usize| json!({"settings": {"keyside": {"completion": {"max_tokens": n}}}});
        client.notify("workspace/didChangeConfiguration", set(2));
        client.notify("workspace/didChangeConfiguration", set(3));
        client.notify("workspace/didChangeConfiguration", json!({"settings": null}));
        client.open(URI, "let x =");
        // The forced bytes " =" take tokens of the budget as well.
        let ghost = client.ghost(URI, 0, 7).await.map(|it| it.text);
        assert_eq!(ghost, None, "three tokens leave one character, which is too short to show");
        client.notify("workspace/didChangeConfiguration", json!({"settings": {}}));
        let ghost = client.ghost(URI, 0, 7).await.map(|it| it.text);
        assert_eq!(ghost.as_deref(), Some("12"), "the editor's layer is empty, the options hold");
    }
}
