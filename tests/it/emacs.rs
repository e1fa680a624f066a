//! A real Emacs with our server in it, driven one key at a time in a terminal, as a person would:
//! by Eglot, which comes with it, and by lsp-mode. What is asserted stands on the screen or in the
//! file.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use crate::support::{PROGRAM, TempFolder, until_blocking};
use crate::terminal::Terminal;
use crate::terminal::samples::{EAGER, PYTHON_TOTALS};

const ROWS: u16 = 30;
const COLUMNS: u16 = 120;
/// Between two keys of a person who looks at what is suggested. lsp-mode asks when one pauses.
const GAP: Duration = Duration::from_millis(250);

/// What docs/editors.md says for Eglot, for Python, whose mode needs no grammar.
const EGLOT: &str = r#"
(with-eval-after-load 'eglot
  (add-to-list 'eglot-server-programs '(python-mode . (PROGRAM "serve"))))
(add-hook 'python-mode-hook #'eglot-ensure)
(add-hook 'eglot-managed-mode-hook #'completion-preview-mode)
(setq completion-preview-minimum-symbol-length nil)
"#;

/// What docs/editors.md says for lsp-mode, and what Debian's start of Emacs does for its packages.
const LSP_MODE: &str = r#"
(dolist (folder (directory-files PACKAGES t "^[a-z]")) (add-to-list 'load-path folder))
(load "lsp-mode-autoloads")
(require 'lsp-mode)
(lsp-register-client
 (make-lsp-client :new-connection (lsp-stdio-connection '(PROGRAM "serve"))
                  :activation-fn (lambda (&rest _) t)
                  :server-id 'keyside
                  :add-on? t))
(setq lsp-idle-delay 0.1 lsp-inline-completion-idle-delay 0.1)
(with-eval-after-load 'lsp-inline-completion
  (keymap-set lsp-inline-completion-active-map "TAB" #'lsp-inline-completion-accept))
(add-hook 'python-mode-hook #'lsp)
;; Of this test: no question on which folder is a project.
(setq lsp-auto-guess-root t)
"#;

/// The compiler of Emacs Lisp, which would be in the way, is no part of what is tried.
const QUIET: &str =
    "(setq native-comp-enable-subr-trampolines nil native-comp-jit-compilation nil)\n";

struct Emacs {
    home: TempFolder,
    child: Child,
    terminal: Terminal,
}

impl Emacs {
    /// Opens a file with these settings of Emacs, and waits until the mode line has `sign`.
    fn open(settings: &str, sign: &str) -> Self {
        let home = TempFolder::new();
        for folder in ["project/.git", "keyside"] {
            std::fs::create_dir_all(home.0.join(folder)).expect("make a folder for the test");
        }
        let program = find_emacs();
        let packages = program.with_file_name("emacs-nox-files/usr/share/emacs/site-lisp/elpa-src");
        let quoted = |path: &Path| format!("{:?}", path.display().to_string());
        let init = settings
            .replace("PROGRAM", &quoted(Path::new(PROGRAM)))
            .replace("PACKAGES", &quoted(&packages));
        std::fs::write(home.0.join("init.el"), QUIET.to_owned() + &init).expect("write init.el");
        std::fs::write(home.0.join("keyside/config.toml"), EAGER).expect("write the settings");
        std::fs::write(home.0.join("project/totals.py"), PYTHON_TOTALS)
            .expect("write the file to edit");
        let mut command = Command::new(program);
        command.args(["-Q", "-nw", "-l"]).arg(home.0.join("init.el"));
        command.arg(home.0.join("project/totals.py")).current_dir(&home.0);
        command.env("HOME", &home.0).env("KEYSIDE_HOME", home.0.join("keyside"));
        command.env("TERM", "xterm-256color").env_remove("COLORTERM");
        let (terminal, child) = Terminal::start(command, ROWS, COLUMNS);
        let emacs = Self { home, child, terminal };
        emacs.terminal.until_rows(&format!("{sign} in the mode line"), |rows| {
            rows.iter().any(|row| row.contains("totals.py") && row.contains(sign))
        });
        emacs
    }

    fn keys(&self, keys: &[&str]) {
        for key in keys {
            self.terminal.press(key);
            std::thread::sleep(GAP);
        }
    }

    /// What the screen has right of the caret, in a row that has `typed` left of it.
    fn ghost(&self, typed: &str) -> Option<String> {
        self.terminal.look(|screen| {
            let (row, caret) = screen.cursor_position();
            let text = |columns: Range<u16>| -> String {
                let cells = columns.filter_map(|column| screen.cell(row, column));
                cells.map(|it| if it.has_contents() { it.contents() } else { " " }).collect()
            };
            let ghost = text(caret..COLUMNS).trim_end().to_owned();
            (text(0..caret).ends_with(typed) && !ghost.is_empty()).then_some(ghost)
        })
    }

    /// Types until there is ghost text; returns what was typed, and the ghost.
    fn type_until_ghost(&self, text: &str) -> (String, String) {
        let mut typed = String::new();
        for c in text.chars() {
            self.keys(&[c.encode_utf8(&mut [0; 4])]);
            typed.push(c);
            if self.ghost(&typed).is_some() {
                break;
            }
        }
        self.terminal.until_rows("ghost text", |_| self.ghost(&typed).is_some());
        let ghost = self.ghost(&typed).expect("it stays while nothing is typed");
        (typed, ghost)
    }

    fn saved(&self) -> String {
        std::fs::read_to_string(self.home.0.join("project/totals.py")).unwrap_or_default()
    }
}

impl Drop for Emacs {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The one that `cargo xtask test` has fetched, with lsp-mode beside it.
fn find_emacs() -> PathBuf {
    if let Some(named) = std::env::var_os("KEYSIDE_TEST_EMACS") {
        return named.into();
    }
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/editors/emacs");
    assert!(fetched.exists(), "there is no Emacs to test with: `cargo xtask test` fetches one");
    fetched
}

/// Ghost text comes while a line is typed, and TAB makes text of it, in the file as on the screen.
fn tab_takes_the_ghost(settings: &str, sign: &str) {
    let emacs = Emacs::open(settings, sign);
    // Below the fifth line, where Emacs indents the next.
    emacs.keys(&["\x1b<", "\x0e", "\x0e", "\x0e", "\x0e", "\x05", "\r"]);
    let (typed, ghost) = emacs.type_until_ghost("epsilon = table.get(\"epsilon\", 0)");
    emacs.keys(&["\t"]);
    let line = format!("    {typed}{ghost}");
    emacs.terminal.until_rows("text where the ghost was", |rows| {
        rows.iter().any(|row| row.trim_start().starts_with(line.trim_start()))
    });
    emacs.keys(&["\x18", "\x13"]);
    let saved =
        until_blocking(|| Some(emacs.saved()).filter(|it| !it.is_empty() && it != PYTHON_TOTALS));
    assert_eq!(saved.lines().nth(5).map(|it| it.starts_with(&line)), Some(true), "{saved}");
}

#[test]
fn by_eglot_the_ghost_stands_behind_the_caret_and_tab_takes_it() {
    tab_takes_the_ghost(EGLOT, "[eglot:");
}

#[test]
fn by_lsp_mode_the_ghost_stands_behind_the_caret_and_tab_takes_it() {
    tab_takes_the_ghost(LSP_MODE, "LSP[keyside");
}
