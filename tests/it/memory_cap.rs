//! What a model of the user's may take: less of it is kept where that is needed, and one that finds no room
//! is refused before it is loaded.

use keyside::lm::gguf_header::GgufHeader;
use keyside::lm::sizing;
use serde_json::Value;

use crate::models::{Machine, coder};
use crate::several_windows::memory_of;
use crate::support::{Client, TempFolder, frozen, instruct_model, keyside, run, text};

const URI: &str = "file:///edit.rs";

/// The memory that a model needs with room for so many tokens, in whole MiB.
fn needed_mib(n_tokens: u64) -> u64 {
    let (path, kv) =
        (instruct_model(), GgufHeader::of_file(&instruct_model()).unwrap().kv_bytes_per_token);
    let n_bytes = std::fs::metadata(path).unwrap().len();
    sizing::with_cache(n_bytes, n_tokens, kv).div_ceil(1 << 20)
}

async fn started(settings: &str) -> Client {
    let home = TempFolder::new();
    let path = instruct_model().display().to_string();
    std::fs::write(home.0.join("config.toml"), format!("[model]\npath = {path:?}\n{settings}\n"))
        .unwrap();
    let client = Client::real_process_in(home);
    client.initialize(&["utf-8"]).await;
    client.open(URI, &frozen("lib/text/edit.rs"));
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cap_is_kept_by_a_smaller_cache() {
    let whole = needed_mib(3 * 2_048);
    for (settings, mib, sequences, context) in [
        ("", whole, 3, 2_048),
        ("memory_mib = 100000", whole, 3, 2_048),
        ("memory_mib = NEEDED", needed_mib(2 * 2_048), 2, 2_048),
        ("memory_mib = NEEDED", needed_mib(2 * 512), 2, 512),
        ("memory_mib = NEEDED", needed_mib(512), 1, 512),
        // A context that a person has chosen stays.
        ("memory_mib = NEEDED\ncontext_tokens = 1024", needed_mib(1_024), 1, 1_024),
    ] {
        let settings = settings.replace("NEEDED", &mib.to_string());
        let client = started(&settings).await;
        for line in [10, 40, 70, 100] {
            client.ghost(URI, line, 0).await;
        }
        client.idle().await;
        let model = client.stats().await["model"].clone();
        let said = [&model["sequences"], &model["context_tokens"], &model["memory_mib"]];
        assert_eq!(said, [&Value::from(sequences), &context.into(), &mib.into()], "{settings}");
        let (own, shared) = memory_of(&client);
        println!("{settings:?}: {own:.0} + {shared:.0} MiB of {mib}");
        assert!(own + shared <= mib as f64, "{settings}: {own:.0} + {shared:.0} MiB of {mib}");
        client.assert_no_faults();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_finds_no_room_is_refused_and_the_built_in_one_suggests() {
    let least = needed_mib(512);
    let client = started(&format!("memory_mib = {}", least - 1)).await;
    client.model_ready().await;
    let model = client.stats().await["model"].clone();
    assert_eq!(model["name"], "keyside-nano-v2");
    assert_eq!(
        model["instead_of"],
        format!(
            "SmolLM2-135M-Instruct.Q4_1 needs at least {least} MiB of memory, and model.memory_mib is {}; raise it, \
             or choose a smaller model",
            least - 1
        )
    );
    client.assert_no_faults();
}

/// As this program is built in its tests.
#[test]
#[cfg(not(any(feature = "cuda", feature = "metal", feature = "vulkan")))]
fn layers_for_a_graphics_processor_that_no_code_is_there_for_are_told() {
    let home = TempFolder::new();
    for (gpu_layers, line) in [
        ("\"auto\"", "✓ graphics processor: none is used; this keyside was built for none"),
        ("0", "✓ graphics processor: none is used; this keyside was built for none"),
        (
            "20",
            "! graphics processor: model.gpu_layers names layers for one, and this keyside was built for none, so the model \
             runs on the processor",
        ),
        ("-1", "`model.gpu_layers` in"),
        ("\"all\"", "is not used: it must be \"auto\", or a whole number from 0 to 1000"),
    ] {
        let settings = format!("[model]\ngpu_layers = {gpu_layers}\n");
        std::fs::write(home.0.join("config.toml"), settings).unwrap();
        let said = text(&run(keyside(&home.0, &["doctor"]), "").stdout);
        assert!(said.contains(line), "{said}");
        assert!(said.contains("✓ model: keyside-nano-v2 ("), "{said}");
    }
}

#[test]
fn a_model_larger_than_what_is_free_is_used_only_if_a_person_insists() {
    let machine = Machine::new();
    let path = machine.write("large.gguf", coder(1));
    // Nothing of it is on the disk.
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(1 << 42).unwrap();
    let path = path.to_str().unwrap();
    let refused = machine.refused(&["model", "use", path]);
    assert!(refused.contains("large needs at least 4194"), "{refused}");
    assert!(
        refused.contains("are free, so the machine would slow down; choose a smaller model, or set model.memory_mib"),
        "{refused}"
    );
    assert!(refused.ends_with("or add --anyway; nothing was changed"), "{refused}");
    machine.printed(&["model", "use", path, "--anyway"]);
    assert!(machine.settings().contains("memory_mib = 4194"), "{}", machine.settings());
}
