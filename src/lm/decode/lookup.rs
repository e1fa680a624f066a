//! A generation by retrieval alone, without the model, where that is sure of all the text.

use crate::lm::decode::constraint::RequiredPrefix;
use crate::lm::decode::line::{ChosenToken, CurrentLine};
use crate::lm::decode::text::TextSoFar;
use crate::lm::mixer::NextTokenMixer;
use crate::lm::task::{Finish, GenerateTask, GeneratedText};
use crate::lm::vocabulary::{Token, TokenKind, Vocabulary};

/// The text that the task's mixer predicts without the model, or `None` where it is not as sure of
/// it as the task wants.
pub fn generated_by_lookup(
    vocabulary: &Vocabulary,
    task: &mut GenerateTask,
) -> Option<GeneratedText> {
    let min_log_probability = task.min_lookup_confidence?.ln();
    let mixer = task.mixer.as_deref_mut()?;
    let mut text = TextSoFar::new(&task.required_prefix);
    let finish = loop {
        let (next, probability) = predict(vocabulary, text.prefix_left(), &text.line, mixer)?;
        let log_probability = probability.max(f32::MIN_POSITIVE).ln();
        text.n_tokens += 1;
        let is_sure = text.log_probability + log_probability >= min_log_probability;
        if !is_sure || text.n_tokens > task.max_tokens {
            return None;
        }
        if vocabulary.kind(next) == TokenKind::End {
            break Finish::EndToken;
        }
        let chosen = ChosenToken { token: next, log_probability, odds_of_retrieval: None };
        text.push(chosen, vocabulary.bytes_of(next));
        if let Some(end) = task.stop.end_of(text.text()) {
            text.end = end;
            break Finish::StopRule;
        }
    };
    // The prefix must have been spelled: nothing else is an answer.
    text.prefix_left().is_empty().then(|| text.ended(finish))
}

/// The likeliest token by retrieval alone, of those that spell `prefix`, and its probability.
fn predict(
    vocabulary: &Vocabulary,
    prefix: &[u8],
    line: &CurrentLine,
    mixer: &mut dyn NextTokenMixer,
) -> Option<(Token, f32)> {
    let prefix =
        (!prefix.is_empty()).then(|| RequiredPrefix::new(vocabulary, prefix, vocabulary.len()));
    let next = line.context(prefix.as_ref().map(|it| it as _));
    let found = mixer.predict_without_model(&next)?;
    let is_allowed = match &prefix {
        Some(prefix) => prefix.may_come(found.0),
        None => vocabulary.kind(found.0) != TokenKind::Never,
    };
    is_allowed.then_some(found)
}
