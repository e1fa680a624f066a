//! What becomes of an answer: it is put in wherever its lines stand by then, secrets come back where they were and nowhere else, what
//! is said beside the code is shown, and files that were shown go with the session.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::escalation::{ANSWER, SOURCE, Scene, edited, says, words};
use crate::provider::Provider;
use crate::support::{TempFolder, keyside, run, until};

const CHANGED: &str = "fn area(width: u32, height: u32) -> u32 {\n    width * height\n}\n";

/// An editor that applies edits, in which a person types meanwhile.
struct Editor {
    text: Arc<Mutex<(i64, String)>>,
}

impl Editor {
    /// `typed` is typed when the question is answered, and `late` when the first edit has come, which is refused then.
    fn of(scene: &Scene, source: &str, typed: &[&str], late: &[&str]) -> Self {
        let text = Arc::new(Mutex::new((1, source.to_owned())));
        let (to_server, uri, own) = (scene.client.sender(), scene.uri.clone(), Arc::clone(&text));
        let becomes = move |text: &str, new: String| {
            let mut text_now = own.lock().unwrap();
            assert_eq!(text_now.1, text);
            *text_now = (text_now.0 + 1, new.clone());
            let change = json!({"textDocument": {"uri": uri, "version": text_now.0}, "contentChanges": [{"text": new}]});
            let change =
                json!({"jsonrpc": "2.0", "method": "textDocument/didChange", "params": change});
            to_server.send(keyside::lsp::frames::encode(change.to_string().as_bytes())).unwrap();
        };
        let typed: Vec<String> = typed.iter().map(ToString::to_string).collect();
        let mut late: Vec<String> = late.iter().rev().map(ToString::to_string).collect();
        let own = Arc::clone(&text);
        *scene.client.person.lock().unwrap() = Box::new(move |request| {
            let now = own.lock().unwrap().1.clone();
            match request["method"].as_str().unwrap() {
                "window/showMessageRequest" => {
                    let mut now = now;
                    for text in &typed {
                        becomes(&now, text.clone());
                        now.clone_from(text);
                    }
                    json!({"title": "Send once"})
                }
                "workspace/applyEdit" => {
                    if let Some(text) = late.pop() {
                        becomes(&now, text);
                        return json!({"applied": false, "failureReason": "the buffer is newer"});
                    }
                    let version = own.lock().unwrap().0;
                    let change = &request["params"]["edit"]["documentChanges"][0];
                    assert_eq!(change["textDocument"]["version"], version);
                    becomes(&now, edited(&now, &request["params"]));
                    json!({"applied": true})
                }
                "window/showDocument" => json!({"success": true}),
                _ => Value::Null,
            }
        });
        Self { text }
    }

    async fn comes_to(&self, expected: &str) {
        until(async || (self.text.lock().unwrap().1 == expected).then_some(())).await;
    }
}

fn with_function(before: &str, function: &str, after: &str) -> String {
    format!("{before}{function}{after}")
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn an_answer_goes_where_its_lines_stand_by_then() {
    let provider = Provider::start(says(ANSWER)).await;
    let (before, rest) = SOURCE.split_at(SOURCE.find("fn area").unwrap());
    let (function, after) = rest.split_at(rest.find("\nfn other").unwrap());
    let above = format!("// new\n{before}");
    let below = format!("{after}\nfn more() {{}}\n");
    for (new_before, new_after) in
        [(above.as_str(), after), (before, below.as_str()), (above.as_str(), below.as_str())]
    {
        let scene = Scene::new(&provider.settings(""), SOURCE).await;
        let typed = with_function(new_before, function, new_after);
        let editor = Editor::of(&scene, SOURCE, &[&typed], &[]);
        scene.choose("keyside.refactor").await;
        editor.comes_to(&with_function(new_before, CHANGED, new_after)).await;
        scene.over().await;
        assert!(scene.said("window/showMessage").is_empty());
    }
    // A key was pressed while the edit was on its way, twice.
    let scene = Scene::new(&provider.settings(""), SOURCE).await;
    let (once, twice) =
        (with_function(&above, function, after), with_function(&above, function, &below));
    let editor = Editor::of(&scene, SOURCE, &[], &[&once, &twice]);
    scene.choose("keyside.refactor").await;
    editor.comes_to(&with_function(&above, CHANGED, &below)).await;
    scene.over().await;
    assert!(scene.said("window/showMessage").is_empty(), "{:?}", scene.said("window/showMessage"));
    assert_eq!(provider.requests().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_about_lines_that_changed_is_kept() {
    let provider = Provider::start(says(ANSWER)).await;
    for typed in [
        SOURCE.replace("let result", "let product"),
        SOURCE.replace("fn area", "  fn area"),
        SOURCE.replace("    return result;\n", ""),
    ] {
        let scene = Scene::new(&provider.settings(""), SOURCE).await;
        let editor = Editor::of(&scene, SOURCE, &[&typed], &[]);
        scene.choose("keyside.refactor").await;
        let sentence = scene.told(words::DOCUMENT_CHANGED).await;
        let file = Scene::file_named_by(&sentence);
        assert!(std::fs::read_to_string(file).unwrap().contains("+    width * height"));
        assert_eq!(editor.text.lock().unwrap().1, typed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_beside_the_code_is_shown() {
    let said = "The name said nothing, so it is gone. Nothing else changes.";
    let answer = ANSWER.replace("Shorter:", said);
    let provider = Provider::start(says(&answer)).await;
    let scene = Scene::new(&provider.settings(""), SOURCE).await;
    let editor = Editor::of(&scene, SOURCE, &[], &[]);
    scene.choose("keyside.refactor").await;
    scene.told(said).await;
    assert!(editor.text.lock().unwrap().1.contains(CHANGED));

    // More than a message holds is a document of its own.
    let long = "It is longer than a message. ".repeat(20);
    let provider = Provider::start(says(&ANSWER.replace("Shorter:", &long))).await;
    let scene = Scene::new(&provider.settings(""), SOURCE).await;
    let _editor = Editor::of(&scene, SOURCE, &[], &[]);
    scene.choose("keyside.refactor").await;
    let shown = until(async || scene.said("window/showDocument").pop()).await;
    let path = shown["uri"].as_str().unwrap().strip_prefix("file://").unwrap();
    assert_eq!(std::fs::read_to_string(path).unwrap(), long.trim());
}

/// Built from parts, so that no scanner takes this file for a leak.
fn token() -> String {
    format!("gh{}_{}", 'p', "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8")
}

fn with_secret(line: &str) -> String {
    format!("fn login() {{\n    {line}\n    connect(token);\n}}\n").replace("$T", &token())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_comes_back_where_it_was_and_nowhere_else() {
    let source = with_secret("let token = \"$T\"; // TODO\n    let _ = 1;");
    let code = |line: &str| {
        let code = with_secret(line).replace(&token(), "KEYSIDE_SECRET_1");
        says(&format!("Put in its place.\n\n```rust\n{code}```\n"))
    };
    let provider = Provider::start(code("const TOKEN: &str = \"$T\";")).await;
    let scene = Scene::new(&provider.settings(""), &source).await;
    let editor = Editor::of(&scene, &source, &[], &[]);
    scene.choose("keyside.refactor").await;
    editor.comes_to(&with_secret("const TOKEN: &str = \"$T\";")).await;
    for line in [
        "println!(\"$T\");",
        "let token = \"$T\"; // $T",
        "let url = \"https://example.com/?key=$T\";",
    ] {
        let provider = Provider::start(code(line)).await;
        let scene = Scene::new(&provider.settings(""), &source).await;
        let editor = Editor::of(&scene, &source, &[], &[]);
        scene.choose("keyside.refactor").await;
        let sentence = scene.told("nothing was changed, because it uses the secret that KEYSIDE_SECRET_1 stands for in another way or oftener than the code did; the answer is kept as FILE").await;
        let diff = std::fs::read_to_string(Scene::file_named_by(&sentence)).unwrap();
        let added: Vec<&str> = diff.lines().filter(|it| it.starts_with('+')).collect();
        assert!(added.iter().any(|it| it.contains("KEYSIDE_SECRET_1")), "{diff}");
        // Once, where it was; elsewhere its name stands.
        let n_times = added.concat().matches(&token()).count();
        assert_eq!(n_times, line.matches("let token = \"$T\"").count(), "{diff}");
        assert_eq!(editor.text.lock().unwrap().1, source, "{line}");
        assert!(!sentence.contains(&token()));
    }
}

/// All files below a folder.
fn files_below(folder: PathBuf) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                waiting.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn shown_answers_are_the_users_alone_and_go_with_the_session() {
    use std::os::unix::fs::PermissionsExt;
    let provider = Provider::start(says("It multiplies.")).await;
    let mut scene = Scene::new(&provider.settings(""), SOURCE).await;
    scene.answers(&["Send once"]);
    scene.choose("keyside.explain").await;
    let shown = until(async || scene.said("window/showDocument").pop()).await;
    let path = PathBuf::from(shown["uri"].as_str().unwrap().strip_prefix("file://").unwrap());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "It multiplies.");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&path) & 0o777, 0o600);
    assert_eq!(mode(path.parent().unwrap()) & 0o777, 0o700);
    let folder = scene.client.home.folders().cache.join("shown");

    // Another session of the same person leaves it alone.
    let home = &scene.client.home.0;
    assert!(run(keyside(home, &["cloud", "retry"]), "").status.success());
    assert!(path.exists());

    // One that is killed leaves it behind, and the next one takes it away.
    let mut child = scene.client.child.take().unwrap();
    child.kill().await.unwrap();
    assert!(path.exists());
    assert!(run(keyside(home, &["cloud", "retry"]), "").status.success());
    assert_eq!(files_below(folder), Vec::<PathBuf>::new());

    let mut scene = Scene::new(&provider.settings(""), SOURCE).await;
    scene.answers(&["Send once"]);
    scene.choose("keyside.explain").await;
    until(async || scene.said("window/showDocument").pop()).await;
    let folder = scene.client.home.folders().cache.join("shown");
    assert!(!files_below(folder.clone()).is_empty());
    scene.client.ask("shutdown", Value::Null).await;
    scene.client.notify("exit", Value::Null);
    scene.client.child.take().unwrap().wait().await.unwrap();
    assert_eq!(files_below(folder), Vec::<PathBuf>::new());
}

/// Of `keyside.fix` where there is nothing to fix.
const NO_REPORT: &str = "nothing is reported for these lines; say what is wrong with them, as in `:Keyside fix it never ends`, or choose an action there that needs no report";

/// Waits for an error or a message to the person, and asserts that nobody was asked and nothing was sent.
async fn told_first(scene: &Scene, provider: &Provider, answer: &Value, sentence: &str) {
    match answer["error"]["message"].as_str() {
        Some(message) => assert_eq!(message, sentence),
        None => drop(scene.told(sentence).await),
    }
    assert!(scene.said("window/showMessageRequest").is_empty());
    assert!(provider.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stops_a_request_anyway_is_said_before_the_question() {
    let provider = Provider::start(says(ANSWER)).await;
    let with_key = |settings: String| {
        settings.replace("auth = \"none\"", "key = \"env:KEYSIDE_TEST_NO_SUCH_KEY\"")
    };
    let names_other = provider.settings("provider = \"elsewhere\"");
    for (settings, sentence) in [
        (provider.settings("daily_cap_usd = 0.01"), words::PAST_THE_CAP),
        (
            provider.settings("monthly_cap_usd = 0.01"),
            "nothing was sent: this may cost $0.1212, and of the month's cap of $0.01 there is $0.01 left ($0.00 spent); raise cloud.monthly_cap_usd, or wait for the month to end",
        ),
        (
            with_key(provider.settings("")),
            "nothing was sent: the environment variable KEYSIDE_TEST_NO_SUCH_KEY with the key of here is not set; set it where the editor is started, and restart the editor",
        ),
        (
            names_other,
            "cloud.provider names `elsewhere`, and cloud.providers has `here`; correct the settings file, and restart the server",
        ),
    ] {
        let scene = Scene::new(&settings, SOURCE).await;
        scene.answers(&["Send once"]);
        let answer = scene.choose("keyside.explain").await;
        told_first(&scene, &provider, &answer, sentence).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_from_a_request_is_asked_for_first() {
    let provider = Provider::start(says(ANSWER)).await;
    let scene = Scene::new(&provider.settings(""), SOURCE).await;
    scene.answers(&["Send once", "Send once"]);
    let answer = scene.choose("keyside.ask").await;
    told_first(&scene, &provider, &answer, "there is no question; say what you want to know behind the command, as in `:Keyside ask why is this slow`").await;
    let answer = scene.choose("keyside.fix").await;
    told_first(&scene, &provider, &answer, NO_REPORT).await;
    // A report for other lines is none for these.
    let range = json!({"start": {"line": 3, "character": 4}, "end": {"line": 3, "character": 4}});
    let fix = async |more: Value| {
        let mut argument = json!({"uri": scene.uri, "range": range});
        argument.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let params = json!({"command": "keyside.fix", "arguments": [argument]});
        scene.client.ask("workspace/executeCommand", params).await
    };
    let answer = fix(json!({"diagnostics": [{"line": 8, "message": "unused"}]})).await;
    told_first(&scene, &provider, &answer, NO_REPORT).await;
    fix(json!({"question": "the result overflows"})).await;
    until(async || (provider.requests().len() == 1).then_some(())).await;
    assert!(provider.requests()[0].body.contains("the result overflows"));
    fix(json!({"diagnostics": [{"line": 5, "message": "unneeded return"}]})).await;
    until(async || (provider.requests().len() == 2).then_some(())).await;
    assert!(provider.requests()[1].body.contains("line 5: unneeded return"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_provider_leaves_the_others() {
    let provider = Provider::start(says("It multiplies.")).await;
    let bad = "[[cloud.providers]]\nname = \"typo\"\nprotocol = \"openai-chat\"\nmodle = \"m\"\n";
    let settings = format!("{}{bad}", provider.settings(""));
    let scene = Scene::new(&settings, SOURCE).await;
    scene.answers(&["Send once"]);
    scene.told("cloud.providers in HOME/config.toml: the provider \"typo\" is not used: unknown field `modle`, expected one of `name`, `protocol`, `base_url`, `auth`, `key`, `model`, `headers`, `prices`").await;
    scene.choose("keyside.explain").await;
    until(async || (provider.requests().len() == 1).then_some(())).await;
    scene.client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_looks_at_the_key_the_caps_and_the_provider() {
    let provider = Provider::start(says(ANSWER)).await;
    let doctor = async |settings: String| {
        let home = TempFolder::new();
        std::fs::write(home.0.join("config.toml"), settings).unwrap();
        let output = run(keyside(&home.0, &["doctor", "--json"]), "");
        let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        move |name: &str| {
            let finding = findings.iter().find(|it| it["name"] == name).cloned();
            finding.map(|it| format!("{} {}; {}", it["state"], it["what"], it["fix"]))
        }
    };
    let fine = doctor(provider.settings("")).await;
    assert!(fine("key").unwrap().starts_with("\"good\""), "{:?}", fine("key"));
    assert!(fine("money").unwrap().contains("today $0.00 of $2.00"), "{:?}", fine("money"));
    let no_key =
        provider.settings("").replace("auth = \"none\"", "key = \"env:KEYSIDE_TEST_NO_SUCH_KEY\"");
    let no_key = doctor(no_key).await("key").unwrap();
    assert!(
        no_key.starts_with("\"bad\"") && no_key.contains("KEYSIDE_TEST_NO_SUCH_KEY"),
        "{no_key}"
    );
    let spent = doctor(provider.settings("daily_cap_usd = 0.0")).await("money").unwrap();
    assert!(spent.starts_with("\"bad\"") && spent.contains("raise cloud.daily_cap_usd"), "{spent}");
    let other = doctor(provider.settings("provider = \"elsewhere\"")).await("network").unwrap();
    assert!(other.starts_with("\"bad\"") && other.contains("`elsewhere`"), "{other}");
    let off = doctor(String::new()).await;
    assert!(off("key").is_none() && off("money").is_none());
    assert!(provider.requests().is_empty());
}
