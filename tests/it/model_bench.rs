//! `keyside model bench`: models measured against each other with code of a folder.

use serde_json::Value;

use crate::gguf_file::GgufFile;
use crate::models::{Machine, coder};
use crate::support::{instruct_model, project};

/// One stretch of code.
const ONE: [&str; 2] = ["--characters", "1"];

#[test]
fn models_type_the_same_code_and_one_is_recommended() {
    let machine = Machine::new();
    let folder = project("");
    let models = ".lmstudio/models/somebody";
    machine.write(&format!("{models}/a/refused.gguf"), coder(1));
    let encoder = GgufFile { architecture: "bert", tokens: &["a"], ..Default::default() };
    machine.write(&format!("{models}/b/vectors.gguf"), encoder.bytes());
    machine.write(&format!("{models}/c/half.gguf"), &coder(2)[..200]);
    let large = GgufFile { n_layers: 100_000_000, weight: 3, ..Default::default() };
    machine.write(&format!("{models}/d/large.gguf"), large.bytes());
    let folder = folder.to_str().unwrap();
    let arguments = ["model", "bench", "--json", "--folder", folder, ONE[0], ONE[1]];
    let json = machine.json(&arguments);

    let models = json["models"].as_array().unwrap();
    let names: Vec<&str> = models.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["keyside-nano-v2", "keyside-nano-v1", "somebody/a/refused"]);
    for model in &models[..2] {
        let number = |key: &str| model[key].as_f64().unwrap_or_else(|| panic!("{key}: {model}"));
        assert_eq!(model["characters"], models[0]["characters"], "{model}");
        assert!(number("characters") > 60.0 && number("keys") > 5.0, "{model}");
        assert!(number("median_ms") > 0.0 && number("p95_ms") >= number("median_ms"), "{model}");
        assert!((-1.0..1.0).contains(&number("time_gained")), "{model}");
        assert_eq!((&model["is_compared"], &model["problem"]), (&Value::Bool(true), &Value::Null));
        if cfg!(target_os = "linux") {
            // More than the model, less than what a machine has.
            assert!((2e7..1e9).contains(&number("memory_bytes")), "{model}");
        }
    }
    let problem = models[2]["problem"].as_str().unwrap();
    assert!(problem.contains("refused.gguf can't be loaded ("), "{problem}");
    let skipped = json["skipped"].as_array().unwrap();
    let skipped: Vec<String> = skipped
        .iter()
        .map(|it| format!("{}: {}", it["name"].as_str().unwrap(), it["why"].as_str().unwrap()))
        .collect();
    let is_skipped = |what: &str| skipped.iter().any(|it| it.starts_with(what));
    assert!(is_skipped("somebody/b/vectors: it gives no text"), "{skipped:?}");
    assert!(is_skipped("somebody/c/half: it is cut short"), "{skipped:?}");
    assert!(is_skipped("somebody/d/large: it needs about"), "{skipped:?}");
    let recommended = json["recommended"]["name"].as_str().unwrap();
    assert!(names[..2].contains(&recommended), "{recommended}");
    assert!(json["why"].as_str().unwrap().starts_with(recommended), "{}", json["why"]);
    assert_eq!(json["recommended"]["command"], format!("keyside model use {recommended}"));
}

#[test]
fn a_model_that_is_too_slow_ends_in_time_and_says_so() {
    let machine = Machine::new();
    let (model, folder) = (instruct_model(), project(""));
    let (model, folder) = (model.to_str().unwrap(), folder.to_str().unwrap());
    let refused = machine.refused(&[
        "model",
        "bench",
        model,
        "--folder",
        folder,
        ONE[0],
        ONE[1],
        "--seconds",
        "0",
    ]);
    let sentence = "SmolLM2-135M-Instruct.Q4_1 is too slow to finish 0 seconds' worth of typing";
    assert!(refused.contains(sentence), "{refused}");
}

#[test]
fn a_folder_without_code_is_told() {
    let machine = Machine::new();
    let note = machine.write("notes/a.txt", "no code\n".repeat(40));
    let folder = note.parent().unwrap().to_str().unwrap().to_owned();
    let refused = machine.refused(&["model", "bench", "keyside-nano-v1", "--folder", &folder]);
    assert!(refused.contains("has no code to type"), "{refused}");
    let refused = machine.refused(&["model", "bench", "--folder", note.to_str().unwrap()]);
    assert!(refused.contains("a.txt is no folder; name one with code of yours"), "{refused}");
    let refused = machine.refused(&["model", "bench", "nowhere", "--folder", &folder]);
    assert!(refused.contains("there is no model nowhere here"), "{refused}");
}
