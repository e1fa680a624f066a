//! How tests are written, and what the program is built with, enforced: frozen fixtures, one way to
//! wait, one way to start the program; no HTTP client but the broker's.

use crate::support::repository;
use crate::tidy::rust_files;

/// Files that name one of `src`, with the reason.
const MAY_NAME_A_SOURCE: &[(&str, &str)] = &[
    ("tests/it/tidy.rs", "the map of the sources"),
    ("tests/it/tidy_documents.rs", "the protocol's types, which its document is held to"),
    ("tests/it/tidy_tests.rs", "this rule"),
    ("tests/it/mixture_parity.rs", "says what to correct"),
    ("benches/redact.rs", "compiles every rule by reading the rules' own file"),
];

/// What a test or a bench reads is frozen, or moving a file of `src` would break it and move its
/// figures.
#[test]
fn tests_and_benches_name_no_file_of_src() {
    let mut files = rust_files(&["tests", "benches", "xtask"]);
    for entry in std::fs::read_dir(repository("benches")).unwrap().flatten() {
        if entry.path().extension().is_some_and(|it| it == "py") {
            let name = format!("benches/{}", entry.file_name().to_string_lossy());
            files.push((name, std::fs::read_to_string(entry.path()).unwrap()));
        }
    }
    for (path, text) in files {
        if MAY_NAME_A_SOURCE.iter().any(|(file, _)| *file == path) {
            continue;
        }
        // The folder as a whole, and what an `include_str!` from beside it would name.
        for name in
            ["repository(\"src", "root().join(\"src", "DIR\")).join(\"src", "../src/", "'/src/"]
        {
            assert!(!text.contains(name), "{path}: {name} names our sources; use tests/fixtures");
        }
        for (at, _) in text.match_indices("src/") {
            let is_of_a_name = |it: char| it.is_alphanumeric() || "_-./".contains(it);
            let before = text[..at].rsplit(|it| !is_of_a_name(it)).next().unwrap();
            let named: String = text[at..].chars().take_while(|it| is_of_a_name(*it)).collect();
            assert!(
                !before.is_empty() || !repository(named.trim_end_matches('.')).is_file(),
                "{path}: `{named}` is one of our sources; use tests/fixtures"
            );
        }
    }
}

/// Files of tests that may sleep, with what for: a pause that is part of what is tried. To wait for
/// something there is `support::until`, and that something does not happen is asserted after a
/// barrier.
const MAY_SLEEP: &[(&str, &str)] = &[
    ("tests/it/support/wait.rs", "between two looks"),
    ("tests/it/peer.rs", "a server that is slow"),
    ("tests/it/ledger.rs", "a process that holds, and one that is killed after a while"),
    ("tests/it/escalation_kills.rs", "a server that is killed after a while"),
    ("tests/it/escalation_one_view.rs", "a person who types"),
    ("tests/it/cancel.rs", "a person who types"),
    ("tests/it/nvim.rs", "a person who types"),
    ("tests/it/helix/driver.rs", "a person who types"),
    ("tests/it/terminal.rs", "a person who types"),
    ("tests/it/emacs.rs", "a person who types"),
    ("tests/it/ends.rs", "a client that sends after a while"),
];

#[test]
fn tests_wait_and_start_the_program_in_one_way() {
    let (sleep, program) = (concat!("::sleep", "("), concat!("CARGO_BIN_EXE_", "keyside"));
    let files = rust_files(&["tests"]);
    for (path, text) in &files {
        let may_sleep = MAY_SLEEP.iter().any(|(file, _)| file == path);
        let sleeps = text.contains(sleep);
        assert!(may_sleep || !sleeps, "{path}: wait by `until`, or assert after a barrier");
        assert!(sleeps || !may_sleep, "{path} sleeps no more; take it off the list");
        let is_home = path == "tests/it/support/program.rs";
        assert!(is_home || !text.contains(program), "{path}: `support::keyside` is the program");
    }
}

#[test]
fn no_dependency_but_the_brokers_own_has_an_http_client() {
    let lock = std::fs::read_to_string(repository("Cargo.lock")).unwrap();
    let users = |of: &str| -> Vec<&str> {
        let line = format!("\n \"{of}\",");
        let packages = lock.split("[[package]]").filter(|it| it.contains(&line));
        packages.filter_map(|it| it.split('"').nth(1)).collect()
    };
    assert_eq!(users("reqwest"), ["keyside"]);
    // Of keyside itself its server's side, for the completions endpoint.
    assert_eq!(users("hyper"), ["hyper-rustls", "hyper-util", "keyside", "reqwest"]);
    for name in ["ureq", "curl", "isahc", "openssl", "native-tls", "hf-hub", "minreq", "attohttpc"]
    {
        assert!(
            !lock.contains(&format!("name = \"{name}\"\n")),
            "{name} came in with a dependency"
        );
    }
}
