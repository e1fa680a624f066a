//! The rules by which secrets are found: gitleaks' own file and one of ours beside it, read once, each
//! rule compiled when one of its keywords first occurs in a text.
//!
//! A language server pays for compiled rules with memory as long as it lives, and most rules look for one
//! vendor whose name never comes up. So the 222 rules of gitleaks are held as text, and a rule's automaton
//! is made at the first keyword. Two things are done to the expressions on the way, both for a gate rather
//! than a scanner:
//!
//! * The lazy head `[\w.-]{0,50}?`, with which gitleaks' rules for assignments begin, is taken off and put
//!   back by hand after a match. It never decides whether there is a match, only how far to the left it
//!   reaches, and without it the expression begins with the keyword, so that it is tried at the places of
//!   keywords alone.
//! * Rules of tokens with a form of their own end, in gitleaks, at a blank, a quote or a semicolon. Here
//!   they end at anything that could not go on the token: a token in a URL or before a comma leaves the
//!   machine like any other.

use std::sync::OnceLock;

use regex_automata::meta::{Config, Regex};
use regex_automata::util::syntax;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::literal::Extractor;
use serde::Deserialize;

use super::allowlist::Allowlist;

const GITLEAKS: &str = include_str!("gitleaks.toml");
const OURS: &str = include_str!("keyside.toml");

const HEAD: &str = r"[\w.-]{0,50}?";
const END_OF_TOKEN: &str = r#"(?:[\x60'"\s;]|\\[nr]|$)"#;
const WIDER_END_OF_TOKEN: &str = r"(?:[^\w+/=-]|\\[nr]|$)";
const WIDER_END_OF_VALUE: &str = r#"(?:[\x60'"\s;&<]|\\[nr]|$)"#;
/// Bounded matches up to this length are tried at keywords; longer ones are searched for in the text.
const MAX_ANCHORED_BYTES: usize = 2_000;

/// A rules file.
#[derive(Debug, Deserialize)]
struct RulesFile {
    #[serde(default)]
    allowlist: Option<Allowlist>,
    #[serde(default)]
    dropped: Vec<String>,
    rules: Vec<LowRule>,
}

/// A rule as it is written.
#[derive(Debug, Deserialize)]
struct LowRule {
    id: String,
    regex: Option<String>,
    path: Option<String>,
    #[serde(default)]
    entropy: f64,
    #[serde(default, rename = "secretGroup")]
    secret_group: usize,
    #[serde(default)]
    keywords: Vec<String>,
    #[serde(default)]
    allowlists: Vec<Allowlist>,
    #[serde(default)]
    generic: bool,
    #[serde(default)]
    within: usize,
    #[serde(default)]
    after_base64: bool,
}

/// Everything that secrets are found by.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) rules: Vec<Rule>,
    /// For findings of every rule.
    pub(super) allowlist: Allowlist,
}

/// How much a rule's name says; of rules that found the same, the greatest gives its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Specificity {
    /// Some name that sounds like a secret has some value.
    Generic,
    Ours,
    Vendor,
}

/// A rule as it is used.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) entropy: f64,
    /// The group that is the secret; 0: the first that is not empty.
    pub(super) secret_group: usize,
    /// In lower case. A rule is looked at where one of them occurs.
    pub(super) keywords: Vec<String>,
    pub(super) allowlists: Vec<Allowlist>,
    pub(super) specificity: Specificity,
    /// How many word characters before the match belong to it.
    pub(super) head_characters: usize,
    /// Whether base64 before the match is the greater part of the secret.
    pub(super) after_base64: bool,
    pattern: String,
    /// The longest match, where the expression itself has no bound; 0: none.
    within: usize,
    path: Option<String>,
    compiled: OnceLock<Compiled>,
    compiled_path: OnceLock<Option<Regex>>,
}

/// A rule's automaton, and where to set it on.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) regex: Regex,
    pub(super) reach: Reach,
}

/// Where matches of a rule can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// They begin with a keyword and are at most so many bytes long.
    AtKeyword { max_bytes: usize },
    /// They begin with a keyword and may be of any length.
    FromKeyword,
    /// Anywhere in a text in which a keyword occurs.
    Anywhere,
}

impl Rules {
    /// Both files.
    ///
    /// # Panics
    /// Where one of them is no rules file, which a test would have seen. A gate without rules would let
    /// everything through and say nothing; the same holds for a rule that does not compile.
    pub(super) fn read() -> Self {
        let ours = parse(OURS);
        let gitleaks = parse(GITLEAKS);
        let mut rules = Vec::with_capacity(gitleaks.rules.len() + ours.rules.len());
        for rule in gitleaks.rules {
            if !ours.dropped.contains(&rule.id) {
                let specificity = if rule.id.starts_with("generic") {
                    Specificity::Generic
                } else {
                    Specificity::Vendor
                };
                rules.extend(Rule::from_low(rule, specificity));
            }
        }
        for rule in ours.rules {
            let specificity = if rule.generic { Specificity::Generic } else { Specificity::Ours };
            rules.extend(Rule::from_low(rule, specificity));
        }
        Self { rules, allowlist: gitleaks.allowlist.unwrap_or_default() }
    }
}

fn parse(text: &str) -> RulesFile {
    toml::from_str(text).expect("the rules are files in the program, which a test reads")
}

impl Rule {
    /// `None` for a rule that looks at the path alone: there is no secret to take out of the text.
    fn from_low(low: LowRule, specificity: Specificity) -> Option<Self> {
        let written = low.regex?;
        let (pattern, head_characters) = adapted(&written);
        Some(Self {
            id: low.id,
            entropy: low.entropy,
            secret_group: low.secret_group,
            keywords: low.keywords.iter().map(|it| it.to_ascii_lowercase()).collect(),
            allowlists: low.allowlists,
            specificity,
            head_characters,
            after_base64: low.after_base64,
            pattern,
            within: if head_characters > 0 { MAX_ANCHORED_BYTES } else { low.within },
            path: low.path,
            compiled: OnceLock::new(),
            compiled_path: OnceLock::new(),
        })
    }

    /// Whether this rule is for texts of this path. A text without a path may be any, but what goes by a
    /// name in some files (`password` in Terraform's) says nothing in any.
    pub(super) fn is_for(&self, path: Option<&str>) -> bool {
        let Some(wanted) = &self.path else { return true };
        let Some(path) = path else { return self.head_characters == 0 };
        let regex = self.compiled_path.get_or_init(|| compile_whole(wanted));
        regex.as_ref().is_some_and(|it| it.is_match(path))
    }

    /// The automaton, made at the first call.
    pub(super) fn compiled(&self) -> &Compiled {
        self.compiled.get_or_init(|| {
            compile(&self.pattern, &self.keywords, self.within)
                .expect("the rules are files in the program, and a test compiles them")
        })
    }

    /// Whether the automaton has been made.
    pub(super) fn is_compiled(&self) -> bool {
        self.compiled.get().is_some()
    }
}

/// An expression as it is used, and how long a head was taken off.
fn adapted(written: &str) -> (String, usize) {
    let inner = format!("(?i:{HEAD}");
    let (pattern, head) = if let Some(rest) = written.strip_prefix(&format!("(?i){HEAD}")) {
        (format!("(?i){rest}"), 50)
    } else if let Some(rest) = written.strip_prefix(HEAD) {
        match rest.strip_prefix(&inner) {
            Some(rest) => (format!("(?i:{rest}"), 100),
            None => (rest.to_owned(), 50),
        }
    } else {
        (written.to_owned(), 0)
    };
    let wider = if head == 0 { WIDER_END_OF_TOKEN } else { WIDER_END_OF_VALUE };
    (pattern.replace(END_OF_TOKEN, wider), head)
}

/// Go's expressions know ASCII classes only, so Unicode is off, which also keeps automata small.
fn syntax_config() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false)
}

fn compile(pattern: &str, keywords: &[String], within: usize) -> Option<Compiled> {
    let hir = syntax::parse_with(pattern, &syntax_config()).ok()?;
    let by_itself = hir.properties().maximum_len().filter(|it| *it <= MAX_ANCHORED_BYTES);
    let max_bytes = by_itself.or((within > 0).then_some(within));
    let reach = match (begins_with_a_keyword(pattern, keywords), max_bytes) {
        (true, Some(max_bytes)) => Reach::AtKeyword { max_bytes },
        (true, _) => Reach::FromKeyword,
        (false, _) => Reach::Anywhere,
    };
    let regex = match reach {
        Reach::AtKeyword { .. } => Regex::builder()
            .syntax(syntax_config())
            .configure(small().auto_prefilter(false))
            .build_from_hir(&hir),
        Reach::FromKeyword | Reach::Anywhere => {
            Regex::builder().syntax(syntax_config()).configure(small()).build_from_hir(&hir)
        }
    };
    Some(Compiled { regex: regex.ok()?, reach })
}

/// An expression that is searched for in whole texts; `None` where it is none.
pub(super) fn compile_whole(pattern: &str) -> Option<Regex> {
    Regex::builder().syntax(syntax_config()).configure(small()).build(pattern).ok()
}

/// Small caches: these automata stay for as long as the server runs.
fn small() -> Config {
    Config::new().utf8_empty(false).onepass(false).hybrid_cache_capacity(128 * 1024)
}

/// Whether every match begins with one of the keywords, whatever the case of its letters.
fn begins_with_a_keyword(pattern: &str, keywords: &[String]) -> bool {
    // Without its flags the expression has one spelling of what it matches in any case, where with them
    // there are more than the extractor lists.
    let one_spelling = pattern.replace("(?i)", "").replace("(?i:", "(?:").replace("(?-i:", "(?:");
    let parsed = ParserBuilder::new().unicode(false).utf8(false).build().parse(&one_spelling);
    let Ok(hir) = parsed else { return false };
    let prefixes = Extractor::new().extract(&hir);
    prefixes.literals().is_some_and(|literals| {
        literals.iter().all(|literal| {
            let literal = literal.as_bytes().to_ascii_lowercase();
            keywords.iter().any(|keyword| literal.starts_with(keyword.as_bytes()))
        })
    })
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
