//! Answers that come compressed, which was not asked for: some gateways do it all the same. What
//! has come is given out at once, so that an answer can still be read while it is written.

use std::io::Write;

use brotli_decompressor::DecompressorWriter;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// The most that one chunk may become.
const MAX_BYTES_AT_ONCE: usize = 16 << 20;
const BROTLI_BUFFER_BYTES: usize = 4 << 10;
const GZIP_BEGINNING: [u8; 2] = [0x1f, 0x8b];

/// A body is not what its encoding says, or becomes too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

/// Takes the bytes of a body and gives them as they were before they were compressed.
pub struct Decoder {
    /// The outermost first. Nearly always none or one.
    layers: Vec<Layer>,
}

enum Layer {
    /// By its first two bytes: gzip, or nothing that was compressed. For bodies that do not say
    /// what they are.
    Unknown(Vec<u8>),
    Plain,
    Gzip(Box<MultiGzDecoder<Room>>),
    /// `deflate` of which the first two bytes tell whether it has a header, as the standard wants
    /// it.
    Deflate(Vec<u8>),
    Zlib(Box<ZlibDecoder<Room>>),
    Raw(Box<DeflateDecoder<Room>>),
    Brotli(Box<DecompressorWriter<Room>>),
}

/// What was decompressed and not yet taken.
#[derive(Default)]
struct Room(Vec<u8>);

impl Write for Room {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_BYTES_AT_ONCE {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Decoder {
    /// A decoder for a body with this `content-encoding`; empty where there is none.
    ///
    /// # Errors
    /// The name of an encoding that can't be read.
    pub fn of(content_encoding: &str) -> Result<Self, String> {
        let mut layers = Vec::new();
        for name in content_encoding.rsplit(',').map(|it| it.trim().to_ascii_lowercase()) {
            match name.as_str() {
                "" | "identity" | "none" | "utf-8" => {}
                "gzip" | "x-gzip" => layers.push(gzip()),
                "deflate" => layers.push(Layer::Deflate(Vec::new())),
                "br" => layers.push(brotli()),
                _ => return Err(crate::remote::protocol::fault::shortened(&name)),
            }
        }
        if layers.is_empty() {
            layers.push(Layer::Unknown(Vec::new()));
        }
        Ok(Self { layers })
    }

    /// The next bytes.
    ///
    /// # Errors
    /// [`Unreadable`]: they are not what the encoding says, or far more than a chunk of an answer
    /// can be.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Unreadable> {
        let mut bytes = bytes.to_vec();
        for layer in &mut self.layers {
            bytes = layer.push(&bytes).map_err(|_| Unreadable)?;
        }
        Ok(bytes)
    }

    /// The body is over: bytes that were held back, until it was clear what they are.
    pub fn finish(&mut self) -> Vec<u8> {
        match self.layers.first_mut() {
            Some(Layer::Unknown(held_back)) => std::mem::take(held_back),
            _ => Vec::new(),
        }
    }
}

fn gzip() -> Layer {
    Layer::Gzip(Box::new(MultiGzDecoder::new(Room::default())))
}

fn brotli() -> Layer {
    Layer::Brotli(Box::new(DecompressorWriter::new(Room::default(), BROTLI_BUFFER_BYTES)))
}

impl Layer {
    fn push(&mut self, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        let first;
        let mut bytes = bytes;
        if let Self::Unknown(before) | Self::Deflate(before) = self {
            before.extend_from_slice(bytes);
            first = std::mem::take(before);
            let [one, two, ..] = first[..] else {
                *before = first;
                return Ok(Vec::new());
            };
            let has_zlib_header =
                one & 0x0f == 8 && (u16::from(one) << 8 | u16::from(two)) % 31 == 0;
            *self = match self {
                Self::Unknown(_) if [one, two] == GZIP_BEGINNING => gzip(),
                Self::Unknown(_) => Self::Plain,
                _ if has_zlib_header => Self::Zlib(Box::new(ZlibDecoder::new(Room::default()))),
                _ => Self::Raw(Box::new(DeflateDecoder::new(Room::default()))),
            };
            bytes = &first;
        }
        let room = match self {
            Self::Unknown(_) | Self::Deflate(_) | Self::Plain => return Ok(bytes.to_vec()),
            Self::Gzip(decoder) => written(decoder, bytes)?.get_mut(),
            Self::Zlib(decoder) => written(decoder, bytes)?.get_mut(),
            Self::Raw(decoder) => written(decoder, bytes)?.get_mut(),
            Self::Brotli(decoder) => written(decoder, bytes)?.get_mut(),
        };
        Ok(std::mem::take(&mut room.0))
    }
}

fn written<'a, W: Write>(decoder: &'a mut Box<W>, bytes: &[u8]) -> std::io::Result<&'a mut W> {
    decoder.write_all(bytes)?;
    decoder.flush()?;
    Ok(decoder)
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    /// A brotli stream with one block, which is not compressed.
    fn brotli_stored(text: &[u8]) -> Vec<u8> {
        // Window bits 16 (one bit 0); not the last block, 4 nibbles of its length less one, not
        // compressed; then the text at the next byte, and an empty last block.
        let length = text.len() - 1;
        let head = (length << 4) | (1 << 20);
        let mut bytes = vec![head as u8, (head >> 8) as u8, (head >> 16) as u8];
        bytes.extend_from_slice(text);
        bytes.push(0b11);
        bytes
    }

    fn decoded(encoding: &str, bytes: &[u8], chunk_bytes: usize) -> Vec<u8> {
        let mut decoder = Decoder::of(encoding).expect("it is known");
        let mut decoded = Vec::new();
        for chunk in bytes.chunks(chunk_bytes) {
            decoded.extend(decoder.push(chunk).expect("it is sound"));
        }
        decoded.extend(decoder.finish());
        decoded
    }

    #[test]
    fn bodies_are_what_they_were_however_they_are_cut() {
        let text = "data: hello, hello, hello\n\n".repeat(40).into_bytes();
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&text).unwrap();
        let gzip = gzip.finish().unwrap();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        zlib.write_all(&text).unwrap();
        let zlib = zlib.finish().unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::best());
        raw.write_all(&text).unwrap();
        let raw = raw.finish().unwrap();
        for (encoding, bytes) in [
            ("gzip", &gzip),
            (" X-GZip", &gzip),
            ("", &gzip),
            ("deflate", &zlib),
            ("deflate", &raw),
            ("br", &brotli_stored(&text)),
            ("identity", &text),
            ("", &text),
        ] {
            for chunk_bytes in [1, 2, 7, bytes.len()] {
                assert_eq!(decoded(encoding, bytes, chunk_bytes), text, "{encoding} {chunk_bytes}");
            }
        }
        assert_eq!(decoded("", b"x", 1), b"x");
        let mut twice = GzEncoder::new(Vec::new(), Compression::fast());
        twice.write_all(&zlib).unwrap();
        assert_eq!(decoded("deflate, gzip", &twice.finish().unwrap(), 5), text);
    }

    #[test]
    fn what_has_come_is_given_out_before_the_end() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(b"data: one\n\n").unwrap();
        encoder.flush().unwrap();
        let mut decoder = Decoder::of("gzip").unwrap();
        assert_eq!(decoder.push(encoder.get_ref()).unwrap(), b"data: one\n\n");
    }

    #[test]
    fn what_is_not_what_it_says_is_an_error() {
        assert_eq!(Decoder::of("zstd").err().as_deref(), Some("zstd"));
        assert!(Decoder::of("gzip").unwrap().push(b"data: hello\n\n").is_err());
        assert!(Decoder::of("br").unwrap().push(&[0xff; 64]).is_err());
        let mut zeros = GzEncoder::new(Vec::new(), Compression::best());
        (0..40).for_each(|_| zeros.write_all(&[0; 1 << 20]).unwrap());
        assert!(Decoder::of("gzip").unwrap().push(&zeros.finish().unwrap()).is_err());
    }
}
