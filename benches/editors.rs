//! From a key to what is suggested on the screen of a real Neovim and a real Helix, and a minute of
//! typing in each with keyside and without: `cargo bench --bench editors`. VS Code has the same as
//! `npm run measure` in `editors/vscode`.
//!
//! The editors are those of `cargo xtask test`; keys go to a terminal, and the time is taken when the
//! cells of its screen have changed.

#![cfg(all(target_os = "linux", feature = "llama"))]

#[path = "../tests/it/helix/driver.rs"]
#[expect(dead_code, unreachable_pub, reason = "shared with the tests")]
mod helix;
#[path = "../tests/it/support.rs"]
#[expect(dead_code, unreachable_pub, clippy::unwrap_used, reason = "shared with the tests")]
mod support;
#[path = "../tests/it/terminal.rs"]
#[expect(dead_code, unreachable_pub, reason = "shared with the tests")]
mod terminal;

use std::path::Path;
use std::time::{Duration, Instant};

use helix::Helix;
use terminal::neovim::{GHOST, GHOST_COLOUR, NeovimInTerminal};
use terminal::samples::TOTALS;
use terminal::{Terminal, text_in};

const SIZE: (u16, u16) = (30, 100);
/// Between two keys of a person who looks at what is suggested.
const CALM: Duration = Duration::from_millis(180);
/// 15 keys a second.
const FAST: Duration = Duration::from_nanos(1_000_000_000 / 15);
const N_KEYS: usize = 900;
const LINE: &str = "value = compute(first, second) + other[index] - total\n";
const WORDS: [&str; 8] = ["map", "let", "alpha", "beta", "gamma", "delta", "copied", "unwrap_or"];
const OFF: &str = "[completion]\nenabled = false\n";
const ESCAPE: &str = "\x1b";

fn main() {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load before: {}", load.split(' ').next().unwrap_or("not known"));
    neovim_latency();
    helix_latency();
    for is_on in [true, false] {
        neovim_minute(is_on);
        helix_minute(is_on);
    }
}

/// Milliseconds of keys: median, 95%, most.
fn show(what: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times.get(((times.len().max(1) - 1) as f64 * part).round() as usize);
    let [median, late, most] = [0.5, 0.95, 1.0].map(|it| at(it).copied().unwrap_or(f64::NAN));
    let n = times.len();
    println!("{what:<58} median {median:6.1}  95% {late:6.1}  most {most:6.1} ms  (n = {n})");
}

fn ms(from: Instant, to: Instant) -> f64 {
    to.duration_since(from).as_secs_f64() * 1e3
}

/// Times of keys after which something is suggested.
#[derive(Default)]
struct Seen {
    /// Where nothing was before, and anything else than before.
    new: Vec<f64>,
    other: Vec<f64>,
}

/// Types a text calmly, and looks after each key for something else than was suggested before it.
fn type_calmly(
    terminal: &Terminal,
    text: &str,
    suggested: &dyn Fn(&vt100::Screen) -> String,
    seen: &mut Seen,
) {
    for key in text.chars() {
        let before = terminal.look(suggested);
        let began = Instant::now();
        terminal.press(key.encode_utf8(&mut [0; 4]));
        let other = |screen: &vt100::Screen| {
            Some(suggested(screen)).filter(|it| !it.is_empty() && *it != before)
        };
        if let Some((_, at)) = terminal.wait(CALM, other) {
            seen.other.push(ms(began, at));
            if before.is_empty() {
                seen.new.push(ms(began, at));
            }
        }
        std::thread::sleep(CALM.saturating_sub(began.elapsed()));
    }
}

fn neovim_latency() {
    let nvim = NeovimInTerminal::open("totals.rs", TOTALS, GHOST_COLOUR, SIZE, "keyside: ready");
    let mut seen = Seen::default();
    for round in 0..16 {
        nvim.keys(ESCAPE, CALM);
        nvim.keys("8GS", CALM);
        let text = format!("    let {}s{round} = map.get", WORDS[round % WORDS.len()]);
        type_calmly(&nvim.terminal, &text, &|screen| text_in(screen, GHOST), &mut seen);
    }
    show("Neovim: key to ghost text where there was none", seen.new);
    show("Neovim: key to other ghost text", seen.other);
}

/// The popup's entry that keyside has made: its row is below the caret.
fn entry(screen: &vt100::Screen) -> String {
    let below = usize::from(screen.cursor_position().0) + 1;
    let row = screen.rows(0, 120).nth(below).unwrap_or_default();
    row.trim_end().strip_suffix(" text").unwrap_or_default().trim().to_owned()
}

fn helix_latency() {
    let editor =
        "[editor]\ncompletion-timeout = 5\ncompletion-trigger-len = 1\nauto-pairs = false\n";
    let helix = Helix::open_with("totals.rs", TOTALS, "", editor);
    let mut seen = Seen::default();
    for round in 0..16 {
        let again = if round > 0 { "u" } else { "" };
        helix.keys(&format!("{ESCAPE}{ESCAPE}{again}8GO"));
        let text = format!("let {}s{round} = map.get", WORDS[round % WORDS.len()]);
        type_calmly(&helix.terminal, &text, &entry, &mut seen);
    }
    show("Helix: key to an entry of the popup where there was none", seen.new);
    show("Helix: key to another entry", seen.other);
}

/// Types a minute at 15 keys a second. Returns the times from a key to the caret behind it.
fn type_fast(terminal: &Terminal) -> (String, Vec<f64>) {
    let text: String = LINE.chars().cycle().take(N_KEYS).collect();
    let (began, mut times) = (Instant::now(), Vec::new());
    for (index, key) in text.chars().enumerate() {
        let before = terminal.look(vt100::Screen::cursor_position);
        let pressed = Instant::now();
        let key = if key == '\n' { '\r' } else { key };
        terminal.press(key.encode_utf8(&mut [0; 4]));
        let next = began + FAST * (index as u32 + 1);
        let left = next.saturating_duration_since(pressed);
        let moved = |it: &vt100::Screen| (it.cursor_position() != before).then_some(());
        if let Some(((), at)) = terminal.wait(left, moved) {
            times.push(ms(pressed, at));
        }
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    (text, times)
}

/// What is in the file has to be what was typed.
fn check(what: &str, file: &Path, text: &str, stale: &str) {
    let saved = support::until_blocking(|| {
        let saved = std::fs::read_to_string(file).ok()?;
        (saved.len() >= text.len()).then_some(saved)
    });
    assert_eq!(saved.trim_end(), text.trim_end(), "{what}: not what was typed");
    assert_eq!(stale, "", "{what}: a stale suggestion");
}

fn neovim_minute(is_on: bool) {
    let (says, what) = if is_on { ("keyside: ready", "with") } else { ("keyside: off", "without") };
    let lua = format!(
        "vim.cmd('filetype indent off') vim.o.autoindent = false
         {GHOST_COLOUR}
         vim.lsp.config('keyside', {{ init_options = {{ completion = {{ enabled = {is_on} }} }} }})"
    );
    let nvim = NeovimInTerminal::open("minute.rs", "", &lua, SIZE, says);
    nvim.keys("i", CALM);
    let (text, times) = type_fast(&nvim.terminal);
    nvim.keys(&format!("{ESCAPE}:w\r"), CALM);
    check("Neovim", &nvim.file, &text, &nvim.ghost());
    show(&format!("Neovim, {N_KEYS} keys {what} keyside: key to its letter"), times);
}

fn helix_minute(is_on: bool) {
    let what = if is_on { "with" } else { "without" };
    let editor = "[editor]\ncompletion-timeout = 5\nauto-pairs = false\n";
    let settings = if is_on { "" } else { OFF };
    let helix = Helix::open_with("minute.rs", "\n", settings, editor);
    helix.keys("i");
    let (text, times) = type_fast(&helix.terminal);
    helix.keys(&format!("{ESCAPE}{ESCAPE}:w\r"));
    check("Helix", &helix.file, &text, &helix.entry().unwrap_or_default());
    show(&format!("Helix, {N_KEYS} keys {what} keyside: key to its letter"), times);
}
