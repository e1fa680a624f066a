//! Names outside ASCII. A character of theirs takes two or three tokens, each with its own doubt,
//! so that a model which is sure of the name is not sure of its spelling; the text around the caret
//! knows how it is spelled.

use crate::prompt::excerpt::Excerpt;
use crate::prompt::finish::Suggestion;
use crate::text::words::is_word;

/// What stands before the caret is looked for up to this length.
const MAX_CONTEXT_BYTES: usize = 64;

/// The rest of the word at the caret, where all words around that begin so are the same one, not
/// only in ASCII, and stand there often enough: one of `n` times is the chance that the next one is
/// another. Where no word is begun, the one that follows everywhere around what stands before the
/// caret (`print(`).
pub fn only_name(excerpt: &Excerpt, min_confidence: f32) -> Option<Suggestion> {
    let line = &excerpt.line_before;
    let words = line.char_indices().rev().take_while(|it| is_word(it.1)).last();
    let (start, typed) = match words {
        Some((at, _)) => (at, &line[at..]),
        None => (context_start(line)?, ""),
    };
    let before = &line[start..];
    // One letter is too little; one Han character is not.
    let is_enough = typed.is_empty() || typed.chars().nth(1).is_some() || typed >= "\u{2e80}";
    if !is_enough || excerpt.line_after.starts_with(is_word) {
        return None;
    }
    let lines = || {
        let caret_line = [&line[..start], excerpt.line_after.as_str()];
        let others = excerpt.lines_before.iter().chain(&excerpt.lines_after);
        others.map(String::as_str).chain(caret_line)
    };
    let (mut only, mut n) = (None, 0_u16);
    for line in lines() {
        for (at, _) in line.match_indices(before) {
            let start = at + before.len() - typed.len();
            let end = line[start..].find(|c| !is_word(c)).map_or(line.len(), |it| start + it);
            let word = &line[start..end];
            // What is begun here may stand alone somewhere; what follows here has to be a word
            // everywhere.
            let is_begun_only = !typed.is_empty() && word.len() == typed.len();
            if line[..at].ends_with(is_word) || is_begun_only {
                continue;
            }
            if *only.get_or_insert(word) != word {
                return None;
            }
            n += 1;
        }
    }
    let rest = only.filter(|it| !it.is_ascii())?.strip_prefix(typed)?;
    let is_sure = f32::from(n) / f32::from(n + 1) >= min_confidence.max(0.6);
    is_sure.then(|| Suggestion { text: rest.to_owned(), replaced_after: 0 })
}

/// Where what is before the caret begins, a word and the signs behind it.
fn context_start(line: &str) -> Option<usize> {
    let word_end = line.rfind(is_word)?;
    let word_end = word_end + line[word_end..].chars().next()?.len_utf8();
    let word = line[..word_end].char_indices().rev().take_while(|it| is_word(it.1)).last()?;
    (line.len() - word.0 <= MAX_CONTEXT_BYTES).then_some(word.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::excerpt;

    fn rest(marked: &str) -> Option<String> {
        only_name(&excerpt::at(marked), 0.45).map(|it| it.text)
    }

    #[test]
    fn a_name_is_completed_where_there_is_only_one() {
        assert_eq!(rest("顧客番号 = 1\nf(顧客番号)\nx = 顧$0").as_deref(), Some("客番号"));
        assert_eq!(rest("größe = 1\nf(größe)\nx = gr$0").as_deref(), Some("öße"));
        assert_eq!(rest("x = имя_по$0\nимя_поля = 1\nf(имя_поля)\n").as_deref(), Some("ля"));
        // Two of them, one that stands there once, one in ASCII, part of another, a letter, within
        // a word.
        assert_eq!(rest("顧客番号 = 顧客番号\n顧客名 = 1\nx = 顧客$0"), None);
        assert_eq!(rest("顧客番号 = 1\nx = 顧客$0"), None);
        assert_eq!(rest("number = 1\nf(number)\nx = nu$0"), None);
        assert_eq!(rest("新顧客番号 = 新顧客番号\nx = 顧客$0"), None);
        assert_eq!(rest("größe = größe\nx = g$0"), None);
        assert_eq!(rest("größe = größe\nx = gr$0öße"), None);
        assert_eq!(rest("größe = größe\nx = größe$0"), None);
        assert_eq!(rest("$0"), None);
    }

    #[test]
    fn a_name_that_follows_everywhere_is_suggested_before_it_is_begun() {
        let used = "print(顧客番号)\nprint(顧客番号, 3)\n";
        assert_eq!(rest(&format!("{used}print($0)")).as_deref(), Some("顧客番号"));
        assert_eq!(rest("a.größe = 1\nb = a.größe\nc = a.$0").as_deref(), Some("größe"));
        // Something else follows somewhere, it is another function, once is too rare, it is in
        // ASCII.
        assert_eq!(rest(&format!("{used}print('x')\nprint($0)")), None);
        assert_eq!(rest(&format!("{used}sprint($0)")), None);
        assert_eq!(rest("print(顧客番号)\nprint($0)"), None);
        assert_eq!(rest("print(number)\nprint(number)\nprint($0)"), None);
        assert_eq!(rest(&format!("{used}print($0顧客番号)")), None);
        assert_eq!(rest(&format!("{used}($0)")), None);
    }
}
