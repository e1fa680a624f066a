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

use aho_corasick::{AhoCorasick, AhoCorasickKind, Match};

use super::calls::{self, Call, Command};
use super::keys;
use super::memory::Memory;
use super::names::{self, NameWord};
use super::placeholders::is_placeholder;
use super::providers::{self, Provider};
use super::rules::{self, Rule};
use super::search::{Hit, Search, Specificity};

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
    /// Finds the keywords of ASCII, which are nearly all. Without the others its table is half as
    /// large, and what is used of it stays in the processor's cache.
    ascii_keywords: Keywords,
    /// Finds the others.
    wide_keywords: Keywords,
}

impl Redactor {
    /// The one of this process. The first call reads the tables.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Redactor> = LazyLock::new(Redactor::new);
        &SHARED
    }

    fn new() -> Self {
        let mut keywords = KeywordList::default();
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
        let (ascii, wide) = keywords.words.into_iter().partition(|(word, _)| word.is_ascii());
        Self {
            rules,
            providers,
            names,
            calls,
            commands,
            ascii_keywords: Keywords::new(ascii, AhoCorasickKind::DFA),
            wide_keywords: Keywords::new(wide, AhoCorasickKind::ContiguousNFA),
        }
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
        let wide: Vec<Match> = match text.is_ascii() {
            true => Vec::new(),
            false => self.wide_keywords.searcher.find_overlapping_iter(text).collect(),
        };
        // In the order of their ends, as one search would have them.
        let mut wide = wide.into_iter().peekable();
        for found in self.ascii_keywords.searcher.find_overlapping_iter(text) {
            while let Some(wide) = wide.next_if(|it| it.end() <= found.end()) {
                search.try_all(wide.range(), self.wide_keywords.targets_of(&wide));
            }
            search.try_all(found.range(), self.ascii_keywords.targets_of(&found));
        }
        for wide in wide {
            search.try_all(wide.range(), self.wide_keywords.targets_of(&wide));
        }
        let mut hits = search.hits;
        // What stands for a secret is none, so a text that has been redacted stays as it is.
        hits.retain(|it| !is_placeholder(&text[it.range.clone()]));
        let parts = hits.iter().map(|it| it.range.clone()).collect();
        (merged(text, hits), parts)
    }

    /// How many rules have been compiled so far, and how many there are.
    pub fn n_compiled(&self) -> (usize, usize) {
        (self.rules.iter().filter(|it| it.is_compiled()).count(), self.rules.len())
    }
}

/// Keywords, ready to be searched for.
#[derive(Debug)]
struct Keywords {
    searcher: AhoCorasick,
    /// For each pattern what it belongs to.
    targets: Vec<Vec<Target>>,
}

impl Keywords {
    fn new(words: Vec<(String, Vec<Target>)>, kind: AhoCorasickKind) -> Self {
        let searcher = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(kind))
            .build(words.iter().map(|(word, _)| word))
            .expect("the keywords are those of tables in the program, which a test builds");
        Self { searcher, targets: words.into_iter().map(|(_, targets)| targets).collect() }
    }

    fn targets_of(&self, found: &Match) -> &[Target] {
        &self.targets[found.pattern().as_usize()]
    }
}

/// Keywords, each once, with all that it belongs to.
#[derive(Default)]
struct KeywordList {
    words: Vec<(String, Vec<Target>)>,
}

impl KeywordList {
    fn add(&mut self, word: &str, target: Target) {
        let word = word.to_ascii_lowercase();
        match self.words.iter_mut().find(|(it, _)| *it == word) {
            Some((_, targets)) if targets.contains(&target) => {}
            Some((_, targets)) => targets.push(target),
            None => self.words.push((word, vec![target])),
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
