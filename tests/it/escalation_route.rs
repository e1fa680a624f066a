//! What routing says of a question before it is asked of a cloud model.

use serde_json::json;

use crate::escalation::{Scene, says};
use crate::provider::Provider;
use crate::support::until;

const SOURCE: &str = "fn area(a: u32, b: u32) -> u32 {\n    a * b\n}\n";

async fn ask(scene: &Scene, question: &str) {
    let range = json!({"start": {"line": 1, "character": 4}, "end": {"line": 1, "character": 4}});
    let argument = json!({"uri": scene.uri, "range": range, "question": question});
    let params = json!({"command": "keyside.ask", "arguments": [argument]});
    scene.client.ask("workspace/executeCommand", params).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_a_cloud_model_for_what_needs_none_is_told() {
    let provider = Provider::start(says("It multiplies.")).await;
    let scene = Scene::new(&provider.settings(""), SOURCE).await;
    scene.answers(&["Cancel", "Cancel", "Send once"]);
    let question_number = async |n: usize| {
        let asked = until(async || scene.said("window/showMessageRequest").get(n).cloned()).await;
        asked["message"].as_str().unwrap().to_owned()
    };
    ask(&scene, "rename a to width").await;
    let local = question_number(0).await;
    let note = " This may need no cloud model: it reads like `rename`; it runs often, its answer is one name; the language server changes all its uses exactly, and nothing has to leave this machine.";
    assert!(local.ends_with(note), "{local}");
    ask(&scene, "explain this function").await;
    let cloud = question_number(1).await;
    assert!(!cloud.contains("no cloud model"), "{cloud}");
    // It is the person's choice.
    ask(&scene, "rename a to width").await;
    scene.over().await;
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_says_no_is_not_sent_whatever_was_agreed_to_before() {
    let provider = Provider::start(says("It multiplies.")).await;
    let scene = Scene::new(&provider.settings(""), SOURCE).await;
    scene.answers(&["Always for this workspace"]);
    ask(&scene, "explain this function").await;
    scene.over().await;
    assert_eq!(provider.requests().len(), 1);
    ask(&scene, "explain this, but keep it local").await;
    let sentence = "nothing was sent, because your question says that it stays here; leave that out to ask test-model";
    scene.told(sentence).await;
    assert_eq!(provider.requests().len(), 1);
}
