//! Values that stand behind a name and a blank: a literal, a type and a `=`, a word of a command,
//! the text of an element.

use std::ops::Range;

use super::judge::Standing;
use super::kinds::TextKind;
use super::literals::trimmed;
use super::values::{Judge, MOST_BYTES_OF_A_LINE, Place, Separator};

/// How far a declaration may reach from a name to its `=`.
const BYTES_OF_DECLARATION: usize = 80;
/// What prose has between a name and its value.
const SAID: &[&str] =
    &["is ", "was ", "are ", "ist ", "lautet ", "est ", "es ", "é ", "è ", "is: ", "="];

impl Place<'_> {
    /// A name, a blank, and then a literal, a type and a `=`, or, in settings and commands, the
    /// value.
    pub(super) fn visit_behind_blank(
        &self,
        name: &Range<usize>,
        at: usize,
        judge: &mut Judge<'_>,
    ) -> bool {
        let bytes = self.bytes();
        let rest = &bytes[at..];
        let is_literal = matches!(
            rest,
            [b'"' | b'\'' | b'`', ..]
                | [b'@' | b'b' | b'L' | b'r' | b'$' | b'.' | b'(' | b'{', b'"', ..]
                | [b'<', b'<', b'"', ..]
                | [b'b', b'y', b' ', ..]
        );
        if is_literal {
            return self.visit_literals(at, Separator::Open, judge);
        }
        if self.visit_declaration(name, at, judge) {
            return true;
        }
        let line = self.before_in_line(name.start);
        let words = ["ENV ", "ARG ", "env ", "setenv ", "set ", "setx ", "export ", "echo "];
        let first = line.iter().position(|it| !it.is_ascii_whitespace()).unwrap_or(line.len());
        let is_command = words.iter().any(|it| line[first..].starts_with(it.as_bytes()));
        let is_flag = bytes[name.start] == b'-' || line.last() == Some(&b'/');
        let is_first = first == line.len();
        let said = SAID.iter().find(|it| rest.starts_with(it.as_bytes()));
        if let Some(said) = said {
            let at = self.skip_blanks(at + said.len());
            let quoted = rest.get(said.len()).is_some_and(|it| b"\"'`".contains(it));
            return if quoted {
                self.visit_literals(at, Separator::Open, judge)
            } else {
                self.bare_at(at, TextKind::Other, true)
                    .is_some_and(|it| judge(&[it], Standing::BareInCode))
            };
        }
        let may_be_bare = is_command
            || is_flag
            || (is_first && self.kind != TextKind::Code)
            || self.kind == TextKind::Shell
            || (self.kind == TextKind::Settings);
        if !may_be_bare {
            return false;
        }
        let standing = if self.kind == TextKind::Code && !is_flag {
            Standing::BareInCode
        } else {
            Standing::Bare
        };
        self.bare_at(at, TextKind::Shell, true).is_some_and(|it| judge(&[it], standing))
    }

    /// `password string = "x"`, `PASSWORD VARCHAR(8) DEFAULT 'x'`, `password[9] = "x"`, `Password {
    /// get; } = "x"`.
    pub(super) fn visit_declaration(
        &self,
        name: &Range<usize>,
        at: usize,
        judge: &mut Judge<'_>,
    ) -> bool {
        let bytes = self.bytes();
        let latest = bytes.len().min(name.end + BYTES_OF_DECLARATION);
        let mut here = at;
        let mut depth = 0_usize;
        while here < latest {
            let byte = bytes[here];
            match byte {
                b'{' | b'(' | b'[' => depth += 1,
                b'}' | b')' | b']' => depth = depth.saturating_sub(1),
                b'=' if bytes.get(here + 1) != Some(&b'=') => {
                    let from = self.skip_blanks(here + 1);
                    let from = self.next_line(from).unwrap_or(from);
                    return self.visit_literals(from, Separator::Open, judge)
                        || (bytes[from.min(bytes.len())..].starts_with(b"1 [")
                            && self.visit_literals(from + 2, Separator::Colon, judge));
                }
                b'd' | b'D' | b'v' | b'V'
                    if !bytes[here - 1].is_ascii_alphanumeric()
                        && ["default", "value"].iter().any(|it| {
                            bytes
                                .get(here..here + it.len())
                                .is_some_and(|word| word.eq_ignore_ascii_case(it.as_bytes()))
                        }) =>
                {
                    let length = if byte.eq_ignore_ascii_case(&b'd') { 7 } else { 5 };
                    let from = self.skip_blanks(here + length);
                    if matches!(bytes.get(from), Some(b'"' | b'\'')) {
                        return self.visit_literals(from, Separator::Open, judge);
                    }
                }
                b'd' if bytes[here..].starts_with(b"db ") => {
                    return self.visit_literals(here + 3, Separator::Open, judge);
                }
                b'\n' | b'"' | b'\'' | b'`' => return false,
                b',' | b';' if depth == 0 => return false,
                _ => {}
            }
            here += 1;
        }
        false
    }

    /// Whether a name is that of an element: `<password>`, `<db:Password type="x">`.
    pub(super) fn is_element(&self, name: &Range<usize>) -> bool {
        let before = &self.bytes()[name.start.saturating_sub(24)..name.start];
        match before {
            [.., b'<'] => true,
            [head @ .., b':'] => {
                let prefix = head.iter().rev().take_while(|it| it.is_ascii_alphanumeric()).count();
                head.len() > prefix && head[head.len() - prefix - 1] == b'<'
            }
            _ => false,
        }
    }

    pub(super) fn visit_element(
        &self,
        name: &Range<usize>,
        at: usize,
        judge: &mut Judge<'_>,
    ) -> bool {
        let bytes = self.bytes();
        let latest = bytes.len().min(at + 160);
        let Some(close) = memchr::memchr2(b'>', b'\n', &bytes[at..latest]) else { return false };
        let start = at + close + 1;
        if bytes[start - 1] == b'\n'
            || (close > 0 && bytes[start - 2] == b'/')
            || (close > 0 && !self.is_element(name))
        {
            return false;
        }
        let latest = bytes.len().min(start + MOST_BYTES_OF_A_LINE);
        let start = if bytes[start..].starts_with(b"<![CDATA[") { start + 9 } else { start };
        let Some(end) = memchr::memchr2(b'<', b'>', &bytes[start..latest]) else { return false };
        let value = trimmed(self.text, start..start + end);
        judge(&[value], Standing::Quoted)
    }
}
