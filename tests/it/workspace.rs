//! What the workspace's files on the disk say of how a line goes on.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Client, PATIENCE, TempFolder, until};

/// A line that no model knows.
const LINE: &str = "let zorblatt = registry.lookup_zorblatt(&session, Flavour::Quixotic);";

fn write(folder: &Path, path: &str, text: impl AsRef<[u8]>) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A client of a workspace, with an empty function open in `src/open.rs`.
async fn client_in(folder: &TempFolder) -> Client {
    let client = Client::with_embedded_model();
    let root = format!("file://{}", folder.0.display());
    let params = json!({
        "processId": null,
        "rootUri": root,
        "capabilities": {"textDocument": {"inlineCompletion": {}}, "general": {"positionEncodings": ["utf-8"]}},
    });
    client.initialize_with(params).await;
    client.open(
        &format!("{root}/src/open.rs"),
        "fn open(session: Session) {\n    let zorblatt = \n}\n",
    );
    client.model_ready().await;
    client
}

/// What is shown after `let zorblatt = `, once the index of the files is there.
async fn shown(client: &Client, folder: &TempFolder) -> (String, Value) {
    let uri = format!("file://{}/src/open.rs", folder.0.display());
    client.ghost(&uri, 1, 19).await;
    let report = until(async || {
        let report = client.stats().await["workspace"][0].clone();
        (report["building"] == false).then_some(report)
    });
    let report = report.await;
    // The same question has a known answer, so the text has to be another.
    client.type_at(&uri, 2, 0, 0, "// a\n");
    let ghost = client.ghost(&uri, 2, 19).await;
    (ghost.map(|it| it.text).unwrap_or_default(), report)
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_line_of_another_file_is_known() {
    let folder = TempFolder::new();
    write(&folder.0, "src/other.rs", format!("fn other() {{\n    {LINE}\n    {LINE}\n}}\n"));
    let client = client_in(&folder).await;
    let (text, report) = shown(&client, &folder).await;
    assert_eq!(text, &LINE["let zorblatt = ".len()..]);
    assert_eq!((&report["files"], &report["family"]), (&json!(1), &json!("rs")));
    client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn what_is_open_or_ignored_or_no_source_is_left_out_and_said() {
    let folder = TempFolder::new();
    let file = format!("fn other() {{\n    {LINE}\n    {LINE}\n}}\n");
    // The file that is open is known better from its document, which does not hold the line any more.
    write(&folder.0, "src/open.rs", &file);
    write(&folder.0, ".gitignore", "generated/\n");
    write(&folder.0, "generated/a.rs", &file);
    write(&folder.0, "node_modules/a/a.rs", &file);
    write(&folder.0, ".hidden/a.rs", &file);
    write(&folder.0, "src/a.py", &file);
    write(&folder.0, "src/minified.rs", LINE.repeat(60));
    write(&folder.0, "src/large.rs", file.repeat(4_000));
    write(&folder.0, "src/binary.rs", [file.as_bytes(), &[0]].concat());
    write(&folder.0, "src/latin1.rs", [file.as_bytes(), &[0xE9]].concat());
    #[cfg(unix)]
    std::os::unix::fs::symlink(&folder.0, folder.0.join("src/again")).unwrap();
    let client = client_in(&folder).await;
    let (text, report) = shown(&client, &folder).await;
    assert!(!text.contains("zorblatt"), "{text}");
    let skipped = json!({
        "too_large": 1, "unreadable": 2, "minified": 1, "over_budget": 0, "walk_cut_short": false,
    });
    assert_eq!((&report["files"], &report["skipped"]), (&json!(1), &skipped));
    client.assert_no_faults();
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn the_budget_of_tokens_holds() {
    let folder = TempFolder::new();
    for n in 0..20 {
        write(&folder.0, &format!("src/{n}.rs"), format!("{LINE}\n").repeat(100));
    }
    let client = client_in(&folder).await;
    let settings = json!({"settings": {"keyside": {"completion": {"workspace_tokens": 5_000}}}});
    client.notify("workspace/didChangeConfiguration", settings);
    let (_, report) = shown(&client, &folder).await;
    let tokens = report["tokens"].as_u64().unwrap();
    assert!((4_000..5_100).contains(&tokens), "{report}");
    assert!(report["skipped"]["over_budget"].as_u64().unwrap() > 10, "{report}");
    client.assert_no_faults();
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn a_hundred_thousand_files_circles_and_what_never_ends_keep_nobody_waiting() {
    let folder = TempFolder::new();
    for part in 0..100 {
        let part = folder.0.join(format!("src/part_{part}"));
        std::fs::create_dir_all(&part).unwrap();
        for n in 0..1_000 {
            let text = format!("pub fn number_{n}() -> u32 {{\n    compute({n}) + {n}\n}}\n");
            std::fs::write(part.join(format!("{n}.rs")), text).unwrap();
        }
    }
    write(&folder.0, "src/other.rs", format!("fn other() {{\n    {LINE}\n    {LINE}\n}}\n"));
    let link = |to: &Path, at: &str| std::os::unix::fs::symlink(to, folder.0.join(at)).unwrap();
    link(&folder.0, "src/part_0/up");
    link(&folder.0.join("src/part_1/there.rs"), "src/part_1/there.rs");
    // Whoever opens it for reading waits for a writer that never comes.
    let made = std::process::Command::new("mkfifo").arg(folder.0.join("src/pipe.rs")).status();
    assert!(made.unwrap().success());
    write(&folder.0, "locked/a.rs", "fn locked() {}\n");
    let nobody = std::os::unix::fs::PermissionsExt::from_mode(0o000);
    std::fs::set_permissions(folder.0.join("locked"), nobody).unwrap();

    let client = Client::real_process();
    let root = format!("file://{}", folder.0.display());
    let encodings = json!({"positionEncodings": ["utf-8"]});
    client.initialize_with(json!({"rootUri": root, "capabilities": {"general": encodings}})).await;
    let uri = format!("{root}/src/open.rs");
    client.open(&uri, "fn open(session: Session) {\n    let zorblatt = \n}\n");
    client.model_ready().await;
    // Keys while the files are read.
    let mut version = 1;
    let started = std::time::Instant::now();
    let report = loop {
        version += 1;
        assert!(started.elapsed() < 3 * PATIENCE, "there is no index");
        client.type_at(&uri, version, 0, 0, "/");
        client.ghost(&uri, 1, 19).await;
        let report = client.stats().await["workspace"][0].clone();
        if report["building"] == false {
            break report;
        }
    };
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.0.join("locked"), everybody).unwrap();
    assert!(version > 3, "the index was there at once: {report}");
    assert!(report["tokens"].as_u64().unwrap() <= 2_000_000, "{report}");
    let n_files = report["files"].as_u64().unwrap();
    let n_left = report["skipped"]["over_budget"].as_u64().unwrap();
    assert!(n_files > 10_000 && (100_001..=100_002).contains(&(n_files + n_left)), "{report}");
    client.assert_no_faults();
    let pid = client.child.as_ref().unwrap().id().unwrap();
    if let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) {
        let peak = status.lines().find_map(|it| it.strip_prefix("VmHWM:")).unwrap();
        let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(kilobytes < 400_000, "{kilobytes} kB at most");
    }
}
