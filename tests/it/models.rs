//! `keyside model`: the models that other programs have on the disk, laid out as those programs do.

use std::path::{Path, PathBuf};
use std::process::Output;

use keyside::lm::backend::embedded::MODELS;
use keyside::stdx::hex_sha256;
use serde_json::{Value, json};

use crate::gguf_file::GgufFile;
use crate::support::{TempFolder, keyside, run, text};

/// A model that llama.cpp loads.
static BYTES: &[u8] = MODELS[0].bytes;

/// A home folder with other programs' models in it, and keyside's own folders beside it.
pub struct Machine {
    own: TempFolder,
    home: TempFolder,
}

impl Machine {
    pub fn new() -> Self {
        Self { own: TempFolder::new(), home: TempFolder::new() }
    }

    pub fn write(&self, path: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home.0.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// A model as `ollama pull` leaves it.
    fn ollama(&self, names: &[&str], bytes: &[u8]) -> PathBuf {
        let digest = hex_sha256(bytes);
        let layer = |kind: &str, digest: &str, n_bytes: usize| {
            json!({"mediaType": format!("application/vnd.ollama.image.{kind}"),
                "digest": format!("sha256:{digest}"), "size": n_bytes})
        };
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {"digest": format!("sha256:{}", "0".repeat(64)), "size": 485},
            "layers": [layer("license", &"1".repeat(64), 7), layer("model", &digest, bytes.len())],
        });
        for name in names {
            let path = format!(".ollama/models/manifests/registry.ollama.ai/{name}");
            self.write(&path, manifest.to_string());
        }
        self.write(&format!(".ollama/models/blobs/sha256-{digest}"), bytes)
    }

    fn keyside(&self, arguments: &[&str]) -> Output {
        let mut command = keyside(&self.own.0, arguments);
        command.env("HOME", &self.home.0).current_dir(&self.home.0);
        for name in ["XDG_CACHE_HOME", "OLLAMA_MODELS", "HF_HOME", "HF_HUB_CACHE", "LLAMA_CACHE"] {
            command.env_remove(name);
        }
        run(command, "")
    }

    pub fn printed(&self, arguments: &[&str]) -> String {
        let output = self.keyside(arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    }

    pub fn refused(&self, arguments: &[&str]) -> String {
        let output = self.keyside(arguments);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
        text(&output.stderr).trim_end().to_owned()
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.printed(arguments)).unwrap()
    }

    pub fn settings(&self) -> String {
        std::fs::read_to_string(self.own.0.join("config.toml")).unwrap()
    }
}

#[cfg(unix)]
fn link(to: impl AsRef<Path>, at: PathBuf) {
    std::fs::create_dir_all(at.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(to, at).unwrap();
}

/// A model that keyside's own reader takes for one, and llama.cpp does not.
pub fn coder(weight: u8) -> Vec<u8> {
    GgufFile { weight, ..GgufFile::default() }.bytes()
}

/// Every kind of place with something in it, and what is wrong in each.
#[cfg(unix)]
fn full_machine() -> Machine {
    let machine = Machine::new();
    machine.ollama(&["library/qwen2.5-coder/1.5b", "library/qwen2.5-coder/latest"], &coder(1));
    let ollama = ".ollama/models/manifests/registry.ollama.ai/library";
    machine.write(&format!("{ollama}/.DS_Store"), "x");
    machine.write(&format!("{ollama}/broken/latest"), "{\"layers\": 3");
    let outside = json!({"layers": [{"mediaType": "application/vnd.ollama.image.model",
        "digest": "sha256:../../../../outside"}]});
    machine.write(&format!("{ollama}/outside/latest"), outside.to_string());
    let gone = machine.ollama(&["somebody/gone/7b"], &coder(2));
    std::fs::remove_file(gone).unwrap();
    link(".", machine.home.0.join(ollama).join("again"));

    let studio = ".lmstudio/models/publisher/Coder-GGUF";
    machine.write(&format!("{studio}/coder-q4_k_m.gguf"), coder(3));
    let projector = GgufFile { architecture: "clip", tokens: &[], weight: 4, ..Default::default() };
    machine.write(&format!("{studio}/mmproj-f16.gguf"), projector.bytes());
    machine.write(&format!("{studio}/half.gguf"), &coder(5)[..200]);

    let hub = machine.home.0.join(".cache/huggingface/hub/models--org--Coder-GGUF");
    let bytes = coder(6);
    let blob =
        format!(".cache/huggingface/hub/models--org--Coder-GGUF/blobs/{}", hex_sha256(&bytes));
    let blob = machine.write(&blob, &bytes);
    machine.write(".cache/huggingface/hub/models--org--Coder-GGUF/refs/main", "bbb\n");
    for commit in ["aaa", "bbb"] {
        link(&blob, hub.join("snapshots").join(commit).join("coder.Q8_0.gguf"));
    }
    link(hub.join("blobs/none"), hub.join("snapshots/aaa/old.gguf"));

    for part in 1..=2 {
        let path = format!(".cache/llama.cpp/org_big-0000{part}-of-00002.gguf");
        machine.write(&path, coder(6 + part));
    }
    let without =
        GgufFile { architecture: "llama", tokens: &["a"], weight: 9, ..Default::default() };
    machine.write("mine/deep/chat.GGUF", without.bytes());
    link("..", machine.home.0.join("mine/deep/loop"));
    machine
}

#[cfg(unix)]
#[test]
fn the_models_of_other_programs_are_found_and_none_is_copied() {
    let machine = full_machine();
    let before = tree(&machine.home.0);
    let json = machine.json(&["model", "import", "mine", "--json"]);
    let row = |it: &Value| {
        let words = ["name", "kept_by", "fim"].map(|key| it[key].as_str().unwrap_or("-"));
        format!("{}{}", words.join(" | "), if it["problem"].is_null() { "" } else { " (unusable)" })
    };
    let rows: Vec<String> = json["models"].as_array().unwrap().iter().map(row).collect();
    assert_eq!(
        rows,
        [
            "built-in | built in | qwen-coder",
            "qwen2.5-coder:1.5b | Ollama | qwen-coder",
            "publisher/Coder-GGUF/coder-q4_k_m | LM Studio | qwen-coder",
            "publisher/Coder-GGUF/half | LM Studio | - (unusable)",
            "org/Coder-GGUF/coder.Q8_0 | Hugging Face | qwen-coder",
            "org_big | llama.cpp | qwen-coder",
            "deep/chat | folder | -",
        ]
    );
    let models = &json["models"];
    assert_eq!(models[1]["other_names"], json!(["qwen2.5-coder:latest"]));
    assert_eq!(models[1]["quantization"], "Q4_K_M");
    assert_eq!(models[3]["problem"], "it is cut short");
    assert_eq!(models[5]["bytes"], 2 * coder(0).len());
    assert!(models[4]["path"].as_str().unwrap().ends_with("snapshots/bbb/coder.Q8_0.gguf"));
    let notes: Vec<&str> =
        json["notes"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    let has = |beginning: &str, what: &str| {
        let found = notes.iter().any(|it| it.starts_with(beginning) && it.contains(what));
        assert!(found, "{beginning} … {what}: {notes:#?}");
    };
    has("Ollama's broken:latest is left out", "its manifest is not what it should be");
    has("Ollama's outside:latest is left out", "names a blob by no SHA-256");
    has("Ollama's somebody/gone:7b is left out", "is missing");
    has(machine.home.0.join(".cache").to_str().unwrap(), "leads to no file");
    assert_eq!(notes.len(), 4, "{notes:#?}");
    assert_eq!(tree(&machine.home.0), before);
    // The folder is known from now on, to every command.
    assert!(machine.settings().starts_with("[model]\nfolders = [\""), "{}", machine.settings());
    assert!(machine.printed(&["model", "list"]).contains("deep/chat"));
    let found = "6 beside the built-in one; \u{201c}qwen2.5-coder:1.5b\u{201d}, ";
    assert!(text(&machine.keyside(&["doctor"]).stdout).contains(found));
}

/// Every file below a folder, with its size.
#[cfg(unix)]
fn tree(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let metadata = entry.path().symlink_metadata().unwrap();
            if metadata.is_dir() {
                folders.push(entry.path());
            }
            all.push((entry.path(), metadata.len()));
        }
    }
    all.sort();
    all
}

#[cfg(unix)]
#[test]
fn a_part_of_a_name_is_enough_where_one_model_has_it() {
    let machine = full_machine();
    let name = |wanted: &str| machine.json(&["model", "info", wanted, "--json"])["name"].clone();
    assert_eq!(name("qwen2.5-coder"), "qwen2.5-coder:1.5b");
    assert_eq!(name("Q8_0"), "org/Coder-GGUF/coder.Q8_0");
    assert_eq!(name("mine/deep/chat.GGUF"), "chat");
    let info = machine.printed(&["model", "info", "keyside-nano-v1"]);
    assert!(info.contains("llama Q8_0") && info.contains("yes, as qwen-coder"), "{info}");
    let refused = machine.refused(&["model", "info", "coder-gguf"]);
    assert!(refused.contains("coder-gguf may be 3 models, among them publisher/"), "{refused}");
    let refused = machine.refused(&["model", "info", "llama9"]);
    assert!(refused.contains("there is no model llama9 here"), "{refused}");
    let refused = machine.refused(&["model", "info", "half"]);
    assert!(refused.contains("it is cut short; get it again"), "{refused}");
}

#[test]
fn variables_of_other_programs_are_followed() {
    let machine = Machine::new();
    machine.ollama(&["library/first/1b"], &coder(1));
    std::fs::rename(machine.home.0.join(".ollama/models"), machine.home.0.join("elsewhere"))
        .unwrap();
    machine.write("hf/hub/models--o--r/snapshots/a/second.gguf", coder(2));
    machine.write("llama/third.gguf", coder(3));
    let mut command = keyside(&machine.own.0, &["model", "list", "--json"]);
    let at = |path: &str| machine.home.0.join(path);
    command.env("HOME", at("nowhere")).env_remove("HF_HUB_CACHE");
    command.env("OLLAMA_MODELS", at("elsewhere")).env("HF_HOME", at("hf"));
    command.env("LLAMA_CACHE", at("llama"));
    let json: Value = serde_json::from_slice(&run(command, "").stdout).unwrap();
    let names = [&json["models"][1], &json["models"][2], &json["models"][3]].map(|it| &it["name"]);
    assert_eq!(names, ["first:1b", "o/r/second", "third"]);
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn a_model_is_chosen_by_name_and_what_else_is_set_stays() {
    let machine = Machine::new();
    let blob = machine.ollama(&["library/nano/latest"], BYTES);
    let own = "# mine\n[completion]\nmax_lines = 3 # few\n";
    std::fs::write(machine.own.0.join("config.toml"), own).unwrap();
    let said = machine.printed(&["model", "use", "nano"]);
    assert!(said.starts_with("nano:latest suggests from now on"), "{said}");
    let settings = format!("{own}\n[model]\npath = \"{}\"\n", blob.display());
    assert_eq!(machine.settings(), settings);
    assert_eq!(machine.json(&["model", "list", "--json"])["models"][1]["is_used"], true);
    // The name that the file has for itself, and not its hash.
    let doctor = text(&machine.keyside(&["doctor"]).stdout);
    assert!(doctor.contains("✓ model: keyside-nano"), "{doctor}");

    let encoder = GgufFile { architecture: "bert", tokens: &["a"], ..Default::default() };
    let encoder = machine.write("vectors.gguf", encoder.bytes());
    let refused = machine.refused(&["model", "use", encoder.to_str().unwrap()]);
    assert!(refused.contains("vectors makes vectors of texts and no text"), "{refused}");
    let half = machine.write("half.gguf", &BYTES[..BYTES.len() - 1]);
    let refused = machine.refused(&["model", "use", half.to_str().unwrap()]);
    assert!(refused.contains("half can't be used: it is cut short; get it again"), "{refused}");
    let large = GgufFile { n_layers: 100_000_000, ..Default::default() };
    let large = machine.write("large.gguf", large.bytes());
    let refused = machine.refused(&["model", "use", large.to_str().unwrap()]);
    if cfg!(target_os = "linux") {
        assert!(refused.contains("large needs at least 6250129 MiB of memory"), "{refused}");
    }
    assert_eq!(machine.settings(), settings);

    machine.printed(&["model", "use", "built-in"]);
    assert_eq!(machine.settings(), format!("{own}\n[model]\n"));
    machine.printed(&["model", "use", "keyside-nano-v2"]);
    assert_eq!(machine.settings(), format!("{own}\n[model]\nbuilt_in = \"keyside-nano-v2\"\n"));
    std::fs::write(machine.own.0.join("config.toml"), "[model\n").unwrap();
    let refused = machine.refused(&["model", "use", "nano"]);
    assert!(refused.contains("config.toml is not valid TOML"), "{refused}");
    assert_eq!(machine.settings(), "[model\n");
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn a_model_that_is_damaged_is_told() {
    let machine = Machine::new();
    let blob = machine.ollama(&["library/nano/1"], BYTES);
    let json = machine.json(&["model", "verify", "nano:1", "--json"]);
    let measured = &json["measured"];
    assert_eq!((&json["sha256_is_known"], &measured["fim"]), (&json!(true), &json!("qwen-coder")));
    assert_eq!(measured["is_round_trip"], true);
    assert!(measured["text"].as_str().is_some_and(|it| !it.is_empty()), "{json}");
    assert!(measured["decode_tokens_per_second"].as_f64() > Some(1.0), "{json}");

    let mut bytes = BYTES.to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(blob, &bytes).unwrap();
    let refused = machine.refused(&["model", "verify", "nano:1"]);
    assert!(refused.contains("nano:1 is damaged: its SHA-256 is"), "{refused}");
    // Where nothing says what it should be, its sum is shown.
    let file = machine.write("nano.gguf", BYTES);
    let said = machine.printed(&["model", "verify", file.to_str().unwrap()]);
    let sum = format!("{}, nothing here says what it should be", hex_sha256(BYTES));
    assert!(said.contains(&sum) && said.contains("comes back from its tokens"), "{said}");
    // What llama.cpp refuses, in its words.
    let other = machine.write("other.gguf", coder(1));
    let refused = machine.refused(&["model", "verify", other.to_str().unwrap()]);
    assert!(refused.contains("other.gguf can't be loaded ("), "{refused}");
}
