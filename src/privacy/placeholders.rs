//! Secrets out of the texts of one request, and back into its answer.
//!
//! A secret that was found once is taken out wherever it stands in any text of the request, also where no
//! rule would see it: a variable's value in one file is a bare word in another (a short one only as a word
//! of its own). What stands for it is an identifier that survives in string literals, in code and in a
//! model's answer, and the same secret has the same one everywhere, so that a model can still tell that two
//! places hold the same.
//!
//! What holds secrets here prints none of them, whatever prints it.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::occurrences::Occurrences;
use super::redact::{Finding, Redactor};

/// How placeholders begin, unless a text of the request has it already.
const STEM: &str = "KEYSIDE_SECRET_";
/// Of all stems, this one and those that take its place.
const ANY_STEM_BEGINS: &str = "KEYSIDE_";
const ANY_STEM_ENDS: &str = "SECRET_";
/// Secrets shorter than this are not looked for within words.
const LEAST_BYTES_WITHIN_WORDS: usize = 8;

/// A text of a request and, where it has one, its path.
pub type NamedText<'a> = (&'a str, Option<&'a str>);

/// A text without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedactedText {
    pub text: String,
    /// What rules found in the text as it was. Other places of the same secrets are replaced too.
    pub findings: Vec<Finding>,
    /// How many places were replaced.
    pub n_replaced: usize,
}

/// The secrets of one request and what stands for each.
#[derive(Clone, Default)]
pub struct Placeholders {
    secrets: Arc<Secrets>,
}

/// Both ways. A secret's number is its place in `by_number` and one.
#[derive(Clone, Default)]
struct Secrets {
    /// Empty until there is a text.
    stem: String,
    by_number: Vec<String>,
    numbers: HashMap<String, usize>,
    /// What was found, whether it has a number or stands inside of something that has.
    found: HashSet<String>,
}

impl fmt::Debug for Placeholders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Placeholders").field("n_secrets", &self.len()).finish_non_exhaustive()
    }
}

impl Placeholders {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many placeholders have been given.
    pub fn len(&self) -> usize {
        self.secrets.by_number.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the secrets out of all texts of a request, in the order of the texts. Secrets of an earlier
    /// call are taken out as well; texts of an earlier call are not looked at again, so give all at once.
    pub fn redact_all(
        &mut self,
        redactor: &Redactor,
        texts: &[NamedText<'_>],
    ) -> Vec<RedactedText> {
        let secrets = Arc::make_mut(&mut self.secrets);
        if secrets.stem.is_empty() {
            secrets.stem = stem_not_in(texts);
        }
        let mut found = Vec::with_capacity(texts.len());
        for (text, path) in texts {
            let (findings, parts) = redactor.find_with_parts(text, *path);
            for part in &parts {
                let secret = &text[part.clone()];
                if !secrets.found.contains(secret) {
                    secrets.found.insert(secret.to_owned());
                }
            }
            found.push((findings, parts));
        }
        let occurrences = Occurrences::of(secrets.found.iter().map(String::as_str));
        let all_places: Vec<_> = texts.iter().map(|(text, _)| occurrences.places(text)).collect();
        let all = texts.iter().zip(found).zip(all_places);
        let redacted = all.map(|(((text, _), (findings, mut places)), elsewhere)| {
            places.extend(elsewhere.into_iter().filter(|it| is_replaced_elsewhere(text, it)));
            places.sort_by_key(|it| it.start);
            let places = apart(text, places);
            let n_replaced = places.len();
            RedactedText { text: secrets.replace(text, places), findings, n_replaced }
        });
        redacted.collect()
    }

    /// One text; see `redact_all`, which should be used where there are more.
    pub fn redact(
        &mut self,
        redactor: &Redactor,
        text: &str,
        path: Option<&str>,
    ) -> (String, Vec<Finding>) {
        let redacted = self.redact_all(redactor, &[(text, path)]).pop();
        redacted.map(|it| (it.text, it.findings)).unwrap_or_default()
    }

    /// A text with secrets where their placeholders stand. A placeholder that was never given stays.
    pub fn restore(&self, text: &str) -> String {
        let mut restored = String::with_capacity(text.len());
        let mut done_until = 0;
        for place in self.places(text) {
            if let Some(secret) = place.number.and_then(|it| self.secrets.by_number.get(it - 1)) {
                restored.push_str(&text[done_until..place.range.start]);
                restored.push_str(secret);
                done_until = place.range.end;
            }
        }
        restored.push_str(&text[done_until..]);
        restored
    }

    /// Where placeholders stand in a text, in order.
    pub fn places(&self, text: &str) -> Vec<PlaceholderPlace> {
        let secrets = &self.secrets;
        if secrets.by_number.is_empty() {
            return Vec::new();
        }
        let places = text.match_indices(&secrets.stem).map(|(at, _)| {
            let digits = digits_at(text, at + secrets.stem.len());
            // `01` is nothing that was given.
            let number = text[digits.clone()].parse::<usize>().ok();
            let number = number.filter(|it| (1..=secrets.by_number.len()).contains(it));
            let number = number.filter(|_| !text[digits.clone()].starts_with('0'));
            PlaceholderPlace { range: at..digits.end, number }
        });
        places.collect()
    }
}

/// A placeholder in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceholderPlace {
    pub range: Range<usize>,
    /// Which one. `None`: none that was given.
    pub number: Option<usize>,
}

/// The names in a text that look like placeholders, whoever gave them, in the order in which they first stand there.
pub fn names_like_placeholders(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for (at, _) in text.match_indices(ANY_STEM_BEGINS) {
        let rest = &text[at + ANY_STEM_BEGINS.len()..];
        // The number that a stem has where a text has the usual one already.
        let number = &rest[digits_at(rest, 0)];
        let after = rest[number.len()..].strip_prefix('_').filter(|_| !number.is_empty());
        let Some(after) = after.unwrap_or(rest).strip_prefix(ANY_STEM_ENDS) else { continue };
        let digits = digits_at(after, 0);
        let name = &text[at..text.len() - after.len() + digits.end];
        if !digits.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Whether a text is such a name and nothing else.
pub(super) fn is_placeholder(text: &str) -> bool {
    names_like_placeholders(text) == [text]
}

impl Secrets {
    /// The text with a placeholder for each of the places, which are in order and do not overlap.
    fn replace(&mut self, text: &str, places: Vec<Range<usize>>) -> String {
        let mut replaced = String::with_capacity(text.len());
        let mut done_until = 0;
        for place in places {
            replaced.push_str(&text[done_until..place.start]);
            let number = self.number_of(&text[place.clone()]);
            replaced.push_str(&format!("{}{number}", self.stem));
            done_until = place.end;
        }
        replaced.push_str(&text[done_until..]);
        replaced
    }

    fn number_of(&mut self, secret: &str) -> usize {
        if let Some(number) = self.numbers.get(secret) {
            return *number;
        }
        self.by_number.push(secret.to_owned());
        self.numbers.insert(secret.to_owned(), self.by_number.len());
        self.by_number.len()
    }
}

/// The digits from a place on.
fn digits_at(text: &str, start: usize) -> Range<usize> {
    let digits = text.as_bytes()[start..].iter().take_while(|it| it.is_ascii_digit());
    start..start + digits.count()
}

/// Whether a secret goes out where no rule saw it: a short one not within a longer word, or the password
/// `demo` would make a riddle of every `demonstrate`.
fn is_replaced_elsewhere(text: &str, place: &Range<usize>) -> bool {
    let is_word = |it: Option<char>| it.is_some_and(char::is_alphanumeric);
    place.len() >= LEAST_BYTES_WITHIN_WORDS
        || !(is_word(text[..place.start].chars().next_back())
            || is_word(text[place.end..].chars().next()))
}

/// Places in the order of their starts, those that overlap as one, each widened until no digit follows: a
/// digit would read on as a part of the placeholder's number.
fn apart(text: &str, places: Vec<Range<usize>>) -> Vec<Range<usize>> {
    let mut apart: Vec<Range<usize>> = Vec::new();
    for place in places {
        let place = place.start..digits_at(text, place.end).end;
        match apart.last_mut() {
            Some(last) if place.start < last.end => last.end = last.end.max(place.end),
            _ => apart.push(place),
        }
    }
    apart
}

/// The stem, changed until no text has it.
fn stem_not_in(texts: &[NamedText<'_>]) -> String {
    let mut stem = STEM.to_owned();
    let mut n = 0_u64;
    while texts.iter().any(|(text, _)| text.contains(&stem)) {
        n += 1;
        stem = format!("KEYSIDE_{n}_SECRET_");
    }
    stem
}

#[cfg(test)]
#[path = "placeholders_tests.rs"]
mod tests;
