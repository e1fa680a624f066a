//! The known families of fill-in-the-middle models, as data.
//!
//! Sources, per family: the model's own card, paper or example code (named at each entry), and the
//! detection list of llama.cpp's `llama-vocab.cpp`. Several families spell the prefix, suffix and
//! middle markers alike and differ in order, so an entry can ask for markers that must, or must
//! not, be there.

use crate::lm::fim::{FileHeader, FimOrder};

/// One family.
#[derive(Debug)]
pub struct Family {
    pub name: &'static str,
    pub prefix: &'static str,
    pub suffix: &'static str,
    /// `None`: the model goes on right after the prefix.
    pub middle: Option<&'static str>,
    /// Markers that only this family has beside the three.
    pub with: &'static [&'static str],
    /// Markers that tell a lookalike.
    pub without: &'static [&'static str],
    /// `tokenizer.ggml.pre`, where nothing else tells the families apart.
    pub pre_tokenizer: Option<&'static str>,
    pub order: FimOrder,
    pub file_separator: Option<&'static str>,
    pub header: FileHeader,
    /// Further markers that end a generation. llama.cpp knows eos, eot, pad, repository and file
    /// separator of some families, never the three markers themselves.
    pub ends: &'static [&'static str],
}

use FimOrder::{PrefixSuffixMiddle, SuffixPrefixMiddle};

/// In the order in which they are tried: the more particular first.
pub const FAMILIES: &[Family] = &[
    // JetBrains/Mellum-4b-base, card: <filename>path\n<fim_suffix>…<fim_prefix>…<fim_middle>. Its
    // markers are StarCoder's; the pre-tokenizer is its own.
    Family {
        name: "mellum",
        prefix: "<fim_prefix>",
        suffix: "<fim_suffix>",
        middle: Some("<fim_middle>"),
        with: &["<filename>"],
        without: &["<file_sep>"],
        pre_tokenizer: Some("mellum"),
        order: SuffixPrefixMiddle,
        file_separator: Some("<filename>"),
        header: FileHeader::BeforeEverything,
        ends: &["<filename>", "<reponame>", "<fim_pad>"],
    },
    // StarCoder2, arXiv:2402.19173 §5.1: <file_sep><fim_prefix>path\n…; its maintainers say to stop
    // on <file_sep> (bigcode-project/starcoder2#10).
    Family {
        name: "starcoder2",
        prefix: "<fim_prefix>",
        suffix: "<fim_suffix>",
        middle: Some("<fim_middle>"),
        with: &["<file_sep>"],
        without: &[],
        pre_tokenizer: None,
        order: PrefixSuffixMiddle,
        file_separator: Some("<file_sep>"),
        header: FileHeader::InsidePrefix,
        ends: &["<file_sep>", "<repo_name>", "<fim_pad>"],
    },
    // StarCoder 1 and IBM Granite Code 3b/8b/20b, which use its tokenizer
    // (ggml-org/llama.cpp#7116).
    Family {
        name: "starcoder",
        prefix: "<fim_prefix>",
        suffix: "<fim_suffix>",
        middle: Some("<fim_middle>"),
        with: &[],
        without: &["<file_sep>"],
        pre_tokenizer: None,
        order: PrefixSuffixMiddle,
        file_separator: None,
        header: FileHeader::None,
        ends: &["<filename>", "<reponame>", "<gh_stars>", "<fim_pad>"],
    },
    // Qwen2.5-Coder and Qwen3-Coder, QwenLM/Qwen2.5-Coder examples; keyside's own models too.
    Family {
        name: "qwen-coder",
        prefix: "<|fim_prefix|>",
        suffix: "<|fim_suffix|>",
        middle: Some("<|fim_middle|>"),
        with: &["<|file_sep|>"],
        without: &[],
        pre_tokenizer: None,
        order: PrefixSuffixMiddle,
        file_separator: Some("<|file_sep|>"),
        header: FileHeader::BeforeEverything,
        ends: &["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|repo_name|>", "<|fim_pad|>"],
    },
    // CodeGemma, ai.google.dev: no blank around markers; <|file_separator|> ends a file.
    Family {
        name: "codegemma",
        prefix: "<|fim_prefix|>",
        suffix: "<|fim_suffix|>",
        middle: Some("<|fim_middle|>"),
        with: &["<|file_separator|>"],
        without: &[],
        pre_tokenizer: None,
        order: PrefixSuffixMiddle,
        file_separator: None,
        header: FileHeader::None,
        ends: &["<|file_separator|>", "<end_of_turn>"],
    },
    // IBM Granite 4, ibm-granite/granite-4.0-language-models.
    Family {
        name: "granite4",
        prefix: "<|fim_prefix|>",
        suffix: "<|fim_suffix|>",
        middle: Some("<|fim_middle|>"),
        with: &["<|end_of_text|>"],
        without: &[],
        pre_tokenizer: None,
        order: PrefixSuffixMiddle,
        file_separator: None,
        header: FileHeader::None,
        ends: &["<|end_of_text|>", "<|start_of_role|>", "<|fim_pad|>"],
    },
    // DeepSeek-Coder, README. The bars are U+FF5C and the low lines U+2581.
    Family {
        name: "deepseek-coder",
        prefix: "<｜fim▁begin｜>",
        suffix: "<｜fim▁hole｜>",
        middle: Some("<｜fim▁end｜>"),
        with: &[],
        without: &[],
        pre_tokenizer: None,
        order: PrefixSuffixMiddle,
        file_separator: None,
        header: FileHeader::None,
        ends: &["<｜end▁of▁sentence｜>", "<|EOT|>"],
    },
    // Code Llama 7B and 13B, meta-llama/codellama. llama.cpp looks for the end token with an ASCII
    // low line and so misses it.
    Family {
        name: "codellama",
        prefix: "▁<PRE>",
        suffix: "▁<SUF>",
        middle: Some("▁<MID>"),
        with: &[],
        without: &[],
        pre_tokenizer: None,
        order: PrefixSuffixMiddle,
        file_separator: None,
        header: FileHeader::None,
        ends: &["▁<EOT>"],
    },
    // Seed-Coder 8B base, arXiv:2506.03524: suffix first.
    Family {
        name: "seed-coder",
        prefix: "<[fim-prefix]>",
        suffix: "<[fim-suffix]>",
        middle: Some("<[fim-middle]>"),
        with: &[],
        without: &[],
        pre_tokenizer: None,
        order: SuffixPrefixMiddle,
        file_separator: None,
        header: FileHeader::None,
        ends: &["<[end▁of▁sentence]>", "<[PAD▁TOKEN]>"],
    },
    // Codestral 22B v0.1, mistral-common `encode_fim`: <s>[SUFFIX]…[PREFIX]…, and no middle marker.
    Family {
        name: "codestral",
        prefix: "[PREFIX]",
        suffix: "[SUFFIX]",
        middle: None,
        with: &[],
        without: &[],
        pre_tokenizer: None,
        order: SuffixPrefixMiddle,
        file_separator: None,
        header: FileHeader::None,
        ends: &["[MIDDLE]", "[INST]", "[/INST]"],
    },
];
