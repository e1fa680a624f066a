//! A grammar in the middle of a generation: what may come next, of one model's tokens.

use std::sync::Arc;

use llguidance::api::GrammarInit;
use llguidance::toktrie::{ApproximateTokEnv, InferenceCapabilities, TokRxInfo, TokTrie};
use llguidance::{Logger, Matcher, ParserFactory};

use crate::lm::grammar::closing::{StringState, closing_tokens, single_characters, way_out};
use crate::lm::grammar::{Grammar, first_line, limits};
use crate::lm::model_info::ModelInfo;
use crate::lm::vocabulary::{Token, TokenKind, Vocabulary};

/// Grammars on the tokens of one model. What is compiled stays for the next task.
#[derive(Default)]
pub struct ModelGrammars {
    /// Made for the first task that has a grammar.
    factory: Option<ParserFactory>,
    /// At the start of its grammar. Copies share what they have found out of the vocabulary.
    last: Option<(Arc<Grammar>, Matcher)>,
}

impl ModelGrammars {
    /// The start of a grammar.
    ///
    /// # Errors
    /// A sentence: with these tokens the grammar is too large.
    pub fn start(
        &mut self,
        grammar: &Arc<Grammar>,
        vocabulary: &Vocabulary,
        info: &ModelInfo,
    ) -> Result<GrammarState, String> {
        let matcher = match &self.last {
            Some((last, matcher)) if Arc::ptr_eq(last, grammar) => matcher.clone(),
            _ => {
                let factory = match self.factory.take() {
                    Some(factory) => factory,
                    None => factory_of(vocabulary, info).map_err(unusable)?,
                };
                let factory = self.factory.insert(factory);
                let matcher = matcher_of(factory, grammar);
                if let Some(fault) = matcher.get_error() {
                    return Err(unusable(fault));
                }
                self.last = Some((Arc::clone(grammar), matcher.clone()));
                matcher
            }
        };
        Ok(GrammarState {
            matcher,
            logits: Vec::new(),
            characters: None,
            string: StringState::default(),
        })
    }
}

fn unusable(fault: impl std::fmt::Display) -> String {
    let fault = first_line(&fault.to_string());
    format!("the answer can't be held to its schema with this model ({fault})")
}

fn factory_of(vocabulary: &Vocabulary, info: &ModelInfo) -> Result<ParserFactory, String> {
    let all = 0..vocabulary.len() as Token;
    let words: Vec<Vec<u8>> = all
        .map(|token| match vocabulary.kind(token) {
            TokenKind::Text => vocabulary.bytes_of(token).to_vec(),
            TokenKind::End | TokenKind::Never => Vec::new(),
        })
        .collect();
    let ends: Vec<u32> = match vocabulary.ends() {
        [] => vec![info.end as u32],
        ends => ends.iter().map(|it| *it as u32).collect(),
    };
    let trie = TokTrie::from(&TokRxInfo::new(words.len() as u32, ends[0]), &words);
    let tokens = Arc::new(ApproximateTokEnv::new(trie.with_eos_tokens(&ends)));
    let slices = llguidance::earley::SlicedBiasComputer::json_slices();
    let mut factory = ParserFactory::new(
        &(tokens as llguidance::toktrie::TokEnv),
        InferenceCapabilities::default(),
        &slices,
    )
    .map_err(|fault| fault.to_string())?;
    factory.quiet();
    Ok(factory)
}

fn matcher_of(factory: &ParserFactory, grammar: &Grammar) -> Matcher {
    Matcher::new(factory.create_parser_from_init_ext(
        GrammarInit::Serialized(grammar.0.clone()),
        Logger::new(0, 0),
        InferenceCapabilities::default(),
        limits(),
    ))
}

/// See the module.
pub struct GrammarState {
    matcher: Matcher,
    /// Those of the tokens that may come; the others are minus infinity.
    logits: Vec<f32>,
    /// The tokens of single characters, once they were needed.
    characters: Option<Vec<(u8, Token)>>,
    string: StringState,
}

impl GrammarState {
    /// The logits with all that may not come out of the question. `is_closing`: what ends the text
    /// soonest goes before everything else.
    ///
    /// # Errors
    /// A sentence: the grammar needs more time or memory than it is given.
    pub fn masked(
        &mut self,
        logits: &[f32],
        vocabulary: &Vocabulary,
        is_closing: bool,
    ) -> Result<&[f32], String> {
        let mask = self.matcher.compute_mask_or_eos().map_err(unusable)?;
        let mut allowed = Vec::new();
        mask.iter_set_entries(|index| {
            if index < logits.len() {
                allowed.push(index as Token);
            }
        });
        if is_closing {
            let is_in_string = self.string.is_in_string;
            allowed = match closing_tokens(&allowed, vocabulary, is_in_string) {
                Some(nearer) => nearer,
                None if is_in_string => self.way_out(vocabulary).map_or(allowed, |it| vec![it]),
                None => allowed,
            };
        }
        self.logits.clear();
        self.logits.resize(logits.len(), f32::NEG_INFINITY);
        for token in allowed {
            self.logits[token as usize] = logits[token as usize];
        }
        Ok(&self.logits)
    }

    fn way_out(&mut self, vocabulary: &Vocabulary) -> Option<Token> {
        let characters = self.characters.get_or_insert_with(|| single_characters(vocabulary));
        let matcher = &mut self.matcher;
        let mut may_come = |tokens: &[Token]| {
            let tokens: Vec<u32> = tokens.iter().map(|it| *it as u32).collect();
            matcher.validate_tokens(&tokens).is_ok_and(|it| it == tokens.len())
        };
        way_out(characters, &mut may_come)
    }

    /// Goes on behind a token that is no end, of these bytes.
    ///
    /// # Errors
    /// A sentence: the token may not come.
    pub fn take(&mut self, token: Token, bytes: &[u8]) -> Result<(), String> {
        self.string.take(bytes);
        self.matcher.consume_token(token as u32).map_err(unusable)
    }

    /// Whether the text is whole and nothing can follow it.
    pub fn is_complete(&self) -> bool {
        self.matcher.is_stopped() && !self.matcher.is_error()
    }
}
