//! `keyside route`: what a request asks for and where it goes, and what routing says in a question to
//! a person.

use std::process::Output;

use serde_json::{Value, json};

use crate::support::{TempFolder, keyside, run, text};

fn route(home: &TempFolder, arguments: &[&str], input: impl AsRef<[u8]>) -> Output {
    let mut command = keyside(&home.0, &["route"]);
    command.args(arguments).current_dir(&home.0);
    run(command, input)
}

fn answers(output: &Output) -> Vec<Value> {
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn requests_are_routed_in_order_with_a_reason() {
    let home = TempFolder::new();
    let input = [
        json!({"id": 1, "instruction": "rename this variable to count", "language": "rust"}),
        json!({"id": "b", "instruction": "how should i structure this project"}),
        json!({"id": null, "instruction": "fix this", "selection": "let a = 1;\n",
            "diagnostics": ["unused variable: `a`"], "files": ["a.rs"]}),
        json!({"id": [2], "action": "explain"}),
        json!({"id": 5, "instruction": "rename this variable", "choose": "cloud"}),
    ];
    let input: String = input.iter().map(|it| format!("{it}\n")).collect();
    let output = route(&home, &[], input);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    let answers = answers(&output);
    let of = |key: &str| -> Vec<Value> { answers.iter().map(|it| it[key].clone()).collect() };
    assert_eq!(json!(of("id")), json!([1, "b", null, [2], 5]));
    assert_eq!(json!(of("task")), json!(["rename", "design", "fix", "explain", "rename"]));
    assert_eq!(json!(of("target")), json!(["local", "cloud", "local", "cloud", "cloud"]));
    assert_eq!(
        json!(of("rule")),
        json!(["request", "request", "diagnostics", "request", "choice"])
    );
    for answer in &answers {
        let reason = answer["reason"].as_str().unwrap();
        for part in ["; it runs ", ", its answer is ", ", and "] {
            assert!(reason.contains(part), "{answer}");
        }
        assert!((0.5..=1.0).contains(&answer["confidence"].as_f64().unwrap()), "{answer}");
        assert!(answer["ask"].is_boolean() && answer["ms"].is_number(), "{answer}");
    }
}

#[test]
fn one_request_is_answered_for_a_person_or_a_program() {
    let home = TempFolder::new();
    let output = route(&home, &["explain this function"], "");
    let out = text(&output.stdout);
    assert!(out.starts_with("cloud (") && out.contains(": explain ("), "{out}");
    assert_eq!(out.lines().count(), 2, "{out}");
    let output = route(&home, &["explain this function", "--json", "--choose", "local"], "");
    let answer = &answers(&output)[0];
    assert_eq!((&answer["target"], answer["confidence"].as_f64()), (&json!("local"), Some(1.0)));
}

#[test]
fn no_request_of_a_private_workspace_goes_to_the_cloud() {
    let home = TempFolder::new();
    let (private, open) = (home.0.join("private"), home.0.join("open"));
    for folder in [&private, &open] {
        std::fs::create_dir_all(folder).unwrap();
    }
    let config = "[cloud]\nenabled = true\n[[cloud.providers]]\nname = \"here\"\nmodel = \"m\"\n\
        protocol = \"openai-chat\"\nbase_url = \"http://127.0.0.1:9\"\nauth = \"none\"\n";
    std::fs::write(home.0.join("config.toml"), config).unwrap();
    let deny = run(keyside(&home.0, &["cloud", "deny", private.to_str().unwrap()]), "");
    assert_eq!(deny.status.code(), Some(0), "{}", text(&deny.stderr));
    let input: String = ["design a chat server", "ask claude why this crashes", "explain this"]
        .map(|it| format!("{}\n", json!({"instruction": it, "choose": "cloud"})))
        .concat();
    let targets = |folder: &std::path::Path, input: &str| -> Vec<Value> {
        let output = route(&home, &["--workspace", folder.to_str().unwrap()], input);
        answers(&output).iter().map(|it| it["target"].clone()).collect()
    };
    assert_eq!(json!(targets(&private, &input)), json!(["local", "local", "local"]));
    assert_eq!(json!(targets(&private.join("src"), &input)), json!(["local", "local", "local"]));
    assert_eq!(json!(targets(&open, &input)), json!(["cloud", "cloud", "cloud"]));
    // A file of the private one, asked about from beside it.
    let beside = json!({"instruction": "explain this", "files": ["../private/a.rs"]}).to_string();
    assert_eq!(json!(targets(&open, &beside)), json!(["local"]));
    let unreadable = home.0.join("consent.toml");
    std::fs::write(&unreadable, "consent = 3").unwrap();
    let output = route(&home, &["explain this"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("correct or remove it"), "{}", text(&output.stderr));
}

#[test]
fn what_is_no_request_is_said_and_passed_over() {
    let home = TempFolder::new();
    let lines = [
        ("{\"id\": 1, \"instruction\": 7}", "is not {\"id\": …, \"instruction\": …} as JSON"),
        ("nothing", "is not {\"id\": …, \"instruction\": …} as JSON"),
        ("{\"id\": 3, \"instruction\": \" \"}", "has an empty instruction"),
        ("{\"id\": 4, \"action\": \"fly\"}", "has an action that is none of explain, refactor"),
        (
            "{\"id\": 5, \"instruction\": \"a\", \"choose\": \"moon\"}",
            "has a `choose` that is neither local nor cloud",
        ),
    ];
    let input: String = lines.iter().map(|it| format!("{}\n", it.0)).collect();
    let output = route(&home, &[], input.clone() + "{\"instruction\": \"explain this\"}");
    assert_eq!(output.status.code(), Some(0));
    let answers = answers(&output);
    assert_eq!(answers.len(), lines.len() + 1);
    for (index, (_, part)) in lines.iter().enumerate() {
        let error = answers[index]["error"].as_str().unwrap();
        assert!(error.starts_with(&format!("line {}", index + 1)), "{error}");
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(answers[0]["id"], 1);
    assert_eq!(answers[lines.len()]["task"], "explain");
    assert!(text(&output.stderr).contains("5 lines were passed over"));
    let output = route(&home, &["--strict"], input);
    assert_eq!((output.status.code(), text(&output.stdout).len()), (Some(1), 0));
    for (arguments, code, part) in [
        (&["  "][..], 1, "the request is empty"),
        (&["explain", "--choose", "moon"], 2, "write `local` or `cloud`"),
    ] {
        let output = route(&home, arguments, "");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(text(&output.stderr).contains(part), "{}", text(&output.stderr));
    }
}
