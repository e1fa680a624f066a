//! The logits after texts that were evaluated lately, so that nothing is evaluated only to have
//! them again.
//!
//! A key within a word changes which tokens may come first, not the prompt before them (token
//! healing), and a word that is typed along makes the prompt longer by tokens that were evaluated
//! after the last one. So the logits that a key needs were mostly there at the key before.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroUsize;

use lru::LruCache;

use crate::lm::vocabulary::Token;

/// What the rows may take together, in bytes; of a large vocabulary that is a dozen of them.
const MAX_BYTES: usize = 8 << 20;
/// More are of no use: a generation has some dozens of tokens.
const MAX_ROWS: usize = 128;

/// See the module.
pub struct LogitsCache {
    rows: LruCache<u64, Row>,
}

struct Row {
    tokens: Box<[Token]>,
    logits: Box<[f32]>,
}

impl LogitsCache {
    /// For a model that gives `n_vocab` logits.
    pub fn new(n_vocab: usize) -> Self {
        let row_bytes = n_vocab.max(1) * size_of::<f32>();
        let n_rows = (MAX_BYTES / row_bytes).clamp(1, MAX_ROWS);
        Self { rows: LruCache::new(NonZeroUsize::new(n_rows).unwrap_or(NonZeroUsize::MIN)) }
    }

    /// Whether the logits after `tokens` are known.
    pub fn has(&self, tokens: &[Token]) -> bool {
        self.rows.peek(&key(tokens)).is_some_and(|it| *it.tokens == *tokens)
    }

    /// The logits after `tokens`, and whether they were known; where they were not, `evaluated` are
    /// kept as those.
    pub fn after_or_keep(&mut self, tokens: &[Token], evaluated: &[f32]) -> (&[f32], bool) {
        let row = || Row { tokens: tokens.into(), logits: evaluated.into() };
        let mut is_known = true;
        let kept = self.rows.get_or_insert_mut(key(tokens), || {
            is_known = false;
            row()
        });
        if *kept.tokens != *tokens {
            is_known = false;
            *kept = row();
        }
        (&kept.logits, is_known)
    }

    pub fn clear(&mut self) {
        self.rows.clear();
    }
}

fn key(tokens: &[Token]) -> u64 {
    let mut hasher = DefaultHasher::new();
    tokens.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_rows_stay() {
        let mut logits = LogitsCache::new(MAX_BYTES / size_of::<f32>() / 2);
        assert_eq!(logits.after_or_keep(&[1], &[0.1]), (&[0.1][..], false));
        assert_eq!(logits.after_or_keep(&[1, 2], &[0.2]), (&[0.2][..], false));
        assert_eq!(logits.after_or_keep(&[1], &[0.3]), (&[0.1][..], true));
        assert_eq!(logits.after_or_keep(&[3], &[0.4]), (&[0.4][..], false));
        assert!(logits.has(&[1]) && logits.has(&[3]));
        assert!(!logits.has(&[1, 2]) && !logits.has(&[2]) && !logits.has(&[]));
        logits.clear();
        assert!(!logits.has(&[1]));
    }
}
