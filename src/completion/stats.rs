//! Counts and times since the start; numbers and names only, never text.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::completion::result::CompletionSource;
use crate::lm::{Times, Usage};
use crate::prompt::finish::Dropped;

/// Counts of completions as the client sees them.
#[derive(Debug, Default)]
pub struct Stats {
    pub requested: AtomicU64,
    pub shown: AtomicU64,
    pub empty: AtomicU64,
    /// Of all, those that needed no model.
    pub reused: AtomicU64,
    pub accepted: AtomicU64,
    /// Words and lines of suggestions, each taken by itself.
    pub accepted_parts: AtomicU64,
    pub rejected: AtomicU64,
    last: Mutex<Option<LastCompletion>>,
}

/// The last completion that ran to its end.
#[derive(Debug, Clone, Copy)]
pub struct LastCompletion {
    pub usage: Usage,
    pub times: Times,
    /// Cutting the excerpt and assembling the prompt.
    pub assemble: Duration,
    pub total: Duration,
    pub confidence: f32,
    /// Where the text came from.
    pub source: CompletionSource,
    /// Why nothing was shown, if nothing was.
    pub dropped: Option<Dropped>,
}

impl Stats {
    pub fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub fn set_last(&self, last: LastCompletion) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }

    pub fn last(&self) -> Option<LastCompletion> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
