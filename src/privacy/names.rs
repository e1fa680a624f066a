//! Names whose values are secrets: which word of the name says so, and what in the name speaks
//! against it.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

const TABLE: &str = include_str!("tables/names.txt");
const BESIDE: &str = include_str!("tables/name_words.txt");
/// The most that is looked at of a name on either side of its word.
const MOST_CHARACTERS_BESIDE: usize = 48;
/// The most from the first that is not ASCII on, which is dear to tell.
const MOST_WIDE_CHARACTERS_BESIDE: usize = 12;

/// How sure a name makes it that its value is a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Weak,
    Likely,
    Certain,
    /// Certain, and it may be a number or a few words.
    Exact,
}

/// A line of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct NameWord {
    level: Level,
    is_whole: bool,
}

/// A name in a text.
#[derive(Debug, Clone)]
pub(super) struct Name {
    pub(super) level: Level,
    /// The whole identifier, without a path before it.
    pub(super) range: Range<usize>,
}

/// Words beside the word of a name.
#[derive(Debug, Default)]
struct Words {
    behind: WordSet,
    before: WordSet,
    joined_before: WordSet,
    joined_behind: WordSet,
}

/// Words of ASCII in lower case.
#[derive(Debug, Default)]
struct WordSet(HashSet<&'static [u8]>);

impl WordSet {
    /// Whether it has a word, in any case.
    fn has(&self, word: &[u8]) -> bool {
        let mut lower = [0_u8; MOST_CHARACTERS_BESIDE];
        let Some(lower) = lower.get_mut(..word.len()) else { return false };
        lower.copy_from_slice(word);
        lower.make_ascii_lowercase();
        !word.is_empty() && self.0.contains(&*lower)
    }
}

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let mut words = Words::default();
    for line in BESIDE.lines().filter(|it| !it.is_empty() && !it.starts_with('#')) {
        let (label, line) = line.split_once(": ").expect("a test reads the table");
        let of_label = match label {
            "behind" => &mut words.behind,
            "before" => &mut words.before,
            "joined-before" => &mut words.joined_before,
            "joined-behind" => &mut words.joined_behind,
            _ => panic!("no label: {label}"),
        };
        of_label.0.extend(line.split_ascii_whitespace().map(str::as_bytes));
    }
    words
});

/// Words that such words do not take a secret from: what comes before a password is of no
/// importance.
const BEFORE_MATTERS_FOR: &[&str] =
    &["token", "key", "keys", "auth", "signature", "cookie", "pass", "seed", "license"];

/// A word as the text is searched for, and what it says.
pub(super) fn table() -> Vec<(String, NameWord)> {
    let mut words = Vec::new();
    for line in TABLE.lines().filter(|it| !it.is_empty() && !it.starts_with('#')) {
        let (level, word) = line.split_once(' ').expect("a test reads the table");
        let level = match level {
            "weak" => Level::Weak,
            "likely" => Level::Likely,
            "certain" => Level::Certain,
            "exact" => Level::Exact,
            _ => panic!("no level: {line}"),
        };
        let (word, is_whole) = word.strip_prefix('=').map_or((word, false), |it| (it, true));
        let separators: &[&str] =
            if word.contains('_') { &["", "_", "-", ".", " "] } else { &[""] };
        for separator in separators {
            words.push((word.replace('_', separator), NameWord { level, is_whole }));
        }
    }
    words
}

/// The name that has the word at `word`, if its other words do not speak against a secret.
pub(super) fn name_at(text: &str, word: Range<usize>, entry: NameWord) -> Option<Name> {
    if entry.is_whole && !is_whole_word(text.as_bytes(), &word) {
        return None;
    }
    let start = start_of_name(text, word.start);
    let end = end_of_name(text, word.end);
    let end = word.end + text[word.end..end].trim_end_matches(['-', '.']).len();
    let the_word = &text[word.clone()];
    // A type, as in `AWS::SecretsManager::Secret`.
    if text[..start].ends_with("::") && text.as_bytes()[start].is_ascii_uppercase() {
        return None;
    }
    let behind = &text[word.end..end];
    if !behind.is_empty() {
        // `tokenizer`, `tokenize`, `secretary`, `passwordless`: the word goes on.
        let first = behind.as_bytes()[0];
        let goes_on = first.is_ascii_lowercase()
            && the_word.as_bytes()[the_word.len() - 1].is_ascii_lowercase()
            && the_word.is_ascii();
        let rest = if goes_on { behind.strip_prefix('s').unwrap_or(behind) } else { behind };
        let is_plural = goes_on && rest.bytes().next().is_none_or(|it| !it.is_ascii_lowercase());
        if goes_on && !is_plural && continues(rest) {
            return None;
        }
        let last = last_word_of(rest);
        if WORDS.behind.has(last)
            || (entry.is_whole && !last.is_empty() && !WORDS.joined_behind.has(last))
        {
            return None;
        }
    }
    if is_one_of(the_word, BEFORE_MATTERS_FOR)
        && WORDS.before.has(last_word_of(&text[start..word.start]))
    {
        return None;
    }
    Some(Name { level: entry.level, range: start..end })
}

/// Whether a word that goes on with these letters is another: `token` + `izer`, but not `password`
/// + `prod`.
fn continues(rest: &str) -> bool {
    const ENDINGS: &[&str] = &[
        "iz", "is", "less", "ary", "arial", "ed", "ing", "ly", "ive", "ion", "able", "ful", "ness",
        "ist", "er", "or", "age", "port", "word", "code", "phrase", "through", "thru", "ment",
        "ism", "ity",
    ];
    ENDINGS.iter().any(|it| {
        rest.len() >= it.len() && rest.as_bytes()[..it.len()].eq_ignore_ascii_case(it.as_bytes())
    })
}

/// Whether a word has no letters of the same word beside it. `dbPass` and `DB_PASS` have `pass` as
/// a word, and so has `dbpass`, where what stands before is a usual word.
fn is_whole_word(bytes: &[u8], word: &Range<usize>) -> bool {
    let first_is_upper = bytes[word.start].is_ascii_uppercase();
    let letters_before =
        bytes[..word.start].iter().rev().take(16).take_while(|it| it.is_ascii_alphabetic()).count();
    let before = &bytes[word.start - letters_before..word.start];
    let is_hump = first_is_upper && before.last().is_some_and(u8::is_ascii_lowercase);
    let begins = before.is_empty() && bytes[..word.start].last().is_none_or(|it| it.is_ascii())
        || is_hump
        || WORDS.joined_before.has(before);
    let after = &bytes[word.end..];
    let ends = match after {
        [] => true,
        [it, ..] if it.is_ascii_uppercase() => bytes[word.end - 1].is_ascii_lowercase(),
        [it, ..] => it.is_ascii() && !it.is_ascii_lowercase(),
    };
    begins && ends
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-' | '.')
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// Where a name of usual length begins that reaches up to `at`.
fn start_of_name(text: &str, at: usize) -> usize {
    let before = &text.as_bytes()[at.saturating_sub(MOST_CHARACTERS_BESIDE)..at];
    let n_ascii = before.iter().rev().take_while(|it| is_name_byte(**it)).count();
    let start = at - n_ascii;
    if n_ascii == before.len() || before[before.len() - n_ascii - 1].is_ascii() {
        return start;
    }
    let others = text[..start].chars().rev().take_while(|it| is_name(*it));
    start - others.take(MOST_WIDE_CHARACTERS_BESIDE).map(char::len_utf8).sum::<usize>()
}

/// Where a name of usual length ends that goes on at `at`.
fn end_of_name(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let behind = &bytes[at..bytes.len().min(at + MOST_CHARACTERS_BESIDE)];
    let n_ascii = behind.iter().take_while(|it| is_name_byte(**it)).count();
    if behind.get(n_ascii).is_none_or(u8::is_ascii) {
        return at + n_ascii;
    }
    let others = text[at + n_ascii..].chars().take_while(|it| is_name(*it));
    let n_others = others.take(MOST_WIDE_CHARACTERS_BESIDE).map(char::len_utf8).sum::<usize>();
    at + n_ascii + n_others
}

fn is_one_of(word: &str, among: &[&str]) -> bool {
    among.iter().any(|it| it.eq_ignore_ascii_case(word))
}

/// The last word of a part of a name, of any case: `name` of `user_name` and `userName`, `SERVER`
/// of `HTTP-SERVER1`, `Server` of `HTTPServer`.
fn last_word_of(part: &str) -> &[u8] {
    let bytes = part.as_bytes();
    let n_behind = bytes.iter().rev().take_while(|it| !it.is_ascii_alphabetic()).count();
    let bytes = &bytes[..bytes.len() - n_behind];
    let n_lower = bytes.iter().rev().take_while(|it| it.is_ascii_lowercase()).count();
    let head = &bytes[..bytes.len() - n_lower];
    let n_upper = head.iter().rev().take_while(|it| it.is_ascii_uppercase()).count();
    let n_of_word = match (n_lower, n_upper) {
        (0, n_upper) => n_upper,
        // `Name`, and `AName`, of which the first letter is a word of its own.
        (n_lower, n_upper) => n_lower + n_upper.min(1),
    };
    &bytes[bytes.len() - n_of_word..]
}
