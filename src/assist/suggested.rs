//! What is shown and what is accepted of it, counted as a person would: a suggestion that stays while somebody types along it is one.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::assist::complete::Completion;
use crate::store::{Name, Suggested, unix_ms};

/// Suggestions that may be accepted yet: a popup's list may be old.
const KEPT: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// Locked for a look-up.
pub(crate) struct Shown(Mutex<Kept>);

struct Kept {
    /// Characters that each item puts in, by the suggestion's number.
    items: LruCache<u64, Vec<u32>>,
    /// Stands for what is on the screen.
    on_screen: u64,
}

impl Default for Shown {
    fn default() -> Self {
        Self(Mutex::new(Kept { items: LruCache::new(KEPT), on_screen: 0 }))
    }
}

impl Shown {
    /// What to count of a suggestion that is shown; `None` where it stands there already.
    pub(crate) fn note(
        &self,
        uri: &Arc<str>,
        caret: usize,
        completion: &Completion,
        model: impl FnOnce() -> Name,
    ) -> Option<Suggested> {
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
        let on_screen = hasher.finish();
        let mut kept = self.lock();
        kept.items.put(completion.id, items);
        if std::mem::replace(&mut kept.on_screen, on_screen) == on_screen {
            return None;
        }
        drop(kept);
        Some(Suggested {
            at_unix_ms: unix_ms(),
            model: model(),
            n_shown: 1,
            n_accepted: 0,
            n_spared_characters: 0,
        })
    }

    /// What to count of a suggestion that is accepted; `None` where it is not known, or was accepted before. The key that accepts it
    /// is not spared.
    pub(crate) fn accepted(
        &self,
        id: u64,
        index: usize,
        model: impl FnOnce() -> Name,
    ) -> Option<Suggested> {
        let items = self.lock().items.pop(&id)?;
        let n_characters = items.get(index).or(items.first())?;
        Some(Suggested {
            at_unix_ms: unix_ms(),
            model: model(),
            n_shown: 0,
            n_accepted: 1,
            n_spared_characters: n_characters.saturating_sub(1),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
