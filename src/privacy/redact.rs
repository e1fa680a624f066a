//! Finds secrets in source text: keys, tokens, passwords, private keys.
//!
//! One pass over the text looks for the keywords of everything that is looked for; what a keyword
//! belongs to is tried where it stands and a bounded way around it. So a text without secrets costs
//! little more than the pass, and the time grows with the text and not with its square, whatever
//! the text is. A second pass looks for lines of base64, by which private keys are told.
//!
//! This is a gate and not a report: no comment in a text lets anything through, and no name of a
//! file switches a rule off; a name only tells how bare words are to be read.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::calls::{self, Call, Command};
use super::keys;
use super::names::{self, NameWord};
use super::providers::{self, Provider};
use super::rules::{self, Rule};
use super::search::{Hit, Search, Specificity};
use super::values::Memory;

/// Where a secret is and which rule found it; never the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule's name, such as `github-pat`.
    pub rule: String,
    /// The bytes of the secret in the text.
    pub range: Range<usize>,
    /// The line where it begins, from 1.
    pub line: usize,
    /// The column where it begins, from 1, in characters.
    pub column: usize,
}

/// Whether a text holds a secret. `path` is where the text is from, with any separators, where it
/// is known.
///
/// Costs one pass over the text and, where it has keywords, little more; it is for every line of a
/// workspace.
pub fn holds_secret(path: Option<&str>, text: &str) -> bool {
    !Redactor::shared().find(text, path).is_empty()
}

/// The lines of a text in which secrets stand, from 0, in order and none over another. Line breaks
/// are `\n`.
pub fn lines_with_secrets(path: Option<&str>, text: &str) -> Vec<Range<usize>> {
    let mut lines: Vec<Range<usize>> = Vec::new();
    for finding in Redactor::shared().find(text, path) {
        let first = finding.line - 1;
        let secret = text[finding.range].as_bytes();
        let end = first + 1 + memchr::memchr_iter(b'\n', secret).count();
        match lines.last_mut() {
            Some(last) if first < last.end => last.end = last.end.max(end),
            _ => lines.push(first..end),
        }
    }
    lines
}

/// What a keyword belongs to, by its place in the list of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Name(usize),
    Provider(usize),
    Near(usize),
    Call(usize),
    Command(usize),
    Rule(usize),
    KubernetesSecret,
}

/// Everything that secrets are found by, ready to be held against texts.
#[derive(Debug)]
pub struct Redactor {
    pub(super) rules: Vec<Rule>,
    pub(super) providers: Vec<Provider>,
    pub(super) names: Vec<NameWord>,
    pub(super) calls: Vec<Call>,
    pub(super) commands: Vec<Command>,
    /// Finds every keyword.
    keywords: AhoCorasick,
    /// For each pattern of `keywords` what it belongs to.
    targets: Vec<Vec<Target>>,
}

impl Redactor {
    /// The one of this process. The first call reads the tables.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Redactor> = LazyLock::new(Redactor::new);
        &SHARED
    }

    fn new() -> Self {
        let mut keywords = Keywords::default();
        let rules = rules::read();
        for (index, rule) in rules.iter().enumerate() {
            for keyword in &rule.keywords {
                keywords.add(keyword, Target::Rule(index));
            }
        }
        let providers = providers::table();
        for (index, provider) in providers.iter().enumerate() {
            let target = if provider.near.is_empty() {
                Target::Provider(index)
            } else {
                Target::Near(index)
            };
            for keyword in provider.keywords() {
                keywords.add(keyword, target);
            }
        }
        let mut names = Vec::new();
        for (word, name) in names::table() {
            keywords.add(&word, Target::Name(names.len()));
            names.push(name);
        }
        let mut calls = Vec::new();
        for (name, call) in calls::calls() {
            keywords.add(name, Target::Call(calls.len()));
            calls.push(call);
        }
        let mut commands = Vec::new();
        for (name, command) in calls::commands() {
            keywords.add(name, Target::Command(commands.len()));
            commands.push(command);
        }
        keywords.add("kind: secret", Target::KubernetesSecret);
        let searcher = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&keywords.words)
            .expect("the keywords are those of tables in the program, which a test builds");
        let targets = keywords.targets;
        Self { rules, providers, names, calls, commands, keywords: searcher, targets }
    }

    /// The secrets of a text, in its order and none over another. `path` is where the text is from,
    /// with any separators; it helps where the same words are a secret in one kind of file and not
    /// in another.
    pub fn find(&self, text: &str, path: Option<&str>) -> Vec<Finding> {
        self.find_with_parts(text, path).0
    }

    /// The findings, and every secret as each rule saw it, of which some overlap: the password in
    /// an address is found as a part of the address, and on its own where it stands elsewhere.
    pub(super) fn find_with_parts(
        &self,
        text: &str,
        path: Option<&str>,
    ) -> (Vec<Finding>, Vec<Range<usize>>) {
        let path = path.map(|it| it.replace('\\', "/"));
        let memory = Memory::default();
        let mut search = Search::new(self, text, path.as_deref(), &memory);
        keys::find(text, |range| search.hit(range, "private-key", Specificity::Place));
        for found in self.keywords.find_overlapping_iter(text) {
            for target in &self.targets[found.pattern().as_usize()] {
                search.try_at(found.range(), *target);
            }
        }
        let hits = search.hits;
        let parts = hits.iter().map(|it| it.range.clone()).collect();
        (merged(text, hits), parts)
    }

    /// How many rules have been compiled so far, and how many there are.
    pub fn n_compiled(&self) -> (usize, usize) {
        (self.rules.iter().filter(|it| it.is_compiled()).count(), self.rules.len())
    }
}

/// Keywords, each once, with all that it belongs to.
#[derive(Default)]
struct Keywords {
    words: Vec<String>,
    targets: Vec<Vec<Target>>,
}

impl Keywords {
    fn add(&mut self, word: &str, target: Target) {
        let word = word.to_ascii_lowercase();
        let at = self.words.iter().position(|it| *it == word).unwrap_or_else(|| {
            self.words.push(word);
            self.targets.push(Vec::new());
            self.words.len() - 1
        });
        if !self.targets[at].contains(&target) {
            self.targets[at].push(target);
        }
    }
}

/// Overlapping hits as one, named by the rule that says most, with their places.
fn merged(text: &str, mut hits: Vec<Hit<'_>>) -> Vec<Finding> {
    let rank = |hit: &Hit<'_>| (hit.specificity, hit.range.len());
    hits.sort_by_key(|hit| hit.range.start);
    let mut merged: Vec<Hit<'_>> = Vec::new();
    for hit in hits {
        match merged.last_mut() {
            Some(last) if hit.range.start < last.range.end => {
                let range = last.range.start..last.range.end.max(hit.range.end);
                if rank(&hit) > rank(last) {
                    last.rule = hit.rule;
                    last.specificity = hit.specificity;
                }
                last.range = range;
            }
            _ => merged.push(hit),
        }
    }
    let mut findings = Vec::with_capacity(merged.len());
    let (mut line, mut column, mut seen) = (1, 1, 0);
    for Hit { range, rule, .. } in merged {
        // On from the last place: a long line with many secrets is still counted once.
        let passed = &text[seen..range.start];
        seen = range.start;
        match memchr::memrchr(b'\n', passed.as_bytes()) {
            Some(last) => {
                line += memchr::memchr_iter(b'\n', passed.as_bytes()).count();
                column = passed[last + 1..].chars().count() + 1;
            }
            None => column += passed.chars().count(),
        }
        findings.push(Finding { rule: rule.to_owned(), range, line, column });
    }
    findings
}

#[cfg(test)]
#[path = "redact_tests.rs"]
mod tests;
