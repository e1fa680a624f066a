//! Names whose values are secrets: which word of the name says so, and what in the name speaks
//! against it.

use std::ops::Range;
use std::sync::LazyLock;

const TABLE: &str = include_str!("tables/names.txt");
const BESIDE: &str = include_str!("tables/name_words.txt");
/// The most that is looked at of a name on either side of its word.
const MOST_CHARACTERS_BESIDE: usize = 48;

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
    behind: Vec<&'static str>,
    before: Vec<&'static str>,
    joined_before: Vec<&'static str>,
    joined_behind: Vec<&'static str>,
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
        of_label.extend(line.split_ascii_whitespace());
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
    let before = text[..word.start].chars().rev().take_while(|it| is_name(*it));
    let start = word.start - bytes_of(before);
    let behind = text[word.end..].chars().take_while(|it| is_name(*it));
    let end = word.end + bytes_of(behind);
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
        let mut last = "";
        words_of(rest, |it| last = it);
        if is_one_of(last, &WORDS.behind)
            || (entry.is_whole && !last.is_empty() && !is_one_of(last, &WORDS.joined_behind))
        {
            return None;
        }
    }
    if is_one_of(the_word, BEFORE_MATTERS_FOR) {
        let mut last = "";
        words_of(&text[start..word.start], |it| last = it);
        if is_one_of(last, &WORDS.before) {
            return None;
        }
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
        || std::str::from_utf8(before).is_ok_and(|it| is_one_of(it, &WORDS.joined_before));
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

/// How many bytes the characters have, of a name of usual length.
fn bytes_of(characters: impl Iterator<Item = char>) -> usize {
    characters.take(MOST_CHARACTERS_BESIDE).map(char::len_utf8).sum()
}

fn is_one_of(word: &str, among: &[&str]) -> bool {
    among.iter().any(|it| it.eq_ignore_ascii_case(word))
}

/// The words of a part of a name: `user_name`, `userName`, `USER-NAME`, `HTTPServer`.
fn words_of<'a>(part: &'a str, mut each: impl FnMut(&'a str)) {
    let bytes = part.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_alphabetic() {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() && bytes[at].is_ascii_uppercase() {
            at += 1;
        }
        if at - start > 1 && at < bytes.len() && bytes[at].is_ascii_lowercase() {
            at -= 1;
        } else {
            while at < bytes.len() && bytes[at].is_ascii_lowercase() {
                at += 1;
            }
        }
        each(&part[start..at]);
    }
}
