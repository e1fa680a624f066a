//! A prompt of a client that has the markers of some model's fill-in-the-middle format in it, taken
//! apart again: keyside makes the prompt of its own model.

/// The texts on both sides of the caret.
#[derive(Debug, PartialEq, Eq)]
pub struct FimPrompt {
    pub prefix: String,
    pub suffix: String,
}

/// What stands before the prefix, between prefix and suffix, and behind the suffix: the formats of
/// Qwen and CodeGemma, StarCoder, Code Llama, DeepSeek Coder and GLM, as Zed writes them.
const FORMATS: &[[&str; 3]] = &[
    ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"],
    ["<fim_prefix>", "<fim_suffix>", "<fim_middle>"],
    ["<PRE> ", " <SUF>", " <MID>"],
    ["<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"],
    ["<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"],
];
/// Codestral's has the suffix first, and nothing at the end.
const SUFFIX_FIRST: [&str; 2] = ["[SUFFIX]", "[PREFIX]"];

impl FimPrompt {
    /// Takes a prompt apart; one without markers is all prefix.
    ///
    /// # Errors
    /// Where the text itself holds the marker in the middle: it is not known which is meant.
    pub fn parse(prompt: &str) -> Result<Self, String> {
        for [begin, middle, end] in FORMATS {
            if let Some(inner) = prompt.strip_prefix(begin).and_then(|it| it.strip_suffix(end)) {
                let (prefix, suffix) = split_once(inner, middle)?;
                return Ok(Self { prefix, suffix });
            }
        }
        let [begin, middle] = SUFFIX_FIRST;
        if let Some(inner) = prompt.strip_prefix(begin) {
            let (suffix, prefix) = split_once(inner, middle)?;
            return Ok(Self { prefix, suffix });
        }
        Ok(Self { prefix: prompt.to_owned(), suffix: String::new() })
    }
}

fn split_once(text: &str, marker: &str) -> Result<(String, String), String> {
    match text.split(marker).collect::<Vec<_>>()[..] {
        [before, behind] => Ok((before.to_owned(), behind.to_owned())),
        [_] => Err(format!("the prompt begins as one with {marker} in it, and has none")),
        _ => Err(format!(
            "the text holds {marker} itself; choose another prompt format, such as \"starcoder\""
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(prompt: &str) -> (String, String) {
        let FimPrompt { prefix, suffix } = FimPrompt::parse(prompt).unwrap();
        (prefix, suffix)
    }

    #[test]
    fn each_format_is_taken_apart() {
        for prompt in [
            "<|fim_prefix|>let a<|fim_suffix|>;\n<|fim_middle|>",
            "<fim_prefix>let a<fim_suffix>;\n<fim_middle>",
            "<PRE> let a <SUF>;\n <MID>",
            "<｜fim▁begin｜>let a<｜fim▁hole｜>;\n<｜fim▁end｜>",
            "<|code_prefix|>let a<|code_suffix|>;\n<|code_middle|>",
            "[SUFFIX];\n[PREFIX]let a",
        ] {
            assert_eq!(parts(prompt), ("let a".to_owned(), ";\n".to_owned()), "{prompt}");
        }
        assert_eq!(parts("let a"), ("let a".to_owned(), String::new()));
    }

    #[test]
    fn a_text_with_the_marker_in_it_is_refused() {
        let prompt = "<fim_prefix>\"<fim_suffix>\"<fim_suffix><fim_middle>";
        assert!(FimPrompt::parse(prompt).unwrap_err().contains("holds <fim_suffix> itself"));
        assert!(FimPrompt::parse("<fim_prefix>a<fim_middle>").unwrap_err().contains("has none"));
    }
}
