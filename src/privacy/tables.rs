//! Columns that are named so: of separated values, of tables in prose, of what SQL inserts.

use std::ops::Range;

use super::judge::Standing;
use super::kinds::TextKind;
use super::memory::{ColumnList, TableHead};
use super::values::{Judge, Place};

/// The longest head of a table, and the most rows that are read.
const MOST_BYTES_OF_HEAD: usize = 2_000;
const MOST_ROWS: usize = 20_000;
/// How far the ends of a list of columns may be from a name in it.
const MOST_BYTES_OF_COLUMNS: usize = 1_000;
/// The most columns of one table that are read.
const MOST_COLUMNS: usize = 8;

impl Place<'_> {
    /// Shows the judge the column below a name that stands in the head of a table. Where its rows
    /// are is written to `rows`, so that they are not taken for heads.
    pub(super) fn visit_column_of(
        &self,
        name: &Range<usize>,
        rows: &mut Range<usize>,
        judge: &mut Judge<'_>,
    ) -> bool {
        if self.kind == TextKind::Code {
            return false;
        }
        let bytes = self.text.as_bytes();
        let mut table = self.memory.last_head.get();
        if !(table.start <= name.start && name.start < table.end) {
            table = self.head_at(name.start);
            self.memory.last_head.set(table);
        }
        let Some(separator) = table.separator.filter(|_| table.n_columns_read < MOST_COLUMNS)
        else {
            return false;
        };
        let line_start = table.start;
        let head = &self.text[line_start..table.end - 1];
        let within = name.start - line_start;
        let nth = head.as_bytes()[..within].iter().filter(|it| **it == separator as u8).count();
        let is_cell = head.split(separator).nth(nth).is_some_and(|it| bare(it).len() == name.len());
        if !is_cell {
            return false;
        }
        table.n_columns_read += 1;
        self.memory.last_head.set(table);
        let n_cells = cells_of(head, separator).map_or(0, |it| it.len());
        let mut row = table.end;
        let first_row = row;
        let mut taken = false;
        for _ in 0..MOST_ROWS {
            let end = memchr::memchr(b'\n', &bytes[row.min(bytes.len())..])
                .map_or(bytes.len(), |it| row + it);
            if row >= end || end - row > 8_000 {
                break;
            }
            let line = &self.text[row..end];
            let Some(cells) = cells_of(line, separator) else { break };
            if cells.len() != n_cells {
                break;
            }
            let cell = &cells[nth];
            let value = row + cell.start..row + cell.end;
            if !line.trim_matches(['|', '-', ' ', ':', '\r']).is_empty() {
                let value = trim_cell(self.text, value);
                taken |= !value.is_empty() && judge(&[value], Standing::Quoted);
            }
            row = end + 1;
        }
        *rows = first_row..row;
        taken
    }

    /// The line of a name, and whether it is the head of a table: two cells or more, each a few words
    /// that name a column.
    fn head_at(&self, at: usize) -> TableHead {
        let bytes = self.text.as_bytes();
        let earliest = at.saturating_sub(MOST_BYTES_OF_HEAD);
        let none = TableHead { start: at, end: at + 1, ..TableHead::default() };
        let start = match memchr::memrchr(b'\n', &bytes[earliest..at]) {
            Some(it) => earliest + it + 1,
            None if earliest == 0 => 0,
            None => return none,
        };
        let latest = bytes.len().min(start + MOST_BYTES_OF_HEAD);
        let Some(length) = memchr::memchr(b'\n', &bytes[start..latest]) else { return none };
        let line = TableHead { start, end: start + length + 1, ..TableHead::default() };
        let head = &self.text[start..start + length];
        let Some(separator) = separator_of(head) else { return line };
        let is_head = head.split(separator).filter(|it| !bare(it).is_empty()).count() >= 2
            && head.split(separator).all(is_heading)
            && head.chars().all(|it| !"(){};=<>".contains(it) || it == separator);
        TableHead { separator: is_head.then_some(separator), ..line }
    }

    /// Shows the judge the values of a column that `INSERT INTO … (…, password, …) VALUES` names.
    /// The end of the list of columns is written to `until`, behind which nothing is looked for
    /// again.
    pub(super) fn visit_inserted(
        &self,
        name: &Range<usize>,
        until: &mut usize,
        judge: &mut Judge<'_>,
    ) -> bool {
        let bytes = self.text.as_bytes();
        let mut list = self.memory.last_columns.get();
        if name.start < *until && name.start > list.close {
            return false;
        }
        if !(list.open < name.start && name.end <= list.close) {
            list = self.columns_around(name);
            self.memory.last_columns.set(list);
        }
        let ColumnList { open, close, is_columns, n_columns_read } = list;
        if !is_columns || n_columns_read >= MOST_COLUMNS {
            return false;
        }
        let behind = close
            + 1
            + bytes[close + 1..].iter().take(40).take_while(|it| it.is_ascii_whitespace()).count();
        let is = |at: usize, word: &[u8]| {
            bytes.get(at..at + word.len()).is_some_and(|it| it.eq_ignore_ascii_case(word))
        };
        self.memory.last_columns.set(ColumnList { n_columns_read: n_columns_read + 1, ..list });
        let nth = bytes[open..name.start].iter().filter(|it| **it == b',').count();
        if is(behind, b"from stdin") {
            return self.visit_copied(behind, nth, judge);
        }
        if !is(behind, b"values") {
            return false;
        }
        let mut at = behind + 6;
        let mut taken = false;
        for _ in 0..MOST_ROWS {
            at += bytes[at..]
                .iter()
                .take_while(|it| it.is_ascii_whitespace() || **it == b',')
                .count();
            if bytes.get(at) != Some(&b'(') {
                break;
            }
            let Some((arguments, end)) = arguments_at(self, at, 4_000) else { break };
            if let Some(argument) = arguments.get(nth) {
                taken |= self.visit_argument(argument, judge);
            }
            at = end;
        }
        *until = at;
        taken
    }

    /// The brackets around a name, if they are near, and whether nothing but names stands in them.
    fn columns_around(&self, name: &Range<usize>) -> ColumnList {
        let bytes = self.text.as_bytes();
        let none = ColumnList { open: name.start, close: name.start, ..ColumnList::default() };
        let earliest = name.start.saturating_sub(MOST_BYTES_OF_COLUMNS);
        let Some(open) = memchr::memrchr(b'(', &bytes[earliest..name.start]) else { return none };
        let open = earliest + open;
        let latest = bytes.len().min(name.end + MOST_BYTES_OF_COLUMNS);
        let Some(close) = memchr::memchr(b')', &bytes[name.end..latest]) else { return none };
        let close = name.end + close;
        let is_columns = bytes[open + 1..close]
            .iter()
            .all(|it| it.is_ascii_alphanumeric() || b"_,`\"[]. \t\r\n".contains(it));
        ColumnList { open, close, is_columns, n_columns_read: 0 }
    }

    fn visit_copied(&self, at: usize, nth: usize, judge: &mut Judge<'_>) -> bool {
        let bytes = self.text.as_bytes();
        let Some(line) = memchr::memchr(b'\n', &bytes[at..]) else { return false };
        let mut row = at + line + 1;
        let mut taken = false;
        for _ in 0..MOST_ROWS {
            let end = memchr::memchr(b'\n', &bytes[row.min(bytes.len())..])
                .map_or(bytes.len(), |it| row + it);
            if row >= end || bytes[row..].starts_with(b"\\.") {
                break;
            }
            let before: usize =
                self.text[row..end].split('\t').take(nth).map(|it| it.len() + 1).sum();
            if let Some(cell) = self.text[row..end].split('\t').nth(nth) {
                let value = row + before..row + before + cell.len();
                taken |= judge(&[value], Standing::Quoted);
            }
            row = end + 1;
        }
        taken
    }

    /// An argument's literals.
    pub(super) fn visit_argument(&self, argument: &Range<usize>, judge: &mut Judge<'_>) -> bool {
        let Some(literal) = super::literals::literal_from(self, argument.start, false) else {
            return false;
        };
        literal.end <= argument.end && judge(&[literal.content], Standing::Quoted)
    }
}

/// The arguments of a call or a row of values whose bracket is at `open`, and where it ends.
pub(super) fn arguments_at(
    place: &Place<'_>,
    open: usize,
    most_bytes: usize,
) -> Option<(Vec<Range<usize>>, usize)> {
    let bytes = place.bytes();
    let latest = bytes.len().min(open + most_bytes);
    let (mut depth, mut at, mut start) = (0_usize, open, open + 1);
    let mut arguments = Vec::new();
    while at < latest {
        match bytes[at] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    arguments.push(start..at);
                    return Some((arguments, at + 1));
                }
            }
            b',' if depth == 1 => {
                arguments.push(start..at);
                start = at + 1;
            }
            b'"' | b'\'' | b'`' => {
                if let Some(literal) = super::literals::literal_at(place, at) {
                    at = literal.end;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn separator_of(head: &str) -> Option<char> {
    let count = |separator: char| memchr::memchr_iter(separator as u8, head.as_bytes()).count();
    let counts = ['\t', '|', ';', ','].map(|it| (count(it), it));
    let (n, best) = counts.into_iter().max_by_key(|(n, _)| *n)?;
    (n > 0).then_some(best)
}

fn bare(cell: &str) -> &str {
    cell.trim().trim_matches(['"', '\'', '`', '*', '\u{feff}']).trim()
}

/// A few words that name a column.
fn is_heading(cell: &str) -> bool {
    let cell = bare(cell);
    cell.len() <= 40
        && cell.chars().all(|it| it.is_alphanumeric() || " _-./#".contains(it))
        && !cell.starts_with(|it: char| it.is_ascii_digit())
}

/// The cells of a row; a separator within quotes is none.
fn cells_of(line: &str, separator: char) -> Option<Vec<Range<usize>>> {
    let bytes = line.as_bytes();
    let (mut cells, mut start, mut quoted) = (Vec::new(), 0, false);
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'"' {
            quoted = !quoted;
        } else if *byte == separator as u8 && !quoted {
            cells.push(start..at);
            start = at + 1;
        }
    }
    cells.push(start..bytes.len());
    (!quoted && cells.len() > 1).then_some(cells)
}

fn trim_cell(text: &str, cell: Range<usize>) -> Range<usize> {
    let value = &text[cell.clone()];
    let without = value.trim_start().trim_start_matches(['"', '\'', '`']);
    let start = cell.end - without.len();
    start..start + without.trim_end().trim_end_matches(['"', '\'', '`']).len()
}
