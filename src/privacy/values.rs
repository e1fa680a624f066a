//! What stands behind a name: separators, types and brackets between a name and its value in many
//! languages.

use std::cell::Cell;
use std::ops::Range;

use super::judge::Standing;
use super::kinds::TextKind;
use super::literals::{bare_at, continuation, literal_at, literal_from, trimmed};
use super::memory::Memory;

/// The most literals of a list that are looked at, and of one value that is joined from several.
const MOST_OF_A_LIST: usize = 50;
pub(super) const MOST_PARTS: usize = 400;
/// The longest line of a block, and text of an element.
pub(super) const MOST_BYTES_OF_A_LINE: usize = 65_536;

/// The most values of which each is taken where those before are missing.
const MOST_ALTERNATIVES: usize = 4;

/// What stands before a value that is taken where the first is missing.
const OR_ELSE: &[&str] = &["||", "??", "?:", "or ", "else ", "//"];

/// Takes the parts of a value and how it stands; whether it is a secret.
pub(super) type Judge<'a> = dyn FnMut(&[Range<usize>], Standing) -> bool + 'a;

/// How a name and its value are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Separator {
    Assign,
    Colon,
    Comma,
    Or,
    Cell,
    Open,
}

/// A text and how its bare words are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) text: &'a str,
    pub(super) kind: TextKind,
    pub(super) memory: &'a Memory,
}

impl Place<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// A bare value; the kind is that of a place and not always that of the text.
    pub(super) fn bare_at(&self, at: usize, kind: TextKind, in_list: bool) -> Option<Range<usize>> {
        if kind == self.kind {
            let last_run = &self.memory.last_runs[usize::from(in_list)];
            return bare_at(self.text, at, kind, in_list, last_run);
        }
        bare_at(self.text, at, kind, in_list, &Cell::default())
    }

    pub(super) fn skip_blanks(&self, at: usize) -> usize {
        at + self.bytes()[at..].iter().take_while(|it| matches!(it, b' ' | b'\t')).count()
    }

    /// Where the line of a place begins; not farther back than what matters.
    pub(super) fn line_start(&self, at: usize) -> usize {
        let earliest = at.saturating_sub(300);
        memchr::memrchr(b'\n', &self.bytes()[earliest..at]).map_or(earliest, |it| earliest + it + 1)
    }

    /// What stands in the line before a place, as much as matters.
    pub(super) fn before_in_line(&self, at: usize) -> &[u8] {
        &self.bytes()[self.line_start(at)..at]
    }

    /// Shows the judge what stands behind a name until it takes something for a secret; whether it
    /// did.
    pub(super) fn visit_value_of(&self, name: &Range<usize>, judge: &mut Judge<'_>) -> bool {
        let bytes = self.bytes();
        let closed = self.skip_closers(name.end);
        let at = self.skip_blanks(closed);
        if bytes.get(at) == Some(&b'>') || self.is_element(name) {
            return self.visit_element(name, at, judge);
        }
        let is_called = closed == name.end;
        if let Some((length, separator)) = separator_at(bytes, at) {
            let needs_quotes = separator == Separator::Comma || separator == Separator::Open;
            if needs_quotes && !self.stands_in_list(name) && separator == Separator::Comma {
                return false;
            }
            if separator == Separator::Assign
                && let Some(nth) = self.place_in_tuple(name)
                && self.visit_nth(at + length, nth, judge)
            {
                return true;
            }
            return self.visit_from(at + length, separator, name, judge)
                || (separator == Separator::Open && self.visit_braces(at, judge))
                || (separator == Separator::Open && self.visit_declaration(name, at, judge))
                || (separator == Separator::Assign
                    && self.visit_declaration(name, at + length, judge));
        }
        if bytes[name.start] == b'-'
            && let Some(next) = self.next_line(at)
            && bytes[next..].starts_with(b"- ")
        {
            let value = self.bare_at(self.skip_blanks(next + 2), TextKind::Settings, true);
            return value.is_some_and(|it| judge(&[it], Standing::Bare));
        }
        if at == closed && !(is_called && bytes.get(at) == Some(&b'[')) {
            return false;
        }
        self.visit_behind_blank(name, at, judge)
    }

    /// A word in braces, as Tcl has it.
    pub(super) fn visit_braces(&self, at: usize, judge: &mut Judge<'_>) -> bool {
        let bytes = self.bytes();
        let rest = &bytes[at..bytes.len().min(at + 200)];
        let length = rest.iter().take_while(|it| !it.is_ascii_whitespace() && **it != b'}').count();
        rest.get(length) == Some(&b'}')
            && rest[0] == b'{'
            && !rest[1..length].iter().any(|it| b"\"'`{(:=".contains(it))
            && judge(std::slice::from_ref(&(at + 1..at + length)), Standing::BareInCode)
    }

    /// Quotes and brackets that a name stands in.
    fn skip_closers(&self, mut at: usize) -> usize {
        let bytes = self.bytes();
        for _ in 0..6 {
            match bytes.get(at) {
                Some(b'\\') if matches!(bytes.get(at + 1), Some(b'"' | b'\'' | b'\\')) => at += 1,
                Some(b'?' | b'!') if matches!(bytes.get(at + 1), Some(b':' | b' ')) => at += 1,
                Some(b'"' | b'\'' | b'`' | b']' | b')' | b'}' | b'*') => at += 1,
                _ => break,
            }
        }
        at
    }

    /// Whether a name is a literal or in a list, so that a comma separates it from its value.
    fn stands_in_list(&self, name: &Range<usize>) -> bool {
        let before = self.bytes()[..name.start].last();
        before.is_some_and(|it| b"\"'`{([:".contains(it))
    }

    /// Which of several names that are assigned at once this is: `user, password = …` is the
    /// second, 1.
    fn place_in_tuple(&self, name: &Range<usize>) -> Option<usize> {
        let before = self.before_in_line(name.start);
        let is_names =
            before.iter().all(|it| it.is_ascii_alphanumeric() || b"_, \t($".contains(it));
        let n_commas = before.iter().filter(|it| **it == b',').count();
        (is_names && n_commas > 0 && !before.contains(&b'(')).then_some(n_commas)
    }

    fn visit_nth(&self, at: usize, nth: usize, judge: &mut Judge<'_>) -> bool {
        let mut at = at;
        for index in 0..=nth {
            let Some(literal) = literal_from(self, self.skip_blanks(at), false) else {
                return false;
            };
            if index == nth {
                return judge(&[trimmed(self.text, literal.content)], Standing::Quoted);
            }
            at = self.skip_blanks(literal.end);
            if self.bytes().get(at) != Some(&b',') {
                return false;
            }
            at += 1;
        }
        false
    }

    /// The value that begins somewhere behind a separator.
    pub(super) fn visit_from(
        &self,
        at: usize,
        separator: Separator,
        name: &Range<usize>,
        judge: &mut Judge<'_>,
    ) -> bool {
        let bytes = self.bytes();
        let mut at = self.skip_blanks(at);
        if separator == Separator::Colon && self.visit_block(at, name, judge) {
            return true;
        }
        let mut is_next_line = false;
        if let Some(next) = self.next_line(at) {
            // In the next line of a list stands the next name; of a call, the next argument.
            let is_call = || {
                let quote = name.start.saturating_sub(1);
                let before = &bytes[quote.saturating_sub(80)..quote];
                before.trim_ascii_end().last() == Some(&b'(')
            };
            if matches!(separator, Separator::Cell | Separator::Or)
                || (separator == Separator::Comma && !is_call())
            {
                return false;
            }
            is_next_line = true;
            at = next;
            // A bare word in the next line is a value in YAML alone, and there it is indented.
            let is_yaml = separator == Separator::Colon && self.kind != TextKind::Code;
            let is_literal = matches!(
                bytes[at..],
                [b'"' | b'\'' | b'`', ..]
                    | [b'@' | b'b' | b'r' | b'R' | b'L' | b'f', b'"' | b'\'' | b'#', ..]
            );
            if !is_literal && !is_yaml {
                return false;
            }
        }
        let is_quoted = matches!(bytes.get(at), Some(b'"' | b'\'' | b'`' | b'\\'));
        let bare_first = !is_quoted && self.kind == TextKind::Settings;
        if bare_first && self.visit_bare(at, separator, name, is_next_line, judge) {
            return true;
        }
        if self.visit_literals(at, separator, judge) {
            return true;
        }
        let is_no_bare_word =
            bare_first || is_quoted || (is_next_line && self.kind == TextKind::Code);
        !is_no_bare_word
            && matches!(separator, Separator::Assign | Separator::Colon | Separator::Cell)
            && self.visit_bare(at, separator, name, is_next_line, judge)
    }

    /// Literals of an expression: one, one of several pieces, a list, what is taken where the first
    /// is missing.
    pub(super) fn visit_literals(
        &self,
        at: usize,
        separator: Separator,
        judge: &mut Judge<'_>,
    ) -> bool {
        let bytes = self.bytes();
        let mut from = at;
        let is_list = matches!(bytes.get(at), Some(b'[' | b'(' | b'{'));
        let mut taken = false;
        let mut n_alternatives = 0;
        for index in 0..MOST_OF_A_LIST {
            let after_colon = separator == Separator::Colon && index == 0;
            let Some(literal) = literal_from(self, from, after_colon) else { return taken };
            let mut parts = vec![trimmed(self.text, literal.content.clone())];
            let mut end = literal.end;
            while let Some(next) = continuation(self.text, end) {
                let Some(literal) = literal_at(self, next) else { break };
                end = literal.end;
                parts.push(trimmed(self.text, literal.content));
                if parts.len() > MOST_PARTS {
                    break;
                }
            }
            let next = self.skip_blanks(end);
            // What is followed by a separator is a name of its own.
            let is_name = matches!(bytes.get(next), Some(b':'))
                || bytes.get(next..next + 2).is_some_and(|it| it == b"=>" || it == b"->");
            if is_name && index > 0 {
                return taken;
            }
            if judge(&parts, Standing::Quoted) {
                taken = true;
                if !is_list {
                    return true;
                }
            }
            let rest = &bytes[next..];
            let or = OR_ELSE.iter().find(|it| rest.starts_with(it.as_bytes()));
            from = match (rest.first(), or) {
                (Some(b','), _) if is_list => {
                    self.next_line(next + 1).unwrap_or_else(|| self.skip_blanks(next + 1))
                }
                (Some(b','), _) if rest[1..].trim_ascii_start().starts_with(b"default") => {
                    let Some(sign) =
                        rest[..rest.len().min(40)].iter().position(|it| b":=".contains(it))
                    else {
                        return taken;
                    };
                    self.skip_blanks(next + sign + 1)
                }
                (Some(b'='), _) if separator == Separator::Colon && index == 0 => {
                    self.skip_blanks(next + 1)
                }
                (_, Some(or)) if n_alternatives < MOST_ALTERNATIVES => {
                    n_alternatives += 1;
                    self.skip_blanks(next + or.len())
                }
                _ => return taken,
            };
        }
        taken
    }

    /// Where the next line's text begins, where nothing but a comment, a backslash or a bracket is
    /// left of this one.
    pub(super) fn next_line(&self, at: usize) -> Option<usize> {
        let bytes = self.bytes();
        let mut at = at;
        while matches!(
            bytes.get(at),
            Some(b' ' | b'\t' | b'\r' | b'(' | b'\\' | b'[' | b'{' | b'"')
        ) {
            if bytes[at] == b'"' && !matches!(bytes.get(at + 1), Some(b'\n')) {
                return None;
            }
            at += 1;
        }
        if bytes[at.min(bytes.len())..].starts_with(b"//") {
            let latest = bytes.len().min(at + 200);
            at += memchr::memchr(b'\n', &bytes[at..latest])?;
        }
        let start = self.next_line_break(at)?;
        let start = start
            + bytes[start..].iter().take(200).take_while(|it| matches!(it, b' ' | b'\t')).count();
        (!matches!(bytes.get(start), None | Some(b'\n' | b'\r'))).then_some(start)
    }

    pub(super) fn next_line_break(&self, at: usize) -> Option<usize> {
        match self.bytes().get(at..)? {
            [b'\n', ..] => Some(at + 1),
            [b'\r', b'\n', ..] => Some(at + 2),
            _ => None,
        }
    }
}

fn separator_at(bytes: &[u8], at: usize) -> Option<(usize, Separator)> {
    const SEPARATORS: &[(&str, Separator)] = &[
        ("===", Separator::Assign),
        ("!==", Separator::Assign),
        ("||=", Separator::Assign),
        ("??=", Separator::Assign),
        ("<<<", Separator::Assign),
        ("<<-", Separator::Assign),
        ("//=", Separator::Assign),
        ("::=", Separator::Assign),
        ("==", Separator::Assign),
        ("!=", Separator::Assign),
        (":=", Separator::Assign),
        ("?=", Separator::Assign),
        ("+=", Separator::Assign),
        ("=>", Separator::Assign),
        ("->", Separator::Assign),
        ("<-", Separator::Assign),
        (":-", Separator::Assign),
        ("||", Separator::Or),
        ("??", Separator::Or),
        ("?:", Separator::Or),
        (".unwrap_or", Separator::Or),
        (".or_else", Separator::Or),
        (".orElse", Separator::Or),
        (".getOrElse", Separator::Or),
        (".or(", Separator::Or),
        ("//", Separator::Or),
        ("or ", Separator::Or),
        ("：", Separator::Colon),
        ("＝", Separator::Assign),
        ("=", Separator::Assign),
        (":", Separator::Colon),
        (",", Separator::Comma),
        ("|", Separator::Cell),
        ("(", Separator::Open),
        ("{", Separator::Open),
        ("to \"", Separator::Or),
        (". \"", Separator::Or),
    ];
    let rest = bytes.get(at..)?;
    if rest.starts_with(b"::") && !rest.starts_with(b"::=") {
        return None;
    }
    let first = *rest.first()?;
    let (text, separator) = SEPARATORS
        .iter()
        .find(|(text, _)| text.as_bytes()[0] == first && rest.starts_with(text.as_bytes()))?;
    let length = if text.ends_with('"') { text.len() - 1 } else { text.len() };
    Some((length, *separator))
}
