//! A text as a tree, within a budget of bytes and of steps.

use std::cell::Cell;
use std::ops::{ControlFlow, Range};

use tree_sitter::{Parser, QueryCursor, StreamingIterator, Tree};

use super::languages::{Language, Role};

/// Longer texts are not parsed.
pub const MAX_BYTES: usize = 1 << 19;

/// Steps that a parse may take, in hundreds, which is how often tree-sitter asks: so many for each text, and so many more for
/// each byte. Counted, and not timed, so that the same text has the same tree on every machine and under every load. Real
/// code takes 0.3 to 0.7 steps a byte, and the most among 2,500 files took 3.1.
const STEPS_OF_ANY_TEXT: usize = 50_000;
const STEPS_OF_A_BYTE: usize = 4;
const STEPS_OF_A_CALL: usize = 100;
const CHUNK_BYTES: usize = 1 << 10;
const STEPS_OF_A_CHUNK: usize = 64;
const MAX_RUN_OF_TOKENS: usize = 2_000;
const MAX_DEPTH: i64 = 10_000;
/// A step of a search is a node that is entered or left.
const MAX_SEARCH_STEPS: usize = 8_000_000;
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

/// Parses a text. `None`: there is no grammar for the language, the text is too long, or it would take too long.
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
    if text.len() > MAX_BYTES {
        return None;
    }
    let mut parser = Parser::new();
    parser.set_language(&language.grammar()).ok()?;
    // Both callbacks of the parser count in the same account.
    let n_steps_left = Cell::new(STEPS_OF_ANY_TEXT + STEPS_OF_A_BYTE * text.len());
    let take = |n_steps| n_steps_left.set(n_steps_left.get().saturating_sub(n_steps));
    let mut progress = |_: &tree_sitter::ParseState| {
        take(STEPS_OF_A_CALL);
        if n_steps_left.get() > 0 && is_wanted() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    };
    let bytes = text.as_bytes();
    let mut read = |at: usize, _| {
        // A lexer that looks for a string's end again and again never asks whether to go on, but it does ask for text.
        take(STEPS_OF_A_CHUNK);
        let end = if n_steps_left.get() > 0 { at.saturating_add(CHUNK_BYTES) } else { at };
        bytes.get(at..end.min(bytes.len())).unwrap_or_default()
    };
    let options = tree_sitter::ParseOptions::new().progress_callback(&mut progress);
    let tree = parser.parse_with_options(&mut read, None, Some(options))?;
    if n_steps_left.get() == 0 {
        return None;
    }
    let can_be_searched = can_be_searched(&tree);
    Some(Parsed { text, tree, language, can_be_searched })
}

/// Whether a query can go through the tree in useful time. It can't where more tokens follow each other than in any
/// program, as in half a megabyte of brackets, because it looks for the next named sibling at each; and where nodes are
/// nested deeper than the sixteen bits in which it counts levels, because then it never gives up a match. Nodes of fewer
/// bytes than that are not looked into.
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

    /// Calls `on_match` with each match of the language's query that touches the range, until there is no more or it has
    /// taken too many steps. Not at all where that would take too long from the start.
    pub(super) fn search(&self, range: Range<usize>, on_match: &mut dyn FnMut(&[Captured])) {
        let Some(compiled) = self.language.compiled().filter(|_| self.can_be_searched) else {
            return;
        };
        let mut n_calls_left = MAX_SEARCH_STEPS / STEPS_OF_A_CALL;
        let mut progress = |_: &tree_sitter::QueryCursorState| {
            n_calls_left = n_calls_left.saturating_sub(1);
            if n_calls_left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
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
    use crate::syntax::LANGUAGES;

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
        for language in &LANGUAGES {
            assert!(n_errors(language.ids[0], prose) > 0, "{}", language.name);
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
        let mut n_asked = 0;
        let mut is_wanted = || {
            n_asked += 1;
            n_asked < 5
        };
        assert!(parse_while("rust", &text, &mut is_wanted).is_none());
        assert_eq!(n_asked, 5);
    }

    /// Nothing is asserted but that it comes back: on a small stack, as threads of a pool have it.
    #[test]
    fn hostile_texts_come_back() {
        let units = "( [ { a< f(a, if_x{ ! a. \"\\ /* r#\"# a=b+c*d, \u{0}\u{fffd}";
        let units = units.split(' ').map(|it| it.replace('_', " "));
        let mut texts: Vec<String> = units.map(|it| it.repeat(8_000 / it.len())).collect();
        texts.push("[".repeat(40_000) + &"]".repeat(40_000));
        texts.push("(".repeat(MAX_BYTES));
        let on_a_small_stack =
            std::thread::Builder::new().stack_size(512 * 1024).spawn(move || {
                for language in &LANGUAGES {
                    for text in &texts {
                        if let Some(parsed) = parse(language.ids[0], text) {
                            parsed.error_count();
                            parsed.enclosing_item(text.len() / 2..text.len() / 2);
                            parsed.names_used(0..text.len());
                        }
                    }
                }
            });
        on_a_small_stack.unwrap().join().unwrap();
    }
}
