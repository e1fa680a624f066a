//! Secrets that are told by their place: arguments of well-known calls, options and words of
//! well-known commands.

use std::ops::Range;

use super::judge::Standing;
use super::tables::arguments_at;
use super::values::{Judge, Place};

const CALLS: &str = include_str!("tables/calls.txt");
const COMMANDS: &str = include_str!("tables/commands.txt");
/// The longest call and command line that is read.
const MOST_BYTES: usize = 600;

/// A call: which arguments are secrets, from 1.
#[derive(Debug, Clone, Default)]
pub(super) struct Call {
    arguments: Vec<usize>,
}

/// A command: what of its line is secret.
#[derive(Debug, Clone, Default)]
pub(super) struct Command {
    options: Vec<(&'static str, Join)>,
    words: Vec<usize>,
    /// What stands between a user and a password in one word: `user/password`.
    within_word: Option<char>,
}

/// How an option has its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Join {
    Any,
    Joined,
    Apart,
}

/// The calls by name, each once.
pub(super) fn calls() -> Vec<(&'static str, Call)> {
    let mut calls: Vec<(&str, Call)> = Vec::new();
    for line in CALLS.lines().filter(|it| !it.is_empty() && !it.starts_with('#')) {
        let (name, argument) = line.split_once(' ').expect("a test reads the table");
        let argument = argument.parse().expect("a test reads the table");
        match calls.iter_mut().find(|(it, _)| it.eq_ignore_ascii_case(name)) {
            Some((_, call)) => call.arguments.push(argument),
            None => calls.push((name, Call { arguments: vec![argument] })),
        }
    }
    calls
}

/// The commands by name.
pub(super) fn commands() -> Vec<(&'static str, Command)> {
    let mut commands = Vec::new();
    for line in COMMANDS.lines().filter(|it| !it.is_empty() && !it.starts_with('#')) {
        let (names, secrets) = line.split_once('|').expect("a test reads the table");
        let mut command = Command::default();
        for secret in secrets.split_ascii_whitespace() {
            if let Ok(word) = secret.parse() {
                command.words.push(word);
            } else if let Some(option) = secret.strip_suffix('~') {
                command.options.push((option, Join::Joined));
            } else if let Some(option) = secret.strip_suffix('_') {
                command.options.push((option, Join::Apart));
            } else if let Some(rest) = secret.strip_prefix("user") {
                command.within_word = rest.chars().next();
            } else {
                command.options.push((secret, Join::Any));
            }
        }
        commands.extend(names.split_ascii_whitespace().map(|it| (it, command.clone())));
    }
    commands
}

impl Place<'_> {
    /// Shows the judge the arguments of a call whose name is at `name`; `false`: the call has no
    /// end that is near.
    pub(super) fn visit_call(
        &self,
        name: &Range<usize>,
        call: &Call,
        judge: &mut Judge<'_>,
    ) -> bool {
        let bytes = self.text.as_bytes();
        if name.start > 0
            && (bytes[name.start - 1].is_ascii_alphanumeric() || bytes[name.start - 1] == b'_')
        {
            return true;
        }
        let rest = &bytes[name.end..];
        // `call(`, `call (`, `macro!(`, `auth=(`, `require('call')(`
        let gap = if rest.starts_with(b"')") || rest.starts_with(b"\")") {
            2
        } else {
            rest.iter().take(3).take_while(|it| matches!(it, b' ' | b'!' | b'=')).count()
        };
        let open = name.end + gap;
        let arguments = match bytes.get(open) {
            Some(b'(' | b'{') => match arguments_at(self, open, MOST_BYTES) {
                Some((arguments, _)) => arguments,
                None => return false,
            },
            // `http.basic_auth 'user', 'x'`
            Some(b'"' | b'\'') if gap > 0 => self.bare_arguments(open),
            _ => return true,
        };
        for nth in &call.arguments {
            if let Some(argument) = arguments.get(nth - 1) {
                self.visit_argument(argument, judge);
            }
        }
        true
    }

    fn bare_arguments(&self, at: usize) -> Vec<Range<usize>> {
        let bytes = self.text.as_bytes();
        let latest = bytes.len().min(at + MOST_BYTES);
        let end = memchr::memchr(b'\n', &bytes[at..latest]).map_or(latest, |it| at + it);
        let mut arguments = Vec::new();
        let mut start = at;
        for comma in memchr::memchr_iter(b',', &bytes[at..end]) {
            arguments.push(start..at + comma);
            start = at + comma + 1;
        }
        arguments.push(start..end);
        arguments
    }

    /// Shows the judge what is secret in the line of a command whose name is at `name`; where the
    /// line ends.
    pub(super) fn visit_command(
        &self,
        name: &Range<usize>,
        command: &Command,
        judge: &mut Judge<'_>,
    ) -> usize {
        let bytes = self.text.as_bytes();
        let before = bytes[..name.start].last();
        let is_word = before
            .is_none_or(|it| it.is_ascii_whitespace() || b"/\"'`($|;&".contains(it))
            && matches!(bytes.get(name.end), Some(b' ' | b'\t' | b'"' | b'\'' | b'.'));
        if !is_word {
            return name.end;
        }
        let at = name.end + if bytes[name.end..].starts_with(b".exe") { 4 } else { 0 };
        let (words, end) = self.words_of_line(at);
        let mut n_words = 0;
        let mut previous: Option<&Range<usize>> = None;
        for word in &words {
            let text = &self.text[word.clone()];
            let is_option = text.starts_with('-')
                || (text.starts_with('/') && text.len() < 24 && text[1..].find('/').is_none());
            for (option, join) in &command.options {
                let joined = text
                    .strip_prefix(option)
                    .filter(|it| !it.is_empty() && !option.starts_with("--"));
                if let Some(rest) = joined
                    && (*join != Join::Apart || rest.starts_with('='))
                {
                    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
                    let value = trim_quotes(self.text, word.end - rest.len()..word.end);
                    judge(&[strip_pass(self.text, value)], Standing::Bare);
                }
                let before = previous.map(|it| &self.text[it.clone()]);
                if *join != Join::Joined && before == Some(option) {
                    judge(
                        &[strip_pass(self.text, trim_quotes(self.text, word.clone()))],
                        Standing::Bare,
                    );
                }
            }
            if !is_option {
                n_words += 1;
                if command.words.contains(&n_words) {
                    judge(&[trim_quotes(self.text, word.clone())], Standing::Bare);
                }
                if let Some(separator) = command.within_word
                    && let Some((user, rest)) = text.split_once(separator)
                    && !user.is_empty()
                {
                    let rest = rest.split('@').next().unwrap_or(rest);
                    let start = word.start + user.len() + separator.len_utf8();
                    judge(&[trim_quotes(self.text, start..start + rest.len())], Standing::Bare);
                }
            }
            previous = Some(word);
        }
        end
    }

    /// The words of a command line from `at`, without their quotes, and its end. In a list of
    /// strings (`["mysql", "-px"]`) the strings are the words.
    fn words_of_line(&self, at: usize) -> (Vec<Range<usize>>, usize) {
        let bytes = self.text.as_bytes();
        let latest = self.text.floor_char_boundary(at + MOST_BYTES);
        let in_list = matches!(bytes.get(at), Some(b'"' | b'\''));
        let mut at = if in_list { at + 1 } else { at };
        let mut words = Vec::new();
        while at < latest {
            match bytes[at] {
                b'\n' if in_list => at += 1,
                b'\n' | b'|' | b';' => break,
                b'&' if bytes.get(at + 1) == Some(&b'&') => break,
                b'\\' if matches!(bytes.get(at + 1), Some(b'\n' | b'\r')) => at += 2,
                b']' | b')' if in_list => break,
                byte if byte.is_ascii_whitespace() || (in_list && byte == b',') => at += 1,
                _ => {
                    let end = self.word_end(at, latest, in_list);
                    let word = at..end;
                    let word = if in_list { trim_quotes(self.text, word) } else { word };
                    if self.text.is_char_boundary(word.start)
                        && self.text.is_char_boundary(word.end)
                    {
                        words.push(trim_quotes(self.text, word));
                    }
                    at = end.max(at + 1);
                }
            }
        }
        (words, at)
    }

    fn word_end(&self, at: usize, latest: usize, in_list: bool) -> usize {
        let bytes = self.text.as_bytes();
        let mut at = at;
        while at < latest {
            match bytes[at] {
                quote @ (b'"' | b'\'') => {
                    match memchr::memchr2(quote, b'\n', &bytes[at + 1..latest]) {
                        Some(length) if bytes[at + 1 + length] == quote => at += length + 2,
                        _ => return at,
                    }
                }
                b',' | b']' if in_list => return at,
                b'|' | b';' | b'`' | b')' => return at,
                byte if byte.is_ascii_whitespace() => return at,
                _ => at += 1,
            }
        }
        at
    }
}

/// `pass:x` of openssl.
fn strip_pass(text: &str, value: Range<usize>) -> Range<usize> {
    let rest = text[value.clone()].strip_prefix("pass:").unwrap_or(&text[value.clone()]);
    value.end - rest.len()..value.end
}

fn trim_quotes(text: &str, range: Range<usize>) -> Range<usize> {
    let value = &text[range.clone()];
    let quotes: &[char] = &['"', '\'', '`'];
    let start = range.end - value.trim_start_matches(quotes).len();
    start..(range.start + value.trim_end_matches(quotes).len()).max(start)
}
