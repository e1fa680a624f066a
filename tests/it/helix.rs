//! A real Helix with our server in it, set up by `keyside config helix` and driven one key at a time
//! in a terminal, as a person would. What is asserted stands on the screen or in the file.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use rusqlite::{Connection, OpenFlags};

use crate::provider::{Answer, Provider};
use crate::support::{PROGRAM, until_blocking};

#[path = "helix/driver.rs"]
pub mod driver;

use driver::{Helix, find_helix, home};

const TOTALS: &str = r#"use std::collections::HashMap;

fn totals(map: &HashMap<String, u64>) -> u64 {
    let alpha = map.get("alpha").copied().unwrap_or(0);
    let beta = map.get("beta").copied().unwrap_or(0);
    let gamma = map.get("gamma").copied().unwrap_or(0);

    alpha + beta + gamma
}
"#;

/// Runs a command with nothing of the person's own, and returns what it prints.
fn printed(program: &Path, arguments: &[&str], config: &Path) -> String {
    let mut command = Command::new(program);
    command.args(arguments).env("XDG_CONFIG_HOME", config).env("KEYSIDE_HOME", config);
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The servers of a language, as Helix says.
fn servers_by_helix(language: &str, config: &Path) -> Vec<String> {
    let health = printed(&find_helix(), &["--health", language], config);
    let lines = health.lines().skip_while(|it| !it.starts_with("Configured language servers"));
    let servers = lines.skip(1).take_while(|it| it.starts_with(' '));
    // `  ✘ name: 'program' not found`, with colours.
    let name = |line: &str| {
        let plain = line.rsplit_once(": ").map_or(line, |(before, _)| before);
        plain.rsplit(' ').next().unwrap_or_default().to_owned()
    };
    servers.map(name).collect()
}

#[test]
fn the_servers_that_helix_has_stay_and_keyside_is_one_more() {
    let home = home();
    let (bare, ours) = (home.0.join("bare"), home.0.join("config"));
    std::fs::create_dir_all(&bare).unwrap();
    printed(Path::new(PROGRAM), &["config", "helix"], &ours);
    let file = std::fs::read_to_string(ours.join("helix/languages.toml")).unwrap();
    let value: toml::Table = file.parse().unwrap();
    let written: BTreeMap<String, Vec<String>> = value["language"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            let servers = it["language-servers"].clone().try_into::<Vec<String>>();
            (it["name"].as_str().unwrap().to_owned(), servers.unwrap())
        })
        .collect();
    assert!(written.len() > 40);
    for (language, mut servers) in written {
        // One that Helix has no server for any more is not in its list.
        servers.retain(|it| it != "bufls");
        assert_eq!(servers_by_helix(&language, &ours), servers, "{language}");
        assert_eq!(servers.pop().as_deref(), Some("keyside"));
        assert_eq!(servers_by_helix(&language, &bare), servers, "{language}");
    }
}

#[test]
fn the_popup_has_what_is_more_than_a_name_and_enter_takes_it() {
    // However slow this machine is.
    let helix = Helix::open("totals.rs", TOTALS, "[completion]\ngenerate_ms = 60000\n");
    helix.keys("6Go");
    let (typed, entry) = helix.type_until_entry("let delta = map.get(\"delta\").copied().un");
    // The first entry; Tab selects it, and shows it in the text.
    helix.keys("\t\r\x1b:w\r");
    let saved = until_blocking(|| helix.saved().filter(|it| it != TOTALS && it.ends_with("}\n")));
    let added = saved.lines().nth(6).unwrap();
    assert!(
        added.starts_with(&format!("    {typed}")) && added.ends_with(&entry),
        "{added:?} of {entry:?}"
    );
    let before: Vec<&str> = TOTALS.lines().collect();
    let mut after: Vec<&str> = saved.lines().collect();
    after.remove(6);
    assert_eq!(after, before, "nothing else is changed");
    let is_name = |it: char| it.is_alphanumeric() || it == '_';
    assert!(entry.trim_end_matches("()").contains(|it| !is_name(it)), "{entry:?} is a name");
}

/// Runs a command of keyside's, as somebody types it, and waits for what it says.
fn command(helix: &Helix, command: &str, said: &str) {
    helix.keys(&format!("\x1b:lsp-workspace-command {command}\r"));
    helix.wait(said, |rows| rows.iter().any(|it| it.contains(said)));
}

#[test]
fn the_state_is_shown_and_suggestions_are_snoozed_and_switched_off_in_a_language() {
    let helix = Helix::open("totals.rs", TOTALS, "[completion]\ngenerate_ms = 60000\n");
    command(&helix, "keyside.showStatus", "keyside: ready: keyside-nano");

    command(&helix, "keyside.snoozeMinutes 20", "nothing is suggested for the next 20 minutes");
    helix.keys_until_answered("6Golet delta = map");
    assert_eq!(helix.entry(), None);
    command(&helix, "keyside.showStatus", "keyside: snoozed for another 20 minutes");
    command(&helix, "keyside.snoozeMinutes 0", "snoozing has ended");
    helix.keys("A\x18");
    until_blocking(|| helix.entry());

    // In keyside's settings file, which Helix says it has written.
    helix.keys(&format!("\x1b:o {}\r", helix.home.0.join("keyside/config.toml").display()));
    helix.wait("the settings", |rows| rows.iter().any(|it| it.contains("generate_ms")));
    helix.keys("Godisabled_languages = [\"rust\"]\x1b:w\r");
    helix.keys(":buffer-previous\r");
    helix.wait("the code", |rows| rows.iter().any(|it| it.trim_end().ends_with("= map")));
    until_blocking(|| {
        helix.keys("\x1b:lsp-workspace-command keyside.showStatus\r");
        helix.terminal.rows().iter().any(|it| it.contains("; off in rust;")).then_some(())
    });
    helix.keys_until_answered("A\x18");
    assert_eq!(helix.entry(), None);
}

/// `provider`'s row of the ledger: status, source of the cost, cost and most that it could cost.
fn call(home: &Path) -> Option<(String, String, i64, i64)> {
    let ledger = home.join("keyside/data/ledger.db");
    let connection = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    let sql = "SELECT status, cost_source, cost_pico_usd, reserved_pico_usd FROM sent_calls";
    let row = connection
        .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)));
    row.ok()
}

/// Chooses an action at the caret, and agrees to it.
fn choose(helix: &Helix, title: &str) {
    helix.keys("4G a");
    let rows = helix.wait("the actions", |rows| rows.iter().any(|it| it.contains(title)));
    let is_action = |row: &&String| row.contains(" with test-model at 127.0.0.1:");
    let place = rows.iter().filter(is_action).position(|it| it.contains(title)).unwrap();
    helix.keys(&"\x1b[B".repeat(place));
    helix.keys("\r");
    helix.wait("the question", |rows| rows.iter().any(|it| it.contains("Send once")));
    helix.keys("\r");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_is_asked_for_agreed_to_and_read() {
    let text = "It adds three numbers.".to_owned();
    let provider =
        Provider::start(Answer::Says { text, input_tokens: 50, output_tokens: 20 }).await;
    let helix = Helix::open("totals.rs", TOTALS, &provider.settings(""));
    choose(&helix, "Explain");
    helix.wait("the explanation", |rows| {
        rows.iter().any(|it| it.contains("It adds three numbers."))
    });
    let [request] = &provider.requests()[..] else { panic!("one request") };
    assert!(request.body.contains("map.get(\\\"alpha\\\")"), "{}", request.body);
    let settled = until_blocking(|| call(&helix.home.0).filter(|it| it.0 == "ok"));
    // 50 and 20 tokens at 3 and 15 dollars a million.
    assert_eq!((settled.1.as_str(), settled.2), ("table", 450_000_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refactoring_is_put_in_and_is_one_step_to_undo() {
    let changed =
        TOTALS.replace("    alpha + beta + gamma\n", "    [alpha, beta, gamma].iter().sum()\n");
    let function = changed.split_once("\n\n").unwrap().1;
    let text = format!("```rust\n{function}```\n");
    let provider =
        Provider::start(Answer::Says { text, input_tokens: 50, output_tokens: 20 }).await;
    let helix = Helix::open("totals.rs", TOTALS, &provider.settings(""));
    choose(&helix, "Refactor");
    helix.wait("the change", |rows| rows.iter().any(|it| it.contains("[alpha, beta, gamma]")));
    helix.keys("\x1b:w\r");
    until_blocking(|| helix.saved().filter(|it| *it == changed));
    helix.keys("u:w\r");
    until_blocking(|| helix.saved().filter(|it| it == TOTALS));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_is_cancelled_by_its_command() {
    let text = "It multiplies ".to_owned();
    let provider = Provider::start(Answer::SaysAndStalls { text }).await;
    let helix = Helix::open("totals.rs", TOTALS, &provider.settings(""));
    choose(&helix, "Explain");
    helix.wait("the progress", |rows| rows.iter().any(|it| it.contains("writing, about ")));
    helix.keys(":lsp-workspace-command keyside.cancel\r");
    let mut n_closed = provider.n_closed.clone();
    n_closed.wait_for(|it| *it == 1).await.unwrap();
    let settled = until_blocking(|| call(&helix.home.0).filter(|it| it.0 == "cancelled"));
    assert!(0 < settled.2 && settled.2 < settled.3 / 100, "{settled:?}");
    helix.wait("no progress", |rows| !rows.iter().any(|it| it.contains("writing, about ")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_when_helix_quits_is_settled() {
    let text = "It multiplies ".to_owned();
    let provider = Provider::start(Answer::SaysAndStalls { text }).await;
    let mut helix = Helix::open("totals.rs", TOTALS, &provider.settings(""));
    choose(&helix, "Explain");
    helix.wait("the progress", |rows| rows.iter().any(|it| it.contains("writing, about ")));
    helix.keys(":q!\r");
    until_blocking(|| helix.child.try_wait().expect("wait for Helix"));
    // It kills its servers; what the provider had told by then is what there is to pay.
    let settled = until_blocking(|| call(&helix.home.0));
    assert_eq!((settled.0.as_str(), settled.1.as_str()), ("cancelled", "table"), "{settled:?}");
    assert!(0 < settled.2 && settled.2 < settled.3 / 100, "{settled:?}");
    let mut n_closed = provider.n_closed.clone();
    n_closed.wait_for(|it| *it == 1).await.unwrap();
}
