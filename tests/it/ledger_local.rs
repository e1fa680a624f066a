//! What is written of calls to the local model: in batches, by a thread that nobody waits for, and folded when
//! old. And what is never written.

use std::sync::Barrier;

use keyside::ledger::{
    Amounts, Calendar, Consent, Ledger, LedgerWriter, LocalCall, LocalStatus, Name, Reservation,
    UsageReport, WorkspaceHash,
};
use keyside::stdx::random::Random;

use crate::ledger::{NO_CAPS, look, now, path, reserve, settlement};
use crate::support::TempFolder;

const DAY_MS: i64 = 24 * 3_600 * 1_000;

fn calls(seed: u64, n: usize) -> Vec<LocalCall> {
    let mut random = Random::new(seed);
    let models = ["keyside-20m", "counts", "qwen"].map(Name::kept);
    let actions = ["complete", "classify"].map(Name::of);
    let statuses = [LocalStatus::Ok, LocalStatus::Cancelled, LocalStatus::Failed];
    (0..n)
        .map(|_| LocalCall {
            at_unix_ms: now().unix_ms - random.below(60 * DAY_MS as usize) as i64,
            workspace: WorkspaceHash::of(["/one", "/two"][random.below(2)]),
            action: actions[random.below(2)],
            model: models[random.below(3)],
            status: statuses[random.below(3)],
            input_tokens: random.below(2_000) as u32,
            cached_tokens: random.below(2_000) as u32,
            output_tokens: random.below(60) as u32,
            duration_us: random.below(1_000_000) as u32,
        })
        .collect()
}

fn usage(ledger: &mut Ledger, calendar: &Calendar, n_days: u32) -> UsageReport {
    ledger.usage(calendar.last_days(now().unix_ms, n_days), &now()).unwrap()
}

fn n_rows(home: &TempFolder, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    look(&path(home)).query_row(&sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn folding_changes_no_sum() {
    for zone in ["UTC", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe"] {
        let calendar = Calendar::named(zone).expect("time zones");
        let home = TempFolder::new();
        let mut ledger = Ledger::open(&path(&home)).unwrap();
        ledger.record_local(&calls(5, 4_000)).unwrap();
        let granted = reserve(&mut ledger, "", 7, &NO_CAPS).unwrap();
        ledger.settle(granted.id, &settlement(3)).unwrap();
        let before: Vec<_> = [1, 30, 33, 61].map(|n| usage(&mut ledger, &calendar, n)).into();
        assert_eq!(before[3].total.local_calls, 4_000);

        let n_folded = ledger.fold_local(&calendar, now().unix_ms, 31).unwrap();
        assert_eq!(n_folded as i64, 4_000 - n_rows(&home, "local_calls"));
        assert!((1_500..2_500).contains(&n_folded), "{n_folded} of 4,000 are older than a month");
        assert!(n_rows(&home, "local_days") <= 30 * 2 * 3);
        assert_eq!(ledger.fold_local(&calendar, now().unix_ms, 31).unwrap(), 0);
        let after: Vec<_> = [1, 30, 33, 61].map(|n| usage(&mut ledger, &calendar, n)).into();
        assert_eq!(before, after, "{zone}");
    }
}

#[test]
fn late_rows_join_their_day_and_two_who_fold_count_once() {
    let home = TempFolder::new();
    let calendar = Calendar::utc();
    let mut ledgers = [(); 4].map(|()| Ledger::open(&path(&home)).unwrap());
    let mut expected = Amounts::default();
    for round in 0..5 {
        let calls = calls(round, 1_000);
        for call in &calls {
            expected.local_calls += 1;
            expected.local_input_tokens += i64::from(call.input_tokens);
            expected.local_output_tokens += i64::from(call.output_tokens);
        }
        ledgers[0].record_local(&calls).unwrap();
        let barrier = Barrier::new(ledgers.len());
        std::thread::scope(|scope| {
            for ledger in &mut ledgers {
                scope.spawn(|| {
                    barrier.wait();
                    ledger.fold_local(&calendar, now().unix_ms, 7).unwrap();
                });
            }
        });
        assert_eq!(usage(&mut ledgers[1], &calendar, 61).total, expected);
    }
}

#[test]
fn many_threads_hand_over_and_each_call_is_written_once() {
    let home = TempFolder::new();
    let writer = LedgerWriter::start(&path(&home)).unwrap();
    let calls = calls(6, 800);
    std::thread::scope(|scope| {
        for part in calls.chunks(100) {
            let writer = &writer;
            scope.spawn(move || part.iter().for_each(|it| writer.record(*it)));
        }
    });
    writer.flush();
    let counts = writer.counts();
    assert_eq!((counts.n_written, counts.n_not_written, counts.fault), (800, 0, None));
    // The rest is written at the end.
    writer.record(calls[0]);
    drop(writer);
    let mut ledger = Ledger::open(&path(&home)).unwrap();
    assert_eq!(usage(&mut ledger, &Calendar::utc(), 61).total.local_calls, 801);
}

#[test]
fn what_can_not_be_written_is_counted_and_nobody_waits() {
    let home = TempFolder::new();
    std::fs::write(home.0.join("data"), "a file where the folder should be").unwrap();
    let writer = LedgerWriter::start(&path(&home)).unwrap();
    calls(7, 500).into_iter().for_each(|it| writer.record(it));
    writer.flush();
    let counts = writer.counts();
    assert_eq!((counts.n_written, counts.n_not_written), (0, 0));
    assert!(counts.fault.is_some());
    // It is kept until it can be.
    std::fs::remove_file(home.0.join("data")).unwrap();
    writer.flush();
    let counts = writer.counts();
    assert_eq!((counts.n_written, counts.fault), (500, None));

    std::fs::remove_dir_all(home.0.join("data")).unwrap();
    std::fs::write(home.0.join("data"), "again").unwrap();
    let all: Vec<_> = (0..30).flat_map(|it| calls(it, 1_000)).collect();
    for some in all.chunks(1_000) {
        some.iter().for_each(|it| writer.record(*it));
        writer.flush();
    }
    let counts = writer.counts();
    assert_eq!((counts.n_written, counts.n_not_written), (500, 10_000));
    assert!(counts.fault.is_some());
}

#[test]
fn a_damaged_ledger_is_replaced_by_the_writer() {
    let home = TempFolder::new();
    let writer = LedgerWriter::start(&path(&home)).unwrap();
    writer.record(calls(8, 1)[0]);
    writer.flush();
    drop(writer);
    std::fs::write(path(&home), "x".repeat(5_000)).unwrap();
    let writer = LedgerWriter::start(&path(&home)).unwrap();
    calls(9, 10).into_iter().for_each(|it| writer.record(it));
    writer.flush();
    assert_eq!(writer.counts().n_written, 10);
    assert_eq!(writer.take_notes().len(), 1);
    let mut ledger = Ledger::open(&path(&home)).unwrap();
    assert_eq!(usage(&mut ledger, &Calendar::utc(), 61).total.local_calls, 10);
}

#[test]
fn what_is_written_holds_no_text_of_the_user() {
    let home = TempFolder::new();
    let mut ledger = Ledger::open(&path(&home)).unwrap();
    let mut reservation = Reservation {
        workspace: WorkspaceHash::of("/home/planted-person/planted-project"),
        action: "explain",
        provider: "anthropic",
        host: "planted-user@api.anthropic.com/planted-path?planted-key",
        model: "claude-sonnet-5-5",
        reserved_pico_usd: 1,
        price_table_date: None,
        n_sent_bytes: 1,
        n_files: 1,
        n_redactions: 0,
        payload_sha256: "fn planted_source() {}",
        consent: Consent::Policy,
        reason: "asked for",
    };
    assert!(ledger.reserve(&reservation, &NO_CAPS, &now()).is_err());
    reservation.host = "api.anthropic.com";
    let refused = ledger.reserve(&reservation, &NO_CAPS, &now()).unwrap_err().to_string();
    assert!(!refused.contains("planted"));
    let hash = keyside::stdx::hex_sha256(b"fn planted_source() {}");
    reservation.payload_sha256 = &hash;
    let granted = ledger.reserve(&reservation, &NO_CAPS, &now()).unwrap();
    ledger.record_local(&calls(10, 5)).unwrap();
    let mut n_files = 0;
    let mut scan = || {
        let contains = |text: &[u8], word: &[u8]| text.windows(word.len()).any(|it| it == word);
        for folder in ["data", "data/ledger-processes"] {
            for entry in std::fs::read_dir(home.0.join(folder)).unwrap().flatten() {
                let Ok(bytes) = std::fs::read(entry.path()) else { continue };
                assert!(!contains(&bytes, b"planted"), "{}", entry.path().display());
                n_files += usize::from(contains(&bytes, b"claude-sonnet-5-5"));
            }
        }
    };
    scan();
    ledger.settle(granted.id, &settlement(1)).unwrap();
    drop(ledger);
    scan();
    assert!(n_files >= 2, "the log and the file were looked at");
}
