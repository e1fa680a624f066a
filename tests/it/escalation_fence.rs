//! What does not go along with a question, though it lies near: other workspaces, what links lead to, texts that are no files.
#![cfg(unix)]

use serde_json::{Value, json};

use crate::escalation::{SOURCE, Scene, says, words};
use crate::provider::Provider;
use crate::support::until;

#[tokio::test(flavor = "multi_thread")]
async fn definitions_come_from_this_workspace_alone() {
    let provider = Provider::start(says("It calls two functions.")).await;
    let source = "fn both() {\n    nearby();\n    faraway();\n    hidden();\n}\n";
    let scene = Scene::new(&provider.settings(""), source).await;
    let elsewhere = scene.client.home.0.join("elsewhere");
    std::fs::create_dir_all(&elsewhere).unwrap();
    std::fs::write(scene.workspace.join(".gitignore"), "h.rs\n").unwrap();
    let near = format!("file://{}/b.rs", scene.workspace.display());
    scene.client.open(&near, "/// Near by.\nfn nearby() {}\n");
    let ignored = format!("file://{}/h.rs", scene.workspace.display());
    scene.client.open(&ignored, "/// Left out.\nfn hidden() {}\n");
    let far = format!("file://{}/c.rs", elsewhere.display());
    scene.client.open(&far, "/// Far away.\nfn faraway() {}\n");
    scene.answers(&["Send once"]);
    scene.choose("keyside.explain").await;
    scene.over().await;
    let body = &provider.requests()[0].body;
    assert!(body.contains("/// Near by."), "{body}");
    assert!(!body.contains("Far away") && !body.contains("Left out"), "{body}");
    let question =
        scene.said("window/showMessageRequest")[0]["message"].as_str().unwrap().to_owned();
    assert!(question.contains("b.rs” lines 1–2") && !question.contains("c.rs"), "{question}");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_what_they_lead_to() {
    let provider = Provider::start(says("never asked")).await;
    let scene = Scene::new(&provider.settings(""), SOURCE).await;
    let secret = scene.client.home.0.join("secret");
    std::fs::create_dir_all(secret.join(".ssh")).unwrap();
    std::fs::write(secret.join(".ssh/config"), "Host private\n").unwrap();
    std::fs::write(secret.join("notes.md"), "very private conventions\n").unwrap();
    std::os::unix::fs::symlink(secret.join("notes.md"), scene.workspace.join("STYLE.md")).unwrap();
    std::os::unix::fs::symlink(secret.join(".ssh/config"), scene.workspace.join("link.rs"))
        .unwrap();
    scene.answers(&["Send once", "Send once"]);
    scene.choose("keyside.refactor").await;
    until(async || provider.requests().pop()).await;
    assert!(!provider.requests()[0].body.contains("very private"));
    let scene = Scene { uri: format!("file://{}/link.rs", scene.workspace.display()), ..scene };
    scene.client.open(&scene.uri, SOURCE);
    scene.choose("keyside.explain").await;
    scene
        .told(
            "nothing of “link.rs” is sent: keyside's list of files that hold secrets leaves it out",
        )
        .await;
    assert_eq!(provider.requests().len(), 1);
}

/// Makes a file elsewhere that a link in the workspace leads to, and opens it by that link.
async fn linked(settings: &str, rules: &str) -> (Scene, std::path::PathBuf) {
    let scene = Scene::new(settings, SOURCE).await;
    let elsewhere = scene.client.home.0.canonicalize().unwrap().join("elsewhere");
    std::fs::create_dir_all(elsewhere.join(".git")).unwrap();
    std::fs::write(elsewhere.join(".gitignore"), rules).unwrap();
    std::fs::write(elsewhere.join("real.rs"), SOURCE).unwrap();
    std::os::unix::fs::symlink(&elsewhere, scene.workspace.join("sub")).unwrap();
    let uri = format!("file://{}/sub/real.rs", scene.workspace.display());
    scene.client.open(&uri, SOURCE);
    (Scene { uri, ..scene }, elsewhere)
}

/// How often it was told that a person had said no.
fn n_denied(scene: &Scene) -> usize {
    let said = scene.said("window/showMessage");
    said.iter().filter(|it| it.to_string().contains("as you said")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn ignore_files_are_asked_where_a_file_really_lies() {
    let provider = Provider::start(says("never asked")).await;
    let (scene, _) = linked(&provider.settings(""), "real.rs\n").await;
    scene.answers(&["Send once"]);
    scene.choose("keyside.explain").await;
    scene.told("nothing of “sub/real.rs” is sent: .gitignore leaves it out").await;
    assert!(provider.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn consent_is_asked_for_both_places_of_a_link() {
    let provider = Provider::start(says("It multiplies.")).await;
    let (scene, elsewhere) = linked(&provider.settings(""), "").await;
    let work = scene.workspace.canonicalize().unwrap();
    let entry = |folder: &std::path::Path, answer: &str| {
        format!(
            "[[consent]]\nworkspace = {folder:?}\nprovider = \"here\"\nhost = \"127.0.0.1:{}\"\nanswer = {answer:?}\n",
            provider.port
        )
    };
    let file = scene.client.home.folders().consent_file();
    // A yes for where the link lies is none for where it leads.
    std::fs::write(&file, entry(&work, "always")).unwrap();
    scene.answers(&["Cancel"]);
    scene.choose("keyside.explain").await;
    scene.told(words::NOTHING_SENT).await;
    let question =
        scene.said("window/showMessageRequest")[0]["message"].as_str().unwrap().to_owned();
    assert!(question.contains(work.to_str().unwrap()), "{question}");
    assert!(question.contains(elsewhere.to_str().unwrap()), "{question}");
    assert!(provider.requests().is_empty());
    // A no there holds, whatever is said of where the link lies.
    for no in [&elsewhere, &elsewhere.join("real.rs")] {
        std::fs::write(&file, entry(no, "never") + &entry(&work, "always")).unwrap();
        scene.answers(&["Send once"]);
        let before = n_denied(&scene);
        scene.choose("keyside.explain").await;
        until(async || (n_denied(&scene) > before).then_some(())).await;
    }
    assert!(provider.requests().is_empty());
    // A yes for both is asked no more.
    std::fs::write(&file, entry(&elsewhere, "always") + &entry(&work, "always")).unwrap();
    scene.answers(&[]);
    scene.choose("keyside.explain").await;
    until(async || provider.requests().pop()).await;
    // And a file that says no of a folder within the workspace is followed there.
    std::fs::write(&file, entry(&work, "always") + &entry(&work.join("a.rs"), "never")).unwrap();
    let before = n_denied(&scene);
    let scene = Scene { uri: format!("file://{}/sub/../a.rs", scene.workspace.display()), ..scene };
    scene.client.open(&scene.uri, SOURCE);
    scene.answers(&["Send once"]);
    scene.choose("keyside.explain").await;
    until(async || (n_denied(&scene) > before).then_some(())).await;
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_in_a_uri_of_any_scheme_is_left_out_as_the_file_is() {
    let provider = Provider::start(says("never asked")).await;
    let mut scene = Scene::new(&provider.settings(""), SOURCE).await;
    let env = format!("{}/.env", scene.workspace.display());
    let uris = [
        format!("untitled:{env}"),
        format!("UNTITLED://{}", env.replace(".env", "./%2Eenv")),
        format!("untitled://ssh{env}"),
        format!("vscode-notebook-cell:{env}#W0"),
        format!("file://{env}#L3"),
    ];
    for (n, uri) in uris.into_iter().enumerate() {
        scene.uri = uri;
        scene.client.open(&scene.uri, SOURCE);
        scene.choose("keyside.explain").await;
        let n_left_out = || {
            let said = scene.said("window/showMessage");
            said.iter().filter(|it| it.to_string().contains("leaves it out")).count()
        };
        until(async || (n_left_out() > n).then_some(())).await;
    }
    assert!(provider.requests().is_empty());
    // What is not saved yet is named as its file will be.
    scene.uri = format!("untitled:{}/src/new.rs", scene.workspace.display());
    scene.client.open(&scene.uri, SOURCE);
    scene.answers(&["Cancel"]);
    scene.choose("keyside.explain").await;
    let asked = until(async || scene.said("window/showMessageRequest").pop()).await;
    let question = asked["message"].as_str().unwrap();
    assert!(question.contains("src/new.rs") && !question.contains("untitled"), "{question}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_no_file_is_asked_about_each_time() {
    let provider = Provider::start(says("It multiplies.")).await;
    let scene = Scene::new(&provider.settings(""), SOURCE).await;
    let scene = Scene { uri: "untitled:Untitled-1".to_owned(), ..scene };
    scene.client.open(&scene.uri, SOURCE);
    scene.answers(&["Send once"]);
    scene.choose("keyside.explain").await;
    scene.over().await;
    let asked = &scene.said("window/showMessageRequest")[0];
    let titles: Vec<&Value> =
        asked["actions"].as_array().unwrap().iter().map(|it| &it["title"]).collect();
    assert_eq!(titles, [&json!("Send once"), &json!("Show what will be sent"), &json!("Cancel")]);
    assert_eq!(provider.requests().len(), 1);
    let scene = Scene { uri: "git:/a.rs?HEAD".to_owned(), ..scene };
    scene.client.open(&scene.uri, SOURCE);
    scene.choose("keyside.explain").await;
    scene.told("text is sent of files alone, and this is one of `git:`").await;
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_rules_that_can_not_be_read_nothing_is_sent() {
    let provider = Provider::start(says("never asked")).await;
    let scene = Scene::new(&provider.settings("never_send = [\"[z-a]\"]"), SOURCE).await;
    scene.answers(&["Send once"]);
    scene.choose("keyside.explain").await;
    scene.told("cloud.never_send: `[z-a]` is no glob that keyside can read, so nothing is sent; correct it").await;
    assert!(provider.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_file_lies_on_this_machine_is_not_told() {
    let provider = Provider::start(says("It multiplies.")).await;
    let scene = Scene::new(&provider.settings(""), SOURCE).await;
    let elsewhere = scene.client.home.0.join("elsewhere");
    std::fs::create_dir_all(&elsewhere).unwrap();
    let scene = Scene { uri: format!("file://{}/lone.rs", elsewhere.display()), ..scene };
    scene.client.open(&scene.uri, SOURCE);
    scene.answers(&["Send once"]);
    scene.choose("keyside.explain").await;
    scene.over().await;
    let body = &provider.requests()[0].body;
    assert!(body.contains("lone.rs") && !body.contains("elsewhere"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_worktree_the_list_of_its_repository_holds() {
    let provider = Provider::start(says("never asked")).await;
    let scene = Scene::new(&provider.settings(""), SOURCE).await;
    let git = scene.client.home.0.join("main/.git");
    let own = git.join("worktrees/work");
    std::fs::create_dir_all(&own).unwrap();
    std::fs::create_dir_all(git.join("info")).unwrap();
    std::fs::write(own.join("commondir"), "../..\n").unwrap();
    std::fs::write(scene.workspace.join(".git"), format!("gitdir: {}\n", own.display())).unwrap();
    std::fs::write(git.join("info/exclude"), "other.rs\n").unwrap();
    scene.answers(&["Send once"]);
    scene.choose("keyside.explain").await;
    until(async || provider.requests().pop()).await;
    std::fs::write(git.join("info/exclude"), "a.rs\n").unwrap();
    scene.choose("keyside.explain").await;
    scene.told("nothing of “a.rs” is sent: .gitignore leaves it out").await;
    assert_eq!(provider.requests().len(), 1);
}
