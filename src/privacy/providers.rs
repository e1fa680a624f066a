//! Tokens that a provider gives a form of its own: a table of forms, and how a text is held against
//! one.

use std::ops::Range;

use super::entropy::shannon;

const TABLE: &str = include_str!("tables/providers.txt");
/// How far behind a provider's name its token may stand, in its line.
const BYTES_BEHIND_NAME: usize = 160;
/// The most characters where a form has no end.
const MOST_CHARACTERS: usize = 16_384;

/// A provider's token.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) name: &'static str,
    pieces: Vec<Piece>,
    /// Which of the pieces is the keyword, and how many bytes the pieces before it have.
    keyword: Option<(usize, usize)>,
    least_entropy: f64,
    /// In lower case; one of them stands before the token, or none is needed.
    pub(super) near: Vec<&'static str>,
}

/// A part of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Literal(&'static str),
    Characters { alphabet: Alphabet, least: usize, most: usize },
}

/// Which ASCII characters: a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Alphabet(u128);

impl Alphabet {
    fn new(name: u8) -> Option<Self> {
        const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
        const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        const DIGITS: &[u8] = b"0123456789";
        let parts: &[&[u8]] = match name {
            b'd' => &[DIGITS],
            b'h' => &[DIGITS, b"abcdef"],
            b'H' => &[DIGITS, b"ABCDEF"],
            b'x' => &[DIGITS, b"abcdefABCDEF"],
            b'l' => &[LOWER],
            b'a' => &[LOWER, UPPER],
            b'k' => &[LOWER, DIGITS],
            b'u' => &[UPPER, DIGITS],
            b'w' => &[LOWER, UPPER, DIGITS],
            b's' => &[LOWER, UPPER, DIGITS, b"-_"],
            b'v' => &[LOWER, UPPER, DIGITS, b"-_."],
            b'b' => &[LOWER, UPPER, DIGITS, b"+/-_"],
            b'2' => &[UPPER, b"234567"],
            b'c' => &[b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"],
            b'z' => &[b"QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"],
            _ => return None,
        };
        let bits = parts.iter().flat_map(|it| it.iter()).fold(0, |bits, it| bits | 1_u128 << it);
        Some(Self(bits))
    }

    fn has(self, byte: u8) -> bool {
        byte < 128 && self.0 >> byte & 1 == 1
    }
}

/// The whole table.
///
/// # Panics
/// Where a line is none of the table's, which a test would have seen.
pub(super) fn table() -> Vec<Provider> {
    let lines = TABLE.lines().filter(|it| !it.is_empty() && !it.starts_with('#'));
    lines.map(|it| Provider::read(it).unwrap_or_else(|| panic!("no provider: {it}"))).collect()
}

impl Provider {
    fn read(line: &'static str) -> Option<Self> {
        let mut columns = line.split_ascii_whitespace();
        let (name, form, entropy) = (columns.next()?, columns.next()?, columns.next()?);
        let near: Vec<&str> = columns.filter(|it| *it != "-").collect();
        let least_entropy = if entropy == "-" { 0.0 } else { entropy.parse().ok()? };
        let pieces = pieces_of(form)?;
        let mut longest: Option<(usize, usize, usize)> = None;
        let mut n_before = Some(0);
        for (index, piece) in pieces.iter().enumerate() {
            let length = match piece {
                Piece::Literal(text) => {
                    // Behind a first piece of any length the keyword is the literal that follows at
                    // once.
                    let before = n_before.or((index == 1).then_some(0));
                    if let Some(before) = before
                        && longest.is_none_or(|(_, _, length)| length < text.len())
                    {
                        longest = Some((index, before, text.len()));
                    }
                    Some(text.len())
                }
                Piece::Characters { least, most, .. } => (least == most).then_some(*least),
            };
            n_before = n_before.zip(length).map(|(before, length)| before + length);
        }
        let keyword = longest.map(|(index, before, _)| (index, before));
        Some(Self { name, pieces, keyword, least_entropy, near })
    }

    /// What the text is searched for: the form's literal, or the words near it.
    pub(super) fn keywords(&self) -> Vec<&'static str> {
        match self.keyword.map(|(index, _)| self.pieces[index]) {
            Some(Piece::Literal(text)) if self.near.is_empty() => vec![text],
            _ => self.near.clone(),
        }
    }

    /// The token that has the keyword at `place`, and how far the text was read for it.
    pub(super) fn token_at(&self, text: &str, place: usize) -> (Option<Range<usize>>, usize) {
        let mut read_until = place;
        let start = self.start_of(text, place);
        let token = start.and_then(|it| self.token_from(text, it, &mut read_until));
        (token, read_until)
    }

    /// Where a token would begin that has the keyword at `place`.
    fn start_of(&self, text: &str, place: usize) -> Option<usize> {
        let start = match (self.keyword?, self.pieces[0]) {
            ((1, _), Piece::Characters { alphabet, most, .. }) => {
                let before = text.as_bytes()[..place].iter().rev().take(most);
                place - before.take_while(|it| alphabet.has(**it)).count()
            }
            ((_, n_before), _) => place.checked_sub(n_before)?,
        };
        Some(start)
    }

    /// The tokens that stand behind one of the words that they must be near, in its line; and where
    /// that ends.
    pub(super) fn tokens_near(&self, text: &str, word_end: usize) -> (Vec<Range<usize>>, usize) {
        let bytes = text.as_bytes();
        let mut tokens = Vec::new();
        let latest = bytes.len().min(word_end + BYTES_BEHIND_NAME);
        let line =
            memchr::memchr(b'\n', &bytes[word_end..latest]).map_or(latest, |it| word_end + it);
        let mut assigned = false;
        let mut at = word_end;
        while at < line {
            if assigned && let Some(token) = self.token_from(text, at, &mut 0) {
                at = token.end;
                tokens.push(token);
                continue;
            }
            let was_token = is_token(bytes[at]);
            assigned |= b"=:(>,".contains(&bytes[at]);
            at += 1;
            while was_token && at < line && is_token(bytes[at]) {
                at += 1;
            }
        }
        (tokens, line)
    }

    /// The token that begins at `start`, standing on its own and random enough.
    fn token_from(&self, text: &str, start: usize, read_until: &mut usize) -> Option<Range<usize>> {
        let bytes = text.as_bytes();
        if !begins_at(bytes, start) {
            return None;
        }
        let mut at = start;
        let mut last = None;
        for (index, piece) in self.pieces.iter().enumerate() {
            match *piece {
                Piece::Literal(literal) => {
                    if !bytes[at..].starts_with(literal.as_bytes()) {
                        return None;
                    }
                    at += literal.len();
                    last = None;
                }
                Piece::Characters { alphabet, least, most } => {
                    let most = most.min(MOST_CHARACTERS);
                    let run = bytes[at..].iter().take(most).take_while(|it| alphabet.has(**it));
                    let mut n = run.count();
                    // What follows may be of the same alphabet.
                    if let Some(Piece::Literal(next)) = self.pieces.get(index + 1)
                        && alphabet.has(next.as_bytes()[0])
                        && least != most
                    {
                        n = memchr::memmem::find(&bytes[at..at + n], next.as_bytes())
                            .filter(|it| *it >= least)
                            .unwrap_or(n);
                    }
                    *read_until = at + n;
                    if n < least {
                        return None;
                    }
                    at += n;
                    last = Some(alphabet);
                }
            }
        }
        *read_until = at;
        let goes_on = bytes.get(at).is_some_and(|it| {
            last.is_some_and(|alphabet| it.is_ascii_alphanumeric() || alphabet.has(*it))
        });
        let token = text.get(start..at)?;
        if goes_on || token.is_empty() || shannon(token) < self.least_entropy {
            return None;
        }
        // A form that is nothing but so many characters of any letters: a hash of a commit is none.
        let is_any =
            matches!(self.pieces[..], [Piece::Characters { alphabet, .. }] if alphabet.has(b'z'));
        let has = |is: fn(&u8) -> bool| token.bytes().any(|it| is(&it));
        let is_of_no_provider = is_any
            && !(has(u8::is_ascii_digit) && has(|it| matches!(it, b'g'..=b'z' | b'G'..=b'Z')));
        let is_words =
            !self.near.is_empty() && super::words::shape(token).unexplained_percent() < 50;
        (!is_of_no_provider && !is_words && !token.contains("EXAMPLE")).then_some(start..at)
    }
}

/// Whether a token may begin here: not within a word, but behind a written line break or `%3D`.
fn begins_at(bytes: &[u8], start: usize) -> bool {
    match bytes[..start] {
        [.., b'%', _, _] => true,
        [.., b'\\', b'n' | b'r' | b't'] => true,
        [.., before] => !before.is_ascii_alphanumeric(),
        [] => true,
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_".contains(&byte)
}

fn pieces_of(form: &'static str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = form;
    while !rest.is_empty() {
        let (literal, after) = rest.split_once('<').unwrap_or((rest, ""));
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        if after.is_empty() {
            break;
        }
        let (class, behind) = after.split_once('>')?;
        let alphabet = Alphabet::new(*class.as_bytes().first()?)?;
        let counts = &class[1..];
        let (least, most) = match (counts.strip_suffix('+'), counts.split_once('-')) {
            (Some(least), _) => (least.parse().ok()?, usize::MAX),
            (None, Some((least, most))) => (least.parse().ok()?, most.parse().ok()?),
            (None, None) => (counts.parse().ok()?, counts.parse().ok()?),
        };
        pieces.push(Piece::Characters { alphabet, least, most });
        rest = behind;
    }
    Some(pieces)
}
