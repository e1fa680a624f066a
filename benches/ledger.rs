//! What the ledger costs: a reservation with its settlement, batches of local calls, sums of a month, the file's size.

use std::path::Path;
use std::time::{Duration, Instant};

use keyside::ledger::{
    Calendar, Caps, Consent, CostSource, Ledger, LedgerWriter, LocalCall, LocalStatus, Name,
    Reservation, Settlement, Status, Tokens, UsageSource, WorkspaceHash, unix_ms,
};
use keyside::stdx::milliseconds;

const CALLS_A_DAY: i64 = 10_000;
const DAY_MS: i64 = 24 * 3_600 * 1_000;

fn main() {
    let folder = std::env::temp_dir().join(format!("keyside-bench-ledger-{}", std::process::id()));
    let path = folder.join("ledger.db");
    let mut ledger = opened(&path);
    let begun = Instant::now();
    let mut times: Vec<Duration> = (0..500).map(|_| reserve_and_settle(&mut ledger)).collect();
    let all = begun.elapsed();
    times.sort_unstable();
    let (median, worst) = (milliseconds(times[250]), milliseconds(times[495]));
    println!(
        "reserve and settle: median {median:.2} ms, 99th percentile {worst:.2} ms, 500 in {:.0} ms",
        milliseconds(all)
    );

    let calendar = Calendar::system();
    let now = unix_ms();
    let before = size(&path, &mut ledger);
    // A month and a day over it.
    for day in (0..32).rev() {
        let calls: Vec<LocalCall> =
            (0..CALLS_A_DAY).map(|n| call(now - day * DAY_MS - n)).collect();
        let took = timed(|| ledger.record_local(&calls).expect("room"));
        if day % 8 == 0 {
            println!("{CALLS_A_DAY} local calls in a batch: {took:.1} ms");
        }
    }
    let kilobytes = (size(&path, &mut ledger) - before) / 32 / 1_024;
    println!("{CALLS_A_DAY} local calls in the file: {kilobytes} KiB");
    let days = calendar.last_days(now, 31);
    let took = timed(|| drop(ledger.usage(days.clone(), &calendar.at(now)).expect("sums")));
    println!("sums of 31 days, {} rows: {took:.1} ms", 32 * CALLS_A_DAY);
    drop(ledger);
    println!("open and check it: {:.1} ms", timed(|| drop(opened(&path))));
    let mut ledger = opened(&path);
    let took = timed(|| assert!(ledger.fold_local(&calendar, now, 30).expect("room") > 0));
    println!("fold a day: {took:.1} ms");

    let writer = LedgerWriter::start(&path).expect("a thread");
    let mut times: Vec<Duration> = Vec::new();
    for n in 0..1_000 {
        let call = call(now + n);
        let begun = Instant::now();
        writer.record(call);
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    println!("hand a call over: median {:?}, 99th percentile {:?}", times[500], times[990]);
    drop(writer);
    std::fs::remove_dir_all(folder).expect("it is there");
}

fn opened(path: &Path) -> Ledger {
    Ledger::open(path).expect("a folder that can be written")
}

fn timed(work: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    work();
    milliseconds(begun.elapsed())
}

/// The file's, with nothing left in the log.
fn size(path: &Path, ledger: &mut Ledger) -> u64 {
    drop(std::mem::replace(ledger, opened(path)));
    drop(std::mem::replace(ledger, opened(&path.with_file_name("other.db"))));
    let size = std::fs::metadata(path).map_or(0, |it| it.len());
    *ledger = opened(path);
    size
}

fn reserve_and_settle(ledger: &mut Ledger) -> Duration {
    let reservation = Reservation {
        workspace: WorkspaceHash::of("/somewhere"),
        action: "explain",
        provider: "anthropic",
        host: "api.anthropic.com",
        model: "claude-sonnet-5-5",
        reserved_pico_usd: 50_000_000_000,
        price_table_date: Some("2026-11-01"),
        n_sent_bytes: 16_000,
        n_files: 3,
        n_redactions: 1,
        payload_sha256: &"a".repeat(64),
        consent: Consent::Once,
        reason: "asked for",
    };
    let caps = Caps { daily_pico_usd: i64::MAX, monthly_pico_usd: i64::MAX };
    let settlement = Settlement {
        status: Status::Ok,
        tokens: Tokens { input: 4_000, output: 500, ..Tokens::default() },
        usage_source: UsageSource::Provider,
        cost_pico_usd: 13_000_000_000,
        cost_source: CostSource::Table,
        request_id: Some("req_1"),
        duration_ms: 2_000,
        first_text_ms: Some(300),
    };
    let now = Calendar::system().now();
    let begun = Instant::now();
    let granted = ledger.reserve(&reservation, &caps, &now).expect("no cap");
    ledger.settle(granted.id, &settlement).expect("it is reserved");
    begun.elapsed()
}

fn call(at_unix_ms: i64) -> LocalCall {
    LocalCall {
        at_unix_ms,
        workspace: WorkspaceHash::of("/somewhere"),
        action: Name::of("complete"),
        model: Name::kept("keyside-20m"),
        status: LocalStatus::Ok,
        input_tokens: 900 + (at_unix_ms % 100) as u32,
        cached_tokens: 880,
        output_tokens: 12,
        duration_us: 7_000 + (at_unix_ms % 1_000) as u32,
    }
}
