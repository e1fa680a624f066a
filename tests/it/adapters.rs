//! Adapters (LoRA) over the built-in model: small ones, made here by chance.

use std::path::Path;

use keyside::stdx::random::Random;
use serde_json::{Value, json};

use crate::gguf_file::{Tensor, file_of, text as value};
use crate::support::{Client, TempFolder, instruct_model, keyside, run, text, until};

const RANK: u64 = 2;
/// Of the built-in model.
const N_EMBEDDING: u64 = 384;
const N_FEED_FORWARD: u64 = 1_024;
const N_LAYERS: usize = 8;
const CODE: &str = "fn double(values: &[u32]) -> Vec<u32> {\n    values.iter().map(|value| \n}\n";

/// What an adapter is of.
struct Adapter {
    architecture: &'static str,
    n_embedding: u64,
    /// The value `adapter.type`, and its kind.
    kind: (u32, Vec<u8>),
}

impl Default for Adapter {
    fn default() -> Self {
        Self { architecture: "llama", n_embedding: N_EMBEDDING, kind: (8, value("lora")) }
    }
}

impl Adapter {
    /// Over the way out of each layer's feed-forward network, which it turns about.
    fn bytes(&self) -> Vec<u8> {
        let mut random = Random::new(11);
        let mut weights = |n: u64| -> Vec<f32> {
            (0..n).map(|_| random.below(2_001) as f32 / 1_000.0 - 1.0).collect()
        };
        let mut tensors: Vec<Tensor> = Vec::new();
        for layer in 0..N_LAYERS {
            let name = |part: &str| format!("blk.{layer}.ffn_down.weight.lora_{part}");
            tensors.push((name("a"), vec![N_FEED_FORWARD, RANK], weights(N_FEED_FORWARD * RANK)));
            tensors.push((
                name("b"),
                vec![RANK, self.n_embedding],
                weights(RANK * self.n_embedding),
            ));
        }
        let (kind, bytes) = self.kind.clone();
        let values = [
            ("general.architecture", 8, value(self.architecture)),
            ("general.type", 8, value("adapter")),
            ("adapter.type", kind, bytes),
            ("adapter.lora.alpha", 6, 2_f32.to_le_bytes().to_vec()),
        ];
        file_of(&values, &tensors)
    }
}

/// A home with code, an adapter and settings.
fn home(adapter: &[u8], settings: &str) -> TempFolder {
    let home = TempFolder::new();
    std::fs::write(home.0.join("style.gguf"), adapter).unwrap();
    std::fs::write(home.0.join("code.rs"), CODE).unwrap();
    write_settings(&home, settings);
    home
}

fn write_settings(home: &TempFolder, settings: &str) {
    let settings = settings.replace("HOME", home.0.to_str().unwrap());
    std::fs::write(home.0.join("config.toml"), settings).unwrap();
}

/// What the model writes at the caret in the code, to a person who asks.
fn written(home: &TempFolder) -> String {
    let place = format!("{}:2:31", home.0.join("code.rs").display());
    let output = run(keyside(&home.0, &["complete", &place, "--json"]), "");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    value["raw"].as_str().unwrap().to_owned()
}

/// The model's line of `keyside doctor`, run in a folder.
fn doctor(home: &TempFolder, folder: &Path) -> String {
    let mut command = keyside(&home.0, &["doctor"]);
    command.current_dir(folder);
    let said = text(&run(command, "").stdout);
    said.lines().find(|it| it.contains(" model: ")).unwrap().to_owned()
}

const SETTINGS: &str = "[[model.lora]]\npath = \"HOME/style.gguf\"\n";

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn an_adapter_changes_what_is_written_as_strongly_as_it_counts() {
    let home = home(&Adapter::default().bytes(), "");
    let own = written(&home);
    assert!(!own.is_empty());
    write_settings(&home, &format!("{SETTINGS}scale = 0.0\n"));
    assert_eq!(written(&home), own);
    write_settings(&home, SETTINGS);
    assert_ne!(written(&home), own);
    let line = doctor(&home, &home.0);
    assert!(
        line.starts_with("✓ model: keyside-nano-v2 with the adapter style (scale 1) ("),
        "{line}"
    );
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn an_adapter_that_is_of_no_use_is_told_and_the_model_writes_without_it() {
    let fine = Adapter::default().bytes();
    let own = written(&home(&fine, ""));
    let model = std::fs::read(instruct_model()).unwrap();
    for (bytes, sentence) in [
        (
            Adapter { architecture: "qwen2", ..Adapter::default() }.bytes(),
            "style.gguf is an adapter for models of the architecture qwen2, and keyside-nano-v2 has llama; name an \
             adapter that was made for this model in model.lora, or take it out there",
        ),
        (
            Adapter { n_embedding: 64, ..Adapter::default() }.bytes(),
            "style.gguf does not fit keyside-nano-v2 (tensor 'blk.0.ffn_down.weight' has incorrect shape",
        ),
        (
            fine[..fine.len() - 64].to_vec(),
            "style.gguf can't be used as an adapter: it is cut short",
        ),
        (b"no adapter".to_vec(), "style.gguf is not a model in GGUF format"),
        (model, "style.gguf is a model and no adapter"),
        // llama.cpp takes for granted that this is a text, and ends the process.
        (
            Adapter { kind: (4, 7_u32.to_le_bytes().to_vec()), ..Adapter::default() }.bytes(),
            "style.gguf makes llama.cpp fail; take it out of model.lora",
        ),
    ] {
        let home = home(&bytes, SETTINGS);
        let line = doctor(&home, &home.0);
        assert!(line.starts_with("✗ model: ") && line.contains(sentence), "{line}");
        assert_eq!(written(&home), own);
    }
    let without = home(&fine, "[[model.lora]]\npath = \"HOME/none.gguf\"\n");
    let line = doctor(&without, &without.0);
    assert!(line.contains("none.gguf does not exist; name an adapter"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn an_adapter_counts_in_its_workspace_alone() {
    let settings = format!("{SETTINGS}workspace = \"HOME/one\"\n");
    let home = home(&Adapter::default().bytes(), &settings);
    for name in ["one", "other"] {
        std::fs::create_dir(home.0.join(name)).unwrap();
    }
    let folder = |name: &str| {
        let uri = format!("file://{}", home.0.join(name).display());
        json!({"uri": uri, "name": name})
    };
    let with = |message: &str| message.contains("keyside-nano-v2 with the adapter style (scale 1)");
    let (one, other) = (folder("one"), folder("other"));
    assert!(with(&doctor(&home, &home.0.join("one"))));
    assert!(!with(&doctor(&home, &home.0.join("other"))));
    let client = Client::real_process_in(home);
    let params = json!({"processId": null, "capabilities": {}, "workspaceFolders": [other]});
    client.initialize_with(params).await;
    let status = async || {
        client.model_ready().await;
        let status = client.ask("keyside/status", json!({})).await;
        status["result"]["message"].as_str().unwrap().to_owned()
    };
    assert!(!with(&status().await));
    // The window's folder is another now.
    let changed = json!({"event": {"added": [one], "removed": [other]}});
    client.notify("workspace/didChangeWorkspaceFolders", changed);
    let said = until(async || Some(status().await).filter(|it| with(it))).await;
    assert!(said.contains("style"), "{said}");
    // What an editor sends may come from a workspace, so it names no file.
    let file = client.home.0.join("style.gguf");
    let lora = json!([{"path": file, "scale": 1.0}]);
    client.notify(
        "workspace/didChangeConfiguration",
        json!({"settings": {"keyside": {"model": {"lora": lora}}}}),
    );
    let told = || {
        let unasked = client.unasked.lock().unwrap();
        unasked.iter().any(|it| {
            it["params"]["message"].to_string().contains(
                "`model.lora` in editor is not used: which file is loaded is followed only in your own settings file",
            )
        })
    };
    until(async || told().then_some(())).await;
    client.assert_no_faults();
}
