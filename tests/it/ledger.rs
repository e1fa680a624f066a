//! The ledger with several processes at once, some of which are killed at any moment: no cent is lost or counted twice.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use keyside::ledger::{
    Calendar, Caps, Consent, CostSource, Granted, Ledger, Now, Refused, Reservation, Settlement,
    Status, Tokens, UsageSource, WorkspaceHash,
};
use keyside::stdx::random::Random;

use crate::support::{TempFolder, until_blocking};

/// What a worker is to do: `FOLDER NUMBER FIRST_CALL HOLD_AT CAP`, one a line.
const WORK: &str = "KEYSIDE_TEST_LEDGER_WORK";

pub fn path(home: &TempFolder) -> PathBuf {
    home.0.join("data").join("ledger.db")
}

/// The same day for all, whenever the test runs.
pub fn now() -> Now {
    Calendar::utc().at(1_795_300_000_000)
}

pub const NO_CAPS: Caps = Caps { daily_pico_usd: i64::MAX, monthly_pico_usd: i64::MAX };

pub fn reserve(
    ledger: &mut Ledger,
    reason: &str,
    pico_usd: i64,
    caps: &Caps,
) -> Result<Granted, Refused> {
    let reservation = Reservation {
        workspace: WorkspaceHash::of("/somewhere"),
        action: "explain",
        provider: "anthropic",
        host: "api.anthropic.com",
        model: "claude-sonnet-5-5",
        reserved_pico_usd: pico_usd,
        price_table_date: Some("2026-11-01"),
        n_sent_bytes: 16_000,
        n_files: 3,
        n_redactions: 1,
        payload_sha256: &"a".repeat(64),
        consent: Consent::Once,
        reason,
    };
    ledger.reserve(&reservation, caps, &now())
}

pub fn settlement(cost_pico_usd: i64) -> Settlement<'static> {
    Settlement {
        status: Status::Ok,
        tokens: Tokens { input: 4_000, output: 500, ..Tokens::default() },
        usage_source: UsageSource::Provider,
        cost_pico_usd,
        cost_source: CostSource::Table,
        request_id: Some("req_1"),
        duration_ms: 2_000,
        first_text_ms: Some(300),
    }
}

/// What a person could see with another program.
pub fn look(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).unwrap()
}

/// What a call reserves and what it costs, by its number.
fn amounts(call: u64) -> (i64, i64) {
    let mut random = Random::new(call);
    let reserved = 1_000_000_000 + random.below(9_000_000_000);
    (reserved as i64, random.below(reserved + 1) as i64)
}

/// Runs one of this file's workers in a process of its own.
pub fn start(name: &str, variable: &str, work: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env(variable, work)
        .stdout(Stdio::null());
    command
}

struct Worker {
    child: Child,
    journal: PathBuf,
}

impl Worker {
    fn start(home: &TempFolder, number: u64, hold_at: u64, cap: i64) -> Self {
        let folder = home.0.display();
        let work = format!("{folder}\n{number}\n{}\n{hold_at}\n{cap}", number * 1_000_000);
        let child = start("ledger::a_worker", WORK, &work).spawn().unwrap();
        Self { child, journal: home.0.join(format!("journal-{number}")) }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert_ne!(status.code(), Some(101), "it had failed before it was killed");
    }

    fn wait_until_it_holds(&self) {
        until_blocking(|| {
            let journal = std::fs::read_to_string(&self.journal).unwrap_or_default();
            journal.ends_with("holds\n").then_some(())
        });
    }
}

impl Drop for Worker {
    /// A test that fails leaves nobody behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reserves and settles, and writes down what it knows to have been done, until it holds or is killed.
#[test]
#[ignore = "other tests start it"]
fn a_worker() {
    let Some(work) = std::env::var_os(WORK) else { return };
    let work = work.into_string().unwrap();
    let mut work = work.lines();
    let home = Path::new(work.next().unwrap());
    let mut number = || work.next().unwrap().parse::<u64>().unwrap();
    let (name, first_call, hold_at, cap) = (number(), number(), number(), number() as i64);
    let mut journal = File::create(home.join(format!("journal-{name}"))).unwrap();
    let mut write = |line: String| {
        journal.write_all(format!("{line}\n").as_bytes()).unwrap();
        journal.sync_data().unwrap();
    };
    let mut ledger = Ledger::open(&home.join("data").join("ledger.db")).unwrap();
    assert!(ledger.take_notes().is_empty());
    let caps = Caps { daily_pico_usd: cap, monthly_pico_usd: i64::MAX };
    for call in first_call.. {
        let (reserved, cost) = amounts(call);
        match reserve(&mut ledger, &call.to_string(), reserved, &caps) {
            Ok(granted) => {
                assert!(granted.day.total() <= cap);
                write(format!("granted {call}"));
                if call == first_call + hold_at {
                    write("holds".to_owned());
                    std::thread::sleep(Duration::from_secs(3_600));
                }
                ledger.settle(granted.id, &settlement(cost)).unwrap();
                write(format!("settled {call}"));
            }
            Err(Refused::Cap(refusal)) => {
                assert!(refusal.standing.total() + reserved > cap);
                write(format!("refused {call}"));
                if call >= first_call + hold_at {
                    write("holds".to_owned());
                    std::thread::sleep(Duration::from_secs(3_600));
                }
            }
            Err(Refused::Fault(fault)) => panic!("{fault}"),
        }
    }
}

/// What all workers wrote down: how far each call came.
fn journals(home: &TempFolder) -> BTreeMap<u64, String> {
    let mut calls = BTreeMap::new();
    for entry in std::fs::read_dir(&home.0).unwrap().flatten() {
        if !entry.file_name().to_string_lossy().starts_with("journal-") {
            continue;
        }
        let text = std::fs::read_to_string(entry.path()).unwrap();
        // The last line may have been cut.
        for line in text.split_inclusive('\n').filter_map(|it| it.strip_suffix('\n')) {
            if let Some((state, call)) = line.split_once(' ') {
                calls.insert(call.parse().unwrap(), state.to_owned());
            }
        }
    }
    calls
}

/// Four workers, of which one after another is killed and replaced, until `n_calls` are over. Then the books are
/// compared. How many calls were refused.
fn run(seed: u64, n_calls: usize, cap: i64) -> usize {
    let home = TempFolder::new();
    let mut random = Random::new(seed);
    let mut next = 0;
    let mut worker = |random: &mut Random| {
        next += 1;
        Worker::start(&home, next, 20 + random.below(60) as u64, cap)
    };
    let mut workers: Vec<Worker> = (0..4).map(|_| worker(&mut random)).collect();
    let mut watcher = None;
    let over = |calls: &BTreeMap<u64, String>| calls.values().filter(|it| *it != "granted").count();
    while over(&journals(&home)) < n_calls {
        std::thread::sleep(Duration::from_millis(10 + random.below(150) as u64));
        if path(&home).exists() {
            // It too opens and sweeps at any moment.
            let watcher = watcher.get_or_insert_with(|| Ledger::open(&path(&home)).unwrap());
            assert!(watcher.standings(&now()).unwrap().0.total() <= cap);
            watcher.sweep().unwrap();
        }
        let one = random.below(4);
        workers[one].kill();
        workers[one] = worker(&mut random);
    }
    for worker in &mut workers {
        worker.wait_until_it_holds();
        worker.kill();
    }
    let mut ledger = Ledger::open(&path(&home)).unwrap();
    assert!(ledger.take_notes().is_empty());
    ledger.sweep().unwrap();
    let n_swept_again = ledger.sweep().unwrap().n_calls;
    assert_eq!(n_swept_again, 0);
    compare(&home, &mut ledger, cap)
}

fn compare(home: &TempFolder, ledger: &mut Ledger, cap: i64) -> usize {
    let journals = journals(home);
    let rows: BTreeMap<u64, (String, i64)> = look(&path(home))
        .prepare("SELECT CAST(reason AS INTEGER), status, cost_pico_usd FROM sent_calls")
        .unwrap()
        .query_map([], |row| Ok((row.get::<_, i64>(0)? as u64, (row.get(1)?, row.get(2)?))))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let (mut sum, mut n_lost) = (0, 0);
    for (call, (status, cost)) in &rows {
        let journal = journals.get(call).map(String::as_str);
        let (reserved, expected) = amounts(*call);
        match status.as_str() {
            // Killed between the two, a worker has not written down the last thing that it did.
            "ok" => assert!(matches!(journal, Some("settled" | "granted")), "{call}: {journal:?}"),
            "lost" => assert!(matches!(journal, None | Some("granted")), "{call}: {journal:?}"),
            other => panic!("{call} is {other}"),
        }
        let expected = if status == "ok" { expected } else { reserved };
        assert_eq!(*cost, expected, "{call}");
        sum += expected;
        n_lost += usize::from(status == "lost");
    }
    for (call, state) in &journals {
        assert_eq!(rows.contains_key(call), state != "refused", "{call} was {state}");
        if state == "settled" {
            assert_eq!(rows[call].0, "ok", "{call}");
        }
    }
    let (day, month) = ledger.standings(&now()).unwrap();
    assert_eq!((day.spent_pico_usd, day.reserved_pico_usd), (sum, 0));
    assert_eq!(day, month);
    assert!(sum <= cap);
    let n_refused = journals.values().filter(|it| *it == "refused").count();
    // Each of the last four holds one, unless it was refused.
    assert!(n_lost >= 4 || n_refused >= 4, "{n_lost} lost, {n_refused} refused");
    let left: Vec<_> =
        std::fs::read_dir(home.0.join("data/ledger-processes")).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "nothing of the dead is left but the lock for opening: {left:?}");
    n_refused
}

#[test]
fn killed_processes_lose_no_cent() {
    assert_eq!(run(1, 1_000, i64::MAX), 0);
}

#[test]
fn no_cap_is_exceeded_whoever_dies() {
    // Of 600 calls that reserve 5.5 on average there is room for a part only.
    assert!(run(2, 600, 800_000_000_000) > 100);
}

#[test]
fn who_begin_at_the_same_moment_begin_one_ledger() {
    for round in 0..5 {
        let home = TempFolder::new();
        let mut workers: Vec<Worker> =
            (0..6).map(|number| Worker::start(&home, round * 10 + number, 0, i64::MAX)).collect();
        for worker in &mut workers {
            worker.wait_until_it_holds();
        }
        let count = "SELECT count(*) FROM sent_calls WHERE status = 'reserved'";
        let n: i64 = look(&path(&home)).query_row(count, [], |row| row.get(0)).unwrap();
        workers.iter_mut().for_each(Worker::kill);
        assert_eq!(n, 6);
    }
}

#[test]
fn who_lives_is_not_swept() {
    let home = TempFolder::new();
    let mut one = Ledger::open(&path(&home)).unwrap();
    let mut other = Ledger::open(&path(&home)).unwrap();
    let first = reserve(&mut one, "", 7, &NO_CAPS).unwrap();
    reserve(&mut one, "", 5, &NO_CAPS).unwrap();
    assert_eq!(other.sweep().unwrap().n_calls, 0);
    one.settle(first.id, &settlement(3)).unwrap();
    drop(one);
    let swept = other.sweep().unwrap();
    assert_eq!((swept.n_calls, swept.pico_usd), (1, 5));
    assert_eq!(other.standings(&now()).unwrap().0.spent_pico_usd, 8);
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_what_is_written() {
    use std::os::unix::fs::PermissionsExt;
    let home = TempFolder::new();
    let mut worker = Command::new("sh");
    worker
        .args(["-c", "umask 0; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "ledger::a_worker", "--ignored"])
        .env(WORK, format!("{}\n1\n0\n3\n{}", home.0.display(), i64::MAX))
        .stdout(Stdio::null());
    let child = worker.spawn().unwrap();
    let mut worker = Worker { child, journal: home.0.join("journal-1") };
    worker.wait_until_it_holds();
    let mut modes = String::new();
    for folder in [home.0.join("data"), home.0.join("data/ledger-processes")] {
        let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().flatten().collect();
        entries.sort_by_key(std::fs::DirEntry::path);
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            let name = if name.ends_with(".lock") { "PROCESS.lock".to_owned() } else { name };
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            writeln!(modes, "{mode:o} {name}").unwrap();
        }
    }
    worker.kill();
    expect_test::expect![[r#"
        700 ledger-processes
        600 ledger.db
        600 ledger.db-shm
        600 ledger.db-wal
        600 PROCESS.lock
        600 opening
    "#]]
    .assert_eq(&modes);
}
