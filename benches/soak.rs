//! Hours of typing: `cargo bench --bench soak [-- MINUTES]`, an hour without a number.
//!
//! Stretches of up to 50 files are typed one after the other, again and again, into the real program. At the end
//! each request must have had one answer, the program must answer at once, with as many threads as after
//! the first minutes, and its memory must not have grown since then.

#[path = "shared/replay.rs"]
#[expect(dead_code, unreachable_pub, reason = "shared with another bench")]
mod replay;
#[path = "../tests/it/support.rs"]
#[expect(dead_code, unreachable_pub, clippy::unwrap_used, reason = "shared with the tests")]
mod support;

use std::time::{Duration, Instant};

use replay::{AS_IT_IS, files, typed};
use support::Client;

/// As many as are long enough, where there are fewer.
const FILES: usize = 50;
const LINES: usize = 2;
/// Between two keys: faster than anybody types.
const PAUSE: Duration = Duration::from_millis(2);
const REPORT: Duration = Duration::from_secs(300);

fn main() {
    let minutes = std::env::args().skip(1).find_map(|it| it.parse().ok()).unwrap_or(60.0);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads");
    runtime.block_on(soak(Duration::from_secs_f64(60.0 * minutes)));
}

async fn soak(time: Duration) {
    let client = replay::program("", AS_IT_IS).await;
    let files = files(FILES);
    let started = Instant::now();
    let mut next_report = Duration::ZERO;
    let mut n_keys = 0;
    println!("{} files", files.len());
    for file in files.iter().cycle() {
        if started.elapsed() >= time {
            break;
        }
        n_keys += typed(&client, file, LINES, PAUSE).await.len();
        if started.elapsed() >= next_report {
            report(&client, started, n_keys).await;
            next_report += REPORT;
        }
    }
    report(&client, started, n_keys).await;
    println!("requests without an answer: {}", client.n_unanswered());
    client.assert_no_faults();
}

async fn report(client: &Client, started: Instant, n_keys: usize) {
    let asked = Instant::now();
    client.stats().await;
    let id = client.child.as_ref().and_then(tokio::process::Child::id).unwrap_or_default();
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|it| it.strip_prefix(name));
        line.map_or("?", str::trim).to_owned()
    };
    println!(
        "{:5.1} min  {n_keys:7} keys  memory {}  threads {}  round trip {:.2} ms",
        started.elapsed().as_secs_f64() / 60.0,
        field("VmRSS:"),
        field("Threads:"),
        asked.elapsed().as_secs_f64() * 1e3
    );
}
