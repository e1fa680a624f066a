//! The ledger where something is wrong: damage, no room, no permission, another version, a lock.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use expect_test::expect;
use keyside::ledger::{
    Calendar, FaultKind, Ledger, LocalCall, LocalStatus, Name, NotSettled, Refused, Status,
    UsageReport, WorkspaceHash,
};
use keyside::stdx::random::Random;

use crate::ledger::{NO_CAPS, look, now, path, reserve, settlement, start};
use crate::support::TempFolder;

/// `LEDGER OUTCOMES BALLAST`, one a line.
const WORK: &str = "KEYSIDE_TEST_LEDGER_FAULT_WORK";

/// A sentence of the ledger with the folder and times taken out.
fn told(text: &str, home: &TempFolder) -> String {
    let text = text.replace(&home.0.display().to_string(), "HOME");
    match text.split_once("damaged-") {
        Some((before, after)) => {
            let after = after.trim_start_matches(|it: char| it.is_ascii_digit());
            format!("{before}damaged-TIME{after}")
        }
        None => text,
    }
}

fn check(text: &str, home: &TempFolder, expected: &str) {
    assert_eq!(told(text, home), expected);
}

fn open_fails(home: &TempFolder, expected: &str) -> FaultKind {
    let Err(fault) = Ledger::open(&path(home)) else { panic!("it opens") };
    check(&fault.sentence, home, expected);
    fault.kind
}

/// Spends 3 and leaves a file without a log.
fn ledger_with_rows(home: &TempFolder) -> Vec<u8> {
    let mut ledger = Ledger::open(&path(home)).unwrap();
    let granted = reserve(&mut ledger, "", 7, &NO_CAPS).unwrap();
    ledger.settle(granted.id, &settlement(3)).unwrap();
    let calls: Vec<LocalCall> = (0..3_000).map(|n| call(now().unix_ms - n)).collect();
    ledger.record_local(&calls).unwrap();
    drop(ledger);
    std::fs::read(path(home)).unwrap()
}

fn call(at_unix_ms: i64) -> LocalCall {
    LocalCall {
        at_unix_ms,
        workspace: WorkspaceHash::of("/somewhere"),
        action: Name::of("complete"),
        model: Name::kept("keyside-20m"),
        status: LocalStatus::Ok,
        input_tokens: 900,
        cached_tokens: 880,
        output_tokens: 12,
        duration_us: 7_000,
    }
}

fn files_aside(home: &TempFolder) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(home.0.join("data")).unwrap().flatten().map(|it| it.path());
    let is_aside =
        |it: &PathBuf| it.file_name().unwrap().to_string_lossy().starts_with("ledger.db.damaged-");
    entries.filter(is_aside).collect()
}

/// What follows on damage: it is told, what was there is kept as it was, and one can go on.
fn check_begun_anew(home: &TempFolder, before: &[u8]) -> Ledger {
    let mut ledger = Ledger::open(&path(home)).unwrap();
    let notes = ledger.take_notes();
    check(
        &notes.join("\n"),
        home,
        "the ledger was damaged; it is kept as ledger.db.damaged-TIME and a new one was begun; what was spent before is not known, so the caps count from now on",
    );
    let aside = files_aside(home);
    assert_eq!(aside.len(), 1);
    assert_eq!(std::fs::read(&aside[0]).unwrap(), before);
    assert_eq!(ledger.standings(&now()).unwrap().0.total(), 0);
    reserve(&mut ledger, "", 5, &NO_CAPS).unwrap();
    let usage = usage(&mut ledger);
    assert!(usage.notes[0].note.starts_with("the ledger was damaged"));
    // It is told once only.
    assert!(Ledger::open(&path(home)).unwrap().take_notes().is_empty());
    ledger
}

fn usage(ledger: &mut Ledger) -> UsageReport {
    ledger.usage(Calendar::utc().last_days(now().unix_ms, 60), &now()).unwrap()
}

#[test]
fn garbage_is_moved_aside() {
    let home = TempFolder::new();
    drop(ledger_with_rows(&home));
    let garbage = b"this is no database, and it is longer than a header of one hundred bytes is; \
        it goes on for a while so that SQLite does not take it for something that was cut off";
    std::fs::write(path(&home), garbage).unwrap();
    check_begun_anew(&home, garbage);
}

#[test]
fn another_programs_database_is_moved_aside() {
    let home = TempFolder::new();
    std::fs::create_dir_all(home.0.join("data")).unwrap();
    look(&path(&home))
        .execute_batch("CREATE TABLE notes (x); INSERT INTO notes VALUES (1)")
        .unwrap();
    let before = std::fs::read(path(&home)).unwrap();
    check_begun_anew(&home, &before);
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_whole_or_moved_aside() {
    let mut random = Random::new(3);
    let whole = {
        let home = TempFolder::new();
        ledger_with_rows(&home)
    };
    let ends = [0, 1, 99, 100, 4_095, 4_096, whole.len() - 1, whole.len()];
    let ends = ends.into_iter().chain((0..40).map(|_| random.below(whole.len())));
    for end in ends {
        let home = TempFolder::new();
        std::fs::create_dir_all(home.0.join("data")).unwrap();
        std::fs::write(path(&home), &whole[..end]).unwrap();
        if end < whole.len() {
            check_begun_anew(&home, &whole[..end]);
        } else {
            let mut ledger = Ledger::open(&path(&home)).unwrap();
            assert!(ledger.take_notes().is_empty());
            let total = usage(&mut ledger).total;
            assert_eq!((total.local_calls, total.cost_pico_usd), (3_000, 3));
        }
    }
}

#[test]
fn bytes_that_changed_do_not_keep_anybody_from_going_on() {
    let mut random = Random::new(4);
    let whole = {
        let home = TempFolder::new();
        ledger_with_rows(&home)
    };
    for _ in 0..60 {
        let home = TempFolder::new();
        std::fs::create_dir_all(home.0.join("data")).unwrap();
        let mut bytes = whole.clone();
        let at = random.below(bytes.len());
        let n = (1 + random.below(64)).min(bytes.len() - at);
        bytes[at..at + n].iter_mut().for_each(|it| *it = random.below(256) as u8);
        std::fs::write(path(&home), &bytes).unwrap();
        // The first time, damage may be found in the middle of what is done.
        let went_on = (0..2).any(|_| match Ledger::open(&path(&home)) {
            Ok(mut ledger) => {
                let mut go = || {
                    let granted = reserve(&mut ledger, "", 5, &NO_CAPS).ok()?;
                    ledger.settle(granted.id, &settlement(4)).ok()
                };
                go().or_else(go).is_some()
            }
            // A version is four of the bytes.
            Err(fault) => fault.kind == FaultKind::Newer,
        });
        assert!(went_on, "{n} bytes at {at}");
    }
}

#[test]
fn a_ledger_that_goes_away_while_it_is_open_is_begun_anew() {
    let home = TempFolder::new();
    let mut ledger = Ledger::open(&path(&home)).unwrap();
    let mut other = Ledger::open(&path(&home)).unwrap();
    let granted = reserve(&mut ledger, "", 7, &NO_CAPS).unwrap();
    // Its log stays.
    std::fs::remove_file(path(&home)).unwrap();
    // Both see it, and both see the same new one.
    reserve(&mut other, "", 5, &NO_CAPS).unwrap();
    check(
        &other.take_notes().join("\n"),
        &home,
        "the ledger was gone and a new one was begun; what was spent before is not known, so the caps count from now on",
    );
    assert_eq!(ledger.settle(granted.id, &settlement(3)), Err(NotSettled::OtherLedger));
    assert_eq!(ledger.standings(&now()).unwrap().0.reserved_pico_usd, 5);
}

#[test]
fn a_newer_ledger_is_left_as_it_is() {
    let home = TempFolder::new();
    ledger_with_rows(&home);
    look(&path(&home)).execute_batch("PRAGMA user_version = 99").unwrap();
    let before = std::fs::read(path(&home)).unwrap();
    assert_eq!(
        open_fails(
            &home,
            "the ledger HOME/data/ledger.db was written by a newer keyside; install that version, or move the file away"
        ),
        FaultKind::Newer
    );
    assert_eq!(std::fs::read(path(&home)).unwrap(), before);
}

#[test]
fn who_holds_it_for_too_long_is_told_of() {
    let home = TempFolder::new();
    let mut ledger = Ledger::open(&path(&home)).unwrap();
    let holder = look(&path(&home));
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = reserve(&mut ledger, "", 7, &NO_CAPS).unwrap_err();
    assert!(matches!(&refused, Refused::Fault(fault) if fault.kind == FaultKind::Busy));
    check(
        &refused.to_string(),
        &home,
        "nothing is sent without the ledger: another process holds the ledger HOME/data/ledger.db and does not let go; end what reads or copies it and try again",
    );
    holder.execute_batch("ROLLBACK").unwrap();
    reserve(&mut ledger, "", 7, &NO_CAPS).unwrap();
}

#[test]
fn a_file_where_the_folder_should_be() {
    let home = TempFolder::new();
    std::fs::write(home.0.join("data"), "").unwrap();
    let kind = open_fails(
        &home,
        "HOME/data/ledger-processes can't be written (Not a directory (os error 20)); make it and its folder writable, or set KEYSIDE_HOME to another folder",
    );
    assert_ne!(kind, FaultKind::Damaged);
}

#[test]
fn a_call_is_settled_once() {
    let home = TempFolder::new();
    let mut ledger = Ledger::open(&path(&home)).unwrap();
    let one = reserve(&mut ledger, "", 7, &NO_CAPS).unwrap();
    ledger.settle(one.id, &settlement(3)).unwrap();
    let again = ledger.settle(one.id, &settlement(4));
    assert_eq!(again, Err(NotSettled::Already(Status::Ok)));
    let negative = ledger.settle(one.id, &settlement(-1));
    assert!(matches!(negative, Err(NotSettled::Fault(it)) if it.kind == FaultKind::Mistake));

    let two = reserve(&mut ledger, "", 5, &NO_CAPS).unwrap();
    look(&path(&home)).execute("DELETE FROM sent_calls WHERE call_id = 2", []).unwrap();
    assert_eq!(ledger.settle(two.id, &settlement(4)), Err(NotSettled::Unknown));

    // Somebody who clears up too much takes a process for dead.
    let three = reserve(&mut ledger, "", 5, &NO_CAPS).unwrap();
    for entry in std::fs::read_dir(home.0.join("data/ledger-processes")).unwrap().flatten() {
        std::fs::remove_file(entry.path()).unwrap();
    }
    Ledger::open(&path(&home)).unwrap().sweep().unwrap();
    assert_eq!(ledger.settle(three.id, &settlement(4)), Err(NotSettled::Swept));
    assert_eq!(ledger.standings(&now()).unwrap().0.spent_pico_usd, 3 + 5);
}

/// Reserves and settles until it can't, makes room, goes on; and writes down what happened.
#[test]
#[ignore = "other tests start it"]
fn a_worker() {
    let Some(work) = std::env::var_os(WORK) else { return };
    let work = work.into_string().unwrap();
    let lines: Vec<&Path> = work.lines().map(Path::new).collect();
    let mut outcomes = std::fs::File::create(lines[1]).unwrap();
    let mut say = |line: String| writeln!(outcomes, "{line}").unwrap();
    let mut ledger = match Ledger::open(lines[0]) {
        Ok(ledger) => ledger,
        Err(fault) => return say(format!("{:?}: {fault}", fault.kind)),
    };
    let mut n_reserved = 0;
    let refused = loop {
        assert!(n_reserved < 100_000, "there is no end to it");
        match reserve(&mut ledger, "", 1, &NO_CAPS) {
            Ok(_) => n_reserved += 1,
            Err(refused) => break refused,
        }
    };
    say(format!("{refused}"));
    if let Some(ballast) = lines.get(2) {
        std::fs::remove_file(ballast).unwrap();
        reserve(&mut ledger, "", 1, &NO_CAPS).unwrap();
        n_reserved += 1;
    }
    let held = ledger.standings(&now()).unwrap().0.reserved_pico_usd;
    say(format!("as many are held as were granted: {}", held == n_reserved));
    say(format!("notes: {}", ledger.take_notes().len()));
}

/// Runs the worker by a line of shell, in which it is `"$@"`; what it wrote down, or nothing if the line can't be run.
fn run(home: &TempFolder, shell: &str, work: &[&Path]) -> String {
    let text = work.iter().map(|it| it.display().to_string()).collect::<Vec<_>>().join("\n");
    let worker = start("ledger_faults::a_worker", WORK, &text);
    let status = Command::new("sh")
        .args(["-c", shell, "sh"])
        .arg(worker.get_program())
        .args(worker.get_args())
        .env(WORK, &text)
        .env("HERE", &home.0)
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    let outcomes = std::fs::read_to_string(work[1]).unwrap_or_default();
    assert!(status.success() || outcomes.is_empty(), "{outcomes}");
    told(&outcomes, home)
}

/// A test that this system can't run passes; but not where what it needs works, and not where `CI` is set, or it would never be run
/// at all and be missed by nobody.
fn not_tested_here(needed: &str, why: &str) {
    let works =
        Command::new("sh").args(["-c", needed]).output().is_ok_and(|it| it.status.success());
    assert!(!works, "`{needed}` works here, so this should have been tested");
    let is_ci = std::env::var_os("CI").is_some_and(|it| it != "false" && it != "0");
    assert!(!is_ci, "not tested: {why}; CI must be able to run `{needed}`");
    eprintln!("not tested: {why}");
}

#[test]
fn a_full_disk_takes_no_reservation_and_gives_none_up() {
    let home = TempFolder::new();
    let (full, outcomes) = (home.0.join("full"), home.0.join("outcomes"));
    std::fs::create_dir(&full).unwrap();
    let (ledger, ballast) = (full.join("data/ledger.db"), full.join("ballast"));
    // A disk of its own, which only this process and its children see.
    let shell = "exec unshare -rm sh -c '
        mount -t tmpfs -o size=1m tmpfs \"$HERE/full\" || exit 1
        head -c 400k /dev/zero > \"$HERE/full/ballast\" && exec \"$@\"' sh \"$@\"";
    let outcomes = run(&home, shell, &[&ledger, &outcomes, &ballast]);
    if outcomes.is_empty() {
        return not_tested_here(
            "unshare -rm mount -t tmpfs tmpfs /mnt",
            "no small disk can be had",
        );
    }
    expect![[r#"
        nothing is sent without the ledger: there is no room to write the ledger HOME/full/data/ledger.db; free disk space
        as many are held as were granted: true
        notes: 0
    "#]].assert_eq(&outcomes);
}

#[test]
fn a_limit_on_the_size_of_files_is_no_damage() {
    let home = TempFolder::new();
    let outcomes = home.0.join("outcomes");
    let shell = "trap '' XFSZ; ulimit -f 600; exec \"$@\"";
    let outcomes = run(&home, shell, &[&path(&home), &outcomes]);
    expect![[r#"
        nothing is sent without the ledger: the ledger HOME/data/ledger.db can't be read or written (Error code 778: disk I/O error); see whether its disk is full or failing
        as many are held as were granted: true
        notes: 0
    "#]].assert_eq(&outcomes);
    let mut ledger = Ledger::open(&path(&home)).unwrap();
    assert!(ledger.take_notes().is_empty());
    assert!(ledger.sweep().unwrap().n_calls > 0);
}

#[test]
fn a_folder_that_may_not_be_written() {
    let home = TempFolder::new();
    drop(ledger_with_rows(&home));
    let outcomes = home.0.join("outcomes");
    // Root may write anywhere, so somebody else has to try: a user of a namespace of its own is nobody outside.
    let shell = "chmod 755 \"$HERE\" \"$HERE/data\"; chmod 777 \"$HERE\"
        if [ \"$(id -u)\" = 0 ]; then exec setpriv --reuid=65534 --clear-groups \"$@\"; fi
        chmod 500 \"$HERE/data\" \"$HERE/data/ledger-processes\"; \"$@\"; chmod 700 \"$HERE/data\"";
    let outcomes = run(&home, shell, &[&path(&home), &outcomes]);
    if outcomes.is_empty() {
        return not_tested_here("setpriv --reuid=65534 --clear-groups true", "nobody else can try");
    }
    assert!(outcomes.starts_with("NotWritable: "), "{outcomes}");
    assert!(
        outcomes
            .ends_with("make it and its folder writable, or set KEYSIDE_HOME to another folder\n")
    );
}
