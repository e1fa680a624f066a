//! Token healing: a caret inside a word completes the word.
//!
//! What is typed so far of a word is rarely a token of its own in the finished word (`resu` against
//! ` result`), so a model that is shown the tokens of the half word goes on badly (llama.cpp #5765,
//! guidance). The prompt therefore ends before the last pre-token of the caret's line, and what was
//! cut off is forced: the generation has to begin with those bytes. Byte-level BPE never merges
//! across a pre-token's border, so everything before the cut has the tokens that it has in the
//! finished line.

/// How much is taken back at most, in bytes. A longer run is data, not a word.
const MAX_HEALED_BYTES: usize = 48;

/// Splits the caret's line (up to the caret) into what the prompt keeps and what is forced.
///
/// The forced part is one of: letters with the one character before them that belongs to the same
/// pre-token (a space, `_`, `.`); punctuation with the space before it; the last character of a run
/// of blanks. Digits are tokens of their own, nothing is forced after one.
pub fn split(line_before_caret: &str) -> (&str, &str) {
    let mut chars = line_before_caret.char_indices().rev().peekable();
    let Some(&(last_at, last)) = chars.peek() else {
        return (line_before_caret, "");
    };
    let cut = if last.is_alphabetic() {
        let mut cut = last_at;
        while let Some((at, _)) = chars.next_if(|(_, c)| c.is_alphabetic()) {
            cut = at;
        }
        match chars.peek() {
            Some(&(at, c)) if !c.is_numeric() && c != '\r' && c != '\n' => at,
            _ => cut,
        }
    } else if last.is_whitespace() {
        last_at
    } else if last.is_numeric() {
        line_before_caret.len()
    } else {
        let mut cut = last_at;
        while let Some((at, _)) = chars.next_if(|(_, c)| is_punctuation(*c)) {
            cut = at;
        }
        match chars.peek() {
            Some(&(at, ' ')) => at,
            _ => cut,
        }
    };
    if line_before_caret.len() - cut > MAX_HEALED_BYTES {
        return (line_before_caret, "");
    }
    line_before_caret.split_at(cut)
}

fn is_punctuation(c: char) -> bool {
    !c.is_whitespace() && !c.is_alphabetic() && !c.is_numeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_pre_token_is_taken_back() {
        for (line, kept, forced) in [
            ("let resu", "let", " resu"),
            ("resu", "", "resu"),
            ("self.resu", "self", ".resu"),
            ("calc_to", "calc", "_to"),
            ("let x = ", "let x =", " "),
            ("        ", "       ", " "),
            ("foo(", "foo", "("),
            ("if x ==", "if x", " =="),
            ("vec![1", "vec![1", ""),
            ("x1y", "x1", "y"),
            ("", "", ""),
            ("größ", "", "größ"),
            ("\tif", "", "\tif"),
        ] {
            assert_eq!(split(line), (kept, forced), "{line:?}");
        }
    }

    #[test]
    fn data_is_left_alone() {
        let long = "x".repeat(200);
        assert_eq!(split(&long), (long.as_str(), ""));
        let rule = "-".repeat(200);
        assert_eq!(split(&rule), (rule.as_str(), ""));
    }
}
