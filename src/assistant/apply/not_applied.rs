//! Why an answer is not put into a document.

use std::fmt;

/// Shown as a sentence that says what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotApplied {
    /// It ends within a block of code, or within its thoughts.
    CutOff,
    NoBlock,
    /// It has code, but none in this language.
    OtherLanguage(String),
    /// It has so many blocks of code that may be meant.
    SeveralBlocks(usize),
    DocumentChanged,
    NoCode,
    Unchanged,
    /// A comment stands for code.
    LeavesCodeOut,
    FarTooLong,
    LostMostCode,
    /// The file would have more errors than before.
    NewErrors,
    /// The file could not be parsed in time.
    Unchecked,
}

impl fmt::Display for NotApplied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentence = match self {
            Self::CutOff => {
                "The answer ends within a block of code, so it is not whole; ask again with a larger \
                 `cloud.max_output_tokens`, or about less."
            }
            Self::NoBlock => "The answer holds no block of code; ask again, or read it as text.",
            Self::OtherLanguage(language_id) => {
                return write!(f, "The answer holds code, but none in {language_id}; ask again.");
            }
            Self::SeveralBlocks(n) => {
                return write!(
                    f,
                    "The answer holds {n} blocks of code, and it is not clear which is meant; ask again, or take one by hand."
                );
            }
            Self::DocumentChanged => {
                "The code has changed since the question; the answer was not applied."
            }
            Self::NoCode => "The answer holds no code; nothing was changed.",
            Self::Unchanged => "The answer is the code as it is; there is nothing to change.",
            Self::LeavesCodeOut => {
                "The answer leaves code out and says so in a comment; it was not applied. Ask again, or about less."
            }
            Self::FarTooLong => {
                "The answer is far longer than what it should replace; it was not applied."
            }
            Self::LostMostCode => {
                "The answer has lost most of the code that it should replace; it was not applied. Ask about less."
            }
            Self::NewErrors => {
                "With the answer the file would hold code that can't be parsed; it was not applied. Ask again, or take it by hand."
            }
            Self::Unchecked => "The answer could not be checked for errors; it was not applied.",
        };
        f.write_str(sentence)
    }
}

impl std::error::Error for NotApplied {}

impl From<NotApplied> for String {
    fn from(fault: NotApplied) -> Self {
        fault.to_string()
    }
}
