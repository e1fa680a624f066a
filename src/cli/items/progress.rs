//! How far a stream of items is, on a terminal: how many, how many a second, how long still.

use std::time::{Duration, Instant};

use crate::cli::terminal;

const SHOW_EVERY: Duration = Duration::from_millis(200);

/// Nothing where no person looks.
#[derive(Debug)]
pub struct ItemProgress {
    started: Instant,
    last_shown: Option<Instant>,
    is_shown: bool,
    n_bytes: u64,
    /// Of the input, where it is a file.
    total_bytes: Option<u64>,
}

impl ItemProgress {
    pub fn start() -> Self {
        let is_shown = terminal::shows_progress();
        let total_bytes = if is_shown { input_bytes() } else { None };
        Self { started: Instant::now(), last_shown: None, is_shown, n_bytes: 0, total_bytes }
    }

    /// So many bytes more of the input were read.
    pub fn read(&mut self, n_bytes: usize) {
        self.n_bytes += n_bytes as u64;
    }

    /// Shows where it is, but not at each item.
    pub fn show(&mut self, n_items: usize) {
        if !self.is_shown || self.last_shown.is_some_and(|it| it.elapsed() < SHOW_EVERY) {
            return;
        }
        self.last_shown = Some(Instant::now());
        let share = self.total_bytes.map(|total| self.n_bytes as f64 / total.max(1) as f64);
        terminal::progress(&sentence(n_items, self.started.elapsed(), share));
    }

    /// Takes the line away.
    pub fn end(&self) {
        if self.last_shown.is_some() {
            terminal::progress("");
        }
    }
}

/// `share` is how much of the input is done, from 0 to 1.
fn sentence(n_items: usize, elapsed: Duration, share: Option<f64>) -> String {
    let rate = n_items as f64 / elapsed.as_secs_f64().max(1e-3);
    let mut text = format!("{n_items} items, {rate:.0} a second");
    if let Some(share) = share.filter(|it| *it > 0.0) {
        let left = elapsed.as_secs_f64() * (1.0 - share).max(0.0) / share;
        text.push_str(&format!(", {:.0}%, {} left", share.min(1.0) * 100.0, in_words(left)));
    }
    text
}

fn in_words(seconds: f64) -> String {
    let seconds = seconds.ceil() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// How long standard input is, where it is a file.
#[cfg(unix)]
fn input_bytes() -> Option<u64> {
    use std::os::fd::AsFd;
    let input = std::io::stdin();
    let file = std::fs::File::from(input.as_fd().try_clone_to_owned().ok()?);
    file.metadata().ok().filter(std::fs::Metadata::is_file).map(|it| it.len())
}

#[cfg(not(unix))]
fn input_bytes() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_sees_how_fast_and_how_long_still() {
        let seconds = Duration::from_secs;
        assert_eq!(sentence(500, seconds(2), None), "500 items, 250 a second");
        let half = sentence(500, seconds(2), Some(0.5));
        assert_eq!(half, "500 items, 250 a second, 50%, 2 s left");
        let long = sentence(10, seconds(100), Some(0.01));
        assert_eq!(long, "10 items, 0 a second, 1%, 2 h 45 min left");
        assert_eq!(in_words(61.0), "1 min 1 s");
        // A file that has grown meanwhile.
        assert!(sentence(1, seconds(1), Some(1.5)).ends_with("100%, 0 s left"));
    }
}
