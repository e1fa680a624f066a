//! How languages write strings and comments, as far as the filters look.
//!
//! Languages that do so alike share one; `language::table` says which language has which.

use crate::text::language::Language;

/// How a language writes strings and comments.
#[derive(Debug, PartialEq, Eq)]
pub struct Lexis {
    /// What begins a comment that ends with its line. Where it is no slash, it begins a word.
    pub line_comments: &'static [&'static str],
    /// What goes on over lines: block comments, long strings. Longer openers first.
    pub spans: &'static [Span],
    /// What begins and ends strings within a line.
    pub quotes: &'static str,
    /// `'` can begin a lifetime or a type's variable, and quotes single characters otherwise.
    pub has_lifetimes: bool,
    /// Quotes are quotes only behind a `=`: the text of markup has apostrophes.
    pub only_behind_equals: bool,
    /// A string documents what the line before it defines.
    pub has_docstrings: bool,
}

/// A stretch of text that is no code.
#[derive(Debug, PartialEq, Eq)]
pub struct Span {
    pub open: &'static str,
    pub close: &'static str,
    pub is_string: bool,
    pub has_escapes: bool,
}

impl Span {
    /// Whether the text begins with what ends it.
    pub fn is_closed_by(&self, text: &str) -> bool {
        text.starts_with(self.close)
    }
}

const fn comment(open: &'static str, close: &'static str) -> Span {
    Span { open, close, is_string: false, has_escapes: false }
}

const fn string(open: &'static str, close: &'static str, has_escapes: bool) -> Span {
    Span { open, close, is_string: true, has_escapes }
}

const SLASHES: &[&str] = &["//"];
const HASH: &[&str] = &["#"];
const C_COMMENT: Span = comment("/*", "*/");
const TRIPLE: Span = string("\"\"\"", "\"\"\"", true);
const TRIPLE_SINGLE: Span = string("'''", "'''", true);
const BACKTICK: Span = string("`", "`", true);

const fn lexis(
    line_comments: &'static [&'static str],
    spans: &'static [Span],
    quotes: &'static str,
) -> Lexis {
    Lexis {
        line_comments,
        spans,
        quotes,
        has_lifetimes: false,
        only_behind_equals: false,
        has_docstrings: false,
    }
}

pub static C_LIKE: Lexis = lexis(SLASHES, &[C_COMMENT], "\"'");
pub static WITH_TRIPLE: Lexis = lexis(SLASHES, &[C_COMMENT, TRIPLE, TRIPLE_SINGLE], "\"'");
pub static SCRIPT: Lexis = lexis(SLASHES, &[C_COMMENT, BACKTICK], "\"'");
pub static GO: Lexis = lexis(SLASHES, &[C_COMMENT, string("`", "`", false)], "\"'");
pub static RUST: Lexis = Lexis {
    has_lifetimes: true,
    ..lexis(SLASHES, &[C_COMMENT, string("r#\"", "\"#", false)], "\"'")
};
pub static PYTHON: Lexis =
    Lexis { has_docstrings: true, ..lexis(HASH, &[TRIPLE, TRIPLE_SINGLE], "\"'") };
pub static SHELL: Lexis = lexis(HASH, &[], "\"'`");
pub static PHP: Lexis = lexis(&["//", "#"], &[C_COMMENT], "\"'`");
pub static LUA: Lexis = lexis(&["--"], &[comment("--[[", "]]"), string("[[", "]]", false)], "\"'");
pub static SQL: Lexis = lexis(&["--"], &[C_COMMENT], "\"'`");
pub static HASKELL: Lexis = lexis(&["--"], &[comment("{-", "-}")], "\"'");
pub static ML: Lexis =
    Lexis { has_lifetimes: true, ..lexis(SLASHES, &[comment("(*", "*)"), TRIPLE], "\"'") };
pub static LISP: Lexis = lexis(&[";"], &[comment("#|", "|#")], "\"");
pub static PERCENT: Lexis = lexis(&["%"], &[], "\"'");
pub static VISUAL_BASIC: Lexis = lexis(&["'"], &[], "\"");
pub static VIM: Lexis = lexis(&["\""], &[], "'");
pub static NIX: Lexis = lexis(HASH, &[C_COMMENT, string("''", "''", false)], "\"");
pub static MARKUP: Lexis =
    Lexis { only_behind_equals: true, ..lexis(&[], &[comment("<!--", "-->")], "\"'") };
/// Prose: what looks like a quote is an apostrophe, most likely.
pub static PROSE: Lexis = lexis(&[], &[], "");
/// Of a language that nothing is known of.
pub static UNKNOWN: Lexis = lexis(&[], &[], "\"'`");

impl Lexis {
    /// By an editor's language id, or where that does not say it by the path.
    pub fn of(language_id: &str, path: &str) -> &'static Self {
        Language::candidates(language_id, path).find_map(|it| it.lexis).unwrap_or(&UNKNOWN)
    }

    /// Whether a character begins and ends strings.
    pub fn is_quote(&self, c: char) -> bool {
        let is_it = |open: &str| open.len() == 1 && open.starts_with(c);
        self.quotes.contains(c) || self.spans.iter().any(|it| it.is_string && is_it(it.open))
    }

    /// Whether a line is the first one of a string that documents what the line before it defines.
    /// Its quotes are alike on both ends, so which end this is can't be told from them.
    pub fn begins_documentation(&self, line_before: &str, line: &str) -> bool {
        if !self.has_docstrings || !line.trim_start().starts_with(['"', '\'', 'r', 'b', 'u']) {
            return false;
        }
        let line = line.trim_start().trim_start_matches(['r', 'b', 'u']);
        let before = line_before.trim();
        let defines = before.starts_with("class ") || before.contains("def ");
        let ends = before.ends_with("):") || (defines && before.ends_with(':'));
        ends && (line.starts_with("\"\"\"") || line.starts_with("'''"))
    }

    /// Whether strings or comments go on over lines.
    pub fn has_spans(&self) -> bool {
        !self.spans.is_empty()
    }
}

impl Default for &'static Lexis {
    fn default() -> Self {
        &UNKNOWN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_known_by_id_or_ending_or_name_of_file() {
        assert_eq!(Lexis::of("rust", "a.txt"), &RUST);
        assert_eq!(Lexis::of("", "src/a.RS"), &RUST);
        assert_eq!(Lexis::of("a-plugins-own", "a.py"), &PYTHON);
        // A template is of the language that it makes, which its path says.
        assert_eq!(Lexis::of("jinja", "a.html"), &MARKUP);
        assert_eq!(Lexis::of("", "src/Makefile"), &SHELL);
        assert_eq!(Lexis::of("", "src/README"), &UNKNOWN);
    }
}
