//! Unrequested notes: of each kind a person gets five in a session, then one that says where the
//! others are. A workspace's settings with a thousand misspelt keys must not become a thousand
//! pop-ups.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// What notes are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoteKind {
    /// As they are at the start.
    Settings,
    /// As they are changed later.
    ChangedSettings,
    Documents,
    Model,
}

/// Of a kind, in a session.
const MAX_NOTES: usize = 5;

/// How many there were of each kind.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    counts: [AtomicUsize; 4],
    /// Notes on settings, which are checked all together whenever one changes. Locked for a look.
    told: Mutex<Vec<String>>,
}

impl Notes {
    /// What to tell of a note: itself, that more follow, or nothing. What is not told is in the
    /// log.
    pub(crate) fn next(&self, kind: NoteKind, note: String) -> Option<String> {
        let is_of_settings = matches!(kind, NoteKind::Settings | NoteKind::ChangedSettings);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if is_of_settings && told.contains(&note) {
            return None;
        }
        let n_before = self.counts[kind as usize].fetch_add(1, Ordering::Relaxed);
        if n_before < MAX_NOTES {
            if is_of_settings {
                told.push(note.clone());
            }
            return Some(note);
        }
        drop(told);
        tracing::warn!("{note}");
        let about = match kind {
            NoteKind::Settings | NoteKind::ChangedSettings => "the settings",
            NoteKind::Documents => "edits that could not be followed",
            NoteKind::Model => "the model",
        };
        (n_before == MAX_NOTES).then(|| {
            format!(
                "keyside: there are more notes on {about}; from here on they are in the server's log (its standard error, which \
                 your editor keeps)"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_says_that_more_follow_and_each_kind_counts_alone() {
        let notes = Notes::default();
        let told: Vec<Option<String>> =
            (1..=9).map(|n| notes.next(NoteKind::Settings, n.to_string())).collect();
        assert_eq!(told[4].as_deref(), Some("5"));
        let sixth = told[5].as_deref().unwrap_or_default();
        assert!(sixth.contains("more notes on the settings") && sixth.contains("log"), "{sixth}");
        assert_eq!(told[6..], [None, None, None]);
        assert_eq!(notes.next(NoteKind::Model, "m".to_owned()).as_deref(), Some("m"));
        assert_eq!(notes.next(NoteKind::ChangedSettings, "5".to_owned()), None, "told already");
        let next = notes.next(NoteKind::ChangedSettings, "9".to_owned());
        assert_eq!(next.as_deref(), Some("9"));
    }
}
