//! What one look through a text remembers of it, so that names that share what stands around them cost
//! no more than one: without it, a text of nothing but names takes time that grows with its square.

use std::cell::Cell;

/// What is known of a text from what was looked at before.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The last run of bare characters that was read as in a list, and as in none.
    pub(super) last_runs: [Cell<BareRun>; 2],
    pub(super) without_end: WithoutEnd,
    /// Where things are called values.
    pub(super) value_words: Cell<ValueWords>,
    /// The last line that was looked at as the head of a table.
    pub(super) last_head: Cell<TableHead>,
    /// The last pair of brackets that was looked at as a list of columns.
    pub(super) last_columns: Cell<ColumnList>,
}

/// A run of characters that a bare value may have, and where it ends without its punctuation.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BareRun {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) end_of_value: usize,
}

/// From `start` to `end` nothing is called a value; at `end` something is, if `is_at_end`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ValueWords {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) is_at_end: bool,
}

/// A line, what separates its cells if it is the head of a table, and how many columns were read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TableHead {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) separator: Option<char>,
    pub(super) n_columns_read: usize,
}

/// Brackets, whether names alone stand between them, and how many columns were read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ColumnList {
    pub(super) open: usize,
    pub(super) close: usize,
    pub(super) is_columns: bool,
    pub(super) n_columns_read: usize,
}

/// A part of a text.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Part {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Part {
    pub(super) fn contains(self, at: usize) -> bool {
        self.start <= at && at < self.end
    }
}

/// For each way to write a quote, by the quote and how many backslashes stand before it: where none
/// of those that open a literal has an end that is near.
#[derive(Debug, Default)]
pub(super) struct WithoutEnd([[Cell<Part>; 9]; 3]);

impl WithoutEnd {
    /// `None`: not a quote.
    pub(super) fn get(&self, quote: u8, n_backslashes: usize) -> Option<&Cell<Part>> {
        let of_quote = match quote {
            b'"' => &self.0[0],
            b'\'' => &self.0[1],
            b'`' => &self.0[2],
            _ => return None,
        };
        of_quote.get(n_backslashes)
    }
}
