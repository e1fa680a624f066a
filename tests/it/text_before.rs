//! A model without fill-in-the-middle tokens, SmolLM2-135M-Instruct as it is published: it completes
//! from the text before the caret, and says so wherever a person looks.

use std::sync::Arc;

use keyside::lm::fim::PromptTemplate;
use keyside::lm::registry::{ModelSpec, Registry};
use keyside::lm::{ModelInfo, TextSplits};
use keyside::prompt::assemble::{Assembler, PromptBudget, PromptSize};
use keyside::prompt::excerpt::Excerpt;
use ropey::Rope;
use serde_json::{Value, json};

use crate::support::{Client, TempFolder, frozen, instruct_model, keyside, run, text};

const HOW: &str = "completes from the text before the caret alone";

/// A home whose settings name the model.
fn home() -> TempFolder {
    home_with("")
}

fn home_with(completion: &str) -> TempFolder {
    let home = TempFolder::new();
    let path = instruct_model().display().to_string();
    let settings = format!("[model]\npath = {path:?}\n[completion]\n{completion}\n");
    std::fs::write(home.0.join("config.toml"), settings).unwrap();
    home
}

fn printed(home: &TempFolder, arguments: &[&str]) -> String {
    let output = run(keyside(&home.0, arguments), "");
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_suggests_and_status_says_from_what() {
    let client = Client::real_process_in(home());
    client.initialize(&["utf-8"]).await;
    let uri = "file:///numbers.py";
    let before = "first = \"one\"\nsecond = \"two\"\nthird = \"three\"\nfourth = ";
    client.open_as(uri, "python", before);
    let ghost = client.ghost(uri, 3, 9).await.expect("it can count");
    assert_eq!(ghost.text.trim_start(), "\"four\"");
    let stats = client.stats().await;
    assert_eq!(stats["model"]["name"], "SmolLM2-135M-Instruct.Q4_1");
    assert_eq!(
        (&stats["model"]["fim"], &stats["model"]["instead_of"]),
        (&Value::Null, &Value::Null)
    );
    let source = stats["last"]["source"].as_str().unwrap();
    assert!(source.starts_with("model"), "{source}");
    let status = client.ask("keyside/status", json!({})).await;
    let message = status["result"]["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with(&format!("SmolLM2-135M-Instruct.Q4_1, which {HOW}")), "{message}");
    client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_the_caret_is_not_said_again() {
    let client = Client::real_process_in(home_with("min_confidence = 0.3\nmin_characters = 2"));
    client.initialize(&["utf-8"]).await;
    let lines = "x1 = 1\nx2 = 2\nx3 = 3\nx";
    client.open_as("file:///last.py", "python", lines);
    assert_eq!(client.ghost("file:///last.py", 3, 1).await.unwrap().text, "x4 = 4");
    client.open_as("file:///within.py", "python", &format!("{lines}\nx4 = 4\n"));
    assert_eq!(client.ghost("file:///within.py", 3, 1).await, None);
    assert_ne!(client.stats().await["last"]["dropped"], Value::Null);
}

#[test]
fn the_commands_say_from_what_it_completes() {
    let home = home();
    let path = instruct_model().display().to_string();
    let used = printed(&home, &["model", "use", &path]);
    assert!(used.contains("SmolLM2-135M-Instruct.Q4_1 suggests from now on"), "{used}");
    assert!(used.contains(&format!("has no fill-in-the-middle tokens, so it {HOW}")), "{used}");
    let listed: Value =
        serde_json::from_str(&printed(&home, &["model", "list", "--json"])).unwrap();
    let row = listed["models"].as_array().unwrap().iter().find(|it| it["is_used"] == true).unwrap();
    assert_eq!((&row["fim"], &row["completes"]), (&Value::Null, &json!("after the text before")));
    assert!(printed(&home, &["model", "list"]).contains("no: text before"));
    let info = printed(&home, &["model", "info", &path]);
    assert!(info.contains(&format!("no, so it {HOW}")), "{info}");
    let verified = printed(&home, &["model", "verify", &path]);
    assert!(verified.contains(&format!("no, so it {HOW}")), "{verified}");
    assert!(verified.contains("comes back from its tokens"), "{verified}");
    let doctor = text(&run(keyside(&home.0, &["doctor"]), "").stdout);
    assert!(doctor.contains("✓ model: SmolLM2-135M-Instruct.Q4_1 ("), "{doctor}");
    assert!(doctor.contains(&format!("; it {HOW})")), "{doctor}");
}

#[test]
fn the_prompt_has_the_tokens_of_the_text() {
    let home = TempFolder::new();
    let name = format!("file:{}", instruct_model().display());
    let model = Registry::new(home.0.clone()).load(&ModelSpec::named(name)).unwrap();
    let info: Arc<ModelInfo> = Arc::clone(model.info());
    // A line break and the indentation behind it are one token.
    assert_eq!(info.tokenizer.splits(), TextSplits::AfterLines);
    let template = info.prompt_template().unwrap();
    assert!(matches!(template, PromptTemplate::TextBefore { .. }));
    let budget = PromptBudget::of_context(100_000);
    let tokenizer = Arc::clone(&info.tokenizer);
    let mut assembler = Assembler::new(tokenizer, template, budget);
    let rope = Rope::from_str(&frozen("lib/text/edit.rs"));
    for line in 0..rope.len_lines() {
        let line_start = rope.line_to_char(line);
        let indentation = rope.line(line).chars().take_while(|it| *it == ' ').count();
        for caret in [line_start, line_start + indentation] {
            let excerpt = Excerpt::around(&rope, caret);
            let kept = excerpt.line_before.clone();
            let prompt = assembler.assemble("file:///a", "a.rs", &excerpt, &kept, PromptSize::Full);
            let whole = rope.slice(..caret).to_string();
            let whole = if whole.is_empty() { "\n".to_owned() } else { whole };
            assert_eq!(prompt, info.tokens_of(&whole), "line {line}");
        }
    }
}
