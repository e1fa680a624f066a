//! Positions of right texts with everybody's opinion, as JSON lines: what the gate is fitted on.
//!
//! A line is one position: `case`, `package`, `fit` (for fitting, or for measuring), `kind` of caret, `model` (entropy and top of
//! its opinion, and whether a word is half typed), `corpus` (as `adapt::gate` is told of the two matches there), `allowed` (what
//! the model and these matches give to all tokens that may come, which is less than 1 where only the most frequent are
//! kept), `target` (an index), `opinions` (of the model and these matches, the probability of each of some dozens of
//! tokens), and `places`, all in one string of hexadecimal digits: two bytes for which of these tokens followed (big end first), then
//! the likeness (`adapt::places`).

use std::fmt::Write;

use serde::Serialize;

use crate::adapt::mixture::Evidence;
use crate::evaluate::cases::Part;
use crate::evaluate::score::Position;
use crate::generation::Token;

/// Of each opinion, this many tokens are written.
const TOP_OF_MODEL: usize = 8;
const TOP_OF_CORPUS: usize = 6;

/// One line of the file.
#[derive(Debug, Serialize)]
pub struct PositionRecord<'a> {
    case: usize,
    package: &'a str,
    fit: bool,
    kind: &'a str,
    model: [f32; 3],
    corpus: [[f32; 5]; 2],
    allowed: Vec<f32>,
    target: usize,
    opinions: Vec<Vec<f32>>,
    places: String,
}

impl<'a> PositionRecord<'a> {
    /// `None` where the right token is not one that may come.
    pub fn new(case: usize, package: &'a str, kind: &'a str, position: &Position) -> Option<Self> {
        let Position { next, history, line, target } = position;
        let Evidence { places, corpus } = history.look(line, true, next.half_typed());
        let mut tokens: Vec<Token> = vec![*target];
        tokens.extend(next.top_by_model(TOP_OF_MODEL));
        tokens.extend(places.iter().map(|it| it.next));
        for found in corpus.iter().flatten() {
            tokens.extend(found.next.iter().take(TOP_OF_CORPUS).map(|it| it.0));
        }
        tokens.retain(|it| next.is_allowed(*it));
        tokens.sort_unstable();
        tokens.dedup();
        let target = tokens.binary_search(target).ok()?;
        let mut opinions = vec![tokens.iter().map(|it| next.by_model(*it)).collect::<Vec<f32>>()];
        let mut allowed = vec![1.0];
        for found in &corpus {
            let counted = || found.iter().flat_map(|it| &it.next);
            let share = |token: Token| counted().find(|it| it.0 == token).map_or(0.0, |it| it.1);
            opinions.push(tokens.iter().map(|it| share(*it)).collect());
            allowed.push(counted().filter(|it| next.is_allowed(it.0)).map(|it| it.1).sum());
        }
        let mut hexadecimal = String::new();
        for place in &places {
            // Places of what may not come have no part in the distribution.
            let Ok(which) = tokens.binary_search(&place.next) else { continue };
            let _ = write!(hexadecimal, "{which:04x}");
            for number in place.likeness {
                let _ = write!(hexadecimal, "{number:02x}");
            }
        }
        let opinion = next.opinion();
        let half_typed = f32::from(u8::from(next.half_typed().is_some()));
        Some(Self {
            case,
            package,
            fit: Part::of(package) == Part::Fit,
            kind,
            model: [opinion.entropy, opinion.top, half_typed],
            corpus: corpus.map(|it| it.map_or([0.0; 5], |it| it.features)),
            allowed,
            target,
            opinions,
            places: hexadecimal,
        })
    }
}
