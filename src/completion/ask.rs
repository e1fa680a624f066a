//! What is asked: a caret in a text, and on whose behalf.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use ropey::Rope;

use crate::completion::cache::Question;
use crate::prompt::excerpt::Excerpt;
use crate::prompt::lexis::Lexis;
use crate::retrieval::suffix_array::IndexView;
use crate::text::Document;

/// What to complete.
#[derive(Debug, Clone)]
pub struct CompletionAsk {
    /// Identifies the document among others; its window of text is remembered under it.
    pub uri: Arc<str>,
    /// As LSP names it; empty: by the path.
    pub language_id: Arc<str>,
    /// The path as the model is shown it, best relative to the workspace.
    pub path: String,
    pub rope: Rope,
    /// Index of the character that the caret stands before.
    pub caret: usize,
    pub mode: CompletionMode,
    /// It is shown among the entries of other servers, which know the names and their types: a name
    /// alone, or the call of one, is left to them.
    pub leaves_names: bool,
    /// The latest change took characters away at the caret.
    pub is_deleting: bool,
    /// Of two requests the one with the higher number is the newer and wins.
    pub arrival: u64,
    /// Other documents whose text may tell how this one goes on; the nearest first.
    pub others: Vec<Arc<Document>>,
    pub files: OtherFiles,
}

/// On whose behalf a completion is asked for: what is shown, and how long it may take, depends on
/// it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CompletionMode {
    /// A person types. Only what is sure is shown, and where the whole prompt takes too long a
    /// short one answers.
    #[default]
    Typing,
    /// A person asked for it: to the end of the line or block, with alternatives.
    Explicit,
    /// As [`CompletionMode::Typing`], by a script or a measurement: the model sees all it can,
    /// however long that takes.
    Scripted,
    /// As [`CompletionMode::Explicit`], by a script or a measurement.
    ScriptedExplicit,
    /// As [`CompletionMode::Scripted`], without earlier answers.
    Fresh,
    /// As [`CompletionMode::Scripted`], with an empty KV cache and no earlier answers: the baseline
    /// of measurements.
    Cold,
}

impl CompletionMode {
    /// Somebody asked for it, rather than a pause in typing.
    pub fn is_explicit(self) -> bool {
        matches!(self, Self::Explicit | Self::ScriptedExplicit)
    }

    /// Earlier answers serve, and this one serves later.
    pub fn uses_cache(self) -> bool {
        !matches!(self, Self::Fresh | Self::Cold)
    }

    /// A person at a keyboard waits.
    pub fn is_at_keyboard(self) -> bool {
        matches!(self, Self::Typing | Self::Explicit)
    }
}

impl CompletionAsk {
    /// At a caret (an index of a character) in a text, while a person types, with nothing beside
    /// it.
    pub fn at(uri: impl Into<Arc<str>>, path: impl Into<String>, rope: Rope, caret: usize) -> Self {
        Self {
            uri: uri.into(),
            language_id: "".into(),
            path: path.into(),
            rope,
            caret,
            mode: CompletionMode::default(),
            leaves_names: false,
            is_deleting: false,
            arrival: 0,
            others: Vec::new(),
            files: OtherFiles::None,
        }
    }

    /// The same in another mode.
    #[must_use]
    pub fn with_mode(self, mode: CompletionMode) -> Self {
        Self { mode, ..self }
    }

    /// The same with a place in the order of requests.
    #[must_use]
    pub fn arriving(self, arrival: u64) -> Self {
        Self { arrival, ..self }
    }

    pub(crate) fn excerpt(&self) -> Excerpt {
        let mut excerpt = Excerpt::around(&self.rope, self.caret);
        excerpt.lexis = Lexis::of(&self.language_id, &self.path);
        excerpt
    }

    pub(crate) fn question(&self) -> Question {
        let mut others = DefaultHasher::new();
        self.others.iter().for_each(|it| (&it.key, it.revision).hash(&mut others));
        Question {
            uri: Arc::clone(&self.uri),
            rope: self.rope.clone(),
            caret: self.caret.min(self.rope.len_chars()),
            explicit: self.mode.is_explicit(),
            others: others.finish(),
        }
    }
}

/// Files on the disk whose text may tell how a document goes on.
#[derive(Debug, Clone, Default)]
pub enum OtherFiles {
    #[default]
    None,
    /// Those of the workspace in the language of `file`, without those that are open.
    Workspace { file: Arc<Path>, open: Vec<Arc<Path>> },
    /// These.
    Given(IndexView),
}
