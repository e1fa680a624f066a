//! Finds secrets in source text: keys, tokens, passwords, private keys.
//!
//! One pass over the text looks for the keywords of all rules at once; a rule's expression is tried where
//! one of its keywords stands, and only in the few cases where it may match elsewhere is it searched for in
//! the whole text. So a text without secrets costs little more than the first pass, and the time grows with
//! the text and not with its square, whatever the text is.
//!
//! What is kept of gitleaks: which group is the secret, entropy, keywords, allowlists of rules and of the
//! file. What is not, because this is a gate and not a report: a `gitleaks:allow` comment lets nothing
//! through (a workspace must not open the gate), a path on gitleaks' list of generated files only turns off
//! the rules that go by the name of a variable, and a rule for certain paths is tried on a text without one.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex_automata::util::captures::Captures;
use regex_automata::{Anchored, Input};

use super::allowlist::Candidate;
use super::entropy::shannon;
use super::rules::{Compiled, Reach, Rule, Rules, Specificity};

/// The most that is taken for a private key without its head.
const MOST_BASE64_BYTES: usize = 16_000;
/// How much of a long line an allowlist may look at, on either side of a match.
const LINE_BYTES_AROUND: usize = 500;

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

/// Whether a text holds a secret. `path` is where the text is from, with any separators, where it is known.
///
/// Costs one pass over the text and, where it has keywords, little more; it is for every line of a workspace.
pub fn holds_secret(path: Option<&str>, text: &str) -> bool {
    !Redactor::shared().find(text, path).is_empty()
}

/// The lines of a text in which secrets stand, from 0, in order and none over another. Line breaks are `\n`.
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

/// The rules, ready to be held against texts.
#[derive(Debug)]
pub struct Redactor {
    rules: Rules,
    /// Finds every keyword of every rule.
    keywords: AhoCorasick,
    /// For each pattern of `keywords` the rules that it belongs to.
    rules_of_keyword: Vec<Vec<usize>>,
}

/// A secret as one rule sees it.
struct Hit {
    range: Range<usize>,
    rule: usize,
}

impl Redactor {
    /// The one of this process. The first call reads the rules.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Redactor> = LazyLock::new(Redactor::new);
        &SHARED
    }

    fn new() -> Self {
        let rules = Rules::read();
        let mut words: Vec<&str> = Vec::new();
        let mut rules_of_keyword: Vec<Vec<usize>> = Vec::new();
        for (index, rule) in rules.rules.iter().enumerate() {
            for keyword in &rule.keywords {
                let at = words.iter().position(|it| it == keyword).unwrap_or_else(|| {
                    words.push(keyword);
                    rules_of_keyword.push(Vec::new());
                    words.len() - 1
                });
                rules_of_keyword[at].push(index);
            }
        }
        let keywords = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&words)
            .expect("the keywords are those of two files in the program, which a test builds");
        Self { rules, keywords, rules_of_keyword }
    }

    /// The secrets of a text, in its order and none over another. `path` is where the text is from, with
    /// any separators; it helps where the same words are a secret in one kind of file and not in another.
    pub fn find(&self, text: &str, path: Option<&str>) -> Vec<Finding> {
        self.find_with_parts(text, path).0
    }

    /// The findings, and every secret as each rule saw it, of which some overlap: the password in an address
    /// is found as a part of the address, and on its own where it stands elsewhere.
    pub(super) fn find_with_parts(
        &self,
        text: &str,
        path: Option<&str>,
    ) -> (Vec<Finding>, Vec<Range<usize>>) {
        let path = path.map(|it| it.replace('\\', "/"));
        let path = path.as_deref();
        let mut hits = Vec::new();
        for (index, places) in self.places_of_keywords(text).into_iter().enumerate() {
            let rule = &self.rules.rules[index];
            if !places.is_empty() && self.is_for(rule, path) {
                let compiled = rule.compiled();
                self.run(Run { rule, index, compiled, text, path }, &places, &mut hits);
            }
        }
        let parts = hits.iter().map(|it| it.range.clone()).collect();
        (self.merged(text, hits), parts)
    }

    /// How many rules have been compiled so far, and how many there are.
    pub fn n_compiled(&self) -> (usize, usize) {
        let compiled = self.rules.rules.iter().filter(|it| it.is_compiled()).count();
        (compiled, self.rules.rules.len())
    }

    /// For each rule the places of its keywords, in order.
    fn places_of_keywords(&self, text: &str) -> Vec<Vec<usize>> {
        let mut places: Vec<Vec<usize>> = vec![Vec::new(); self.rules.rules.len()];
        for found in self.keywords.find_overlapping_iter(text) {
            for rule in &self.rules_of_keyword[found.pattern().as_usize()] {
                places[*rule].push(found.start());
            }
        }
        for of_rule in &mut places {
            // They came in the order of their ends.
            of_rule.sort_unstable();
            of_rule.dedup();
        }
        places
    }

    fn is_for(&self, rule: &Rule, path: Option<&str>) -> bool {
        let generated =
            rule.specificity == Specificity::Generic && self.rules.allowlist.allows_path(path);
        let allowed = rule.allowlists.iter().any(|it| it.allows_path(path));
        !generated && !allowed && rule.is_for(path)
    }

    /// Holds one rule against the text.
    fn run(&self, run: Run<'_>, places: &[usize], hits: &mut Vec<Hit>) {
        let Compiled { regex, reach } = run.compiled;
        let mut captures = regex.create_captures();
        let mut done_until = 0;
        match *reach {
            Reach::AtKeyword { max_bytes } => {
                for place in places.iter().copied() {
                    if place < done_until {
                        continue;
                    }
                    // Looking around does not end where the range does.
                    let end = run.text.len().min(place + max_bytes);
                    let input = Input::new(run.text).range(place..end).anchored(Anchored::Yes);
                    regex.search_captures(&input, &mut captures);
                    // What is let pass may hold another keyword, with a secret behind it.
                    if let Some(found) = captures.get_match()
                        && self.consider(run, &captures, done_until, hits)
                    {
                        done_until = found.end();
                    }
                }
            }
            Reach::FromKeyword | Reach::Anywhere => {
                if *reach == Reach::FromKeyword {
                    done_until = places.first().copied().unwrap_or(0);
                }
                loop {
                    let input = Input::new(run.text).range(done_until..);
                    regex.search_captures(&input, &mut captures);
                    let Some(found) = captures.get_match().filter(|it| !it.is_empty()) else {
                        break;
                    };
                    self.consider(run, &captures, done_until, hits);
                    done_until = found.end();
                }
            }
        }
    }

    /// Takes a match for a secret unless its entropy or an allowlist speaks against it; whether it did.
    fn consider(
        &self,
        run: Run<'_>,
        captures: &Captures,
        before: usize,
        hits: &mut Vec<Hit>,
    ) -> bool {
        let Run { rule, index, text, path, .. } = run;
        let Some(found) = captures.get_match() else { return false };
        let matched = without_line_breaks(text, found.range());
        let group = match rule.secret_group {
            0 => (1..captures.group_len())
                .filter_map(|group| captures.get_group(group))
                .find(|it| !it.is_empty()),
            group => captures.get_group(group),
        };
        let range = match group {
            Some(span) => span.range(),
            None if rule.secret_group == 0 => matched.clone(),
            None => return false,
        };
        let range = match rule.after_base64.then(|| base64_before(text, range.start)) {
            Some(None) => return false,
            Some(Some(start)) => start..range.end,
            None => on_characters(text, range),
        };
        let secret = &text[range.clone()];
        if range.is_empty() || (rule.entropy > 0.0 && shannon(secret) <= rule.entropy) {
            return false;
        }
        let start = head_start(text, matched.start, rule.head_characters, before);
        let candidate = Candidate {
            secret,
            matched: &text[on_characters(text, start..matched.end)],
            lines: &text[on_characters(text, lines_around(text, &matched))],
            path,
        };
        let mut allowlists = std::iter::once(&self.rules.allowlist).chain(&rule.allowlists);
        let is_secret = !allowlists.any(|it| it.allows(candidate));
        if is_secret {
            hits.push(Hit { range, rule: index });
        }
        is_secret
    }

    /// Overlapping hits as one, named by the rule that says most, with their places.
    fn merged(&self, text: &str, mut hits: Vec<Hit>) -> Vec<Finding> {
        let rank = |hit: &Hit| (self.rules.rules[hit.rule].specificity, hit.range.len());
        hits.sort_by_key(|hit| hit.range.start);
        let mut merged: Vec<Hit> = Vec::new();
        for hit in hits {
            match merged.last_mut() {
                Some(last) if hit.range.start < last.range.end => {
                    let range = last.range.start..last.range.end.max(hit.range.end);
                    if rank(&hit) > rank(last) {
                        last.rule = hit.rule;
                    }
                    last.range = range;
                }
                _ => merged.push(hit),
            }
        }
        let mut findings = Vec::with_capacity(merged.len());
        let (mut line, mut column, mut seen) = (1, 1, 0);
        for Hit { range, rule } in merged {
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
            let rule = self.rules.rules[rule].id.clone();
            findings.push(Finding { rule, range, line, column });
        }
        findings
    }
}

/// One rule and what it is held against.
#[derive(Clone, Copy)]
struct Run<'a> {
    rule: &'a Rule,
    index: usize,
    compiled: &'a Compiled,
    text: &'a str,
    path: Option<&'a str>,
}

/// Without the line breaks at both ends, as gitleaks has a match.
fn without_line_breaks(text: &str, range: Range<usize>) -> Range<usize> {
    let bytes = &text.as_bytes()[range.clone()];
    let leading = bytes.iter().take_while(|it| **it == b'\n').count();
    let trailing = bytes[leading..].iter().rev().take_while(|it| **it == b'\n').count();
    range.start + leading..range.end - trailing
}

/// Where the lazy head that was taken off the expression would have begun.
fn head_start(text: &str, start: usize, most: usize, before: usize) -> usize {
    let is_head = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte);
    let head = &text.as_bytes()[before.min(start)..start];
    start - head.iter().rev().take(most).take_while(|it| is_head(it)).count()
}

/// Where base64 that ends at `end` begins, in lines or in strings, if there is enough for a key.
fn base64_before(text: &str, end: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let earliest = end.saturating_sub(MOST_BASE64_BYTES);
    let is_filler = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`,;\\>|#*".contains(byte);
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    let before = |at: usize, is: &dyn Fn(&u8) -> bool| {
        at - bytes[earliest..at].iter().rev().take_while(|it| is(it)).count()
    };
    let (mut at, mut start, mut n_short, mut n_long) = (end, end, 0, 0);
    loop {
        let end_of_run = before(at, &is_filler);
        at = before(end_of_run, &is_base64);
        let run = &bytes[at..end_of_run];
        // The `n` of a written line break, and the slashes that a line of a comment begins with.
        let is_escape =
            at > earliest && bytes[at - 1] == b'\\' && b"nr".contains(run.first().unwrap_or(&0));
        let length = run.len() - usize::from(is_escape);
        if !run.is_empty() && (length == 0 || run.iter().all(|it| *it == b'/')) {
            continue;
        }
        // The last line may be short, and so is PGP's checksum; other short runs are words.
        if length < 20 {
            n_short += 1;
            if length == 0 || n_long > 0 || n_short > 2 {
                return (n_long > 0).then_some(start);
            }
        } else {
            n_long += 1;
        }
        start = end_of_run - length;
    }
}

/// The lines of a match; of very long ones what is near it, or a rule with many matches in one line would
/// read that line again and again.
fn lines_around(text: &str, matched: &Range<usize>) -> Range<usize> {
    let bytes = text.as_bytes();
    let earliest = matched.start.saturating_sub(LINE_BYTES_AROUND);
    let latest = bytes.len().min(matched.end + LINE_BYTES_AROUND);
    let start = memchr::memrchr(b'\n', &bytes[earliest..matched.start]);
    let end = memchr::memchr(b'\n', &bytes[matched.end..latest]);
    start.map_or(earliest, |it| earliest + it + 1)..end.map_or(latest, |it| matched.end + it)
}

/// Widened to whole characters: expressions go by bytes.
fn on_characters(text: &str, range: Range<usize>) -> Range<usize> {
    let (mut start, mut end) = (range.start, range.end);
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

#[cfg(test)]
#[path = "redact_tests.rs"]
mod tests;
