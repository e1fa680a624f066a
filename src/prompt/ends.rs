//! A text's end: it closes nothing that is not open, and leaves nothing open that only itself could
//! close.

use crate::prompt::brackets::{brackets, is_opener, opener_of};
use crate::prompt::excerpt::Excerpt;
use crate::prompt::follows::mode_at_caret;
use crate::prompt::lexis::{Mark, Mode, scan};

/// What a line may end with that goes on in the next one.
const GOES_ON: &[char] =
    &['(', '[', '{', ',', '+', '-', '*', '/', '|', '&', '=', '.', '\\', ':', '>', '?', '<'];

/// Cuts the text before the first closing bracket that closes nothing, or something that what
/// follows the caret closes already. The flag says whether something was cut.
pub fn without_loose_closers<'a>(excerpt: &Excerpt, text: &'a str) -> (&'a str, bool) {
    let mut depth: Vec<char> = Vec::new();
    // Most texts close nothing but their own brackets, and ask for none of this.
    let mut available = None;
    for (at, c) in brackets(text, excerpt.lexis) {
        if is_opener(c) {
            depth.push(c);
        } else if depth.last() == Some(&opener_of(c)) {
            depth.pop();
        } else if !depth.is_empty()
            || available.get_or_insert_with(|| Around::of(excerpt).open.into_iter()).next()
                != Some(opener_of(c))
        {
            return (text[..at].trim_end(), true);
        }
    }
    (text, false)
}

/// How a text came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The model said that its line ends there, and nothing stands behind it.
    pub ends_line: bool,
    /// A person has asked. Then a text may end right behind an opener, where they type on; text
    /// that is shown unasked ends before it, because editors close the bracket that is typed and
    /// not the one that is accepted.
    pub is_asked_for: bool,
    /// How many characters behind the caret the text replaces.
    pub replaced_after: usize,
}

/// A bracket or a string that a text opens.
#[derive(Debug, Clone, Copy)]
struct Opened {
    at: usize,
    /// `None`: a string.
    bracket: Option<char>,
}

/// Cuts the text before the first bracket or quote that it opens and nothing closes. One that is
/// open at the end of its line is closed by a line to come.
pub fn without_loose_openers<'a>(excerpt: &Excerpt, text: &'a str, end: End) -> &'a str {
    if !text.contains(['(', '[', '{', '"', '\'', '`']) {
        return text;
    }
    let mode = mode_at_caret(excerpt);
    if mode != Mode::Code && !mode.is_string() {
        return text;
    }
    let mut opened: Vec<Opened> = Vec::new();
    let mut broken = None;
    let mode = scan(excerpt.lexis, mode, text, |at, mark| {
        match mark {
            Mark::Opens(_) => opened.push(Opened { at, bracket: None }),
            Mark::Bracket(c) if is_opener(c) => opened.push(Opened { at, bracket: Some(c) }),
            Mark::Bracket(c) => {
                let opener = opened.iter().rposition(|it| it.bracket == Some(opener_of(c)));
                opened.truncate(opener.unwrap_or(opened.len()));
            }
            Mark::Closes => drop(opened.pop_if(|it| it.bracket.is_none())),
            // One that is open already where the text begins is not the text's doing.
            Mark::Breaks => broken = opened.pop_if(|it| it.bracket.is_none()).map(|it| it.at),
            Mark::Sign(_) => {}
        }
        broken.is_none()
    });
    if let Some(at) = broken {
        let before = text[..at].trim_end();
        return without_loose_openers(excerpt, before, End { ends_line: false, ..end });
    }
    if mode.is_string() && is_closed_in(&excerpt.line_after, mode, end.replaced_after, excerpt) {
        opened.pop_if(|it| it.bracket.is_none());
    }
    if opened.is_empty() {
        return text;
    }
    // What the text opened last is closed first by what follows and closes nothing before the
    // caret.
    for closer in Around::of(excerpt).closers {
        if opened.pop_if(|it| it.bracket == Some(opener_of(closer))).is_none() {
            break;
        }
    }
    match opened.iter().find(|it| !may_stay_open(text, **it, mode, end)) {
        Some(it) => text[..it.at].trim_end(),
        None => text,
    }
}

/// Whether the rest of a line closes a string.
fn is_closed_in(line_after: &str, mode: Mode, n_replaced: usize, excerpt: &Excerpt) -> bool {
    let from = line_after.char_indices().nth(n_replaced).map_or(line_after.len(), |it| it.0);
    let mut is_closed = false;
    scan(excerpt.lexis, mode, &line_after[from..], |_, mark| {
        is_closed = mark == Mark::Closes;
        !is_closed
    });
    is_closed
}

fn may_stay_open(text: &str, opened: Opened, mode: Mode, end: End) -> bool {
    let behind = &text[opened.at..];
    let is_bracket = opened.bracket.is_some();
    if end.is_asked_for && is_bracket && text.trim_end().ends_with(is_opener) {
        return true;
    }
    let (line, is_whole) = match behind.split_once('\n') {
        Some((line, _)) => (line, true),
        None => (behind, end.ends_line),
    };
    match is_bracket {
        true => is_whole && line.trim_end().ends_with(GOES_ON),
        // A long string.
        false => is_whole && matches!(mode, Mode::Span(_)),
    }
}

/// Brackets around the caret that the other side does not match.
struct Around {
    /// Open at the caret and not closed after it, innermost first.
    open: Vec<char>,
    /// Closed after the caret, and nothing before it opens them; the first one first.
    closers: Vec<char>,
}

impl Around {
    fn of(excerpt: &Excerpt) -> Self {
        let lexis = excerpt.lexis;
        let mut open: Vec<char> = Vec::new();
        for line in excerpt.lines_before.iter().chain(std::iter::once(&excerpt.line_before)) {
            for (_, c) in brackets(line, lexis) {
                if is_opener(c) {
                    open.push(c);
                } else if let Some(at) = open.iter().rposition(|it| *it == opener_of(c)) {
                    // What was opened inside and is not closed was no bracket (a quoted one, say).
                    open.truncate(at);
                }
            }
        }
        let mut left: Vec<char> = Vec::new();
        let mut closers: Vec<char> = Vec::new();
        let mut depth: Vec<char> = Vec::new();
        for line in std::iter::once(&excerpt.line_after).chain(&excerpt.lines_after) {
            for (_, c) in brackets(line, lexis) {
                if is_opener(c) {
                    depth.push(c);
                } else if depth.last() == Some(&opener_of(c)) {
                    depth.pop();
                } else if depth.is_empty() {
                    while open.last().is_some_and(|top| *top != opener_of(c)) {
                        left.extend(open.pop());
                    }
                    if open.pop().is_none() {
                        closers.push(c);
                    }
                }
            }
        }
        left.extend(open.into_iter().rev());
        Self { open: left, closers }
    }
}
