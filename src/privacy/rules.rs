//! The rules for secrets that are told by what stands around them: headers, addresses, files of
//! programs. Each is compiled when one of its keywords first occurs in a text: a language server
//! pays for compiled rules with memory as long as it lives.

use std::sync::OnceLock;

use regex_automata::meta::{Config, Regex};
use regex_automata::util::syntax;
use serde::Deserialize;

use super::allowlist::Allowlist;

const RULES: &str = include_str!("keyside.toml");

/// The rules file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    rules: Vec<LowRule>,
}

/// A rule as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LowRule {
    id: String,
    regex: String,
    path: Option<String>,
    #[serde(default)]
    entropy: f64,
    keywords: Vec<String>,
    #[serde(default)]
    allowlists: Vec<Allowlist>,
    /// The most bytes of a match.
    within: usize,
    #[serde(default)]
    followed_by: String,
}

/// A rule as it is used. A match begins with one of its keywords.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) entropy: f64,
    /// In lower case.
    pub(super) keywords: Vec<String>,
    pub(super) allowlists: Vec<Allowlist>,
    /// The most bytes of a match.
    pub(super) within: usize,
    /// What may stand behind a keyword; empty: anything.
    pub(super) followed_by: String,
    pattern: String,
    path: Option<String>,
    compiled: OnceLock<Regex>,
    compiled_path: OnceLock<Option<Regex>>,
}

/// All rules.
///
/// # Panics
/// Where the file is no rules file, which a test would have seen. A gate without rules would let
/// everything through and say nothing; the same holds for a rule that does not compile.
pub(super) fn read() -> Vec<Rule> {
    let file: RulesFile =
        toml::from_str(RULES).expect("the rules are a file in the program, which a test reads");
    file.rules.into_iter().map(Rule::from_low).collect()
}

impl Rule {
    fn from_low(low: LowRule) -> Self {
        Self {
            id: low.id,
            entropy: low.entropy,
            keywords: low.keywords.iter().map(|it| it.to_ascii_lowercase()).collect(),
            allowlists: low.allowlists,
            within: low.within,
            followed_by: low.followed_by,
            pattern: low.regex,
            path: low.path,
            compiled: OnceLock::new(),
            compiled_path: OnceLock::new(),
        }
    }

    /// Whether this rule is for texts of this path. A text without a path may be any.
    pub(super) fn is_for(&self, path: Option<&str>) -> bool {
        let (Some(wanted), Some(path)) = (&self.path, path) else { return true };
        let regex = self.compiled_path.get_or_init(|| compile_whole(wanted));
        regex.as_ref().is_some_and(|it| it.is_match(path))
    }

    /// The automaton, made at the first call.
    pub(super) fn compiled(&self) -> &Regex {
        self.compiled.get_or_init(|| {
            Regex::builder()
                .syntax(syntax_config())
                .configure(small().auto_prefilter(false))
                .build(&self.pattern)
                .expect("the rules are a file in the program, and a test compiles them")
        })
    }

    /// Whether the automaton has been made.
    pub(super) fn is_compiled(&self) -> bool {
        self.compiled.get().is_some()
    }
}

/// ASCII classes only, which keeps automata small.
fn syntax_config() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false)
}

/// An expression that is searched for in whole texts; `None` where it is none.
pub(super) fn compile_whole(pattern: &str) -> Option<Regex> {
    Regex::builder().syntax(syntax_config()).configure(small()).build(pattern).ok()
}

/// Small caches: these automata stay for as long as the server runs.
fn small() -> Config {
    Config::new().utf8_empty(false).onepass(false).hybrid_cache_capacity(128 * 1024)
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
