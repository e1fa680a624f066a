//! Bytes to the bodies of messages, and back.
//!
//! The library's own codec ends the connection at the first broken frame, and its JSON parser
//! refuses a whole message for half a UTF-16 pair in one string, which would lose an edit and leave
//! the document wrong from then on. This reader tells of a broken frame and goes on at the next
//! header, and it makes bodies valid: a lone half of a pair becomes U+FFFD, which is as wide, and
//! each byte that is no UTF-8 (Neovim sends what is in the file) becomes a `?`, which is one byte
//! too.

use std::borrow::Cow;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

use crate::stdx::utf16::lone_halves;

/// A body longer than this is taken for a broken header. Editors open files of tens of megabytes,
/// and JSON can make six bytes of one.
const MAX_BODY_BYTES: usize = 1 << 30;
/// Headers are short; of a longer line only the end is kept, where a header may begin.
const MAX_HEADER_BYTES: usize = 4_096;

/// What comes out of the stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    Body(Vec<u8>),
    /// Bytes that are no frame. Reading goes on at the next header.
    Broken(&'static str),
}

/// Reads frames.
pub struct FrameReader<R> {
    input: BufReader<R>,
    /// Bytes of broken frames are being skipped; said once.
    skipping: bool,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub fn new(input: R) -> Self {
        Self { input: BufReader::with_capacity(1 << 16, input), skipping: false }
    }

    /// The next frame, or `None` at the end of the stream.
    ///
    /// # Errors
    /// Those of the stream. The end within a frame is just the end.
    pub async fn next(&mut self) -> std::io::Result<Option<Frame>> {
        let mut length: Option<usize> = None;
        loop {
            let Some(line) = self.header_line().await? else { return Ok(None) };
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end();
            if text.is_empty() {
                let Some(length) = length else {
                    if self.skipping {
                        continue;
                    }
                    self.skipping = true;
                    return Ok(Some(Frame::Broken("a message had no Content-Length")));
                };
                self.skipping = false;
                return self.body(length).await;
            }
            match header(text) {
                Header::Length(n) if n <= MAX_BODY_BYTES => length = Some(n),
                Header::Other => {}
                Header::Length(_) | Header::Broken => {
                    length = None;
                    if !self.skipping {
                        self.skipping = true;
                        return Ok(Some(Frame::Broken("a message had a broken header")));
                    }
                }
            }
        }
    }

    async fn body(&mut self, length: usize) -> std::io::Result<Option<Frame>> {
        let mut body = Vec::with_capacity(length.min(1 << 20));
        (&mut self.input).take(length as u64).read_to_end(&mut body).await?;
        Ok((body.len() == length).then_some(Frame::Body(body)))
    }

    /// One line with its break, or `None` at the end of the stream. Of a very long one, its end.
    async fn header_line(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        loop {
            let available = self.input.fill_buf().await?;
            if available.is_empty() {
                return Ok(None);
            }
            let line_break = available.iter().position(|byte| *byte == b'\n');
            let taken = line_break.map_or(available.len(), |at| at + 1);
            line.extend_from_slice(&available[..taken]);
            self.input.consume(taken);
            if line.len() > MAX_HEADER_BYTES {
                line.drain(..line.len() - MAX_HEADER_BYTES);
            }
            if line_break.is_some() {
                return Ok(Some(line));
            }
        }
    }
}

enum Header {
    Length(usize),
    Other,
    Broken,
}

fn header(line: &str) -> Header {
    const NAME: &str = "content-length:";
    let lower = line.to_ascii_lowercase();
    // After a broken body a header can stand at the end of its last line.
    if let Some(at) = lower.rfind(NAME) {
        return match line[at + NAME.len()..].trim().parse() {
            Ok(length) => Header::Length(length),
            Err(_) => Header::Broken,
        };
    }
    let name = line.split_once(':').map(|(name, _)| name);
    match name {
        Some(name) if name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-') => {
            Header::Other
        }
        _ => Header::Broken,
    }
}

/// A body as a frame.
pub fn encode(body: &[u8]) -> Vec<u8> {
    let mut frame = format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    frame.extend_from_slice(body);
    frame
}

/// Makes a body something that a JSON parser takes: valid UTF-8 without lone halves of UTF-16
/// pairs. Copies only where there is something to mend.
pub fn mend(body: &[u8]) -> Cow<'_, str> {
    let text = valid_utf8(body);
    match lone_halves(&text) {
        halves if halves.is_empty() => text,
        halves => {
            let mut mended = text.into_owned();
            for half in halves {
                mended.replace_range(half.range, "\\ufffd");
            }
            Cow::Owned(mended)
        }
    }
}

fn valid_utf8(body: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(body) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames_of(input: &[u8]) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut reader = FrameReader::new(input);
            let mut out = Vec::new();
            while let Some(frame) = reader.next().await.unwrap() {
                out.push(match frame {
                    Frame::Body(body) => String::from_utf8_lossy(&body).into_owned(),
                    Frame::Broken(why) => format!("({why})"),
                });
            }
            out
        })
    }

    #[test]
    fn frames_come_out_in_order() {
        let input = b"Content-Length: 2\r\n\r\n{}content-length:4\r\nContent-Type: x/y\r\n\r\n[12]";
        assert_eq!(frames_of(input), ["{}", "[12]"]);
    }

    #[test]
    fn reading_goes_on_after_a_broken_frame() {
        let length = "(a message had no Content-Length)";
        let header = "(a message had a broken header)";
        assert_eq!(frames_of(b"X: 1\r\n\r\nContent-Length: 2\r\n\r\n{}"), [length, "{}"]);
        assert_eq!(
            frames_of(b"Content-Length: x\r\n\r\nContent-Length: 2\r\n\r\n{}"),
            [header, "{}"]
        );
        assert_eq!(frames_of(b"{\"a\":1}\r\nContent-Length: 2\r\n\r\n{}"), [header, "{}"]);
        assert_eq!(
            frames_of(b"Content-Length: 2\r\n\r\n{}}}}garbage Content-Length: 2\r\n\r\n[]"),
            ["{}", "[]"]
        );
        assert_eq!(
            frames_of(b"Content-Length: 99999999999\r\n\r\nContent-Length: 2\r\n\r\n{}"),
            [header, "{}"]
        );
    }

    #[test]
    fn the_end_within_a_frame_is_the_end() {
        assert!(frames_of(b"Content-Length: 20\r\n\r\n{}").is_empty());
        assert!(frames_of(b"Content-Le").is_empty());
        assert!(frames_of(b"").is_empty());
    }

    #[test]
    fn lone_halves_are_mended() {
        for (body, expected) in [
            (r#"{"a":"\ud83d\ude00"}"#, r#"{"a":"\ud83d\ude00"}"#),
            (r#"{"a":"\ud83d"}"#, r#"{"a":"\ufffd"}"#),
            (r#"{"a":"\uDE00\ud83d"}"#, r#"{"a":"\ufffd\ufffd"}"#),
            (r#"{"a":"\ud83d\ud83d\ude00"}"#, r#"{"a":"\ufffd\ud83d\ude00"}"#),
            (r#"{"a":"\\ud83d"}"#, r#"{"a":"\\ud83d"}"#),
            (r#"{"a":"\\\ud83d"}"#, r#"{"a":"\\\ufffd"}"#),
            (r#"{"a":"\ud8"#, r#"{"a":"\ud8"#),
            ("\\", "\\"),
        ] {
            assert_eq!(mend(body.as_bytes()), expected);
        }
        assert_eq!(mend(b"\"\xff\xe2\x82\""), "\"???\"");
    }
}
