//! Asking a cloud model from an editor with one view (Helix): what is shown takes the place of what a person types in, a question takes
//! every key, and the end of a progress takes away what was said before it. All of it was seen in a real one; these tests hold what
//! was done about it.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::escalation::{ANSWER, SOURCE, Scene, says, words};
use crate::provider::{Answer, Provider};
use crate::support::until;

async fn helix(provider: &Provider) -> Scene {
    Scene::in_editor(&provider.settings(""), SOURCE, json!({}), "helix").await
}

/// The methods of what the server sent, in order, a progress by its kind.
fn order(scene: &Scene) -> Vec<String> {
    let unasked = scene.client.unasked.lock().unwrap();
    let name = |it: &Value| match it["params"]["value"]["kind"].as_str() {
        Some(kind) => kind.to_owned(),
        None => it["method"].as_str().unwrap().to_owned(),
    };
    unasked.iter().map(name).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn what_went_wrong_is_said_after_the_progress_has_ended_and_in_a_box() {
    let body = json!({"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}});
    let provider = Provider::start(Answer::Status(401, body.to_string())).await;
    let scene = helix(&provider).await;
    scene.answers(&["Send once"]);
    scene.choose("keyside.explain").await;
    let sentence = scene.told("HOST does not accept the key of here (status 401, it says: invalid x-api-key); put a valid one in place, with `keyside cloud login here` if it is in the keyring").await;
    let order = order(&scene);
    let place = |name: &str| order.iter().position(|it| it == name);
    assert!(place("end") < place("window/showMessage"), "{order:?}");
    // One line does not hold it.
    let boxed = until(async || {
        let asked = scene.said("window/showMessageRequest");
        asked.into_iter().find(|it| it["actions"] == json!([{"title": "OK"}]))
    })
    .await;
    assert_eq!(boxed["message"], sentence);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_waits_until_nobody_types_and_its_place_is_said() {
    let provider = Provider::start(says("It multiplies.")).await;
    let scene = helix(&provider).await;
    scene.answers(&["Send once"]);
    scene.choose("keyside.explain").await;
    until(async || (!provider.requests().is_empty()).then_some(())).await;
    for version in 2..12 {
        scene.client.type_at(&scene.uri, version, 7, 0, "x");
        // A person's pause between two keys; shown is after one of 1.5 seconds.
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        assert!(scene.said("window/showDocument").is_empty(), "in the middle of a word");
    }
    let shown = until(async || scene.said("window/showDocument").pop()).await;
    let sentence = scene.told("FILE is open").await;
    let file = shown["uri"].as_str().unwrap().strip_prefix("file://").unwrap();
    assert_eq!(sentence, format!("keyside: {file} is open"));
    assert_eq!(std::fs::read_to_string(file).unwrap(), "It multiplies.");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_is_not_hidden_by_the_next_question() {
    let provider = Provider::start(says(ANSWER)).await;
    let scene = helix(&provider).await;
    // The file is there until the editor has opened it.
    let opened: Arc<Mutex<String>> = Arc::default();
    let (text_opened, mut choices) =
        (Arc::clone(&opened), vec!["Send once", "Show what will be sent"]);
    *scene.client.person.lock().unwrap() =
        Box::new(move |request| match request["method"].as_str().unwrap() {
            "window/showMessageRequest" => json!({"title": choices.pop()}),
            "window/showDocument" => {
                let uri = request["params"]["uri"].as_str().unwrap();
                let text = std::fs::read_to_string(uri.strip_prefix("file://").unwrap());
                *text_opened.lock().unwrap() = text.unwrap();
                json!({"success": true})
            }
            "workspace/applyEdit" => json!({"applied": true}),
            _ => Value::Null,
        });
    scene.choose("keyside.refactor").await;
    scene.told("this is what would be sent; to send it, choose the action again").await;
    assert_eq!(scene.said("window/showMessageRequest").len(), 1);
    assert!(provider.requests().is_empty());
    // The code is in lines, and the bytes are below it.
    let text = opened.lock().unwrap().clone();
    let bytes = text.split_once("── the bytes, all of them ──\n\n").unwrap().1;
    let sent: Value = serde_json::from_str(bytes).unwrap();
    assert_eq!(sent["model"], "test-model");
    assert!(SOURCE.trim().lines().all(|line| text.contains(&format!("\n{line}\n"))), "{text}");
    scene.choose("keyside.refactor").await;
    until(async || scene.said("workspace/applyEdit").pop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_answer_is_kept_and_not_opened_when_it_is_cancelled() {
    let provider =
        Provider::start(Answer::SaysAndStalls { text: "It multiplies ".to_owned() }).await;
    let scene = helix(&provider).await;
    scene.answers(&["Send once"]);
    scene.choose("keyside.explain").await;
    scene.comes_to("writing").await;
    scene.client.ask("workspace/executeCommand", json!({"command": "keyside.cancel"})).await;
    let sentence = scene.told(words::CANCELLED_IN_THE_MIDDLE).await;
    let file = Scene::file_named_by(&sentence);
    assert_eq!(std::fs::read_to_string(file).unwrap(), "It multiplies ");
    scene.over().await;
    assert!(scene.said("window/showDocument").is_empty());
}
