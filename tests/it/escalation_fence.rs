//! What does not go along with a question, though it lies near: other workspaces, what links lead to, texts that are no files.
#![cfg(unix)]

use serde_json::{Value, json};

use crate::escalation::{SOURCE, Scene, says};
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
    scene.told("keyside's list of files that hold secrets leaves it out").await;
    assert_eq!(provider.requests().len(), 1);
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
    scene.told("text is sent of files alone").await;
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_rules_that_can_not_be_read_nothing_is_sent() {
    let provider = Provider::start(says("never asked")).await;
    let scene = Scene::new(&provider.settings("never_send = [\"[z-a]\"]"), SOURCE).await;
    scene.answers(&["Send once"]);
    scene.choose("keyside.explain").await;
    scene.told("so nothing is sent").await;
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
    scene.told("leaves it out").await;
    assert_eq!(provider.requests().len(), 1);
}
