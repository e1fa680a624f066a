//! A person at a keyboard: types a stretch of a text key by key through the whole pipeline, and
//! takes what is shown when it is right.

use std::time::{Duration, Instant};

use ropey::Rope;

use crate::completion::{
    Completer, Completion, CompletionAsk, CompletionMode, OtherFiles, complete,
};
use crate::lm::TaskError;

/// A key and what came of it.
#[derive(Debug, Clone)]
pub struct Key {
    /// How many characters of the stretch stood there.
    pub at: usize,
    pub completion: Completion,
    /// The text goes on with exactly what was shown, so it was taken.
    pub was_right: bool,
    /// Something is shown that is not what is left of the text shown before.
    pub is_new: bool,
    /// The line goes on behind the caret, so that there is something to suggest.
    pub goes_on: bool,
}

/// What is typed where.
pub struct SimulatedTypist<'a> {
    completer: &'a Completer,
    path: String,
    before: String,
    goal: Vec<char>,
    after: String,
    files: OtherFiles,
    mode: CompletionMode,
    patience: Option<Duration>,
}

impl<'a> SimulatedTypist<'a> {
    /// Of `rope`, the characters from `from` to `to` are taken out, to be typed again.
    pub fn new(completer: &'a Completer, path: &str, rope: &Rope, from: usize, to: usize) -> Self {
        Self {
            completer,
            path: path.to_owned(),
            before: rope.slice(..from).to_string(),
            goal: rope.slice(from..to).chars().collect(),
            after: rope.slice(to..).to_string(),
            files: OtherFiles::None,
            mode: CompletionMode::Scripted,
            patience: None,
        }
    }

    /// The same with other files in the workspace.
    pub fn beside(self, files: OtherFiles) -> Self {
        Self { files, ..self }
    }

    /// The same by a person whose next key comes after `patience`: an answer that is not there by
    /// then is not seen, and its request is dropped. The first one is waited for.
    #[must_use]
    pub fn at_keyboard(self, patience: Duration) -> Self {
        Self { mode: CompletionMode::Typing, patience: Some(patience), ..self }
    }

    /// What is to be typed.
    pub fn goal(&self) -> &[char] {
        &self.goal
    }

    /// How many keys it takes without suggestions.
    pub fn n_keys_by_hand(&self) -> usize {
        let is_inside = |at: &usize| *at < self.goal.len();
        let next = |at: &usize| Some(self.after_key(*at)).filter(is_inside);
        std::iter::successors(Some(0).filter(is_inside), next).count()
    }

    /// Types everything. `on_key` sees, before each key, how many characters stand there, which of
    /// them were accepted, and what is shown.
    ///
    /// # Errors
    /// Those of the model.
    pub async fn type_all(
        &mut self,
        mut on_key: impl FnMut(usize, &[bool], &Completion),
    ) -> Result<(Vec<Key>, Vec<bool>), TaskError> {
        let mut keys = Vec::new();
        let mut accepted = vec![false; self.goal.len()];
        let mut at = 0;
        let mut left = String::new();
        while at < self.goal.len() {
            let completion = self.seen(at).await?;
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
                at = self.after_key(at);
            }
            let rest: String = self.goal[before..].iter().take_while(|c| **c != '\n').collect();
            let goes_on = rest.trim().chars().nth(1).is_some();
            let on_screen: String = std::mem::take(&mut left);
            let is_new = !shown.is_empty() && on_screen.chars().ne(shown.iter().copied());
            // What stays on the screen when the next character is typed.
            if !was_right && shown.first() == self.goal.get(before) {
                left = shown[1..].iter().collect();
            }
            keys.push(Key { at: before, completion, was_right, is_new, goes_on });
        }
        Ok((keys, accepted))
    }

    /// Types everything by hand, and asks before each key. `on_key` sees how many characters stand
    /// there, the texts before and behind the caret, and what is suggested.
    ///
    /// # Errors
    /// Those of the model.
    pub async fn type_by_hand(
        &self,
        mut on_key: impl FnMut(usize, (&str, &str), &Completion),
    ) -> Result<(), TaskError> {
        let mut at = 0;
        while at < self.goal.len() {
            let completion = self.ask(at, CompletionMode::Fresh).await?;
            let typed: String = self.goal[..at].iter().collect();
            on_key(at, (&format!("{}{typed}", self.before), &self.after), &completion);
            at = self.after_key(at);
        }
        Ok(())
    }

    /// Where the caret stands after the key at `at`: the indentation of a new line is the editor's
    /// doing.
    fn after_key(&self, at: usize) -> usize {
        let next = at + 1;
        if self.goal[at] != '\n' {
            return next;
        }
        next + self.goal[next..].iter().take_while(|c| matches!(c, ' ' | '\t')).count()
    }

    /// What a person sees before the next key.
    async fn seen(&self, at: usize) -> Result<Completion, TaskError> {
        let asked = self.ask(at, self.mode);
        let Some(patience) = self.patience.filter(|_| at > 0) else { return asked.await };
        let began = Instant::now();
        match tokio::time::timeout(patience, asked).await {
            Ok(completion) => completion,
            Err(_) => {
                let caret = self.before.chars().count() + at;
                let nothing = Completion::nothing(caret, None);
                Ok(Completion { total: began.elapsed(), ..nothing })
            }
        }
    }

    /// Asks at one place of the stretch. It types without the pauses that a person makes.
    ///
    /// # Errors
    /// Those of the model.
    pub async fn ask(&self, at: usize, mode: CompletionMode) -> Result<Completion, TaskError> {
        let typed: String = self.goal[..at].iter().collect();
        let rope = Rope::from_str(&format!("{}{typed}{}", self.before, self.after));
        let caret = self.before.chars().count() + at;
        let ask = CompletionAsk::at(self.path.as_str(), &self.path, rope, caret)
            .with_mode(mode)
            .arriving(self.completer.next_arrival());
        let ask = CompletionAsk { files: self.files.clone(), ..ask };
        complete(self.completer, ask).await
    }
}

/// How many keys acceptances have spared: each takes one.
pub fn n_spared(keys: &[Key]) -> usize {
    let right = keys.iter().filter(|key| key.was_right);
    right.map(|key| key.completion.text.chars().count() - 1).sum()
}
