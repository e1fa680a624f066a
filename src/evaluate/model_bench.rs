//! Models against each other on a person's own code: stretches of it are typed again key by key, by
//! each model in turn, and what each has spared decides.
//!
//! A person presses a key every 0.18 s, so an answer that is not there by then is not seen; then
//! the request is dropped, as an editor drops it, and what was evaluated of the prompt stays. The
//! first place of a stretch is evaluated without a limit and not measured: an editor has had the
//! time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::evaluate::typing::{SECONDS_A_KEY, TypedKeys, Typing};

/// How long an answer may take to be seen.
pub const PATIENCE: Duration = Duration::from_millis((SECONDS_A_KEY * 1e3) as u64);
/// Gains that differ by less are not told apart by so few characters.
const NOISE: f64 = 0.02;

/// What one model did.
#[derive(Debug, Clone, Default)]
pub struct BenchedModel {
    pub name: String,
    /// Of each stretch that it has finished, in their order.
    pub stretches: Vec<TypedKeys>,
}

/// What a process that measures a model says, a line each.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum BenchLine {
    Loaded {
        load_ms: f64,
        n_stretches: usize,
        n_characters: usize,
        n_files: usize,
    },
    Stretch {
        keys: TypedKeys,
    },
    /// Everything was typed, or the time is up. The memory is this process's share of what is
    /// resident (PSS), where the system tells.
    Done {
        memory_bytes: Option<u64>,
    },
}

/// The models' figures over the same stretches.
#[derive(Debug)]
pub struct ModelComparison {
    /// How many stretches every model of the comparison has finished.
    pub n_stretches: usize,
    /// Of each candidate, and whether it is compared: one that was too slow for half of what others
    /// have finished has figures of what it did.
    pub figures: Vec<(Typing, bool)>,
    /// Which candidate is recommended, if any has typed anything.
    pub best: Option<usize>,
    /// Which was not told apart from it and is slower.
    pub as_good: Vec<usize>,
}

/// Compares candidates.
pub fn compared(candidates: &[BenchedModel]) -> ModelComparison {
    let finished = |it: &BenchedModel| it.stretches.len();
    let most = candidates.iter().map(finished).max().unwrap_or_default();
    let is_in = |it: &BenchedModel| finished(it) > 0 && 2 * finished(it) >= most;
    let in_all = candidates.iter().filter(|it| is_in(it)).map(finished).min().unwrap_or_default();
    let figures: Vec<(Typing, bool)> = candidates
        .iter()
        .map(|it| {
            let stretches = it.stretches.iter().take(in_all).cloned();
            let mut all = TypedKeys::default();
            stretches.for_each(|keys| all.add(keys));
            (all.figures(), is_in(it))
        })
        .collect();
    let compared = || figures.iter().enumerate().filter(|(_, (_, is_in))| *is_in);
    let gained = |at: usize| figures[at].0.time_gained;
    let highest = compared().map(|(at, _)| gained(at)).fold(f64::MIN, f64::max);
    let mut good: Vec<usize> =
        compared().map(|(at, _)| at).filter(|at| gained(*at) >= highest - NOISE).collect();
    good.sort_by(|a, b| figures[*a].0.p95_ms.total_cmp(&figures[*b].0.p95_ms));
    let mut good = good.into_iter();
    let best = good.next();
    ModelComparison { n_stretches: in_all, figures, best, as_good: good.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model that took every text that it showed, so many a stretch, at this speed.
    fn candidate(n_stretches: usize, n_right: usize, ms: f64) -> BenchedModel {
        let keys = TypedKeys {
            n_characters: 100,
            n_keys: 100 - 9 * n_right,
            n_by_hand: 100,
            n_right,
            n_showings: n_right,
            n_spared: 9 * n_right,
            latencies_ms: vec![ms; 20],
            ..TypedKeys::default()
        };
        BenchedModel { name: String::new(), stretches: vec![keys; n_stretches] }
    }

    #[test]
    fn the_model_that_gains_most_is_recommended() {
        let all = [candidate(8, 2, 5.0), candidate(8, 5, 60.0), candidate(8, 3, 20.0)];
        let compared = compared(&all);
        assert_eq!((compared.best, compared.n_stretches), (Some(1), 8));
        assert_eq!(compared.as_good, [0; 0]);
        assert!((compared.figures[1].0.spared - 0.45).abs() < 1e-9);
    }

    #[test]
    fn of_models_that_gain_as_much_the_faster_one_is() {
        let all = [candidate(8, 5, 60.0), candidate(8, 5, 9.0)];
        let compared = compared(&all);
        assert_eq!((compared.best, compared.as_good), (Some(1), vec![0]));
    }

    #[test]
    fn a_model_that_is_too_slow_is_not_compared_and_makes_no_difference() {
        let all = [candidate(8, 2, 5.0), candidate(3, 9, 170.0), candidate(0, 0, 0.0)];
        let compared = compared(&all);
        assert_eq!((compared.best, compared.n_stretches), (Some(0), 8));
        assert_eq!(
            compared.figures.iter().map(|it| it.1).collect::<Vec<_>>(),
            [true, false, false]
        );
        assert_eq!(super::compared(&[candidate(0, 0, 0.0)]).best, None);
        assert_eq!(super::compared(&[]).best, None);
    }
}
