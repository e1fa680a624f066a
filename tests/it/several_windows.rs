//! Several editor windows are several server processes: they share the model's weights, and what each has
//! of its own is little more than its KV cache.

use keyside::lm::gguf_header::GgufHeader;
use keyside::lm::sizing;
use serde_json::Value;

use crate::support::{Client, TempFolder, frozen, instruct_model};

const URI: &str = "file:///edit.rs";
const N_WINDOWS: usize = 4;

/// What is resident of a process, in MiB: pages of its own, and pages of files, which all windows share.
pub fn memory_of(client: &Client) -> (f64, f64) {
    let id = client.child.as_ref().and_then(|it| it.id()).expect("it runs");
    let rollup = std::fs::read_to_string(format!("/proc/{id}/smaps_rollup")).unwrap();
    let mib = |name: &str| {
        let line = rollup.lines().find_map(|it| it.strip_prefix(name)).unwrap();
        line.trim().strip_suffix("kB").unwrap().trim_end().parse::<f64>().unwrap() / 1_024.0
    };
    let own = mib("Anonymous:");
    (own, mib("Rss:") - own)
}

/// A window in which somebody has typed at some places of a file. All have one cache folder, as those of a
/// person have.
async fn window(cache: &TempFolder, settings: &str) -> Client {
    let home = TempFolder::new();
    std::os::unix::fs::symlink(&cache.0, home.0.join("cache")).unwrap();
    std::fs::write(home.0.join("config.toml"), settings).unwrap();
    let client = Client::real_process_in(home);
    client.initialize(&["utf-8"]).await;
    client.open(URI, &frozen("lib/text/edit.rs"));
    for line in [10, 40, 70] {
        client.ghost(URI, line, 0).await;
    }
    client.idle().await;
    client
}

/// How much four windows take in all, and how much they may.
async fn four_windows(settings: &str, kv_mib: f64) {
    let cache = TempFolder::new();
    let mut windows = vec![window(&cache, settings).await];
    while windows.len() < N_WINDOWS {
        windows.push(window(&cache, settings).await);
    }
    let memory: Vec<(f64, f64)> = windows.iter().map(memory_of).collect();
    // PSS would count what other processes on the machine have of the same files, too.
    let shared = memory.iter().map(|it| it.1).fold(0.0, f64::max);
    let (one, all) = (memory[0].0 + shared, memory.iter().map(|it| it.0).sum::<f64>() + shared);
    let most = 1.5 * one + N_WINDOWS as f64 * kv_mib;
    println!("one window {one:.0} MiB, four {all:.0} MiB, at most {most:.0} MiB");
    assert!(all < most, "{all:.0} MiB, one has {one:.0}; at most {most:.0}: {memory:?}");
    for client in windows {
        client.ask("shutdown", Value::Null).await;
        client.assert_no_faults();
    }
}

/// The size of a model's KV cache.
fn kv_mib(header: &GgufHeader) -> f64 {
    let n_tokens = sizing::n_sequences(header.n_params) * sizing::n_context_tokens(header.n_params);
    (header.kv_bytes_per_token * n_tokens as u64) as f64 / f64::from(1 << 20)
}

#[tokio::test(flavor = "multi_thread")]
async fn four_windows_share_the_built_in_model() {
    let header = GgufHeader::read(keyside::lm::backend::embedded::MODELS[0].bytes).unwrap();
    four_windows("", kv_mib(&header)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_windows_share_a_model_of_the_users() {
    let model = instruct_model();
    let header = GgufHeader::of_file(&model).unwrap();
    let settings = format!("[model]\npath = {:?}\n", model.display().to_string());
    four_windows(&settings, kv_mib(&header)).await;
}
