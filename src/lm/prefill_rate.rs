//! How fast this model evaluates prompts on this machine, and what follows from it.

use std::time::Duration;

/// How long a chunk of a prompt may take between two looks at the flag. A chunk that has begun is
/// finished and kept even if its request is superseded: otherwise a person who types faster than
/// one chunk is evaluated would throw it away at each key, and never see an answer.
const MAX_CHUNK_TIME: Duration = Duration::from_millis(40);

/// A prompt of which more is to be evaluated than this takes is put off for a short one.
const PATIENCE_SECONDS: f64 = 0.1;

/// So many tokens a second, times a model's parameters, are evaluated on two cores with AVX2 (the
/// embedded model). It only has to do until the first chunk.
const TOKENS_TIMES_PARAMETERS: f64 = 1.5e10;

/// How many of `n_left` tokens to evaluate at once: about `most`, so that the rest makes a quick
/// batch too.
pub fn chunk_tokens(n_left: usize, most: usize, quick_batch_tokens: usize) -> usize {
    match n_left.checked_sub(most) {
        None | Some(0) => n_left,
        Some(rest) if rest >= quick_batch_tokens => most,
        // Cut in two, both are quick; else the rest comes along.
        Some(_) if n_left >= 2 * quick_batch_tokens => n_left - quick_batch_tokens,
        Some(_) => n_left,
    }
}

/// See the module.
#[derive(Debug)]
pub struct PrefillRate {
    /// Of the last chunks, what else runs on the machine included.
    tokens_per_second: Option<f64>,
    /// What the machine can do when it is left alone: it rises at once and falls slowly.
    best: f64,
    /// `best` is not a guess.
    is_measured: bool,
    /// A power of two near `best`, so that prompts do not change with each measurement.
    steady: u64,
}

impl PrefillRate {
    /// Of a model of which nothing has been evaluated yet.
    pub fn of_model(n_parameters: u64) -> Self {
        let best = TOKENS_TIMES_PARAMETERS / (n_parameters.max(1) as f64);
        Self { tokens_per_second: None, best, is_measured: false, steady: power_of_two(best) }
    }

    /// How many tokens make a chunk: a power of two, because llama.cpp builds its graph anew for
    /// each other length, and no fewer than make a quick batch, however slow the model is.
    pub fn max_chunk_tokens(&self) -> usize {
        let tokens = self.tokens_per_second.unwrap_or(0.0) * MAX_CHUNK_TIME.as_secs_f64();
        if tokens >= 128.0 { 128 } else { 64 }
    }

    /// How many tokens a person who types waits for.
    pub fn patience_tokens(&self) -> usize {
        (self.best * PATIENCE_SECONDS) as usize
    }

    /// Roughly how many tokens a second can be evaluated: a power of two.
    pub fn steady_tokens_per_second(&self) -> u64 {
        self.steady
    }

    /// Takes in that so many tokens took so long.
    pub fn note(&mut self, n_tokens: usize, took: Duration) {
        // Short ones measure the overhead.
        if n_tokens < 8 || took.is_zero() {
            return;
        }
        let seen = n_tokens as f64 / took.as_secs_f64();
        let before = self.tokens_per_second.replace(seen);
        if let Some(before) = before {
            self.tokens_per_second = Some(0.7 * before + 0.3 * seen);
        }
        if n_tokens >= 32 {
            // The first one replaces what was only expected.
            self.best = if self.is_measured { seen.max(0.99 * self.best) } else { seen };
            self.is_measured = true;
            let steady = self.steady as f64;
            if self.best >= 2.0 * steady || self.best < 0.7 * steady {
                self.steady = power_of_two(self.best);
            }
        }
    }
}

/// The greatest power of two that is not above it.
fn power_of_two(value: f64) -> u64 {
    1 << (value.max(1.0) as u64).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_gives_way_to_what_is_measured() {
        let mut rate = PrefillRate::of_model(500_000_000);
        assert_eq!(rate.steady_tokens_per_second(), 16);
        rate.note(64, Duration::from_millis(400));
        assert_eq!(rate.steady_tokens_per_second(), 128);
        assert_eq!(rate.patience_tokens(), 16);
        // A compiler runs for a while: the prompts stay.
        for _ in 0..10 {
            rate.note(64, Duration::from_secs(2));
        }
        assert_eq!(rate.steady_tokens_per_second(), 128);
        // It is like that here.
        for _ in 0..200 {
            rate.note(64, Duration::from_secs(2));
        }
        assert_eq!(rate.steady_tokens_per_second(), 32);
        rate.note(4, Duration::from_millis(1));
        assert_eq!(rate.steady_tokens_per_second(), 32);
    }

    #[test]
    fn what_is_left_makes_a_quick_batch_tokens() {
        assert_eq!(chunk_tokens(300, 128, 64), 128);
        assert_eq!(chunk_tokens(172, 128, 64), 108);
        assert_eq!(chunk_tokens(100, 128, 64), 100);
        assert_eq!(chunk_tokens(100, 64, 64), 100);
    }
}
