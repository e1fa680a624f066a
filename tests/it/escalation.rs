//! Asking a cloud model, from the chosen action to the answer: who is asked, what goes over the wire, what it costs, what becomes of
//! the document. The real program, its real broker, and a provider on this machine that records what comes.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::provider::{Answer, Provider};
use crate::support::{Client, TempFolder, until};

pub const SOURCE: &str = "use std::fmt;\n\nfn area(width: u32, height: u32) -> u32 {\n    let result = width * height;\n    return result;\n}\n\nfn other() {}\n";
/// Lines 3 to 6 of it.
pub const ANSWER: &str =
    "Shorter:\n\n```rust\nfn area(width: u32, height: u32) -> u32 {\n    width * height\n}\n```\n";

/// Sentences that several tests wait for.
pub mod words {
    pub const NOTHING_SENT: &str = "nothing was sent";
    pub const CANCELLED: &str = "cancelled; the connection is closed";
    pub const CANCELLED_IN_THE_MIDDLE: &str = "cancelled; what the model said is in FILE";
    pub const KEPT_FOR_LATER: &str = "the request is kept; `keyside cloud retry` sends it";
    pub const DOCUMENT_CHANGED: &str = "nothing was changed, because the document has changed where it was asked about; the answer is kept as FILE";
    pub const PAST_THE_CAP: &str = "nothing was sent: this may cost $0.1212, and of the day's cap of $0.01 there is $0.01 left ($0.00 spent); raise cloud.daily_cap_usd, or wait for midnight";
}

/// What a command that names no place is answered.
const WITHOUT_A_PLACE: &str =
    "keyside.explain needs a place in a file; choose it among the code actions there";

/// A real server whose settings name the provider, with a workspace that has one file, open.
pub struct Scene {
    pub client: Client,
    pub workspace: PathBuf,
    pub uri: String,
}

impl Scene {
    pub async fn new(settings: &str, source: &str) -> Self {
        Self::in_editor(settings, source, json!({}), "a test").await
    }

    pub async fn in_editor(settings: &str, source: &str, options: Value, editor: &str) -> Self {
        let home = TempFolder::new();
        let folders = home.folders();
        std::fs::create_dir_all(&folders.config).unwrap();
        std::fs::write(folders.config_file(), settings).unwrap();
        let workspace = home.0.join("work");
        std::fs::create_dir_all(&workspace).unwrap();
        std::fs::write(workspace.join("a.rs"), source).unwrap();
        let uri = format!("file://{}/a.rs", workspace.display());
        let client = Client::real_process_in(home);
        let capabilities = json!({
            "general": {"positionEncodings": ["utf-8"]},
            "textDocument": {"inlineCompletion": {}},
            "window": {"workDoneProgress": true, "showDocument": {"support": true}},
        });
        let folder = json!([{"uri": format!("file://{}", workspace.display()), "name": "work"}]);
        client
            .initialize_with(json!({
                "processId": null,
                "clientInfo": {"name": editor},
                "capabilities": capabilities,
                "workspaceFolders": folder,
                "initializationOptions": options,
            }))
            .await;
        client.open(&uri, source);
        Self { client, workspace, uri }
    }

    /// What the person chooses, question after question, and what the editor does: it shows files and applies edits.
    pub fn answers(&self, choices: &[&str]) {
        let mut choices: Vec<String> = choices.iter().rev().map(ToString::to_string).collect();
        *self.client.person.lock().unwrap() =
            Box::new(move |request| match request["method"].as_str().unwrap() {
                "window/showMessageRequest" => {
                    choices.pop().map_or(Value::Null, |it| json!({"title": it}))
                }
                "window/showDocument" => json!({"success": true}),
                "workspace/applyEdit" => json!({"applied": true}),
                _ => Value::Null,
            });
    }

    /// Chooses an action on the function.
    pub async fn choose(&self, action: &str) -> Value {
        let range =
            json!({"start": {"line": 3, "character": 4}, "end": {"line": 3, "character": 4}});
        let argument = json!({"uri": self.uri, "range": range});
        self.client
            .ask("workspace/executeCommand", json!({"command": action, "arguments": [argument]}))
            .await
    }

    pub fn said(&self, method: &str) -> Vec<Value> {
        let unasked = self.client.unasked.lock().unwrap();
        unasked.iter().filter(|it| it["method"] == method).map(|it| it["params"].clone()).collect()
    }

    /// Waits for this message to the person, whole and without its `keyside: `. `HOME` stands for
    /// the test's folder, `HOST` for the provider, `FILE` for a file of an answer. Returns the
    /// message as it was sent.
    pub async fn told(&self, sentence: &str) -> String {
        until(async || {
            let said = self.said("window/showMessage");
            let mut said = said.iter().map(|it| it["message"].as_str().unwrap().to_owned());
            said.find(|it| self.with_names_for_places(it) == sentence)
        })
        .await
    }

    fn with_names_for_places(&self, message: &str) -> String {
        let message = message.strip_prefix("keyside: ").unwrap_or(message);
        let message = message.replace(&self.client.home.0.display().to_string(), "HOME");
        let words = message.split(' ').map(|word| {
            let host = word.strip_prefix("127.0.0.1:").map(|port| port.parse::<u16>().is_ok());
            match word.strip_prefix("HOME/cache/shown/") {
                Some(file) if file.ends_with(')') => "FILE)",
                Some(_) => "FILE",
                None if host == Some(true) => "HOST",
                None => word,
            }
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// The file that a message names at its end.
    pub fn file_named_by(message: &str) -> &str {
        message.rsplit_once(' ').unwrap().1.trim_end_matches(')')
    }

    /// Waits for a progress with these words in its message.
    pub async fn comes_to(&self, words: &str) -> Value {
        let has_words =
            |it: &Value| it["value"]["message"].as_str().is_some_and(|it| it.contains(words));
        until(async || self.said("$/progress").into_iter().find(has_words)).await
    }

    /// Waits until no escalation is under way, and all that the server said about it has arrived.
    pub async fn over(&self) {
        let n_running = async || self.client.stats().await["escalations"].as_u64();
        until(async || n_running().await.filter(|it| *it == 0)).await;
        // What the server says by itself arrives in the order in which it was said, so this comes last.
        let params = json!({"command": "keyside.explain"});
        self.client.ask("workspace/executeCommand", params).await;
        until(async || {
            let mut unasked = self.client.unasked.lock().unwrap();
            let is_last = |it: &Value| {
                let message = it["params"]["message"].as_str().unwrap_or_default();
                message.contains(WITHOUT_A_PLACE)
            };
            let at = unasked.iter().position(is_last)?;
            Some(unasked.remove(at))
        })
        .await;
    }
}

pub fn says(text: &str) -> Answer {
    Answer::Says { text: text.to_owned(), input_tokens: 321, output_tokens: 45 }
}

/// The text with the edits of `workspace/applyEdit` in it.
pub fn edited(source: &str, applied: &Value) -> String {
    let change = &applied["edit"]["documentChanges"][0];
    let mut text = source.to_owned();
    for edit in change["edits"].as_array().unwrap().iter().rev() {
        let at = |place: &Value| {
            let (line, column) =
                (place["line"].as_u64().unwrap(), place["character"].as_u64().unwrap());
            let before: usize =
                source.split_inclusive('\n').take(line as usize).map(str::len).sum();
            before + column as usize
        };
        let range = at(&edit["range"]["start"])..at(&edit["range"]["end"]);
        text.replace_range(range, edit["newText"].as_str().unwrap());
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_refactoring_is_agreed_to_sent_and_applied() {
    let provider = Provider::start(says(ANSWER)).await;
    let scene = Scene::new(&provider.settings(""), SOURCE).await;
    let (to_server, uri) = (scene.client.sender(), scene.uri.clone());
    *scene.client.person.lock().unwrap() = Box::new(move |request| {
        match request["method"].as_str().unwrap() {
            "window/showMessageRequest" => json!({"title": "Send once"}),
            "workspace/applyEdit" => {
                let text = edited(SOURCE, &request["params"]);
                let change = json!({"textDocument": {"uri": uri, "version": 2}, "contentChanges": [{"text": text}]});
                let change =
                    json!({"jsonrpc": "2.0", "method": "textDocument/didChange", "params": change});
                to_server
                    .send(keyside::lsp::frames::encode(change.to_string().as_bytes()))
                    .unwrap();
                json!({"applied": true})
            }
            _ => Value::Null,
        }
    });
    assert_eq!(scene.choose("keyside.refactor").await["result"], Value::Null);
    let applied = until(async || scene.said("workspace/applyEdit").pop()).await;
    let change = &applied["edit"]["documentChanges"][0];
    assert_eq!(change["textDocument"], json!({"uri": scene.uri, "version": 1}));
    assert_eq!(
        edited(SOURCE, &applied),
        "use std::fmt;\n\nfn area(width: u32, height: u32) -> u32 {\n    width * height\n}\n\nfn other() {}\n"
    );
    scene.over().await;
    assert!(scene.said("window/showMessage").is_empty(), "{:?}", scene.said("window/showMessage"));
    let [question] = &scene.said("window/showMessageRequest")[..] else { panic!("one question") };
    let question = question["message"].as_str().unwrap();
    let workspace = scene.workspace.display().to_string();
    for words in [
        "“a.rs” lines 1–8",
        "test-model",
        &format!("127.0.0.1:{}", provider.port),
        "$2.00",
        "No secret",
        &workspace,
    ] {
        assert!(question.contains(words), "{question}");
    }
    let [request] = &provider.requests()[..] else { panic!("one request") };
    assert!(request.head.starts_with("POST /v1/messages HTTP/1.1"), "{}", request.head);
    scene.client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_where_nobody_agrees() {
    let provider = Provider::start(says(ANSWER)).await;
    for choice in [&["Cancel"][..], &["Never for this workspace"], &[]] {
        let scene = Scene::new(&provider.settings(""), SOURCE).await;
        scene.answers(choice);
        scene.choose("keyside.explain").await;
        until(async || scene.said("window/showMessageRequest").pop()).await;
        if choice == ["Never for this workspace"] {
            // It is remembered.
            let home = scene.client.home.0.clone();
            until(async || std::fs::read_to_string(home.join("consent.toml")).ok()).await;
            scene.choose("keyside.explain").await;
            scene.told("nothing of this workspace is sent to here, as you said; `keyside cloud allow` takes that back").await;
            assert_eq!(scene.said("window/showMessageRequest").len(), 1);
        }
        if choice.is_empty() {
            scene.told(words::NOTHING_SENT).await;
        }
    }
    let scene = Scene::new(&provider.settings(""), SOURCE).await;
    *scene.client.person.lock().unwrap() =
        Box::new(|_| json!({"jsonrpc_error": {"code": -32601, "message": "Method not found"}}));
    scene.choose("keyside.explain").await;
    scene
        .told("nothing was sent, because this editor asks nobody; run `keyside cloud allow` in HOME/work")
        .await;
    assert!(provider.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_without_a_place_says_where_to_find_it() {
    let provider = Provider::start(says(ANSWER)).await;
    let scene = Scene::new(&provider.settings(""), SOURCE).await;
    let params = json!({"command": "keyside.explain"});
    let answer = scene.client.ask("workspace/executeCommand", params).await;
    assert_eq!(answer["result"], Value::Null, "{answer}");
    scene.told(WITHOUT_A_PLACE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_is_what_is_sent_and_no_secret_is_in_it() {
    let provider = Provider::start(says("It reads `KEYSIDE_SECRET_1`.")).await;
    let token = format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8");
    let source = format!(
        "fn login() {{\n    let token = \"x\";\n    let token = \"{token}\";\n    send(token);\n}}\n"
    );
    let scene = Scene::new(&provider.settings(""), &source).await;
    let shown = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = std::sync::Arc::clone(&shown);
    let mut choices = vec!["Send once", "Show what will be sent"];
    *scene.client.person.lock().unwrap() =
        Box::new(move |request| match request["method"].as_str().unwrap() {
            "window/showMessageRequest" => {
                choices.pop().map_or(Value::Null, |it| json!({"title": it}))
            }
            "window/showDocument" => {
                let path =
                    request["params"]["uri"].as_str().unwrap().strip_prefix("file://").unwrap();
                seen.lock().unwrap().push(std::fs::read_to_string(path).unwrap());
                json!({"success": true})
            }
            _ => Value::Null,
        });
    scene.choose("keyside.explain").await;
    until(async || (shown.lock().unwrap().len() == 2).then_some(())).await;
    scene.over().await;
    let [request] = &provider.requests()[..] else { panic!("one request") };
    let shown = shown.lock().unwrap();
    assert_eq!(shown[0], request.body);
    assert!(!request.body.contains(&token) && request.body.contains("KEYSIDE_SECRET_1"));
    assert_eq!(
        shown[1],
        "It reads `KEYSIDE_SECRET_1`.\n\n---\n*`KEYSIDE_SECRET_1` stands for a secret that was taken out; it is not put back \
         here*\n"
    );
    let question =
        scene.said("window/showMessageRequest")[0]["message"].as_str().unwrap().to_owned();
    assert!(question.contains("1 secret was taken out (github-pat)"), "{question}");
    assert!(!question.contains(&token));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_fenced_off_are_not_sent() {
    let provider = Provider::start(says(ANSWER)).await;
    let scene = Scene::new(&provider.settings("never_send = [\"/a.rs\"]"), SOURCE).await;
    scene.answers(&["Send once"]);
    scene.choose("keyside.explain").await;
    scene.told("nothing of “a.rs” is sent: cloud.never_send in your settings leaves it out").await;
    std::fs::write(scene.workspace.join(".aiignore"), "*.rs\n").unwrap();
    let scene = Scene { uri: format!("file://{}/b.rs", scene.workspace.display()), ..scene };
    scene.client.open(&scene.uri, SOURCE);
    scene.choose("keyside.explain").await;
    scene.told("nothing of “b.rs” is sent: .aiignore leaves it out").await;
    assert!(provider.requests().is_empty());
    assert!(scene.said("window/showMessageRequest").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_can_not_say_where_text_goes() {
    let provider = Provider::start(says("never asked")).await;
    let elsewhere = json!({"cloud": {
        "enabled": true,
        "provider": "evil",
        "never_send": [],
        "daily_cap_usd": 1000.0,
        "providers": [{"name": "evil", "protocol": "openai-chat", "base_url": format!("http://127.0.0.1:{}", provider.port),
                       "auth": "none", "key": "env:HOME", "model": "m"}],
    }});
    // By the editor's settings, at the start and later, where the user has switched nothing on.
    let scene = Scene::in_editor("", SOURCE, elsewhere.clone(), "a test").await;
    scene.client.notify("workspace/didChangeConfiguration", json!({"settings": elsewhere}));
    for source in ["initializationOptions", "editor"] {
        let sentence = format!(
            "`cloud.providers` in {source} is not used: where text may go is followed only in your own settings file"
        );
        scene.told(&sentence).await;
    }
    let answer = scene.choose("keyside.explain").await;
    assert!(answer["error"]["message"].as_str().unwrap().contains("off"), "{answer}");
    let range = json!({"start": {"line": 3, "character": 0}, "end": {"line": 4, "character": 0}});
    let params =
        json!({"textDocument": {"uri": scene.uri}, "range": range, "context": {"diagnostics": []}});
    assert_eq!(scene.client.ask("textDocument/codeAction", params).await["result"], json!([]));
    assert!(provider.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_name_where_they_go() {
    let provider = Provider::start(says(ANSWER)).await;
    let scene = Scene::new(&provider.settings(""), SOURCE).await;
    let range = json!({"start": {"line": 3, "character": 0}, "end": {"line": 4, "character": 0}});
    let diagnostic = json!({"range": range, "message": "unneeded `return`", "severity": 2});
    let ask = async |context: Value| {
        let params =
            json!({"textDocument": {"uri": scene.uri}, "range": range, "context": context});
        scene.client.ask("textDocument/codeAction", params).await["result"]
            .as_array()
            .unwrap()
            .clone()
    };
    let actions = ask(json!({"diagnostics": [diagnostic]})).await;
    let titles: Vec<&str> = actions.iter().map(|it| it["title"].as_str().unwrap()).collect();
    let at = format!("with test-model at 127.0.0.1:{} ☁", provider.port);
    let expected: Vec<String> = ["Explain", "Refactor deeply", "Fix", "Write tests", "Document"]
        .iter()
        .map(|it| format!("{it} {at}"))
        .collect();
    assert_eq!(titles, expected);
    for action in &actions {
        assert_eq!(action["tags"], json!([1]));
        assert!(action.get("isPreferred").is_none() && action.get("edit").is_none());
        assert!(!action["kind"].as_str().unwrap().starts_with("source"));
    }
    assert_eq!(ask(json!({"diagnostics": [], "only": ["quickfix"]})).await.len(), 0);
    assert_eq!(ask(json!({"diagnostics": [], "only": ["refactor"]})).await.len(), 4);
    assert!(provider.requests().is_empty());
}
