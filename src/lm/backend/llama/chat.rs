//! The chat template of a llama.cpp model, taken apart.
//!
//! llama.cpp writes a conversation as one text, in which markers of the template and those that a
//! user spells look the same. So it is given one character for each part, and what stands around
//! them is tokenised with markers, what people write without.

use llama_cpp_2::model::{LlamaChatMessage, LlamaModel};

use crate::lm::chat::ChatTemplate;
use crate::lm::vocabulary::Token;

/// Of the private use areas, which no template has.
const INSTRUCTION: &str = "\u{f8f0}";
const QUESTION: &str = "\u{f8f1}";

/// The template, where the model has one that llama.cpp knows.
pub(super) fn chat_template_of(model: &LlamaModel) -> Option<ChatTemplate> {
    let template = model.chat_template(None).ok()?;
    let message = |role: &str, text: &str| LlamaChatMessage::new(role.into(), text.into()).ok();
    let whole = [message("system", INSTRUCTION)?, message("user", QUESTION)?];
    let written = model.apply_chat_template(&template, &whole, true).ok()?;
    let tokens = |text: &str, is_first: bool| tokens_of(model, text, is_first);
    if let Some((begin, rest)) = written.split_once(INSTRUCTION)
        && let Some((between, end)) = rest.split_once(QUESTION)
    {
        return Some(ChatTemplate {
            before_instruction: tokens(begin, true),
            before_question: tokens(between, false),
            before_answer: tokens(end, false),
        });
    }
    // It has no place for an instruction, which goes before the question.
    let written = model.apply_chat_template(&template, &whole[1..], true).ok()?;
    let (begin, end) = written.split_once(QUESTION)?;
    Some(ChatTemplate {
        before_instruction: tokens(begin, true),
        before_question: tokens("\n\n", false),
        before_answer: tokens(end, false),
    })
}

fn tokens_of(model: &LlamaModel, text: &str, is_first: bool) -> Vec<Token> {
    let vocab = model.vocab();
    let mut tokens: Vec<Token> =
        vocab.tokenize(text.as_bytes(), false, true).into_iter().map(|it| it.0).collect();
    let begin = vocab.bos().0;
    let wants_begin = is_first && vocab.should_add_bos() && begin >= 0;
    if wants_begin && tokens.first() != Some(&begin) {
        tokens.insert(0, begin);
    }
    tokens
}
