//! The distribution of the next token: the model's, mixed with counts, among the tokens that are allowed.
//!
//! The one place where a logit becomes a probability; generating and scoring both read it here.

use crate::engine::model::{TokenKind, Vocabulary};
use crate::generation::{ModelOpinion, NextTokenCounts, NextTokenMixture, Token};

/// The tokens generated of the present line.
#[derive(Debug, Default)]
pub struct LineSoFar {
    tokens: Vec<Token>,
    after_break: bool,
}

impl LineSoFar {
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    pub fn push(&mut self, token: Token, piece: &[u8]) {
        if piece.contains(&b'\n') {
            self.tokens.clear();
            self.after_break = true;
        } else {
            self.tokens.push(token);
        }
    }
}

/// One position's distribution.
pub struct NextToken<'a> {
    vocabulary: &'a Vocabulary,
    logits: &'a [f32],
    /// The text has to go on with these bytes.
    forced: &'a [u8],
    /// The likeliest token by the model alone, among those that are allowed.
    model_best: Option<Token>,
    /// The highest logit, and the logarithm of the sum of what the others are of it.
    highest: f32,
    log_sum: f32,
    opinion: ModelOpinion,
    mixture: NextTokenMixture,
    /// What all allowed tokens have together.
    allowed_sum: f32,
}

impl<'a> NextToken<'a> {
    pub fn new(
        vocabulary: &'a Vocabulary,
        logits: &'a [f32],
        forced: &'a [u8],
        line: &LineSoFar,
        counts: Option<&mut (dyn NextTokenCounts + 'static)>,
    ) -> Self {
        let best = |tokens: &mut dyn Iterator<Item = Token>| {
            let mut best: Option<Token> = None;
            for token in tokens {
                if best.is_none_or(|best| logits[token as usize] > logits[best as usize]) {
                    best = Some(token);
                }
            }
            best
        };
        let all = 0..logits.len() as Token;
        let mut usable = all.filter(|it| vocabulary.kind(*it) != TokenKind::Never);
        let usable_best = best(&mut usable);
        let highest = usable_best.map_or(0.0, |it| logits[it as usize]);
        let model_best =
            if forced.is_empty() { usable_best } else { best(&mut vocabulary.tokens_for(forced)) };
        let mut sum = 0.0;
        let mut weighted = 0.0;
        for logit in logits {
            let below = logit - highest;
            let e = below.exp();
            sum += e;
            weighted += e * below;
        }
        let mut this = Self {
            vocabulary,
            logits,
            forced,
            model_best,
            highest,
            log_sum: sum.ln(),
            opinion: ModelOpinion { entropy: sum.ln() - weighted / sum, top: 1.0 / sum },
            mixture: NextTokenMixture { model_weight: 1.0, counted: Vec::new() },
            allowed_sum: 1.0,
        };
        if let Some(counts) = counts {
            let mut mixture = counts.next(&line.tokens, !line.after_break, this.opinion);
            mixture.counted.retain(|(token, _)| this.is_allowed(*token));
            this.mixture = mixture;
        }
        if !forced.is_empty() {
            let model = this.allowed_by_model();
            let counted: f32 = this.mixture.counted.iter().map(|(_, p)| p).sum();
            this.allowed_sum = this.mixture.model_weight * model + counted;
        }
        this
    }

    /// The model's opinion, before anything is mixed in.
    pub fn opinion(&self) -> ModelOpinion {
        self.opinion
    }

    /// The tokens that the model alone finds likeliest, whatever is forced, likeliest first.
    pub fn top_by_model(&self, n: usize) -> Vec<Token> {
        let mut tokens: Vec<Token> = (0..self.logits.len() as Token).collect();
        let n = n.min(tokens.len());
        let by_logit =
            |a: &Token, b: &Token| self.logits[*b as usize].total_cmp(&self.logits[*a as usize]);
        if n > 0 {
            tokens.select_nth_unstable_by(n - 1, by_logit);
        }
        tokens.truncate(n);
        tokens.sort_by(by_logit);
        tokens
    }

    /// What the model alone gives to everything that is allowed.
    pub fn allowed_by_model(&self) -> f32 {
        if self.forced.is_empty() {
            return 1.0;
        }
        self.vocabulary.tokens_for(self.forced).map(|it| self.by_model(it)).sum()
    }

    /// What the model alone gives a token, whatever is forced.
    pub fn by_model(&self, token: Token) -> f32 {
        (self.logits[token as usize] - self.highest - self.log_sum).exp()
    }

    /// The probability of a token among those that are allowed.
    pub fn probability(&self, token: Token) -> f32 {
        if !self.is_allowed(token) || self.allowed_sum <= 0.0 {
            return 0.0;
        }
        let counted = self.mixture.counted.iter().find(|it| it.0 == token).map_or(0.0, |it| it.1);
        ((self.mixture.model_weight * self.by_model(token) + counted) / self.allowed_sum).min(1.0)
    }

    /// The likeliest allowed token, or `None` where nothing can spell what is forced.
    pub fn likeliest(&self) -> Option<Token> {
        let mut best = self.model_best?;
        let mut highest = self.probability(best);
        for (token, _) in &self.mixture.counted {
            let probability = self.probability(*token);
            if probability > highest {
                (best, highest) = (*token, probability);
            }
        }
        Some(best)
    }

    /// Whether the text may go on with this token.
    pub fn is_allowed(&self, token: Token) -> bool {
        if token as usize >= self.logits.len() {
            return false;
        }
        let kind = self.vocabulary.kind(token);
        if self.forced.is_empty() {
            return kind != TokenKind::Never;
        }
        let piece = self.vocabulary.bytes_of(token);
        kind == TokenKind::Text
            && !piece.is_empty()
            && (piece.starts_with(self.forced) || self.forced.starts_with(piece))
    }
}
