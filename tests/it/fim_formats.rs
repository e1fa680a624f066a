//! The prompt of each known family of fill-in-the-middle models, marker by marker, against the format
//! that its makers published. At the beginning of a line both are the same; within a line keyside puts the
//! line behind the middle marker, so that a key only appends.

use std::sync::Arc;

use keyside::lm::fim::families::FAMILIES;
use keyside::lm::fim::{self, Markers, PromptTemplate};
use keyside::lm::{TextSplits, Token, Tokenizer};
use keyside::prompt::assemble::{Assembler, PromptBudget, PromptSize};
use keyside::prompt::excerpt::Excerpt;
use ropey::Rope;

/// Family, its pre-tokenizer, what its files want first, what else is in its vocabulary, and its format
/// with `PATH`, `BEFORE` and `AFTER`.
type Format =
    (&'static str, &'static str, Option<&'static str>, &'static [&'static str], &'static str);

const FORMATS: &[Format] = &[
    // JetBrains/Mellum-4b-base, model card, "Fill in the middle with additional files as context".
    (
        "mellum",
        "mellum",
        None,
        &["<filename>", "<fim_prefix>", "<fim_suffix>", "<fim_middle>"],
        "<filename>PATH\n<fim_suffix>AFTER<fim_prefix>BEFORE<fim_middle>",
    ),
    // arXiv:2402.19173, §5.1: <file_sep><fim_prefix>path\ncode_pre<fim_suffix>code_suf<fim_middle>.
    (
        "starcoder2",
        "starcoder",
        None,
        &["<file_sep>", "<repo_name>", "<fim_prefix>", "<fim_suffix>", "<fim_middle>"],
        "<file_sep><fim_prefix>PATH\nBEFORE<fim_suffix>AFTER<fim_middle>",
    ),
    // bigcode/starcoder, model card; ibm-granite/granite-8b-code-base has the same tokenizer.
    (
        "starcoder",
        "refact",
        None,
        &["<filename>", "<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim_pad>"],
        "<fim_prefix>BEFORE<fim_suffix>AFTER<fim_middle>",
    ),
    // QwenLM/Qwen2.5-Coder, README: "File-Level Code Completion" and "Repository-Level".
    (
        "qwen-coder",
        "qwen2",
        None,
        &["<|file_sep|>", "<|repo_name|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"],
        "<|file_sep|>PATH\n<|fim_prefix|>BEFORE<|fim_suffix|>AFTER<|fim_middle|>",
    ),
    // ai.google.dev/gemma/docs/codegemma/prompt-structure.
    (
        "codegemma",
        "default",
        Some("<bos>"),
        &["<|file_separator|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"],
        "<bos><|fim_prefix|>BEFORE<|fim_suffix|>AFTER<|fim_middle|>",
    ),
    // ibm-granite/granite-4.0-language-models, README, "FIM".
    (
        "granite4",
        "granite",
        None,
        &["<|end_of_text|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"],
        "<|fim_prefix|>BEFORE<|fim_suffix|>AFTER<|fim_middle|>",
    ),
    // deepseek-ai/DeepSeek-Coder, README, "Code Insertion".
    (
        "deepseek-coder",
        "deepseek-coder",
        Some("<｜begin▁of▁sentence｜>"),
        &["<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"],
        "<｜begin▁of▁sentence｜><｜fim▁begin｜>BEFORE<｜fim▁hole｜>AFTER<｜fim▁end｜>",
    ),
    // meta-llama/codellama, `infilling_prompt_tokens` with `suffix_first=False`.
    (
        "codellama",
        "default",
        Some("<s>"),
        &["▁<PRE>", "▁<SUF>", "▁<MID>"],
        "<s>▁<PRE>BEFORE▁<SUF>AFTER▁<MID>",
    ),
    // arXiv:2506.03524 and ByteDance-Seed/Seed-Coder-8B-Base, model card.
    (
        "seed-coder",
        "seed-coder",
        Some("<[begin▁of▁sentence]>"),
        &["<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>"],
        "<[begin▁of▁sentence]><[fim-suffix]>AFTER<[fim-prefix]>BEFORE<[fim-middle]>",
    ),
    // mistral-common, `encode_fim`: begin of text, [SUFFIX], suffix, [PREFIX], prefix.
    (
        "codestral",
        "default",
        Some("<s>"),
        &["[PREFIX]", "[SUFFIX]", "[MIDDLE]"],
        "<s>[SUFFIX]AFTER[PREFIX]BEFORE",
    ),
];

/// A vocabulary of its markers, with negative ids, and of characters.
struct Vocabulary {
    markers: Vec<&'static str>,
    pre_tokenizer: &'static str,
    begin_of_text: Option<&'static str>,
}

impl Markers for Vocabulary {
    fn marker(&self, spelling: &str) -> Option<Token> {
        let at = self.markers.iter().position(|it| *it == spelling)?;
        Some(-1 - Token::try_from(at).unwrap())
    }
    fn metadata(&self) -> [Option<Token>; 4] {
        [None; 4]
    }
    fn pre_tokenizer(&self) -> Option<String> {
        Some(self.pre_tokenizer.to_owned())
    }
    fn begin_of_text(&self) -> Option<Token> {
        self.marker(self.begin_of_text?)
    }
    fn end_tokens(&self) -> Vec<Token> {
        Vec::new()
    }
}

struct Characters(TextSplits);

impl Tokenizer for Characters {
    fn tokenize(&self, text: &str, into: &mut Vec<Token>) {
        into.extend(text.chars().map(|it| it as Token));
    }
    fn splits(&self) -> TextSplits {
        self.0
    }
}

/// The prompt at `caret`, with its markers spelled.
fn prompt(
    vocabulary: &Vocabulary,
    splits: TextSplits,
    text: &str,
    caret: usize,
) -> (String, String) {
    let template = fim::resolve(vocabulary).expect("a family");
    let family = template.family.to_owned();
    let template = PromptTemplate::FillInTheMiddle(template);
    let budget = PromptBudget::of_context(2_048);
    let mut assembler = Assembler::new(Arc::new(Characters(splits)), template, budget);
    let excerpt = Excerpt::around(&Rope::from_str(text), caret);
    let kept = excerpt.line_before.clone();
    let tokens = assembler.assemble("file:///a", "src/a.py", &excerpt, &kept, PromptSize::Full);
    let spelled = tokens.iter().map(|it| match u32::try_from(*it) {
        Ok(character) => char::from_u32(character).unwrap().to_string(),
        Err(_) => vocabulary.markers[usize::try_from(-1 - it).unwrap()].to_owned(),
    });
    (family, spelled.collect())
}

#[test]
fn the_prompt_of_each_family_is_as_published() {
    let (before, line, after) = ("import a\n\n\ndef f(x):\n", "    y = ", "g(x)\n    return y\n");
    for (family, pre_tokenizer, begin_of_text, markers, format) in FORMATS {
        let markers = markers.iter().copied().chain(*begin_of_text).collect();
        let vocabulary = Vocabulary { markers, pre_tokenizer, begin_of_text: *begin_of_text };
        let filled = |before: &str, after: &str| {
            let with = |part: &str, text: &str, whole: String| whole.replacen(part, text, 1);
            let whole = with("PATH", "src/a.py", (*format).to_owned());
            with("BEFORE", before, with("AFTER", after, whole))
        };
        for splits in [TextSplits::BeforeLines, TextSplits::AfterLines, TextSplits::Nowhere] {
            let text = format!("{before}{line}{after}");
            let at_line_start = before.chars().count();
            let found = prompt(&vocabulary, splits, &text, at_line_start);
            let rest = format!("{line}{after}");
            assert_eq!(found, ((*family).to_owned(), filled(before, &rest)), "{splits:?}");
            let in_line = at_line_start + line.len();
            let (_, found) = prompt(&vocabulary, splits, &text, in_line);
            // Where the prefix is last, the line is its end, as published.
            let line_is_in_prefix = format.find("AFTER") < format.find("BEFORE");
            let expected = match line_is_in_prefix {
                true => filled(&format!("{before}{line}"), after),
                false => filled(before, after) + line,
            };
            assert_eq!(found, expected, "{family} {splits:?}");
        }
    }
}

#[test]
fn no_family_is_without_its_published_format() {
    let known: Vec<&str> = FORMATS.iter().map(|it| it.0).collect();
    let all: Vec<&str> = FAMILIES.iter().map(|it| it.name).collect();
    assert_eq!(known, all);
}
