//! What a request is answered: a suggestion with what it cost, or why nothing is shown.

use std::time::Duration;

use crate::completion::ask::CompletionAsk;
use crate::completion::secrets;
use crate::lm::{Source, Times, TokenEnd, Usage};
use crate::prompt::excerpt::Excerpt;
use crate::prompt::finish::{Dropped, Suggestion};
use crate::text::words::is_word;

/// Where a suggestion comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompletionSource {
    /// The model or retrieval.
    Generated(Source),
    /// The answer to the same question.
    SameQuestion,
    /// The rest of an earlier answer that was typed along.
    TypedAlong,
    /// The larger model behind a server.
    Server,
    /// The settings leave the language out.
    Settings,
}

impl CompletionSource {
    /// As statistics name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Generated(Source::WholePrompt) => "model",
            Self::Generated(Source::ShortPrompt) => "model, short prompt",
            Self::Generated(Source::Lookup) => "lookup",
            Self::SameQuestion => "same question",
            Self::TypedAlong => "typed along",
            Self::Server => "server",
            Self::Settings => "settings",
        }
    }

    /// No model was needed: an earlier answer served.
    pub fn is_reused(self) -> bool {
        matches!(self, Self::SameQuestion | Self::TypedAlong)
    }
}

/// A suggestion with what it cost.
#[derive(Debug, Clone)]
pub struct Completion {
    /// Goes in at the caret; lines end in `\n`. Empty: nothing to show.
    pub text: String,
    /// The document's lines end in `\r\n`.
    pub crlf: bool,
    /// How many characters after the caret it replaces.
    pub replaced_after: usize,
    /// What else could be shown there.
    pub alternatives: Vec<Suggestion>,
    /// Where the identifier or word that it completes begins, as a character index; the caret where
    /// it completes none.
    pub word_start: usize,
    /// Names this suggestion when its acceptance is reported.
    pub id: u64,
    pub confidence: f32,
    pub usage: Usage,
    pub times: Times,
    pub assemble: Duration,
    pub total: Duration,
    pub source: CompletionSource,
    /// Why nothing is shown, where nothing is.
    pub dropped: Option<Dropped>,
    /// What was generated, as it was before anything was dropped or cut.
    pub raw: String,
    /// Of each token of `raw`.
    pub token_ends: Vec<TokenEnd>,
    /// The line ends at the caret, as far as is known.
    pub ends_line: bool,
}

impl Completion {
    pub(crate) fn nothing(caret: usize, why: Option<Dropped>) -> Self {
        Self {
            text: String::new(),
            crlf: false,
            replaced_after: 0,
            alternatives: Vec::new(),
            word_start: caret,
            id: next_id(),
            confidence: 0.0,
            usage: Usage::default(),
            times: Times::default(),
            assemble: Duration::ZERO,
            total: Duration::ZERO,
            source: CompletionSource::Settings,
            dropped: why,
            raw: String::new(),
            token_ends: Vec::new(),
            ends_line: false,
        }
    }

    pub(super) fn show(
        &mut self,
        ask: &CompletionAsk,
        excerpt: &Excerpt,
        items: Result<Vec<Suggestion>, Dropped>,
    ) {
        let mut items = match items.and_then(|it| secrets::without(ask, excerpt, it)) {
            Ok(items) => items.into_iter(),
            Err(why) => {
                self.dropped = Some(why);
                return;
            }
        };
        let Some(first) = items.next() else { return };
        self.text = first.text;
        self.replaced_after = first.replaced_after;
        self.alternatives = items.collect();
        self.crlf = excerpt.crlf;
        self.word_start = word_start(ask, excerpt);
    }

    /// Shows, where nothing is to come in the caret's line, what comes in the first line below it.
    pub(super) fn show_below(&mut self, first_line: Self, line_break: &str) {
        let Self { text, replaced_after, alternatives, usage, times, .. } = first_line;
        if text.is_empty() || replaced_after > 0 {
            return;
        }
        self.text = format!("{line_break}{text}");
        self.alternatives = alternatives
            .into_iter()
            .filter(|it| it.replaced_after == 0)
            .map(|it| Suggestion { text: format!("{line_break}{}", it.text), ..it })
            .collect();
        self.dropped = None;
        self.crlf = first_line.crlf;
        self.raw = format!("{line_break}{}", first_line.raw);
        let below = |it: TokenEnd| TokenEnd { end: line_break.len() + it.end, ..it };
        self.token_ends = first_line.token_ends.into_iter().map(below).collect();
        self.confidence = first_line.confidence;
        self.source = first_line.source;
        self.assemble += first_line.assemble;
        self.usage += usage;
        self.times += times;
    }

    /// Shows nothing after all.
    pub(super) fn hold_back(&mut self, why: Dropped) {
        self.text.clear();
        self.token_ends.clear();
        self.alternatives.clear();
        self.replaced_after = 0;
        self.dropped = Some(why);
    }

    /// The text with the document's own line breaks.
    pub fn text_as_in_document(&self) -> String {
        if self.crlf { self.text.replace('\n', "\r\n") } else { self.text.clone() }
    }
}

/// The start of the word before the caret: what the client replaces, so that it can go on showing
/// the suggestion while the word is typed.
fn word_start(ask: &CompletionAsk, excerpt: &Excerpt) -> usize {
    let word = excerpt.line_before.chars().rev().take_while(|c| is_word(*c));
    ask.caret.min(ask.rope.len_chars()) - word.count()
}

fn next_id() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
