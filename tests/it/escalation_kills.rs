//! Four servers at once, killed at any moment while they ask a cloud model: the money is right to the last digit.
#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use keyside::ledger::{Calendar, Ledger};
use keyside::stdx::random::Random;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::provider::{Answer, Provider};
use crate::support::{Client, PROGRAM, TempFolder, until_blocking};

const N_SERVERS: usize = 4;
const N_ESCALATIONS: usize = 1_000;
/// One in so many is killed in the middle.
const KILLED: usize = 15;
const SOURCE: &str = "fn area(width: u32, height: u32) -> u32 {\n    width * height\n}\n";
/// What the provider says of each answer, at its prices of 3 and 15 dollars a million.
const INPUT_TOKENS: u64 = 321;
const OUTPUT_TOKENS: u64 = 45;
const COST_PICO_USD: i64 = INPUT_TOKENS as i64 * 3_000_000 + OUTPUT_TOKENS as i64 * 15_000_000;
const CAP_PICO_USD: i64 = 3_000_000_000_000;

/// A server with the folders of `home`, and a document open in it.
async fn server(home: &Path, uri: &str) -> Client {
    // The folders are shared with other servers, so the client must not be told to make its own.
    let mut command = std::process::Command::new("env");
    command.arg(format!("KEYSIDE_HOME={}", home.display())).args([PROGRAM, "serve"]);
    let client = Client::started(command, TempFolder::new());
    let folder = format!("file://{}/project", home.display());
    client
        .initialize_with(json!({
            "processId": null,
            "capabilities": {"window": {"workDoneProgress": true}},
            "workspaceFolders": [{"uri": folder, "name": "project"}],
        }))
        .await;
    client.open(uri, SOURCE);
    client
}

/// How many escalations are over, and what was said of those that came to nothing.
fn over(client: &Client) -> (usize, Vec<String>) {
    let unasked = client.unasked.lock().unwrap();
    let n_over =
        unasked.iter().filter(|it| it.pointer("/params/value/kind") == Some(&json!("end"))).count();
    let said = unasked.iter().filter(|it| it["method"] == "window/showMessage");
    let said = said.filter_map(|it| it["params"]["message"].as_str());
    (n_over, said.filter(|it| !it.contains("the answer is in")).map(ToOwned::to_owned).collect())
}

/// What is refused has no progress that could end.
fn over_or_refused(client: &Client) -> usize {
    let (n_over, refused) = over(client);
    n_over + refused.len()
}

/// Asks so often, and is killed now and then; returns how many ended properly and were not refused.
async fn work(home: PathBuf, number: u64, n_escalations: usize) -> usize {
    let uri = format!("file://{}/project/a{number}.rs", home.display());
    let mut random = Random::new(number);
    let mut client = server(&home, &uri).await;
    let (mut n_ended, mut n_of_this) = (0, 0);
    for _ in 0..n_escalations {
        let range =
            json!({"start": {"line": 1, "character": 4}, "end": {"line": 1, "character": 4}});
        let arguments = json!([{"uri": uri, "range": range}]);
        let answer = client
            .ask(
                "workspace/executeCommand",
                json!({"command": "keyside.explain", "arguments": arguments}),
            )
            .await;
        assert_eq!(answer["result"], Value::Null, "{answer}");
        if random.below(KILLED) == 0 {
            tokio::time::sleep(Duration::from_micros(random.below(60_000) as u64)).await;
            n_ended += over(&client).0;
            client.child.as_mut().unwrap().kill().await.unwrap();
            client = server(&home, &uri).await;
            n_of_this = 0;
            continue;
        }
        let is_over = || Some(over_or_refused(&client)).filter(|it| *it != n_of_this);
        n_of_this = tokio::task::block_in_place(|| until_blocking(is_over));
    }
    let (n_over, refused) = over(&client);
    for sentence in &refused {
        assert!(sentence.contains("cloud.daily_cap_usd"), "{sentence}");
    }
    client.child.as_mut().unwrap().kill().await.unwrap();
    n_ended + n_over
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
async fn the_ledger_is_exact_whatever_is_killed() {
    let answer = Answer::Says {
        text: "It multiplies.".to_owned(),
        input_tokens: INPUT_TOKENS,
        output_tokens: OUTPUT_TOKENS,
    };
    let provider = Provider::start(answer).await;
    let home = TempFolder::new();
    let folders = home.folders();
    std::fs::create_dir_all(home.0.join("project")).unwrap();
    let settings = "daily_cap_usd = 3.0\nmax_output_tokens = 1000";
    std::fs::write(folders.config_file(), provider.settings(settings)).unwrap();
    let consent = format!(
        "[[consent]]\nworkspace = {:?}\nprovider = \"here\"\nhost = \"127.0.0.1:{}\"\nanswer = \"always\"\n",
        home.0.join("project"),
        provider.port
    );
    std::fs::write(folders.consent_file(), consent).unwrap();
    let workers = (0..N_SERVERS as u64)
        .map(|number| tokio::spawn(work(home.0.clone(), number, N_ESCALATIONS / N_SERVERS)));
    let mut n_ended = 0;
    for worker in workers {
        n_ended += worker.await.expect("a worker that fails");
    }
    // The last servers' brokers are going; what is reserved now is theirs, and they are dead.
    let path = folders.data.join("ledger.db");
    let mut ledger = Ledger::open(&path).unwrap();
    ledger.sweep().unwrap();
    let now = Calendar::system().now();
    let (day, _) = ledger.standings(&now).unwrap();
    let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let number = |sql: &str| -> i64 { connection.query_row(sql, [], |row| row.get(0)).unwrap() };
    let n_ok = number("SELECT count(*) FROM sent_calls WHERE status = 'ok'");
    let n_lost = number("SELECT count(*) FROM sent_calls WHERE status = 'lost'");
    // Killed while the answer came, and settled by a process that is there for that.
    let n_cut_off = number("SELECT count(*) FROM sent_calls WHERE status = 'cancelled'");
    let cut_off =
        number("SELECT coalesce(sum(cost_pico_usd), 0) FROM sent_calls WHERE status = 'cancelled'");
    let n_other =
        number("SELECT count(*) FROM sent_calls WHERE status NOT IN ('ok', 'lost', 'cancelled')");
    let worst = number("SELECT max(reserved_pico_usd) FROM sent_calls");
    println!(
        "{n_ok} calls settled, {n_lost} lost with their servers, {} requests seen",
        provider.requests().len()
    );
    assert_eq!(
        number("SELECT count(*) FROM sent_calls WHERE cost_pico_usd IS NULL"),
        0,
        "a reservation is left"
    );
    assert_eq!(n_other, 0);
    assert_eq!(number("SELECT min(reserved_pico_usd) FROM sent_calls"), worst);
    assert_eq!(
        number(
            "SELECT count(*) FROM sent_calls WHERE status = 'ok' AND cost_pico_usd <> 1638000000"
        ),
        0
    );
    assert_eq!(COST_PICO_USD, 1_638_000_000);
    assert!(cut_off <= n_cut_off * worst);
    assert_eq!(day.spent_pico_usd, n_ok * COST_PICO_USD + n_lost * worst + cut_off);
    assert_eq!(day.reserved_pico_usd, 0);
    assert!(day.spent_pico_usd <= CAP_PICO_USD, "{day:?}");
    // Whoever saw an escalation end has it in the ledger, and the ledger has no call that nobody made.
    assert!(n_ok as usize >= n_ended, "{n_ok} settled, {n_ended} seen to end");
    assert!((n_ok + n_lost + n_cut_off) as usize <= N_ESCALATIONS);
    assert!(
        provider.requests().len() <= (n_ok + n_lost + n_cut_off) as usize,
        "a request that was not reserved"
    );
    assert!(n_lost > 0 && n_ok > 700, "{n_lost} lost, {n_ok} settled");
}
