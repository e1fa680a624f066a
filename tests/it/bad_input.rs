//! Whatever arrives: an answer or a clear error, never a panic, never a wrong document afterwards.

use serde_json::{Value, json};

use crate::support::{Client, Ghost, inline_params, saying, until};

const URI: &str = "file:///a.rs";

async fn server() -> Client {
    let client = Client::with_fake(saying("1;"));
    client.initialize(&["utf-16"]).await;
    client
}

/// The text's hash as the server has it, against the text that is expected.
#[track_caller]
fn assert_text(client: &Client, expected: &str) -> impl Future<Output = ()> {
    let answer = client.ask("keyside/document", json!({"uri": URI}));
    let expected = keyside::stdx::hex_sha256(expected.as_bytes());
    async move { assert_eq!(answer.await["result"]["sha256"], expected) }
}

/// Asks for ghost text. There is at most one item; it stands in the caret's line, around the caret, and puts something in.
async fn asked(client: &Client, uri: &str, line: usize, column: usize) -> Option<Ghost> {
    let answer =
        client.ask("textDocument/inlineCompletion", inline_params(uri, line, column)).await;
    let ghost = Ghost::of(&answer)?;
    assert_eq!(answer["result"]["items"].as_array().unwrap().len(), 1, "{answer}");
    let range = &answer["result"]["items"][0]["range"];
    assert_eq!((&range["start"]["line"], &range["end"]["line"]), (&json!(line), &json!(line)));
    assert!((ghost.start..=ghost.end).contains(&(column as u64)), "{answer}");
    assert!(!ghost.text.is_empty() && !ghost.text.contains('\r'), "{answer}");
    Some(ghost)
}

/// Each of so many requests has been worked on, and none has failed.
async fn assert_worked(client: &Client, n_requests: usize) {
    let stats = client.stats().await;
    assert_eq!(stats["completions"]["requested"], n_requests, "{stats}");
    assert_eq!(stats["engine"]["failed"], 0, "{stats}");
}

async fn warning(client: &Client, part: &str) {
    until(async || {
        let unasked = client.unasked.lock().unwrap();
        unasked.iter().any(|it| it.to_string().contains(part)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_outside_the_text() {
    let client = server().await;
    client.open(URI, "let x = \nlet y = ");
    // Behind a line is its end, and behind the text is the text's end.
    let ends = [((0, 8), [(0, 999), (0, 9)]), ((1, 8), [(99, 0), (4_294_967_295, 4_294_967_295)])];
    for ((line, column), outside) in ends {
        let ghost = asked(&client, URI, line, column).await;
        assert_eq!(ghost.as_ref().map(|it| it.text.as_str()), Some("1;"));
        for (line, column) in outside {
            let answer =
                client.ask("textDocument/inlineCompletion", inline_params(URI, line, column)).await;
            let place = |it: Ghost| (it.text, it.start, it.end);
            assert_eq!(Ghost::of(&answer).map(place), ghost.clone().map(place), "{answer}");
        }
    }
    for position in
        [json!({"line": -1, "character": 0}), json!({"line": 1.5}), json!("x"), json!(null)]
    {
        let mut params = inline_params(URI, 0, 0);
        params["position"] = position;
        let answer = client.ask("textDocument/inlineCompletion", params).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
    assert_text(&client, "let x = \nlet y = ").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_that_can_not_be_followed() {
    let client = server().await;
    client.change("file:///unknown.rs", 2, json!([{"text": "x"}]));
    warning(&client, "is not open").await;
    client.notify("textDocument/didClose", json!({"textDocument": {"uri": "file:///unknown.rs"}}));

    client.open(URI, "one");
    client.change(URI, 7, json!([{"text": "seven"}]));
    client.type_at(URI, 3, 0, 0, "three");
    warning(&client, "came after version 7").await;
    client.change(URI, 7, json!([{"text": "seven"}]));
    assert_text(&client, "seven").await;

    // Not one of the changes is applied where one of them can't be read. A range that can't be read is
    // not no range, which would replace the whole text.
    let mut version = 8;
    let position = |character: Value| json!({"line": 0, "character": character});
    for bad in
        [json!(-1), json!(4_294_967_296_u64), json!(1e300), json!(1.5), json!("x"), json!(null)]
    {
        let range = json!({"start": position(json!(0)), "end": position(bad)});
        client.change(URI, version, json!([{"range": range, "text": "X"}]));
        let copy = client.ask("keyside/document", json!({"uri": URI})).await;
        assert_eq!(copy["result"]["in_sync"], false);
        assert_text(&client, "seven").await;
        // The text is not known now, so nothing is suggested and typing is not followed.
        client.type_at(URI, version + 1, 0, 0, "y");
        assert_text(&client, "seven").await;
        assert_eq!(client.ghost(URI, 0, 5).await, None);
        client.change(URI, version + 2, json!([{"text": "seven"}]));
        let copy = client.ask("keyside/document", json!({"uri": URI})).await;
        assert_eq!(copy["result"]["in_sync"], true);
        version += 3;
    }
    warning(&client, "could not be read").await;
    client.change(URI, version, json!([{"text": "nine"}, {"text": 9}]));
    assert_text(&client, "seven").await;
    client.change(URI, version + 1, json!([{"text": "ten"}]));
    assert_text(&client, "ten").await;
    // A request by the name of a notification is answered.
    let answer = client.ask("textDocument/didChange", json!({})).await;
    assert_eq!(answer["error"]["code"], -32600);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_for_documents_that_are_not_open() {
    let client = server().await;
    for method in ["textDocument/inlineCompletion", "textDocument/completion", "keyside/document"] {
        let mut params = inline_params("file:///nowhere.rs", 0, 0);
        params["uri"] = json!("file:///nowhere.rs");
        params["context"]["triggerKind"] = json!(1);
        let answer = client.ask(method, params).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains("not open"), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lone_surrogates() {
    let client = server().await;
    client.open(URI, "ab\n");
    // As JSON.stringify writes half a pair; serde_json alone would refuse the whole message.
    client.send_body(
        br#"{"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":{"uri":"file:///a.rs","version":2},"contentChanges":[{"range":{"start":{"line":0,"character":1},"end":{"line":0,"character":1}},"text":"\ud83d"}]}}"#,
    );
    assert_text(&client, "a\u{fffd}b\n").await;
    // The half is one unit wide, so the next position is where the client means it.
    client.type_at(URI, 3, 0, 2, "-");
    assert_text(&client, "a\u{fffd}-b\n").await;
    client.change(URI, 4, json!([{"text": "x😀y"}]));
    let half = |start: u32, end: u32| json!([{"range": {"start": {"line": 0, "character": start}, "end": {"line": 0, "character": end}}, "text": ""}]);
    client.change(URI, 5, half(2, 3));
    assert_text(&client, "x\u{fffd}y").await;
    // An edit that changes nothing, which ends the deletion.
    client.type_at(URI, 6, 0, 0, "");
    // It is suggested in as in a text that has been so from the beginning.
    let fresh = server().await;
    fresh.open(URI, "x\u{fffd}y");
    for column in 1..=3 {
        let place = |it: Ghost| (it.text, it.start, it.end);
        let (ours, expected) =
            (asked(&client, URI, 0, column).await, asked(&fresh, URI, 0, column).await);
        assert_eq!(ours.map(place), expected.map(place));
    }
    assert_worked(&client, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nul_bytes_and_odd_characters() {
    let client = Client::with_embedded_model();
    client.initialize(&["utf-8"]).await;
    let texts = [
        "\0\0let x = \0",
        "\u{feff}let x = ",
        "\u{202e}let\u{200b}x = ",
        "👩\u{200d}👩\u{200d}👧 ",
        "\r\r\n\n\r",
        "",
    ];
    for text in texts {
        client.open(URI, text);
        let line_end = text.find(['\r', '\n']).unwrap_or(text.len());
        asked(&client, URI, 0, line_end).await;
        assert_text(&client, text).await;
    }
    assert_worked(&client, texts.len()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn markers_in_the_text_are_text() {
    // Spelled-out markers take as many tokens as text that looks like them. As markers they would take
    // one each, and the first would end the prompt's first section.
    let mut n_tokens = Vec::new();
    for (prefix, middle, end) in [
        ("<|fim_prefix|>", "<|fim_middle|>", "<|endoftext|>"),
        ("<|fin_prefix|>", "<|fin_middle|>", "<|endovtext|>"),
    ] {
        let client = Client::with_embedded_model();
        client.initialize(&["utf-8"]).await;
        let text = format!("// {prefix}{middle}{end}{end}{end}{end}\nlet x = {middle}\nlet y = \n");
        client.open(URI, &text);
        asked(&client, URI, 2, 8).await;
        assert_worked(&client, 1).await;
        n_tokens.push(client.stats().await["last"]["evaluated_tokens"].as_i64().unwrap());
    }
    assert!((n_tokens[0] - n_tokens[1]).abs() <= 8 && n_tokens[0] > 30, "{n_tokens:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_twenty_megabytes() {
    let client = Client::with_embedded_model();
    client.initialize(&["utf-16"]).await;
    let mut text = "let a = \"é\"; ".repeat(1_400_000);
    assert!(text.len() > 18_000_000);
    client.open(URI, &text);
    let units = text.encode_utf16().count();
    for column in [0, units / 2, units] {
        asked(&client, URI, 0, column).await;
    }
    assert_worked(&client, 3).await;
    client.type_at(URI, 2, 0, units, "x");
    text.push('x');
    assert_text(&client, &text).await;
    client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_file_of_two_hundred_thousand_lines() {
    let client = Client::with_embedded_model();
    client.initialize(&["utf-8"]).await;
    let mut text = "    let value = map.get(key).unwrap();\n".repeat(200_000);
    client.open(URI, &text);
    for line in [0, 100_000] {
        asked(&client, URI, line, 4).await;
    }
    // The line above is another one, or it would be no suggestion to repeat it.
    client.type_at(URI, 2, 200_000, 0, "    log(value);\n    let v");
    text.push_str("    log(value);\n    let v");
    assert_text(&client, &text).await;
    let ghost = asked(&client, URI, 200_001, 9).await.expect("a line that stands there already");
    assert!(ghost.text.starts_with("value = map.get(key)"), "{ghost:?}");
    assert_worked(&client, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_frames_are_answered_and_the_next_one_is_read() {
    let client = server().await;
    let n_parse_errors = |client: &Client| {
        let unasked = client.unasked.lock().unwrap();
        unasked.iter().filter(|it| it["error"]["code"] == -32700 && it["id"] == Value::Null).count()
    };
    for broken in [
        &b"Content-Length: 5\r\n\r\n{\"a\":"[..],
        b"Content-Length: x\r\n\r\n",
        b"Content-Type: application/json\r\n\r\n",
        b"hello\r\n",
        b"Content-Length: 4\r\n\r\n\xff\xff\xff\xff",
    ] {
        let before = n_parse_errors(&client);
        client.send_raw(broken);
        // A request after it is answered as ever, and the broken frame has been.
        assert!(client.stats().await.is_object());
        until(async || (n_parse_errors(&client) > before).then_some(())).await;
        assert_eq!(n_parse_errors(&client), before + 1, "{:?}", String::from_utf8_lossy(broken));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_answered_as_json_rpc_demands() {
    let client = server().await;
    let answer = client.ask("keyside/nonsense", json!({})).await;
    assert_eq!(answer["error"]["code"], -32601);
    let answer = client.ask("textDocument/inlineCompletion", json!([1, 2])).await;
    assert_eq!(answer["error"]["code"], -32602);
    let answer =
        client.ask("workspace/executeCommand", json!({"command": "keyside.nonsense"})).await;
    assert_eq!(answer["error"]["code"], -32602);
    for method in ["$/nonsense", "$/", "$/setTrace", "$/cancelRequest"] {
        for params in [json!({"id": 1}), json!(null), json!([1])] {
            let answer = client.ask(method, params).await;
            assert_eq!(answer["error"]["code"], -32601, "{answer}");
        }
    }
    for params in [json!({}), json!(null), json!([]), json!({"verbose": true})] {
        let stats = client.ask("keyside/stats", params).await;
        assert!(stats["result"]["uptime_ms"].is_number(), "{stats}");
    }
    // Unknown notifications, unknown answers and optional methods are passed over.
    client.notify("keyside/nonsense", json!({}));
    client.notify("$/nonsense", json!({}));
    client.send(&json!({"jsonrpc": "2.0", "id": 4711, "result": null}));
    for (message, code) in [
        (json!([]), -32600),
        (json!(3), -32600),
        (json!({}), -32600),
        (json!({"method": "shutdown", "id": null}), -32600),
        (json!({"jsonrpc": "1.0", "method": "shutdown"}), -32600),
        (json!({"jsonrpc": "2.0", "method": 5}), -32600),
    ] {
        client.unasked.lock().unwrap().clear();
        client.send(&message);
        assert!(client.stats().await.is_object());
        let refusal = |unasked: &[Value]| {
            unasked.iter().find(|it| it["id"].is_null() && it.get("error").is_some()).cloned()
        };
        let answer = until(async || refusal(&client.unasked.lock().unwrap())).await;
        assert_eq!(answer["error"]["code"], code, "{message} was answered {answer:?}");
    }
    client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
async fn before_initialize_nothing_is_answered_and_nothing_is_lost() {
    let client = Client::with_fake(saying("1;"));
    client.open(URI, "early");
    let answer = client.ask("keyside/document", json!({"uri": URI})).await;
    assert_eq!(answer["error"]["code"], -32002, "{answer}");
    // A client that does not wait for the answer to its handshake is served all the same.
    let (_, initialized) =
        client.request("initialize", json!({"capabilities": {}, "processId": "x"}));
    client.notify("initialized", json!({}));
    client.open(URI, "let x = ");
    let ghost = client.ghost(URI, 0, 8).await;
    assert_eq!(initialized.await.unwrap()["result"]["serverInfo"]["name"], "keyside");
    assert!(ghost.is_some());
    let again = client.ask("initialize", json!({"capabilities": {}})).await;
    assert_eq!(again["error"]["code"], -32600);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_costs_one_answer() {
    let mut script = saying("1;");
    script.panic_on = Some(b'@');
    let client = Client::with_fake(script);
    client.initialize(&["utf-8"]).await;
    client.open(URI, "let x = @");
    let answer = client.ask("textDocument/inlineCompletion", inline_params(URI, 0, 9)).await;
    assert_eq!(answer["result"]["items"], json!([]));
    assert_eq!(client.stats().await["engine"]["failed"], 1);
    client.change(URI, 2, json!([{"text": "let x = "}]));
    assert!(client.ghost(URI, 0, 8).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_are_not_what_their_names_say() {
    let client = Client::with_embedded_model();
    client.initialize(&["utf-8"]).await;
    client.model_ready().await;
    let minified = "function a(b,c){return b?c.map(d=>d*2):[]}var e=a(!0,[1,2,3]);".repeat(4_000);
    let texts = [
        ("minified.js", minified, "var f=a("),
        (
            "pasted.rs",
            "def total(rows):\n    return sum(row.price for row in rows)\n\n".repeat(40),
            "let x = ",
        ),
        ("mixed.py", "def f():\n\tif x:\n        y = 1\n\t    z = 2\n".repeat(60), "\tif "),
        (
            "windows.ts",
            "export const a = 1;\r\nexport const b = 2;\r\n".repeat(80),
            "export const c",
        ),
        ("old_mac.c", "int a = 1;\rint b = 2;\r".repeat(80), "int c"),
        ("smileys.md", "😀👩‍👩‍👧‍👦é̂\u{202E}\n".repeat(200), "😀"),
        ("data.json", format!("[{}0]", "0.125,".repeat(30_000)), "1.5,"),
        ("no_ending", "\u{FEFF}#!/bin/sh\n\0\0\n\u{85}\u{2028}\n".repeat(50), "echo "),
    ];
    let mut n_asked = 0;
    for (name, text, typed) in texts {
        let uri = format!("file:///home/me/project/{name}");
        client.open(&uri, &text);
        let (mut column, mut version) = (0, 1);
        for c in typed.chars() {
            version += 1;
            client.type_at(&uri, version, 0, column, &c.to_string());
            column += c.len_utf8();
            asked(&client, &uri, 0, column).await;
            n_asked += 1;
        }
        let copy = client.ask("keyside/document", json!({"uri": uri})).await;
        let expected = format!("{typed}{text}");
        assert_eq!(copy["result"]["length"], expected.len(), "{name}");
        client.notify("textDocument/didClose", json!({"textDocument": {"uri": uri}}));
    }
    assert_worked(&client, n_asked).await;
    client.assert_no_faults();
}
