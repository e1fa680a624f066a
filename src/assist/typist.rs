//! A person at a keyboard: types a stretch of a text key by key through the whole pipeline, and takes
//! what is shown when it is right.

use ropey::Rope;

use crate::assist::complete::{Completion, CompletionAsk, complete};
use crate::assist::session::Session;
use crate::generation::GenerationError;

/// A key and what came of it.
#[derive(Debug, Clone)]
pub struct Key {
    /// How many characters of the stretch stood there.
    pub at: usize,
    pub completion: Completion,
    /// The text goes on with exactly what was shown, so it was taken.
    pub was_right: bool,
}

/// What is typed where.
pub struct Typist<'a> {
    session: &'a Session,
    path: String,
    before: String,
    goal: Vec<char>,
    after: String,
}

impl<'a> Typist<'a> {
    /// Of `rope`, the characters from `from` to `to` are taken out, to be typed again.
    pub fn new(session: &'a Session, path: &str, rope: &Rope, from: usize, to: usize) -> Self {
        Self {
            session,
            path: path.to_owned(),
            before: rope.slice(..from).to_string(),
            goal: rope.slice(from..to).chars().collect(),
            after: rope.slice(to..).to_string(),
        }
    }

    /// What is to be typed.
    pub fn goal(&self) -> &[char] {
        &self.goal
    }

    /// Types everything. `on_key` sees, before each key, how many characters stand there, which of them
    /// were accepted, and what is shown.
    ///
    /// # Errors
    /// Those of the model.
    pub async fn type_all(
        &mut self,
        mut on_key: impl FnMut(usize, &[bool], &Completion),
    ) -> Result<(Vec<Key>, Vec<bool>), GenerationError> {
        let mut keys = Vec::new();
        let mut accepted = vec![false; self.goal.len()];
        let mut at = 0;
        while at < self.goal.len() {
            let completion = self.ask(at, false).await?;
            on_key(at, &accepted, &completion);
            let shown: Vec<char> = completion.text.chars().collect();
            let was_right = !shown.is_empty()
                && completion.replaced_after == 0
                && self.goal[at..].starts_with(&shown);
            let before = at;
            if was_right {
                accepted[at..at + shown.len()].fill(true);
                at += shown.len();
            } else {
                at += 1;
                if self.goal[at - 1] == '\n' {
                    // The indentation of a new line is the editor's doing.
                    let blanks = self.goal[at..].iter().take_while(|c| matches!(c, ' ' | '\t'));
                    at += blanks.count();
                }
            }
            keys.push(Key { at: before, completion, was_right });
        }
        Ok((keys, accepted))
    }

    /// Asks at one place of the stretch; with nothing resident if `cold`.
    ///
    /// # Errors
    /// Those of the model.
    pub async fn ask(&self, at: usize, cold: bool) -> Result<Completion, GenerationError> {
        let typed: String = self.goal[..at].iter().collect();
        let ask = CompletionAsk {
            uri: self.path.as_str().into(),
            language_id: "".into(),
            path: self.path.clone(),
            rope: Rope::from_str(&format!("{}{typed}{}", self.before, self.after)),
            caret: self.before.chars().count() + at,
            explicit: false,
            arrival: self.session.next_arrival(),
            others: Vec::new(),
            cold,
        };
        complete(self.session, ask).await
    }
}

/// How many keys acceptances have spared: each takes one.
pub fn n_spared(keys: &[Key]) -> usize {
    let right = keys.iter().filter(|key| key.was_right);
    right.map(|key| key.completion.text.chars().count() - 1).sum()
}
