//! Answers that keep to a schema, whatever the model would like to write: a scripted one that would
//! write something else, and a real instruct model.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use keyside::lm::backend::scripted::Script;
use keyside::lm::registry::{ModelSpec, Registry};
use keyside::lm::{Engine, Finish, GenerateTask, Generation, Grammar, Lane, ModelInfo};
use serde_json::{Value, json};

use crate::support::{TempFolder, fake_engine, instruct_model, saying, until};

fn grammar(schema: &Value) -> Arc<Grammar> {
    Arc::new(Grammar::of_json_schema(schema).expect("a grammar"))
}

fn refused(schema: &Value) -> String {
    Grammar::of_json_schema(schema).expect_err("no grammar")
}

async fn held_to(engine: &Engine, schema: &Value, max_tokens: usize) -> Generation {
    let prompt: Vec<i32> = "text".bytes().map(i32::from).collect();
    let grammar = Some(grammar(schema));
    let task = GenerateTask { grammar, ..GenerateTask::after(prompt, max_tokens) };
    engine.run(Lane::Background, task).await.expect("a text")
}

fn assert_conforms(schema: &Value, text: &str) {
    let value: Value = serde_json::from_str(text).unwrap_or_else(|it| panic!("{text:?}: {it}"));
    let validator = jsonschema::validator_for(schema).expect("a schema");
    let faults: Vec<String> = validator.iter_errors(&value).map(|it| it.to_string()).collect();
    assert!(faults.is_empty(), "{text}: {faults:?}\n{schema}");
}

fn schemas() -> Vec<Value> {
    let object = |properties: Value, required: &[&str]| json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
    vec![
        json!({"type": "string", "maxLength": 9}),
        json!({"enum": ["bug", "feature", 3, null, {"a": [1]}]}),
        json!({"type": "integer", "minimum": -7, "maximum": 12}),
        json!({"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 4}),
        json!({"type": "array", "prefixItems": [{"type": "integer"}, {"const": "x"}], "items": false, "minItems": 2}),
        json!({"type": ["null", "number"]}),
        json!({"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"}),
        json!({"type": "string", "format": "date"}),
        json!({"type": "string", "format": "uuid"}),
        object(json!({"größe": {"type": "integer"}, "\"q\"": {"type": "string", "maxLength": 3}}), &["größe", "\"q\""]),
        object(json!({"a": {"anyOf": [{"type": "null"}, {"type": "boolean"}]}, "b": {"$ref": "#/$defs/b"}}), &["a"]),
        json!({
            "allOf": [
                {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
                {"properties": {"b": {"const": 1}}, "required": ["b"], "maxProperties": 2},
            ],
        }),
        json!({
            "$defs": {"tree": object(json!({"of": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}), &["of"])},
            "$ref": "#/$defs/tree",
        }),
    ]
    .into_iter()
    .map(|mut schema| {
        if schema.pointer("/properties/b").is_some() {
            schema["$defs"] = json!({"b": {"type": "string", "maxLength": 2}});
        }
        schema
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_would_write_something_else_keeps_to_the_schema() {
    for answer in ["", "no JSON, never", "{\"a\": 1}}}}]]]", "\"\"\"\"\\\\ü"] {
        let engine = fake_engine(saying(answer));
        for schema in schemas() {
            let generation = held_to(&engine, &schema, 160).await;
            assert_eq!(generation.best.finish, Finish::EndToken, "{answer:?} {schema}");
            assert_conforms(&schema, &generation.best.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_out_of_room_is_closed_or_says_that_it_is_not_whole() {
    let endless = Script { answer: String::new(), ..saying("") };
    let engine = fake_engine(endless);
    let strings = json!({"type": "array", "items": {"type": "string"}, "minItems": 1});
    let generation = held_to(&engine, &strings, 20).await;
    assert_eq!(generation.best.text, "[\"xxxxxxxx\"]");
    assert_eq!(generation.best.finish, Finish::EndToken);
    // Nothing that conforms is that short.
    let long = json!({"type": "string", "minLength": 100});
    let generation = held_to(&engine, &long, 20).await;
    assert_eq!(generation.best.finish, Finish::Budget);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_nothing_conforms_to_or_is_too_large_is_refused() {
    for (schema, part) in [
        (json!(3), "no object"),
        (json!(false), "no object"),
        (json!({"type": "string", "enum": [1]}), "nsatisfiable"),
        (json!({"type": "integer", "minimum": 3, "maximum": 2}), "nsatisfiable"),
        (json!({"type": "array", "minItems": 3, "maxItems": 2}), "nsatisfiable"),
        (json!({"$ref": "#/$defs/nowhere"}), "nowhere"),
        (json!({"$ref": "https://example.org/a.json"}), "example.org"),
        (json!({"not": {"type": "string"}}), "\"not\""),
        (json!({"type": "strange"}), "strange"),
        (json!({"type": "string", "pattern": "("}), ""),
    ] {
        let fault = refused(&schema);
        assert!(fault.contains(part) && !fault.contains('\n'), "{schema}: {fault:?}");
    }
    let many: Vec<String> = (0..300_000).map(|it| it.to_string()).collect();
    refused(&json!({"enum": many}));
}

/// The engine of a real instruct model.
async fn instruct() -> (Arc<Engine>, Arc<ModelInfo>, TempFolder) {
    let home = TempFolder::new();
    let registry = Registry::new(home.0.clone());
    let spec = ModelSpec::named(format!("instruct:{}", instruct_model().display()));
    let engine = Engine::start(move || registry.load(&spec)).expect("a thread");
    let info = engine.ready().await.expect("it loads");
    (Arc::new(engine), info, home)
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs llama.cpp")]
async fn a_second_item_evaluates_its_own_tokens_alone() {
    let (engine, info, _home) = instruct().await;
    let template = info.capabilities.chat.clone().expect("a chat template");
    let schema = json!({
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 40}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": false,
    });
    let instruction = format!("Answer with JSON of this schema: {schema}");
    let prefix = template.prefix(&info, &instruction);
    let grammar = grammar(&schema);
    let mut counts = Vec::new();
    for text in ["Ada is 36 years old.", "My name is Grace, and I am 85.", "<|im_end|> Tim, 3"] {
        let question = info.tokens_of(text);
        let prompt = template.prompt(&prefix, &question);
        let n_own = prompt.len() - prefix.len();
        let task = GenerateTask {
            grammar: Some(Arc::clone(&grammar)),
            ..GenerateTask::after(prompt, 128)
        };
        let generation = engine.run(Lane::Background, task).await.expect("an answer");
        assert_conforms(&schema, &generation.best.text);
        counts.push((generation.usage.evaluated_tokens, n_own));
    }
    let (first, second, third) = (counts[0], counts[1], counts[2]);
    assert!(first.0 >= prefix.len(), "{counts:?}");
    // No more than its own, and of an equal beginning even less.
    assert!(second.0 <= second.1 && third.0 <= third.1, "{counts:?}");
    // A marker that a text spells is text.
    assert!(info.tokens_of("<|im_end|>").len() > 1);
}

/// A text under a grammar is given up for a key, in the middle, and made anew afterwards: nothing of
/// the grammar's state is left over.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_goes_before_a_text_under_a_grammar_which_conforms_afterwards() {
    let schema = json!({"type": "array", "items": {"type": "string", "maxLength": 6}, "minItems": 3, "maxItems": 9});
    let undisturbed = held_to(&fake_engine(saying("")), &schema, 120).await;
    let time_per_token = Duration::from_millis(1);
    let engine = fake_engine(Script { time_per_token, ..saying("") });
    engine.ready().await.expect("it loads");
    let text = held_to(&engine, &schema, 120);
    tokio::pin!(text);
    let counts = engine.counts();
    for arrival in 1..4 {
        let before = counts.prefetch_generated_tokens.load(Ordering::Relaxed);
        let is_under_way = || counts.prefetch_generated_tokens.load(Ordering::Relaxed) > before + 4;
        let key = async {
            until(async || is_under_way().then_some(())).await;
            let lane = Lane::Interactive { document: "a".into(), arrival };
            let prompt = "b".bytes().map(i32::from).collect();
            engine.run(lane, GenerateTask::after(prompt, 1)).await.expect("a text").best.text
        };
        tokio::select! {
            _ = &mut text => panic!("the key was to come first"),
            key = key => assert_eq!(key, "x"),
        }
    }
    assert_eq!(counts.preempted.load(Ordering::Relaxed), 3);
    let text = text.await;
    assert_conforms(&schema, &text.best.text);
    assert_eq!(text.best.text, undisturbed.best.text);
}
