//! Positions of right texts with everybody's opinion, as JSON lines: what the gate is fitted on.
//!
//! A line is one position: `case`, `package`, `fit` (for fitting, or for measuring), `kind` of caret,
//! `features` (as `adapt::gate` makes them), `allowed` (what the model and each source give to all tokens
//! that may come, which is less than 1 where a source keeps only the most frequent), `target` (an index), and
//! `opinions`, for the model and each source the probability of each of a few dozen tokens.

use serde::Serialize;

use crate::adapt::gate::{N_SOURCES, features};
use crate::evaluate::cases::Part;
use crate::evaluate::score::Position;
use crate::generation::Token;

/// Of each opinion, this many tokens are written.
const TOP_OF_MODEL: usize = 8;
const TOP_OF_SOURCE: usize = 6;

/// One line of the file.
#[derive(Debug, Serialize)]
pub struct PositionRecord<'a> {
    case: usize,
    package: &'a str,
    fit: bool,
    kind: &'a str,
    features: Vec<f32>,
    allowed: Vec<f32>,
    target: usize,
    opinions: Vec<Vec<f32>>,
}

impl<'a> PositionRecord<'a> {
    /// `None` where the right token is not one that may come.
    pub fn new(case: usize, package: &'a str, kind: &'a str, position: &Position) -> Option<Self> {
        let Position { next, history, line, target } = position;
        let sources = history.look(line, true, next.half_typed());
        let mut tokens: Vec<Token> = vec![*target];
        tokens.extend(next.top_by_model(TOP_OF_MODEL));
        for found in sources.iter().flatten() {
            tokens.extend(found.next.iter().take(TOP_OF_SOURCE).map(|it| it.0));
        }
        tokens.retain(|it| next.is_allowed(*it));
        tokens.sort_unstable();
        tokens.dedup();
        let target = tokens.binary_search(target).ok()?;
        let mut opinions = vec![tokens.iter().map(|it| next.by_model(*it)).collect::<Vec<f32>>()];
        let mut allowed = vec![1.0];
        for source in &sources {
            let total = source.as_ref().map_or(1, |it| it.total.max(1)) as f32;
            let counted = |token: Token| {
                let found = source.as_ref().and_then(|it| it.next.iter().find(|it| it.0 == token));
                found.map_or(0, |it| it.1) as f32 / total
            };
            opinions.push(tokens.iter().map(|it| counted(*it)).collect());
            let all = source.iter().flat_map(|it| &it.next);
            let sum: u32 = all.filter(|it| next.is_allowed(it.0)).map(|it| it.1).sum();
            allowed.push(sum as f32 / total);
        }
        debug_assert_eq!(opinions.len(), 1 + N_SOURCES);
        Some(Self {
            case,
            package,
            fit: Part::of(package) == Part::Fit,
            kind,
            features: features(next.opinion(), next.half_typed().is_some(), &sources).to_vec(),
            allowed,
            target,
            opinions,
        })
    }
}
