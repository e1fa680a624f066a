//! What a person may ask a cloud model to do with code, and the words in which it is asked.
//!
//! The words are templates, which a person can replace by files of their own (`template`). What
//! goes into them is chosen within a budget of tokens, the most useful first (`assemble`). Pure:
//! text in, text out.

mod assemble;
mod template;

pub use assemble::{Assembled, Material, Part, PartOf, Quoted, assemble};
pub use template::Template;

/// What may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    Explain,
    Refactor,
    Fix,
    Tests,
    Document,
    /// A question of the person's own.
    Ask,
}

impl Action {
    pub const ALL: [Self; 6] =
        [Self::Explain, Self::Refactor, Self::Fix, Self::Tests, Self::Document, Self::Ask];

    /// Those that need nothing but code.
    pub const OF_CODE: [Self; 5] =
        [Self::Explain, Self::Refactor, Self::Fix, Self::Tests, Self::Document];

    /// In the ledger, in file names and in commands.
    pub fn name(self) -> &'static str {
        match self {
            Self::Explain => "explain",
            Self::Refactor => "refactor",
            Self::Fix => "fix",
            Self::Tests => "tests",
            Self::Document => "document",
            Self::Ask => "ask",
        }
    }

    /// The protocol's command.
    pub fn command(self) -> String {
        format!("keyside.{}", self.name())
    }

    pub fn of_command(command: &str) -> Option<Self> {
        Self::of_name(command.strip_prefix("keyside.")?)
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// Whether the answer is read by a person, or is code that takes the place of what was asked
    /// about. Where tests belong is the person's to say.
    pub fn answers_in_text(self) -> bool {
        match self {
            Self::Explain | Self::Ask | Self::Tests => true,
            Self::Refactor | Self::Fix | Self::Document => false,
        }
    }

    /// The words in which it is asked, unless the person has others.
    pub fn template(self) -> &'static str {
        match self {
            Self::Explain => include_str!("actions/templates/explain.md"),
            Self::Refactor => include_str!("actions/templates/refactor.md"),
            Self::Fix => include_str!("actions/templates/fix.md"),
            Self::Tests => include_str!("actions/templates/tests.md"),
            Self::Document => include_str!("actions/templates/document.md"),
            Self::Ask => include_str!("actions/templates/ask.md"),
        }
    }
}
