//! What a rule finds and what is no secret all the same: words, templates, numbers.

use std::sync::OnceLock;

use regex_automata::meta::Regex;
use serde::Deserialize;

use super::rules::compile_whole;

/// Expressions, of which one that matches is enough.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Allowlist {
    target: Target,
    regexes: Vec<String>,
    #[serde(skip)]
    compiled: OnceLock<Option<Regex>>,
}

/// What the expressions are held against.
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
}

impl Allowlist {
    /// Whether this finding is none.
    pub(super) fn allows(&self, candidate: Candidate<'_>) -> bool {
        let target = match self.target {
            Target::Secret => candidate.secret,
            Target::Match => candidate.matched,
            Target::Line => candidate.lines,
        };
        let joined = || compile_whole(&format!("(?:{})", self.regexes.join("|")));
        self.compiled.get_or_init(joined).as_ref().is_some_and(|it| it.is_match(target))
    }

    /// Whether the expressions compile.
    #[cfg(test)]
    pub(super) fn compiles(&self) -> bool {
        !self.regexes.is_empty() && self.regexes.iter().all(|it| compile_whole(it).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_what_it_says() {
        let allowlist = |text: &str| toml::from_str::<Allowlist>(text).expect("it is an allowlist");
        let candidate = Candidate { secret: "abc", matched: "key = it", lines: "let key = it;" };
        assert!(allowlist("regexes = ['^x', '^a']").allows(candidate));
        assert!(!allowlist("regexes = ['^let']").allows(candidate));
        assert!(allowlist("target = 'match'\nregexes = ['^key']").allows(candidate));
        assert!(allowlist("target = 'line'\nregexes = ['^let']").allows(candidate));
    }
}
