//! How a model completes, by its header: in the middle, after a text, or not at all.

use crate::lm::gguf_header::GgufHeader;

/// What a model is shown of the text around a caret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompletesBy {
    /// The text on both sides, with the markers of this family.
    FillInTheMiddle(&'static str),
    /// The text before it.
    TextBefore,
}

/// Whether models of an architecture, by llama.cpp's name, generate text. `is_causal` is what the
/// file says (`attention.causal`). Encoders make vectors of texts; a T5 wants its text in an
/// encoder.
pub fn generates(architecture: &str, is_causal: Option<bool>) -> bool {
    const OTHERS: &[&str] = &["t5", "t5encoder", "gemma-embedding", "clip", "wavtokenizer-dec"];
    is_causal.unwrap_or(true) && !architecture.contains("bert") && !OTHERS.contains(&architecture)
}

impl GgufHeader {
    /// How it completes code at a caret; `None` where it can't.
    pub fn completes_by(&self) -> Option<CompletesBy> {
        match self.fim_family {
            _ if !self.is_language_model() || !self.generates => None,
            Some(family) => Some(CompletesBy::FillInTheMiddle(family)),
            None => Some(CompletesBy::TextBefore),
        }
    }
}
