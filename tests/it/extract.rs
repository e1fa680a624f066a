//! `keyside extract` and `keyside summarize` with a real instruct model, and what they refuse.

use std::io::{BufRead, BufReader, Write};
use std::process::{Output, Stdio};
use std::time::Duration;

use keyside::app::instruct::{InstructModel, InstructSettings, check_memory};
use keyside::config::ModelConfig;
use keyside::instruct::n_words;
use keyside::stdx::random::Random;
use serde_json::{Value, json};

use crate::random_schemas::random_schema;
use crate::support::{TempFolder, instruct_model, keyside, run, text, until};

const PERSON: &str = r#"{
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 40},
        "age": {"type": ["integer", "null"], "minimum": 0, "maximum": 150}
    },
    "required": ["name", "age"]
}"#;

/// A home with the schema in a file and the instruct model in its settings.
fn home() -> TempFolder {
    let home = TempFolder::new();
    let settings = format!("[model]\ninstruct = {}\n", json!(instruct_model()));
    std::fs::write(home.0.join("config.toml"), settings).unwrap();
    std::fs::write(home.0.join("person.json"), PERSON).unwrap();
    home
}

fn command(home: &TempFolder, arguments: &[&str], input: impl AsRef<[u8]>) -> Output {
    let mut command = keyside(&home.0, arguments);
    command.current_dir(&home.0);
    run(command, input)
}

const EXTRACT: &[&str] = &["extract", "--schema", "person.json"];

fn answers(output: &[u8]) -> Vec<Value> {
    text(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn assert_conforms(schema: &Value, value: &Value) {
    let options = jsonschema::options().should_validate_formats(true);
    let validator = options.should_ignore_unknown_formats(true).build(schema).expect("a schema");
    let faults: Vec<String> = validator.iter_errors(value).map(|it| it.to_string()).collect();
    assert!(faults.is_empty(), "{value}: {faults:?}\n{schema}");
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs llama.cpp")]
fn answers_conform_in_order_and_a_bad_line_is_passed_over() {
    let home = home();
    let texts = ["Ada Lovelace, 36", "I am Grace Hopper and 85 years old.", "Nobody at all"];
    let mut input: String = (0..)
        .zip(texts)
        .map(|(id, text)| json!({"id": id, "text": text}).to_string() + "\n")
        .collect();
    input.insert_str(0, "no JSON\n{\"id\": \"e\", \"text\": \" \"}\n");
    let output = command(&home, EXTRACT, &input);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let answers = answers(&output.stdout);
    let ids: Vec<&Value> = answers.iter().map(|it| &it["id"]).collect();
    assert_eq!(ids, [&Value::Null, &json!("e"), &json!(0), &json!(1), &json!(2)]);
    assert_eq!(answers[1]["error"], "line 2 has an empty text");
    assert!(said.ends_with("2 lines were passed over\n"), "{said}");
    let schema: Value = serde_json::from_str(PERSON).unwrap();
    for answer in &answers[2..] {
        assert_conforms(&schema, &answer["value"]);
        assert!(answer["ms"].is_number(), "{answer}");
    }
    assert_eq!(answers[2]["value"]["name"], "Ada Lovelace");
    // The instruction is evaluated once.
    let n = |at: usize, key: &str| answers[at][key].as_u64().unwrap();
    assert!(n(2, "evaluated_tokens") > 100, "{answers:?}");
    for at in [3, 4] {
        assert!(n(at, "evaluated_tokens") < 30 && n(at, "cached_tokens") > 100, "{answers:?}");
    }

    let strict = [EXTRACT, &["--strict"]].concat();
    let output = command(&home, &strict, "{\"id\": 1}\n");
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()));
}

/// A model that has no address to write goes on before the `@` for as long as it may, and the part
/// before the `@` may have the signs that close things elsewhere.
#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs llama.cpp")]
fn a_format_that_the_text_has_nothing_of_comes_to_an_end() {
    let home = home();
    let address = |format: &str| json!({"type": "string", "format": format});
    let properties = json!({"mail": address("email"), "page": address("uri")});
    let schema = json!({"type": "object", "properties": properties, "required": ["mail", "page"]});
    std::fs::write(home.0.join("schema.json"), schema.to_string()).unwrap();
    let arguments = ["extract", "--schema", "schema.json", "--max-tokens", "48"];
    let output = command(&home, &arguments, json!({"text": "Two red lamps for Ada."}).to_string());
    let answers = answers(&output.stdout);
    assert_eq!(answers[0]["error"], Value::Null, "{answers:?}");
    assert_conforms(&schema, &answers[0]["value"]);
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs llama.cpp")]
fn what_was_stopped_goes_on_and_each_answer_comes_at_once() {
    let home = home();
    let arguments = [EXTRACT, &["--output", "out.jsonl"]].concat();
    let item = |id: u64| json!({"id": id, "text": "Tim is 3"}).to_string() + "\n";
    let mut first = keyside(&home.0, &arguments);
    let mut child = first.current_dir(&home.0).stdin(Stdio::piped()).spawn().expect("the program");
    child.stdin.as_ref().unwrap().write_all((item(0) + &item(1)).as_bytes()).unwrap();
    let file = home.0.join("out.jsonl");
    while std::fs::read(&file).unwrap_or_default().is_empty() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = answers(&std::fs::read(&file).unwrap()).len();
    let input: String = (0..4).map(item).collect();
    let output = command(&home, &[&arguments[..], &["--resume"]].concat(), input);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.contains(&format!("{kept} items were done already, {} are new", 4 - kept)),
        "{said}"
    );
    let ids: Vec<Value> =
        answers(&std::fs::read(&file).unwrap()).iter().map(|it| it["id"].clone()).collect();
    assert_eq!(ids, [0, 1, 2, 3]);

    // Each answer comes before the next question; a reader that goes away ends it.
    let mut command = keyside(&home.0, EXTRACT);
    command.current_dir(&home.0).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().expect("the program");
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    input.write_all(item(7).as_bytes()).unwrap();
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert!(line.starts_with("{\"id\":7,\"value\":{\"name\": "), "{line}");
    drop(output);
    input.write_all((item(8) + &item(9)).as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("can't be written") && said.lines().count() == 1, "{said}");
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs llama.cpp")]
fn what_is_wrong_is_told_before_the_first_text() {
    let home = home();
    let nano = crate::support::repository("model/keyside-nano-v1.gguf");
    for (name, schema) in [
        ("recursive", json!({"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"})),
        (
            "endless",
            json!({"$defs": {"a": {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "required": ["a"]}}, "$ref": "#/$defs/a"}),
        ),
        ("contradictory", json!({"type": "string", "enum": [1]})),
        ("large", json!({"enum": vec!["word"; 20_000].join(" ")})),
        ("number", json!(3)),
    ] {
        std::fs::write(home.0.join(name), schema.to_string()).unwrap();
    }
    for (arguments, part) in [
        (&["extract", "--schema", "nowhere"][..], "nowhere can't be read"),
        (&["extract", "--schema", "contradictory"], "the schema in contradictory can't be held to"),
        (&["extract", "--schema", "number"], "is no JSON Schema"),
        (&["extract", "--schema", "large"], "the schema in large can't be held to"),
        (&["extract", "--schema", "recursive"], "recursive has no answer of finite size"),
        (&["extract", "--schema", "endless"], "endless has no answer of finite size"),
        (
            &["extract", "--schema", "person.json", "--model", "nothing"],
            "there is no model nothing here",
        ),
        (
            &["extract", "--schema", "person.json", "--model", nano.to_str().unwrap()],
            "has no chat template",
        ),
        (&["summarize", "--model", "built-in"], "follows no instructions"),
        (&["summarize", "--instruction", &"word ".repeat(5_000)], "leaves no room for a text"),
    ] {
        let output = command(&home, arguments, "{\"id\": 1, \"text\": \"a\"}\n");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{part}: {said} {}", text(&output.stdout));
        assert!(said.contains(part) && said.lines().count() == 1, "{part}: {said}");
        assert!(output.stdout.is_empty());
    }
    for arguments in [&["summarize", "--max-words", "0"][..], &["extract"]] {
        assert_eq!(command(&home, arguments, "").status.code(), Some(2));
    }
    std::fs::remove_file(home.0.join("config.toml")).unwrap();
    let output = command(&home, EXTRACT, "");
    assert!(text(&output.stderr).contains("no instruct model is chosen"));
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs llama.cpp")]
fn summaries_keep_their_limit_and_say_what_was_cut() {
    let home = home();
    let long = "The ferry was late because of the fog, and the market in Bergen opened at noon. ";
    let texts = [
        long.repeat(2),
        "x".to_owned(),
        "今天下雨,市场中午才开门。渡轮因为大雾晚点了。".to_owned(),
        long.repeat(600),
    ];
    let input: String =
        texts.iter().map(|it| json!({"id": 0, "text": it}).to_string() + "\n").collect();
    let settings = std::fs::read_to_string(home.0.join("config.toml")).unwrap();
    std::fs::write(home.0.join("config.toml"), settings + "instruct_context_tokens = 512\n")
        .unwrap();
    for max_words in [1, 12] {
        let limit = max_words.to_string();
        let input = if max_words == 1 { input.lines().next().unwrap() } else { &input };
        let output = command(&home, &["summarize", "--max-words", &limit], input);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let answers = answers(&output.stdout);
        for answer in &answers {
            let summary = answer["summary"].as_str().unwrap_or_else(|| panic!("{answer}"));
            assert!((1..=max_words).contains(&n_words(summary)), "{answer}");
        }
        if max_words == 12 {
            let n_cut = answers[3]["cut_chars"].as_u64().unwrap();
            assert!(n_cut > 40_000 && n_cut < 48_000, "{}", answers[3]);
            assert!(answers[0].get("cut_chars").is_none());
        }
    }
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs llama.cpp")]
fn random_schemas_are_conformed_to() {
    conforms_to_random_schemas(4, 1);
}

/// Some minutes; `cargo test --release --test it -- --ignored five_hundred`.
#[test]
#[ignore = "takes some minutes"]
fn five_hundred_random_schemas_are_conformed_to() {
    conforms_to_random_schemas(500, 2);
}

fn conforms_to_random_schemas(n: usize, seed: u64) {
    use keyside::app::instruct::answers::Answers;
    use keyside::instruct::{AnswerSchema, extraction_instruction};
    use keyside::lm::Lane;

    let home = TempFolder::new();
    let settings = InstructSettings::of(&ModelConfig::default(), instruct_model());
    let model = InstructModel::new(settings, home.0.clone());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut random = Random::new(seed);
    let (mut n_asked, mut n_early) = (0, 0);
    for at in 0..n {
        let schema = random_schema(&mut random);
        let parsed = AnswerSchema::parse(schema.to_string().as_bytes());
        let parsed = parsed.unwrap_or_else(|fault| panic!("{schema}: {fault}"));
        let instruction = extraction_instruction(&parsed.text, None, &[]);
        let lane = Lane::Interactive { document: "items".into(), arrival: 1 };
        let answer = runtime.block_on(async {
            let in_use = model.take().await.expect("it loads");
            let answers = Answers::new(in_use, lane, &instruction, 256).unwrap();
            answers
                .extract("Order 4711 of 2024-05-02: two red lamps for Ada, 39.90 euros.", &parsed)
                .await
        });
        let answer = answer.unwrap_or_else(|fault| panic!("{at} {schema}: {fault}"));
        n_asked += answer.n_asked;
        n_early += usize::from(answer.value.is_closed_early);
        let value: Value = serde_json::from_str(&answer.value.json).unwrap();
        assert_conforms(&schema, &value);
        if (at + 1) % 50 == 0 {
            println!("{} schemas, asked {n_asked} times, {n_early} closed early", at + 1);
        }
    }
}

#[tokio::test(start_paused = true)]
#[cfg_attr(not(feature = "llama"), ignore = "needs llama.cpp")]
async fn a_model_with_nothing_to_do_is_unloaded_and_loaded_again() {
    let home = TempFolder::new();
    let settings = InstructSettings {
        max_idle: Duration::from_secs(60),
        ..InstructSettings::of(&ModelConfig::default(), instruct_model())
    };
    let model = InstructModel::new(settings.clone(), home.0.clone());
    for _ in 0..2 {
        let in_use = model.take().await.expect("it loads");
        tokio::time::advance(Duration::from_secs(600)).await;
        tokio::task::yield_now().await;
        assert!(model.is_loaded(), "it is in use");
        drop(in_use);
        until(async || (!model.is_loaded()).then_some(())).await;
    }
    // One that needs more than it may take.
    let small = InstructSettings { max_bytes: Some(50 << 20), ..settings.clone() };
    let refused = InstructModel::new(small, home.0.clone()).take().await.err().unwrap();
    assert!(refused.contains("model.instruct_memory_mib is 50"), "{refused}");
    let refused = check_memory(&settings, Some(100 << 20)).unwrap_err();
    assert!(refused.contains("100 are free"), "{refused}");
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs llama.cpp")]
fn a_model_is_chosen_for_instructions() {
    let home = TempFolder::new();
    let model = instruct_model();
    let model = model.to_str().unwrap();
    let output = command(&home, &["model", "use", "--instruct", model], "");
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(said.contains("follows instructions from now on"), "{said}");
    let settings = std::fs::read_to_string(home.0.join("config.toml")).unwrap();
    assert_eq!(settings, format!("[model]\ninstruct = {}\n", json!(model)));
    let nano = crate::support::repository("model/keyside-nano-v1.gguf");
    for (other, part) in
        [(nano.to_str().unwrap(), "has no chat template"), ("built-in", "follows no instructions")]
    {
        let output = command(&home, &["model", "use", "--instruct", other], "");
        let said = text(&output.stderr);
        assert!(said.contains(part) && said.contains("nothing was changed"), "{said}");
    }
    assert_eq!(std::fs::read_to_string(home.0.join("config.toml")).unwrap(), settings);
    command(&home, &["model", "use", "--instruct", "none"], "");
    assert_eq!(std::fs::read_to_string(home.0.join("config.toml")).unwrap(), "[model]\n");
}
