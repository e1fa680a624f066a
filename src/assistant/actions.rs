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

/// In which of an editor's menus an action is. None that runs when a file is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MenuKind {
    QuickFix,
    Explain,
    Rewrite,
}

/// All that is particular about an action.
#[derive(Debug)]
struct Definition {
    action: Action,
    /// In the ledger, in file names and in commands.
    name: &'static str,
    /// Where it is chosen: `Refactor deeply` with a model.
    menu_title: &'static str,
    menu_kind: MenuKind,
    /// On progress, windows and undo.
    short_title: &'static str,
    /// The answer is read by a person, and is not code that takes the place of what was asked
    /// about. Where tests belong is the person's to say.
    answers_in_text: bool,
    /// Code alone is no question.
    needs_question: bool,
    /// The words in which it is asked, unless the person has others.
    template: &'static str,
}

/// In the order of [`Action`], which is that of menus.
const DEFINITIONS: [Definition; 6] = [
    Definition {
        action: Action::Explain,
        name: "explain",
        menu_title: "Explain",
        menu_kind: MenuKind::Explain,
        short_title: "Explain",
        answers_in_text: true,
        needs_question: false,
        template: include_str!("actions/templates/explain.md"),
    },
    Definition {
        action: Action::Refactor,
        name: "refactor",
        menu_title: "Refactor deeply",
        menu_kind: MenuKind::Rewrite,
        short_title: "Refactor",
        answers_in_text: false,
        needs_question: false,
        template: include_str!("actions/templates/refactor.md"),
    },
    Definition {
        action: Action::Fix,
        name: "fix",
        menu_title: "Fix",
        menu_kind: MenuKind::QuickFix,
        short_title: "Fix",
        answers_in_text: false,
        needs_question: false,
        template: include_str!("actions/templates/fix.md"),
    },
    Definition {
        action: Action::Tests,
        name: "tests",
        menu_title: "Write tests",
        menu_kind: MenuKind::Rewrite,
        short_title: "Tests",
        answers_in_text: true,
        needs_question: false,
        template: include_str!("actions/templates/tests.md"),
    },
    Definition {
        action: Action::Document,
        name: "document",
        menu_title: "Document",
        menu_kind: MenuKind::Rewrite,
        short_title: "Document",
        answers_in_text: false,
        needs_question: false,
        template: include_str!("actions/templates/document.md"),
    },
    Definition {
        action: Action::Ask,
        name: "ask",
        menu_title: "Ask",
        menu_kind: MenuKind::Explain,
        short_title: "Answer",
        answers_in_text: true,
        needs_question: true,
        template: include_str!("actions/templates/ask.md"),
    },
];

impl Action {
    pub const ALL: [Self; DEFINITIONS.len()] = {
        let mut all = [Self::Explain; DEFINITIONS.len()];
        let mut index = 0;
        while index < all.len() {
            all[index] = DEFINITIONS[index].action;
            index += 1;
        }
        all
    };

    fn definition(self) -> &'static Definition {
        &DEFINITIONS[self as usize]
    }

    /// In the ledger, in file names and in commands.
    pub fn name(self) -> &'static str {
        self.definition().name
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

    /// Where it is chosen.
    pub fn menu_title(self) -> &'static str {
        self.definition().menu_title
    }

    pub fn menu_kind(self) -> MenuKind {
        self.definition().menu_kind
    }

    /// On progress, windows and undo.
    pub fn short_title(self) -> &'static str {
        self.definition().short_title
    }

    /// Whether the answer is read by a person, or is code that takes the place of what was asked
    /// about.
    pub fn answers_in_text(self) -> bool {
        self.definition().answers_in_text
    }

    /// Whether it needs a question of the person's own beside the code.
    pub fn needs_question(self) -> bool {
        self.definition().needs_question
    }

    /// The words in which it is asked, unless the person has others.
    pub fn template(self) -> &'static str {
        self.definition().template
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_action_has_its_own_line() {
        for (index, action) in Action::ALL.into_iter().enumerate() {
            assert_eq!(action as usize, index, "{action:?}");
            assert_eq!(Action::of_command(&action.command()), Some(action));
        }
    }
}
