//! Settings, files and folders that change while the server runs; and where nothing is suggested, why.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Client, TempFolder, inline_params, saying, until};

const URI: &str = "file:///home/me/a.rs";

fn told(client: &Client, method: &str) -> Vec<Value> {
    let unasked = client.unasked.lock().unwrap();
    unasked.iter().filter(|it| it["method"] == method).map(|it| it["params"].clone()).collect()
}

fn messages(client: &Client) -> Vec<String> {
    let all = told(client, "window/showMessage");
    all.iter().map(|it| it["message"].as_str().unwrap().to_owned()).collect()
}

/// The states of a document, or of the server, one after the other.
fn states(client: &Client, uri: Option<&str>) -> Vec<String> {
    let all = told(client, "keyside/status");
    let here = all.iter().filter(|it| it.get("uri").and_then(Value::as_str) == uri);
    here.map(|it| it["state"].as_str().unwrap().to_owned()).collect()
}

fn configure(client: &Client, settings: Value) {
    client.notify("workspace/didChangeConfiguration", json!({"settings": settings}));
}

fn open_as(client: &Client, uri: &str, language_id: &str, text: &str) {
    let document = json!({"uri": uri, "languageId": language_id, "version": 1, "text": text});
    client.notify("textDocument/didOpen", json!({"textDocument": document}));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_once_and_other_programs_settings_are_not() {
    let client = Client::with_fake(saying("1;"));
    client.initialize(&["utf-8"]).await;
    for foreign in [
        json!({"rust-analyzer": {"check": {"command": "clippy"}}, "editor.tabSize": 4, "python": {}}),
        json!({"files": {"exclude": {}}}),
        json!({}),
        json!([]),
        json!(null),
    ] {
        configure(&client, foreign);
    }
    configure(
        &client,
        json!({"keyside": {"completion": {"max_lnes": 2}, "modle": {}}, "python": {}}),
    );
    let sentence = "`completion.max_lnes` (did you mean `completion.max_lines`?) and `modle` (did you mean `model`?) in editor are not \
                    settings of keyside; `keyside config show` lists all that there are";
    until(async || messages(&client).contains(&sentence.to_owned()).then_some(())).await;
    // The same again is nothing new; what is new is told alone.
    let both = json!({"completion": {"max_lnes": 2, "max_tokens": "many"}, "modle": {}});
    configure(&client, json!({"keyside": both}));
    let second =
        "`completion.max_tokens` in editor is not used: it must be a whole number from 1 to 512";
    until(async || messages(&client).contains(&second.to_owned()).then_some(())).await;
    assert_eq!(messages(&client), [sentence, second]);
    configure(&client, json!({"keyside": {"completion": {"max_tokens": 3}}}));
    client.open(URI, "let x = ");
    assert!(client.ghost(URI, 0, 8).await.is_some());
    client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_suggested_status_says_so_and_why() {
    let client = Client::with_fake(saying("1;"));
    client.initialize(&["utf-8"]).await;
    client.model_ready().await;
    until(async || states(&client, None).contains(&"ready".to_owned()).then_some(())).await;
    configure(
        &client,
        json!({"keyside": {"completion": {"disabled_languages": ["Rust", " markdown "]}}}),
    );
    open_as(&client, URI, "rust", "let x = ");
    until(async || (states(&client, Some(URI)) == ["off"]).then_some(())).await;
    let status = client.ask("keyside/status", json!({"uri": URI})).await;
    let message = status["result"]["message"].as_str().unwrap();
    assert!(message.contains("`Rust`") && message.contains("disabled_languages"), "{message}");
    assert_eq!(client.ghost(URI, 0, 8).await, None);
    // Elsewhere all is well, also where the language is not known.
    for (uri, language) in [("file:///b.py", "python"), ("file:///c", "qwertz"), ("file:///d", "")]
    {
        open_as(&client, uri, language, "let x = ");
        let status = client.ask("keyside/status", json!({"uri": uri})).await;
        assert_eq!(status["result"]["state"], "ready", "{status}");
        assert!(client.ghost(uri, 0, 8).await.is_some());
    }
    open_as(&client, "file:///e.md", "MARKDOWN", "let x = ");
    assert_eq!(client.ghost("file:///e.md", 0, 8).await, None);
    configure(&client, json!({"keyside": {"completion": {"enabled": false}}}));
    until(async || (states(&client, None).last()? == "off").then_some(())).await;
    for params in [json!({}), json!({"uri": URI}), json!({"uri": "file:///b.py"})] {
        let status = client.ask("keyside/status", params).await;
        assert_eq!(status["result"]["state"], "off", "{status}");
        let message = status["result"]["message"].as_str().unwrap();
        assert!(message.contains("completion.enabled"), "{message}");
    }
    assert_eq!(client.ghost("file:///b.py", 0, 8).await, None);
    configure(&client, json!({"keyside": {}}));
    until(async || (states(&client, None).last()? == "ready").then_some(())).await;
    until(async || (states(&client, Some(URI)) == ["off", "ready"]).then_some(())).await;
    assert!(client.ghost(URI, 0, 8).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn the_settings_file_is_read_again_when_it_changes() {
    let home = TempFolder::new();
    let file = home.0.join("config.toml");
    let uri = format!("file://{}", file.display());
    let client = Client::real_process_in(home);
    client.initialize(&["utf-8"]).await;
    client.model_ready().await;
    until(async || states(&client, None).contains(&"ready".to_owned()).then_some(())).await;
    std::fs::write(&file, "[completion]\nenabled = false\n").unwrap();
    client.notify("workspace/didChangeWatchedFiles", json!({"changes": [{"uri": uri, "type": 2}]}));
    until(async || (states(&client, None).last()? == "off").then_some(())).await;
    // Half a file, as an editor may write it: what held goes on to hold.
    std::fs::write(&file, "[completion\nenabled = true\n").unwrap();
    client.notify("workspace/didChangeWatchedFiles", json!({"changes": [{"uri": uri, "type": 2}]}));
    until(async || {
        messages(&client).iter().any(|it| it.contains("the earlier ones stay")).then_some(())
    })
    .await;
    let status = client.ask("keyside/status", json!({})).await;
    assert_eq!(status["result"]["state"], "off");
    std::fs::write(&file, "[completion]\nenabled = true\n").unwrap();
    client.notify("textDocument/didSave", json!({"textDocument": {"uri": uri}}));
    until(async || (states(&client, None).last()? == "ready").then_some(())).await;
    client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_is_asked_to_tell_of_files_and_folders() {
    let client = Client::with_fake(saying("1;"));
    let watches = json!({"dynamicRegistration": true, "relativePatternSupport": true});
    let capabilities = json!({"workspace": {"didChangeWatchedFiles": watches}});
    let result = client.initialize_with(json!({"capabilities": capabilities})).await;
    let folders = &result["capabilities"]["workspace"]["workspaceFolders"];
    assert_eq!(folders, &json!({"supported": true, "changeNotifications": true}));
    let asked = until(async || told(&client, "client/registerCapability").pop()).await;
    let registration = &asked["registrations"][0];
    assert_eq!(registration["method"], "workspace/didChangeWatchedFiles");
    let watchers = registration["registerOptions"]["watchers"].to_string();
    for part in [".gitignore", ".aiignore", "rs,", "config.toml"] {
        assert!(watchers.contains(part), "{watchers}");
    }
    // A client that can't be asked is not.
    let client = Client::with_fake(saying("1;"));
    client.initialize(&["utf-8"]).await;
    configure(&client, json!({"keyside": {"modle": 1}}));
    until(async || (messages(&client).len() == 1).then_some(())).await;
    assert!(told(&client, "client/registerCapability").is_empty());
}

/// A line that no model knows.
const LINE: &str = "let zorblatt = registry.lookup_zorblatt(&session, Flavour::Quixotic);";

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// What is shown after `let zorblatt = ` of a new file, once files are read.
async fn shown(client: &Client, folder: &Path, name: &str) -> String {
    let uri = format!("file://{}/src/{name}.rs", folder.display());
    let text = format!("fn {name}(session: Session) {{\n    let zorblatt = \n}}\n");
    client.open(&uri, &text);
    client.ghost(&uri, 1, 19).await;
    until(async || {
        let report = client.stats().await["workspace"].clone();
        report.as_array()?.iter().all(|it| it["building"] == false).then_some(())
    })
    .await;
    // The same question has a known answer, so the text has to be another.
    client.type_at(&uri, 2, 0, 0, "// a\n");
    let ghost = client.ghost(&uri, 2, 19).await;
    // Its empty line must not count for the next one.
    client.notify("textDocument/didClose", json!({"textDocument": {"uri": uri}}));
    ghost.map(|it| it.text).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn folders_and_ignore_files_are_followed_while_the_server_runs() {
    let (first, second) = (TempFolder::new(), TempFolder::new());
    let file = format!("fn other() {{\n    {LINE}\n    {LINE}\n}}\n");
    write(&first.0, "src/nothing.rs", "fn nothing() {}\n");
    write(&second.0, "src/other.rs", &file);
    let client = Client::with_embedded_model();
    let uri = |it: &TempFolder| format!("file://{}", it.0.display());
    let folder = |it: &TempFolder| json!({"uri": uri(it), "name": "x"});
    let encodings = json!({"positionEncodings": ["utf-8"]});
    let params =
        json!({"workspaceFolders": [folder(&first)], "capabilities": {"general": encodings}});
    client.initialize_with(params).await;
    client.model_ready().await;
    let knows = async |name: &str| shown(&client, &first.0, name).await.contains("lookup_zorblatt");
    assert!(!knows("a").await);
    // Twice, as some clients do: it is one folder.
    for _ in 0..2 {
        let event = json!({"added": [folder(&second)], "removed": []});
        client.notify("workspace/didChangeWorkspaceFolders", json!({"event": event}));
    }
    assert!(knows("b").await);
    write(&second.0, ".gitignore", "other.rs\n");
    let ignore = format!("{}/.gitignore", uri(&second));
    client.notify(
        "workspace/didChangeWatchedFiles",
        json!({"changes": [{"uri": ignore, "type": 1}]}),
    );
    assert!(!knows("c").await);
    std::fs::remove_file(second.0.join(".gitignore")).unwrap();
    client.notify("textDocument/didSave", json!({"textDocument": {"uri": ignore}}));
    assert!(knows("d").await);
    let event = json!({"added": [], "removed": [folder(&second)]});
    client.notify("workspace/didChangeWorkspaceFolders", json!({"event": event}));
    assert!(!knows("e").await);
    for odd in [json!(null), json!({"event": 3}), json!({"event": {"added": [3, {"uri": 4}]}})] {
        client.notify("workspace/didChangeWorkspaceFolders", odd.clone());
        client.notify("workspace/didChangeWatchedFiles", odd);
    }
    client.assert_no_faults();
}

fn run(command: &str, arguments: Value) -> Value {
    json!({"command": command, "arguments": arguments})
}

#[tokio::test(flavor = "multi_thread")]
async fn snoozed_nothing_comes_unasked_and_whoever_asks_is_answered() {
    let client = Client::with_fake(saying("1;"));
    client.initialize(&["utf-8"]).await;
    client.model_ready().await;
    client.open(URI, "let x = ");
    assert!(client.ghost(URI, 0, 8).await.is_some());
    // A number; and a text, which is what some editors make of what is typed.
    for (minutes, said) in [(json!([1]), "for the next minute;"), (json!(["20"]), "20 minutes;")] {
        client.ask("workspace/executeCommand", run("keyside.snoozeMinutes", minutes)).await;
        until(async || messages(&client).iter().any(|it| it.contains(said)).then_some(())).await;
        assert!(client.ghost(URI, 0, 8).await.is_none());
        let mut params = inline_params(URI, 0, 8);
        params["context"]["triggerKind"] = json!(1);
        let asked = client.ask("textDocument/inlineCompletion", params).await;
        assert_eq!(asked["result"]["items"][0]["insertText"], "1;", "{asked}");
        let status = client.ask("keyside/status", json!({})).await["result"].clone();
        let message = status["message"].as_str().unwrap();
        assert!(status["state"] == "off" && message.starts_with("snoozed for another"), "{status}");
    }
    client.ask("workspace/executeCommand", run("keyside.showStatus", json!([]))).await;
    let sentence = "keyside: snoozed for another 20 minutes; ";
    until(async || messages(&client).iter().any(|it| it.starts_with(sentence)).then_some(())).await;
    client.ask("workspace/executeCommand", run("keyside.snoozeMinutes", json!([0]))).await;
    assert!(client.ghost(URI, 0, 8).await.is_some());
    until(async || (states(&client, None).last()? == "ready").then_some(())).await;
    assert!(states(&client, None).contains(&"off".to_owned()));
    for odd in
        [json!([-1]), json!([1.5]), json!(["soon"]), json!([1441]), json!([1, 2]), json!([{}])]
    {
        let refused =
            client.ask("workspace/executeCommand", run("keyside.snoozeMinutes", odd)).await;
        assert_eq!(refused["error"]["code"], -32602, "{refused}");
    }
    assert!(client.ghost(URI, 0, 8).await.is_some());
    client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_follow_the_status_is_sent_none() {
    let client = Client::with_fake(saying("1;"));
    let capabilities = json!({"textDocument": {"inlineCompletion": {}}});
    client.initialize_with(json!({"processId": null, "capabilities": capabilities})).await;
    client.model_ready().await;
    client.open(URI, "let x = ");
    configure(&client, json!({"completion": {"enabled": false}}));
    configure(&client, json!({"completion": {"disabled_languages": ["rust"]}}));
    client.ask("workspace/executeCommand", run("keyside.snoozeMinutes", json!([]))).await;
    // What it asks for it gets, and after the last answer nothing comes any more.
    let status = client.ask("keyside/status", json!({})).await;
    assert_eq!(status["result"]["state"], "off");
    client.ask("shutdown", Value::Null).await;
    assert!(told(&client, "keyside/status").is_empty());
    client.assert_no_faults();
}
