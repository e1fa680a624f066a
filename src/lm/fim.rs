//! Fill in the middle: which markers a model has and in which order its prompt goes; and what a
//! model without markers is asked instead.
//!
//! The table in [`families`] comes first, because only it knows the order and how a path is
//! written; the model's own metadata (`tokenizer.ggml.fim_*_token_id`, or what llama.cpp finds by
//! name) serves models that the table does not know. Every marker has to be one token of the
//! vocabulary: spelled out in several it would be text, and the model would answer nonsense (refact
//! asserts the same).

pub mod families;
pub mod spelled;

use crate::lm::fim::families::{FAMILIES, Family};
use crate::lm::vocabulary::Token;

/// In which order the prompt's sections go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FimOrder {
    /// Prefix, suffix, middle. The caret's own line goes after the middle marker, so that typing
    /// only appends (EFIM, arXiv:2505.21889).
    PrefixSuffixMiddle,
    /// Suffix, prefix, middle marker if there is one. What is typed comes last by itself.
    SuffixPrefixMiddle,
}

/// How the path of a file is written into the prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileHeader {
    /// `<separator>path\n`, then the markers.
    BeforeEverything,
    /// `<separator>`, the prefix marker, `path\n`, the prefix.
    InsidePrefix,
    /// The model was not trained on paths.
    None,
}

/// Everything about fill in the middle that depends on the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FimTemplate {
    /// The family's name, or `metadata` where only the file itself says.
    pub family: &'static str,
    pub order: FimOrder,
    pub header: FileHeader,
    /// Must come first where the model wants it.
    pub begin_of_text: Option<Token>,
    pub prefix: Token,
    pub suffix: Token,
    /// `None` for models that go on right after the prefix (Codestral).
    pub middle: Option<Token>,
    pub file_separator: Option<Token>,
    /// Tokens that end a generation: end tokens and every marker. Sorted.
    pub ends: Vec<Token>,
}

/// How a model is asked what stands at a caret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PromptTemplate {
    /// With the text before and after the caret.
    FillInTheMiddle(FimTemplate),
    /// With the text before the caret alone, as base and instruct models without markers are. Such
    /// a model ends a line with a line break, and no generation with the end of a middle.
    TextBefore {
        /// Must come first where the model wants it.
        begin_of_text: Option<Token>,
    },
}

/// What there is to know of a vocabulary.
pub trait Markers {
    /// The marker (a control or user-defined token) that is spelled exactly so.
    fn marker(&self, spelling: &str) -> Option<Token>;
    /// Prefix, suffix, middle and file separator as the file's metadata has them.
    fn metadata(&self) -> [Option<Token>; 4];
    /// `tokenizer.ggml.pre`.
    fn pre_tokenizer(&self) -> Option<String>;
    /// The token that the model wants first, if it wants one.
    fn begin_of_text(&self) -> Option<Token>;
    /// Tokens that the engine knows to end a generation.
    fn end_tokens(&self) -> Vec<Token>;
}

/// Finds the template of a model, or `None` where it has no usable markers.
pub fn resolve(markers: &dyn Markers) -> Option<FimTemplate> {
    let known = FAMILIES.iter().find_map(|family| from_family(family, markers));
    let mut template = known.or_else(|| from_metadata(markers))?;
    template.ends.extend(markers.end_tokens());
    template.ends.extend([template.prefix, template.suffix]);
    template.ends.extend(template.middle);
    template.ends.extend(template.file_separator);
    template.ends.sort_unstable();
    template.ends.dedup();
    Some(template)
}

fn from_family(family: &Family, markers: &dyn Markers) -> Option<FimTemplate> {
    let has = |spelling: &&str| markers.marker(spelling).is_some();
    if !family.with.iter().all(has) || family.without.iter().any(has) {
        return None;
    }
    if family.pre_tokenizer.is_some_and(|it| markers.pre_tokenizer().as_deref() != Some(it)) {
        return None;
    }
    let middle = match family.middle {
        Some(spelling) => Some(markers.marker(spelling)?),
        None => None,
    };
    Some(FimTemplate {
        family: family.name,
        order: family.order,
        header: family.header,
        begin_of_text: markers.begin_of_text(),
        prefix: markers.marker(family.prefix)?,
        suffix: markers.marker(family.suffix)?,
        middle,
        file_separator: family.file_separator.and_then(|it| markers.marker(it)),
        ends: family.ends.iter().filter_map(|it| markers.marker(it)).collect(),
    })
}

fn from_metadata(markers: &dyn Markers) -> Option<FimTemplate> {
    let [prefix, suffix, middle, file_separator] = markers.metadata();
    Some(FimTemplate {
        family: "metadata",
        order: FimOrder::PrefixSuffixMiddle,
        header: match file_separator {
            Some(_) => FileHeader::BeforeEverything,
            None => FileHeader::None,
        },
        begin_of_text: markers.begin_of_text(),
        prefix: prefix?,
        suffix: suffix?,
        middle: Some(middle?),
        file_separator,
        ends: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A vocabulary that is nothing but its markers; their ids are their places.
    struct Vocabulary {
        spellings: &'static [&'static str],
        pre_tokenizer: &'static str,
        metadata: [Option<Token>; 4],
    }

    impl Markers for Vocabulary {
        fn marker(&self, spelling: &str) -> Option<Token> {
            self.spellings.iter().position(|it| *it == spelling).map(|at| at as Token)
        }
        fn metadata(&self) -> [Option<Token>; 4] {
            self.metadata
        }
        fn pre_tokenizer(&self) -> Option<String> {
            Some(self.pre_tokenizer.to_owned())
        }
        fn begin_of_text(&self) -> Option<Token> {
            None
        }
        fn end_tokens(&self) -> Vec<Token> {
            vec![99]
        }
    }

    fn family_of(spellings: &'static [&'static str], pre_tokenizer: &'static str) -> String {
        let vocabulary = Vocabulary { spellings, pre_tokenizer, metadata: [None; 4] };
        resolve(&vocabulary).map_or_else(
            || "none".to_owned(),
            |it| format!("{} {:?} {:?}", it.family, it.order, it.header),
        )
    }

    #[test]
    fn families_are_told_apart_by_their_vocabulary() {
        const STAR: &[&str] = &["<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<filename>"];
        const BARS: &[&str] = &["<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"];
        assert_eq!(family_of(STAR, "mellum"), "mellum SuffixPrefixMiddle BeforeEverything");
        assert_eq!(family_of(STAR, "refact"), "starcoder PrefixSuffixMiddle None");
        assert_eq!(
            family_of(&["<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<file_sep>"], "starcoder"),
            "starcoder2 PrefixSuffixMiddle InsidePrefix"
        );
        assert_eq!(
            family_of(
                &["<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|file_sep|>"],
                "qwen2"
            ),
            "qwen-coder PrefixSuffixMiddle BeforeEverything"
        );
        assert_eq!(family_of(BARS, "?"), "none");
        assert_eq!(
            family_of(&["<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"], "deepseek-coder"),
            "deepseek-coder PrefixSuffixMiddle None"
        );
        assert_eq!(
            family_of(&["[PREFIX]", "[SUFFIX]"], "default"),
            "codestral SuffixPrefixMiddle None"
        );
    }

    #[test]
    fn metadata_serves_unknown_families() {
        let mut vocabulary = Vocabulary {
            spellings: &[],
            pre_tokenizer: "x",
            metadata: [Some(1), Some(2), Some(3), None],
        };
        let template = resolve(&vocabulary).expect("three markers are enough");
        assert_eq!((template.family, template.middle), ("metadata", Some(3)));
        assert_eq!(template.ends, [1, 2, 3, 99]);
        vocabulary.metadata[2] = None;
        assert_eq!(resolve(&vocabulary), None);
    }

    #[test]
    fn every_family_can_be_found_by_its_own_markers() {
        for family in FAMILIES {
            let mut spellings = vec![family.prefix, family.suffix];
            spellings.extend(family.middle);
            spellings.extend(family.with);
            let vocabulary = Vocabulary {
                spellings: spellings.leak(),
                pre_tokenizer: family.pre_tokenizer.unwrap_or("other"),
                metadata: [None; 4],
            };
            let found = resolve(&vocabulary).map(|it| it.family);
            assert_eq!(found, Some(family.name));
        }
    }
}
