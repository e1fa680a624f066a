//! What is suggested at each key of a typed text, taken or not, as JSON lines: what the rule that
//! decides when to speak is chosen on (model/pipeline/when_to_speak.py).

use serde::Serialize;

use crate::completion::Completion;

/// Characters of the text to be typed that a line holds: nothing shown is longer.
const MAX_GOAL: usize = 400;
/// Characters of the caret's line before the caret.
const MAX_BEFORE: usize = 80;

/// One line of the file: a key.
#[derive(Debug, Serialize)]
pub struct KeyRecord<'a> {
    pub language: &'a str,
    pub package: &'a str,
    /// Which of the typed texts, and how many of its characters stand there.
    pub stretch: usize,
    pub at: usize,
    /// The end of the line before the caret, and the line's rest behind it.
    pub before: String,
    pub after: String,
    /// How the text goes on.
    pub goal: String,
    pub suggested: SuggestedText,
}

/// What was suggested.
#[derive(Debug, Serialize)]
pub struct SuggestedText {
    pub text: String,
    pub replaced_after: usize,
    pub raw: String,
    pub confidence: f32,
    /// Of each token of `raw`: its end in bytes, and the probability that all is right up to it.
    pub token_ends: Vec<(usize, f32)>,
    pub source: &'static str,
    pub dropped: Option<&'static str>,
}

impl From<&Completion> for SuggestedText {
    fn from(it: &Completion) -> Self {
        Self {
            text: it.text.clone(),
            replaced_after: it.replaced_after,
            raw: it.raw.clone(),
            confidence: it.confidence,
            token_ends: it.token_ends.iter().map(|it| (it.end, it.confidence)).collect(),
            source: it.source.name(),
            dropped: it.dropped.map(|it| it.name()),
        }
    }
}

impl<'a> KeyRecord<'a> {
    /// `before` and `after` are all of the text around the caret, `goal` what is to be typed yet.
    pub fn new(
        (language, package): (&'a str, &'a str),
        (stretch, at): (usize, usize),
        (before, after, goal): (&str, &str, &[char]),
        completion: &Completion,
    ) -> Self {
        let line = before.rsplit('\n').next().unwrap_or_default();
        let n_left_out = line.chars().count().saturating_sub(MAX_BEFORE);
        Self {
            language,
            package,
            stretch,
            at,
            before: line.chars().skip(n_left_out).collect(),
            after: after.lines().next().unwrap_or_default().to_owned(),
            goal: goal.iter().take(MAX_GOAL).collect(),
            suggested: completion.into(),
        }
    }
}
