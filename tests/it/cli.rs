//! The commands as a person or a script runs them.

use std::process::Output;

use serde_json::{Value, json};

use crate::support::{TempFolder, frozen, repository, run, text};

fn keyside(home: &TempFolder, arguments: &[&str], input: impl AsRef<[u8]>) -> Output {
    let mut command = crate::support::keyside(&home.0, arguments);
    command.current_dir(repository(""));
    run(command, input)
}

const MAP: &str =
    "let first = map.get(1).unwrap();\nlet second = map.get(2).unwrap();\nlet third = map.ge";

/// Which number the model takes is its own affair.
fn continues(completion: &str) -> bool {
    completion.starts_with("t(") && completion.ends_with(").unwrap();")
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn complete_prints_one_suggestion_with_its_times() {
    let home = TempFolder::new();
    let file = home.0.join("a.rs");
    std::fs::write(&file, MAP).unwrap();
    let place = format!("{}:3:19", file.display());
    let output = keyside(&home, &["complete", &place], "");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let out = text(&output.stdout);
    assert!(continues(out.lines().next().unwrap()), "{out}");
    for stage in ["assemble ", "prompt ", "generate ", "total ", "evaluated"] {
        assert!(out.contains(stage), "{out}");
    }
    let output = keyside(&home, &["complete", &place, "--json"], "");
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(continues(value["completion"].as_str().unwrap()), "{value}");
    assert!(output.stderr.is_empty());
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn wrong_usage_and_failures_have_their_codes_and_a_sentence() {
    let home = TempFolder::new();
    for (arguments, code, part) in [
        (&["complete", "a.rs"][..], 2, "FILE:LINE:COLUMN"),
        (&["complete", "a.rs:0:1"], 2, "FILE:LINE:COLUMN"),
        (&["complete"], 2, "Usage"),
        (&["frobnicate"], 2, "unrecognized"),
        (&["complete", "nowhere.rs:1:1"], 1, "nowhere.rs can't be read"),
        (&["complete", "Cargo.toml:99999:1"], 1, "lines; name one of them"),
        (&["complete", "Cargo.toml:1:99999"], 1, "columns; name one of them"),
        (
            &["complete", "Cargo.toml:1:1", "--model", "nowhere.gguf"],
            1,
            "does not exist; set model.path",
        ),
        (&["try", "nowhere.rs"], 1, "nowhere.rs can't be read"),
    ] {
        let output = keyside(&home, arguments, "");
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(error.contains(part), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty());
        if code == 1 {
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn a_batch_is_answered_in_order() {
    let home = TempFolder::new();
    let line = |id: Value, prefix: &str, suffix: &str| {
        json!({"id": id, "path": "src/a.rs", "prefix": prefix, "suffix": suffix}).to_string()
    };
    let input = format!(
        "{}\n\n{}\n{}\n",
        line(json!(7), MAP, "\n"),
        line(json!("b"), "", ""),
        line(json!(null), &MAP[..MAP.len() - 2], "\nlet fourth = map.get(4).unwrap();\n"),
    );
    let output = keyside(&home, &["complete", "--batch"], &input);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let answers: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<&Value> = answers.iter().map(|it| &it["id"]).collect();
    assert_eq!(ids, [&json!(7), &json!("b"), &json!(null)]);
    assert!(continues(answers[0]["completion"].as_str().unwrap()), "{}", answers[0]);
    for answer in &answers {
        for key in ["ms", "evaluated_tokens", "cached_tokens", "generated_tokens"] {
            assert!(answer[key].is_number(), "{answer}");
        }
    }
    // The last prompt shares its beginning with nothing resident but the header.
    assert!(answers[2]["cached_tokens"].as_u64() > Some(0));
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn a_bad_line_of_a_batch_costs_itself() {
    let home = TempFolder::new();
    let good = json!({"id": 1, "prefix": MAP, "suffix": ""});
    let mut input = b"not json\n{\"id\": 2}\n".to_vec();
    input.extend(b"{\"id\": 3, \"prefix\": \"\xff\"}\n");
    input.extend(good.to_string().into_bytes());
    let output = keyside(&home, &["complete", "--batch"], &input);
    assert_eq!(output.status.code(), Some(1));
    let out = text(&output.stdout);
    let answers: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 4);
    assert!(answers[2]["error"].as_str().unwrap().starts_with("line 3 is not usable"));
    assert!(answers[0]["error"].as_str().unwrap().starts_with("line 1 is not usable"));
    assert!(answers[1]["error"].as_str().unwrap().starts_with("line 2 is not usable"));
    assert_eq!(answers[3]["id"], 1);
    assert!(text(&output.stderr).contains("3 lines were not completed"));
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn try_without_a_terminal_prints_the_summary() {
    let home = TempFolder::new();
    let file = home.0.join("edit.rs");
    std::fs::write(&file, frozen("lib/text/edit.rs")).unwrap();
    let file = file.to_str().unwrap();
    let output = keyside(&home, &["try", file, "--lines", "3"], "");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let out = text(&output.stdout);
    assert!(out.starts_with(&format!("{file} with keyside-nano-v2\nkeys ")), "{out}");
    assert!(out.contains("without the resident prompt: median "), "{out}");
    assert!(!out.contains('\u{1b}'), "{out}");
    let output = keyside(&home, &["try", "--lines", "2", "--json"], "");
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["file"], "documents.rs", "the sample");
    let n = |key: &str| value[key].as_u64().unwrap();
    assert!(n("keys") > 0 && n("accepted") <= n("shown") && n("shown") <= n("keys"), "{value}");
}

#[test]
fn config_show_says_where_each_value_comes_from() {
    let home = TempFolder::new();
    let file = home.0.join("config.toml");
    std::fs::write(&file, "[completion]\nmax_lines = 3\nmax_token = 5\n").unwrap();
    let output = keyside(&home, &["config", "show", "--json"], "");
    assert_eq!(output.status.code(), Some(0));
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        value["completion.max_lines"],
        json!({"value": 3, "source": file.display().to_string()})
    );
    assert_eq!(value["completion.max_tokens"], json!({"value": 64, "source": "default"}));
    assert!(
        text(&output.stderr)
            .contains("`completion.max_token` (did you mean `completion.max_tokens`?) in")
    );
    std::fs::write(&file, "[completion\n").unwrap();
    let output = keyside(&home, &["config", "show"], "");
    assert_eq!(output.status.code(), Some(0));
    assert!(
        text(&output.stderr).contains("is not valid TOML (line 1)"),
        "{}",
        text(&output.stderr)
    );
    assert!(text(&output.stdout).contains("completion.max_lines = 8  # default"));
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn doctor_says_what_works() {
    let home = TempFolder::new();
    let output = keyside(&home, &["doctor"], "");
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{out}");
    assert!(out.contains("✓ model: keyside-nano-v2 (15.3 million parameters"), "{out}");
    std::fs::write(home.0.join("config.toml"), "[model]\npath = \"/nowhere.gguf\"\n").unwrap();
    let output = keyside(&home, &["doctor", "--json"], "");
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let model = report.as_array().unwrap().iter().find(|it| it["name"] == "model").unwrap();
    assert_eq!(model["state"], "bad");
    assert!(model["what"].as_str().unwrap().contains("does not exist"));
    assert!(!model["fix"].as_str().unwrap().is_empty());
}
