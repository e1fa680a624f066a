//! Texts for the instruct model, one by one: the instruction stays in the KV cache, so that each
//! costs its own tokens; what did not come to its end is asked for once more.

use std::sync::Arc;

use crate::app::instruct::InUse;
use crate::instruct::extraction::{BEFORE_TEXT, ONCE_MORE};
use crate::instruct::summary::shorter;
use crate::instruct::{AnswerSchema, Summary, WordLimit, n_words};
use crate::lm::task::NeverStop;
use crate::lm::{
    Choice, ChooseTask, Finish, GenerateTask, Generation, Grammar, Lane, StopRule, Token, Usage,
};

/// Tokens that a text has at least room for.
const MIN_TEXT_TOKENS: usize = 64;
/// A token of a text is seldom longer, in bytes.
const MAX_TOKEN_BYTES: usize = 64;
/// Tokens that a word of a summary may take, in any language.
const MAX_TOKENS_PER_WORD: usize = 8;

/// One instruction, and the answers to texts by it.
pub struct Answers {
    in_use: InUse,
    lane: Lane,
    /// What all prompts begin with.
    prefix: Vec<Token>,
    max_tokens: usize,
}

/// An answer, and what it took.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<T> {
    pub value: T,
    /// How many of the text's last characters the model was not shown.
    pub n_cut_chars: usize,
    /// How often the model was asked.
    pub n_asked: usize,
    pub usage: Usage,
}

/// JSON of a schema.
#[derive(Debug, Clone, PartialEq)]
pub struct ExtractedValue {
    /// In one line, as it was generated.
    pub json: String,
    /// There was more to come, and it was closed where it stood.
    pub is_closed_early: bool,
}

impl Answers {
    /// # Errors
    /// One sentence: the instruction leaves no room for texts.
    pub fn new(
        in_use: InUse,
        lane: Lane,
        instruction: &str,
        max_tokens: usize,
    ) -> Result<Self, String> {
        let prefix = in_use.chat.prefix(&in_use.info, instruction);
        let n_context = in_use.info.n_context_tokens;
        let max_tokens = max_tokens.min(n_context / 2);
        let n_taken = prefix.len() + in_use.chat.before_answer.len() + max_tokens;
        if n_taken + MIN_TEXT_TOKENS >= n_context {
            return Err(format!(
                "the instruction takes {} tokens and the answer up to {max_tokens}, which leaves no room for a \
                 text in a context of {n_context}; say less, or raise model.instruct_context_tokens",
                prefix.len()
            ));
        }
        Ok(Self { in_use, lane, prefix, max_tokens })
    }

    /// The same with the tokens of an instruction that has been found to leave room.
    pub fn with_prefix(in_use: InUse, lane: Lane, prefix: Vec<Token>, max_tokens: usize) -> Self {
        Self { in_use, lane, prefix, max_tokens }
    }

    /// The tokens of the instruction.
    pub fn into_prefix(self) -> Vec<Token> {
        self.prefix
    }

    /// How many tokens a summary of so many words may take.
    pub fn summary_tokens(max_words: usize) -> usize {
        max_words.saturating_mul(MAX_TOKENS_PER_WORD).saturating_add(32)
    }

    /// JSON of the schema, from a text.
    ///
    /// # Errors
    /// The end of a sentence that begins with the text's place.
    pub async fn extract(
        &self,
        text: &str,
        schema: &AnswerSchema,
    ) -> Result<Answer<ExtractedValue>, String> {
        let mut whole = self.ask(text, "", Some(&schema.grammar), Arc::new(NeverStop)).await?;
        let is_early = |it: &Generation| it.usage.generated_tokens > self.max_tokens / 2;
        if is_early(&whole.value) {
            let grammar = Some(&schema.tight_grammar);
            let again = self.ask(text, ONCE_MORE, grammar, Arc::new(NeverStop)).await?;
            whole = again.after(&whole);
        }
        let is_closed_early = is_early(&whole.value);
        let generated = &whole.value.best;
        let json = generated.text.clone();
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&json).is_ok();
        if generated.finish != Finish::EndToken || !is_json {
            return Err(format!(
                "has no answer within {} tokens; let it be longer with --max-tokens, or make the schema smaller",
                self.max_tokens
            ));
        }
        Ok(whole.with(ExtractedValue { json, is_closed_early }))
    }

    /// A summary of a text, of at most so many words.
    ///
    /// # Errors
    /// As [`Answers::extract`].
    pub async fn summarize(&self, text: &str, max_words: usize) -> Result<Answer<Summary>, String> {
        let limit = || Arc::new(WordLimit { max_words });
        let first = self.ask(text, "", None, limit()).await?;
        let summary = |it: &Answer<Generation>| {
            let best = &it.value.best;
            // Fewer words than there may be: it was the end of the paragraph that ended it.
            let is_paragraph = best.finish == Finish::StopRule && n_words(&best.text) < max_words;
            let is_whole = best.finish == Finish::EndToken || is_paragraph;
            Summary::of(&best.text, max_words, is_whole)
        };
        let found = summary(&first);
        if !found.is_cut && !found.text.is_empty() {
            return Ok(first.with(found));
        }
        let again = self.ask(text, &shorter(max_words), None, limit()).await?.after(&first);
        let better = summary(&again);
        let is_better = !better.text.is_empty() && !better.is_cut;
        match if is_better { better } else { found } {
            found if found.text.is_empty() => {
                Err("has no summary: the model wrote none".to_owned())
            }
            found => Ok(again.with(found)),
        }
    }

    /// How likely each of some texts is as the answer to a text.
    ///
    /// # Errors
    /// As [`Answers::extract`].
    pub async fn choose(
        &self,
        text: &str,
        choices: &[Vec<Token>],
    ) -> Result<Answer<Vec<f64>>, String> {
        let (prompt, n_cut_chars) = self.prompt(text, &[]);
        let task = ChooseTask { prompt, choices: choices.to_vec() };
        let choice = self.in_use.engine.run(self.lane.clone(), task).await;
        let Choice { probabilities, usage } =
            choice.map_err(|fault| format!("could not be answered: {fault}"))?;
        Ok(Answer { value: probabilities, n_cut_chars, n_asked: 1, usage })
    }

    async fn ask(
        &self,
        text: &str,
        after_text: &str,
        grammar: Option<&Arc<Grammar>>,
        stop: Arc<dyn StopRule>,
    ) -> Result<Answer<Generation>, String> {
        let (prompt, n_cut_chars) = self.prompt(text, &self.in_use.info.tokens_of(after_text));
        let task = GenerateTask {
            grammar: grammar.map(Arc::clone),
            stop,
            ..GenerateTask::after(prompt, self.max_tokens)
        };
        let generation = self.in_use.engine.run(self.lane.clone(), task).await;
        let generation = generation.map_err(|fault| format!("could not be answered: {fault}"))?;
        let usage = generation.usage;
        Ok(Answer { value: generation, n_cut_chars, n_asked: 1, usage })
    }

    /// The prompt of a text, and how many of its characters there is no room for.
    fn prompt(&self, text: &str, after: &[Token]) -> (Vec<Token>, usize) {
        let n_taken = self.prefix.len() + self.in_use.chat.before_answer.len() + after.len();
        let n_context = self.in_use.info.n_context_tokens;
        let n_room = (n_context - 1).saturating_sub(n_taken + self.max_tokens);
        let (mut question, n_cut_chars) = self.cut(text, n_room);
        question.extend(after);
        (self.in_use.chat.prompt(&self.prefix, &question), n_cut_chars)
    }

    /// The tokens of a text as far as there is room for them, and how many of its characters there
    /// is none for.
    fn cut(&self, text: &str, n_room: usize) -> (Vec<Token>, usize) {
        let tokens = |text: &str| self.in_use.info.tokens_of(&format!("{BEFORE_TEXT}{text}"));
        let mut shown = up_to(text, n_room.saturating_mul(MAX_TOKEN_BYTES));
        let mut found = tokens(shown);
        while found.len() > n_room && !shown.is_empty() {
            // A little less than what the tokens so far say, so that it is soon short enough.
            let n_bytes = shown.len() as f64 * n_room as f64 / found.len() as f64 * 0.98;
            shown = up_to(shown, (n_bytes as usize).min(shown.len() - 1));
            found = tokens(shown);
        }
        (found, text[shown.len()..].chars().count())
    }
}

/// At most so many bytes of a text, whole characters.
fn up_to(text: &str, n_bytes: usize) -> &str {
    &text[..text.floor_char_boundary(n_bytes)]
}

impl<T> Answer<T> {
    /// What else the same asking gave.
    pub fn with<U>(self, value: U) -> Answer<U> {
        let Self { n_cut_chars, n_asked, usage, .. } = self;
        Answer { value, n_cut_chars, n_asked, usage }
    }

    /// With what an earlier one took.
    fn after<U>(mut self, earlier: &Answer<U>) -> Self {
        self.n_asked += earlier.n_asked;
        self.usage += earlier.usage;
        self
    }
}
