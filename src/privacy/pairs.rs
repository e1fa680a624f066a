//! Names and values that stand apart: `name: DB_PASSWORD` and, beside it, `value: …`; a block that
//! is named and has a default; an element that is named by an attribute.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};
use memchr::memmem::FinderRev;

use super::judge::Standing;
use super::memory::ValueWords;
use super::values::{Judge, Place};

/// How far a value may be behind its name, and before it.
const BYTES_TO_VALUE: usize = 320;
const BYTES_TO_VALUE_BEFORE: usize = 240;
/// So much of the text is looked at at a time for what is called a value.
const BYTES_OF_STEP: usize = 1_024;
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

const MOST_BYTES_OF_VALUE_WORD: usize = 16;

/// Finds the earliest.
static VALUE_WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let builder = AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostFirst)
        .ascii_case_insensitive(true)
        .build(VALUES);
    builder.ok()
});

impl Place<'_> {
    /// Shows the judge the value that stands beside a name, in the same element, block or item of a
    /// list.
    pub(super) fn visit_pair_of(&self, name: &Range<usize>, judge: &mut Judge<'_>) -> bool {
        let bytes = self.text.as_bytes();
        let mut at = name.end;
        while bytes.get(at).is_some_and(|it| b"\"'`*) ".contains(it)) && at < name.end + 8 {
            at += 1;
        }
        let behind = bytes.get(at);
        let opens_block = matches!(behind, Some(b':' | b'='))
            && (self.next_line(at + 1).is_some() || rest_starts(bytes, at + 1, b'{'));
        let earliest = name.start.saturating_sub(BYTES_TO_VALUE_BEFORE);
        let value_may_be_before = self.has_value_word(earliest, name.start);
        if !value_may_be_before && !self.has_value_word(name.end, name.end + BYTES_TO_VALUE) {
            return false;
        }
        let before = self.before_in_line(name.start);
        let before = &before[before.len().saturating_sub(70)..];
        let is_named = bytes[name.start] == b'-' || is_naming(before);
        if !is_named && !opens_block {
            return false;
        }
        let opens_block = opens_block || behind == Some(&b'{');
        if self.visit_between(name.start, name.end, opens_block, judge) {
            return true;
        }
        // The value may come first.
        if !is_named || !value_may_be_before {
            return false;
        }
        static ITEM: LazyLock<FinderRev<'static>> = LazyLock::new(|| FinderRev::new("- value"));
        let start = memchr::memrchr2(b'{', b'<', &bytes[earliest..name.start])
            .or_else(|| ITEM.rfind(&bytes[earliest..name.start]));
        let Some(start) = start.map(|it| earliest + it) else { return false };
        let is_near = memchr::memchr_iter(b'\n', &bytes[start..name.start]).count() <= 3;
        is_near && self.visit_first_value(start..name.start, judge)
    }

    /// Whether something may be called a value between two places, the first of which is behind that
    /// of the last call.
    fn has_value_word(&self, from: usize, until: usize) -> bool {
        let Some(words) = VALUE_WORDS.as_ref() else { return true };
        let bytes = self.text.as_bytes();
        let mut known = self.memory.value_words.get();
        if from < known.start || from > known.end {
            known = ValueWords { start: from, end: from, is_at_end: false };
        }
        while !known.is_at_end && known.end < until.min(bytes.len()) {
            let step = known.end..bytes.len().min(known.end + BYTES_OF_STEP);
            // A word may begin in one step and end in the next.
            let with_rest =
                &bytes[step.start..bytes.len().min(step.end + MOST_BYTES_OF_VALUE_WORD)];
            let found = words.find(with_rest).map(|it| step.start + it.start());
            known.is_at_end = found.is_some_and(|it| it < step.end);
            known.end = found.unwrap_or(step.end).min(step.end);
        }
        self.memory.value_words.set(known);
        known.is_at_end && known.end < until
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
        let is_closing = |it: &usize| {
            let rest = &bytes[*it..];
            rest.starts_with(b"</property") || rest.starts_with(b"</setting")
        };
        let mut end = memchr::memchr_iter(b'<', &bytes[at..latest])
            .map(|it| at + it)
            .find(is_closing)
            .unwrap_or(latest);
        let (mut n_lines, mut depth) = (0, 0_i32);
        for index in memchr::memchr3_iter(b'{', b'}', b'\n', &bytes[at..end]) {
            let here = at + index;
            match bytes[here] {
                b'{' => depth += 1,
                b'}' => {
                    depth -= 1;
                    if depth < 0 || (depth == 0 && opens_block) {
                        end = here;
                        break;
                    }
                }
                _ => {
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
            }
        }
        self.visit_first_value(at..end, judge)
    }

    /// The first of the names of values in a range, and what stands behind it; the second, where the
    /// first has none: `default` behind `value_type`.
    fn visit_first_value(&self, range: Range<usize>, judge: &mut Judge<'_>) -> bool {
        let Some(words) = VALUE_WORDS.as_ref() else { return false };
        let bytes = self.text.as_bytes();
        let (mut at, mut n_values) = (range.start, 0);
        while n_values < 2
            && let Some(found) = bytes.get(at..range.end).and_then(|it| words.find(it))
        {
            let start = at + found.start();
            let is_of_name = |it: &u8| it.is_ascii_alphanumeric() || *it == b'_';
            let begins = start == range.start || !is_of_name(&bytes[start - 1]);
            let length = bytes[start..range.end].iter().take_while(|it| is_of_name(it)).count();
            let name = start..start + length;
            at = name.end;
            let is_value = |it: &&str| it.as_bytes().eq_ignore_ascii_case(&bytes[name.clone()]);
            if !begins || !VALUES.iter().any(is_value) {
                continue;
            }
            n_values += 1;
            if self.visit_value_of(&name, judge) {
                return true;
            }
        }
        false
    }
}

fn rest_starts(bytes: &[u8], at: usize, with: u8) -> bool {
    let rest = bytes[at.min(bytes.len())..].iter().take(BYTES_TO_VALUE);
    rest.copied().find(|it| !matches!(it, b' ' | b'\t')) == Some(with)
}

fn is_naming(text: &[u8]) -> bool {
    static WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
        let builder = AhoCorasick::builder().ascii_case_insensitive(true).build(NAMING);
        builder.ok()
    });
    WORDS.as_ref().is_some_and(|it| it.is_match(text))
}
