//! Values as they stand in a text: literals of many languages, and bare words.

use std::cell::Cell;
use std::ops::Range;

use super::kinds::TextKind;
use super::memory::{BareRun, Part};
use super::values::Place;

/// The longest value that is read.
const MOST_BYTES: usize = 65_536;
/// The longest literal in brackets, which stands in one line.
const MOST_BYTES_IN_BRACKETS: usize = 4_096;
/// How far behind a bare value its line is looked at.
const MOST_BYTES_BEHIND_BARE: usize = 200;
/// How far a literal may be from what it is assigned with: `String::from(`, `Optional[str] = `.
const BYTES_BEFORE_LITERAL: usize = 90;

/// A literal: what is in it, and where the text goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Literal {
    pub(super) content: Range<usize>,
    pub(super) end: usize,
}

/// The literal whose first quote, or backslash before it, is at `at`.
pub(super) fn literal_at(place: &Place<'_>, at: usize) -> Option<Literal> {
    let bytes = place.bytes();
    let n_backslashes = bytes[at..].iter().take(8).take_while(|it| **it == b'\\').count();
    let quote = *bytes.get(at + n_backslashes)?;
    let without_end = place.memory.without_end.get(quote, n_backslashes)?;
    let known = without_end.get();
    if known.contains(at) {
        return None;
    }
    let content = at + n_backslashes + 1;
    let latest = bytes.len().min(content + MOST_BYTES);
    let no_end = |read_until: usize| {
        without_end.set(Part { start: at, end: read_until });
        None
    };
    if n_backslashes > 0 {
        // In a string of another language: it ends at the next quote that is written like this one.
        let closing = &bytes[at..content];
        let Some(end) = memchr::memmem::find(&bytes[content..latest], closing) else {
            return no_end(latest);
        };
        let end = content + end;
        let line = memchr::memchr(b'\n', &bytes[content..end]);
        return line.is_none().then(|| Literal { content: content..end, end: end + closing.len() });
    }
    if quote != b'`' && bytes[at..].starts_with(&[quote; 3]) {
        let content = at + 3;
        let latest = latest.max(content);
        let Some(end) = memchr::memmem::find(&bytes[content..latest], &[quote; 3]) else {
            return no_end(latest);
        };
        let end = content + end;
        return Some(Literal { content: content..end, end: end + 3 });
    }
    let mut from = content;
    loop {
        let Some(end) = memchr::memchr3(quote, b'\\', b'\n', &bytes[from..latest]) else {
            return no_end(latest);
        };
        let end = from + end;
        match bytes[end] {
            b'\\' => from = (end + 2).min(latest),
            b'\n' if quote != b'`' => return no_end(end),
            b'\n' => from = end + 1,
            _ => return Some(Literal { content: content..end, end: end + 1 }),
        }
    }
}

/// Literals that do not begin with a quote: `[[x]]`, `q{x}`, `qq(x)`, `{x}` behind `set NAME`.
fn bracketed_at(text: &str, at: usize) -> Option<Literal> {
    let rest =
        text.as_bytes().get(at..).filter(|it| matches!(it.first(), Some(b'[' | b'q' | b'%')))?;
    let (head, close) = [
        ("[[", "]]"),
        ("q{", "}"),
        ("q(", ")"),
        ("q[", "]"),
        ("qq{", "}"),
        ("qq(", ")"),
        ("qq[", "]"),
        ("q|", "|"),
        ("q/", "/"),
        ("%q(", ")"),
        ("%q{", "}"),
        ("%(", ")"),
    ]
    .into_iter()
    .find(|(head, _)| rest.starts_with(head.as_bytes()))?;
    let content = at + head.len();
    let latest = text.len().min(content + MOST_BYTES_IN_BRACKETS);
    let end = content + memchr::memmem::find(&text.as_bytes()[content..latest], close.as_bytes())?;
    let literal = Literal { content: content..end, end: end + close.len() };
    (!text[literal.content.clone()].contains('\n')).then_some(literal)
}

/// The first literal of an expression that begins at `at`: behind calls, brackets, types, prefixes
/// of strings.
pub(super) fn literal_from(place: &Place<'_>, at: usize, after_colon: bool) -> Option<Literal> {
    let (text, bytes) = (place.text, place.bytes());
    if let Some(literal) = bracketed_at(text, at) {
        return Some(literal);
    }
    let latest = bytes.len().min(at + BYTES_BEFORE_LITERAL);
    let mut here = at;
    let mut assigned = !after_colon;
    while here < latest {
        match bytes[here] {
            b'\'' if here > 0 && b"&<".contains(&bytes[here - 1]) => here += 1,
            b'"' | b'\'' | b'`' => {
                if let Some(literal) = literal_at(place, here) {
                    return Some(unwrapped(text, here, literal));
                }
                here += 1;
            }
            b'\\' => match literal_at(place, here) {
                Some(literal) => return Some(literal),
                None => return None,
            },
            b'=' if bytes.get(here + 1) == Some(&b'>') => here += 2,
            b'=' if !assigned => {
                assigned = true;
                here += 1;
            }
            b'\n' | b'\r' | b';' | b',' | b'=' | b'+' | b'#' if !is_raw_string(bytes, here) => {
                return None;
            }
            _ => here += 1,
        }
    }
    None
}

/// The `#` of `r#"x"#`.
fn is_raw_string(bytes: &[u8], at: usize) -> bool {
    bytes[at] == b'#' && at > 0 && (bytes[at - 1] == b'r' || bytes[at - 1] == b'#')
}

/// `R"(x)"` without its brackets, and `\"x\"` within quotes without its own.
fn unwrapped(text: &str, quote: usize, literal: Literal) -> Literal {
    let Range { start, end } = literal.content;
    let content = &text[start..end];
    if quote > 0
        && text.as_bytes()[quote - 1] == b'R'
        && content.starts_with('(')
        && content.ends_with(')')
        && content.len() > 1
    {
        return Literal { content: start + 1..end - 1, ..literal };
    }
    match content.strip_prefix("\\\"").and_then(|it| it.strip_suffix("\\\"")) {
        Some(_) if content.len() > 4 => Literal { content: start + 2..end - 2, ..literal },
        _ => literal,
    }
}

/// Where a literal goes on behind `end`, in a text of several literals: `"a" + "b"`, `"a"` and a
/// line break, `.`, `&`.
pub(super) fn continuation(text: &str, end: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let latest = bytes.len().min(end + 80);
    let (mut at, mut joined) = (end, false);
    while at < latest {
        match bytes[at] {
            b' ' | b'\t' | b'\r' => at += 1,
            b'\n' => {
                joined = true;
                at += 1;
            }
            b'+' | b'.' | b'&' | b'\\' | b'_' => {
                joined = true;
                at += 1;
            }
            b'"' | b'\'' | b'`' => return joined.then_some(at),
            b'b' | b'r' | b'f' | b'u' | b'L'
                if joined && matches!(bytes.get(at + 1), Some(b'"' | b'\'')) =>
            {
                at += 1
            }
            _ => return None,
        }
    }
    None
}

/// A content without blanks and written line breaks at its ends.
pub(super) fn trimmed(text: &str, content: Range<usize>) -> Range<usize> {
    let mut value = &text[content.clone()];
    let mut start = content.start;
    loop {
        let rest = value.trim_start();
        let rest = rest.strip_prefix("{noop}").unwrap_or(rest);
        let rest = rest.strip_prefix("<![CDATA[").unwrap_or(rest);
        start += value.len() - rest.len();
        let rest = rest.trim_end();
        let rest = rest.strip_suffix("\\n").or_else(|| rest.strip_suffix("\\r")).unwrap_or(rest);
        let rest = rest.strip_suffix("]]>").unwrap_or(rest);
        if rest.len() == value.len() {
            return start..start + rest.len();
        }
        value = rest;
    }
}

/// A bare value at `at`. `in_list`: in a list of names and values in one line, as `a=1 b=2` and
/// `{a: 1, b: 2}`.
pub(super) fn bare_at(
    text: &str,
    at: usize,
    kind: TextKind,
    in_list: bool,
    last_run: &Cell<BareRun>,
) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let latest = bytes.len().min(at + MOST_BYTES);
    let settings = matches!(kind, TextKind::Settings | TextKind::Table) && !in_list;
    let ends: &[u8] = if settings {
        b"\"'`"
    } else if kind == TextKind::Shell {
        b"\"'`;|&<>()"
    } else if kind == TextKind::Settings {
        b"\"'`,}];|"
    } else {
        b"\"'`;,)]}(<>&|[{"
    };
    // A long run with many names in it is measured once.
    let mut run = last_run.get();
    if !(run.start <= at && at < run.end) {
        let n_bytes = bytes[at..latest]
            .iter()
            .take_while(|it| !it.is_ascii_whitespace() && !ends.contains(it))
            .count();
        let is_punctuation = |it: &&u8| b",;.:".contains(it);
        let run_end = at + n_bytes;
        let n_behind = bytes[at..run_end].iter().rev().take_while(is_punctuation).count();
        run = BareRun { start: at, end: run_end, end_of_value: run_end - n_behind };
        last_run.set(run);
    }
    let end = run.end_of_value.max(at);
    let after = bytes.get(end).copied().unwrap_or(b'\n');
    if end == at || !text.is_char_boundary(end) || (!settings && b"([{".contains(&after)) {
        return None;
    }
    if settings && !in_list {
        // A value of several words is no password, unless what follows is a comment.
        let latest = text.floor_char_boundary(latest.min(end + MOST_BYTES_BEHIND_BARE)).max(end);
        let line = memchr::memchr(b'\n', &bytes[end..latest]).map_or(latest, |it| end + it);
        let rest = text[end..line].trim_start_matches([',', ';', '.', ':']).trim();
        if !rest.is_empty()
            && !rest.starts_with(['#', ';', '/'])
            && !rest.contains('=')
            && after != b'"'
        {
            return None;
        }
    }
    Some(at..end)
}
