//! Which stretch of a document goes into the prompt, so that it stays put while a person types.

use std::ops::Range;

/// A block of lines before the caret.
#[derive(Debug, Clone, Copy)]
pub struct Block {
    pub first_line: usize,
    pub n_tokens: usize,
    /// Begins a declaration at the left margin: a good place for a window to begin.
    pub top_level: bool,
}

/// Where the window begins: the index of its first block and that block's line.
///
/// The remembered line is kept while it fits. Otherwise a new one is taken so that the window is
/// between half and three quarters of the budget, at the margin if a line there begins at the
/// margin.
pub fn window_start(blocks: &[Block], remembered: Option<usize>, budget: usize) -> (usize, usize) {
    let Some(first) = blocks.first() else {
        return (0, 0);
    };
    let tokens_from =
        |index: usize| -> usize { blocks[index..].iter().map(|it| it.n_tokens).sum() };
    if let Some(line) = remembered
        && line >= first.first_line
        && let Some(index) = blocks.iter().position(|it| it.first_line >= line)
    {
        let n_tokens = tokens_from(index);
        // Far up the document from where the window was made, its start may be too near the caret.
        if n_tokens <= budget && (index == 0 || n_tokens >= budget / 3) {
            return (index, line);
        }
    }
    if tokens_from(0) <= budget {
        return (0, first.first_line);
    }
    let mut n_tokens = 0;
    let mut fallback = blocks.len() - 1;
    for (index, block) in blocks.iter().enumerate().rev() {
        n_tokens += block.n_tokens;
        if n_tokens > budget * 3 / 4 {
            break;
        }
        fallback = index;
        if n_tokens >= budget / 2 && block.top_level {
            return (index, block.first_line);
        }
    }
    (fallback, blocks[fallback].first_line)
}

/// The last tokens of a section that is over its budget, cut in steps so that the cut stays put
/// while the section grows.
pub fn tail(n_tokens: usize, budget: usize) -> Range<usize> {
    if n_tokens <= budget {
        return 0..n_tokens;
    }
    let step = (budget / 2).max(1);
    let cut = (n_tokens - budget).div_ceil(step) * step;
    cut.min(n_tokens)..n_tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(first_line: usize, n: usize, top_level: &[usize]) -> Vec<Block> {
        (first_line..first_line + n)
            .map(|line| Block {
                first_line: line,
                n_tokens: 10,
                top_level: top_level.contains(&line),
            })
            .collect()
    }

    #[test]
    fn everything_goes_in_where_it_fits() {
        assert_eq!(window_start(&blocks(0, 10, &[]), None, 100), (0, 0));
        assert_eq!(window_start(&[], Some(3), 100), (0, 0));
    }

    #[test]
    fn a_new_window_begins_at_the_margin_if_it_can() {
        // 20 lines of 10 tokens against 100: the last 5 to 7 lines, at line 14 if that begins
        // something.
        assert_eq!(window_start(&blocks(0, 20, &[2, 14]), None, 100), (14, 14));
        assert_eq!(window_start(&blocks(0, 20, &[2]), None, 100), (13, 13));
    }

    #[test]
    fn a_remembered_window_holds_while_it_fits() {
        assert_eq!(window_start(&blocks(0, 20, &[]), Some(12), 100), (12, 12));
        assert_eq!(window_start(&blocks(0, 22, &[]), Some(12), 100), (12, 12));
        assert_eq!(window_start(&blocks(0, 23, &[]), Some(12), 100).1, 16);
        // The caret went back up, above the window or too near its beginning.
        assert_eq!(window_start(&blocks(0, 11, &[]), Some(12), 100).1, 4);
        assert_eq!(window_start(&blocks(0, 14, &[]), Some(12), 100).1, 7);
    }

    #[test]
    fn a_long_section_is_cut_in_steps() {
        assert_eq!(tail(10, 10), 0..10);
        assert_eq!(tail(11, 10), 5..11);
        assert_eq!(tail(15, 10), 5..15);
        assert_eq!(tail(16, 10), 10..16);
    }
}
