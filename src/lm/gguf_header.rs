//! What a GGUF file says of itself, read without llama.cpp: enough to list a model, and to refuse
//! one before it is loaded. The format: ggml's docs/gguf.md.
//!
//! The file may be anybody's, so nothing of it is believed that is not there: lengths are bounded,
//! and every fault is a [`HeaderFault`].

mod completes_by;
mod tensor_types;
mod values;

use std::collections::HashMap;
use std::fmt;
use std::io::{BufReader, Read};
use std::path::Path;

use crate::files;
use crate::lm::fim::families::FAMILIES;
use crate::lm::fim::{self, Markers};
pub use crate::lm::gguf_header::completes_by::{CompletesBy, generates};
use crate::lm::gguf_header::tensor_types::{file_type_name, tensor_bytes, tensor_type_name};
use crate::lm::gguf_header::values::{Value, ValueReader};
use crate::lm::sizing;
use crate::lm::vocabulary::Token;

/// Values and tensors that a header may have.
const MAX_ENTRIES: u64 = 1 << 20;
const DEFAULT_ALIGNMENT: u64 = 32;

/// What a file says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct GgufHeader {
    /// `llama`, `qwen2` and so on, by llama.cpp's names.
    pub architecture: String,
    /// `model`, or what else the file holds: `adapter`, `mmproj`.
    pub holds: String,
    pub name: Option<String>,
    pub license: Option<String>,
    /// `Q8_0`, `Q4_K_M` and so on; `unknown` where neither the file nor its tensors say.
    pub quantization: &'static str,
    pub n_params: u64,
    pub n_vocab: u64,
    pub n_context_trained: u64,
    pub n_layers: u64,
    /// How the model fills in the middle: the family's name, or `metadata`. `None` where it can't.
    pub fim_family: Option<&'static str>,
    /// It generates text; others make vectors of texts.
    pub generates: bool,
    pub has_chat_template: bool,
    /// Of the KV cache, in 16 bits a value.
    pub kv_bytes_per_token: u64,
    /// Files that the model is split into.
    pub n_parts: u64,
    /// What the file has at least, if it is whole.
    pub least_bytes: u64,
}

/// Why a header can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderFault {
    /// The system refuses to read it.
    Unreadable(String),
    NotGguf,
    /// Of a version that is not 2 or 3.
    Version(u32),
    CutShort,
    TooLong,
    /// What stands where something else should.
    Odd(&'static str),
}

impl fmt::Display for HeaderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(what) => write!(f, "it can't be read ({what})"),
            Self::NotGguf => f.write_str("it is not a model in GGUF format"),
            Self::Version(1) => f.write_str("it is in version 1 of GGUF, which llama.cpp gave up"),
            Self::Version(version) if version.swap_bytes() <= 9 => {
                f.write_str("it was made for processors with the other byte order")
            }
            Self::Version(version) => write!(f, "it says that it is in version {version} of GGUF"),
            Self::CutShort => f.write_str("it is cut short"),
            Self::TooLong => f.write_str("its header is longer than that of any model"),
            Self::Odd(what) => write!(f, "its header has {what}"),
        }
    }
}

impl std::error::Error for HeaderFault {}

impl From<std::io::Error> for HeaderFault {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Self::CutShort,
            _ => Self::Unreadable(error.to_string()),
        }
    }
}

impl GgufHeader {
    /// Reads a file's header.
    ///
    /// # Errors
    /// See [`HeaderFault`]; `CutShort` also where the tensors that the header names are not all
    /// there.
    pub fn of_file(path: &Path) -> Result<Self, HeaderFault> {
        let unreadable = |error: std::io::Error| HeaderFault::Unreadable(error.to_string());
        let file = files::open(path).map_err(unreadable)?;
        let n_bytes = file.metadata().map_err(unreadable)?.len();
        let header = Self::read(BufReader::with_capacity(1 << 16, file))?;
        if header.least_bytes > n_bytes { Err(HeaderFault::CutShort) } else { Ok(header) }
    }

    /// Reads a header from the start of a file.
    ///
    /// # Errors
    /// See [`HeaderFault`].
    pub fn read(input: impl Read) -> Result<Self, HeaderFault> {
        let mut input = ValueReader::new(input);
        match input.magic() {
            Ok(magic) if magic == *b"GGUF" => {}
            Ok(_) | Err(HeaderFault::CutShort) => return Err(HeaderFault::NotGguf),
            Err(fault) => return Err(fault),
        }
        let version = input.u32()?;
        if !(2..=3).contains(&version) {
            return Err(HeaderFault::Version(version));
        }
        let (n_tensors, n_values) = (input.u64()?, input.u64()?);
        if n_tensors > MAX_ENTRIES || n_values > MAX_ENTRIES {
            return Err(HeaderFault::TooLong);
        }
        let metadata = Metadata::read(&mut input, n_values)?;
        let tensors = Tensors::read(&mut input, n_tensors)?;
        let alignment = metadata.number("general.alignment").unwrap_or(DEFAULT_ALIGNMENT);
        if !alignment.is_power_of_two() {
            return Err(HeaderFault::Odd("an alignment that is no power of two"));
        }
        let data_start = input.position().checked_next_multiple_of(alignment);
        let least_bytes = data_start.and_then(|it| it.checked_add(tensors.end));
        let least_bytes = least_bytes.ok_or(HeaderFault::TooLong)?;
        let architecture = metadata.text("general.architecture");
        let architecture = architecture.ok_or(HeaderFault::Odd("no architecture"))?;
        let of_it = |key: &str| format!("{architecture}.{key}");
        let file_type = metadata.number("general.file_type").and_then(file_type_name);
        Ok(Self {
            holds: metadata.text("general.type").unwrap_or_else(|| "model".to_owned()),
            name: metadata.text("general.name"),
            license: metadata.text("general.license"),
            quantization: file_type.or_else(|| tensors.commonest()).unwrap_or("unknown"),
            n_params: tensors.n_weights,
            n_vocab: metadata.n_vocab,
            n_context_trained: metadata.number(&of_it("context_length")).unwrap_or_default(),
            n_layers: metadata.number(&of_it("block_count")).unwrap_or_default(),
            fim_family: fim::resolve(&metadata).map(|it| it.family),
            generates: generates(
                &architecture,
                metadata.number(&of_it("attention.causal")).map(|it| it > 0),
            ),
            has_chat_template: metadata.values.contains_key("tokenizer.chat_template"),
            kv_bytes_per_token: metadata.kv_bytes_per_token(&architecture),
            n_parts: metadata.number("split.count").unwrap_or(1).clamp(1, 99_999),
            least_bytes,
            architecture,
        })
    }

    /// Whether it is a model that text is generated with, or vectors of it, and not a part of one.
    pub fn is_language_model(&self) -> bool {
        self.holds == "model" && self.architecture != "clip" && self.n_vocab > 0
    }

    /// The memory that it takes as keyside loads it, in bytes: about, and rather more.
    pub fn resident_bytes(&self, file_bytes: u64) -> u64 {
        sizing::resident_bytes(file_bytes, self.n_params, self.kv_bytes_per_token)
    }
}

/// What of the metadata is kept.
#[derive(Default)]
struct Metadata {
    values: HashMap<String, Value>,
    n_vocab: u64,
    /// Markers by their spelling.
    markers: HashMap<String, Token>,
}

impl Metadata {
    fn read(input: &mut ValueReader<impl Read>, n_values: u64) -> Result<Self, HeaderFault> {
        let mut this = Self::default();
        for _ in 0..n_values {
            let key = input.name()?;
            let (mut n_texts, mut markers) = (0, Vec::new());
            let value = input.value(&mut |index, text| {
                n_texts = index + 1;
                let text = text.and_then(|it| std::str::from_utf8(it).ok()).filter(is_marker);
                if let (Some(text), Ok(token)) = (text, Token::try_from(index)) {
                    markers.push((text.to_owned(), token));
                }
            })?;
            if key == "tokenizer.ggml.tokens" {
                this.n_vocab = n_texts;
                this.markers = markers.into_iter().collect();
            }
            this.values.insert(key, value);
        }
        Ok(this)
    }

    fn number(&self, key: &str) -> Option<u64> {
        match self.values.get(key)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    fn text(&self, key: &str) -> Option<String> {
        match self.values.get(key)? {
            Value::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        }
    }

    /// Two values of 16 bits for each dimension of each head that has them, in all layers.
    fn kv_bytes_per_token(&self, architecture: &str) -> u64 {
        let of_it = |key: &str| self.number(&format!("{architecture}.{key}"));
        let n_layers = of_it("block_count").unwrap_or_default();
        let n_heads = of_it("attention.head_count").unwrap_or(1).max(1);
        let in_all_layers = match self
            .values
            .get(&format!("{architecture}.attention.head_count_kv"))
        {
            Some(Value::Number(each)) => each.saturating_mul(n_layers),
            Some(Value::Numbers(all)) => all.iter().fold(0, |sum: u64, it| sum.saturating_add(*it)),
            _ => n_heads.saturating_mul(n_layers),
        };
        let of_head = of_it("embedding_length").unwrap_or_default() / n_heads;
        let key = of_it("attention.key_length").unwrap_or(of_head);
        let value = of_it("attention.value_length").unwrap_or(of_head);
        in_all_layers.saturating_mul(key.saturating_add(value)).saturating_mul(2)
    }
}

/// Markers that llama.cpp takes for those of a model whose metadata names none (`llama-vocab.cpp`):
/// prefix, suffix, middle, file separator.
const FOUND_BY_NAME: [&[&str]; 4] = [
    &[
        "<|fim_prefix|>",
        "<fim-prefix>",
        "<fim_prefix>",
        "<PRE>",
        "▁<PRE>",
        "<｜fim▁begin｜>",
        "<|code_prefix|>",
    ],
    &[
        "<|fim_suffix|>",
        "<fim-suffix>",
        "<fim_suffix>",
        "<SUF>",
        "▁<SUF>",
        "<｜fim▁hole｜>",
        "<|code_suffix|>",
    ],
    &[
        "<|fim_middle|>",
        "<fim-middle>",
        "<fim_middle>",
        "<MID>",
        "▁<MID>",
        "<｜fim▁end｜>",
        "<|code_middle|>",
    ],
    &["<|file_sep|>"],
];
/// The metadata that names them, in the same order.
const NAMED_IN_METADATA: [&str; 4] = [
    "tokenizer.ggml.fim_pre_token_id",
    "tokenizer.ggml.fim_suf_token_id",
    "tokenizer.ggml.fim_mid_token_id",
    "tokenizer.ggml.fim_sep_token_id",
];

/// Whether any family, or llama.cpp, asks for a marker of this spelling.
fn is_marker(spelling: &&str) -> bool {
    spelling.trim_start_matches('▁').starts_with(['<', '['])
        && (FOUND_BY_NAME.iter().any(|all| all.contains(spelling))
            || FAMILIES.iter().any(|family| {
                let all = [family.with, family.without, family.ends].concat();
                let own = [family.prefix, family.suffix];
                let more = [family.middle, family.file_separator];
                all.contains(spelling) || own.contains(spelling) || more.contains(&Some(spelling))
            }))
}

impl Markers for Metadata {
    fn marker(&self, spelling: &str) -> Option<Token> {
        self.markers.get(spelling).copied()
    }

    fn metadata(&self) -> [Option<Token>; 4] {
        std::array::from_fn(|at| {
            let named = self.number(NAMED_IN_METADATA[at]).and_then(|it| Token::try_from(it).ok());
            named.or_else(|| FOUND_BY_NAME[at].iter().find_map(|it| self.marker(it)))
        })
    }

    fn pre_tokenizer(&self) -> Option<String> {
        self.text("tokenizer.ggml.pre")
    }

    fn begin_of_text(&self) -> Option<Token> {
        None
    }

    fn end_tokens(&self) -> Vec<Token> {
        Vec::new()
    }
}

/// The tensors' sum.
#[derive(Default)]
struct Tensors {
    n_weights: u64,
    /// Where the last one ends, counted from the start of them all.
    end: u64,
    weights_of: HashMap<u32, u64>,
}

impl Tensors {
    fn read(input: &mut ValueReader<impl Read>, n_tensors: u64) -> Result<Self, HeaderFault> {
        const TOO_LARGE: HeaderFault = HeaderFault::Odd("a tensor larger than any");
        let mut this = Self::default();
        for _ in 0..n_tensors {
            input.name()?;
            let n_dimensions = input.u32()?;
            if n_dimensions > 8 {
                return Err(HeaderFault::Odd("a tensor of too many dimensions"));
            }
            let mut n_weights: u64 = 1;
            for _ in 0..n_dimensions {
                n_weights = n_weights.checked_mul(input.u64()?).ok_or(TOO_LARGE)?;
            }
            let (kind, offset) = (input.u32()?, input.u64()?);
            let n_bytes = match tensor_type_name(kind) {
                Some(_) => tensor_bytes(kind, n_weights).ok_or(TOO_LARGE)?,
                // Of a type that came later.
                None => 1,
            };
            this.end = this.end.max(offset.checked_add(n_bytes).ok_or(TOO_LARGE)?);
            this.n_weights = this.n_weights.checked_add(n_weights).ok_or(TOO_LARGE)?;
            *this.weights_of.entry(kind).or_default() += n_weights;
        }
        Ok(this)
    }

    /// The type that most weights have.
    fn commonest(&self) -> Option<&'static str> {
        let most = self.weights_of.iter().max_by_key(|(kind, n)| (**n, **kind));
        most.and_then(|(kind, _)| tensor_type_name(*kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lm::backend::embedded;

    #[test]
    fn the_built_in_model_says_what_it_is() {
        let header = GgufHeader::read(embedded::MODELS[0].bytes).expect("a whole header");
        assert_eq!((&*header.architecture, header.quantization), ("llama", "Q8_0"));
        assert_eq!((header.fim_family, header.n_parts), (Some("qwen-coder"), 1));
        assert_eq!(header.n_params / 100_000, 153);
        assert_eq!(header.least_bytes, embedded::MODELS[0].bytes.len() as u64);
        assert!(header.is_language_model() && header.kv_bytes_per_token == 2_048, "{header:?}");
    }

    #[test]
    fn what_is_no_header_has_a_reason() {
        let bytes = embedded::MODELS[0].bytes;
        let reason = |bytes: &[u8]| match GgufHeader::read(bytes) {
            Ok(_) => "none".to_owned(),
            Err(fault) => fault.to_string(),
        };
        assert_eq!(reason(b""), "it is not a model in GGUF format");
        assert_eq!(reason(b"GGML1234"), "it is not a model in GGUF format");
        assert_eq!(reason(&bytes[..6]), "it is cut short");
        assert_eq!(reason(&bytes[..10_000]), "it is cut short");
        let with = |at: usize, new: &[u8]| {
            let mut bytes = bytes[..100_000].to_vec();
            bytes[at..at + new.len()].copy_from_slice(new);
            reason(&bytes)
        };
        assert_eq!(with(4, &[0, 0, 0, 3]), "it was made for processors with the other byte order");
        assert_eq!(with(4, &[77, 0, 0, 0]), "it says that it is in version 77 of GGUF");
        assert_eq!(with(16, &[255; 8]), "its header is longer than that of any model");
        assert_eq!(with(24, &[255; 8]), "its header is longer than that of any model");
    }
}
