//! How much each place counts, by what it has in common with the caret's: what followed there becomes opinions of the
//! next token.

use serde::Deserialize;

use crate::adapt::gate::{Opinion, add};
use crate::adapt::network::Network;
use crate::adapt::places::{N_LIKENESS, Place};
use crate::generation::Token;

/// Ways of weighing. Two, because what is seldom and just like here and what is usual are both worth
/// hearing.
pub const N_WAYS: usize = 2;

/// From a place's likeness to a score for each way of weighing; fitted together with the gates
/// by model/pipeline/gate.py.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Weighing(Network);

impl Weighing {
    pub(super) fn is_whole(&self) -> bool {
        self.0.is_of(N_LIKENESS, N_WAYS)
    }

    /// What followed these places, each way of weighing them; nothing where there is no place.
    pub fn opinions(&self, places: &[Place]) -> [Option<Opinion>; N_WAYS] {
        if places.is_empty() {
            return [const { None }; N_WAYS];
        }
        let scores: Vec<[f32; N_WAYS]> = places.iter().map(|it| self.scores(it)).collect();
        std::array::from_fn(|way| {
            let scored =
                places.iter().zip(&scores).map(|(place, scores)| (place.next, scores[way]));
            Some(opinion(scored))
        })
    }

    fn scores(&self, place: &Place) -> [f32; N_WAYS] {
        self.0.scores(&place.likeness.map(|it| f32::from(it) / 255.0))
    }
}

/// Shares by softmax over places, added up by what followed; and what the gate is told of them.
fn opinion(scored: impl Iterator<Item = (Token, f32)> + Clone) -> Opinion {
    let highest = scored.clone().map(|it| it.1).fold(f32::MIN, f32::max);
    let sum: f32 = scored.clone().map(|it| (it.1 - highest).exp()).sum();
    let mut next: Vec<(Token, f32)> = Vec::new();
    for (token, score) in scored {
        add(token, (score - highest).exp() / sum, &mut next);
    }
    next.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let entropy: f32 = next.iter().map(|it| -it.1 * it.1.max(f32::MIN_POSITIVE).ln()).sum();
    let top = next.first().map_or(0.0, |it| it.1);
    let together = (sum.ln() + highest).clamp(-20.0, 20.0);
    let features = [1.0, top, entropy / 3.0, together / 5.0, highest.clamp(-20.0, 20.0) / 5.0];
    Opinion { next, features }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_are_more_alike_count_more() {
        // The first number of a likeness is all that counts, in opposite ways.
        let json = format!(
            r#"{{"hidden": [[1{}, 0]], "output": [[9, 0], [-9, 0]]}}"#,
            ", 0".repeat(N_LIKENESS - 1)
        );
        let weighing: Weighing = serde_json::from_str(&json).expect("it parses");
        assert!(weighing.is_whole());
        let place = |next: Token, first: u8| {
            let mut likeness = [0; N_LIKENESS];
            likeness[0] = first;
            Place { next, likeness }
        };
        let places = [place(7, 0), place(8, 255), place(7, 0)];
        let [by, against] = weighing.opinions(&places).map(|it| it.expect("an opinion").next);
        assert_eq!((by[0].0, against[0].0), (8, 7));
        assert!(by[0].1 > 0.99 && against[0].1 > 0.99, "{by:?} {against:?}");
        for opinion in [by, against] {
            assert!((opinion.iter().map(|it| it.1).sum::<f32>() - 1.0).abs() < 1e-5);
        }
        assert!(weighing.opinions(&[]).iter().all(Option::is_none));
    }
}
