//! What ghost text looks like in a real Neovim and a real Helix, on a terminal's screen. With
//! `UPDATE_EXPECT=1` the screens become the pictures of the documents (`docs/picture`).

use std::time::Duration;

use crate::helix::driver::Helix;
use crate::support::{repository, until_blocking};
use crate::terminal::neovim::{GHOST_COLOUR, NeovimInTerminal};
use crate::terminal::picture::svg;
use crate::terminal::samples::TOTALS;

const INVENTORY: &str = "docs/picture/inventory.rs";
/// What a page of a document bears.
const MOST_BYTES: usize = 150_000;
/// Between two keys of a person who types fast.
const GAP: Duration = Duration::from_millis(60);
const SIZE: (u16, u16) = (22, 92);

/// What is typed into it, and how much of it has to be suggested.
const TYPED: &str = "let entry = self.it";
const MANY: usize = 8;
/// Whoever asks by key, Alt+\\, is shown all of it.
const ASK: &str = "\x1b\\";

/// The file that is shown, before the body of its last function is written.
fn before() -> String {
    let text = std::fs::read_to_string(repository(INVENTORY)).expect("the file that is shown");
    let lines: Vec<&str> = text.lines().take(16).collect();
    lines.join("\n") + "\n        \n    }\n}\n"
}

fn keep(name: &str, drawn: &str) {
    assert!(drawn.len() < MOST_BYTES, "{name}: {} bytes", drawn.len());
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(repository("docs/picture").join(name), drawn).expect("write the picture");
    }
    let kept = std::fs::metadata(repository("docs/picture").join(name)).expect("the picture");
    assert!((1_000..MOST_BYTES as u64).contains(&kept.len()), "{name}: {} bytes", kept.len());
}

#[test]
fn the_ghost_has_a_colour_of_its_own_and_tab_makes_text_of_it() {
    let nvim = NeovimInTerminal::open("totals.rs", TOTALS, GHOST_COLOUR, SIZE, "keyside: ready");
    nvim.keys("7Go", GAP);
    nvim.keys("let epsilon = map.get(\"epsilon\").copied().un", GAP);
    let ghost = until_blocking(|| Some(nvim.ghost()).filter(|it| !it.is_empty()));
    nvim.keys("\t\x1b:w\r", GAP);
    let saved = until_blocking(|| {
        let saved = std::fs::read_to_string(&nvim.file).ok()?;
        (saved != TOTALS && saved.ends_with("}\n")).then_some(saved)
    });
    let first = ghost.lines().next().unwrap();
    assert!(saved.contains(first), "{first:?} is not in {saved}");
    assert_eq!(nvim.ghost(), "", "what is taken is no ghost any more");
}

#[test]
fn neovim_shows_ghost_text_behind_the_caret() {
    let lua = "vim.o.number, vim.o.numberwidth = true, 4";
    let nvim = NeovimInTerminal::open("inventory.rs", &before(), lua, SIZE, "keyside: ready");
    nvim.keys("17GA", GAP);
    nvim.keys(TYPED, GAP);
    // The cells behind the caret hold nothing that was typed.
    let behind = |least: usize| {
        let text = nvim.terminal.look(|screen| {
            let (row, column) = screen.cursor_position();
            screen.contents_between(row, column, row, SIZE.1)
        });
        Some(text.trim_end().to_owned()).filter(|it| it.chars().count() >= least)
    };
    until_blocking(|| behind(1));
    nvim.terminal.press(ASK);
    let ghost = until_blocking(|| behind(MANY));
    let drawn = nvim.terminal.look(|it| svg(it, "Ghost text in Neovim", SIZE.0 - 1));
    let begin: String = ghost.chars().take_while(|it| !"&<>".contains(*it)).collect();
    assert!(drawn.contains(&begin), "{ghost:?} is not in the picture");
    keep("neovim.svg", &drawn);
}

#[test]
fn helix_shows_a_suggestion_as_the_first_entry_of_its_popup() {
    let editor =
        "[editor]\ntrue-color = true\ncompletion-timeout = 5\ncompletion-trigger-len = 1\n";
    let helix = Helix::open_with("inventory.rs", &before(), "", editor);
    helix.keys("17GA");
    // Its popup has what is more than a name, whether a person asks or not.
    let (_, entry) = helix.type_until_entry("let entry = s");
    assert!(entry.contains(|it: char| !it.is_alphanumeric() && it != '_'), "{entry:?}");
    let drawn = helix.terminal.look(|it| svg(it, "A suggestion in Helix", SIZE.0 + 2));
    keep("helix.svg", &drawn);
}
