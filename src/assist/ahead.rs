//! What a person is likely to ask next, computed while the engine is idle: the place after ghost text
//! that is taken, and the line after this one.
//!
//! A key in a line changes only the prompt's last tokens. A new line changes it before the text after the
//! caret, which is the most expensive thing that a key can do; so it is done in a sequence of its own, once the
//! model has said how the present line ends. The answer is kept like any other. Where the guess of the new
//! line's indentation is wrong the answer is of no use, but the prompt is: it ends before it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::assist::complete::CompletionAsk;
use crate::assist::offer::unasked;
use crate::assist::request::RequestMaker;
use crate::assist::reuse::Answers;
use crate::lm::task::{Ahead, AheadRequest, Finish, Generation};
use crate::prompt::block::{indent_unit, indentation, opens_block};
use crate::prompt::excerpt::Excerpt;

/// How far ahead: what is shown is taken, and then a line begun.
const MAX_STEPS: usize = 2;

/// From an answer to the next place.
#[derive(Clone)]
pub struct AheadOf {
    pub ask: CompletionAsk,
    pub maker: RequestMaker,
    pub answers: Arc<Mutex<Answers>>,
    /// Of the answers when the place was asked about.
    pub epoch: u64,
    n_steps: usize,
}

impl AheadOf {
    pub fn new(
        ask: CompletionAsk,
        maker: RequestMaker,
        answers: Arc<Mutex<Answers>>,
        epoch: u64,
    ) -> Self {
        Self { ask, maker, answers, epoch, n_steps: 0 }
    }

    /// For the engine, which calls it when it has nothing else to do.
    pub fn boxed(self) -> Ahead {
        Box::new(move |generation| self.next(generation))
    }

    fn next(mut self, generation: &Generation) -> Option<AheadRequest> {
        let typed = typed_next(&self.ask.excerpt(), generation)?;
        self.ask.rope.insert(self.ask.caret, &typed);
        self.ask.caret += typed.chars().count();
        self.n_steps += 1;
        let question = self.ask.question();
        if self.n_steps > MAX_STEPS || self.lock().has(&question) {
            return None;
        }
        let mut request = self.maker.make(&self.ask, &self.ask.excerpt());
        request.ahead = Some(self.clone().boxed());
        let done = move |generation: &Generation| {
            self.lock().keep(self.epoch, question, generation);
        };
        Some(AheadRequest { request, done: Box::new(done) })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is typed next, most likely: the text that is shown; or where none is, and the line is done, its end
/// and the indentation of the next one.
fn typed_next(excerpt: &Excerpt, generation: &Generation) -> Option<String> {
    let said = &generation.said;
    let in_document =
        |text: &str| if excerpt.crlf { text.replace('\n', "\r\n") } else { text.to_owned() };
    if let Ok(it) = unasked(excerpt, said, false) {
        // What replaces text after the caret leaves another text than it.
        return (it.replaced_after == 0).then(|| in_document(&it.text));
    }
    // How a line ends that the model is not sure of is not known.
    let ends = matches!(said.finish, Finish::EndToken | Finish::StopRule);
    let text = said.text.trim_end();
    if !ends || !excerpt.line_after.trim().is_empty() || text.contains('\n') {
        return None;
    }
    let line = format!("{}{text}", excerpt.line_before);
    let indent = indentation(&line);
    let deeper = if opens_block(&line) { indent_unit(excerpt) } else { "" };
    Some(in_document(&format!("{text}\n{indent}{deeper}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lm::task::{Said, Source, Times, Usage};
    use crate::prompt::excerpt;

    fn next(marked: &str, text: &str, finish: Finish) -> Option<String> {
        let said = Said { text: text.to_owned(), finish, confidence: 1.0 };
        let (usage, times) = (Usage::default(), Times::default());
        let mut excerpt = excerpt::at(marked);
        excerpt.crlf = marked.contains('\r');
        let source = Source::WholePrompt;
        let generation =
            Generation { said, sure: None, alternatives: vec![], usage, source, times };
        typed_next(&excerpt, &generation)
    }

    #[test]
    fn what_is_shown_is_taken_and_a_line_that_is_done_is_ended() {
        let end = Finish::EndToken;
        assert_eq!(next("    x =$0\n", " call();", end).as_deref(), Some(" call();"));
        assert_eq!(next("    x = 1;$0\n", "", end).as_deref(), Some("\n    "));
        // One character is not shown.
        assert_eq!(next("    x = 1$0\n", ";", end).as_deref(), Some(";\n    "));
        assert_eq!(next("  f() {\n  if x {$0\n", "", end).as_deref(), Some("\n    "));
        assert_eq!(next("\tf() {$0\n", "", end).as_deref(), Some("\n\t    "));
        assert_eq!(next("\tf();\n\tg() {$0\n", "", end).as_deref(), Some("\n\t\t"));
        assert_eq!(next("a\r\n  b;$0\r\n", "", end).as_deref(), Some("\r\n  "));
        assert_eq!(next("    x = $0\n", "", Finish::Unsure { next: None }), None);
        assert_eq!(next("    f($0)\n", "", end), None);
        assert_eq!(next("    f($0)\n", "a, b);", end), None);
    }
}
