//! A real Kakoune with its language client kak-lsp and our server in it, driven one key at a time
//! in a terminal, as a person would. What is asserted stands on the screen or in the file.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use crate::support::{PROGRAM, TempFolder, until_blocking};
use crate::terminal::Terminal;
use crate::terminal::samples::{EAGER, PYTHON_TOTALS};

const ROWS: u16 = 30;
const COLUMNS: u16 = 120;
/// Between two keys of a person who looks at what is suggested. kak-lsp asks when one pauses.
const GAP: Duration = Duration::from_millis(250);

/// What docs/editors.md says, for Python.
const KAKRC: &str = r#"
eval %sh{kak-lsp}
hook global BufSetOption filetype=python %{
    set-option buffer lsp_servers %{
        [keyside]
        command = "PROGRAM"
        args = ["serve"]
        root_globs = [".git", ".hg"]
    }
}
lsp-enable
"#;

struct Kakoune {
    home: TempFolder,
    child: Child,
    terminal: Terminal,
}

impl Kakoune {
    fn open() -> Self {
        let home = TempFolder::new();
        for folder in ["project/.git", "keyside", "config/kak", "run"] {
            std::fs::create_dir_all(home.0.join(folder)).expect("make a folder for the test");
        }
        let kakrc = KAKRC.replace("PROGRAM", PROGRAM);
        std::fs::write(home.0.join("config/kak/kakrc"), kakrc).expect("write kakrc");
        std::fs::write(home.0.join("keyside/config.toml"), EAGER).expect("write the settings");
        std::fs::write(home.0.join("project/totals.py"), PYTHON_TOTALS)
            .expect("write the file to edit");
        // kak-lsp talks to Kakoune by the program of that name.
        let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/editors");
        let editors = std::env::var_os("KEYSIDE_TEST_KAK").map_or(fetched, PathBuf::from);
        let has_both = editors.join("kak").exists() && editors.join("kak-lsp").exists();
        assert!(has_both, "there is no Kakoune to test with: `cargo xtask test` fetches one");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(editors.clone()).chain(std::env::split_paths(&path));
        let mut command = Command::new(editors.join("kak"));
        command.arg(home.0.join("project/totals.py")).current_dir(&home.0);
        command.env("PATH", std::env::join_paths(folders).expect("a list of folders"));
        command.env("HOME", &home.0).env("KEYSIDE_HOME", home.0.join("keyside"));
        command.env("XDG_CONFIG_HOME", home.0.join("config"));
        command.env("XDG_RUNTIME_DIR", home.0.join("run"));
        command.env("TERM", "xterm-256color").env_remove("COLORTERM");
        let (terminal, child) = Terminal::start(command, ROWS, COLUMNS);
        let kakoune = Self { home, child, terminal };
        kakoune
            .terminal
            .until_rows("the file", |rows| rows.iter().any(|row| row.contains("def totals")));
        kakoune
    }

    /// Types, one key after the other.
    fn keys(&self, keys: &str) {
        self.terminal.keys(keys, GAP);
    }

    /// The first entry of the popup: in the row below the caret, with its kind and what else stands
    /// beside the popup behind it.
    fn entry(&self) -> Option<String> {
        let row = self.terminal.row(1)?;
        let (entry, _) = row.rsplit_once(" Text")?;
        Some(entry.trim().to_owned())
    }

    /// The row of the caret.
    fn line(&self) -> String {
        self.terminal.row(0).unwrap_or_default()
    }

    fn saved(&self) -> String {
        std::fs::read_to_string(self.home.0.join("project/totals.py")).unwrap_or_default()
    }
}

impl Drop for Kakoune {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_popup_has_the_suggestion_and_control_n_takes_it() {
    let kakoune = Kakoune::open();
    // Below the fifth line, at its indent, with a blank line below.
    kakoune.keys("5go");
    for c in "epsilon = table.get(\"epsilon\", 0)".chars() {
        kakoune.keys(c.encode_utf8(&mut [0; 4]));
        if kakoune.entry().is_some() {
            break;
        }
    }
    kakoune.terminal.until_rows("entry", |_| kakoune.entry().is_some());
    // What is selected is described beside the popup, by its server, and goes in with the next key.
    kakoune.keys("\x0e");
    kakoune
        .terminal
        .until_rows("description", |rows| rows.iter().any(|row| row.ends_with("keyside")));
    let entry = kakoune.entry().expect("it stays while nothing is typed");
    kakoune.keys("\x1b");
    let taken = until_blocking(|| Some(kakoune.line()).filter(|line| line.ends_with(&entry)));
    kakoune.keys(":w\r");
    let saved =
        until_blocking(|| Some(kakoune.saved()).filter(|it| !it.is_empty() && it != PYTHON_TOTALS));
    assert_eq!(saved.lines().nth(5).map(str::trim), Some(taken.trim()), "{saved}");
    kakoune.keys(":q!\r");
}
