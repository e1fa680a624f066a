//! Whether the value of a name is a secret, or words, a number, a place, a template.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::names::Level;
use super::words::{Shape, shape};

/// How a value stands in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// In quotes, or in a place that holds nothing but values.
    Quoted,
    /// Bare, in a file of settings or a command.
    Bare,
    /// Bare, where code or prose may stand.
    BareInCode,
}

/// What people write where a secret would stand.
const PLACEHOLDERS: &[&str] = &[
    "example",
    "placeholder",
    "your",
    "changeme",
    "change_me",
    "change-me",
    "redacted",
    "dummy",
    "xxxx",
    "....",
    "****",
    "replace",
    "insert",
    "todo",
    "fixme",
    "sample",
    "fake",
    "undefined",
    "not_set",
    "notset",
    "keyside_secret_",
    "<",
];
const SEQUENCES: &[&str] = &[
    "00010203040506",
    "0011223344556677",
    "abcdefghijklmnopqrstuvwxyz",
    "0123456789",
    "1234567890",
    "abcdefghij",
    "qwertyuiop",
    "abcdef0123456789",
    "deadbeef",
    "9876543210",
];

/// What may stand anywhere in a value that is made up.
const EXAMPLE_SEQUENCES: &[&str] = &["a1b2c3", "1a2b3c"];

static PLACEHOLDER_WORDS: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| in_any_case(PLACEHOLDERS.iter()));
/// Those of `SEQUENCES`, and then the others.
static SEQUENCE_WORDS: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| in_any_case(SEQUENCES.iter().chain(EXAMPLE_SEQUENCES)));

fn in_any_case<'a>(words: impl Iterator<Item = &'a &'static str>) -> Option<AhoCorasick> {
    AhoCorasick::builder().ascii_case_insensitive(true).build(words).ok()
}

/// Whether a value is a secret, with a name that says so at a level.
pub(super) fn is_secret(value: &str, level: Level, standing: Standing) -> bool {
    if value.len() < 4 {
        return false;
    }
    if value.contains(char::is_whitespace) {
        return is_phrase(value, level);
    }
    let shape = shape(value);
    // What speaks for it first: it is told by the shape alone, and most values are words.
    let is_number = value.bytes().all(|it| it.is_ascii_digit() || b".,:+-_/".contains(&it));
    let may_be = if is_number {
        level == Level::Exact
            && standing != Standing::BareInCode
            && shape.n_digits == value.len()
            && (4..=16).contains(&value.len())
            && shape.n_distinct > 2
    } else {
        match level {
            Level::Exact | Level::Certain => is_password(value, &shape, standing),
            Level::Likely => {
                let least = if standing == Standing::BareInCode { 16 } else { 10 };
                shape.n_characters >= least && looks_random(value, &shape, 6, 40)
            }
            Level::Weak => {
                shape.n_characters >= 20
                    && shape.n_classes() == 3
                    && standing != Standing::BareInCode
                    && looks_random(value, &shape, 14, 70)
            }
        }
    };
    may_be && !is_something_else(value, &shape, level)
}

/// Whether a value that looks like a secret is a placeholder, a reference, a name or a number.
fn is_something_else(value: &str, shape: &Shape, level: Level) -> bool {
    let n_escapes = value.matches("\\x").count();
    is_placeholder(value, shape)
        || is_reference(value, shape)
        || (n_escapes > 0 && (n_escapes < 8 || level < Level::Certain))
        || is_of_code(value, shape)
        || value.contains("\\u")
        || is_name_of_constant(value, shape)
        || is_number_of_code(value)
}

/// Long enough a part is of no word, and there are digits, or many letters in any case.
fn looks_random(value: &str, shape: &Shape, least: usize, least_percent: usize) -> bool {
    let has_digits_and_letters = shape.n_digits > 0 && shape.n_lower + shape.n_upper > 0;
    let letters_alone =
        shape.n_digits == 0 && shape.n_alphanumeric() >= 16 && shape.unexplained_percent() >= 70;
    (has_digits_and_letters || letters_alone)
        && shape.n_unexplained >= least
        && shape.unexplained_percent() >= least_percent
        && !is_path(value, shape)
}

/// What somebody would choose or a program would make as a password.
fn is_password(value: &str, shape: &Shape, standing: Standing) -> bool {
    let n = shape.n_characters;
    if is_path(value, shape) {
        return false;
    }
    let least = if standing == Standing::BareInCode { 8 } else { 6 };
    if n < least {
        return false;
    }
    let has_letters = shape.n_lower + shape.n_upper + shape.n_wide > 0;
    let percent = shape.unexplained_percent();
    if shape.n_digits > 0 && has_letters {
        if standing == Standing::BareInCode {
            return shape.n_unexplained >= 6 && percent >= 40;
        }
        let random = shape.n_unexplained >= 4 && percent >= 30;
        let symbols = shape.n_symbols - count_of(value, b"-_./:,");
        let chosen = symbols > 0 && (n >= 8 || symbols > 1) && !is_code(value);
        return random || chosen;
    }
    // Letters alone, or with symbols.
    if standing == Standing::BareInCode {
        return false;
    }
    let random_letters = shape.n_symbols == 0 && n >= 10 && percent >= 60 && shape.n_lower > 0;
    let random_with_symbols = shape.n_symbols > 0
        && n >= 10
        && percent >= 60
        && shape.n_unexplained >= 6
        && !is_code(value);
    random_letters || random_with_symbols
}

fn count_of(value: &str, among: &[u8]) -> usize {
    value.bytes().filter(|it| among.contains(it)).count()
}

/// `f(x)`, `a[1]`, `{x}`, `$x`, `%s`, `a + b`: what stands in code, and in templates.
fn is_code(value: &str) -> bool {
    let bytes = value.as_bytes();
    let has_pair = |open: u8, close: u8| {
        memchr::memchr(open, bytes).is_some_and(|at| bytes[at..].contains(&close))
    };
    has_pair(b'(', b')')
        || has_pair(b'[', b']')
        || has_pair(b'{', b'}')
        || has_pair(b'<', b'>')
        || value.contains("%s")
        || value.contains("%d")
        || value.contains("\\u")
        || value.contains("\\x")
        || value.contains("://")
        || value.contains("&&")
        || value.contains("::")
        || value.contains("->")
}

/// Names of files and of algorithms, expressions, formats, addresses written with `%20`.
fn is_of_code(value: &str, shape: &Shape) -> bool {
    const ENDINGS: &[&str] = &[
        "p8", "pem", "key", "der", "crt", "cer", "json", "yaml", "yml", "toml", "txt", "c", "h",
        "rs", "py", "js", "ts", "go", "java", "conf", "cfg", "ini", "xml", "html", "png", "svg",
        "sh", "md", "bin", "dat", "db", "p12", "pfx", "jks", "csv", "log", "php", "rb",
    ];
    let is_file =
        value.rsplit_once('.').is_some_and(|(stem, it)| stem.len() > 2 && ENDINGS.contains(&it));
    let is_expression =
        ["a-z", "A-Z", "0-9", "(?", "\\w", "\\d", "\\s"].iter().any(|it| value.contains(it));
    let is_format = value.contains("%s") || value.contains("%d");
    let is_algorithm =
        value.contains("25519") || value.contains("448") || value.contains("secp256");
    let words = shape.unexplained_percent() < 70;
    (words && (is_file || is_format || (is_algorithm && value.len() < 32)))
        || (is_expression && value.contains(['[', '(', '\\']))
        || value.matches('%').count() * 4 > value.len()
}

/// `SOME_NAME2`.
fn is_name_of_constant(value: &str, shape: &Shape) -> bool {
    shape.n_lower == 0
        && shape.n_upper > 0
        && value.contains('_')
        && value.bytes().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_')
        && shape.unexplained_percent() < 60
}

/// `16384u32`, `0x1F`, `10ms`, `1.5f`.
fn is_number_of_code(value: &str) -> bool {
    let number = value.trim_start_matches('-');
    let digits =
        number.bytes().take_while(|it| it.is_ascii_digit() || *it == b'_' || *it == b'.').count();
    let rest = &number[digits..];
    let suffix = digits > 0 && rest.len() <= 5 && rest.bytes().all(|it| it.is_ascii_alphanumeric());
    let suffix = suffix
        && (rest
            .starts_with(['u', 'i', 'f', 'U', 'L', 'm', 's', 'k', 'K', 'M', 'n', 'h', 'd', 'e']));
    let hex = number.len() <= 20 && number.strip_prefix("0x").is_some_and(|it| it.len() <= 18);
    suffix || hex
}

/// A passphrase of a few words in lower case, or the words that a wallet is made again from.
fn is_phrase(value: &str, level: Level) -> bool {
    if level < Level::Exact || value.len() > 400 {
        return false;
    }
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    (12..=25).contains(&words.len())
        && words
            .iter()
            .all(|it| (3..=8).contains(&it.len()) && it.bytes().all(|it| it.is_ascii_lowercase()))
}

/// What stands for a secret and is none.
fn is_placeholder(value: &str, shape: &Shape) -> bool {
    if shape.n_distinct < 4 || (shape.n_characters > 12 && shape.n_distinct < 6) {
        return true;
    }
    if value.len() > 200 {
        return false;
    }
    if value.contains("EXAMPLE") || value.contains("...") {
        return true;
    }
    let is_word = shape.n_unexplained < 8 || shape.unexplained_percent() < 60;
    if is_word && PLACEHOLDER_WORDS.as_ref().is_some_and(|it| it.is_match(value)) {
        return true;
    }
    let is_beginning = |it: &&str| {
        it.as_bytes().get(..value.len()).is_some_and(|it| it.eq_ignore_ascii_case(value.as_bytes()))
    };
    if value.len() >= 6 && SEQUENCES.iter().any(is_beginning) {
        return true;
    }
    let Some(sequences) = SEQUENCE_WORDS.as_ref() else { return false };
    let is_sequence = |pattern: usize| {
        SEQUENCES.get(pattern).is_none_or(|sequence| sequence.len() * 2 > value.len())
    };
    sequences.find_overlapping_iter(value).any(|it| is_sequence(it.pattern().as_usize()))
}

/// Variables, templates, addresses and other things that name where a value is.
fn is_reference(value: &str, shape: &Shape) -> bool {
    let bytes = value.as_bytes();
    let templated = value.contains("${")
        || value.contains("{{")
        || value.contains("$(")
        || value.contains("#{")
        || value.contains("<%")
        || (bytes[0] == b'{' && bytes[bytes.len() - 1] == b'}')
        || (bytes[0] == b'<' && bytes[bytes.len() - 1] == b'>')
        || (bytes[0] == b'%' && bytes[bytes.len() - 1] == b'%')
        || (bytes[0] == b'@' && bytes[bytes.len() - 1] == b'@');
    let variable = bytes[0] == b'$'
        && bytes[1..].iter().all(|it| it.is_ascii_alphanumeric() || b"_:.".contains(it))
        && shape.n_unexplained < 8;
    let address = value.contains("://")
        || value.starts_with("arn:")
        || value.starts_with("data:")
        || value.starts_with("mailto:");
    let hashed = ["sha1-", "sha256-", "sha384-", "sha512-", "sha1:", "sha256:", "sha512:", "md5:"]
        .iter()
        .any(|it| value.starts_with(it));
    templated || variable || address || hashed
}

/// A path or a name of a thing of code: parts that are words, joined by `/`, `.`, `:` or `-`.
fn is_path(value: &str, shape: &Shape) -> bool {
    let bytes = value.as_bytes();
    let starts = bytes[0] == b'/'
        || value.starts_with("./")
        || value.starts_with("../")
        || value.starts_with("~/");
    let separators = count_of(value, b"/.:-_");
    // A mail address, a number of bytes, a colour.
    let mail = shape.n_symbols > 0
        && value.contains('@')
        && value.rsplit_once('@').is_some_and(|(_, host)| host.contains('.') && is_host(host));
    (starts && shape.unexplained_percent() < 50)
        || (separators > 2 && shape.unexplained_percent() < 25)
        || mail
}

fn is_host(text: &str) -> bool {
    text.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'.' || it == b'-')
        && text
            .rsplit('.')
            .next()
            .is_some_and(|it| it.len() >= 2 && it.bytes().all(|it| it.is_ascii_lowercase()))
}
