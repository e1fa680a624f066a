//! The code of an answer: the one fenced block that it was asked for, and nothing where there is a
//! doubt which that is.
//!
//! Fences are those of CommonMark (0.31, section 4.5), with one exception: within a block that
//! began with a language, a line of the same fence with a language begins a block inside it, which
//! is how models write documentation that has blocks of its own. Where such a reading does not come
//! out even, the answer is refused.

use super::NotApplied;
use crate::text::Language;

/// The code of an answer, its lines ended by `\n`. Text before and behind the block is left out.
///
/// # Errors
/// Why no block can be taken.
pub fn code_of(answer: &str, language_id: &str) -> Result<String, NotApplied> {
    let answer = answer.replace("\r\n", "\n");
    let answer = without_thoughts(&answer)?;
    let (blocks, _) = blocks_of(answer)?;
    if blocks.is_empty() {
        if is_plainly_code(answer) {
            return Ok(format!("{}\n", answer.trim_matches('\n').trim_end()));
        }
        return Err(NotApplied::NoBlock);
    }
    let only = blocks.len() == 1;
    let mut wanted: Vec<&Block> =
        blocks.iter().filter(|it| is_in_language(&it.tag, language_id, only)).collect();
    wanted.dedup_by(|one, other| one.code == other.code);
    match wanted.as_slice() {
        [block] => Ok(block.code.clone()),
        [] => Err(NotApplied::OtherLanguage(language_id.to_owned())),
        several => Err(NotApplied::SeveralBlocks(several.len())),
    }
}

/// What an answer says beside its code, if it is a sentence at least; `Here it is:` is none.
pub fn prose_of(answer: &str) -> String {
    let answer = answer.replace("\r\n", "\n");
    let Ok(answer) = without_thoughts(&answer) else { return String::new() };
    let Ok((blocks, prose)) = blocks_of(answer) else { return String::new() };
    let is_code = blocks.is_empty() && is_plainly_code(answer);
    if is_code || !has_sentence(&prose) { String::new() } else { prose.trim().to_owned() }
}

/// Whether a full stop or its like ends a word.
fn has_sentence(text: &str) -> bool {
    text.split_whitespace().any(|word| {
        let word = word.trim_end_matches(['*', '_', '`', ')', '"', '\u{201d}', '\'']);
        word.ends_with(['.', '!', '?', '\u{3002}', '\u{ff01}', '\u{ff1f}', '\u{2026}'])
            && word.chars().any(char::is_alphanumeric)
    })
}

/// A fenced block.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    /// The first word behind its fence.
    tag: String,
    code: String,
}

/// What a model that thinks aloud has said before its answer is no part of it.
fn without_thoughts(answer: &str) -> Result<&str, NotApplied> {
    let Some(thoughts) = answer.trim_start().strip_prefix("<think>") else { return Ok(answer) };
    thoughts.split_once("</think>").map(|it| it.1).ok_or(NotApplied::CutOff)
}

/// The blocks, and the text around them with a blank line in the place of each.
fn blocks_of(answer: &str) -> Result<(Vec<Block>, String), NotApplied> {
    let (mut blocks, mut prose) = (Vec::new(), String::new());
    // The fences that are open; the first is the block's own.
    let mut open: Vec<Fence> = Vec::new();
    let mut block = Block { tag: String::new(), code: String::new() };
    for line in answer.split_inclusive('\n') {
        let fence = Fence::of(line);
        let Some(outer) = open.first() else {
            if let Some(fence) = fence {
                block = Block { tag: tag_of(fence.info).to_owned(), code: String::new() };
                open.push(fence);
                let blank_lines = prose.len() - prose.trim_end_matches('\n').len();
                prose.push_str(&"\n".repeat(2_usize.saturating_sub(blank_lines)));
            } else if !(prose.ends_with("\n\n") && line.trim().is_empty()) {
                prose.push_str(line);
            }
            continue;
        };
        let innermost = open.last().unwrap_or(outer);
        match fence.filter(|it| it.is_within(innermost)) {
            Some(fence) if fence.info.is_empty() => {
                let indent = outer.indent;
                open.pop();
                if open.is_empty() {
                    blocks.push(std::mem::replace(
                        &mut block,
                        Block { tag: String::new(), code: String::new() },
                    ));
                } else {
                    block.code += without_indent(line, indent);
                }
            }
            fence => {
                block.code += without_indent(line, outer.indent);
                let begins_inner = |it: &Fence| !outer.info.is_empty() && it.length == outer.length;
                open.extend(fence.filter(begins_inner));
            }
        }
    }
    if open.is_empty() { Ok((blocks, prose)) } else { Err(NotApplied::CutOff) }
}

/// A line that is a fence.
#[derive(Debug, Clone, Copy)]
struct Fence<'line> {
    mark: char,
    length: usize,
    indent: usize,
    /// What stands behind it.
    info: &'line str,
}

impl<'line> Fence<'line> {
    fn of(line: &'line str) -> Option<Self> {
        let text = line.trim_start_matches([' ', '\t']);
        let mark = text.chars().next().filter(|it| matches!(it, '`' | '~'))?;
        let info = text.trim_start_matches(mark);
        let length = text.len() - info.len();
        let info = info.trim();
        // Three backticks and more of them later are code in a line.
        let is_fence = length >= 3 && !(mark == '`' && info.contains('`'));
        is_fence.then_some(Self { mark, length, indent: line.len() - text.len(), info })
    }

    /// Whether it could close that one, or stand within it as one that is meant.
    fn is_within(&self, open: &Self) -> bool {
        self.mark == open.mark && self.length >= open.length && self.indent <= open.indent + 3
    }
}

/// `rust` of `rust,ignore`, `{.rust}`, `rust:src/lib.rs` and `rust title="a"`.
fn tag_of(info: &str) -> &str {
    let info = info.trim_start_matches(['{', '.', ' ']);
    info.split([' ', ',', ':', '{', '}', '=', ';']).next().unwrap_or_default()
}

/// A fence in a list is indented, and its block with it.
fn without_indent(line: &str, indent: usize) -> &str {
    let n_blanks = line.len() - line.trim_start_matches([' ', '\t']).len();
    &line[n_blanks.min(indent)..]
}

/// A block without a language counts as one in the language. For a language that can't be read here
/// the only block does as well.
fn is_in_language(tag: &str, language_id: &str, is_only_block: bool) -> bool {
    if tag.is_empty() || tag.eq_ignore_ascii_case(language_id) || tag.eq_ignore_ascii_case("code") {
        return true;
    }
    let language = Language::of_id(language_id);
    let has_outline = language.is_some_and(|it| it.outline.is_some());
    language.is_some_and(|it| it.is_tagged(tag)) || (is_only_block && !has_outline)
}

/// Whether text without fences is code and nothing else: a line that reads as a sentence is reason
/// enough to say no.
fn is_plainly_code(text: &str) -> bool {
    let lines = text.lines().map(str::trim).filter(|it| !it.is_empty());
    let mut n_code = 0;
    for line in lines {
        if is_comment(line) {
            continue;
        }
        if looks_like_code(line) {
            n_code += 1;
        } else if looks_like_prose(line) {
            return false;
        }
    }
    n_code > 0
}

/// Comments may hold sentences. That a heading of Markdown begins as one does is no harm: what
/// follows it tells.
fn is_comment(line: &str) -> bool {
    ["//", "/*", "* ", "*/", "#", "--", "\"\"\""].iter().any(|it| line.starts_with(it))
}

fn looks_like_code(line: &str) -> bool {
    let last = line.chars().last().unwrap_or_default();
    let ends_as_code = matches!(last, '{' | '}' | ';' | ',' | '(' | ')' | '[' | ']' | '>' | '=');
    let has_operator =
        ["=", "->", "::", "()", "(self", "=>", "&&"].iter().any(|it| line.contains(it));
    let is_block_of_python = last == ':'
        && [
            "def ", "class ", "if ", "else", "elif ", "for ", "while ", "with ", "try", "except",
            "async",
        ]
        .iter()
        .any(|it| line.starts_with(it));
    let is_sentence = last == '.' || (last == ')' && line.contains(". "));
    (ends_as_code || has_operator || is_block_of_python)
        && !is_sentence
        && !begins_as_sentence(line)
}

fn looks_like_prose(line: &str) -> bool {
    let words =
        line.split_whitespace().filter(|it| it.chars().all(|c| c.is_alphabetic() || c == '\''));
    begins_as_sentence(line)
        || words.count() >= 4
        || line.ends_with(['.', '!', '?'])
        || line.starts_with(['-', '>'])
        || line.split_whitespace().count() > 2 && line.ends_with(':')
}

/// `Here is`, `I have`: a capital, and then a word in small letters that no bracket or sign
/// follows.
fn begins_as_sentence(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let (Some(first), Some(second)) = (words.next(), words.next()) else { return false };
    let is_word = |it: &str| {
        it.trim_end_matches(',').chars().all(|c| c.is_alphabetic() || c == '\'' || c == '\u{2019}')
    };
    first.starts_with(char::is_uppercase)
        && is_word(first)
        && is_word(second)
        && second.starts_with(char::is_lowercase)
        && words.next().is_some_and(|it| it.starts_with(char::is_alphabetic))
}

#[cfg(test)]
mod tests;
