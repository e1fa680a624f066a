//! `keyside complete FILE:LINE:COLUMN` sees what an editor's server sees, and `keyside` by itself says what it waits for.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{TempFolder, keyside, run};

/// A line that no model knows.
const LINE: &str = "let zorblatt = registry.lookup_zorblatt(&session, Flavour::Quixotic);";

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// What the program prints in a folder.
fn printed(folder: &Path, arguments: &[&str]) -> String {
    let home = TempFolder::new();
    let mut command = keyside(&home.0, arguments);
    command.current_dir(folder);
    let output = run(command, "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[cfg_attr(not(feature = "llama"), ignore = "needs the built-in model")]
fn complete_sees_the_workspace() {
    let other = format!("fn other() {{\n    {LINE}\n    {LINE}\n}}\n");
    let open = "fn open(session: Session) {\n    let zorblatt = \n}\n";
    for (is_repository, knows) in [(true, true), (false, false)] {
        let folder = TempFolder::new();
        write(&folder.0, "src/open.rs", open);
        write(&folder.0, "lib/other.rs", &other);
        if is_repository {
            std::fs::create_dir(folder.0.join(".git")).unwrap();
        }
        let out = printed(&folder.0.join("src"), &["complete", "open.rs:2:20"]);
        assert_eq!(out.contains("lookup_zorblatt"), knows, "{out}");
        let json = printed(&folder.0.join("src"), &["complete", "open.rs:2:20", "--json"]);
        let value: Value = serde_json::from_str(&json).unwrap();
        let shown = value["while_typing"]["completion"].as_str().unwrap();
        assert_eq!(shown.contains("lookup_zorblatt"), knows, "{value}");
        assert!(value["raw"].is_string() && value["dropped"].is_null(), "{value}");
    }
}

/// A terminal: the end that a person sits at, and the program's.
#[cfg(target_os = "linux")]
fn terminal() -> (std::fs::File, std::fs::File) {
    use std::os::fd::FromRawFd;
    let (mut person, mut program) = (0, 0);
    // SAFETY: both are set where it returns 0; it is asked for no name and given no settings.
    let made = unsafe {
        let none = std::ptr::null_mut();
        libc::openpty(&mut person, &mut program, none, std::ptr::null(), std::ptr::null())
    };
    assert_eq!(made, 0);
    // SAFETY: they were made just now, and belong to nobody else.
    unsafe { (std::fs::File::from_raw_fd(person), std::fs::File::from_raw_fd(program)) }
}

#[cfg(target_os = "linux")]
#[test]
fn the_server_in_a_terminal_says_what_it_waits_for() {
    let home = TempFolder::new();
    for arguments in [&[][..], &["serve"], &["--stdio"]] {
        let (person, program) = terminal();
        let mut child = keyside(&home.0, arguments)
            .stdin(program)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program");
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("keyside: ") && line.contains("waits for an editor"), "{line}");
        assert!(line.contains("keyside try") && line.contains("Ctrl+C"), "{line}");
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.stdout.is_empty(), "stdout is the protocol's");
        drop(person);
    }
    // A program that starts it has no use for that.
    let child = run(keyside(&home.0, &[]), "");
    assert!(!String::from_utf8_lossy(&child.stderr).contains("waits"), "{child:?}");
}

#[test]
fn numbers_are_asked_for_in_a_persons_words() {
    for (arguments, part) in [
        (&["try", "--lines", "x"][..], "write a whole number"),
        (&["try", "--from", "1.5"], "write a whole number"),
        (&["usage", "--days", "many"], "a whole number of days from 1 to 3650"),
        (&["usage", "--days", "0"], "a whole number of days from 1 to 3650"),
    ] {
        let home = TempFolder::new();
        let output = run(keyside(&home.0, arguments), "");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2));
        assert!(error.contains(part) && !error.contains("digit"), "{error}");
    }
}
