//! Server-sent events, cut out of a stream of bytes: the parser of the HTML standard (section
//! 9.2.6), without its reconnecting.
//!
//! Written here and not taken from a crate because it has to be pure, to bound the size of an event
//! whoever sends it, and to give the same events however the bytes are cut; `eventsource-stream`,
//! which others use, works on a runtime's streams and has no bound. Unlike the standard, an event
//! is handed out as soon as its data are one whole JSON object, or the mark of an answer's end:
//! some servers leave the blank line behind it out, between events or after the last. A line that
//! begins with a brace is taken for data without their name, as gateways send errors. And an event
//! that the end of the stream cuts off is handed out as well: whether it is whole, its JSON tells.

use serde::de::IgnoredAny;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event {
    /// The `event:` field; empty where there is none.
    pub name: String,
    /// The `data:` lines, joined with line feeds.
    pub data: String,
}

/// Of an event's name and data together, and of a line. The longest that providers send is the last
/// event of a response, which repeats the whole answer.
pub const MAX_EVENT_BYTES: usize = 16 << 20;

/// An object over more lines of data than this ends at the blank line alone: looking for its end at
/// each of many lines would take the square of their time.
const MAX_LINES_OF_AN_OBJECT: usize = 100;

/// An event or a line was longer than [`MAX_EVENT_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// The state between two calls.
#[derive(Debug, Clone, Default)]
pub struct Parser {
    /// The line that has not ended yet. Bytes, as a character can be cut in two.
    line: Vec<u8>,
    name: String,
    data: String,
    has_data: bool,
    /// Lines of data in the event so far.
    n_data_lines: usize,
    /// A line feed that comes now belongs to the carriage return before it.
    after_carriage_return: bool,
    /// The first line, before which a byte order mark may stand, is over.
    past_first_line: bool,
}

impl Parser {
    /// Takes the next bytes and adds the events that they complete.
    ///
    /// # Errors
    /// [`TooLong`]; the parser is of no use after it.
    pub fn push(&mut self, mut bytes: &[u8], events: &mut Vec<Event>) -> Result<(), TooLong> {
        while let Some(&first) = bytes.first() {
            if std::mem::take(&mut self.after_carriage_return) && first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|it| matches!(it, b'\n' | b'\r'));
            let n_bytes = end.unwrap_or(bytes.len());
            if self.line.len() + n_bytes > MAX_EVENT_BYTES {
                return Err(TooLong);
            }
            self.line.extend_from_slice(&bytes[..n_bytes]);
            let Some(end) = end else { return Ok(()) };
            self.after_carriage_return = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            self.end_line(events)?;
        }
        Ok(())
    }

    /// How many bytes of an event's data wait for more of them.
    pub fn n_waiting_bytes(&self) -> usize {
        let is_data = self.line.starts_with(b"data:") || self.line.starts_with(b"{");
        self.data.len() + if is_data { self.line.len() } else { 0 }
    }

    /// The stream is over: adds the event that it was in the middle of, if any.
    pub fn finish(&mut self, events: &mut Vec<Event>) {
        // Both are within bounds already, so neither can be too long.
        let _ = self.end_line(events);
        self.end_event(events);
    }

    fn end_line(&mut self, events: &mut Vec<Event>) -> Result<(), TooLong> {
        let bytes = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&bytes);
        let mut line = line.as_ref();
        if !std::mem::replace(&mut self.past_first_line, true) {
            line = line.strip_prefix('\u{feff}').unwrap_or(line);
        }
        if line.is_empty() {
            self.end_event(events);
            return Ok(());
        }
        let (field, value) = match line.split_once(':') {
            _ if line.starts_with('{') => ("data", line),
            Some((field, value)) => (field, value.strip_prefix(' ').unwrap_or(value)),
            None => (line, ""),
        };
        if self.name.len() + self.data.len() + value.len() >= MAX_EVENT_BYTES {
            return Err(TooLong);
        }
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(value);
                self.n_data_lines += 1;
                if self.n_data_lines <= MAX_LINES_OF_AN_OBJECT && is_whole(&self.data) {
                    self.end_event(events);
                }
            }
            // A comment has an empty field; `id` and `retry` are for reconnecting, which a paid
            // request never does.
            _ => {}
        }
        Ok(())
    }

    fn end_event(&mut self, events: &mut Vec<Event>) {
        let name = std::mem::take(&mut self.name);
        let data = std::mem::take(&mut self.data);
        self.n_data_lines = 0;
        if std::mem::take(&mut self.has_data) {
            events.push(Event { name, data });
        }
    }
}

/// Whether an event's data can't go on in another line.
fn is_whole(data: &str) -> bool {
    is_end_mark(data)
        || data.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(data).is_ok()
}

/// Whether an event's data are the `[DONE]` of OpenAI's protocols, with blanks and quotes as some
/// send it.
pub(crate) fn is_end_mark(data: &str) -> bool {
    data.trim().trim_matches('"').eq_ignore_ascii_case("[DONE]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events_of(chunks: &[&[u8]]) -> Vec<(String, String)> {
        let mut parser = Parser::default();
        let mut events = Vec::new();
        for chunk in chunks {
            parser.push(chunk, &mut events).unwrap();
        }
        parser.finish(&mut events);
        events.into_iter().map(|it| (it.name, it.data)).collect()
    }

    fn check(text: &str, expected: &[(&str, &str)]) {
        let expected: Vec<(String, String)> =
            expected.iter().map(|(name, data)| ((*name).to_owned(), (*data).to_owned())).collect();
        assert_eq!(events_of(&[text.as_bytes()]), expected, "{text:?}");
        for at in 0..=text.len() {
            let (before, after) = text.as_bytes().split_at(at);
            assert_eq!(events_of(&[before, after]), expected, "{text:?} cut at {at}");
        }
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(events_of(&bytes), expected, "{text:?} byte by byte");
    }

    #[test]
    fn events_are_the_same_however_the_bytes_are_cut() {
        check("data: a\n\ndata: b\n\n", &[("", "a"), ("", "b")]);
        check("event: x\ndata: a\ndata: b\ndata\n\n", &[("x", "a\nb\n")]);
        check("data: a\r\n\r\ndata: b\r\rdata: c\n\r\n", &[("", "a"), ("", "b"), ("", "c")]);
        check("\u{feff}data: a\n\n\u{feff}data: no\n\n", &[("", "a")]);
        check(": a comment\n\n:\ndata:no blank\n\n", &[("", "no blank")]);
        check("data:  two: blanks \n\n", &[("", " two: blanks ")]);
        check("id: 1\nretry: 9\nunknown: x\n\nevent: lost\n\ndata: a\n\n", &[("", "a")]);
        check("data: \u{e9}\u{1f980}\u{2028}\n\n", &[("", "\u{e9}\u{1f980}\u{2028}")]);
        check("data: the end without a line", &[("", "the end without a line")]);
        check("data: {}\nda", &[("", "{}")]);
        check("", &[]);
        check("\n\r\n\r", &[]);
        check("data:\n\ndata: a\n\n", &[("", ""), ("", "a")]);
    }

    #[test]
    fn whole_data_are_an_event_without_the_blank_line() {
        check("data: {\"a\":1}\ndata: [DONE] \n", &[("", "{\"a\":1}"), ("", "[DONE] ")]);
        check("event: x\ndata: {}\nevent: y\ndata: {}\n\n", &[("x", "{}"), ("y", "{}")]);
        check("data: {\ndata: \"a\": 1}\n\n", &[("", "{\n\"a\": 1}")]);
        check("{\"error\": 1}\n\ndata: a\n\n", &[("", "{\"error\": 1}"), ("", "a")]);
        let mut events = Vec::new();
        Parser::default().push(b"data: {}\ndata: [DONE]\n", &mut events).unwrap();
        assert_eq!(events.len(), 2);
    }

    #[test]
    fn bytes_that_are_no_text_do_not_stop_it() {
        let events = events_of(&[b"data: a\xff\xc3\n\nda\xffta: x\n\ndata: b\n\n"]);
        assert_eq!(events.len(), 2);
        assert_eq!(events[1].1, "b");
    }

    #[test]
    fn an_event_has_a_bound() {
        let mut events = Vec::new();
        let chunk = vec![b'x'; 1 << 20];
        let mut line = Parser::default();
        let tried: Result<(), TooLong> = (0..32).try_for_each(|_| line.push(&chunk, &mut events));
        assert_eq!(tried, Err(TooLong));
        let mut lines = Parser::default();
        let mut data_line = b"data: ".to_vec();
        data_line.extend_from_slice(&chunk);
        data_line.push(b'\n');
        let tried = (0..32).try_for_each(|_| lines.push(&data_line, &mut events));
        assert_eq!(tried, Err(TooLong));
        assert_eq!(events, []);
    }
}
