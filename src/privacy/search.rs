//! One text that is looked through for secrets: what a keyword belongs to is tried where it stands.

use std::ops::Range;

use regex_automata::{Anchored, Input};

use super::allowlist::Candidate;
use super::entropy::shannon;
use super::judge::{self, Standing};
use super::kinds::TextKind;
use super::memory::Memory;
use super::names::{self, Level, NameWord};
use super::redact::{Redactor, Target};
use super::rules::Rule;
use super::values::{Judge, Place};

/// How much of a long line an allowlist may look at, on either side of a match.
const LINE_BYTES_AROUND: usize = 500;
/// Behind a call without an end so much of the text is not looked at for the same call.
const BYTES_OF_OPEN_CALL: usize = 200;
/// A longer value that is none is not looked at again for each name in it.
const LONG_VALUE_BYTES: usize = 256;

/// How much a rule's name says; of rules that found the same, the greatest gives its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Specificity {
    Name,
    Place,
    Provider,
}

/// A secret as one rule sees it.
pub(super) struct Hit<'a> {
    pub(super) range: Range<usize>,
    pub(super) rule: &'a str,
    pub(super) specificity: Specificity,
}

/// One text that is looked through.
pub(super) struct Search<'a> {
    redactor: &'a Redactor,
    place: Place<'a>,
    pub(super) hits: Vec<Hit<'a>>,
    /// For each rule, command and provider near its name: the text before is done. A rule for other
    /// paths is done with the whole text.
    rules_until: Vec<usize>,
    commands_until: Vec<usize>,
    /// Calls before have no end that is near.
    calls_until: Vec<usize>,
    near_until: Vec<usize>,
    /// Values before are found, or are known to be none.
    values_until: usize,
    /// The rows of the last table.
    in_table: Range<usize>,
    inserted_until: usize,
    kubernetes_until: usize,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        redactor: &'a Redactor,
        text: &'a str,
        path: Option<&'a str>,
        memory: &'a Memory,
    ) -> Self {
        let rule_until = |rule: &Rule| if rule.is_for(path) { 0 } else { usize::MAX };
        Self {
            redactor,
            place: Place { text, kind: TextKind::of(path), memory },
            hits: Vec::new(),
            rules_until: redactor.rules.iter().map(rule_until).collect(),
            calls_until: vec![0; redactor.calls.len()],
            commands_until: vec![0; redactor.commands.len()],
            near_until: vec![0; redactor.providers.len()],
            values_until: 0,
            in_table: 0..0,
            inserted_until: 0,
            kubernetes_until: 0,
        }
    }

    pub(super) fn hit(&mut self, range: Range<usize>, rule: &'a str, specificity: Specificity) {
        if !range.is_empty() {
            self.hits.push(Hit { range, rule, specificity });
        }
    }

    /// Looks at all that a keyword at `range` belongs to.
    pub(super) fn try_all(&mut self, range: Range<usize>, targets: &[Target]) {
        for target in targets {
            self.try_at(range.clone(), *target);
        }
    }

    fn try_at(&mut self, range: Range<usize>, target: Target) {
        match target {
            Target::Name(index) => self.try_name(range, self.redactor.names[index]),
            Target::Rule(index) => self.try_rule(range, index),
            Target::Provider(index) => {
                if range.start < self.near_until[index] {
                    return;
                }
                let provider = &self.redactor.providers[index];
                let (token, read_until) = provider.token_at(self.place.text, range.start);
                if token.is_some() || read_until > range.end + LONG_VALUE_BYTES {
                    self.near_until[index] = read_until;
                }
                if let Some(token) = token {
                    self.hit(token, provider.name, Specificity::Provider);
                }
            }
            Target::Near(index) => self.try_near(&range, index),
            Target::Call(index) => {
                if range.start < self.calls_until[index] {
                    return;
                }
                let call = &self.redactor.calls[index];
                let place = self.place;
                let mut has_end = true;
                self.judged("argument", Level::Certain, None, |judge| {
                    has_end = place.visit_call(&range, call, judge);
                    true
                });
                if !has_end {
                    self.calls_until[index] = range.end + BYTES_OF_OPEN_CALL;
                }
            }
            Target::Command(index) => {
                if range.start < self.commands_until[index] {
                    return;
                }
                let command = &self.redactor.commands[index];
                let place = self.place;
                let mut end = range.end;
                self.judged("command-line", Level::Certain, None, |judge| {
                    end = place.visit_command(&range, command, judge);
                    true
                });
                self.commands_until[index] = end;
            }
            Target::KubernetesSecret => {
                if range.start >= self.kubernetes_until {
                    let place = self.place;
                    let mut end = range.end;
                    self.judged("kubernetes-secret", Level::Likely, None, |judge| {
                        end = place.visit_kubernetes_secret(range.start, judge);
                        true
                    });
                    self.kubernetes_until = end;
                }
            }
        }
    }

    fn try_near(&mut self, word: &Range<usize>, index: usize) {
        if word.start < self.near_until[index] {
            return;
        }
        let provider = &self.redactor.providers[index];
        let (tokens, until) = provider.tokens_near(self.place.text, word.end);
        self.near_until[index] = until;
        for token in tokens {
            self.hit(token, provider.name, Specificity::Provider);
        }
    }

    fn try_name(&mut self, word: Range<usize>, entry: NameWord) {
        if word.start < self.values_until {
            return;
        }
        let place = self.place;
        let Some(name) = names::name_at(place.text, word, entry) else { return };
        let written = &place.text[name.range.clone()];
        let found = self.judged("named-value", name.level, Some(written), |judge| {
            place.visit_value_of(&name.range, judge) || place.visit_pair_of(&name.range, judge)
        });
        if found || self.in_table.contains(&name.range.start) {
            return;
        }
        let (mut in_table, mut inserted_until) = (self.in_table.clone(), self.inserted_until);
        self.judged("named-column", name.level, None, |judge| {
            place.visit_column_of(&name.range, &mut in_table, judge)
                || place.visit_inserted(&name.range, &mut inserted_until, judge)
        });
        (self.in_table, self.inserted_until) = (in_table, inserted_until);
    }

    /// Lets `visit` show values and takes those that are secrets; what `visit` says. A value that
    /// only says the `name` again is none.
    fn judged(
        &mut self,
        rule: &'a str,
        level: Level,
        name: Option<&str>,
        visit: impl FnOnce(&mut Judge<'_>) -> bool,
    ) -> bool {
        let text = self.place.text;
        let mut hits = Vec::new();
        let mut until = self.values_until;
        let mut judge = |parts: &[Range<usize>], standing: Standing| {
            let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return false };
            let is_secret = match parts {
                [one] => {
                    let value = &text[on_characters(text, one.clone())];
                    judge::is_secret(value, level, standing)
                        && !name.is_some_and(|it| says_again(it, value))
                }
                parts => {
                    let whole = |it: &Range<usize>| &text[on_characters(text, it.clone())];
                    let joined: String = parts.iter().map(whole).collect();
                    judge::is_secret(&joined, level, standing)
                }
            };
            if is_secret {
                hits.extend(parts.iter().map(|it| on_characters(text, it.clone())));
                if standing != Standing::Quoted || last.end - first.start > LONG_VALUE_BYTES {
                    until = until.max(last.end);
                }
            } else if last.end - first.start > LONG_VALUE_BYTES && standing != Standing::Quoted {
                until = until.max(last.end);
            }
            is_secret
        };
        let found = visit(&mut judge);
        self.values_until = until;
        for range in hits {
            self.hit(range, rule, Specificity::Name);
        }
        found
    }

    /// Holds one rule against the text at one of its keywords.
    fn try_rule(&mut self, keyword: Range<usize>, index: usize) {
        let rule = &self.redactor.rules[index];
        let text = self.place.text;
        let place = keyword.start;
        let behind = text.as_bytes().get(keyword.end);
        let is_followed = rule.followed_by.is_empty()
            || behind.is_some_and(|it| rule.followed_by.as_bytes().contains(it));
        if place < self.rules_until[index] || !is_followed {
            return;
        }
        let regex = rule.compiled();
        // Looking around does not end where the range does.
        let input = Input::new(text)
            .range(place..text.len().min(place + rule.within))
            .anchored(Anchored::Yes);
        if !regex.is_match(input.clone()) {
            return;
        }
        let mut captures = regex.create_captures();
        regex.search_captures(&input, &mut captures);
        let Some(found) = captures.get_match() else { return };
        if found.len() > LONG_VALUE_BYTES {
            self.rules_until[index] = found.end();
        }
        let group = (1..captures.group_len())
            .filter_map(|group| captures.get_group(group))
            .find(|it| !it.is_empty());
        let range = on_characters(text, group.map_or(found.range(), |it| it.range()));
        let secret = &text[range.clone()];
        if secret.is_empty() || (rule.entropy > 0.0 && shannon(secret) <= rule.entropy) {
            return;
        }
        let candidate = Candidate {
            secret,
            matched: &text[on_characters(text, found.range())],
            lines: &text[on_characters(text, lines_around(text, &found.range()))],
        };
        // What is let pass may hold another keyword, with a secret behind it.
        if !rule.allowlists.iter().any(|it| it.allows(candidate)) {
            self.rules_until[index] = found.end();
            self.hit(range, &rule.id, Specificity::Place);
        }
    }
}

/// Whether a value is a part of its name, whatever separates the words of both.
fn says_again(name: &str, value: &str) -> bool {
    fn letters(text: &[u8]) -> impl Iterator<Item = u8> + Clone {
        text.iter().filter(|it| it.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase)
    }
    let name = name.as_bytes();
    let begins_at = |at: usize| {
        let mut of_name = letters(&name[at..]);
        letters(value.as_bytes()).all(|it| of_name.next() == Some(it))
    };
    value.len() <= name.len() + 4 && (0..=name.len()).any(begins_at)
}

/// The lines of a match; of very long ones what is near it, or a rule with many matches in one line
/// would read that line again and again.
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
