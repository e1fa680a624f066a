//! What a person is likely to ask next: the line after this one.
//!
//! A key in a line changes only the prompt's last tokens. A new line changes it before the text after the
//! caret, which is the dearest thing that a key can do; so that prompt is evaluated while nobody waits, in
//! a sequence of its own, once the model has said how the present line ends.

use std::sync::{Arc, Mutex, PoisonError};

use ropey::Rope;

use crate::assist::session::Assembling;
use crate::generation::{Finish, Generation, NextPrompt, Token};
use crate::prompt::excerpt::Excerpt;

/// Where the next line's prompt is made from.
pub struct NextLine {
    pub assembling: Arc<Mutex<Option<Assembling>>>,
    pub uri: Arc<str>,
    pub path: String,
    pub rope: Rope,
    pub caret: usize,
}

impl NextLine {
    /// For the engine, which calls it when it has nothing else to do.
    pub fn into_prompt(self) -> NextPrompt {
        Box::new(move |generation| self.prompt(generation))
    }

    fn prompt(mut self, generation: &Generation) -> Option<Vec<Token>> {
        // How a line ends that the model is not sure of is not known.
        let ends = matches!(generation.said.finish, Finish::EndToken | Finish::StopRule);
        let mut assembling = self.assembling.lock().unwrap_or_else(PoisonError::into_inner);
        let assembling = assembling.as_mut().filter(|_| ends)?;
        let line_end = format!("{}\n", generation.said.text.trim_end());
        self.rope.insert(self.caret, &line_end);
        let caret = self.caret + line_end.chars().count();
        let excerpt = Excerpt::around(&self.rope, caret);
        // Whatever the new line's indentation is, it is healed: the prompt ends before it.
        Some(assembling.assembler.assemble(&self.uri, &self.path, &excerpt, ""))
    }
}
