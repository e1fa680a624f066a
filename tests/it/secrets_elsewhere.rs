//! What one file holds in confidence is not suggested in another: secrets of files on the disk and of open documents, and files
//! that the workspace or keyside leaves out. Beside each stands a harmless line of the same kind, which is suggested.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Client, TempFolder, inline_params, until};

/// Built from parts, so that no scanner takes this file for a leak.
fn secret() -> String {
    format!("gh{}_{}", 'p', "7Fk2Qx9LmZp4Rt8Vw1Yb6Nc3Hd5Js0GaEuTo")
}

/// Lines that no model knows: what `ask` is followed by, and what is right there.
const HARMLESS: (&str, &str) = ("zorblatt = ", "registry.lookup_zorblatt(session, Flavour)");

/// The harmless line and one with the secret, some times each, as a key of a file is where it is
/// used.
fn source() -> String {
    let (name, value) = HARMLESS;
    format!("{name}{value}\nquixotic_login = \"{}\"\n", secret()).repeat(3)
}

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

struct Scene {
    folder: TempFolder,
    client: Client,
    version: std::cell::Cell<i32>,
}

impl Scene {
    /// A server of a workspace with these files, with `open`, a document that is on no disk, open in it.
    async fn new(files: &[(&str, &str)], open: &str) -> Self {
        let folder = TempFolder::new();
        for (path, text) in files {
            write(&folder.0, path, text);
        }
        let client = Client::with_embedded_model();
        let root = format!("file://{}", folder.0.display());
        let capabilities = json!({"textDocument": {"inlineCompletion": {}}, "general": {"positionEncodings": ["utf-8"]}});
        client
            .initialize_with(
                json!({"processId": null, "rootUri": root, "capabilities": capabilities}),
            )
            .await;
        client.model_ready().await;
        let scene = Self { folder, client, version: std::cell::Cell::new(1) };
        scene.client.open(&scene.uri(open), "# here\n");
        scene
    }

    fn uri(&self, path: &str) -> String {
        format!("file://{}/{path}", self.folder.0.display())
    }

    /// Replaces the text of `open`, and what is suggested at its end, with all that could be shown there.
    async fn suggested(&self, open: &str, text: &str, explicit: bool) -> Vec<String> {
        let uri = self.uri(open);
        self.version.set(self.version.get() + 1);
        self.client.change(&uri, self.version.get(), json!([{"text": text}]));
        let line = text.matches('\n').count();
        let column = text.len() - text.rfind('\n').map_or(0, |at| at + 1);
        let mut params = inline_params(&uri, line, column);
        params["context"]["triggerKind"] = json!(if explicit { 1 } else { 2 });
        let answer = self.client.ask("textDocument/inlineCompletion", params).await;
        let items = answer["result"]["items"].as_array().unwrap_or_else(|| panic!("{answer}"));
        items.iter().map(|it| it["insertText"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until the files are indexed.
    async fn indexed(&self, open: &str) -> Value {
        self.suggested(open, "# begin\nx = ", false).await;
        until(async || {
            let report = self.client.stats().await["workspace"][0].clone();
            (report["building"] == false).then_some(report)
        })
        .await
    }

    /// Fails where the secret is suggested, by a name or by its own beginning, asked for or not.
    async fn assert_no_secret(&self, open: &str) {
        let secret = secret();
        for before in ["quixotic_login = ", "quixotic_login = \"", "quixotic_lo", "\"gh"] {
            for explicit in [false, true] {
                let text = format!("# {explicit}\n{before}");
                let shown = self.suggested(open, &text, explicit).await;
                let is_told = shown.iter().any(|it| it.contains(&secret[4..10]));
                assert!(!is_told, "after {before}: {shown:?}");
            }
        }
    }

    async fn harmless(&self, open: &str) -> bool {
        let (name, value) = HARMLESS;
        let shown = self.suggested(open, &format!("# harmless\n{name}"), false).await;
        shown
            .first()
            .is_some_and(|it| value.starts_with(it.trim_start_matches(name)) && it.len() > 8)
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_file_on_the_disk_tells_its_lines_but_not_its_secrets() {
    let text = source();
    let scene = Scene::new(&[("conf.py", &text), ("sub/other.py", &text)], "open.py").await;
    assert_eq!(scene.indexed("open.py").await["files"], 2);
    assert!(scene.harmless("open.py").await);
    scene.assert_no_secret("open.py").await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn files_that_are_left_out_tell_nothing() {
    let text = source();
    for (path, rules) in [
        ("prod.env", None),
        ("credentials.json", None),
        ("secrets.yaml", None),
        ("a.py", Some((".gitignore", "a.py\n"))),
        ("a.py", Some((".ignore", "a.py\n"))),
        ("a.py", Some((".aiignore", "a.py\n"))),
        ("in/a.py", Some(("in/.cursorignore", "*.py\n"))),
        ("in/a.py", Some((".aiexclude", ""))),
        ("in/a.py", Some((".aiexclude", "in/\n"))),
        ("a.py", Some((".git/info/exclude", "a.py\n"))),
    ] {
        let ending = path.rsplit_once('.').unwrap().1;
        let open = format!("open.{ending}");
        let mut files = vec![(path, &*text)];
        files.extend(rules);
        let scene = Scene::new(&files, &open).await;
        let report = scene.indexed(&open).await;
        assert_eq!(report["files"], 0, "{path} {rules:?}");
        assert!(!scene.harmless(&open).await, "{path} {rules:?}");
        scene.assert_no_secret(&open).await;
        // The same as an open document.
        scene.client.open(&scene.uri(path), &text);
        assert!(!scene.harmless(&open).await, "open: {path} {rules:?}");
        scene.assert_no_secret(&open).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_rule_that_is_added_later_holds_too() {
    let text = source();
    let scene = Scene::new(&[("a.py", "x = 1\n")], "open.py").await;
    scene.client.open(&scene.uri("a.py"), &text);
    assert!(scene.harmless("open.py").await);
    write(&scene.folder.0, ".aiignore", "a.py\n");
    scene.client.notify("workspace/didChangeWatchedFiles", json!({"changes": []}));
    until(async || (!scene.harmless("open.py").await).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn an_open_document_tells_its_lines_but_not_its_secrets() {
    let scene = Scene::new(&[], "open.py").await;
    scene.client.open(&scene.uri("conf.py"), &source());
    assert!(scene.harmless("open.py").await);
    scene.assert_no_secret("open.py").await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_documents_own_secret_comes_when_a_person_asks() {
    let scene = Scene::new(&[], "open.py").await;
    let text = format!("{}# again\nquixotic_login = \"", source());
    let is_told = |shown: Vec<String>| shown.iter().any(|it| it.contains(&secret()[4..10]));
    assert!(!is_told(scene.suggested("open.py", &text, false).await));
    assert!(is_told(scene.suggested("open.py", &text, true).await));
    // Asking once is not asking the next time.
    assert!(!is_told(scene.suggested("open.py", &text, false).await));
}
