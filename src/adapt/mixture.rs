//! The counts that one completion is generated with.

use std::sync::Arc;

use crate::adapt::corpus::{CorpusCounts, LanguageGroup};
use crate::adapt::document::DocumentText;
use crate::adapt::gate::{Gates, N_SOURCES};
use crate::adapt::index::IndexView;
use crate::adapt::matches::{MAX_ORDER, Match, longest_matches, longest_two};
use crate::generation::{HalfTyped, ModelOpinion, NextTokenCounts, NextTokenMixture, Token};

/// Of what followed in a source, the most frequent ones are looked at.
const MAX_NEXT: usize = 32;

/// The texts beside the document.
#[derive(Debug, Clone, Default)]
pub struct OtherTexts {
    /// Of the other documents that are open.
    pub open: Arc<Vec<Token>>,
    /// Of the workspace's files, without those that are open.
    pub files: IndexView,
}

impl OtherTexts {
    fn longest_matches(
        &self,
        history: &[Token],
        half_typed: Option<&dyn HalfTyped>,
    ) -> [Option<Match>; 2] {
        let open = longest_matches(&self.open, &[], history, half_typed);
        let files = self.files.longest_matches(history, half_typed);
        let mut all: Vec<Match> = Vec::new();
        for found in open.into_iter().chain(files).flatten() {
            match all.iter_mut().find(|it| it.order == found.order) {
                Some(same) => same.add(found),
                None => all.push(found),
            }
        }
        all.sort_by_key(|it| it.order);
        longest_two(all)
    }
}

/// Where the like of a line goes on: in the document, in others, and in the corpus.
pub struct LineHistory {
    document: DocumentText,
    others: OtherTexts,
    corpus: Option<(CorpusCounts, LanguageGroup)>,
    /// What stands before the generation, its last tokens: lines before the caret's, then the caret's.
    before: Vec<Token>,
    end: Token,
}

impl LineHistory {
    /// `caret_line` are the tokens of the caret's line as far as the prompt holds them; `end` stands at
    /// the end of each line of both texts.
    pub fn new(
        document: DocumentText,
        others: OtherTexts,
        corpus: Option<(CorpusCounts, LanguageGroup)>,
        caret_line: &[Token],
        end: Token,
    ) -> Self {
        let lines = &document.tokens[..document.n_before];
        let mut before = lines[lines.len().saturating_sub(MAX_ORDER)..].to_vec();
        before.extend(caret_line);
        Self { document, others, corpus, before, end }
    }

    /// What followed the like of it; the arguments are those of [`NextTokenCounts`].
    pub fn look(
        &self,
        line: &[Token],
        continues_caret_line: bool,
        half_typed: Option<&dyn HalfTyped>,
    ) -> [Option<Match>; N_SOURCES] {
        let history = self.history(line, continues_caret_line);
        let [long, short] = self.in_document(&history, half_typed);
        let [other_long, other_short] = self.others.longest_matches(&history, half_typed);
        let [corpus_long, corpus_short] = match &self.corpus {
            Some((counts, group)) => counts.longest_matches(*group, &history, half_typed),
            None => [None, None],
        };
        [long, short, other_long, other_short, corpus_long, corpus_short]
    }

    /// The last tokens before the next one, as many as a match can have.
    fn history(&self, line: &[Token], continues_caret_line: bool) -> Vec<Token> {
        let mut history = if continues_caret_line {
            [&self.before, line].concat()
        } else {
            [&[self.end], line].concat()
        };
        history.drain(..history.len().saturating_sub(MAX_ORDER));
        history
    }

    fn in_document(
        &self,
        history: &[Token],
        half_typed: Option<&dyn HalfTyped>,
    ) -> [Option<Match>; 2] {
        let border = self.document.n_before.checked_sub(1);
        longest_matches(&self.document.tokens, border.as_slice(), history, half_typed)
    }
}

/// A match that is to be believed without asking the model is as long as this, and nearly always went on the
/// same way.
const DRAFT_ORDER: usize = 3;
const DRAFT_SHARE: f32 = 0.8;

/// Before the model is asked there is no opinion of it.
const NO_OPINION: ModelOpinion = ModelOpinion { entropy: 0.0, top: 0.0 };

/// Counts and the gates that weigh them.
pub struct Mixture {
    pub history: LineHistory,
    pub gates: Arc<Gates>,
    /// Only the rest of a line is generated. Where lines follow, a counted end is left to the model: its
    /// vocabulary merges line breaks into what stands before them, in more ways than counts know.
    pub one_line: bool,
    /// What was found last, and after which tokens: where counts alone are not sure, the model's turn begins at the
    /// same place.
    last: Option<(Vec<Token>, bool, Sources)>,
}

type Sources = [Option<Match>; N_SOURCES];

impl Mixture {
    pub fn new(history: LineHistory, gates: Arc<Gates>, one_line: bool) -> Self {
        Self { history, gates, one_line, last: None }
    }

    /// As [`LineHistory::look`]. What is left of a half-typed word follows from the line's tokens.
    fn look(
        &mut self,
        line: &[Token],
        continues_caret_line: bool,
        half_typed: Option<&dyn HalfTyped>,
    ) -> &Sources {
        let known = self.last.take().filter(|it| it.0 == line && it.1 == continues_caret_line);
        let found = known.unwrap_or_else(|| {
            let sources = self.history.look(line, continues_caret_line, half_typed);
            (line.to_vec(), continues_caret_line, sources)
        });
        &self.last.insert(found).2
    }
}

/// Each token that followed, with its part of the shares.
fn counted(sources: &Sources, shares: &[f32; 1 + N_SOURCES]) -> Vec<(Token, f32)> {
    let mut counted: Vec<(Token, f32)> = Vec::new();
    for (source, share) in sources.iter().zip(&shares[1..]) {
        let Some(found) = source else { continue };
        for (token, n) in found.next.iter().take(MAX_NEXT) {
            let p = share * *n as f32 / found.total.max(1) as f32;
            match counted.iter_mut().find(|it| it.0 == *token) {
                Some(there) => there.1 += p,
                None => counted.push((*token, p)),
            }
        }
    }
    counted
}

impl NextTokenCounts for Mixture {
    fn next(
        &mut self,
        line: &[Token],
        continues_caret_line: bool,
        half_typed: Option<&dyn HalfTyped>,
        model: ModelOpinion,
    ) -> NextTokenMixture {
        let gates = Arc::clone(&self.gates);
        let sources = self.look(line, continues_caret_line, half_typed);
        let shares = gates.with_model.shares(model, half_typed.is_some(), sources);
        let mut model_weight = shares[0];
        let mut counted = counted(sources, &shares);
        if !self.one_line {
            let end = counted.extract_if(.., |it| it.0 == self.history.end);
            model_weight += end.map(|it| it.1).sum::<f32>();
        }
        NextTokenMixture { model_weight, counted }
    }

    fn alone(
        &mut self,
        line: &[Token],
        half_typed: Option<&dyn HalfTyped>,
    ) -> Option<(Token, f32)> {
        if !self.one_line {
            return None;
        }
        let gates = Arc::clone(&self.gates);
        let sources = self.look(line, true, half_typed);
        let shares = gates.counts_alone.shares(NO_OPINION, half_typed.is_some(), sources);
        counted(sources, &shares).into_iter().max_by(|a, b| a.1.total_cmp(&b.1))
    }

    fn draft(&mut self, line: &[Token], continues_caret_line: bool, n: usize) -> Vec<Token> {
        let mut line = line.to_vec();
        let n_known = line.len();
        while line.len() < n_known + n {
            // The corpus knows no names of this project, so it is not asked.
            let history = self.history.history(&line, continues_caret_line);
            let [document, _] = self.history.in_document(&history, None);
            let [others, _] = self.history.others.longest_matches(&history, None);
            let longest = [document, others].into_iter().flatten().max_by_key(|it| it.order);
            let Some(found) = longest.filter(|it| it.order >= DRAFT_ORDER) else { break };
            let Some((token, times)) = found.next.first() else { break };
            if (*times as f32) < DRAFT_SHARE * found.total as f32 || *token == self.history.end {
                break;
            }
            line.push(*token);
        }
        line.split_off(n_known)
    }
}
