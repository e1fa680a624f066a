//! Values without quotes: a word in settings, in a command, in a comment, and the blocks of YAML.

use std::ops::Range;

use super::judge::Standing;
use super::kinds::TextKind;
use super::literals::trimmed;
use super::values::{Judge, MOST_BYTES_OF_A_LINE, MOST_PARTS, Place, Separator};

/// The longest `module.Type` that is told from a value.
const MOST_BYTES_OF_NAME: usize = 200;
/// The most blanks and marks between a value and the end of its line.
const MOST_BYTES_TO_END: usize = 200;

impl Place<'_> {
    pub(super) fn visit_bare(
        &self,
        at: usize,
        separator: Separator,
        name: &Range<usize>,
        is_next_line: bool,
        judge: &mut Judge<'_>,
    ) -> bool {
        let bytes = self.bytes();
        let mut at = at;
        // `&anchor`, `!!str`, `**`: what YAML and Markdown put before a value.
        for _ in 0..2 {
            if matches!(bytes.get(at), Some(b'&' | b'!')) && self.kind == TextKind::Settings {
                let word =
                    bytes[at..].iter().take(60).take_while(|it| !it.is_ascii_whitespace()).count();
                let next = self.skip_blanks(at + word);
                if next > at + word {
                    at = next;
                }
            }
        }
        while matches!(bytes.get(at), Some(b'*' | b'`')) && self.kind == TextKind::Other {
            at = self.skip_blanks(at + 1);
        }
        let before = self.before_in_line(name.start);
        let in_braces = separator == Separator::Colon && before.contains(&b'{');
        let in_string = before.iter().any(|it| b"\"'`".contains(it))
            && !matches!(bytes.get(name.end), Some(b'"' | b'\''));
        let tight = separator == Separator::Assign
            && bytes.get(name.end) == Some(&b'=')
            && before.last().is_none_or(|it| b" \t\"'`;&?,".contains(it));
        let in_list = in_braces || (tight && (in_string || !before.is_empty()));
        let Some(value) = self.bare_at(at, self.kind, in_list) else {
            return self.visit_phrase(at, judge);
        };
        let alone = self.is_alone_in_line(name, &value);
        let standing = match self.kind {
            TextKind::Settings | TextKind::Shell | TextKind::Table => Standing::Bare,
            TextKind::Other if alone || is_next_line || separator == Separator::Cell || tight => {
                Standing::Bare
            }
            _ if bytes[name.start] == b'-' && separator == Separator::Assign => Standing::Bare,
            TextKind::Code if tight && in_string => Standing::Bare,
            _ => Standing::BareInCode,
        };
        // In code a bare word is a name, but in comments and strings.
        if standing == Standing::BareInCode
            && self.kind == TextKind::Code
            && !alone
            && !(tight && before.iter().all(u8::is_ascii_whitespace))
            && !is_comment(before)
        {
            return false;
        }
        if self.kind == TextKind::Code
            && value.len() <= MOST_BYTES_OF_NAME
            && is_dotted_name(&self.text[value.clone()])
        {
            return false;
        }
        let value = trimmed(self.text, value);
        let is_followed = bytes.get(value.end) == Some(&b' ');
        judge(&[value], standing) || (is_followed && self.visit_phrase(at, judge))
    }

    /// Words up to the end of the line, for what may be words.
    pub(super) fn visit_phrase(&self, at: usize, judge: &mut Judge<'_>) -> bool {
        let bytes = &self.bytes()[at..self.bytes().len().min(at + 400)];
        let end = bytes
            .iter()
            .position(|it| !it.is_ascii_lowercase() && !matches!(it, b' ' | b'\t'))
            .unwrap_or(bytes.len());
        if !matches!(bytes.get(end), None | Some(b'\n' | b'\r')) {
            return false;
        }
        let end = at + end;
        let words = self.text[at..end].split_ascii_whitespace().count() >= 12;
        words && judge(&[trimmed(self.text, at..end)], Standing::Quoted)
    }

    pub(super) fn is_alone_in_line(&self, name: &Range<usize>, value: &Range<usize>) -> bool {
        let before = self.before_in_line(name.start);
        let rest = &self.bytes()[value.end..];
        let ends = rest
            .iter()
            .take(MOST_BYTES_TO_END)
            .find(|it| !matches!(it, b' ' | b'\t' | b'\r' | b'.' | b'|'))
            .is_none_or(|it| *it == b'\n');
        ends && before.iter().filter(|it| it.is_ascii_alphanumeric()).count() < 24
    }

    /// The values of a block of YAML, `|` or `>`, that begins in the next line.
    pub(super) fn visit_block(
        &self,
        at: usize,
        name: &Range<usize>,
        judge: &mut Judge<'_>,
    ) -> bool {
        let bytes = self.bytes();
        let marker =
            bytes[at..].iter().take(4).take_while(|it| b"|>+-123456789".contains(it)).count();
        if marker == 0 || !matches!(bytes[at], b'|' | b'>') {
            return false;
        }
        let Some(mut line) = self.next_line_break(at + marker) else { return false };
        let indentation =
            |start: usize| bytes[start..].iter().take(200).take_while(|it| **it == b' ').count();
        let of_name = indentation(self.line_start(name.start));
        let (mut parts, mut n_bytes) = (Vec::new(), 0);
        while line < bytes.len() && indentation(line) > of_name && parts.len() < MOST_PARTS {
            let end = memchr::memchr(b'\n', &bytes[line..]).map_or(bytes.len(), |it| line + it);
            n_bytes += end - line;
            if n_bytes > MOST_BYTES_OF_A_LINE {
                break;
            }
            parts.push(trimmed(self.text, line..end));
            line = end + 1;
        }
        !parts.is_empty() && judge(&parts, Standing::Quoted)
    }
}

/// Whether a comment begins in what stands before in a line.
fn is_comment(before: &[u8]) -> bool {
    let pairs: [&[u8; 2]; 5] = [b"//", b"/*", b"--", b";;", b"* "];
    before.iter().any(|it| b"#%\"'".contains(it))
        || before.windows(2).any(|two| pairs.iter().any(|it| it[..] == *two))
}

/// `module.Type`, `module::function`.
fn is_dotted_name(value: &str) -> bool {
    let mut parts = value.split("::").flat_map(|it| it.split('.'));
    let is_name = |it: &str| {
        it.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_')
            && it.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_')
    };
    value.contains(['.', ':']) && parts.all(is_name)
}
