//! The counts that one completion is generated with.

use std::sync::Arc;

use crate::adapt::corpus::{CorpusCounts, LanguageGroup};
use crate::adapt::document::DocumentText;
use crate::adapt::gate::{Gates, N_SOURCES, Opinion, Opinions, add};
use crate::adapt::index::IndexView;
use crate::adapt::places::{Here, Place};
use crate::generation::{HalfTyped, ModelOpinion, NextTokenCounts, NextTokenMixture, Token};

/// The texts beside the document.
#[derive(Debug, Clone, Default)]
pub struct OtherTexts {
    /// Of the other documents that are open.
    pub open: Arc<Vec<Token>>,
    /// Of the workspace's files, without those that are open.
    pub files: IndexView,
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

/// What there is to say of one next token.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// In the user's own texts.
    pub places: Vec<Place>,
    /// In the corpus.
    pub corpus: [Option<Opinion>; 2],
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
        let mut before = lines[lines.len().saturating_sub(Here::MAX_TOKENS)..].to_vec();
        before.extend(caret_line);
        Self { document, others, corpus, before, end }
    }

    /// What followed the like of it; the arguments are those of [`NextTokenCounts`].
    pub fn look(
        &self,
        line: &[Token],
        continues_caret_line: bool,
        half_typed: Option<&dyn HalfTyped>,
    ) -> Evidence {
        let history = if continues_caret_line {
            [&self.before, line].concat()
        } else {
            [&[self.end], line].concat()
        };
        let here = Here::new(&history, self.end, half_typed);
        let mut places = here.in_document(&self.document.tokens, self.document.n_before);
        places.extend(here.in_others(&self.others.open, &self.others.files));
        let corpus = match &self.corpus {
            Some((counts, group)) => counts.longest_matches(*group, &history, half_typed),
            None => [None, None],
        };
        Evidence { places, corpus: corpus.map(|it| it.map(Opinion::from)) }
    }
}

impl Evidence {
    /// What each source says.
    pub fn opinions(self, gates: &Gates) -> Opinions {
        let mut all = gates.weighing.opinions(&self.places).into_iter().chain(self.corpus);
        std::array::from_fn(|_| all.next().flatten())
    }
}

/// A token that is to be believed without asking the model has this probability at least, as far as counts tell.
const DRAFT_PROBABILITY: f32 = 0.6;

/// Before the model is asked there is no opinion of it.
const NO_OPINION: ModelOpinion = ModelOpinion { entropy: 0.0, top: 0.0 };

/// Lines whose opinions are kept: where counts alone are not sure, and where a draft was right, the model's turn begins
/// at the same place.
const MAX_KEPT: usize = 8;

/// Counts and the gates that weigh them.
pub struct Mixture {
    pub history: LineHistory,
    pub gates: Arc<Gates>,
    /// Only the rest of a line is generated. Where lines follow, a counted end is left to the model: its
    /// vocabulary merges line breaks into what stands before them, in more ways than counts know.
    pub one_line: bool,
    /// The latest last.
    kept: Vec<Kept>,
}

/// What was found after a line's tokens. What is left of a half-typed word follows from these.
struct Kept {
    line: Vec<Token>,
    continues_caret_line: bool,
    opinions: Opinions,
}

impl Mixture {
    pub fn new(history: LineHistory, gates: Arc<Gates>, one_line: bool) -> Self {
        Self { history, gates, one_line, kept: Vec::new() }
    }

    /// As [`LineHistory::look`].
    fn look(
        &mut self,
        line: &[Token],
        continues_caret_line: bool,
        half_typed: Option<&dyn HalfTyped>,
    ) -> &Opinions {
        let is_known =
            |it: &Kept| it.line == line && it.continues_caret_line == continues_caret_line;
        let at = self.kept.iter().position(is_known).unwrap_or_else(|| {
            let evidence = self.history.look(line, continues_caret_line, half_typed);
            if self.kept.len() == MAX_KEPT {
                self.kept.remove(0);
            }
            let opinions = evidence.opinions(&self.gates);
            self.kept.push(Kept { line: line.to_vec(), continues_caret_line, opinions });
            self.kept.len() - 1
        });
        &self.kept[at].opinions
    }

    /// The likeliest token by counts alone, and its probability.
    fn likeliest(
        &mut self,
        line: &[Token],
        continues_caret_line: bool,
        half_typed: Option<&dyn HalfTyped>,
    ) -> Option<(Token, f32)> {
        let gates = Arc::clone(&self.gates);
        let sources = self.look(line, continues_caret_line, half_typed);
        let shares = gates.counts_alone.shares(NO_OPINION, half_typed.is_some(), sources);
        counted(sources, &shares).into_iter().max_by(|a, b| a.1.total_cmp(&b.1))
    }
}

/// Each token that followed, with its part of the shares.
fn counted(sources: &Opinions, shares: &[f32; 1 + N_SOURCES]) -> Vec<(Token, f32)> {
    let mut counted: Vec<(Token, f32)> = Vec::new();
    for (source, share) in sources.iter().zip(&shares[1..]) {
        for (token, of_source) in source.iter().flat_map(|it| &it.next) {
            add(*token, share * of_source, &mut counted);
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
        if self.one_line { self.likeliest(line, true, half_typed) } else { None }
    }

    fn draft(&mut self, line: &[Token], continues_caret_line: bool, n: usize) -> Vec<Token> {
        let mut line = line.to_vec();
        let n_known = line.len();
        while line.len() < n_known + n {
            match self.likeliest(&line, continues_caret_line, None) {
                Some((token, p)) if p >= DRAFT_PROBABILITY && token != self.history.end => {
                    line.push(token);
                }
                _ => break,
            }
        }
        line.split_off(n_known)
    }
}
