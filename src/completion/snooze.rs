//! A while in which nothing is suggested unasked, because a person said so.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Ends by itself.
#[derive(Default)]
pub struct Snooze {
    /// Locked for a look.
    until: Mutex<Option<Instant>>,
}

impl Snooze {
    /// From now on for this long; nothing ends it.
    pub fn set(&self, time: Duration) {
        *self.until() = (!time.is_zero()).then(|| Instant::now() + time);
    }

    /// How much of it is left, if any is.
    pub fn left(&self) -> Option<Duration> {
        let until = (*self.until())?;
        Some(until.saturating_duration_since(Instant::now())).filter(|it| !it.is_zero())
    }

    fn until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_by_itself_and_by_nothing_more() {
        let snooze = Snooze::default();
        assert_eq!(snooze.left(), None);
        snooze.set(Duration::from_secs(60));
        assert!(snooze.left().is_some_and(|it| it <= Duration::from_secs(60)));
        snooze.set(Duration::ZERO);
        assert_eq!(snooze.left(), None);
        snooze.set(Duration::from_nanos(1));
        while snooze.left().is_some() {}
    }
}
