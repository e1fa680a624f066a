//! Foreign text as a person may see it: names of files, keys of settings, words of a provider or of
//! another program, code.
//!
//! Such text may hold what a terminal obeys (escape sequences), what hides or reorders the words
//! beside it (zero-width and bidirectional characters, line breaks), what an editor makes a link of
//! that runs a command, and any length of it. Each character of that kind is replaced, none is
//! dropped, so that what is left can't join into something new.
//!
//! [`line()`] is called where words leave, in `lsp/outgoing` and in `cli/terminal`, and need not be
//! called elsewhere. [`name`] is for whoever writes a sentence with a foreign name in it, so that
//! the name's end is seen.

use std::borrow::Cow;

/// Of a message, in characters. A longer one loses its middle: who is asked stands first, what to
/// do next stands last.
pub const MAX_LINE_CHARS: usize = 1_500;
/// Of a name within a sentence, in characters.
pub const MAX_NAME_CHARS: usize = 80;

/// In place of what is not shown.
const REPLACEMENT: char = '\u{FFFD}';
/// Schemes that make an editor or a browser do something, whether they stand in a link or alone.
const SCHEMES: &[&str] = &[
    "command",
    "vscode",
    "vscode-insiders",
    "vscodium",
    "code-oss",
    "cursor",
    "windsurf",
    "jetbrains",
    "idea",
    "zed",
    "javascript",
    "vbscript",
    "data",
];

/// A message on one line.
pub fn line(text: &str) -> String {
    without_links(&cut(&one_line(text), MAX_LINE_CHARS))
}

/// A name within a sentence, in quotation marks that the name itself can't close.
pub fn name(text: &str) -> String {
    quoted(text, MAX_NAME_CHARS)
}

/// As [`name`], of another length.
pub fn quoted(text: &str, max_chars: usize) -> String {
    let quotes: &[char] = &['\u{201c}', '\u{201d}', '\u{201e}', '\u{201f}', '"'];
    let text = without_links(&one_line(text)).replace(quotes, "'");
    format!("\u{201c}{}\u{201d}", cut(&text, max_chars))
}

/// Lines of text or code for a terminal: line breaks and tabs stay, and so does everything that can
/// be seen.
pub fn lines(text: &str) -> Cow<'_, str> {
    let is_kept = |(at, c): (usize, char)| {
        matches!(c, '\n' | '\t') || (c == '\r' && text[at + 1..].starts_with('\n')) || !is_hidden(c)
    };
    if text.char_indices().all(is_kept) {
        return Cow::Borrowed(text);
    }
    let shown = |(at, c)| if is_kept((at, c)) { c } else { REPLACEMENT };
    Cow::Owned(text.char_indices().map(shown).collect())
}

/// JSON with every character that is not shown written as its escape, which means the same.
pub fn json(text: &str) -> Cow<'_, str> {
    let is_kept = |c: char| c == '\n' || !is_hidden(c);
    if text.chars().all(is_kept) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_kept(c) {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    Cow::Owned(out)
}

/// Characters that control something, take no room, or change the order of others.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{00AD}' // soft hyphen
            | '\u{034F}'
            | '\u{061C}'
            | '\u{115F}'..='\u{1160}' // fillers of Hangul
            | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}' // zero width, marks of direction
            | '\u{2028}'..='\u{202E}' // line and paragraph separators, embeddings, overrides
            | '\u{2060}'..='\u{206F}' // word joiner, isolates
            | '\u{2800}'
            | '\u{3164}'
            | '\u{FE00}'..='\u{FE0E}' // selectors of variants; the last one is of emoji
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}'
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}' // tags, more selectors
        )
}

/// All of a text on one line; [`line()`] is for messages.
pub fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut after_break = false;
    for c in text.chars() {
        let is_break = matches!(c, '\t'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
        if !is_break {
            out.push(if is_hidden(c) { REPLACEMENT } else { c });
        } else if !after_break {
            out.push(' ');
        }
        after_break = is_break;
    }
    out
}

/// Without its middle, if it has more characters. A third of what stays is the end.
fn cut(text: &str, max_chars: usize) -> Cow<'_, str> {
    let n_chars = text.chars().count();
    if n_chars <= max_chars {
        return Cow::Borrowed(text);
    }
    let n_last = max_chars / 3;
    let at = |n: usize| text.char_indices().nth(n).map_or(text.len(), |(at, _)| at);
    let (head, tail) = (&text[..at(max_chars - 1 - n_last)], &text[at(n_chars - n_last)..]);
    Cow::Owned(format!("{head}…{tail}"))
}

/// Takes apart what an editor would make a link of: `](` of Markdown, and schemes that run
/// something.
fn without_links(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let next = characters.peek().copied();
        if c == ':' && next.is_some_and(|it| !it.is_whitespace()) && ends_in_scheme(&out) {
            out.push(' ');
        }
        out.push(c);
        if c == ']' && matches!(next, Some('(' | '[')) {
            out.push(' ');
        }
    }
    out
}

fn ends_in_scheme(text: &str) -> bool {
    SCHEMES.iter().any(|scheme| {
        let Some(at) = text.len().checked_sub(scheme.len()).filter(|at| text.is_char_boundary(*at))
        else {
            return false;
        };
        let is_within_a_word =
            text[..at].ends_with(|it: char| it.is_ascii_alphanumeric() || it == '_');
        text[at..].eq_ignore_ascii_case(scheme) && !is_within_a_word
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_that_shows_all_that_it_is() {
        for (text, shown) in [
            (
                "nothing is odd: src/größe_顧客.rs 🦀 ❤\u{fe0f}",
                "nothing is odd: src/größe_顧客.rs 🦀 ❤\u{fe0f}",
            ),
            ("a\x1b[31mred\x1b[0m", "a\u{fffd}[31mred\u{fffd}[0m"),
            ("\x1b]8;;http://x\x07y", "\u{fffd}]8;;http://x\u{fffd}y"),
            ("a\u{9b}31m\u{7f}\x08", "a\u{fffd}31m\u{fffd}\u{fffd}"),
            ("a.rs\r\n\n\tIt costs nothing", "a.rs It costs nothing"),
            ("a\u{2028}b\u{85}c", "a b c"),
            ("a\u{202e}sr.b\u{2066}\u{200f}\u{61c}", "a\u{fffd}sr.b\u{fffd}\u{fffd}\u{fffd}"),
            ("a\u{200b}\u{feff}\u{ad}\u{2060}b", "a\u{fffd}\u{fffd}\u{fffd}\u{fffd}b"),
            ("\u{e0041}\u{3164}", "\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(line(text), shown);
        }
    }

    #[test]
    fn nothing_in_a_message_is_a_link_that_runs_something() {
        for (text, shown) in [
            ("[look](command:workbench.action.quit)", "[look] (command :workbench.action.quit)"),
            ("[a](https://x.org)", "[a] (https://x.org)"),
            ("![a](x.png) [a][b]", "![a] (x.png) [a] [b]"),
            ("command:a COMMAND:b <Command:c>", "command :a COMMAND :b <Command :c>"),
            ("x.command:a vscode://b javascript:c", "x.command :a vscode ://b javascript :c"),
            // Taken out of the middle, it would be one.
            ("]\u{200b}( comm\u{200b}and:a", "]\u{fffd}( comm\u{fffd}and:a"),
            (
                "the command: run it; subcommand:a; 12:30; src/a.rs:3",
                "the command: run it; subcommand:a; 12:30; src/a.rs:3",
            ),
        ] {
            assert_eq!(line(text), shown);
        }
    }

    #[test]
    fn long_text_loses_its_middle() {
        let text = format!("who is asked {} what to do", "x".repeat(100_000));
        let shown = line(&text);
        assert_eq!(shown.chars().count(), MAX_LINE_CHARS);
        assert!(shown.starts_with("who is asked xx") && shown.ends_with("xx what to do"));
        let shown = name(&format!("src/{}/ende.rs", "ö".repeat(500)));
        assert_eq!(shown.chars().count(), MAX_NAME_CHARS + 2);
        assert!(shown.starts_with("\u{201c}src/ö") && shown.ends_with("ö/ende.rs\u{201d}"));
    }

    #[test]
    fn a_name_does_not_end_its_quotation() {
        assert_eq!(name("a.rs\u{201d} at \"b\""), "\u{201c}a.rs' at 'b'\u{201d}");
    }

    #[test]
    fn code_stays_code_on_a_terminal() {
        let code = "fn f() {\n\tlet a = x[0](command:y);\r\n}\n";
        assert_eq!(lines(code), code);
        assert_eq!(
            lines("a\x1b[2Jb\rc\u{9b}d\u{202e}e\n"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\u{fffd}e\n"
        );
    }

    #[test]
    fn json_means_the_same_and_shows_all_that_it_is() {
        let text = serde_json::json!({"a": "\x1b[2J\u{9b}\u{202e}\u{e0041}\u{7f}ö"}).to_string();
        let shown = json(&text);
        assert_eq!(shown, "{\"a\":\"\\u001b[2J\\u009b\\u202e\\udb40\\udc41\\u007fö\"}");
        let same = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(same(&shown), same(&text));
    }
}
