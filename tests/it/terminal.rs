//! A terminal of its own for a program: keys go in, and the screen is read, cell by cell. Tests of
//! editors stand on it, and the bench of editors.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[path = "terminal/neovim.rs"]
pub mod neovim;
#[path = "terminal/picture.rs"]
pub mod picture;
#[path = "terminal/samples.rs"]
pub mod samples;

use crate::support::{PATIENCE, until_blocking};

/// What a program asks a terminal for, and what it is told: an ordinary one.
const ASKED: &[u8] = b"\x1b[c";
const TOLD: &[u8] = b"\x1b[?62c";

pub struct Terminal {
    keyboard: File,
    shown: Arc<Shown>,
    columns: u16,
}

/// The screen; whoever waits is woken when a program has drawn.
struct Shown {
    screen: Mutex<vt100::Parser>,
    changed: Condvar,
}

impl Shown {
    fn lock(&self) -> MutexGuard<'_, vt100::Parser> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Terminal {
    /// Starts a program in a terminal of this size.
    pub fn start(mut command: Command, rows: u16, columns: u16) -> (Self, Child) {
        let (keyboard, inside) = open(rows, columns);
        let stream = || Stdio::from(inside.try_clone().expect("another handle"));
        command.stdin(stream()).stdout(stream()).stderr(stream());
        // SAFETY: both are system calls that may be made between fork and exec.
        unsafe {
            command.pre_exec(|| {
                if libc::setsid() < 0 || libc::ioctl(0, libc::TIOCSCTTY, 0) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let child = command.spawn().expect("start the program");
        drop(command);
        drop(inside);
        let size = |n| NonZero::new(n).expect("some");
        let screen = Mutex::new(vt100::Parser::new(size(rows), size(columns), 0));
        let shown = Arc::new(Shown { screen, changed: Condvar::new() });
        let (shows, output) = (Arc::clone(&shown), keyboard.try_clone().expect("another handle"));
        std::thread::spawn(move || show(output, &shows));
        (Self { keyboard, shown, columns }, child)
    }

    /// Presses one key: its bytes, as a terminal sends them.
    pub fn press(&self, key: &str) {
        (&self.keyboard).write_all(key.as_bytes()).expect("a terminal that takes a key");
    }

    /// Types, one key after the other.
    pub fn keys(&self, keys: &str, gap: Duration) {
        for key in keys.chars() {
            self.press(key.encode_utf8(&mut [0; 4]));
            std::thread::sleep(gap);
        }
    }

    /// The rows of the screen, without blanks at their ends.
    pub fn rows(&self) -> Vec<String> {
        let parser = self.shown.lock();
        parser.screen().rows(0, self.columns).map(|it| it.trim_end().to_owned()).collect()
    }

    pub fn look<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(self.shown.lock().screen())
    }

    /// The row `n_below` the caret's.
    pub fn row(&self, n_below: usize) -> Option<String> {
        let row = usize::from(self.look(|it| it.cursor_position().0));
        self.rows().into_iter().nth(row + n_below)
    }

    /// Waits until the rows are as they should be; fails with what they are instead.
    #[track_caller]
    pub fn until_rows(&self, what: &str, done: impl Fn(&[String]) -> bool) -> Vec<String> {
        let began = Instant::now();
        until_blocking(|| {
            let rows = self.rows();
            let is_late = began.elapsed() > PATIENCE / 2;
            assert!(!is_late || done(&rows), "no {what}:\n{}", rows.join("\n"));
            done(&rows).then_some(rows)
        })
    }

    /// Looks at the screen now and whenever it has changed, until there is an answer; with the time
    /// at which it was there. `None` after `patience`.
    pub fn wait<T>(
        &self,
        patience: Duration,
        mut look: impl FnMut(&vt100::Screen) -> Option<T>,
    ) -> Option<(T, Instant)> {
        let until = Instant::now() + patience;
        let mut parser = self.shown.lock();
        loop {
            let now = Instant::now();
            if let Some(answer) = look(parser.screen()) {
                return Some((answer, now));
            }
            let left = until.checked_duration_since(now)?;
            let woken = self.shown.changed.wait_timeout(parser, left);
            parser = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The text of the cells that are written in this colour, in the order of the screen; a row's are
/// ended by a line break.
pub fn text_in(screen: &vt100::Screen, colour: vt100::Color) -> String {
    let (rows, columns) = screen.size();
    let mut text = String::new();
    for row in 0..rows.get() {
        let before = text.len();
        let cells = (0..columns.get()).filter_map(|column| screen.cell(row, column));
        for cell in cells.filter(|it| it.fgcolor() == colour) {
            text.push_str(if cell.has_contents() { cell.contents() } else { " " });
        }
        text.truncate(text.trim_end_matches(' ').len().max(before));
        if text.len() > before {
            text.push('\n');
        }
    }
    text.truncate(text.trim_end_matches('\n').len());
    text
}

/// Shows what a program writes, and answers what it asks, until it is gone.
fn show(mut output: File, shown: &Shown) {
    let mut bytes = [0; 1 << 16];
    while let Ok(n @ 1..) = output.read(&mut bytes) {
        shown.lock().process(&bytes[..n]);
        shown.changed.notify_all();
        if bytes[..n].windows(ASKED.len()).any(|it| it == ASKED) {
            let _ = output.write_all(TOLD);
        }
    }
}

/// Both ends of a new terminal: ours, and the program's.
fn open(rows: u16, columns: u16) -> (File, OwnedFd) {
    let (mut ours, mut theirs) = (-1, -1);
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the places to write to live as long as the call, and nothing else is given.
    let made = unsafe {
        libc::openpty(&raw mut ours, &raw mut theirs, std::ptr::null_mut(), std::ptr::null(), &size)
    };
    assert_eq!(made, 0, "a terminal: {}", std::io::Error::last_os_error());
    // A program that is started elsewhere meanwhile must not hold them open.
    for end in [ours, theirs] {
        // SAFETY: it is open, and sets a flag of it.
        unsafe { libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    // SAFETY: the call has opened both for whoever made it.
    unsafe { (File::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) }
}
