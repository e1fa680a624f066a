//! What a model is like on this machine: whether a text comes back from its tokens, what it writes
//! at a caret, and how fast it reads and writes.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::lm::backend::{Backend, EvaluateError};
use crate::lm::fim::{FimOrder, FimTemplate};
use crate::lm::model_info::ModelInfo;
use crate::lm::vocabulary::Token;
use crate::stdx::cancel::CancelFlag;
use crate::stdx::milliseconds;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelMeasurement {
    /// The family of its fill-in-the-middle tokens, if it has any.
    pub fim: Option<String>,
    /// It generates text.
    pub generates: bool,
    /// Whether [`SCRIPTS`] comes back from its tokens.
    pub is_round_trip: bool,
    /// What it writes at a caret; or, without such tokens, after a text.
    pub text: String,
    pub load_ms: f64,
    pub prefill_tokens_per_second: f64,
    pub decode_tokens_per_second: f64,
}

const SCRIPTS: &str =
    "fn größe(a: &[u8]) -> usize {\n\tlet s = \"顧客 🦀 ١٢٣\"; // \\x00\n    a.len()  *  2\r\n}\n";
const BEFORE: &str =
    "fn double(values: &[u32]) -> Vec<u32> {\n    values.iter().map(|value| value * ";
const AFTER: &str = ").collect()\n}\n";
/// Enough for a rate; read in one batch.
const MIN_PROMPT_TOKENS: usize = 96;
const MAX_NEW_TOKENS: usize = 24;

/// Measures a model that is loaded.
///
/// # Errors
/// One sentence, where it can't be evaluated.
pub fn measure(model: &mut dyn Backend) -> Result<ModelMeasurement, String> {
    let info = std::sync::Arc::clone(model.info());
    let bytes = |model: &dyn Backend, tokens: &[Token]| -> Vec<u8> {
        tokens.iter().flat_map(|it| model.vocabulary().bytes_of(*it).to_vec()).collect()
    };
    let is_round_trip = bytes(model, &info.tokens_of(SCRIPTS)) == SCRIPTS.as_bytes();
    let template = info.capabilities.fim.as_ref();
    let (prompt, ends) = match template {
        Some(template) => (fim_prompt(&info, template), template.ends.clone()),
        None => {
            let begin = info.begin_of_text.into_iter();
            (begin.chain(padded(&info)).collect(), model.vocabulary().ends().to_vec())
        }
    };
    let flag = CancelFlag::default();
    let failed = |error: EvaluateError| format!("llama.cpp can't evaluate it ({error:?})");
    let started = Instant::now();
    model.evaluate(0, &prompt, 0, &flag).map_err(failed)?;
    let prefill = started.elapsed();
    let mut written = Vec::new();
    let started = Instant::now();
    while written.len() < MAX_NEW_TOKENS {
        let token = likeliest(model.logits());
        if ends.contains(&token) {
            break;
        }
        let position = prompt.len() + written.len();
        written.push(token);
        model.evaluate(0, &[token], position, &flag).map_err(failed)?;
    }
    let decode = started.elapsed();
    let rate = |n: usize, time: std::time::Duration| n as f64 / time.as_secs_f64().max(1e-6);
    Ok(ModelMeasurement {
        fim: template.map(|it| it.family.to_owned()),
        generates: info.capabilities.score,
        is_round_trip,
        text: String::from_utf8_lossy(&bytes(model, &written)).into_owned(),
        load_ms: milliseconds(info.load_time),
        prefill_tokens_per_second: rate(prompt.len(), prefill),
        decode_tokens_per_second: rate(written.len().max(1), decode),
    })
}

fn likeliest(logits: &[f32]) -> Token {
    let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.and_then(|(index, _)| Token::try_from(index).ok()).unwrap_or_default()
}

fn fim_prompt(info: &ModelInfo, template: &FimTemplate) -> Vec<Token> {
    let part = |marker: Token, text: &[Token]| [&[marker], text].concat();
    let prefix = part(template.prefix, &padded(info));
    let suffix = part(template.suffix, &info.tokens_of(AFTER));
    let parts = match template.order {
        FimOrder::PrefixSuffixMiddle => [prefix, suffix],
        FimOrder::SuffixPrefixMiddle => [suffix, prefix],
    };
    let begin = template.begin_of_text.into_iter();
    begin.chain(parts.concat()).chain(template.middle).collect()
}

/// The text before the caret, as often as gives enough tokens.
fn padded(info: &ModelInfo) -> Vec<Token> {
    let once = info.tokens_of(BEFORE);
    let n = MIN_PROMPT_TOKENS.div_ceil(once.len().max(1));
    info.tokens_of(&format!("{}{BEFORE}", format!("{BEFORE}2)\n}}\n").repeat(n.min(8))))
}
