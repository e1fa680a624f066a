//! What a person is likely to ask next, worked out while the engine is idle: the prompt of the
//! place where the caret rests, the place after ghost text that is accepted, and the line after
//! this one.
//!
//! A key in a line changes only the prompt's last tokens. A new line changes it before the text
//! after the caret, which is the most expensive thing that a key can do; so it is done in a
//! sequence of its own, once the model has predicted how the present line ends. The answer is kept
//! like any other. Where the guess of the new line's indentation is wrong the answer is of no use,
//! but the prompt is: it ends before it. And the first key in a file is otherwise the most
//! expensive of all, so the prompt of the place where the caret rests is evaluated before anything
//! is typed there.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::completion::ask::CompletionAsk;
use crate::completion::cache::{CompletionCache, Question};
use crate::completion::offer::unasked;
use crate::completion::request::RequestMaker;
use crate::completion::when_to_speak::ShowRule;
use crate::lm::{Finish, Generation, IdleWork, PrefillTask, Source, Task, TaskOutput};
use crate::prompt::block::{indent_unit, indentation, opens_block};
use crate::prompt::excerpt::Excerpt;

/// How far ahead: what is shown is accepted, and then a line begun.
const MAX_STEPS: usize = 2;

/// A place with what is asked for there.
#[derive(Clone)]
pub struct PrefetchPlace {
    pub ask: CompletionAsk,
    pub maker: RequestMaker,
    /// Of the answers when the place was asked about.
    pub epoch: u64,
}

/// The work that the engine is given while it is idle.
pub struct Prefetcher {
    cache: Arc<Mutex<CompletionCache>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// A place whose prompt is to be evaluated.
    prompt: Option<PrefetchPlace>,
    /// An answer, and what comes after it.
    after: Option<(Steps, Generation)>,
    /// The question that the engine has been given.
    running: Option<(Steps, Question)>,
    /// The newest request. What was asked before it is outdated.
    newest_arrival: u64,
}

/// A place some steps ahead of the one that was asked about.
#[derive(Clone)]
struct Steps {
    place: PrefetchPlace,
    n_steps: usize,
}

impl Prefetcher {
    pub fn new(cache: Arc<Mutex<CompletionCache>>) -> Self {
        Self { cache, state: Mutex::default() }
    }

    /// A request has come: what was to be done ahead of it is outdated.
    pub fn forget(&self, arrival: u64) {
        let mut state = self.state();
        let newest_arrival = state.newest_arrival.max(arrival);
        *state = State { newest_arrival, ..State::default() };
    }

    /// Has the prompt of the place where the caret rests evaluated, unless a request is newer.
    /// Returns whether there is something to do now.
    pub fn rest_at(&self, place: PrefetchPlace) -> bool {
        let mut state = self.state();
        if place.ask.arrival < state.newest_arrival {
            return false;
        }
        *state =
            State { prompt: Some(place), newest_arrival: state.newest_arrival, ..State::default() };
        true
    }

    /// Goes on from an answer: the rest of its prompt where the model has not seen all of it, then,
    /// if `steps_ahead`, the places after it. Returns whether there is something to do now.
    pub fn follow(&self, place: PrefetchPlace, answer: &Generation, steps_ahead: bool) -> bool {
        let mut state = self.state();
        if place.ask.arrival < state.newest_arrival {
            return false;
        }
        let is_prompt_left = match answer.source {
            Source::WholePrompt => false,
            Source::ShortPrompt => true,
            Source::Lookup => steps_ahead,
        };
        if is_prompt_left {
            state.prompt = Some(place.clone());
        }
        if steps_ahead {
            state.after = Some((Steps { place, n_steps: 0 }, answer.clone()));
        }
        is_prompt_left || steps_ahead
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cache(&self) -> MutexGuard<'_, CompletionCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IdleWork for Prefetcher {
    fn next_task(&self) -> Option<Task> {
        let (prompt, after) = {
            let mut state = self.state();
            state.running = None;
            match state.prompt.take() {
                Some(place) => (Some(place), None),
                None => (None, state.after.take()),
            }
        };
        if let Some(PrefetchPlace { ask, maker, .. }) = prompt {
            let prompt = maker.prompt(&ask, maker.size(&ask));
            return Some(PrefillTask { prompt }.into());
        }
        let (steps, answer) = after?;
        let arrival = steps.place.ask.arrival;
        let steps = steps.after(&answer)?;
        let ask = &steps.place.ask;
        let question = ask.question();
        if self.cache().has(&question) {
            return None;
        }
        let task = steps.place.maker.make(ask, &ask.excerpt());
        let mut state = self.state();
        // Not where a request has come meanwhile.
        if arrival >= state.newest_arrival {
            state.running = Some((steps, question));
        }
        Some(task.into())
    }

    fn finished(&self, output: TaskOutput) {
        let TaskOutput::Generation(answer) = output else { return };
        let mut state = self.state();
        let Some((steps, question)) = state.running.take() else { return };
        self.cache().keep(steps.place.epoch, question, &answer);
        state.after = Some((steps, *answer));
    }
}

impl Steps {
    /// The place after an answer at this one.
    fn after(mut self, answer: &Generation) -> Option<Self> {
        let ask = &mut self.place.ask;
        let excerpt = ask.excerpt();
        let rule = ShowRule::at(&excerpt, &self.place.maker.config.completion);
        let typed = typed_next(&excerpt, rule, answer)?;
        ask.rope.insert(ask.caret, &typed);
        ask.caret += typed.chars().count();
        self.n_steps += 1;
        (self.n_steps <= MAX_STEPS).then_some(self)
    }
}

/// What is typed next, most likely: the text that is shown; or where none is, and the line is done,
/// its end and the indentation of the next one.
fn typed_next(excerpt: &Excerpt, rule: ShowRule, answer: &Generation) -> Option<String> {
    let best = &answer.best;
    let in_document =
        |text: &str| if excerpt.crlf { text.replace('\n', "\r\n") } else { text.to_owned() };
    if let Ok(it) = unasked(excerpt, rule, rule.part_of(best, 0)) {
        // What replaces text after the caret leaves another text than it.
        return (it.replaced_after == 0).then(|| in_document(&it.text));
    }
    // How a line ends that the model is not sure of is not known.
    let ends = matches!(best.finish, Finish::EndToken | Finish::StopRule);
    let text = best.text.trim_end();
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
    use crate::lm::{GeneratedText, Times, Usage};
    use crate::prompt::excerpt;

    fn next(marked: &str, text: &str, finish: Finish) -> Option<String> {
        let best =
            GeneratedText { text: text.to_owned(), finish, confidence: 1.0, token_ends: vec![] };
        let (usage, times) = (Usage::default(), Times::default());
        let mut excerpt = excerpt::at(marked);
        excerpt.crlf = marked.contains('\r');
        let source = Source::WholePrompt;
        let answer = Generation {
            best,
            end_probability: None,
            sure: None,
            alternatives: vec![],
            usage,
            source,
            times,
        };
        let rule = ShowRule {
            min_confidence: 0.5,
            min_line_confidence: 0.5,
            min_characters: 2,
            wrong_text_seconds: 0.0,
        };
        typed_next(&excerpt, rule, &answer)
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
