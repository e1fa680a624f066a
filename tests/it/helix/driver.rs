//! Helix in a terminal of its own: keys go in one at a time, and the screen is read.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{PROGRAM, TempFolder, until_blocking};
use crate::terminal::Terminal;

/// Between two keys of a person who types fast.
const GAP: Duration = Duration::from_millis(60);
const ROWS: u16 = 30;
const COLUMNS: u16 = 120;

/// A Helix with nothing of the person's own.
pub struct Helix {
    pub home: TempFolder,
    pub child: Child,
    pub terminal: Terminal,
    pub file: PathBuf,
}

/// A folder whose path fits into a line of the screen.
pub fn home() -> TempFolder {
    TempFolder::new()
}

impl Helix {
    /// Opens a file with this text, with these settings of keyside's, and waits until the server is
    /// there.
    pub fn open(name: &str, text: &str, settings: &str) -> Self {
        Self::open_with(name, text, settings, "")
    }

    /// The same, with a person's own settings of Helix.
    pub fn open_with(name: &str, text: &str, settings: &str, editor: &str) -> Self {
        let home = home();
        let file = home.0.join("project").join(name);
        for folder in ["project/.git", "keyside", "config/helix"] {
            std::fs::create_dir_all(home.0.join(folder)).expect("make a folder for the test");
        }
        std::fs::write(&file, text).expect("write the file to edit");
        std::fs::write(home.0.join("keyside/config.toml"), settings).expect("write the settings");
        let editor = format!("{editor}\n[editor.lsp]\ndisplay-progress-messages = true\n");
        std::fs::write(home.0.join("config/helix/config.toml"), editor)
            .expect("write Helix's settings");
        let mut set_up = isolated(Path::new(PROGRAM), &home.0);
        let done = set_up.args(["config", "helix", "--languages", "rust"]).output();
        assert!(done.expect("it runs").status.success());

        let mut command = isolated(&find_helix(), &home.0);
        command.arg("-v").arg("--log").arg(home.0.join("helix.log")).arg(&file);
        let (terminal, child) = Terminal::start(command, ROWS, COLUMNS);
        let helix = Self { home, child, terminal, file };
        let first = text.lines().next().expect("a line");
        helix.wait("the file", |rows| rows.iter().any(|it| it.contains(first)));
        // It answers nothing before it is there, and Helix has no sign of that on the screen.
        until_blocking(|| {
            let log = std::fs::read_to_string(helix.home.0.join("helix.log")).ok()?;
            log.contains("\"serverInfo\"").then_some(())
        });
        helix
    }

    /// Types, one key after the other; an escape sequence is one.
    pub fn keys(&self, keys: &str) {
        let mut rest = keys;
        while let Some(first) = rest.chars().next() {
            let n = if rest.starts_with("\x1b[") { 3 } else { first.len_utf8() };
            let (key, after) = rest.split_at(n);
            self.terminal.press(key);
            std::thread::sleep(GAP);
            rest = after;
        }
    }

    /// Types until the popup has an entry of keyside's; returns what was typed, and the entry.
    pub fn type_until_entry(&self, text: &str) -> (String, String) {
        let mut typed = String::new();
        for c in text.chars() {
            self.keys(c.encode_utf8(&mut [0; 4]));
            typed.push(c);
            if let Some(entry) = self.entry() {
                return (typed, entry);
            }
        }
        // On a busy machine the popup may have gone with a key that came before its answer.
        let mut asked = Instant::now();
        let entry = until_blocking(|| {
            if asked.elapsed() > Duration::from_secs(1) {
                self.keys("\x18");
                asked = Instant::now();
            }
            self.entry()
        });
        (typed, entry)
    }

    /// The first entry of the popup: in the row below the caret, behind what else is left of that,
    /// with its kind behind it.
    pub fn entry(&self) -> Option<String> {
        let row = self.terminal.row(1)?;
        let entry = row.trim_end().strip_suffix(" text")?.trim();
        let (_, entry) = entry.rsplit_once("  ").unwrap_or(("", entry));
        Some(entry.trim().to_owned())
    }

    /// How often Helix has asked for completions, and how often it was answered, by its log.
    pub fn completions(&self) -> (usize, usize) {
        let log = std::fs::read_to_string(self.home.0.join("helix.log")).unwrap_or_default();
        let messages = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line.get(line.find('{')?..)?).ok());
        let mut asked = Vec::new();
        let mut n_answered = 0;
        for message in messages {
            if message["method"] == "textDocument/completion" {
                asked.push(message["id"].clone());
            } else if message["method"].is_null() && asked.contains(&message["id"]) {
                n_answered += 1;
            }
        }
        (asked.len(), n_answered)
    }

    /// Presses keys after which Helix asks for completions, and waits until all are answered.
    pub fn keys_until_answered(&self, keys: &str) {
        let (n_before, _) = self.completions();
        self.keys(keys);
        until_blocking(|| {
            let (n_asked, n_answered) = self.completions();
            (n_asked > n_before && n_answered == n_asked).then_some(())
        });
    }

    /// What is on the disk; while it is written, nothing or a part may be.
    pub fn saved(&self) -> Option<String> {
        std::fs::read_to_string(&self.file).ok()
    }

    #[track_caller]
    pub fn wait(&self, what: &str, done: impl Fn(&[String]) -> bool) -> Vec<String> {
        self.terminal.until_rows(what, done)
    }
}

impl Drop for Helix {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn isolated(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(home).env("KEYSIDE_HOME", home.join("keyside"));
    for folder in ["CONFIG", "DATA", "STATE", "CACHE"] {
        command.env(format!("XDG_{folder}_HOME"), home.join(folder.to_lowercase()));
    }
    command.env("TERM", "xterm-256color").env_remove("COLORTERM").env_remove("HELIX_RUNTIME");
    command
}

/// The one that `cargo xtask test` has fetched, or that is named. Which is on the PATH is no matter:
/// releases up to 25.07 show no question.
pub fn find_helix() -> PathBuf {
    if let Some(named) = std::env::var_os("KEYSIDE_TEST_HX") {
        return named.into();
    }
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/editors/hx");
    assert!(fetched.exists(), "there is no Helix to test with: `cargo xtask test` fetches one");
    fetched
}
