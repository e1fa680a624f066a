//! Small files in GGUF format, made here: whole headers, and as many weights as those name.

/// A file of one tensor.
pub struct GgufFile<'a> {
    pub architecture: &'a str,
    pub name: &'a str,
    /// `model`, `adapter` and the like.
    pub holds: &'a str,
    pub tokens: &'a [&'a str],
    pub n_layers: u32,
    /// Different files have different weights.
    pub weight: u8,
}

/// Qwen2.5-Coder's markers.
pub const FIM_TOKENS: &[&str] =
    &["a", "b", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_sep|>"];

impl Default for GgufFile<'_> {
    fn default() -> Self {
        let (architecture, name, holds) = ("qwen2", "Coder", "model");
        Self { architecture, name, holds, tokens: FIM_TOKENS, n_layers: 2, weight: 0 }
    }
}

impl GgufFile<'_> {
    /// The bytes of the file.
    pub fn bytes(&self) -> Vec<u8> {
        let of_it = |key: &str| format!("{}.{key}", self.architecture);
        let tokens: Vec<u8> = self.tokens.iter().flat_map(|it| text(it)).collect();
        let n_tokens = (self.tokens.len() as u64).to_le_bytes();
        let number = |value: u32| value.to_le_bytes().to_vec();
        let values: Vec<(String, u32, Vec<u8>)> = vec![
            ("general.architecture".to_owned(), 8, text(self.architecture)),
            ("general.type".to_owned(), 8, text(self.holds)),
            ("general.name".to_owned(), 8, text(self.name)),
            ("general.license".to_owned(), 8, text("apache-2.0")),
            ("general.file_type".to_owned(), 4, number(15)),
            (of_it("block_count"), 4, number(self.n_layers)),
            (of_it("context_length"), 4, number(32_768)),
            (of_it("embedding_length"), 4, number(64)),
            (of_it("attention.head_count"), 4, number(4)),
            (of_it("attention.head_count_kv"), 4, number(2)),
            ("tokenizer.ggml.model".to_owned(), 8, text("gpt2")),
            (
                "tokenizer.ggml.tokens".to_owned(),
                9,
                [&8_u32.to_le_bytes()[..], &n_tokens, &tokens].concat(),
            ),
        ];
        let n_values = if self.tokens.is_empty() { values.len() - 1 } else { values.len() };
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend(1_u64.to_le_bytes());
        bytes.extend((n_values as u64).to_le_bytes());
        for (key, kind, value) in &values[..n_values] {
            bytes.extend(text(key));
            bytes.extend(kind.to_le_bytes());
            bytes.extend(value);
        }
        bytes.extend(text("output.weight"));
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(8_u64.to_le_bytes());
        bytes.extend(0_u32.to_le_bytes());
        bytes.extend(0_u64.to_le_bytes());
        bytes.resize(bytes.len().next_multiple_of(32), 0);
        bytes.extend([self.weight; 32]);
        bytes
    }
}

/// A text as a value.
pub fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

/// A tensor of 32 bits a weight: its name, its dimensions, its weights.
pub type Tensor = (String, Vec<u64>, Vec<f32>);

/// A file of these values (key, kind, bytes) and tensors.
pub fn file_of(values: &[(&str, u32, Vec<u8>)], tensors: &[Tensor]) -> Vec<u8> {
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3_u32.to_le_bytes());
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend((values.len() as u64).to_le_bytes());
    for (key, kind, value) in values {
        bytes.extend(text(key));
        bytes.extend(kind.to_le_bytes());
        bytes.extend(value);
    }
    let mut data = Vec::new();
    for (name, dimensions, weights) in tensors {
        bytes.extend(text(name));
        bytes.extend((dimensions.len() as u32).to_le_bytes());
        dimensions.iter().for_each(|it| bytes.extend(it.to_le_bytes()));
        bytes.extend(0_u32.to_le_bytes());
        bytes.extend((data.len() as u64).to_le_bytes());
        weights.iter().for_each(|it| data.extend(it.to_le_bytes()));
        data.resize(data.len().next_multiple_of(32), 0);
    }
    bytes.resize(bytes.len().next_multiple_of(32), 0);
    bytes.extend(data);
    bytes
}
