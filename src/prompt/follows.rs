//! What the caret's line goes on with behind the caret, and where a text begins to say it again.

use crate::prompt::brackets::{first_unescaped, first_unmatched_closer, is_opener};
use crate::prompt::excerpt::Excerpt;
use crate::prompt::lexis::{Lexis, Mark, Mode, scan};
use crate::text::words::is_word;

/// Signs that say what comes next as much as a bracket does. Longer ones first.
const OPERATORS: &[&str] = &[
    "<<=", ">>=", "**=", "//=", "??=", "||=", "&&=", "===", "!==", "<=>", ":=", "+=", "-=", "*=",
    "/=", "%=", "|=", "&=", "^=", "~=", ".=", "==", "!=", "<=", ">=", "=>", "=~", "->", "<-", "::",
    "=", ":", ";", "<",
];
/// Of these, the ones that end in `=` and assign nothing.
const COMPARISONS: &[&str] = &["===", "!==", "==", "!=", "<=", ">=", "~="];

/// What opens something, or assigns, compares or ends, directly behind the caret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opener {
    Bracket(char),
    Quote,
    Assignment,
    Operator(&'static str),
}

/// The rest of the caret's line, as far as a text could say it again.
#[derive(Debug, Clone, Copy)]
pub struct Following {
    opener: Option<Opener>,
    /// The caret is behind a part of a word, which is what a person wants completed.
    completes_word: bool,
    lexis: &'static Lexis,
}

impl Following {
    pub fn of(excerpt: &Excerpt) -> Self {
        let rest = &excerpt.line_after;
        let opener = match rest.trim_start().chars().next() {
            None => None,
            // What ends the string that the caret is in is no opener.
            Some(first) if closes(mode_at_caret(excerpt), first, rest.trim_start()) => None,
            Some(_) => opener_of(rest, excerpt.lexis),
        };
        let completes_word = excerpt.line_before.ends_with(is_word);
        Self { opener, completes_word, lexis: excerpt.lexis }
    }

    /// Where a text at the caret begins to say the opener behind it, in bytes, if a word is
    /// completed there: the text may end there, and what it would say after that need not be known.
    pub fn ends_word(&self, text: &str) -> Option<usize> {
        if self.completes_word { self.said_at(text) } else { None }
    }

    fn said_at(&self, text: &str) -> Option<usize> {
        let opener = self.opener?;
        let (mut found, mut depth) = (None, 0_usize);
        let mut until = 0;
        scan(self.lexis, Mode::Code, text, |at, mark| {
            let is_said = match (mark, opener) {
                (Mark::Bracket(c), Opener::Bracket(it)) => c == it,
                (Mark::Opens(_) | Mark::Sign('\''), Opener::Quote) => true,
                (Mark::Sign(_), Opener::Assignment | Opener::Operator(_)) => {
                    let here = if at < until { None } else { operator(&text[at..]) };
                    until = here.map_or(until, |it| at + it.len());
                    depth == 0 && here.is_some_and(|it| class_of(it) == opener)
                }
                _ => false,
            };
            if let Mark::Bracket(c) = mark {
                depth = if is_opener(c) { depth + 1 } else { depth.saturating_sub(1) };
            }
            found = is_said.then_some(at);
            !is_said
        });
        found
    }

    /// Cuts off what stands behind the caret already. Returns the text and how many characters of
    /// the rest of the line it replaces.
    pub fn without_rest_of_line<'a>(&self, text: &'a str, rest: &str) -> (&'a str, usize) {
        let Some(first) = rest.chars().next() else {
            return (text, 0);
        };
        let text = text.split('\n').next().unwrap_or_default();
        // A blank is there already.
        let text = if first.is_whitespace() { text.trim_end() } else { text };
        if let Some(at) = self.ends_word(text) {
            return (self.before(text, at, rest), 0);
        }
        if let Some(without) = text.strip_suffix(rest) {
            return (without, 0);
        }
        if rest.starts_with(text.trim()) {
            return ("", 0);
        }
        // What is complete in itself may stand before another of its kind: `(1, 2), ` before `(3,
        // 4)`.
        if let Some(at) = self.said_at(text)
            && !text.trim_end().ends_with([',', ';'])
        {
            return (self.before(text, at, rest), 0);
        }
        // A bracket or quote follows, most likely one that the editor closed by itself. Where the
        // text closes it and goes on as the document does and further, it takes its place; else the
        // text ends there.
        let closes_at = match first {
            ')' | ']' | '}' => first_unmatched_closer(text, self.lexis),
            '"' | '\'' | '`' => first_unescaped(text, first),
            _ => None,
        };
        if let Some(at) = closes_at {
            let closing = &text[at..];
            if closing.starts_with(rest) {
                return (text, rest.chars().count());
            }
            return if closing.starts_with(first) { (&text[..at], 0) } else { (text, 0) };
        }
        if rest.chars().any(char::is_alphanumeric) {
            if rest.trim().len() >= 3
                && let Some(at) = text.find(rest.trim())
            {
                return (&text[..at], 0);
            }
            // Words follow. The end of the text may be their beginning.
            for (at, _) in text.char_indices() {
                let end = &text[at..];
                if end.len() >= 3 && rest.starts_with(end) {
                    return (&text[..at], 0);
                }
            }
        }
        // The caret is inside a word: what would run into the rest of it is no word of anybody's.
        if is_word(first) && text.ends_with(is_word) { ("", 0) } else { (text, 0) }
    }

    /// The text up to where it says the opener, with the blank before it only if none follows.
    fn before<'a>(&self, text: &'a str, at: usize, rest: &str) -> &'a str {
        let text = &text[..at];
        let is_spaced = rest.starts_with(char::is_whitespace);
        let is_operator = matches!(self.opener, Some(Opener::Assignment | Opener::Operator(_)));
        if self.completes_word || is_spaced || !is_operator { text.trim_end() } else { text }
    }
}

fn closes(mode: Mode, first: char, rest: &str) -> bool {
    match mode {
        Mode::Quoted(quote) => first == quote,
        Mode::Span(span) => span.is_closed_by(rest),
        Mode::Code | Mode::LineComment => false,
    }
}

/// What a rest of a line opens.
fn opener_of(rest: &str, lexis: &Lexis) -> Option<Opener> {
    let trimmed = rest.trim_start();
    let first = trimmed.chars().next()?;
    if is_opener(first) {
        return Some(Opener::Bracket(first));
    }
    if lexis.is_quote(first) {
        return Some(Opener::Quote);
    }
    let operator = operator(trimmed)?;
    // `<` opens where it is attached on both sides, and compares where it is not.
    let is_attached = trimmed.len() == rest.len() && !trimmed[1..].starts_with(char::is_whitespace);
    (operator != "<" || is_attached).then(|| class_of(operator))
}

fn operator(text: &str) -> Option<&'static str> {
    OPERATORS.iter().copied().find(|it| text.starts_with(it))
}

fn class_of(operator: &'static str) -> Opener {
    match operator.ends_with('=') && !COMPARISONS.contains(&operator) {
        true => Opener::Assignment,
        false => Opener::Operator(operator),
    }
}

/// Whether the caret is in code, in a string or in a comment.
pub fn mode_at_caret(excerpt: &Excerpt) -> Mode {
    let lexis = excerpt.lexis;
    let mut mode = Mode::Code;
    if lexis.has_spans() {
        let mut before = "";
        for line in &excerpt.lines_before {
            // Where the excerpt begins in a long string, or something was taken for one, this sets
            // it right.
            if lexis.begins_documentation(before, line) {
                mode = Mode::Code;
            }
            mode = scan(lexis, mode, line, |_, _| true);
            before = line;
        }
    }
    scan(lexis, mode, &excerpt.line_before, |_, _| true)
}
