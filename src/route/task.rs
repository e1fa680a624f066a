//! What a request asks for, and where it may be answered; the names are the program's contract.

/// Where a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RouteTarget {
    /// On this machine.
    Local,
    /// By a cloud model, after a person's consent.
    Cloud,
}

impl RouteTarget {
    pub const ALL: [Self; 2] = [Self::Local, Self::Cloud];

    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Cloud => "cloud",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestTask {
    Explain,
    Refactor,
    Fix,
    Tests,
    Document,
    Summarize,
    Classify,
    Extract,
    Rename,
    CommitMessage,
    Translate,
    Design,
    Debug,
    Other,
}

/// Where requests of a task go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsualTarget {
    Always(RouteTarget),
    /// Some of them are mechanical and some are not: the request's words decide.
    ByRequest,
}

/// All that is particular about a task: a row of the table in docs/routing.md.
#[derive(Debug)]
pub struct TaskRow {
    task: RequestTask,
    /// In answers and in the training set.
    name: &'static str,
    pub target: UsualTarget,
    /// How often it runs.
    pub rate: &'static str,
    /// How constrained its answer is, where it stays local, and where it does not.
    pub local_form: &'static str,
    pub cloud_form: &'static str,
}

use RequestTask as T;
use RouteTarget::{Cloud, Local};
use UsualTarget::{Always, ByRequest};

/// In the order of [`RequestTask`].
#[rustfmt::skip]
const ROWS: [TaskRow; 14] = [
    row(T::Explain, "explain", Always(Cloud), "now and then", "a few words", "free prose, which takes understanding of the code"),
    row(T::Refactor, "refactor", ByRequest, "now and then", "a mechanical change that an editor or a formatter makes", "new code with the same behaviour"),
    row(T::Fix, "fix", ByRequest, "often", "a change of a few characters that a tool can check", "new code that has to be right"),
    row(T::Tests, "tests", Always(Cloud), "now and then", "a skeleton", "new code that has to think of what can go wrong"),
    row(T::Document, "document", ByRequest, "often", "a comment of a known form beside the code", "a document of its own"),
    row(T::Summarize, "summarize", Always(Local), "often", "a text with a limit of words, made of the text at hand", "free prose"),
    row(T::Classify, "classify", Always(Local), "for thousands of items", "one of the labels that are given", "free prose"),
    row(T::Extract, "extract", Always(Local), "for thousands of items", "fields that are in the text, in a given schema", "free prose"),
    row(T::Rename, "rename", Always(Local), "often", "one name; the language server changes all its uses exactly", "free prose"),
    row(T::CommitMessage, "commit_message", Always(Local), "at each commit", "a line or two in a known form", "free prose"),
    row(T::Translate, "translate", ByRequest, "now and then", "the same text or data in another form", "the same program in another language"),
    row(T::Design, "design", Always(Cloud), "rarely", "a list", "open-ended: there is no one right answer"),
    row(T::Debug, "debug", Always(Cloud), "now and then", "a list", "open-ended: the cause is not known"),
    row(T::Other, "other", ByRequest, "now and then", "an order to the editor, or nothing that needs a model", "open-ended: new code, advice or a review"),
];

#[rustfmt::skip]
const fn row(task: T, name: &'static str, target: UsualTarget, rate: &'static str, local_form: &'static str, cloud_form: &'static str) -> TaskRow {
    TaskRow { task, name, target, rate, local_form, cloud_form }
}

impl RequestTask {
    pub const ALL: [Self; ROWS.len()] = {
        let mut all = [Self::Other; ROWS.len()];
        let mut index = 0;
        while index < all.len() {
            all[index] = ROWS[index].task;
            index += 1;
        }
        all
    };

    /// Its row of the table.
    pub fn row(self) -> &'static TaskRow {
        &ROWS[self as usize]
    }

    pub fn name(self) -> &'static str {
        self.row().name
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// Whether requests of this task may be answered there.
    pub fn may_go(self, target: RouteTarget) -> bool {
        match self.row().target {
            Always(only) => only == target,
            ByRequest => true,
        }
    }
}

impl TaskRow {
    /// How constrained its answer is.
    pub fn form(&self, target: RouteTarget) -> &'static str {
        match target {
            Local => self.local_form,
            Cloud => self.cloud_form,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_task_has_its_own_row() {
        for (index, task) in RequestTask::ALL.into_iter().enumerate() {
            assert_eq!(task as usize, index, "{task:?}");
            assert_eq!(RequestTask::of_name(task.name()), Some(task));
        }
    }
}
