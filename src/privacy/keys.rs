//! Private keys in every dressing: lines of base64 one after another, with whatever else a line has
//! around it (quotes, signs of joining, a diff's or a comment's marks, numbers), with their head
//! and tail, with one of them, and without.

use std::ops::Range;

/// The shortest run of base64 that is taken for a line of a key.
const LEAST_RUN: usize = 32;
/// The most that stands between two lines of one key.
const MOST_DRESSING: usize = 72;
/// The most between a head and the first line: `Proc-Type`, `DEK-Info`, `Comment`.
const MOST_BEHIND_HEAD: usize = 260;
/// The lengths of lines, by which a key is told that has neither head nor tail: PEM's and
/// OpenSSH's.
const LENGTHS_OF_LINES: &[usize] = &[64, 70];
const LEAST_LINES_ALONE: usize = 4;

/// What the words around lines of base64 say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Label {
    Private,
    Other,
    None,
}

/// The private keys of a text, in order.
pub(super) fn find(text: &str, mut each: impl FnMut(Range<usize>)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(first) = next_run(bytes, at) {
        let mut chain = Chain {
            start: first.start,
            end: first.end,
            n_full: 0,
            n_runs: 0,
            length: 0,
            is_even: true,
            n_random: 0,
        };
        chain.add(bytes, &first);
        let mut end = first.end;
        while let Some(next) = next_run_within(bytes, end, MOST_DRESSING) {
            // Where one ends or the next begins.
            let gap = &bytes[end..next.start];
            if [&b"-END "[..], b"- END ", b"BEGIN "]
                .iter()
                .any(|it| memchr::memmem::find(gap, it).is_some())
            {
                break;
            }
            chain.add(bytes, &next);
            end = next.end;
        }
        at = end.max(first.start + 1);
        if let Some(range) = chain.key(text) {
            at = at.max(range.end);
            each(range);
        }
    }
}

/// Runs of base64 that follow each other closely.
struct Chain {
    start: usize,
    end: usize,
    n_runs: usize,
    /// Runs of the length of the first.
    n_full: usize,
    length: usize,
    is_even: bool,
    /// Runs with small letters, capitals and digits.
    n_random: usize,
}

impl Chain {
    fn add(&mut self, bytes: &[u8], run: &Range<usize>) {
        let content = &bytes[run.clone()];
        if self.n_runs == 0 {
            self.length = content.len();
        }
        // The last may be shorter.
        self.is_even &= self.n_full == self.n_runs;
        self.n_full += usize::from(content.len() == self.length);
        self.n_runs += 1;
        let some = |is: fn(&u8) -> bool| content.iter().any(is);
        self.n_random += usize::from(
            some(u8::is_ascii_lowercase)
                && some(u8::is_ascii_uppercase)
                && some(u8::is_ascii_digit),
        );
        self.end = run.end;
    }

    /// The key that the chain is, with its head and its tail.
    fn key(&self, text: &str) -> Option<Range<usize>> {
        let bytes = text.as_bytes();
        let (before, head) = label_before(bytes, self.start);
        let (behind, tail) = label_behind(bytes, self.end);
        let is_random = self.n_random * 3 >= self.n_runs * 2;
        let is_key = match (before, behind) {
            (Label::Private, Label::Private) => true,
            (Label::Private, _) => is_random,
            (Label::Other, _) => false,
            (Label::None, Label::Private) => is_random,
            (Label::None, Label::Other) => false,
            (Label::None, Label::None) => {
                is_random
                    && self.is_even
                    && self.n_full >= LEAST_LINES_ALONE
                    && LENGTHS_OF_LINES.contains(&self.length)
            }
        };
        // A last line that is too short for a run stands between the last run and the tail.
        let end = if behind == Label::Private { tail } else { short_run_behind(bytes, self.end) };
        is_key.then(|| if before == Label::Private { head..end } else { self.start..end })
    }
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/' || byte == b'='
}

/// The next run of at least [`LEAST_RUN`] characters; the text is looked at in steps of that size.
fn next_run(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let mut probe = from + LEAST_RUN - 1;
    while probe < bytes.len() {
        if !is_base64(bytes[probe]) {
            probe += LEAST_RUN;
            continue;
        }
        let back = bytes[from..probe].iter().rev().take_while(|it| is_base64(**it)).count();
        let ahead = bytes[probe..].iter().take_while(|it| is_base64(**it)).count();
        let run = without_escape(bytes, probe - back..probe + ahead);
        if run.len() >= LEAST_RUN {
            return Some(run);
        }
        probe += ahead.max(1) + LEAST_RUN - 1;
    }
    None
}

/// The next run that begins within so many bytes, none of them of the text before `from`.
fn next_run_within(bytes: &[u8], from: usize, most: usize) -> Option<Range<usize>> {
    let mut at = from;
    let latest = bytes.len().min(from + most);
    while at < latest {
        if !is_base64(bytes[at]) {
            at += 1;
            continue;
        }
        let length = bytes[at..].iter().take_while(|it| is_base64(**it)).count();
        let run = without_escape(bytes, at..at + length);
        if run.len() >= LEAST_RUN {
            return Some(run);
        }
        at += length;
    }
    None
}

/// Without the `n` of a written line break before it.
fn without_escape(bytes: &[u8], run: Range<usize>) -> Range<usize> {
    let is_escape =
        run.start > 0 && bytes[run.start - 1] == b'\\' && b"nrt".contains(&bytes[run.start]);
    run.start + usize::from(is_escape)..run.end
}

/// A short last line, and PGP's checksum.
fn short_run_behind(bytes: &[u8], end: usize) -> usize {
    let latest = bytes.len().min(end + MOST_DRESSING);
    let gap = bytes[end..latest].iter().take_while(|it| !it.is_ascii_alphanumeric()).count();
    let start = end + gap;
    if gap == 0 || start >= latest {
        return end;
    }
    let run = bytes[start..].iter().take(LEAST_RUN).take_while(|it| is_base64(**it)).count();
    if run >= 4 && bytes[start..start + run].contains(&b'=') { start + run } else { end }
}

/// What stands before the lines, and where it begins.
fn label_before(bytes: &[u8], start: usize) -> (Label, usize) {
    let earliest = start.saturating_sub(MOST_BEHIND_HEAD);
    let before = &bytes[earliest..start];
    if let Some(at) = memchr::memmem::rfind(before, b"Private-Lines:") {
        return (Label::Private, earliest + at);
    }
    let Some(at) = memchr::memmem::rfind(before, b"BEGIN ") else {
        let is_public = memchr::memmem::rfind(before, b"Public-Lines:").is_some();
        return (if is_public { Label::Other } else { Label::None }, start);
    };
    if memchr::memmem::rfind(&before[at..], b"-END ").is_some() {
        return (Label::None, start);
    }
    let dashes =
        before[..at].iter().rev().take(5).take_while(|it| matches!(it, b'-' | b' ')).count();
    if dashes < 4 {
        return (Label::None, start);
    }
    (label_of(&before[at..]), earliest + at - dashes)
}

/// What stands behind the lines, and where it ends.
fn label_behind(bytes: &[u8], end: usize) -> (Label, usize) {
    let latest = bytes.len().min(end + 2 * MOST_DRESSING);
    let behind = &bytes[end..latest];
    let marks = [&b"END "[..], b"Private-MAC:"];
    let found = marks.iter().filter_map(|it| memchr::memmem::find(behind, it)).min();
    let Some(at) = found else { return (Label::None, end) };
    if memchr::memmem::find(&behind[..at], b"BEGIN ").is_some() {
        return (Label::None, end);
    }
    if behind[at..].starts_with(b"Private-MAC:") {
        let length = behind[at..].iter().take_while(|it| !matches!(it, b'\n' | b'\r')).count();
        return (Label::Private, end + at + length);
    }
    if !behind[..at].ends_with(b"-") && !behind[..at].ends_with(b"- ") {
        return (Label::None, end);
    }
    let label = label_of(&behind[at..]);
    // To the end of its dashes.
    let word = behind[at..]
        .iter()
        .take(60)
        .take_while(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || **it == b' ')
        .count();
    let dashes = behind[at + word..].iter().take(5).take_while(|it| **it == b'-').count();
    (label, end + at + word + dashes)
}

fn label_of(text: &[u8]) -> Label {
    let line = &text[..text.len().min(60)];
    if memchr::memmem::find(line, b"PRIVATE KEY").is_some() { Label::Private } else { Label::Other }
}
