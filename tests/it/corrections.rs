//! `keyside correct`, `usage --quality` and `forget`: what a person corrects is kept, used and shown.

use std::process::Output;

use serde_json::{Value, json};

use crate::support::{TempFolder, keyside, run, text};

const TOPICS: [&str; 20] = [
    "deployment",
    "login",
    "search",
    "payments",
    "invoices",
    "exports",
    "imports",
    "backups",
    "caching",
    "metrics",
    "alerts",
    "roles",
    "themes",
    "webhooks",
    "plugins",
    "uploads",
    "sessions",
    "queues",
    "releases",
    "tenants",
];

fn page(topic: &str) -> String {
    format!("give our wiki page about {topic} a new coat of paint")
}

fn succeeds(home: &TempFolder, arguments: &[&str], input: &str) -> String {
    let output = run(keyside(&home.0, arguments), input);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn decision(home: &TempFolder, request: &str) -> Value {
    serde_json::from_str(&succeeds(home, &["route", request, "--json"], "")).unwrap()
}

fn file(home: &TempFolder) -> String {
    std::fs::read_to_string(home.0.join("data/corrections.jsonl")).unwrap()
}

#[test]
fn twenty_corrections_of_a_kind_change_the_next_decision_of_that_kind() {
    let home = TempFolder::new();
    let next = page("billing");
    assert_ne!(decision(&home, &next)["task"], "summarize");
    let line = |topic: &&str| {
        format!("{}\n", json!({"text": page(topic), "task": "summarize", "target": "local"}))
    };
    let lines: String = TOPICS.iter().map(line).collect();
    let said = succeeds(&home, &["correct"], &lines);
    assert!(said.starts_with("20 corrections are kept in "), "{said}");
    assert_eq!(file(&home).lines().count(), 20);
    let after = decision(&home, &next);
    assert_eq!((&after["task"], &after["target"]), (&json!("summarize"), &json!("local")));
    let learned: Value =
        serde_json::from_str(&succeeds(&home, &["usage", "--quality", "--json"], "")).unwrap();
    let routing = &learned["corrections"][0];
    assert_eq!((&routing["kind"], &routing["before"]["right"]), (&json!("routing"), &json!(0)));
    assert_eq!(routing["with_others"]["right"], 20);
    assert!(routing["with_others"]["low"].as_f64().unwrap() > 0.8, "{routing}");
    let said = succeeds(&home, &["usage", "--quality"], "");
    let line =
        "routing: 0 of 20 (0–16%) before; 20 of 20 (84–100%) with what the other corrections teach";
    assert!(said.contains(line), "{said}");
    assert_eq!(succeeds(&home, &["forget", "--routing"], ""), "20 corrections are forgotten\n");
    assert_ne!(decision(&home, &next)["task"], "summarize");
    assert!(succeeds(&home, &["usage", "--quality"], "").starts_with("nothing was corrected yet"));
}

#[test]
fn a_corrected_label_is_an_example_at_once() {
    let home = TempFolder::new();
    let labels = "bug,feature";
    let classify = || -> Value {
        let input = "{\"text\": \"the frobnicator frobnicates\"}";
        serde_json::from_str(&succeeds(&home, &["classify", "--labels", labels], input)).unwrap()
    };
    for (label, other) in [("bug", "feature"), ("feature", "bug")] {
        let arguments =
            ["correct", "frobnicator frobnicates", "--labels", labels, "--label", label];
        succeeds(&home, &arguments, "");
        let answer = classify();
        assert_eq!(answer["label"], label, "{answer}");
        assert!(answer["scores"][label].as_f64() > answer["scores"][other].as_f64());
        // The second takes the place of the first.
        assert_eq!(file(&home).lines().count(), 1);
    }
    // Other labels are another question.
    let other = succeeds(&home, &["forget", "--labels", "bug,feature,question"], "");
    assert_eq!(other, "0 corrections are forgotten\n");
    let said = succeeds(&home, &["forget", "frobnicator frobnicates"], "");
    assert_eq!((said.as_str(), file(&home).as_str()), ("1 correction is forgotten\n", ""));
}

#[test]
fn the_file_may_be_edited_and_loses_nothing() {
    let home = TempFolder::new();
    succeeds(&home, &["correct", "paint it", "--task", "design"], "");
    let path = home.0.join("data/corrections.jsonl");
    let own = "{\"text\": \"paint that\", \"task\": \"fly\", \"target\": \"local\"}\n\nmine\n";
    std::fs::write(&path, file(&home) + own).unwrap();
    let output = run(keyside(&home.0, &["route", "paint it", "--json"]), "");
    let said = text(&output.stderr);
    assert!(said.contains("line 2 of ") && said.contains("names a task that is none"), "{said}");
    assert!(said.contains("line 4 of ") && said.contains("correct or remove it"), "{said}");
    succeeds(&home, &["correct", "paint it", "--target", "local"], "");
    let kept = file(&home);
    assert!(kept.starts_with(own), "{kept}");
    assert_eq!(kept.lines().count(), 4, "{kept}");
    assert_eq!(succeeds(&home, &["forget", "--all"], ""), "1 correction is forgotten\n");
    assert_eq!(file(&home), own);
}

#[test]
fn what_is_no_correction_is_refused_with_what_to_do() {
    let home = TempFolder::new();
    let fails =
        |arguments: &[&str], input: &str| -> Output { run(keyside(&home.0, arguments), input) };
    for (arguments, input, code, part) in [
        (&["correct", "a"][..], "", 1, "say what is right: `--task rename`"),
        (&["correct", "a", "--task", "fix"], "", 1, "say where this one goes"),
        (&["correct", "a", "--task", "fly"], "", 2, "write one of explain, refactor"),
        (&["correct", " ", "--task", "rename"], "", 1, "the correction has an empty text"),
        (&["correct", "a", "--labels", "x,y"], "", 1, "say which of the labels it is"),
        (&["correct", "a", "--labels", "x,y", "--label", "z"], "", 1, "none of its labels"),
        (
            &["correct"],
            "{\"text\": \"a\", \"task\": \"rename\"}",
            1,
            "line 1 has neither a task with",
        ),
        (&["correct"], "{\"text\": \"a\", \"label\": \"x\"}", 1, "which labels there are"),
        (&["correct"], "x", 1, "line 1 is not {\"text\""),
        (&["forget"], "", 2, "required"),
    ] {
        let output = fails(arguments, input);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(error.contains(part), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty());
    }
    assert!(!home.0.join("data/corrections.jsonl").exists());
    std::fs::create_dir_all(home.0.join("data/corrections.jsonl")).unwrap();
    let output = fails(&["route", "explain this"], "");
    assert!(text(&output.stderr).contains("can't be read"), "{}", text(&output.stderr));
}
