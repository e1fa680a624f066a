//! Names and values that stand apart: `name: DB_PASSWORD` and, beside it, `value: …`; a block that
//! is named and has a default; an element that is named by an attribute.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::judge::Standing;
use super::values::{Judge, Place};

/// How far a value may be from its name.
const BYTES_TO_VALUE: usize = 320;
const LINES_TO_VALUE: usize = 8;
const MOST_BYTES_OF_DOCUMENT: usize = 262_144;
/// What says, before a name, that it is one.
const NAMING: &[&str] = &[
    "name",
    "key",
    "variable",
    "parameter",
    "type=",
    "id=",
    "setting",
    "resource",
    "field",
    "property",
    "data \"",
    "<name>",
    "<key>",
    "label",
    "output",
    "setenv",
    "env",
];
/// What a value is called.
const VALUES: &[&str] = &[
    "value",
    "default",
    "defaultvalue",
    "parametervalue",
    "secret_string",
    "secretstring",
    "string_value",
    "stringvalue",
    "content",
    "string",
    "val",
    "plaintext",
    "result",
];

impl Place<'_> {
    /// Shows the judge the value that stands beside a name, in the same element, block or item of a
    /// list.
    pub(super) fn visit_pair_of(&self, name: &Range<usize>, judge: &mut Judge<'_>) -> bool {
        let bytes = self.text.as_bytes();
        let before = self.before_in_line(name.start);
        let before = &before[before.len().saturating_sub(70)..];
        let is_named = bytes[name.start] == b'-' || is_naming(before);
        let mut at = name.end;
        while bytes.get(at).is_some_and(|it| b"\"'`*) ".contains(it)) && at < name.end + 8 {
            at += 1;
        }
        let opens_block = match bytes.get(at) {
            Some(b':' | b'=') => {
                self.next_line(at + 1).is_some() || rest_starts(bytes, at + 1, b'{')
            }
            Some(b'{') => is_named,
            _ => false,
        };
        if !is_named && !opens_block {
            return false;
        }
        if self.visit_between(name.start, name.end, opens_block, judge) {
            return true;
        }
        // The value may come first.
        let earliest = name.start.saturating_sub(240);
        let start = bytes[earliest..name.start].iter().rposition(|it| matches!(it, b'{' | b'<'));
        let start = match start {
            Some(start) => earliest + start,
            None => {
                let item = memchr::memmem::rfind(&bytes[earliest..name.start], b"- value");
                let Some(item) = item else { return false };
                earliest + item
            }
        };
        let is_near = memchr::memchr_iter(b'\n', &bytes[start..name.start]).count() <= 3;
        is_named && is_near && self.visit_first_value(start..name.start, judge)
    }

    /// Shows the judge what a Kubernetes secret has under `data:` and `stringData:`; where its
    /// document ends.
    pub(super) fn visit_kubernetes_secret(&self, at: usize, judge: &mut Judge<'_>) -> usize {
        let bytes = self.text.as_bytes();
        let latest = bytes.len().min(at + MOST_BYTES_OF_DOCUMENT);
        let end = memchr::memmem::find(&bytes[at..latest], b"\n---").map_or(latest, |it| at + it);
        let Some(document) = self.text.get(at..end) else { return end };
        let mut line_start = at;
        let mut is_data = false;
        for line in document.split_inclusive('\n') {
            if !line.starts_with([' ', '\t', '#', '\n', '\r']) {
                is_data = line.starts_with("data:") || line.starts_with("stringData:");
            } else if is_data && let Some((key, value)) = line.split_once(": ") {
                let value = value.trim().trim_matches(['"', '\'']);
                let start =
                    line_start + key.len() + 2 + line[key.len() + 2..].find(value).unwrap_or(0);
                let value = start..start + value.len();
                judge(&[value], Standing::Quoted);
            }
            line_start += line.len();
        }
        end
    }

    /// What follows the name, as far as its block, element or item goes.
    fn visit_between(
        &self,
        name: usize,
        at: usize,
        opens_block: bool,
        judge: &mut Judge<'_>,
    ) -> bool {
        let bytes = self.text.as_bytes();
        let latest = bytes.len().min(at + BYTES_TO_VALUE);
        let line = self.line_start(name);
        let indentation = bytes[line..]
            .iter()
            .take(200)
            .take_while(|it| matches!(it, b' ' | b'\t' | b'-'))
            .count();
        let mut end = latest;
        let (mut n_lines, mut depth) = (0, 0_i32);
        for (index, byte) in bytes[at..latest].iter().enumerate() {
            let here = at + index;
            match byte {
                b'{' => depth += 1,
                b'}' => {
                    depth -= 1;
                    if depth < 0 || (depth == 0 && opens_block) {
                        end = here;
                        break;
                    }
                }
                b'<' if bytes[here..].starts_with(b"</property")
                    || bytes[here..].starts_with(b"</setting") =>
                {
                    end = here;
                    break;
                }
                b'\n' => {
                    n_lines += 1;
                    let next = &bytes[here + 1..];
                    let deep =
                        next.iter().take(200).take_while(|it| matches!(it, b' ' | b'\t')).count();
                    let is_item =
                        next.get(deep) == Some(&b'-') && next.get(deep + 1) == Some(&b' ');
                    let is_blank = matches!(next.get(deep), None | Some(b'\n' | b'\r'));
                    let is_outside = opens_block
                        && depth <= 0
                        && deep <= indentation
                        && next.get(deep) != Some(&b'{');
                    if n_lines > LINES_TO_VALUE || is_item || is_blank || is_outside {
                        end = here;
                        break;
                    }
                }
                _ => {}
            }
        }
        self.visit_first_value(at..end, judge)
    }

    /// The second, where the first has none: `default` behind `value_type`.
    fn visit_later_value(&self, range: Range<usize>, judge: &mut Judge<'_>) -> bool {
        let bytes = self.text.as_bytes();
        let mut at = range.start;
        while at < range.end {
            let word =
                bytes[at..range.end].iter().take_while(|it| it.is_ascii_alphabetic()).count();
            let name = at..at + word;
            let is_value =
                VALUES.iter().any(|it| it.as_bytes().eq_ignore_ascii_case(&bytes[name.clone()]));
            if is_value {
                return self.visit_value_of(&name, judge);
            }
            at += word + 1;
        }
        false
    }

    /// The first of the names of values in a range, and what stands behind it.
    fn visit_first_value(&self, range: Range<usize>, judge: &mut Judge<'_>) -> bool {
        let bytes = self.text.as_bytes();
        let (known_start, known_end) = self.memory.without_values.get();
        let is_known = known_start <= range.start && range.start < known_end;
        let mut at = if is_known { known_end } else { range.start };
        let start = if is_known { known_start } else { range.start };
        while at < range.end {
            if !bytes[at].is_ascii_alphabetic() {
                at += 1;
                continue;
            }
            let word = bytes[at..range.end]
                .iter()
                .take_while(|it| it.is_ascii_alphanumeric() || **it == b'_')
                .count();
            let name = at..at + word;
            at += word;
            let is_value =
                VALUES.iter().any(|it| it.as_bytes().eq_ignore_ascii_case(&bytes[name.clone()]));
            if is_value {
                if self.visit_value_of(&name, judge) {
                    return true;
                }
                let rest = at..range.end;
                return !rest.is_empty() && self.visit_later_value(rest, judge);
            }
        }
        if range.end > known_end || !is_known {
            self.memory.without_values.set((start, range.end));
        }
        false
    }
}

fn rest_starts(bytes: &[u8], at: usize, with: u8) -> bool {
    bytes[at.min(bytes.len())..].iter().find(|it| !matches!(it, b' ' | b'\t')) == Some(&with)
}

fn is_naming(text: &[u8]) -> bool {
    static WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
        let builder = AhoCorasick::builder().ascii_case_insensitive(true).build(NAMING);
        builder.ok()
    });
    WORDS.as_ref().is_some_and(|it| it.is_match(text))
}
