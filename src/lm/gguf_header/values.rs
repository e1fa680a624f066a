//! The values of a GGUF file, read one after the other within bounds: what a file says of its own
//! lengths is not believed.

use std::io::Read;

use crate::lm::gguf_header::HeaderFault;

/// What all of a header may have. A vocabulary of 262,144 tokens with its merges takes 12 MiB.
const MAX_HEADER_BYTES: u64 = 256 << 20;
/// A key or a name.
const MAX_NAME_BYTES: u64 = 65_535;
/// Of a list of numbers that is kept: one number a layer.
const MAX_KEPT: u64 = 4_096;

/// Reads little-endian values, and counts bytes.
pub(super) struct ValueReader<R> {
    input: R,
    position: u64,
}

/// A value of the metadata, as far as anybody asks for it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Number(u64),
    /// Negative, or no whole number.
    OtherNumber,
    Text(Vec<u8>),
    /// A text or a list that is longer than what is kept.
    Long,
    Numbers(Vec<u64>),
}

/// The kind of a value: 8 is a text, 9 a list, and the others are numbers of so many bytes.
fn number_bytes(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

impl<R: Read> ValueReader<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, position: 0 }
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    fn advance(&mut self, n_bytes: u64) -> Result<(), HeaderFault> {
        self.position = self.position.saturating_add(n_bytes);
        if self.position > MAX_HEADER_BYTES { Err(HeaderFault::TooLong) } else { Ok(()) }
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], HeaderFault> {
        self.advance(N as u64)?;
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, HeaderFault> {
        self.bytes().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, HeaderFault> {
        self.bytes().map(u64::from_le_bytes)
    }

    pub(super) fn magic(&mut self) -> Result<[u8; 4], HeaderFault> {
        self.bytes()
    }

    fn skip(&mut self, n_bytes: u64) -> Result<(), HeaderFault> {
        self.advance(n_bytes)?;
        let n = std::io::copy(&mut self.input.by_ref().take(n_bytes), &mut std::io::sink())?;
        if n == n_bytes { Ok(()) } else { Err(HeaderFault::CutShort) }
    }

    /// A text of at most `max_bytes`; a longer one is passed by.
    fn text_up_to(&mut self, max_bytes: u64) -> Result<Option<Vec<u8>>, HeaderFault> {
        let n_bytes = self.u64()?;
        if n_bytes > max_bytes {
            return self.skip(n_bytes).map(|()| None);
        }
        self.advance(n_bytes)?;
        let mut text = Vec::new();
        let n = self.input.by_ref().take(n_bytes).read_to_end(&mut text)?;
        if n as u64 == n_bytes { Ok(Some(text)) } else { Err(HeaderFault::CutShort) }
    }

    /// The name of a value or of a tensor.
    pub(super) fn name(&mut self) -> Result<String, HeaderFault> {
        let name = self.text_up_to(MAX_NAME_BYTES)?.ok_or(HeaderFault::Odd("a name too long"))?;
        String::from_utf8(name).map_err(|_| HeaderFault::Odd("a name that is no UTF-8"))
    }

    fn number(&mut self, kind: u32) -> Result<Value, HeaderFault> {
        let signed = |it: i64| u64::try_from(it).map_or(Value::OtherNumber, Value::Number);
        Ok(match kind {
            0 | 7 => Value::Number(self.bytes::<1>()?[0].into()),
            1 => signed(i8::from_le_bytes(self.bytes()?).into()),
            2 => Value::Number(u16::from_le_bytes(self.bytes()?).into()),
            3 => signed(i16::from_le_bytes(self.bytes()?).into()),
            4 => Value::Number(self.u32()?.into()),
            5 => signed(i32::from_le_bytes(self.bytes()?).into()),
            10 => Value::Number(self.u64()?),
            11 => signed(i64::from_le_bytes(self.bytes()?)),
            6 => self.skip(4).map(|()| Value::OtherNumber)?,
            12 => self.skip(8).map(|()| Value::OtherNumber)?,
            _ => return Err(HeaderFault::Odd("a value of no known kind")),
        })
    }

    /// A value. `each_text` sees the texts of a list, with their places in it.
    pub(super) fn value(
        &mut self,
        each_text: &mut dyn FnMut(u64, Option<&[u8]>),
    ) -> Result<Value, HeaderFault> {
        let kind = self.u32()?;
        match kind {
            8 => Ok(self.text_up_to(MAX_NAME_BYTES)?.map_or(Value::Long, Value::Text)),
            9 => self.list(each_text),
            _ => self.number(kind),
        }
    }

    fn list(
        &mut self,
        each_text: &mut dyn FnMut(u64, Option<&[u8]>),
    ) -> Result<Value, HeaderFault> {
        let kind = self.u32()?;
        let n_values = self.u64()?;
        if kind == 8 {
            for index in 0..n_values {
                // Markers are short.
                let text = self.text_up_to(64)?;
                each_text(index, text.as_deref());
            }
            return Ok(Value::Long);
        }
        let n_bytes = number_bytes(kind).ok_or(HeaderFault::Odd("a list of no known kind"))?;
        if n_values > MAX_KEPT {
            let n_bytes = n_values.checked_mul(n_bytes).ok_or(HeaderFault::TooLong)?;
            return self.skip(n_bytes).map(|()| Value::Long);
        }
        let mut numbers = Vec::new();
        for _ in 0..n_values {
            if let Value::Number(number) = self.number(kind)? {
                numbers.push(number);
            }
        }
        Ok(Value::Numbers(numbers))
    }
}
