//! `keyside classify --by-model` with a real instruct model: labels by the trie of their tokens, each
//! text at the cost of its own tokens.

use std::sync::Arc;

use keyside::app::instruct::label_chooser::LabelChooser;
use keyside::app::instruct::{InstructModel, InstructSettings};
use keyside::classify::LabelledText;
use keyside::classify::labels::LabelSet;
use keyside::config::ModelConfig;
use keyside::lm::Lane;
use serde_json::{Value, json};

use crate::support::{TempFolder, instruct_model, keyside, run, text};

fn home(more: &str) -> TempFolder {
    let home = TempFolder::new();
    let settings = format!("[model]\ninstruct = {}\n{more}", json!(instruct_model()));
    std::fs::write(home.0.join("config.toml"), settings).unwrap();
    home
}

/// Exit code, answers, and what was said.
fn classify(home: &TempFolder, arguments: &[&str], texts: &[&str]) -> (i32, Vec<Value>, String) {
    let input: String =
        (0..).zip(texts).map(|(id, it)| json!({"id": id, "text": it}).to_string() + "\n").collect();
    let mut command = keyside(&home.0, &["classify"]);
    command.args(arguments).current_dir(&home.0);
    let output = run(command, input);
    let answers =
        text(&output.stdout).lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    (output.status.code().unwrap(), answers, text(&output.stderr))
}

#[tokio::test]
#[cfg_attr(not(feature = "llama"), ignore = "needs llama.cpp")]
async fn the_second_text_costs_its_own_tokens() {
    let home = TempFolder::new();
    let settings = InstructSettings::of(&ModelConfig::default(), instruct_model());
    let model = InstructModel::new(settings, home.0.clone());
    let labels = LabelSet::parse("bug=it does the wrong thing,feature,question").unwrap();
    let example = |text: &str, label| LabelledText { text: text.to_owned(), label };
    let examples = [example("it crashes on start", 0), example("how do I log in?", 2)];
    let chooser = LabelChooser::new(Arc::clone(&model), Lane::Background, &labels, &examples, None)
        .await
        .expect("a chooser");
    let (info, n_after) = {
        let in_use = model.take().await.expect("it is loaded");
        (Arc::clone(&in_use.info), in_use.chat.before_answer.len())
    };
    let mut cached = Vec::new();
    let texts = ["panics on an empty line", "please add a dark theme", "panics on an empty line"];
    for text in texts {
        let found = chooser.choose(text).await.expect("a label");
        let own = info.tokens_of(&format!("Text: {text}")).len() + n_after;
        assert!(found.usage.evaluated_tokens <= own, "{:?} {own}", found.usage);
        assert!((found.value.probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        cached.push(found.usage.cached_tokens);
    }
    // The labels and the examples.
    assert!(cached.iter().all(|it| *it >= cached[0] && *it > 40), "{cached:?}");
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs llama.cpp")]
fn labels_may_begin_with_each_other_and_a_long_text_is_cut() {
    let home = home("instruct_context_tokens = 512\n");
    let labels = "bug,bug report,bug report of today,✨ new,ändern,two  blanks";
    let long = "It crashes when I press save. ".repeat(200);
    let texts = ["It crashes when I press save.", &long, "🐛"];
    let (code, answers, said) = classify(&home, &["--labels", labels, "--by-model"], &texts);
    assert_eq!((code, said), (0, String::new()));
    assert_eq!(answers.len(), texts.len());
    for answer in &answers {
        let scores = answer["scores"].as_object().unwrap();
        assert_eq!(scores.len(), 6, "{answer}");
        let sum: f64 = scores.values().map(|it| it.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-6, "{answer}");
        assert!(scores.contains_key(answer["label"].as_str().unwrap()), "{answer}");
    }
    assert_eq!(answers[0]["cut_chars"], Value::Null);
    // The ledger has a row a text.
    let report = run(keyside(&home.0, &["usage", "--json"]), "");
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    let actions = report["actions"].as_array().unwrap();
    let of_classify = actions.iter().find(|it| it["action"] == "classify");
    assert_eq!(of_classify.unwrap()["local_calls"], texts.len(), "{report}");
    let n_cut = answers[1]["cut_chars"].as_u64().unwrap();
    assert!(n_cut > 1_000 && n_cut < long.len() as u64, "{n_cut}");
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs llama.cpp")]
fn what_can_not_be_asked_is_said_and_a_bad_line_is_passed_over() {
    let home = home("instruct_context_tokens = 512\n");
    let examples: String = (0..60)
        .map(|it| json!({"text": format!("it crashes, {it}"), "label": "bug"}).to_string() + "\n")
        .collect();
    std::fs::write(home.0.join("examples.jsonl"), examples).unwrap();
    let many = ["--labels", "bug,other", "--by-model", "--examples", "examples.jsonl"];
    let (code, answers, said) = classify(&home, &many, &[" ", "it crashes"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("of 60 examples; raise model.instruct_context_tokens"), "{said}");
    assert_eq!(answers[0]["error"], "line 1 has an empty text");
    assert!(answers[1]["label"].is_string(), "{answers:?}");
    let long = "very ".repeat(600);
    for (arguments, sentence) in [
        (vec!["--labels", "a,b", "--instruction", "be quick"], "add --by-model"),
        (vec!["--labels", "a,b", "--model", "no such model"], "no such model"),
        (vec!["--labels", "a,b", "--model", "built-in"], "follows no instructions"),
        (
            vec!["--labels", "a,b", "--by-model", "--instruction", &long],
            "leaves no room for a text",
        ),
    ] {
        let (code, answers, said) = classify(&home, &arguments, &["x"]);
        assert_eq!((code, answers.len()), (1, 0), "{said}");
        assert!(said.contains(sentence), "{said}");
    }
}
