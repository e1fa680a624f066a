//! What looks like a secret and is none: gitleaks' allowlists, of a rule or of the whole file.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex_automata::meta::Regex;
use serde::Deserialize;

use super::rules::compile_whole;

/// An allowlist as the rules file has it. Commits are left out: there is none here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Allowlist {
    condition: Condition,
    #[serde(rename = "regexTarget")]
    target: Target,
    regexes: Vec<String>,
    paths: Vec<String>,
    stopwords: Vec<String>,
    #[serde(skip)]
    compiled_regexes: OnceLock<Option<Regex>>,
    #[serde(skip)]
    compiled_paths: OnceLock<Option<Regex>>,
    #[serde(skip)]
    compiled_stopwords: OnceLock<Option<AhoCorasick>>,
}

/// Whether one check is enough, or all that the allowlist has must hold.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Condition {
    #[default]
    #[serde(rename = "OR")]
    Or,
    #[serde(rename = "AND")]
    And,
}

/// What an allowlist's expressions are held against.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Target {
    #[default]
    Secret,
    Match,
    Line,
}

/// What a rule found, as texts.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) secret: &'a str,
    pub(super) matched: &'a str,
    /// The lines of the match, or as much of them as is near it.
    pub(super) lines: &'a str,
    pub(super) path: Option<&'a str>,
}

impl Allowlist {
    /// Whether texts of this path are not looked at, by this allowlist alone.
    pub(super) fn allows_path(&self, path: Option<&str>) -> bool {
        let by_path_alone = self.condition == Condition::Or
            || (self.regexes.is_empty() && self.stopwords.is_empty());
        by_path_alone && self.has_path(path)
    }

    /// Whether this finding is none. Paths on their own have been asked before.
    pub(super) fn allows(&self, candidate: Candidate<'_>) -> bool {
        let by_regex = || {
            let target = match self.target {
                Target::Secret => candidate.secret,
                Target::Match => candidate.matched,
                Target::Line => candidate.lines,
            };
            let regexes = self.compiled_regexes.get_or_init(|| joined(&self.regexes));
            regexes.as_ref().is_some_and(|it| it.is_match(target))
        };
        let by_stopword = || {
            let words = self.compiled_stopwords.get_or_init(|| words(&self.stopwords));
            words.as_ref().is_some_and(|it| it.is_match(candidate.secret))
        };
        match self.condition {
            Condition::Or => by_regex() || by_stopword(),
            Condition::And => {
                (self.paths.is_empty() || self.has_path(candidate.path))
                    && (self.regexes.is_empty() || by_regex())
                    && (self.stopwords.is_empty() || by_stopword())
            }
        }
    }

    fn has_path(&self, path: Option<&str>) -> bool {
        let Some(path) = path else { return false };
        let paths = self.compiled_paths.get_or_init(|| joined(&self.paths));
        paths.as_ref().is_some_and(|it| it.is_match(path))
    }
}

/// One expression of many, joined as gitleaks joins them: a `(?i)` in one holds for those after it.
fn joined(expressions: &[String]) -> Option<Regex> {
    if expressions.is_empty() {
        return None;
    }
    compile_whole(&format!("(?:{})", expressions.join("|")))
}

fn words(words: &[String]) -> Option<AhoCorasick> {
    if words.is_empty() {
        return None;
    }
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .build(words)
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowlist(text: &str) -> Allowlist {
        toml::from_str(text).expect("it is an allowlist")
    }

    fn candidate(secret: &'static str) -> Candidate<'static> {
        Candidate { secret, matched: "key = it", lines: "let key = it;", path: Some("src/a.inc") }
    }

    #[test]
    fn either_is_enough_unless_all_are_asked_for() {
        let either = allowlist("regexes = ['^a']\nstopwords = ['Zebra']");
        assert!(either.allows(candidate("abc")));
        assert!(either.allows(candidate("xzebrax")));
        assert!(!either.allows(candidate("xyz")));
        let both = allowlist("condition = 'AND'\nregexes = ['^a']\nstopwords = ['zebra']");
        assert!(!both.allows(candidate("abc")));
        assert!(both.allows(candidate("a zebra")));
    }

    #[test]
    fn the_target_is_what_it_says() {
        assert!(allowlist("regexTarget = 'match'\nregexes = ['^key']").allows(candidate("x")));
        assert!(allowlist("regexTarget = 'line'\nregexes = ['^let']").allows(candidate("x")));
        assert!(!allowlist("regexes = ['^let']").allows(candidate("x")));
    }

    #[test]
    fn a_path_allows_alone_or_with_the_rest() {
        let alone = allowlist("paths = ['\\.inc$']");
        assert!(alone.allows_path(Some("src/a.inc")));
        assert!(!alone.allows_path(Some("src/a.rs")));
        assert!(!alone.allows_path(None));
        let with = allowlist("condition = 'AND'\npaths = ['\\.inc$']\nregexes = ['^a']");
        assert!(!with.allows_path(Some("src/a.inc")));
        assert!(with.allows(candidate("abc")));
        assert!(!with.allows(Candidate { path: None, ..candidate("abc") }));
    }
}
