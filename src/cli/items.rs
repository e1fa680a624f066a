//! Items of a stream of JSON lines: reading them, and what stands in the place of an answer.

pub mod progress;
pub mod stream;

use std::collections::HashMap;
use std::io::BufRead;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// Of a line; what is longer is no item of text.
const MAX_LINE_BYTES: usize = 16 << 20;

/// A line that is not empty.
#[derive(Debug)]
pub struct Line {
    /// From 1.
    pub number: usize,
    /// As they were read, with the line's end and empty lines before it.
    pub n_bytes: usize,
    /// Its bytes, or what is wrong with it.
    pub bytes: Result<Vec<u8>, &'static str>,
}

/// The lines of a reader, none of them longer than memory allows.
#[derive(Debug)]
pub struct Lines<R> {
    input: R,
    number: usize,
}

impl<R: BufRead> Lines<R> {
    pub fn new(input: R) -> Self {
        Self { input, number: 0 }
    }

    fn next_line(&mut self) -> std::io::Result<Option<Line>> {
        let mut n_bytes = 0;
        loop {
            let mut bytes = Vec::new();
            let (n_read, is_too_long) = self.read_to_end_of_line(&mut bytes)?;
            if n_read == 0 {
                return Ok(None);
            }
            self.number += 1;
            n_bytes += n_read;
            if self.number == 1 && bytes.starts_with(b"\xEF\xBB\xBF") {
                bytes.drain(..3);
            }
            if is_too_long {
                let bytes = Err("is longer than 16 MiB");
                return Ok(Some(Line { number: self.number, n_bytes, bytes }));
            }
            if !bytes.trim_ascii().is_empty() {
                return Ok(Some(Line { number: self.number, n_bytes, bytes: Ok(bytes) }));
            }
        }
    }

    /// How many bytes there were, and whether they were more than are kept.
    fn read_to_end_of_line(&mut self, into: &mut Vec<u8>) -> std::io::Result<(usize, bool)> {
        let (mut n_read, mut is_too_long) = (0, false);
        loop {
            let some = match self.input.fill_buf() {
                Ok(some) => some,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let end = memchr::memchr(b'\n', some);
            let n = end.map_or(some.len(), |it| it + 1);
            is_too_long |= into.len() + n > MAX_LINE_BYTES;
            if !is_too_long {
                into.extend_from_slice(&some[..n]);
            }
            self.input.consume(n);
            n_read += n;
            if end.is_some() || n == 0 {
                return Ok((n_read, is_too_long));
            }
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    /// The error is one sentence.
    type Item = Result<Line, String>;

    fn next(&mut self) -> Option<Self::Item> {
        let unreadable = |error| format!("the input can't be read ({error})");
        self.next_line().map_err(unreadable).transpose()
    }
}

/// A text with its name, whatever JSON that is; `null` where it has none.
#[derive(Debug, Deserialize)]
pub struct TextItem {
    #[serde(default = "null")]
    pub id: Box<RawValue>,
    text: String,
}

/// A line that is no item.
#[derive(Debug)]
pub struct ItemFault {
    id: Box<RawValue>,
    /// What is wrong, and in which line.
    pub sentence: String,
}

/// The name alone, of a line that lacks other things.
#[derive(Debug, Deserialize)]
pub(crate) struct Named {
    #[serde(default = "null")]
    id: Box<RawValue>,
}

impl Named {
    /// The name that a line has, or `null`.
    pub(crate) fn in_line(bytes: &[u8]) -> Box<RawValue> {
        serde_json::from_slice::<Self>(bytes).map_or_else(|_| null(), |it| it.id)
    }
}

fn null() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}

impl TextItem {
    /// # Errors
    /// The line is too long, no JSON of the right shape, or its text is empty.
    pub fn of(line: &Line) -> Result<Self, ItemFault> {
        let fault = |id: Box<RawValue>, what: &str| ItemFault::new(id, line.number, what);
        let bytes = line.bytes.as_ref().map_err(|what| fault(null(), what))?;
        match serde_json::from_slice::<Self>(bytes) {
            Ok(item) if item.text.trim().is_empty() => Err(fault(item.id, "has an empty text")),
            Ok(item) => Ok(item),
            Err(error) => {
                let id = Named::in_line(bytes);
                // The error's own words may quote the line.
                let column = error.column();
                let what = format!("is not {{\"id\": …, \"text\": …}} as JSON (column {column})");
                Err(fault(id, &what))
            }
        }
    }

    pub fn text(&self) -> &str {
        &self.text
    }
}

impl ItemFault {
    /// `what` goes on behind the line's number.
    pub(crate) fn new(id: Box<RawValue>, line: usize, what: &str) -> Self {
        Self { id, sentence: format!("line {line} {what}") }
    }

    /// What stands in the place of an answer.
    pub fn answer(&self) -> String {
        format!("{{\"id\":{},\"error\":{}}}\n", self.id, serde_json::Value::from(&*self.sentence))
    }
}

/// Ids that were answered, each as often as it was.
#[derive(Debug, Default)]
pub struct DoneItems(HashMap<String, usize>);

#[derive(Debug, Deserialize)]
struct AnswerLine {
    #[serde(default = "null")]
    id: Box<RawValue>,
    error: Option<IgnoredAny>,
}

impl DoneItems {
    /// Notes a line of answers; one that has an error is to be tried again.
    pub fn note(&mut self, line: &[u8]) {
        let answer = serde_json::from_slice::<AnswerLine>(line).ok();
        if let Some(answer) = answer.filter(|it| it.error.is_none()) {
            *self.0.entry(answer.id.get().to_owned()).or_default() += 1;
        }
    }

    /// Whether an item was answered that is not accounted for yet.
    pub fn take(&mut self, id: &RawValue) -> bool {
        let left = self.0.get_mut(id.get()).filter(|it| **it > 0);
        left.map(|it| *it -= 1).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8]) -> Vec<(usize, Result<String, &'static str>)> {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim_end().to_owned();
        Lines::new(input).map(|it| it.unwrap()).map(|it| (it.number, it.bytes.map(text))).collect()
    }

    #[test]
    fn lines_are_counted_with_the_empty_ones() {
        let found = all(b"\xEF\xBB\xBF{}\r\n\n  \n{\"a\":1}");
        assert_eq!(found, [(1, Ok("{}".to_owned())), (4, Ok("{\"a\":1}".to_owned()))]);
        assert_eq!(all(b""), []);
    }

    #[test]
    fn a_line_without_end_is_passed_over() {
        let mut input = vec![b'x'; MAX_LINE_BYTES + 5];
        input.extend(b"\nnext\n");
        let found = all(&input);
        assert!(found[0].1.is_err());
        assert_eq!(found[1], (2, Ok("next".to_owned())));
    }

    #[test]
    fn an_id_that_is_there_twice_is_done_as_often_as_it_was_answered() {
        let mut done = DoneItems::default();
        for line in ["{\"id\":1,\"label\":\"a\"}", "{\"id\":2,\"error\":\"b\"}", "{\"id\":3,\"la"] {
            done.note(line.as_bytes());
        }
        let id = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let took: Vec<bool> = ["1", "1", "2", "3"].iter().map(|it| done.take(&id(it))).collect();
        assert_eq!(took, [true, false, false, false]);
    }
}
