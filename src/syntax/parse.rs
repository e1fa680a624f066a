//! A text as a tree, within bounds of bytes and of time.
//!
//! The one place among the pure modules that looks at a clock; it only ever says that there is no
//! tree.

use std::ops::{ControlFlow, Range};
use std::time::{Duration, Instant};

use tree_sitter::{Parser, QueryCursor, StreamingIterator, Tree};

use super::queries::{Role, query_of};
use crate::text::language::Language;

/// Longer texts are not parsed.
pub const MAX_BYTES: usize = 1 << 19;

/// How long the parse of a whole text may take, and a search. Ten thousand lines of real code take
/// a tenth of a second, and as much again for each size of pieces.
const MAX_TIME: Duration = Duration::from_millis(500);
/// The clock alone is not enough. Of text that is no code tree-sitter may keep many readings, and
/// at the text's end it puts each of them together in steps of which one copies everything: 50,000
/// bytes of `>void (>void (` take Rust's grammar more than 4 GB, in less than the hundred steps
/// after which it asks whether to go on. Such a text gives itself away in its pieces, where it
/// costs little memory yet: of the first size real code takes 1 to 3 ms, and such text mostly 20 to
/// 1,600.
const PIECES: [(usize, Duration); 2] =
    [(4_000, Duration::from_millis(60)), (32_000, Duration::from_millis(200))];
const TRIES_OF_A_PIECE: usize = 3;
/// A lexer that looks for a string's end again and again never asks whether to go on, but it asks
/// for text as often as this.
const CHUNK_BYTES: usize = 1 << 10;
const MAX_RUN_OF_TOKENS: usize = 2_000;
const MAX_DEPTH: i64 = 10_000;
/// Matches that have begun and may still fail.
const MAX_OPEN_MATCHES: u32 = 4_096;

/// A text with its tree.
pub struct Parsed<'text> {
    pub(super) text: &'text str,
    pub(super) tree: Tree,
    pub(super) language: &'static Language,
    /// `false`: a query would take too long, and there are no items and no names.
    pub(super) can_be_searched: bool,
}

/// Parses a text. `None`: there is no grammar for the language, the text is too long, or it would
/// take too long.
pub fn parse<'text>(language_id: &str, text: &'text str) -> Option<Parsed<'text>> {
    parse_while(language_id, text, &mut || true)
}

/// The same, and `None` also as soon as the caller does not want it any more.
pub fn parse_while<'text>(
    language_id: &str,
    text: &'text str,
    is_wanted: &mut dyn FnMut() -> bool,
) -> Option<Parsed<'text>> {
    let language = Language::of_id(language_id)?;
    let outline = language.outline.as_ref()?;
    if text.len() > MAX_BYTES {
        return None;
    }
    let mut parser = Parser::new();
    parser.set_language(&outline.grammar.into()).ok()?;
    for (n_bytes, max_time) in PIECES {
        for piece in pieces_of(text, n_bytes).filter(|it| it.len() < text.len()) {
            // More than once, because it may have been another program's turn.
            let mut is_quick = |_| tree_of(piece, &mut parser, max_time, is_wanted).is_some();
            if !(0..TRIES_OF_A_PIECE).any(&mut is_quick) {
                return None;
            }
        }
    }
    let tree = tree_of(text, &mut parser, MAX_TIME, is_wanted)?;
    let can_be_searched = can_be_searched(&tree);
    Some(Parsed { text, tree, language, can_be_searched })
}

/// A text in pieces of so many bytes at most, which end with a line if there is an end.
fn pieces_of(text: &str, n_bytes: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let most = floor_of_character(rest, n_bytes);
        let end = if most < rest.len() {
            rest[..most].rfind('\n').map_or(most, |it| it + 1)
        } else {
            most
        };
        let piece;
        (piece, rest) = rest.split_at(end);
        (!piece.is_empty()).then_some(piece)
    })
}

/// Where the character at a byte begins, or the text's end.
fn floor_of_character(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn tree_of(
    text: &str,
    parser: &mut Parser,
    max_time: Duration,
    is_wanted: &mut dyn FnMut() -> bool,
) -> Option<Tree> {
    let started = Instant::now();
    let is_late = || started.elapsed() > max_time;
    let mut progress = |_: &tree_sitter::ParseState| {
        if !is_late() && is_wanted() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let options = tree_sitter::ParseOptions::new().progress_callback(&mut progress);
    let mut read = |at: usize, _| {
        let end = if is_late() { at } else { at.saturating_add(CHUNK_BYTES) };
        text.as_bytes().get(at..end.min(text.len())).unwrap_or_default()
    };
    parser.reset();
    parser.parse_with_options(&mut read, None, Some(options)).filter(|_| !is_late())
}

/// Whether a query can go through the tree in useful time. It can't where more tokens follow each
/// other than in any program, as in half a megabyte of brackets, because it looks for the next
/// named sibling at each; and where nodes are nested deeper than the sixteen bits in which it
/// counts levels, because then it never gives up a match. Nodes of fewer bytes than that are not
/// looked into.
fn can_be_searched(tree: &Tree) -> bool {
    let mut cursor = tree.walk();
    let (mut n_tokens, mut depth) = (0, 0);
    loop {
        let node = cursor.node();
        n_tokens = if node.is_named() { 0 } else { n_tokens + 1 };
        if n_tokens > MAX_RUN_OF_TOKENS || depth > MAX_DEPTH {
            return false;
        }
        if node.byte_range().len() > MAX_RUN_OF_TOKENS && cursor.goto_first_child() {
            n_tokens = 0;
            depth += 1;
            continue;
        }
        while !cursor.goto_next_sibling() {
            n_tokens = 0;
            depth -= 1;
            if !cursor.goto_parent() {
                return true;
            }
        }
    }
}

impl Parsed<'_> {
    /// How many places are no code: nodes that are errors, and nodes that had to be made up.
    pub fn error_count(&self) -> usize {
        let mut n_errors = 0;
        let mut cursor = self.tree.walk();
        loop {
            let node = cursor.node();
            if node.is_error() || node.is_missing() {
                n_errors += 1;
            }
            if node.has_error() && cursor.goto_first_child() {
                continue;
            }
            while !cursor.goto_next_sibling() {
                if !cursor.goto_parent() {
                    return n_errors;
                }
            }
        }
    }

    /// Calls `on_match` with each match of the language's query that touches the range, until there
    /// is no more or it has taken too long. Not at all where that would take too long from the
    /// start.
    pub(super) fn search(&self, range: Range<usize>, on_match: &mut dyn FnMut(&[Captured])) {
        let Some(compiled) = query_of(self.language).filter(|_| self.can_be_searched) else {
            return;
        };
        let started = Instant::now();
        let mut progress = |_: &tree_sitter::QueryCursorState| {
            if started.elapsed() < MAX_TIME {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        };
        let options = tree_sitter::QueryCursorOptions::new().progress_callback(&mut progress);
        let mut cursor = QueryCursor::new();
        cursor.set_match_limit(MAX_OPEN_MATCHES);
        cursor.set_byte_range(range);
        let (root, text) = (self.tree.root_node(), self.text.as_bytes());
        let mut matches = cursor.matches_with_options(&compiled.query, root, text, options);
        let mut captured = Vec::new();
        while let Some(matched) = matches.next() {
            captured.clear();
            captured.extend(matched.captures.iter().map(|capture| Captured {
                role: compiled.roles[capture.index as usize],
                node_id: capture.node.id(),
                range: capture.node.byte_range(),
            }));
            on_match(&captured);
        }
    }
}

/// A node that a query marked.
pub(super) struct Captured {
    pub(super) role: Role,
    pub(super) node_id: usize,
    pub(super) range: Range<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n_errors(language_id: &str, text: &str) -> usize {
        parse(language_id, text).expect("it is parsed").error_count()
    }

    #[test]
    fn errors_are_counted() {
        assert_eq!(n_errors("rust", "fn f() -> u32 { 1 }\n"), 0);
        assert_eq!(n_errors("rust", "fn f() -> u32 { 1\n"), 1);
        assert_eq!(n_errors("rust", "fn f() { let = 1; }\nfn g() { let = 2; }\n"), 2);
        assert!(n_errors("go", "def f():\n    return 1\n") > 0);
        assert!(n_errors("python", "fn f() -> u32 { 1 }\n") > 0);
        assert_eq!(n_errors("python", ""), 0);
    }

    #[test]
    fn prose_is_no_code() {
        let prose = "I'm sorry, but I can't help with that.\nHere is what you could do instead:\n";
        for language in Language::with_outline() {
            assert!(n_errors(language.name, prose) > 0, "{}", language.name);
        }
    }

    #[test]
    fn what_is_too_long_or_not_known_is_not_parsed() {
        assert!(parse("cobol", "MOVE A TO B.").is_none());
        assert!(parse("rust", &" ".repeat(MAX_BYTES + 1)).is_none());
        assert!(parse("rust", &" ".repeat(MAX_BYTES)).is_some());
    }

    #[test]
    fn a_caller_can_stop() {
        let text = "fn f() { g(1, 2, 3); }\n".repeat(1_000);
        assert!(parse("rust", &text).is_some());
        assert!(parse_while("rust", &text, &mut || false).is_none());
    }

    #[test]
    fn pieces_are_the_text() {
        for text in ["", "ab", "äöü\n", "a\nbcd\nefghijklmn\no", "ääääääääää"] {
            let pieces: Vec<&str> = pieces_of(text, 5).collect();
            assert_eq!(pieces.concat(), text);
            assert!(pieces.iter().all(|it| it.len() <= 5));
        }
        assert_eq!(
            pieces_of("a\nbcd\nefghijklmn\no", 5).collect::<Vec<_>>(),
            ["a\n", "bcd\n", "efghi", "jklmn", "\no"]
        );
    }

    /// On a small stack, as threads of a pool have it: each comes back, is told to be broken, and
    /// nothing that is found in it lies outside of it.
    #[test]
    fn hostile_texts_come_back() {
        let units = "( [ { a< f(a, if_x{ ! a. \"\\ /* r#\"# a=b+c*d, \u{0}\u{fffd}";
        let units = units.split(' ').map(|it| it.replace('_', " "));
        let mut texts: Vec<String> = units.map(|it| it.repeat(8_000 / it.len())).collect();
        texts.push("[".repeat(40_000) + &"]".repeat(40_000));
        texts.push("(".repeat(MAX_BYTES));
        let on_a_small_stack =
            std::thread::Builder::new().stack_size(512 * 1024).spawn(move || {
                let mut n_refused = 0;
                for language in Language::with_outline() {
                    for text in &texts {
                        let Some(parsed) = parse(language.name, text) else {
                            n_refused += 1;
                            continue;
                        };
                        let beginning = text.get(..20);
                        let is_open = text.starts_with(['(', '[', '{']) && !text.ends_with(']');
                        let is_broken = parsed.error_count() > 0;
                        assert!(is_broken || !is_open, "{}: {beginning:?}", language.name);
                        let item = parsed.enclosing_item(text.len() / 2..text.len() / 2);
                        assert!(item.is_none_or(|it| text.get(it.range).is_some()));
                        let names = parsed.names_used(0..text.len());
                        assert!(names.iter().all(|it| text.contains(it)), "{names:?}");
                    }
                }
                assert!(
                    n_refused < Language::with_outline().count() * texts.len(),
                    "none was read"
                );
            });
        on_a_small_stack.unwrap().join().unwrap();
    }
}
