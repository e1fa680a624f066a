//! How languages write strings and comments, as far as the filters look: a table, and a scanner
//! that follows it.
//!
//! It knows no grammar. A string that its line does not close ends with the line, so that one
//! apostrophe too many costs a line and not the rest of a file.

use crate::text::words::is_word;

/// How a language writes strings and comments.
#[derive(Debug, PartialEq, Eq)]
pub struct Lexis {
    /// What begins a comment that ends with its line. Where it is no slash, it begins a word.
    line_comments: &'static [&'static str],
    /// What goes on over lines: block comments, long strings. Longer openers first.
    spans: &'static [Span],
    /// What begins and ends strings within a line.
    quotes: &'static str,
    /// `'` can begin a lifetime or a type's variable, and quotes single characters otherwise.
    has_lifetimes: bool,
    /// Quotes are quotes only behind a `=`: the text of markup has apostrophes.
    only_behind_equals: bool,
}

/// A stretch of text that is no code.
#[derive(Debug, PartialEq, Eq)]
pub struct Span {
    open: &'static str,
    close: &'static str,
    pub is_string: bool,
    has_escapes: bool,
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
    Lexis { line_comments, spans, quotes, has_lifetimes: false, only_behind_equals: false }
}

static C_LIKE: Lexis = lexis(SLASHES, &[C_COMMENT], "\"'");
static WITH_TRIPLE: Lexis = lexis(SLASHES, &[C_COMMENT, TRIPLE, TRIPLE_SINGLE], "\"'");
static SCRIPT: Lexis = lexis(SLASHES, &[C_COMMENT, BACKTICK], "\"'");
static GO: Lexis = lexis(SLASHES, &[C_COMMENT, string("`", "`", false)], "\"'");
static RUST: Lexis = Lexis {
    has_lifetimes: true,
    ..lexis(SLASHES, &[C_COMMENT, string("r#\"", "\"#", false)], "\"'")
};
static PYTHON: Lexis = lexis(HASH, &[TRIPLE, TRIPLE_SINGLE], "\"'");
static SHELL: Lexis = lexis(HASH, &[], "\"'`");
static PHP: Lexis = lexis(&["//", "#"], &[C_COMMENT], "\"'`");
static LUA: Lexis = lexis(&["--"], &[comment("--[[", "]]"), string("[[", "]]", false)], "\"'");
static SQL: Lexis = lexis(&["--"], &[C_COMMENT], "\"'`");
static HASKELL: Lexis = lexis(&["--"], &[comment("{-", "-}")], "\"'");
static ML: Lexis =
    Lexis { has_lifetimes: true, ..lexis(&["//"], &[comment("(*", "*)"), TRIPLE], "\"'") };
static LISP: Lexis = lexis(&[";"], &[comment("#|", "|#")], "\"");
static PERCENT: Lexis = lexis(&["%"], &[], "\"'");
static VISUAL_BASIC: Lexis = lexis(&["'"], &[], "\"");
static VIM: Lexis = lexis(&["\""], &[], "'");
static NIX: Lexis = lexis(HASH, &[C_COMMENT, string("''", "''", false)], "\"");
static MARKUP: Lexis =
    Lexis { only_behind_equals: true, ..lexis(&[], &[comment("<!--", "-->")], "\"'") };
/// Prose: what looks like a quote is an apostrophe, most likely.
static PROSE: Lexis = lexis(&[], &[], "");
/// Of a language that nothing is known of.
static UNKNOWN: Lexis = lexis(&[], &[], "\"'`");

impl Lexis {
    /// By an editor's language id, or where that says nothing by the path's ending.
    pub fn of(language_id: &str, path: &str) -> &'static Self {
        let ending = path.rsplit_once('.').map_or("", |it| it.1).to_ascii_lowercase();
        let known = |name: &str| Some(Self::named(name)).filter(|it| **it != UNKNOWN);
        known(&language_id.to_ascii_lowercase()).or_else(|| known(&ending)).unwrap_or(&UNKNOWN)
    }

    #[rustfmt::skip]
    fn named(name: &str) -> &'static Self {
        match name {
            "rust" | "rs" => &RUST,
            "c" | "h" | "cpp" | "cc" | "cxx" | "hpp" | "hh" | "objective-c" | "objective-cpp" | "m" | "mm" | "cuda-cpp" | "cu"
            | "csharp" | "cs" | "d" | "zig" | "solidity" | "sol" | "proto" | "proto3" | "glsl" | "hlsl" | "wgsl" | "verilog"
            | "systemverilog" | "v" | "sv" | "json" | "jsonc" | "json5" | "css" | "scss" | "less" | "pascal" | "pas" => &C_LIKE,
            "java" | "kotlin" | "kt" | "kts" | "scala" | "swift" | "groovy" | "gradle" | "dart" => &WITH_TRIPLE,
            "javascript" | "javascriptreact" | "js" | "mjs" | "cjs" | "jsx" | "typescript" | "typescriptreact" | "ts" | "mts"
            | "cts" | "tsx" | "vue" | "svelte" | "astro" => &SCRIPT,
            "go" => &GO,
            "python" | "py" | "pyi" | "starlark" | "bzl" | "toml" | "julia" | "jl" | "elixir" | "ex" | "exs" | "graphql"
            | "gdscript" | "gd" | "nim" | "cython" | "pyx" => &PYTHON,
            "shellscript" | "sh" | "bash" | "zsh" | "fish" | "ruby" | "rb" | "perl" | "pl" | "pm" | "yaml" | "yml" | "r"
            | "makefile" | "mk" | "dockerfile" | "docker" | "dockercompose" | "cmake" | "powershell" | "ps1" | "ini" | "properties" | "conf"
            | "crystal" | "cr" | "coffeescript" | "coffee" | "tcl" | "awk" | "terraform" | "tf" | "hcl" | "raku" => &SHELL,
            "php" => &PHP,
            "lua" => &LUA,
            "sql" | "plsql" | "ada" | "adb" | "ads" | "vhdl" | "vhd" => &SQL,
            "haskell" | "hs" | "elm" | "purescript" => &HASKELL,
            "ocaml" | "ml" | "mli" | "fsharp" | "fs" | "fsx" | "reason" => &ML,
            "lisp" | "elisp" | "el" | "scheme" | "scm" | "racket" | "rkt" | "clojure" | "clj" | "cljs" | "cljc" | "fennel" => &LISP,
            "matlab" | "erlang" | "erl" | "prolog" => &PERCENT,
            "vb" | "vba" | "vbscript" | "bas" => &VISUAL_BASIC,
            "vim" | "viml" => &VIM,
            "nix" => &NIX,
            "html" | "htm" | "xml" | "svg" | "xsl" | "xsd" | "handlebars" | "jinja-html" | "erb" | "razor" => &MARKUP,
            "markdown" | "md" | "mdx" | "plaintext" | "txt" | "tex" | "latex" | "bibtex" | "restructuredtext" | "rst" | "asciidoc"
            | "adoc" | "org" | "git-commit" | "gitcommit" | "mail" | "quarto" => &PROSE,
            _ => &UNKNOWN,
        }
    }

    /// Whether a character begins and ends strings.
    pub fn is_quote(&self, c: char) -> bool {
        let is_it = |open: &str| open.len() == 1 && open.starts_with(c);
        self.quotes.contains(c) || self.spans.iter().any(|it| it.is_string && is_it(it.open))
    }

    /// Whether `'` begins lifetimes.
    pub fn has_lifetimes(&self) -> bool {
        self.has_lifetimes
    }

    /// Whether a line is the first one of a string that documents what the line before it defines.
    /// Its quotes are alike on both ends, so which end this is can't be told from them.
    pub fn begins_documentation(&self, line_before: &str, line: &str) -> bool {
        if *self != PYTHON || !line.trim_start().starts_with(['"', '\'', 'r', 'b', 'u']) {
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

/// Where in the text a scanner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Code,
    LineComment,
    Span(&'static Span),
    Quoted(char),
}

impl Mode {
    pub fn is_string(self) -> bool {
        match self {
            Self::Quoted(_) => true,
            Self::Span(span) => span.is_string,
            Self::Code | Self::LineComment => false,
        }
    }
}

/// What a scanner comes across.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A bracket of code.
    Bracket(char),
    /// A string begins.
    Opens(char),
    /// It ends.
    Closes,
    /// Its line ends before it does.
    Breaks,
    /// A character of code that is none of these, a blank or a part of a word; with lifetimes, a
    /// `'` and what it quotes.
    Sign(char),
}

/// Goes through a text that begins in `mode`, and returns the mode at its end. `on_mark` gets
/// places in bytes and says whether to go on.
pub fn scan(
    lexis: &'static Lexis,
    mut mode: Mode,
    text: &str,
    mut on_mark: impl FnMut(usize, Mark) -> bool,
) -> Mode {
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let mut length = c.len_utf8();
        let mut mark = None;
        match mode {
            Mode::Code => (length, mark, mode) = in_code(lexis, text, at, c),
            Mode::LineComment if c == '\n' => mode = Mode::Code,
            Mode::LineComment => length = rest.find('\n').unwrap_or(rest.len()),
            Mode::Quoted(_) if c == '\\' => length += next_length(rest, length),
            Mode::Quoted(_) if c == '\n' => (mark, mode) = (Some(Mark::Breaks), Mode::Code),
            Mode::Quoted(quote) if c == quote => (mark, mode) = (Some(Mark::Closes), Mode::Code),
            Mode::Span(span) if span.has_escapes && c == '\\' => {
                length += next_length(rest, length)
            }
            Mode::Span(span) if rest.starts_with(span.close) => {
                length = span.close.len();
                mark = span.is_string.then_some(Mark::Closes);
                mode = Mode::Code;
            }
            Mode::Quoted(_) | Mode::Span(_) => {}
        }
        if let Some(mark) = mark
            && !on_mark(at, mark)
        {
            break;
        }
        at += length;
    }
    mode
}

fn next_length(rest: &str, after: usize) -> usize {
    rest[after..].chars().next().map_or(0, char::len_utf8)
}

fn in_code(lexis: &'static Lexis, text: &str, at: usize, c: char) -> (usize, Option<Mark>, Mode) {
    let length = c.len_utf8();
    if is_word(c) && c != 'r' || c.is_whitespace() {
        return (length, None, Mode::Code);
    }
    let rest = &text[at..];
    let before = text[..at].chars().next_back();
    let begins_word = before.is_none_or(char::is_whitespace);
    if let Some(span) = lexis.spans.iter().find(|it| rest.starts_with(it.open)) {
        let mark = span.is_string.then_some(Mark::Opens(c));
        return (span.open.len(), mark, Mode::Span(span));
    }
    let is_comment = |it: &&&str| rest.starts_with(**it) && (it.starts_with('/') || begins_word);
    if let Some(comment) = lexis.line_comments.iter().find(is_comment) {
        return (comment.len(), None, Mode::LineComment);
    }
    if matches!(c, '(' | ')' | '[' | ']' | '{' | '}') {
        return (length, Some(Mark::Bracket(c)), Mode::Code);
    }
    if lexis.quotes.contains(c) {
        if lexis.only_behind_equals && before != Some('=') {
            return (length, Some(Mark::Sign(c)), Mode::Code);
        }
        if c == '\'' {
            if lexis.has_lifetimes {
                let quoted = quoted_character(&rest[1..]);
                return (1 + quoted.unwrap_or(0), Some(Mark::Sign(c)), Mode::Code);
            }
            // `don't`, `x'`, `1'000`; but not `f'…'`.
            if before.is_some_and(is_word) && !is_prefix(&text[..at]) {
                return (length, None, Mode::Code);
            }
        }
        return (length, Some(Mark::Opens(c)), Mode::Quoted(c));
    }
    let mark = (!is_word(c)).then_some(Mark::Sign(c));
    (length, mark, Mode::Code)
}

/// Whether a text ends in letters that belong to a string's quote: `r`, `b`, `f`, `rb`, `L`, `u8`.
fn is_prefix(text: &str) -> bool {
    let start = text.char_indices().rev().take_while(|it| is_word(it.1)).last();
    let word = start.map_or("", |it| &text[it.0..]);
    word.len() <= 2 && word.bytes().all(|it| b"rRbBfFuULq8tT".contains(&it))
}

/// How long a quoted character is whose opening quote is left out: `x'`, `\n'`, `\''`, `\u{e4}'`.
pub fn quoted_character(rest: &str) -> Option<usize> {
    let first = rest.chars().next()?;
    if first == '\\' {
        let escaped = 1 + next_length(rest, 1);
        let end = rest[escaped..].char_indices().take(12).find(|it| it.1 == '\'')?;
        return Some(escaped + end.0 + 1);
    }
    let length = first.len_utf8();
    rest[length..].starts_with('\'').then_some(length + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Brackets of code, `<` and `>` where strings begin and end, the mode at the end.
    fn scanned(language: &str, text: &str) -> String {
        let mut out = String::new();
        let end = scan(Lexis::of(language, ""), Mode::Code, text, |_, mark| {
            match mark {
                Mark::Bracket(c) => out.push(c),
                Mark::Opens(_) => out.push('<'),
                Mark::Closes => out.push('>'),
                Mark::Breaks => out.push('!'),
                Mark::Sign(_) => {}
            }
            true
        });
        match end {
            Mode::Code => out,
            Mode::LineComment => out + " comment",
            Mode::Span(span) => out + " " + span.open,
            Mode::Quoted(quote) => out + " " + &quote.to_string(),
        }
    }

    #[test]
    fn each_language_has_its_own_quotes_and_comments() {
        for (language, text, expected) in [
            ("rust", "f(\"(\", '(', '\\'', '\\u{28}') // ) don't", "(<>) comment"),
            ("rust", "fn f<'a>(x: &'a str) -> Foo<'static> {", "(){"),
            ("rust", "let s = r#\"a \" b (\"#; g(", "<>("),
            ("python", "f(f'{x}', rb'(', \"it's\") # don't (", "(<><><>) comment"),
            ("python", "\"\"\"It's\na (", "< \"\"\""),
            ("python", "d['a'][\"b", "[<>][< \""),
            ("python", "x = 'open\ny = (", "<!("),
            ("javascript", "`a ${b(\n'` + \"(\" + '", "<><>< '"),
            ("typescript", "// it's (\n/* ( */ f(", "("),
            ("c", "case '\"': s = \"\\\"(\"; n = 1'000;", "<><>"),
            ("go", "x := `a \\` + \"b", "<>< \""),
            ("lua", "f([[ ( ]]) -- (\n--[[ (", "(<>) --[["),
            ("html", "<a href=\"x(\">don't</a> <b c='", "<>< '"),
            ("markdown", "don't say \"hello (", "("),
            ("lisp", "(quote 'a \"(\" ; (", "(<> comment"),
            ("shellscript", "echo \"${#x}\" $# '", "<>< '"),
            ("haskell", "foldl' f x' -- (", " comment"),
            ("", "it's \"(\" (", "<>("),
        ] {
            assert_eq!(scanned(language, text), expected, "{language}: {text}");
        }
    }

    #[test]
    fn languages_are_known_by_id_or_ending() {
        assert_eq!(Lexis::of("rust", "a.txt"), &RUST);
        assert_eq!(Lexis::of("", "src/a.RS"), &RUST);
        assert_eq!(Lexis::of("a-plugins-own", "a.py"), &PYTHON);
        assert_eq!(Lexis::of("", "Makefile"), &UNKNOWN);
    }
}
