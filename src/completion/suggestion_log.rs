//! What is shown and what becomes of it, counted as a person would: a suggestion that stays while
//! somebody types along it is one.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use serde::Deserialize;

use crate::completion::completer::Completer;
use crate::completion::result::Completion;
use crate::completion::stats::Stats;
use crate::ledger::{Name, Suggested, unix_ms};

/// Suggestions that may be accepted yet: a popup's list may be old.
const KEPT: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// What a person takes of a suggestion with one key, where it is not all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AcceptedUnit {
    Word,
    Line,
}

/// Locked for a look-up.
pub(crate) struct SuggestionLog(Mutex<State>);

struct State {
    /// By the number that names them to the client.
    known: LruCache<u64, Known>,
    /// The suggestion that was counted as shown last, as [`Known::suggestion`].
    on_screen: u64,
    /// Something of it was taken, or it was rejected.
    is_settled: bool,
}

struct Known {
    /// Characters that are left of each item.
    items: Vec<u32>,
    /// The same for what is left of a suggestion while somebody types along it.
    suggestion: u64,
}

/// What happened to one suggestion.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    n_shown: u32,
    n_accepted: u32,
    n_words: u32,
    n_lines: u32,
    n_rejected: u32,
    n_spared_characters: u32,
}

impl Default for SuggestionLog {
    fn default() -> Self {
        let known = LruCache::new(KEPT);
        Self(Mutex::new(State { known, on_screen: 0, is_settled: true }))
    }
}

impl SuggestionLog {
    /// Remembers an answer.
    fn answered(&self, uri: &str, caret: usize, completion: &Completion) {
        let n_chars = |text: &str, n_replaced: usize| {
            u32::try_from(text.chars().count().saturating_sub(n_replaced)).unwrap_or(u32::MAX)
        };
        let others = completion.alternatives.iter().map(|it| n_chars(&it.text, it.replaced_after));
        let first = n_chars(&completion.text, completion.replaced_after);
        let items = std::iter::once(first).chain(others).collect();
        // Who types along moves the caret, and not the suggestion's end.
        let mut hasher = DefaultHasher::new();
        let end = caret + completion.text.chars().count();
        (uri, end, completion.text.chars().next_back()).hash(&mut hasher);
        self.lock().known.put(completion.id, Known { items, suggestion: hasher.finish() });
    }

    /// It is on the screen. `None` where it was there already, or is not known.
    fn shown(&self, id: u64) -> Option<Counts> {
        let mut state = self.lock();
        let suggestion = state.known.peek(&id)?.suggestion;
        let n_shown = state.show(suggestion);
        (n_shown > 0).then(|| Counts { n_shown, ..Counts::default() })
    }

    /// All that is left of it was taken. `None` where it is not known, or was accepted before. The
    /// key that accepts it is not spared.
    fn accepted(&self, id: u64, index: usize) -> Option<Counts> {
        let mut state = self.lock();
        let known = state.known.pop(&id)?;
        let n_characters = known.items.get(index).or(known.items.first())?;
        let n_shown = state.show(known.suggestion);
        state.is_settled = true;
        Some(Counts {
            n_shown,
            n_accepted: 1,
            n_spared_characters: n_characters.saturating_sub(1),
            ..Counts::default()
        })
    }

    /// `n_characters` of it were taken, and more is left. `None` where it is not known, or nothing
    /// is left of it.
    fn part_accepted(
        &self,
        id: u64,
        index: usize,
        unit: AcceptedUnit,
        n_characters: u32,
    ) -> Option<Counts> {
        let mut state = self.lock();
        let known = state.known.get_mut(&id)?;
        let index = if index < known.items.len() { index } else { 0 };
        let left = known.items.get_mut(index)?;
        let n_taken = n_characters.min(*left);
        if n_taken == 0 {
            return None;
        }
        *left -= n_taken;
        let suggestion = known.suggestion;
        let n_shown = state.show(suggestion);
        state.is_settled = true;
        Some(Counts {
            n_shown,
            n_words: u32::from(unit == AcceptedUnit::Word),
            n_lines: u32::from(unit == AcceptedUnit::Line),
            n_spared_characters: n_taken - 1,
            ..Counts::default()
        })
    }

    /// It went away with nothing of it taken. `None` where it was not on the screen, or something
    /// became of it before.
    fn rejected(&self, id: u64) -> Option<Counts> {
        let mut state = self.lock();
        let suggestion = state.known.peek(&id)?.suggestion;
        if state.on_screen != suggestion || std::mem::replace(&mut state.is_settled, true) {
            return None;
        }
        Some(Counts { n_rejected: 1, ..Counts::default() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// 1, where it was not on the screen before.
    fn show(&mut self, suggestion: u64) -> u32 {
        if self.on_screen == suggestion {
            return 0;
        }
        (self.on_screen, self.is_settled) = (suggestion, false);
        1
    }
}

/// What the client reports of suggestions; all of it goes into the ledger.
impl Completer {
    /// Notes an answer. `is_shown` where the client does not report what it shows: then what is
    /// answered counts as shown.
    pub(crate) fn note_answered(
        &self,
        uri: &Arc<str>,
        caret: usize,
        completion: &Completion,
        is_shown: bool,
    ) {
        self.suggestions.answered(uri, caret, completion);
        if is_shown {
            self.note_displayed(completion.id);
        }
    }

    /// Notes that a suggestion is on the screen, which counts once, however long somebody types
    /// along it.
    pub(crate) fn note_displayed(&self, id: u64) {
        self.record(self.suggestions.shown(id));
    }

    /// Notes that a suggestion was accepted, whole; `index` tells which of several items.
    pub(crate) fn note_accepted(&self, id: u64, index: usize) {
        Stats::count(&self.stats.accepted);
        self.record(self.suggestions.accepted(id, index));
    }

    /// Notes that a word or a line of a suggestion was accepted.
    pub(crate) fn note_part_accepted(
        &self,
        id: u64,
        index: usize,
        unit: AcceptedUnit,
        n_characters: u32,
    ) {
        let counts = self.suggestions.part_accepted(id, index, unit, n_characters);
        if counts.is_some() {
            Stats::count(&self.stats.accepted_parts);
        }
        self.record(counts);
    }

    /// Notes that a suggestion was dismissed.
    pub(crate) fn note_rejected(&self, id: u64) {
        let counts = self.suggestions.rejected(id);
        if counts.is_some() {
            Stats::count(&self.stats.rejected);
        }
        self.record(counts);
    }

    fn record(&self, counts: Option<Counts>) {
        let Some(counts) = counts else { return };
        self.record_suggested(|model: Name| Suggested {
            at_unix_ms: unix_ms(),
            model,
            n_shown: counts.n_shown,
            n_accepted: counts.n_accepted,
            n_accepted_words: counts.n_words,
            n_accepted_lines: counts.n_lines,
            n_rejected: counts.n_rejected,
            n_spared_characters: counts.n_spared_characters,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORD: Counts = Counts {
        n_shown: 0,
        n_accepted: 0,
        n_words: 1,
        n_lines: 0,
        n_rejected: 0,
        n_spared_characters: 3,
    };

    /// A log in which suggestion 1 has ten characters and 2 is the same, five characters on.
    fn log() -> SuggestionLog {
        let log = SuggestionLog::default();
        let know = |id, n_characters, suggestion| {
            log.lock().known.put(id, Known { items: vec![n_characters], suggestion });
        };
        know(1, 10, 77);
        know(2, 5, 77);
        know(3, 8, 78);
        log
    }

    #[test]
    fn what_stays_is_shown_once() {
        let log = log();
        assert_eq!(log.shown(1).map(|it| it.n_shown), Some(1));
        assert_eq!(log.shown(2), None);
        assert_eq!(log.shown(3).map(|it| it.n_shown), Some(1));
        assert_eq!(log.shown(4), None);
    }

    #[test]
    fn parts_are_bounded_by_what_is_left() {
        let log = log();
        log.shown(1);
        assert_eq!(log.part_accepted(1, 0, AcceptedUnit::Word, 4), Some(WORD));
        let rest = Counts { n_words: 0, n_lines: 1, n_spared_characters: 5, ..WORD };
        assert_eq!(log.part_accepted(1, 9, AcceptedUnit::Line, u32::MAX), Some(rest));
        assert_eq!(log.part_accepted(1, 0, AcceptedUnit::Line, 1), None);
        assert_eq!(log.part_accepted(9, 0, AcceptedUnit::Line, 1), None);
        // What is left of it is nothing, and it was accepted all the same.
        assert_eq!(log.accepted(1, 0).map(|it| it.n_spared_characters), Some(0));
        assert_eq!(log.accepted(1, 0), None);
    }

    #[test]
    fn what_was_taken_or_not_shown_is_not_rejected() {
        let log = log();
        assert_eq!(log.rejected(1), None, "it is not on the screen");
        log.shown(1);
        assert_eq!(log.rejected(3), None, "another one is");
        // Typed along: the same suggestion under another number.
        assert_eq!(log.rejected(2).map(|it| it.n_rejected), Some(1));
        assert_eq!(log.rejected(1), None, "it was before");
        log.shown(3);
        log.part_accepted(3, 0, AcceptedUnit::Word, 4);
        assert_eq!(log.rejected(3), None, "a word of it was taken");
    }

    #[test]
    fn what_is_accepted_was_shown() {
        let log = log();
        let accepted = log.accepted(1, 0).unwrap();
        assert_eq!((accepted.n_shown, accepted.n_accepted), (1, 1));
        assert_eq!(log.accepted(2, 0).map(|it| it.n_shown), Some(0));
    }
}
