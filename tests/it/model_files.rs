//! Model files that are missing, damaged or of another kind: one sentence, and the server stays up.

use std::path::{Path, PathBuf};

use keyside::lm::backend::embedded::{EmbeddedModel, MODELS, unpack};
use serde_json::{Value, json};

use crate::support::{Client, TempFolder, until};

const URI: &str = "file:///a.rs";

/// The built-in model that is the default.
fn built_in() -> &'static EmbeddedModel {
    &MODELS[0]
}

/// Starts the real program with a model that is of no use, and returns the sentence that says why. The built-in one suggests.
async fn sentence_for(home: TempFolder, model: &Path) -> String {
    let settings = format!("[model]\npath = {:?}\n", model.display().to_string());
    std::fs::write(home.0.join("config.toml"), settings).unwrap();
    let mut client = Client::real_process_in(home);
    client.initialize(&["utf-8"]).await;
    client.open(URI, "let first = map.get_or_insert(1);\nlet second = map.\n");
    assert!(client.ghost(URI, 1, 17).await.is_some());
    let stats = client.stats().await;
    assert_eq!(
        (&stats["model"]["state"], &stats["model"]["name"]),
        (&json!("ready"), &json!(built_in().name))
    );
    let sentence = stats["model"]["instead_of"].as_str().unwrap().to_owned();
    // It is told once, by `keyside/status` and in a message that a person sees.
    let told = |method: &str| {
        let unasked = client.unasked.lock().unwrap();
        let says =
            |it: &Value| it["params"]["message"].as_str().is_some_and(|it| it.contains(&sentence));
        unasked.iter().filter(|it| it["method"] == method && says(it)).count()
    };
    until(async || (told("window/showMessage") > 0 && told("keyside/status") > 0).then_some(()))
        .await;
    let status = client.ask("keyside/status", json!({})).await;
    let message = status["result"]["message"].as_str().unwrap();
    assert!(message.starts_with(built_in().name) && message.contains(&sentence), "{message}");
    assert_eq!(client.ask("shutdown", Value::Null).await["result"], Value::Null);
    assert_eq!((told("window/showMessage"), told("keyside/status")), (1, 1));
    client.notify("exit", Value::Null);
    let status = client.child.take().unwrap().wait().await.unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(!sentence.contains('\n'), "{sentence}");
    sentence
}

fn written(home: &TempFolder, bytes: &[u8]) -> PathBuf {
    let path = home.0.join("model.gguf");
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Renames the metadata that names the markers.
const WITHOUT_METADATA: &[(&str, &str)] = &[
    ("tokenizer.ggml.fim_pre_token_id", "tokenizer.ggml.fim_prx_token_id"),
    ("tokenizer.ggml.fim_suf_token_id", "tokenizer.ggml.fim_sux_token_id"),
    ("tokenizer.ggml.fim_mid_token_id", "tokenizer.ggml.fim_mix_token_id"),
];

/// The embedded model with every `from` made `to`, which has to be as long.
fn changed(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = built_in().bytes.to_vec();
    for (from, to) in pairs {
        assert_eq!(from.len(), to.len());
        let at: Vec<usize> = (0..bytes.len() - from.len())
            .filter(|at| bytes[*at..].starts_with(from.as_bytes()))
            .collect();
        assert!(!at.is_empty(), "{from} is not in the file");
        for at in at {
            bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        }
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_missing_file() {
    let home = TempFolder::new();
    let path = home.0.join("nowhere.gguf");
    let sentence = sentence_for(home, &path).await;
    assert!(sentence.contains("nowhere.gguf does not exist; set model.path"), "{sentence}");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_folder_and_a_text_file() {
    let home = TempFolder::new();
    let path = home.0.join("folder.gguf");
    std::fs::create_dir(&path).unwrap();
    let sentence = sentence_for(home, &path).await;
    assert!(sentence.contains("is not a file; set model.path"), "{sentence}");

    for bytes in [&b"not a model"[..], b"GG", b""] {
        let home = TempFolder::new();
        let path = written(&home, bytes);
        let sentence = sentence_for(home, &path).await;
        assert!(sentence.contains("is not a model in GGUF format; set model.path"), "{sentence}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_truncated_file() {
    for length in [4, 100, 100_000, 1_000_000, built_in().bytes.len() - 1] {
        let home = TempFolder::new();
        let path = written(&home, &built_in().bytes[..length]);
        let sentence = sentence_for(home, &path).await;
        assert!(
            sentence.contains("can't be loaded (") && sentence.contains("get the file again"),
            "{sentence}"
        );
        assert!(!sentence.contains("gave no reason"), "{length}: {sentence}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn another_architecture() {
    let home = TempFolder::new();
    // The value of general.architecture, with its length before it.
    let from = "\u{5}\0\0\0\0\0\0\0llama";
    let to = "\u{5}\0\0\0\0\0\0\0blurb";
    let path = written(&home, &changed(&[(from, to)]));
    let sentence = sentence_for(home, &path).await;
    assert!(sentence.contains("unknown model architecture: 'blurb'"), "{sentence}");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn without_fill_in_the_middle_tokens_the_text_before_is_enough() {
    let home = TempFolder::new();
    let mut without = WITHOUT_METADATA.to_vec();
    without.extend([
        ("<|fim_prefix|>", "<|not_prefix|>"),
        ("<|fim_suffix|>", "<|not_suffix|>"),
        ("<|fim_middle|>", "<|not_middle|>"),
    ]);
    let path = written(&home, &changed(&without));
    let settings = format!("[model]\npath = {:?}\n", path.display().to_string());
    std::fs::write(home.0.join("config.toml"), settings).unwrap();
    let client = Client::real_process_in(home);
    client.initialize(&["utf-8"]).await;
    client.open(URI, "let first = map.get_or_insert(1);\nlet second = map.\n");
    assert!(client.ghost(URI, 1, 17).await.is_some());
    let model = client.stats().await["model"].clone();
    assert_eq!((&model["name"], &model["fim"]), (&json!("model"), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_file_that_llama_cpp_dies_of() {
    // Two tokens of one name end in an assertion, and an assertion ends the process.
    let home = TempFolder::new();
    let path = written(&home, &changed(&[("<|fim_prefix|>", "<|fim_suffix|>")]));
    let sentence = sentence_for(home, &path).await;
    assert!(sentence.contains("makes llama.cpp fail"), "{sentence}");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn markers_without_metadata_are_found_by_name() {
    let home = TempFolder::new();
    let path = written(&home, &changed(WITHOUT_METADATA));
    std::fs::write(
        home.0.join("config.toml"),
        format!("[model]\npath = {:?}\n", path.display().to_string()),
    )
    .unwrap();
    let client = Client::real_process_in(home);
    client.initialize(&["utf-8"]).await;
    client.open(URI, "let first = map.get_or_insert(1);\nlet second = map.\n");
    assert!(client.ghost(URI, 1, 17).await.is_some());
    assert_eq!(client.stats().await["model"]["fim"], "qwen-coder");
    // It is known to be good now, until it changes.
    let known = std::fs::read_to_string(client.home.0.join("cache/models/checked.txt")).unwrap();
    assert_eq!(known.lines().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn the_other_built_in_model_is_used_where_the_settings_say_so() {
    let client = Client::with_embedded_model();
    client.initialize(&["utf-8"]).await;
    client.open(URI, "let first = map.get_or_insert(1);\nlet second = map.\n");
    for name in ["keyside-nano-v1", "keyside-nano-v2"] {
        let settings = json!({"settings": {"keyside": {"model": {"built_in": name}}}});
        client.notify("workspace/didChangeConfiguration", settings);
        let model = || async { client.stats().await["model"]["name"].clone() };
        until(|| async { (model().await == name).then_some(()) }).await;
        assert!(client.ghost(URI, 1, 17).await.is_some(), "{name}");
    }
    client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cached_copy_that_was_changed_is_written_anew() {
    let home = TempFolder::new();
    let folder = home.0.join("cache/models");
    let cache = home.0.join("cache");
    let path = unpack(built_in(), &cache).unwrap().path;
    assert!(path.starts_with(&folder));
    // It is mapped by whoever uses it, so it is not to be written.
    assert!(path.metadata().unwrap().permissions().readonly() || cfg!(windows));
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, &built_in().bytes[..1_000]).unwrap();
    assert_eq!(unpack(built_in(), &cache).unwrap().path, path);
    assert!(std::fs::read(&path).unwrap() == built_in().bytes);
    // A cache that can't be written: a file stands where the folder should be.
    let blocked = home.0.join("blocked");
    std::fs::write(&blocked, "").unwrap();
    let elsewhere = unpack(built_in(), &blocked).unwrap();
    let temporary = elsewhere.path.clone();
    assert!(std::fs::read(&temporary).unwrap() == built_in().bytes);
    drop(elsewhere);
    assert!(!temporary.exists());
}
