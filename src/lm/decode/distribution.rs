//! The distribution of the next token: the model's, mixed with retrieval, among the tokens that are
//! allowed.
//!
//! The one place where a logit becomes a probability; generating and scoring both read it here.

use crate::lm::decode::constraint::RequiredPrefix;
use crate::lm::decode::line::{ChosenToken, CurrentLine};
use crate::lm::mixer::{ModelConfidence, NextTokenMixer, NextTokenMixture, PrefixConstraint};
use crate::lm::vocabulary::{Token, TokenKind, Vocabulary};

/// Each byte of the required prefix that a token leaves over makes it a tenth as likely. Without
/// this, a line was right inside a name in 29.9% of 1,000 cases (packages for fitting, four
/// languages) and at a token's border in 32.4% of 2,000; with a third in 31.1 and 33.1%, with a
/// tenth in 31.0 and 33.1%, with 3% in 31.1 and 32.9%.
const NATS_PER_BYTE_LEFT: f32 = std::f32::consts::LN_10;

/// However well retrieval has predicted a word's beginning, the model keeps a part in its rest.
const MAX_ODDS: f32 = 8.0;

/// One position's distribution.
pub struct NextToken<'a> {
    vocabulary: &'a Vocabulary,
    logits: &'a [f32],
    /// `None`: all tokens that are no markers may come.
    prefix: Option<RequiredPrefix<'a>>,
    /// The likeliest token by the model alone.
    model_best: Option<Token>,
    /// The highest score, and the logarithm of the sum of what the others are of it.
    highest: f32,
    log_sum: f32,
    confidence: ModelConfidence,
    mixture: NextTokenMixture,
    /// What all tokens have together.
    sum: f32,
}

impl<'a> NextToken<'a> {
    /// `prefix` are bytes that the text has to go on with: then the distribution is one over the
    /// tokens that can spell them.
    pub fn new(
        vocabulary: &'a Vocabulary,
        logits: &'a [f32],
        prefix: &'a [u8],
        line: &CurrentLine,
        mixer: Option<&mut (dyn NextTokenMixer + 'static)>,
    ) -> Self {
        let prefix =
            (!prefix.is_empty()).then(|| RequiredPrefix::new(vocabulary, prefix, logits.len()));
        let by_score = |a: &Token, b: &Token| {
            score(logits, prefix.as_ref(), *a).total_cmp(&score(logits, prefix.as_ref(), *b))
        };
        let all = 0..logits.len() as Token;
        let model_best = match &prefix {
            None => all.filter(|it| vocabulary.kind(*it) != TokenKind::Never).max_by(by_score),
            Some(prefix) => prefix.tokens.iter().copied().max_by(by_score),
        };
        let highest = model_best.map_or(0.0, |it| score(logits, prefix.as_ref(), it));
        let mut sum = 0.0;
        let mut weighted = 0.0;
        let mut add = |logit: f32| {
            let below = logit - highest;
            let e = below.exp();
            sum += e;
            // Nothing times minus infinity is not a number.
            weighted += if e > 0.0 { e * below } else { 0.0 };
        };
        match &prefix {
            None => logits.iter().for_each(|it| add(*it)),
            Some(it) => it.tokens.iter().for_each(|token| add(score(logits, Some(it), *token))),
        }
        // A model that fails can give logits that are no numbers; then there is no next token.
        let is_sound = highest.is_finite() && sum.is_finite();
        let mut this = Self {
            vocabulary,
            logits,
            prefix,
            model_best: model_best.filter(|_| is_sound),
            highest,
            log_sum: sum.ln(),
            confidence: ModelConfidence {
                entropy: sum.ln() - weighted / sum,
                top_probability: 1.0 / sum,
            },
            mixture: NextTokenMixture { model_weight: 1.0, retrieved: Vec::new() },
            sum: 1.0,
        };
        if let Some(mixer) = mixer.filter(|_| this.model_best.is_some() && !line.is_unknown()) {
            let next = line.context(this.constraint());
            let mut mixture = mixer.mix(&next, this.confidence);
            for (token, _) in &mut mixture.retrieved {
                *token = this.as_the_model_ends(*token);
            }
            mixture.retrieved.retain(|(token, _)| this.is_allowed(*token));
            this.go_on_with_word(line, &mut mixture);
            let retrieved: f32 = mixture.retrieved.iter().map(|(_, p)| p).sum();
            // All of it is lost where retrieval is sure of what may not come.
            if mixture.model_weight + retrieved > f32::EPSILON {
                this.sum = mixture.model_weight + retrieved;
                this.mixture = mixture;
            }
        }
        this
    }

    /// Of several tokens that end a line the model means one, and retrieval knows only of one.
    fn as_the_model_ends(&self, token: Token) -> Token {
        let is_end = self.vocabulary.ends().contains(&token);
        let ends =
            self.vocabulary.line_ends().iter().filter(|it| (**it as usize) < self.logits.len());
        let by_logit = |a: &&Token, b: &&Token| {
            self.logits[**a as usize].total_cmp(&self.logits[**b as usize])
        };
        if is_end { *ends.max_by(by_logit).unwrap_or(&token) } else { token }
    }

    /// How sure the model alone is.
    pub fn confidence(&self) -> ModelConfidence {
        self.confidence
    }

    /// What has to be spelled, if anything.
    pub fn constraint(&self) -> Option<&dyn PrefixConstraint> {
        self.prefix.as_ref().map(|it| it as _)
    }

    /// The tokens that the model alone finds likeliest, likeliest first.
    pub fn top_by_model(&self, n: usize) -> Vec<Token> {
        let all = 0..self.logits.len() as Token;
        let mut tokens: Vec<Token> = all.filter(|it| self.is_allowed(*it)).collect();
        let n = n.min(tokens.len());
        let by_score = |a: &Token, b: &Token| self.score(*b).total_cmp(&self.score(*a));
        if n > 0 {
            tokens.select_nth_unstable_by(n - 1, by_score);
        }
        tokens.truncate(n);
        tokens.sort_by(by_score);
        tokens
    }

    /// What the model alone gives a token that may come.
    pub fn by_model(&self, token: Token) -> f32 {
        (self.score(token) - self.highest - self.log_sum).exp()
    }

    fn score(&self, token: Token) -> f32 {
        score(self.logits, self.prefix.as_ref(), token)
    }

    /// The probability of a token.
    pub fn probability(&self, token: Token) -> f32 {
        if !self.is_allowed(token) {
            return 0.0;
        }
        let retrieved =
            self.mixture.retrieved.iter().find(|it| it.0 == token).map_or(0.0, |it| it.1);
        ((self.mixture.model_weight * self.by_model(token) + retrieved) / self.sum).min(1.0)
    }

    /// A word outside ASCII is spelled in bytes, of which the model knows little: each would have
    /// its own doubt, and a name that the texts are full of would not be sure to its end. So within
    /// such a word retrieval keeps the odds that its beginning has given it: a mixture over words
    /// instead of tokens, by Bayes' rule.
    fn go_on_with_word(&self, line: &CurrentLine, mixture: &mut NextTokenMixture) {
        let Some(odds) = line.odds_of_retrieval() else { return };
        let likeliest = mixture.retrieved.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        let Some((likeliest, _)) = likeliest else { return };
        let first = self.vocabulary.bytes_of(*likeliest).first();
        if line.is_in_word_outside_ascii() || first.is_some_and(|it| !it.is_ascii()) {
            let retrieved: f32 = mixture.retrieved.iter().map(|it| it.1).sum();
            mixture.model_weight = mixture.model_weight.min(retrieved * (-odds).exp());
        }
    }

    /// The token with what is known of it.
    pub fn choose(&self, token: Token) -> ChosenToken {
        let NextTokenMixture { model_weight, retrieved } = &self.mixture;
        let by_retrieval = retrieved.iter().find(|it| it.0 == token).map(|it| it.1);
        let by_model = model_weight * self.by_model(token);
        ChosenToken {
            token,
            log_probability: self.probability_of_line(token).max(f32::MIN_POSITIVE).ln(),
            // The weights are in both, so that this is the odds before times what the token tells.
            odds_of_retrieval: by_retrieval.map(|it| {
                (it.max(f32::MIN_POSITIVE) / by_model.max(f32::MIN_POSITIVE)).ln().min(MAX_ODDS)
            }),
        }
    }

    /// The likeliest token, or `None` where nothing can spell the prefix. Tokens that differ in
    /// line breaks alone count together: models spell the end of a line in several ways.
    pub fn likeliest(&self) -> Option<Token> {
        let mut best = self.model_best?;
        let mut highest = self.probability_of_line(best);
        for (token, _) in &self.mixture.retrieved {
            let probability = self.probability_of_line(*token);
            if probability > highest {
                (best, highest) = (*token, probability);
            }
        }
        // The model goes on from the one that it would have taken.
        let same = self.vocabulary.same_but_for_line_breaks(best).filter(|it| self.is_allowed(*it));
        same.max_by(|a, b| self.score(*a).total_cmp(&self.score(*b)))
    }

    /// The probability that the text goes on with a token, whatever line breaks come with it.
    fn probability_of_line(&self, token: Token) -> f32 {
        let same = self.vocabulary.same_but_for_line_breaks(token);
        same.map(|it| self.probability(it)).sum::<f32>().min(1.0)
    }

    /// The likeliest tokens with their probabilities, likeliest first, at most `n`.
    pub fn likeliest_ones(&self, n: usize) -> Vec<(Token, f32)> {
        let mut tokens = self.top_by_model(n);
        tokens.extend(self.mixture.retrieved.iter().map(|it| it.0));
        tokens.sort_unstable();
        tokens.dedup();
        let mut likeliest: Vec<(Token, f32)> =
            tokens.into_iter().map(|it| (it, self.probability(it))).collect();
        likeliest.sort_by(|a, b| b.1.total_cmp(&a.1));
        likeliest.truncate(n);
        likeliest
    }

    /// Whether the text may go on with this token.
    pub fn is_allowed(&self, token: Token) -> bool {
        match &self.prefix {
            Some(prefix) => prefix.may_come(token),
            None => {
                (token as usize) < self.logits.len()
                    && self.vocabulary.kind(token) != TokenKind::Never
            }
        }
    }
}

/// A token's logit, less for one that spells only a beginning of the prefix: it would have to be
/// followed by the rest, and how likely that is only another decode could tell.
fn score(logits: &[f32], prefix: Option<&RequiredPrefix>, token: Token) -> f32 {
    let logit = logits[token as usize];
    prefix.map_or(logit, |prefix| logit - prefix.n_bytes_left_by(token) as f32 * NATS_PER_BYTE_LEFT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lm::mixer::NextTokenContext;

    const PIECES: [&str; 6] = ["(", "(res", "(result", "ult", "ume", "x"];

    fn vocabulary() -> Vocabulary {
        Vocabulary::new(PIECES.map(|it| (it, TokenKind::Text)))
    }

    #[test]
    fn a_beginning_of_the_prefix_counts_less_than_all_of_it() {
        let vocabulary = vocabulary();
        let line = CurrentLine::default();
        let best = |prefix: &[u8], logits: &[f32]| {
            let next = NextToken::new(&vocabulary, logits, prefix, &line, None);
            let all = (0..6).map(|it| next.probability(it)).sum::<f32>();
            assert!((all - 1.0).abs() < 1e-5, "{all}");
            PIECES[next.likeliest().expect("one spells it") as usize]
        };
        // e^3 is twenty times as likely; two bytes left over are a hundredth.
        let logits = [0.0, 4.0, 1.0, 0.0, 0.0, 9.0];
        assert_eq!(best(b"", &logits), "x");
        assert_eq!(best(b"(res", &logits), "(res");
        assert_eq!(best(b"(resul", &logits), "(result");
        assert_eq!(best(b"(resu", &[0.0, 4.0, 1.5, 0.0, 0.0, 0.0]), "(res");
        assert_eq!(best(b"(resum", &logits), "(res");
    }

    /// Retrieval that knows one name: it gets `first` of the mixture at its beginning, and a tenth
    /// in its rest.
    struct OneName {
        tokens: Vec<Token>,
        first: f32,
    }

    impl NextTokenMixer for OneName {
        fn mix(&mut self, next: &NextTokenContext, _: ModelConfidence) -> NextTokenMixture {
            let share = if next.line.is_empty() { self.first } else { 0.1 };
            let retrieved = self.tokens.get(next.line.len()).map(|it| (*it, share));
            let retrieved = retrieved.into_iter().collect();
            NextTokenMixture { model_weight: 1.0 - share, retrieved }
        }

        fn predict_without_model(&mut self, _: &NextTokenContext) -> Option<(Token, f32)> {
            None
        }

        fn speculate(&mut self, _: &NextTokenContext, _: usize) -> Vec<Token> {
            Vec::new()
        }
    }

    #[test]
    fn a_word_outside_ascii_is_as_likely_as_its_beginning() {
        let pieces: [&[u8]; 6] = [b"(", b"\xc3", b"\xb6", b"a", b"b", b")"];
        let vocabulary = Vocabulary::new(pieces.map(|it| (it, TokenKind::Text)));
        // A mixture of a model that knows nothing with retrieval, at a name's tokens one after
        // another.
        let probabilities = |name: &[Token], first: f32| {
            let mut mixer = OneName { tokens: name.to_vec(), first };
            let mut line = CurrentLine::default();
            let mut next = |token: &Token| {
                let next = NextToken::new(&vocabulary, &[0.0; 6], b"", &line, Some(&mut mixer));
                let chosen = next.choose(*token);
                line.push(chosen, pieces[*token as usize]);
                chosen.log_probability.exp()
            };
            name.iter().map(&mut next).collect::<Vec<f32>>()
        };
        let umlauts = probabilities(&[0, 1, 2, 1, 2, 5], 0.5);
        assert!(umlauts[1..].iter().all(|it| *it > 0.7), "{umlauts:?}");
        assert!(umlauts[3..].iter().all(|it| *it > 0.95), "{umlauts:?}");
        // In ASCII the gate decides, and where retrieval did not expect the beginning.
        let letters = probabilities(&[0, 3, 4, 3, 4, 5], 0.5);
        assert!(letters[1..].iter().all(|it| *it < 0.3), "{letters:?}");
        let surprising = probabilities(&[0, 1, 2], 0.0);
        assert!(surprising[1] < 0.3, "{surprising:?}");
    }
}
