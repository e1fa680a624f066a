//! The n-gram table: counts of token n-grams in the corpus that the built-in model is made from,
//! pruned by gain and packed, read as it lies in the program.
//!
//! Made by model/pipeline/counts.py, whose head describes the format. A context is known by a hash,
//! so that in a few of 10,000 lookups one is taken for another.

use crate::lm::{ModelInfo, PrefixConstraint, Token};
use crate::retrieval::attention::Component;
use crate::retrieval::features::NgramFeatures;
use crate::text::language::NgramGroup;

static EMBEDDED: &[u8] = include_bytes!("../../model/keyside-ngrams.bin");

const MAGIC: &[u8] = b"KSCOUNT1";
const HEADER_BYTES: usize = 24;
/// The longest context in the table, in tokens.
const MAX_ORDER: usize = 6;
/// Marks the entry of a context's total.
const TOTAL: u32 = 1;
const LEAST_FILES: f32 = 3.0;

/// Of what followed a context, the most frequent ones are looked at.
const MAX_NEXT: usize = 32;

/// What followed one context.
#[derive(Debug, Clone, PartialEq)]
pub struct NgramMatch {
    /// How many tokens the context has.
    pub order: usize,
    /// Each next token once, with how often it followed; most frequent first.
    pub next: Vec<(Token, u32)>,
    /// How often anything followed.
    pub total: u32,
}

impl From<NgramMatch> for Component {
    fn from(it: NgramMatch) -> Self {
        let share = |n: u32| n as f32 / it.total.max(1) as f32;
        let features = NgramFeatures {
            is_present: 1.0,
            order: it.order as f32,
            n_occurrences: it.total as f32,
            n_next: it.next.len() as f32,
            top_probability: it.next.first().map_or(0.0, |(_, n)| share(*n)),
        };
        let next = it.next.iter().take(MAX_NEXT).map(|(token, n)| (*token, share(*n))).collect();
        Self { next, features: features.scaled() }
    }
}

/// A table of n-gram counts of one vocabulary.
#[derive(Debug, Clone, Copy)]
pub struct NgramTable {
    /// Of the vocabulary that the tokens are of.
    pub vocabulary_hash: u64,
    n_buckets_log2: u32,
    starts: &'static [u8],
    entries: &'static [u8],
}

impl NgramTable {
    /// The table that ships with the model, if it is valid and has the tokens of `model`.
    pub fn embedded_for(model: &ModelInfo) -> Option<Self> {
        Self::parse(EMBEDDED).filter(|it| it.vocabulary_hash == model.vocabulary_hash)
    }

    fn parse(bytes: &'static [u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let vocabulary_hash = u64::from_le_bytes(rest.get(..8)?.try_into().ok()?);
        let n_buckets_log2 = word(rest, 2)?;
        let n_entries = word(rest, 3)? as usize;
        let body = bytes.get(HEADER_BYTES..)?;
        let n_starts = 1 + 1_usize.checked_shl(n_buckets_log2)?;
        let whole = n_starts.checked_add(n_entries)?.checked_mul(4)?;
        if n_buckets_log2 == 0 || n_buckets_log2 > 32 || body.len() != whole {
            return None;
        }
        let (starts, entries) = body.split_at(4 * n_starts);
        Some(Self { vocabulary_hash, n_buckets_log2, starts, entries })
    }

    /// What followed the end of `history`: the longest context in the table, and as its back-off
    /// the longest shorter one that occurs at least twice as often. Only next tokens that satisfy
    /// the constraint count.
    pub fn longest_matches(
        &self,
        group: NgramGroup,
        history: &[Token],
        constraint: Option<&dyn PrefixConstraint>,
    ) -> [Option<NgramMatch>; 2] {
        let mut hash = group as u64;
        let mut found: Vec<NgramMatch> = Vec::new();
        for (index, token) in history.iter().rev().take(MAX_ORDER).enumerate() {
            hash = mix(hash.wrapping_add(*token as u64).wrapping_add(1));
            let Some(mut followers) = self.followers(hash, index + 1) else { continue };
            if let Some(constraint) = constraint {
                followers.next.retain(|it| constraint.is_spelled_by(&[it.0]));
                followers.total = followers.next.iter().map(|it| it.1).sum();
            }
            if !followers.next.is_empty() {
                found.push(followers);
            }
        }
        let Some(longest) = found.pop() else { return [None, None] };
        let back_off = found.into_iter().rfind(|it| it.total >= 2 * longest.total);
        [Some(longest), back_off]
    }

    fn followers(&self, hash: u64, order: usize) -> Option<NgramMatch> {
        let bucket = (hash >> (64 - self.n_buckets_log2)) as usize;
        let wanted = hash as u32 & 0x3FFF;
        let entries = word(self.starts, bucket)? as usize..word(self.starts, bucket + 1)? as usize;
        let mut of_context = entries
            .filter_map(|at| word(self.entries, at))
            .skip_while(|it| it >> 18 != wanted)
            .take_while(|it| it >> 18 == wanted)
            .map(|it| (it >> 5 & 0x1FFF, (it & 31) as f32));
        let (_, code) = of_context.next().filter(|(token, _)| *token == TOTAL)?;
        let total = LEAST_FILES * 1.5_f32.powf(code);
        let next = of_context.take_while(|(token, _)| *token != TOTAL);
        let next = next.map(|(token, code)| {
            let n = (total * (-code / 4.0).exp2()).round().max(1.0);
            (token as Token, n as u32)
        });
        Some(NgramMatch { order, next: next.collect(), total: total.round() as u32 })
    }
}

fn word(bytes: &[u8], index: usize) -> Option<u32> {
    let at = index.checked_mul(4)?;
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn mix(value: u64) -> u64 {
    let mut x = value.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x ^= x >> 31;
    x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x ^ x >> 29
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_table_is_none() {
        assert!(NgramTable::parse(EMBEDDED).is_some());
        assert!(NgramTable::parse(&EMBEDDED[..EMBEDDED.len() - 4]).is_none());
        assert!(NgramTable::parse(&EMBEDDED[1..]).is_none());
        for length in 0..40 {
            assert!(NgramTable::parse(&EMBEDDED[..length]).is_none());
        }
        let mut huge = EMBEDDED.to_vec();
        huge[16..20].fill(255);
        assert!(NgramTable::parse(huge.leak()).is_none());
    }

    #[test]
    fn every_entry_can_be_read() {
        let table = NgramTable::parse(EMBEDDED).expect("it is a table");
        let mut last = 0;
        for bucket in 0..=1_usize << table.n_buckets_log2 {
            let start = word(table.starts, bucket).expect("the table is whole");
            assert!(start >= last && start as usize <= table.entries.len() / 4);
            last = start;
        }
        assert_eq!(last as usize, table.entries.len() / 4);
    }
}
