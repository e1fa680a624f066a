//! The words in which an instruct model is asked for JSON.

use std::fmt::Write;

/// A text whose answer is known.
#[derive(Debug, Clone, PartialEq)]
pub struct ExtractionExample {
    pub text: String,
    /// As JSON in one line.
    pub value: String,
}

/// What is the same for all texts. `more` is what a person adds.
pub fn extraction_instruction(
    schema: &str,
    more: Option<&str>,
    examples: &[ExtractionExample],
) -> String {
    let mut words = format!(
        "Extract data from the text. Answer with JSON of this schema and nothing else:\n{schema}\n\
         Take each value from the text, in the text's own words. What the text does not say is left \
         out, null or empty, as the schema allows."
    );
    if let Some(more) = more {
        let _ = write!(words, "\n{}", more.trim());
    }
    for ExtractionExample { text, value } in examples {
        let _ = write!(words, "\n\nText: {}\nJSON: {value}", text.trim());
    }
    words
}

/// What goes before and behind a text.
pub const BEFORE_TEXT: &str = "Text: ";
/// Where the first answer did not come to its end.
pub const ONCE_MORE: &str = "\n\nAnswer as shortly as the schema allows.";
