//! A fill-in-the-middle prompt as text, with the markers spelled: for a server that makes tokens of
//! it itself.

use crate::lm::fim::FimOrder;
use crate::lm::fim::families::{FAMILIES, Family};

/// Words in the names of models, and the family that each tells. The more particular first.
const IN_NAMES: &[(&str, &str)] = &[
    ("mellum", "mellum"),
    ("starcoder2", "starcoder2"),
    ("starcoder", "starcoder"),
    ("granite-code", "starcoder"),
    ("granite-4", "granite4"),
    ("granite4", "granite4"),
    ("qwen", "qwen-coder"),
    ("codegemma", "codegemma"),
    ("deepseek-coder", "deepseek-coder"),
    ("codellama", "codellama"),
    ("code-llama", "codellama"),
    ("seed-coder", "seed-coder"),
    ("codestral", "codestral"),
];

/// The family of a model, by its name.
pub fn family_of_name(name: &str) -> Option<&'static Family> {
    let name = name.to_lowercase();
    let (_, family) = IN_NAMES.iter().find(|(word, _)| name.contains(word))?;
    FAMILIES.iter().find(|it| it.name == *family)
}

/// The prompt at a caret; `None` where the text itself has a marker in it, which the server would
/// take for one.
pub fn prompt(family: &Family, before: &str, after: &str) -> Option<String> {
    let Family { prefix, suffix, middle, file_separator, ends, .. } = family;
    let middle_or_nothing = middle.unwrap_or_default();
    let mut markers = [prefix, suffix].into_iter().chain(middle).chain(file_separator).chain(*ends);
    if markers.any(|it| before.contains(it) || after.contains(it)) {
        return None;
    }
    Some(match family.order {
        FimOrder::PrefixSuffixMiddle => {
            format!("{prefix}{before}{suffix}{after}{middle_or_nothing}")
        }
        FimOrder::SuffixPrefixMiddle => {
            format!("{suffix}{after}{prefix}{before}{middle_or_nothing}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_has_the_markers_of_its_family() {
        for (name, expected) in [
            ("Qwen/Qwen2.5-Coder-7B", "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>"),
            ("bigcode/starcoder2-3b", "<fim_prefix>a<fim_suffix>b<fim_middle>"),
            ("JetBrains/Mellum-4b-base", "<fim_suffix>b<fim_prefix>a<fim_middle>"),
            ("mistralai/Codestral-22B-v0.1", "[SUFFIX]b[PREFIX]a"),
        ] {
            let family = family_of_name(name).expect(name);
            assert_eq!(prompt(family, "a", "b").as_deref(), Some(expected));
        }
        assert!(family_of_name("gpt-oss-20b").is_none());
        let families: Vec<_> = IN_NAMES.iter().map(|(word, _)| family_of_name(word)).collect();
        assert!(families.iter().all(Option::is_some));
    }

    #[test]
    fn a_marker_in_the_text_is_not_sent_as_one() {
        let family = family_of_name("qwen").expect("a family");
        assert_eq!(prompt(family, "x = '<|fim_middle|>'", ""), None);
        assert_eq!(prompt(family, "", "<|endoftext|>"), None);
    }
}
