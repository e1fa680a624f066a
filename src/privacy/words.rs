//! Whether a value is made of words or of chance: the part of its letters and digits that no word
//! explains.

use std::sync::LazyLock;

const TRIGRAMS: &str = include_str!("tables/trigrams.txt");
/// A run of digits up to this length belongs to the word beside it (`Summer2024`, `utf16`).
const MOST_DIGITS_OF_A_WORD: usize = 4;
/// What stands in many languages of programs and is no word of any dictionary.
const SHORT_WORDS: &[&str] = &[
    "id", "db", "to", "in", "on", "of", "is", "or", "my", "no", "go", "js", "ts", "py", "rs", "io",
    "ip", "ui", "vm", "os", "up", "by", "at", "as", "ok", "rc", "dev", "sha", "md", "utf", "aes",
    "rsa", "hmac", "http", "https", "html", "json", "xml", "yaml", "tls", "ssl", "ssh", "tcp",
    "udp", "url", "uri", "uuid", "sql", "css", "jwt", "api", "aws", "gcp", "cbc", "gcm", "ctr",
    "ecb", "pbkdf", "bcrypt", "scrypt", "argon", "pkcs", "oauth", "oidc", "saml", "ldap", "gpt",
    "llm", "kwargs", "mysql", "redis", "nginx", "kubectl", "grpc", "ecdsa", "ecdh", "crc", "fnv",
    "xyz", "abc", "qwerty", "asdf", "lorem", "ipsum",
];

/// What a value is made of. Counts are of characters.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shape {
    pub(super) n_characters: usize,
    pub(super) n_lower: usize,
    pub(super) n_upper: usize,
    pub(super) n_digits: usize,
    /// Neither letters nor digits, and no blanks.
    pub(super) n_symbols: usize,
    pub(super) n_blanks: usize,
    /// Letters outside ASCII.
    pub(super) n_wide: usize,
    /// Letters and digits that belong to no word and to no short number.
    pub(super) n_unexplained: usize,
    /// How many different characters there are; up to 64 are told apart.
    pub(super) n_distinct: u32,
}

impl Shape {
    /// Letters and digits.
    pub(super) fn n_alphanumeric(&self) -> usize {
        self.n_lower + self.n_upper + self.n_digits + self.n_wide
    }

    /// How many of lower case, upper case and digits occur.
    pub(super) fn n_classes(&self) -> usize {
        usize::from(self.n_lower > 0)
            + usize::from(self.n_upper > 0)
            + usize::from(self.n_digits > 0)
    }

    /// Unexplained characters in a hundred letters and digits.
    pub(super) fn unexplained_percent(&self) -> usize {
        self.n_unexplained * 100 / self.n_alphanumeric().max(1)
    }
}

/// Looks at a value once.
pub(super) fn shape(value: &str) -> Shape {
    let mut shape = Shape::default();
    let mut seen = 0_u64;
    for character in value.chars() {
        shape.n_characters += 1;
        seen |= 1 << (u32::from(character) & 63);
        match character {
            'a'..='z' => shape.n_lower += 1,
            'A'..='Z' => shape.n_upper += 1,
            '0'..='9' => shape.n_digits += 1,
            _ if character.is_alphabetic() => shape.n_wide += 1,
            _ if character.is_whitespace() => shape.n_blanks += 1,
            _ => shape.n_symbols += 1,
        }
    }
    shape.n_distinct = seen.count_ones();
    let bytes = value.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let run = run_of(bytes, at, u8::is_ascii_alphanumeric);
        if run == 0 {
            at += 1;
            continue;
        }
        shape.n_unexplained += n_unexplained(&bytes[at..at + run]);
        at += run;
    }
    shape
}

fn run_of(bytes: &[u8], at: usize, is: fn(&u8) -> bool) -> usize {
    bytes[at..].iter().take_while(|it| is(it)).count()
}

/// Of a run of letters and digits those that no word explains.
fn n_unexplained(run: &[u8]) -> usize {
    let (mut at, mut unexplained) = (0, 0);
    let mut after_word = true;
    while at < run.len() {
        let n_digits = run_of(run, at, u8::is_ascii_digit);
        if n_digits > 0 {
            let is_last = at + n_digits == run.len();
            let before_word =
                !is_last && is_word(&run[at + n_digits..][..hump(&run[at + n_digits..])]);
            if n_digits > MOST_DIGITS_OF_A_WORD || !(after_word && (is_last || before_word)) {
                unexplained += n_digits;
            }
            at += n_digits;
            continue;
        }
        let length = hump(&run[at..]);
        let is_all = length == run.len();
        after_word = is_word(&run[at..at + length]) || (is_all && length <= 2);
        if !after_word {
            unexplained += length;
        }
        at += length;
    }
    unexplained
}

/// The letters of the next word of a name: `user` of `userName`, `HTTP` of `HTTPServer`, `Some` of
/// `SomeOne`.
fn hump(letters: &[u8]) -> usize {
    let n_upper = run_of(letters, 0, u8::is_ascii_uppercase);
    let n_lower = run_of(letters, n_upper, u8::is_ascii_lowercase);
    if n_upper > 1 && n_lower > 0 { n_upper - 1 } else { n_upper + n_lower }
}

/// Whether letters look like a word: most of their trigrams are those of words.
fn is_word(letters: &[u8]) -> bool {
    if letters.len() < 3 {
        return is_short_word(letters);
    }
    let known = letters.windows(3).filter(|it| TABLE.knows(it)).count();
    known * 10 >= (letters.len() - 2) * 7 || is_short_word(letters)
}

fn is_short_word(letters: &[u8]) -> bool {
    letters.len() <= 6 && SHORT_WORDS.iter().any(|it| it.as_bytes().eq_ignore_ascii_case(letters))
}

/// Which of the 26 * 26 * 26 trigrams words have.
struct Trigrams(Box<[u32; 26 * 26]>);

static TABLE: LazyLock<Trigrams> = LazyLock::new(|| {
    let mut table = Box::new([0_u32; 26 * 26]);
    let lines = TRIGRAMS.lines().filter(|it| !it.starts_with('#'));
    for item in lines.flat_map(str::split_ascii_whitespace) {
        let Some((first_two, thirds)) = item.split_once(':') else { continue };
        let [first, second] = first_two.as_bytes() else { continue };
        for third in thirds.bytes() {
            table[letter(*first) * 26 + letter(*second)] |= 1 << letter(third);
        }
    }
    Trigrams(table)
});

impl Trigrams {
    fn knows(&self, letters: &[u8]) -> bool {
        self.0[letter(letters[0]) * 26 + letter(letters[1])] >> letter(letters[2]) & 1 == 1
    }
}

/// From 0; of any byte some number below 26.
fn letter(byte: u8) -> usize {
    usize::from(byte.to_ascii_lowercase().wrapping_sub(b'a')) % 26
}

#[cfg(test)]
mod tests {
    use super::shape;

    #[test]
    fn words_are_explained_and_chance_is_not() {
        for value in [
            "claude-3-sonnet",
            "somebody/Bert2-0.5B-Instruct",
            "pbkdf2_sha256",
            "tokenizer_path",
            "getUserName",
            "HTTPServerError",
            "utf-8",
            "my-secret-name-1",
            "Summer2024",
            "application/json",
        ] {
            assert!(shape(value).unexplained_percent() < 25, "{value} {:?}", shape(value));
        }
        for value in ["qwXmRtYpLkJhGfZv", "4fK9xQ2mZr7Lp3Wd", "9f8e7d6c5b4a39281706", "x7kqz2vt9"] {
            assert!(shape(value).unexplained_percent() > 60, "{value} {:?}", shape(value));
        }
    }
}
