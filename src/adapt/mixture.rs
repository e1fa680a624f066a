//! The counts that one completion is generated with.

use std::sync::Arc;

use crate::adapt::document::DocumentText;
use crate::adapt::gate::{Gate, N_SOURCES};
use crate::adapt::matches::{MAX_ORDER, Match, longest_matches};
use crate::generation::{ModelOpinion, NextTokenCounts, NextTokenMixture, Token};

/// Of what followed in a source, the most frequent ones are looked at.
const MAX_NEXT: usize = 32;

/// Where a line goes on in the document and in others.
pub struct LineHistory {
    document: DocumentText,
    workspace: Arc<Vec<Token>>,
    /// What stands before the generation, its last tokens: lines before the caret's, then the caret's.
    before: Vec<Token>,
    end: Token,
}

impl LineHistory {
    /// `caret_line` are the tokens of the caret's line as far as the prompt holds them; `end` stands at
    /// the end of each line of both texts.
    pub fn new(
        document: DocumentText,
        workspace: Arc<Vec<Token>>,
        caret_line: &[Token],
        end: Token,
    ) -> Self {
        let lines = &document.tokens[..document.n_before];
        let mut before = lines[lines.len().saturating_sub(MAX_ORDER)..].to_vec();
        before.extend(caret_line);
        Self { document, workspace, before, end }
    }

    /// What followed the like of it. `line` and `continues_caret_line` are those of [`NextTokenCounts`].
    pub fn look(&self, line: &[Token], continues_caret_line: bool) -> [Option<Match>; N_SOURCES] {
        let history = if continues_caret_line {
            [&self.before, line].concat()
        } else {
            [&[self.end], line].concat()
        };
        let history = &history[history.len().saturating_sub(MAX_ORDER)..];
        let border = self.document.n_before.checked_sub(1);
        let [long, short] = longest_matches(&self.document.tokens, border.as_slice(), history);
        let [other_long, other_short] = longest_matches(&self.workspace, &[], history);
        [long, short, other_long, other_short, None, None]
    }
}

/// Counts and the gate that weighs them.
pub struct Mixture {
    pub history: LineHistory,
    pub gate: Arc<Gate>,
    /// What a line's end is in this generation: the end token, or a line break where lines follow.
    pub line_end: Token,
}

impl NextTokenCounts for Mixture {
    fn next(
        &mut self,
        line: &[Token],
        continues_caret_line: bool,
        model: ModelOpinion,
    ) -> NextTokenMixture {
        let sources = self.history.look(line, continues_caret_line);
        let shares = self.gate.shares(model, &sources);
        let mut counted: Vec<(Token, f32)> = Vec::new();
        for (source, share) in sources.iter().zip(&shares[1..]) {
            let Some(found) = source else { continue };
            for (token, n) in found.next.iter().take(MAX_NEXT) {
                let token = if *token == self.history.end { self.line_end } else { *token };
                let p = share * *n as f32 / found.total.max(1) as f32;
                match counted.iter_mut().find(|it| it.0 == token) {
                    Some(there) => there.1 += p,
                    None => counted.push((token, p)),
                }
            }
        }
        NextTokenMixture { model_weight: shares[0], counted }
    }
}
