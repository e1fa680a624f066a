//! Where any of many texts stands in another: all places, also those within others.
//!
//! An Aho-Corasick automaton finds them in one pass, but making it of tens of thousands of secrets
//! takes longer than all else that redaction does. For so many, the first bytes of each are put
//! into a table instead, as in the algorithm of Karp and Rabin (1987) with a key that needs no
//! rolling: a place whose first bytes are in it is compared with the secrets that begin so. What is
//! compared is bounded; a text that goes past the bound, with secrets that begin alike, has the
//! automaton.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

/// From so many on, fingerprints are made sooner than an automaton.
const LEAST_FOR_FINGERPRINTS: usize = 1_000;
/// The first bytes of a long secret.
const KEY_BYTES: usize = 8;
/// Bytes that may be compared for each byte of a text.
const MAX_COMPARED_A_BYTE: usize = 64;

/// Finds secrets in texts.
pub(super) struct Occurrences<'s> {
    secrets: Vec<&'s str>,
    fingerprints: Option<Fingerprints<'s>>,
    automaton: OnceCell<Option<AhoCorasick>>,
}

impl<'s> Occurrences<'s> {
    /// `secrets` are different from each other.
    pub(super) fn of(secrets: impl Iterator<Item = &'s str>) -> Self {
        let secrets: Vec<&str> = secrets.filter(|it| !it.is_empty()).collect();
        let has_many = secrets.len() >= LEAST_FOR_FINGERPRINTS;
        let fingerprints = has_many.then(|| Fingerprints::of(&secrets, MAX_COMPARED_A_BYTE));
        Self { secrets, fingerprints, automaton: OnceCell::new() }
    }

    /// All places in a text, in no order. None where there are more secrets than a searcher can
    /// hold, and no text is so long.
    pub(super) fn places(&self, text: &str) -> Vec<Range<usize>> {
        if let Some(places) = self.fingerprints.as_ref().and_then(|it| it.places(text)) {
            return places;
        }
        let automaton = self.automaton.get_or_init(|| automaton(&self.secrets)).as_ref();
        automaton.map(|it| by_automaton(it, text)).unwrap_or_default()
    }
}

fn automaton(secrets: &[&str]) -> Option<AhoCorasick> {
    if secrets.is_empty() {
        return None;
    }
    // Not as a table of all states and bytes, which is what a few secrets would get: a private key
    // alone makes one of megabytes. Where there are thousands, the table that is made fastest.
    let kind = match secrets.len() {
        ..LEAST_FOR_FINGERPRINTS => AhoCorasickKind::ContiguousNFA,
        _ => AhoCorasickKind::NoncontiguousNFA,
    };
    AhoCorasick::builder().kind(Some(kind)).prefilter(false).build(secrets).ok()
}

fn by_automaton(automaton: &AhoCorasick, text: &str) -> Vec<Range<usize>> {
    automaton.find_overlapping_iter(text).map(|it| it.range()).collect()
}

struct Fingerprints<'s> {
    /// Those of [`KEY_BYTES`] or more, sorted by their bytes.
    long: Vec<&'s str>,
    /// For each of these the longest other that it begins with.
    begins_with: Vec<Option<usize>>,
    /// Which of these begin with a key.
    by_key: HashMap<u64, Range<usize>>,
    keys: Filter,
    /// Shorter ones, by their length in bytes.
    short: [HashSet<u64>; KEY_BYTES],
    short_keys: Filter,
    max_compared_a_byte: usize,
}

impl<'s> Fingerprints<'s> {
    fn of(secrets: &[&'s str], max_compared_a_byte: usize) -> Self {
        let mut long: Vec<&str> =
            secrets.iter().copied().filter(|it| it.len() >= KEY_BYTES).collect();
        long.sort_unstable();
        let mut keys = Filter::with_room_for(long.len());
        let mut by_key: HashMap<u64, Range<usize>> = HashMap::with_capacity(long.len());
        let mut begins_with = Vec::with_capacity(long.len());
        // What each begins with stands before it, the longest last.
        let mut beginnings: Vec<usize> = Vec::new();
        for (index, secret) in long.iter().enumerate() {
            let key = first_bytes(secret.as_bytes());
            keys.insert(key);
            by_key.entry(key).or_insert(index..index).end = index + 1;
            while beginnings.last().is_some_and(|it| !secret.starts_with(long[*it])) {
                beginnings.pop();
            }
            begins_with.push(beginnings.last().copied());
            beginnings.push(index);
        }
        let of_short = || secrets.iter().filter(|it| it.len() < KEY_BYTES);
        let mut short: [HashSet<u64>; KEY_BYTES] = Default::default();
        let mut short_keys = Filter::with_room_for(of_short().count());
        for secret in of_short() {
            let key = first_bytes(secret.as_bytes());
            short[secret.len()].insert(key);
            short_keys.insert(key);
        }
        Self { long, begins_with, by_key, keys, short, short_keys, max_compared_a_byte }
    }

    /// All places in a text, in no order; `None` where they take too long to find.
    fn places(&self, text: &str) -> Option<Vec<Range<usize>>> {
        let bytes = text.as_bytes();
        let mut n_left = self.max_compared_a_byte.saturating_mul(bytes.len());
        let mut places = Vec::new();
        let lengths: Vec<usize> =
            (1..KEY_BYTES).filter(|length| !self.short[*length].is_empty()).collect();
        for at in 0..bytes.len() {
            let rest = &bytes[at..];
            let key = first_bytes(rest);
            for &length in &lengths {
                let key = key & (u64::MAX >> (64 - 8 * length));
                if rest.len() >= length
                    && self.short_keys.may_have(key)
                    && self.short[length].contains(&key)
                {
                    places.push(at..at + length);
                }
            }
            if rest.len() < KEY_BYTES || !self.keys.may_have(key) {
                continue;
            }
            let Some(candidates) = self.by_key.get(&key) else { continue };
            // Those that `rest` begins with are not greater than it, and the last that is not
            // begins with them: whatever stands between them in the order does.
            let n_not_greater = self.long[candidates.clone()].partition_point(|it| {
                n_left = n_left.saturating_sub(it.len());
                it.as_bytes() <= rest
            });
            let mut candidate = (candidates.start + n_not_greater).checked_sub(1);
            candidate = candidate.filter(|it| candidates.contains(it));
            while let Some(index) = candidate {
                let secret = self.long[index].as_bytes();
                n_left = n_left.saturating_sub(secret.len());
                if rest.starts_with(secret) {
                    places.push(at..at + secret.len());
                }
                candidate = self.begins_with[index];
            }
            if n_left == 0 {
                return None;
            }
        }
        Some(places)
    }
}

/// The first eight bytes as a number, the first lowest; zeros where there are fewer.
fn first_bytes(bytes: &[u8]) -> u64 {
    if let Some(all) = bytes.first_chunk::<KEY_BYTES>() {
        return u64::from_le_bytes(*all);
    }
    let mut padded = [0; KEY_BYTES];
    padded[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(padded)
}

/// Whether a key may be among others, soon answered with no: one hash of a Bloom filter (1970).
struct Filter {
    bits: Vec<u64>,
    shift: u32,
}

impl Filter {
    const BITS_A_KEY: usize = 16;

    fn with_room_for(n_keys: usize) -> Self {
        let n_bits = (n_keys * Self::BITS_A_KEY).next_power_of_two().max(64);
        Self { bits: vec![0; n_bits / 64], shift: 64 - n_bits.trailing_zeros() }
    }

    fn bit_of(&self, key: u64) -> usize {
        // Knuth's multiplicative hash: 2^64 by the golden ratio.
        (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize
    }

    fn insert(&mut self, key: u64) {
        let bit = self.bit_of(key);
        self.bits[bit / 64] |= 1 << (bit % 64);
    }

    fn may_have(&self, key: u64) -> bool {
        let bit = self.bit_of(key);
        self.bits[bit / 64] & (1 << (bit % 64)) != 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sorted(mut places: Vec<Range<usize>>) -> Vec<(usize, usize)> {
        places.sort_unstable_by_key(|it| (it.start, it.end));
        places.into_iter().map(|it| (it.start, it.end)).collect()
    }

    /// Of few letters, so that many begin alike and stand within each other.
    fn any_secret() -> impl Strategy<Value = String> {
        prop_oneof!["[ab]{1,12}", "a{0,9}[ab\u{e9}]{1,4}", "[abc\u{1f980}]{7,20}", "[a-f]{1,9}"]
    }

    proptest! {
        #[test]
        fn fingerprints_find_what_an_automaton_finds(
            secrets in prop::collection::hash_set(any_secret(), 1..60),
            pieces in prop::collection::vec(any_secret(), 0..60),
        ) {
            let all: Vec<&str> = secrets.iter().map(String::as_str).collect();
            let text = pieces.concat() + &all.concat();
            let expected = by_automaton(&automaton(&all).unwrap(), &text);
            let found = Fingerprints::of(&all, usize::MAX).places(&text);
            prop_assert_eq!(found.map(sorted), Some(sorted(expected.clone())));
            // Within its bound, or by the automaton.
            let bounded = Occurrences {
                fingerprints: Some(Fingerprints::of(&all, 4)),
                secrets: all,
                automaton: OnceCell::new(),
            };
            prop_assert_eq!(sorted(bounded.places(&text)), sorted(expected));
        }
    }

    #[test]
    fn what_would_take_too_long_is_given_up() {
        let secrets: Vec<String> = (1..=200).map(|n| "a".repeat(n)).collect();
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let text = "a".repeat(1_000);
        assert_eq!(Fingerprints::of(&secrets, MAX_COMPARED_A_BYTE).places(&text), None);
        let all = Occurrences {
            fingerprints: Some(Fingerprints::of(&secrets, MAX_COMPARED_A_BYTE)),
            secrets,
            automaton: OnceCell::new(),
        };
        assert_eq!(all.places(&text).len(), (1..=200).map(|n| 1_001 - n).sum::<usize>());
    }
}
