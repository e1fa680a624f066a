//! Answers given already: the same question, and one typed along an answer, need no model.
//!
//! An answer belongs to the text that it was asked in. Ropes share what they have in common, so
//! keeping a few hundred of them costs little, and comparing what the model could have seen is
//! exact and takes microseconds. Looking back over 128 characters is llama.vim's rule; that a
//! bracket which the editor has closed by itself does not end it is ours.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;
use ropey::Rope;

use crate::completion::offer::Answer;
use crate::completion::when_to_speak::{ShowRule, ShownPart};
use crate::lm::{GeneratedText, Generation, Source};

/// Answers that are kept. With the parts of a rope that an edit makes new, some kilobytes each.
const KEPT_ANSWERS: NonZeroUsize = NonZeroUsize::new(256).unwrap();
/// How much can have been typed since the question: characters.
const MAX_TYPED: usize = 128;
/// How far around the caret texts have to be the same, in characters: nothing looks further.
const WINDOW: usize = 32_768;
/// How many closing brackets and quotes an editor can have put behind the caret meanwhile.
const MAX_CLOSED: usize = 4;

/// A place in a text that is asked about.
#[derive(Debug, Clone)]
pub struct Question {
    pub uri: Arc<str>,
    pub rope: Rope,
    pub caret: usize,
    /// A person asked for it: an answer to less is no answer to it.
    pub explicit: bool,
    /// Stands for the versions of the other texts that the answer is made from.
    pub others: u64,
}

impl Question {
    fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.uri, self.caret, self.rope.len_chars(), self.others).hash(&mut hasher);
        // Two texts of one length differ most likely where somebody types.
        let from = self.caret.saturating_sub(MAX_TYPED);
        self.rope.slice(from..self.caret).chunks().for_each(|it| it.hash(&mut hasher));
        hasher.finish()
    }

    /// What has been typed at the caret of `earlier` since, where nothing else has changed; empty
    /// where nothing was typed.
    fn typed_since(&self, earlier: &Self) -> Option<String> {
        let n_typed = self.caret.checked_sub(earlier.caret).filter(|it| *it <= MAX_TYPED)?;
        let grown = self.rope.len_chars().checked_sub(earlier.rope.len_chars())?;
        let n_closed = grown.checked_sub(n_typed).filter(|it| *it <= MAX_CLOSED)?;
        let closed = || self.rope.slice(self.caret..self.caret + n_closed).chars();
        let can_be_same = self.uri == earlier.uri
            && (n_typed > 0 || n_closed == 0)
            && closed().all(|it| matches!(it, ')' | ']' | '}' | '>' | '"' | '\'' | '`'));
        (can_be_same && self.same_around(earlier, self.caret + n_closed))
            .then(|| self.rope.slice(earlier.caret..self.caret).to_string())
    }

    /// Whether the texts are the same before the caret of `earlier`, and this text from `after` on
    /// goes on as that one from its caret on.
    fn same_around(&self, earlier: &Self, after: usize) -> bool {
        let from = earlier.caret.saturating_sub(WINDOW);
        let n_after = (self.rope.len_chars() - after).min(WINDOW);
        self.rope.slice(after..after + n_after)
            == earlier.rope.slice(earlier.caret..earlier.caret + n_after)
            && self.rope.slice(from..earlier.caret) == earlier.rope.slice(from..earlier.caret)
    }
}

/// What is known of a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Generated text that is still to come: what was typed meanwhile is not part of it.
    pub answer: Answer,
    /// The text that was generated, and how many bytes of it were typed along; 0: it is the same
    /// question.
    pub given: GeneratedText,
    pub n_typed: usize,
    /// It is what is left of a text that a person asked for.
    pub was_asked_for: bool,
}

impl Known {
    fn same(answer: Answer) -> Self {
        Self { given: answer.best.clone(), answer, n_typed: 0, was_asked_for: false }
    }

    /// What of it is shown to somebody who types.
    pub fn shown_part(&self, rule: ShowRule) -> Option<ShownPart> {
        match self.was_asked_for {
            true => ShownPart::all_of(&self.given, self.n_typed),
            false => rule.part_of(&self.given, self.n_typed),
        }
    }
}

struct Given {
    question: Question,
    answer: Answer,
    /// The model saw little of the text; asked again it may know better.
    is_hasty: bool,
}

impl Given {
    /// Whether it answers this very question. What a person was told answers who has not asked.
    fn is_of(&self, question: &Question) -> bool {
        !self.is_hasty
            && self.question.explicit >= question.explicit
            && question.typed_since(&self.question).is_some_and(|it| it.is_empty())
    }
}

/// The latest answers.
pub struct CompletionCache {
    given: LruCache<u64, Given>,
    epoch: u64,
}

impl Default for CompletionCache {
    fn default() -> Self {
        Self { given: LruCache::new(KEPT_ANSWERS), epoch: 0 }
    }
}

impl CompletionCache {
    /// Rises whenever everything is forgotten. Taken before the settings are read that a question
    /// is asked with.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether the very same question has an answer.
    pub fn has(&self, question: &Question) -> bool {
        self.given.peek(&question.key()).is_some_and(|it| it.is_of(question))
    }

    /// Keeps what the model said to a question of this epoch, unless that is over.
    pub fn keep(&mut self, epoch: u64, question: Question, generation: &Generation) {
        if epoch != self.epoch {
            return;
        }
        let is_hasty = generation.source == Source::ShortPrompt;
        let given = Given { question, answer: Answer::from(generation), is_hasty };
        self.given.put(given.question.key(), given);
    }

    /// The answer to the same question, or else the latest one whose text was typed since as far as
    /// the caret has come, so that what is on the screen stays there.
    pub fn find(&mut self, question: &Question) -> Option<Known> {
        if let Some(given) = self.given.get(&question.key())
            && given.is_of(question)
        {
            let answer = given.answer.clone();
            let answer = if question.explicit { answer } else { answer.unasked() };
            return Some(Known::same(answer));
        }
        let (key, found) = self.given.iter().find_map(|(key, given)| {
            // Two numbers and a few characters tell nearly always; texts are compared last.
            let n_typed = question.caret.checked_sub(given.question.caret)?;
            let can_follow = (1..=MAX_TYPED).contains(&n_typed)
                && given.question.explicit >= question.explicit
                && given.answer.best.text.chars().nth(n_typed).is_some()
                && question.rope.slice(given.question.caret..question.caret).chars().eq(given
                    .answer
                    .best
                    .text
                    .chars()
                    .take(n_typed));
            if !can_follow {
                return None;
            }
            let typed = question.typed_since(&given.question)?;
            let known = Known {
                answer: given.answer.after(&typed)?,
                given: given.answer.best.clone(),
                n_typed: typed.len(),
                was_asked_for: given.question.explicit,
            };
            Some((*key, known))
        })?;
        self.given.promote(&key);
        Some(found)
    }

    /// What is on the screen at a place without an explicit request, from a short prompt or not.
    pub fn on_screen(&mut self, question: &Question) -> Option<Known> {
        let question = Question { explicit: false, ..question.clone() };
        let is_same =
            |it: &Given| question.typed_since(&it.question).is_some_and(|typed| typed.is_empty());
        if let Some(given) = self.given.peek(&question.key()).filter(|it| is_same(it)) {
            return Some(Known::same(given.answer.clone().unasked()));
        }
        self.find(&question)
    }

    /// Forgets everything: the model or a setting has changed.
    pub fn clear(&mut self) {
        self.given.clear();
        self.epoch += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lm::{Finish, Times, Usage};

    /// A question of a text with `$0` for the caret.
    fn question(marked: &str) -> Question {
        let caret = marked.find("$0").expect("a caret");
        Question {
            uri: "file:///a".into(),
            rope: Rope::from_str(&marked.replacen("$0", "", 1)),
            caret: marked[..caret].chars().count(),
            explicit: false,
            others: 0,
        }
    }

    fn answers(given: &[(&str, &str)]) -> CompletionCache {
        let mut answers = CompletionCache::default();
        for (marked, text) in given {
            answers.keep(0, question(marked), &said(text));
        }
        answers
    }

    fn said(text: &str) -> Generation {
        Generation {
            best: GeneratedText {
                text: text.to_owned(),
                finish: Finish::EndToken,
                confidence: 0.5,
                token_ends: vec![],
            },
            end_probability: None,
            sure: None,
            alternatives: vec![],
            usage: Usage::default(),
            source: Source::WholePrompt,
            times: Times::default(),
        }
    }

    fn found(answers: &mut CompletionCache, marked: &str) -> Option<String> {
        answers.find(&question(marked)).map(|it| it.answer.best.text)
    }

    #[test]
    fn the_same_question_has_the_same_answer() {
        let mut answers = answers(&[("let x = $0;", "1"), ("let y$0", "")]);
        assert_eq!(found(&mut answers, "let x = $0;").as_deref(), Some("1"));
        assert_eq!(found(&mut answers, "let y$0").as_deref(), Some(""));
        assert_eq!(found(&mut answers, "let z = $0;"), None);
        assert_eq!(found(&mut answers, "let x = $0,"), None);
        assert_eq!(found(&mut answers, "let x $0= ;"), None);
        let other = Question { others: 1, ..question("let x = $0;") };
        assert_eq!(answers.find(&other), None);
        let other = Question { uri: "file:///b".into(), ..question("let x = $0;") };
        assert_eq!(answers.find(&other), None);
        let explicit = Question { explicit: true, ..question("let x = $0;") };
        assert_eq!(answers.find(&explicit), None);
        answers.clear();
        assert_eq!(found(&mut answers, "let x = $0;"), None);
        // An answer to a question of before.
        answers.keep(0, question("let x = $0;"), &said("1"));
        assert_eq!(found(&mut answers, "let x = $0;"), None);
    }

    #[test]
    fn what_is_typed_along_an_answer_is_taken_off_it() {
        let mut answers = answers(&[("a\n$0\nb", "é = call(1)\nnext")]);
        assert_eq!(found(&mut answers, "a\né$0\nb").as_deref(), Some(" = call(1)\nnext"));
        assert_eq!(found(&mut answers, "a\né = call(1)\nne$0\nb").as_deref(), Some("xt"));
        assert_eq!(found(&mut answers, "a\né = x$0\nb"), None);
        // Nothing is left of it: the model has to say how it goes on.
        assert_eq!(found(&mut answers, "a\né = call(1)\nnext$0\nb"), None);
        // Something else has changed as well.
        assert_eq!(found(&mut answers, "A\né$0\nb"), None);
        assert_eq!(found(&mut answers, "a\né$0\nB"), None);
        assert_eq!(found(&mut answers, "a\né$0"), None);
        assert_eq!(found(&mut answers, "$0a\nb"), None);
    }

    #[test]
    fn brackets_that_the_editor_closes_are_no_other_text() {
        let mut answers = answers(&[("x = $0\ny", "call(\"a\", 1)")]);
        assert_eq!(found(&mut answers, "x = call($0)\ny").as_deref(), Some("\"a\", 1)"));
        assert_eq!(found(&mut answers, "x = call(\"$0\")\ny").as_deref(), Some("a\", 1)"));
        assert_eq!(found(&mut answers, "x = call($0z\ny"), None);
    }

    #[test]
    fn what_a_short_prompt_said_is_on_the_screen_and_answers_nothing() {
        let mut answers = CompletionCache::default();
        let hasty = Generation { source: Source::ShortPrompt, ..said("1") };
        answers.keep(0, question("let x = $0;"), &hasty);
        assert_eq!(found(&mut answers, "let x = $0;"), None);
        let asked = Question { explicit: true, ..question("let x = $0;") };
        let on_screen = answers.on_screen(&asked).map(|it| it.answer.best.text);
        assert_eq!(on_screen.as_deref(), Some("1"));
        // What a person was told then answers who has not asked, with what is sure of it.
        let sure = Some(GeneratedText { text: "2".to_owned(), ..said("").best });
        answers.keep(0, asked, &Generation { sure, ..said("2 + 3") });
        assert_eq!(found(&mut answers, "let x = $0;").as_deref(), Some("2"));
    }

    #[test]
    fn the_latest_answer_that_fits_is_the_one_on_the_screen() {
        let mut answers = answers(&[("x$0", "abcd"), ("xa$0", "bXY"), ("xab$0", "QQ")]);
        assert_eq!(found(&mut answers, "xab$0").as_deref(), Some("QQ"));
        assert_eq!(found(&mut answers, "xabc$0").as_deref(), Some("d"));
        // The same again, and from then on it is the latest.
        assert_eq!(found(&mut answers, "xabX$0").as_deref(), Some("Y"));
    }
}
