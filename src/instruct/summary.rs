//! Summaries that keep to a number of words. Words and sentences are Unicode's (UAX #29).

use unicode_segmentation::UnicodeSegmentation;

use crate::lm::StopRule;

/// The instruction for all texts.
pub fn summary_instruction(max_words: usize, more: Option<&str>) -> String {
    let mut words = format!(
        "Summarize the text in at most {max_words} words. Write whole sentences, and nothing but the \
         summary."
    );
    if let Some(more) = more {
        words.push('\n');
        words.push_str(more.trim());
    }
    words
}

/// Where the first summary was too long.
pub fn shorter(max_words: usize) -> String {
    let fewer = (max_words / 2).max(1);
    format!("\n\nOne short sentence, at most {fewer} words.")
}

/// How many words a text has.
pub fn n_words(text: &str) -> usize {
    text.unicode_words().count()
}

/// Ends a generation behind its last word that may be there, and at the end of its paragraph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WordLimit {
    pub max_words: usize,
}

impl StopRule for WordLimit {
    fn end_of(&self, text: &str) -> Option<usize> {
        let n_blank = text.len() - text.trim_start().len();
        // A line that ends in a colon announces what comes.
        let is_break =
            |(at, _): &(usize, &str)| *at > n_blank && !text[..*at].trim_end().ends_with(':');
        let line_end = text.match_indices('\n').find(is_break).map(|it| it.0);
        // That there is one more word shows that the last one is whole.
        let next_word = text.unicode_word_indices().nth(self.max_words).map(|it| it.0);
        line_end.into_iter().chain(next_word).min()
    }
}

/// A summary within its limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// In one line.
    pub text: String,
    /// Its last sentence is cut off.
    pub is_cut: bool,
}

impl Summary {
    /// Of what was generated. `is_whole`: the model has ended it itself. Otherwise what is left is
    /// its whole sentences, or where there is none the words up to the limit.
    pub fn of(generated: &str, max_words: usize, is_whole: bool) -> Self {
        let text = without_announcement(generated.trim());
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let end = text.unicode_word_indices().nth(max_words).map(|it| it.0);
        if end.is_none() && is_whole {
            return Self { text, is_cut: false };
        }
        let within = &text[..end.unwrap_or(text.len())];
        let mut n_whole = 0;
        for (at, sentence) in within.split_sentence_bound_indices() {
            if is_sentence(sentence) {
                n_whole = at + sentence.trim_end().len();
            }
        }
        match n_whole {
            0 => Self { text: within.trim_end().to_owned(), is_cut: !within.is_empty() },
            n => Self { text: within[..n].to_owned(), is_cut: false },
        }
    }
}

/// `Here is a summary:` is none.
fn without_announcement(text: &str) -> &str {
    match text.split_once('\n') {
        Some((line, rest)) if line.trim_end().ends_with(':') => rest.trim(),
        _ => text,
    }
}

/// Whether a sentence has its end.
fn is_sentence(sentence: &str) -> bool {
    let closers: &[char] = &['"', '\'', ')', ']', '”', '’', '»', '」', '』', '）'];
    let ends: &[char] = &['.', '!', '?', '…', '。', '！', '？', '।', '؟', '۔'];
    sentence.trim_end().trim_end_matches(closers).ends_with(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(generated: &str, max_words: usize, is_whole: bool) -> (String, bool) {
        let Summary { text, is_cut } = Summary::of(generated, max_words, is_whole);
        assert!(text.unicode_words().count() <= max_words, "{text}");
        (text, is_cut)
    }

    #[test]
    fn whole_sentences_are_kept_and_the_limit_always() {
        let text = "It rains in Bergen. People carry umbrellas, as they do each";
        assert_eq!(kept(text, 8, false), ("It rains in Bergen.".to_owned(), false));
        assert_eq!(kept(text, 3, false), ("It rains in".to_owned(), true));
        // What the model has ended needs no mark of an end.
        assert_eq!(kept("rain in Bergen", 3, true), ("rain in Bergen".to_owned(), false));
        assert_eq!(kept("rain in Bergen", 2, true), ("rain in".to_owned(), true));
        assert_eq!(
            kept("Here is one:\n\n He said \"No.\"\nIt was", 5, false),
            ("He said \"No.\"".to_owned(), false)
        );
        assert_eq!(kept("", 5, true), (String::new(), false));
        // Chinese characters are words of their own.
        assert_eq!(kept("今天下雨。明天也", 6, false), ("今天下雨。".to_owned(), false));
    }

    #[test]
    fn a_generation_ends_at_the_limit_or_at_its_paragraph() {
        let limit = WordLimit { max_words: 3 };
        let end = |text: &str| limit.end_of(text).map(|it| text[..it].to_owned());
        assert_eq!(end("One two three"), None);
        assert_eq!(end("One two three."), None);
        assert_eq!(end("One two three. f"), Some("One two three. ".to_owned()));
        assert_eq!(end("\n One\ntwo"), Some("\n One".to_owned()));
        assert_eq!(end("So:\n\nOne"), None);
    }
}
