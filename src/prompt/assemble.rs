//! From an excerpt to prompt tokens, in an order in which a keystroke only appends.
//!
//! Order (models with a middle marker): `[file header] <prefix> whole lines before the caret's line
//! <suffix> text after the caret <middle> the caret's line up to the caret`. While a line is typed
//! only its own tokens change, at the very end, so the resident prompt is valid up to there.
//!
//! Two things keep the rest still. The window's first line is remembered per document and moves
//! only when the budget is exceeded or the caret leaves the window, and then far enough not to move
//! again soon. And text is tokenised in cached blocks of lines, which also makes a prompt of a
//! thousand tokens a matter of look-ups (llama.cpp tokenises about 3 MB a second).

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;

use lru::LruCache;

use crate::lm::fim::{FileHeader, FimOrder, FimTemplate};
use crate::lm::{Token, Tokenizer};
use crate::prompt::excerpt::Excerpt;
use crate::prompt::window::{Block, tail, window_start};

/// Blocks of lines whose tokens are kept, with the text that they are found by: some hundred
/// kilobytes of source, 5 MB at the very worst. It lasts until other text takes its place.
const CACHED_BLOCKS: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();
/// Documents whose window is remembered.
const REMEMBERED_WINDOWS: NonZeroUsize = NonZeroUsize::new(64).unwrap();
/// Longer blocks, in bytes, are tokenised each time: they are rare and would fill the cache.
const MAX_CACHED_BLOCK: usize = 400;
/// Characters of the path in the header, from its end; what the embedded model was trained on.
const MAX_PATH_CHARS: usize = 60;
/// The same in tokens, for paths in scripts of which a character takes several.
const PATH_TOKENS: usize = 48;

/// How many tokens each section of the prompt may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PromptBudget {
    pub lines_before: usize,
    pub after: usize,
    pub caret_line: usize,
}

impl PromptBudget {
    /// Shares out a context: a tenth for what follows the caret, an eighth for the caret's line,
    /// the rest for what comes before. What follows is evaluated anew with each line that is typed;
    /// a fifth of the context for it made 0.2% more of the lines right (1,800 of packages for
    /// fitting).
    pub fn of_context(n_context_tokens: usize) -> Self {
        // Markers, and the forced bytes of token healing.
        const OVERHEAD: usize = 16;
        let generated = max_generated_tokens(n_context_tokens);
        let usable = n_context_tokens.saturating_sub(generated + PATH_TOKENS + OVERHEAD);
        let after = usable / 10;
        let caret_line = usable / 8;
        Self { lines_before: usable - after - caret_line, after, caret_line }
    }

    /// No more than a machine evaluates in a bearable time: what follows the caret at each line
    /// break, what comes before it in each new document.
    fn within(self, tokens_per_second: u64) -> Self {
        let in_seconds = |seconds: f64| (tokens_per_second as f64 * seconds) as usize;
        Self {
            after: self.after.min(in_seconds(0.25).max(24)),
            lines_before: self.lines_before.min(in_seconds(4.0).max(192)),
            ..self
        }
    }

    /// For an answer before the rest of the text is evaluated.
    fn short(self, tokens_per_second: u64) -> Self {
        let n_tokens = ((tokens_per_second as f64 * 0.06) as usize).clamp(96, 256);
        Self {
            lines_before: self.lines_before.min(n_tokens / 2),
            after: self.after.min(n_tokens / 6),
            caret_line: self.caret_line.min(n_tokens / 3),
        }
    }
}

/// How much of the text around a caret a prompt holds. `tokens_per_second` is the prefill rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptSize {
    /// As much as the context takes.
    Full,
    /// As much as can be evaluated while a person waits now and then.
    Whole { tokens_per_second: u64 },
    /// As little as can be answered from at once.
    Short { tokens_per_second: u64 },
}

/// The most tokens that can be generated in a context of this size, whatever is asked for.
pub fn max_generated_tokens(n_context_tokens: usize) -> usize {
    (n_context_tokens / 8).clamp(16, 512)
}

/// Builds prompts for one model. Keeps no text beyond its cache of tokens.
pub struct Assembler {
    tokenizer: Arc<dyn Tokenizer>,
    template: FimTemplate,
    budget: PromptBudget,
    blocks: LruCache<Box<str>, Arc<[Token]>>,
    /// The first line of each document's window, in prompts that are whole and in short ones.
    windows: [LruCache<Box<str>, usize>; 2],
}

impl Assembler {
    pub fn new(tokenizer: Arc<dyn Tokenizer>, template: FimTemplate, budget: PromptBudget) -> Self {
        Self {
            tokenizer,
            template,
            budget,
            blocks: LruCache::new(CACHED_BLOCKS),
            windows: [LruCache::new(REMEMBERED_WINDOWS), LruCache::new(REMEMBERED_WINDOWS)],
        }
    }

    /// The prompt for an excerpt of the document `uri`, whose path to show the model is `path`.
    /// `caret_line` is what the prompt keeps of the caret's line (see `healing`).
    pub fn assemble(
        &mut self,
        uri: &str,
        path: &str,
        excerpt: &Excerpt,
        caret_line: &str,
        size: PromptSize,
    ) -> Vec<Token> {
        let (budget, window) = match size {
            PromptSize::Full => (self.budget, 0),
            PromptSize::Whole { tokens_per_second } => (self.budget.within(tokens_per_second), 0),
            PromptSize::Short { tokens_per_second } => (self.budget.short(tokens_per_second), 1),
        };
        let before = self.lines_before((uri, window), excerpt, budget.lines_before);
        let after = self.after(excerpt, budget.after);
        let mut line = Vec::new();
        self.tokenizer.tokenize(caret_line, &mut line);
        let line = &line[tail(line.len(), budget.caret_line)];
        let mut path_line = Vec::new();
        if self.template.header != FileHeader::None {
            self.tokenizer.tokenize(&format!("{}\n", path_tail(path)), &mut path_line);
            path_line.drain(..path_line.len().saturating_sub(PATH_TOKENS));
        }

        let template = &self.template;
        let mut prompt = Vec::with_capacity(before.len() + after.len() + line.len() + 64);
        prompt.extend(template.begin_of_text);
        if template.header != FileHeader::None {
            prompt.extend(template.file_separator);
        }
        if template.header == FileHeader::BeforeEverything {
            prompt.extend(&path_line);
        }
        let inside_prefix = match template.header {
            FileHeader::InsidePrefix => path_line.as_slice(),
            FileHeader::BeforeEverything | FileHeader::None => &[],
        };
        match template.order {
            FimOrder::PrefixSuffixMiddle => {
                prompt.push(template.prefix);
                prompt.extend(inside_prefix);
                prompt.extend(&before);
                prompt.push(template.suffix);
                prompt.extend(&after);
                prompt.extend(template.middle);
                prompt.extend(line);
            }
            FimOrder::SuffixPrefixMiddle => {
                prompt.push(template.suffix);
                prompt.extend(&after);
                prompt.push(template.prefix);
                prompt.extend(inside_prefix);
                prompt.extend(&before);
                prompt.extend(line);
                prompt.extend(template.middle);
            }
        }
        prompt
    }

    fn lines_before(
        &mut self,
        (uri, window): (&str, usize),
        excerpt: &Excerpt,
        budget: usize,
    ) -> Vec<Token> {
        let blocks = blocks_of(&excerpt.lines_before, self.tokenizer.splits_at_lines());
        let tokens: Vec<Arc<[Token]>> =
            blocks.iter().map(|it| self.tokens_of(&excerpt.lines_before[it.clone()])).collect();
        let starts: Vec<Block> = blocks
            .iter()
            .zip(&tokens)
            .map(|(lines, tokens)| Block {
                first_line: excerpt.first_line + lines.start,
                n_tokens: tokens.len(),
                top_level: excerpt.lines_before[lines.start]
                    .starts_with(|c: char| !c.is_whitespace() && c != '}' && c != ')'),
            })
            .collect();
        let windows = &mut self.windows[window];
        let (first, line) = window_start(&starts, windows.get(uri).copied(), budget);
        windows.put(uri.into(), line);
        let mut out: Vec<Token> = Vec::new();
        for tokens in &tokens[first..] {
            out.extend(tokens.iter());
        }
        // One block alone can be over the budget: a model without line borders, a very long line.
        let keep = tail(out.len(), budget);
        out.drain(..keep.start);
        out
    }

    fn after(&mut self, excerpt: &Excerpt, budget: usize) -> Vec<Token> {
        let mut lines = Vec::with_capacity(1 + excerpt.lines_after.len());
        let line_break = if excerpt.lines_after.is_empty() { "" } else { "\n" };
        lines.push(format!("{}{line_break}", excerpt.line_after));
        lines.extend(excerpt.lines_after.iter().cloned());
        let mut out: Vec<Token> = Vec::new();
        for block in blocks_of(&lines, self.tokenizer.splits_at_lines()) {
            let tokens = self.tokens_of(&lines[block]);
            if !out.is_empty() && out.len() + tokens.len() > budget {
                break;
            }
            out.extend(tokens.iter());
        }
        out.truncate(budget);
        out
    }

    fn tokens_of(&mut self, lines: &[String]) -> Arc<[Token]> {
        let text = lines.concat();
        if let Some(tokens) = self.blocks.get(text.as_str()) {
            return Arc::clone(tokens);
        }
        let mut tokens = Vec::new();
        self.tokenizer.tokenize(&text, &mut tokens);
        let tokens: Arc<[Token]> = tokens.into();
        if text.len() <= MAX_CACHED_BLOCK {
            self.blocks.put(text.into(), Arc::clone(&tokens));
        }
        tokens
    }
}

/// Ranges of lines whose tokens do not depend on their neighbours: each ends before a line that is
/// not blank. (A run of line breaks and blanks is one pre-token, so it must not be cut.)
fn blocks_of(lines: &[String], splits_at_lines: bool) -> Vec<Range<usize>> {
    if !splits_at_lines {
        return if lines.is_empty() {
            Vec::new()
        } else {
            std::iter::once(0..lines.len()).collect()
        };
    }
    let mut blocks = Vec::new();
    let mut start = 0;
    for at in 1..=lines.len() {
        if at == lines.len() || !lines[at].trim().is_empty() {
            blocks.push(start..at);
            start = at;
        }
    }
    blocks
}

/// The end of a path, with `/` between its parts.
fn path_tail(path: &str) -> String {
    let n_chars = path.chars().count();
    path.chars()
        .skip(n_chars.saturating_sub(MAX_PATH_CHARS))
        .map(|c| if c == '\\' { '/' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::excerpt;

    /// One token a character.
    struct Characters;

    impl Tokenizer for Characters {
        fn tokenize(&self, text: &str, into: &mut Vec<Token>) {
            into.extend(text.chars().map(|c| c as Token));
        }
        fn splits_at_lines(&self) -> bool {
            true
        }
    }

    fn template(order: FimOrder, header: FileHeader) -> FimTemplate {
        FimTemplate {
            family: "test",
            order,
            header,
            begin_of_text: None,
            prefix: -1,
            suffix: -2,
            middle: Some(-3),
            file_separator: Some(-4),
            ends: vec![],
        }
    }

    fn shown(order: FimOrder, header: FileHeader, marked: &str, budget: PromptBudget) -> String {
        let excerpt = excerpt::at(marked);
        let mut assembler = Assembler::new(Arc::new(Characters), template(order, header), budget);
        let line = excerpt.line_before.clone();
        let prompt = assembler.assemble("file:///a", "src/a.rs", &excerpt, &line, PromptSize::Full);
        show(&prompt)
    }

    fn show(prompt: &[Token]) -> String {
        prompt
            .iter()
            .map(|token| match token {
                -1 => "<P>".to_owned(),
                -2 => "<S>".to_owned(),
                -3 => "<M>".to_owned(),
                -4 => "<F>".to_owned(),
                other => char::from_u32(*other as u32).map(String::from).unwrap_or_default(),
            })
            .collect()
    }

    const WIDE: PromptBudget = PromptBudget { lines_before: 100, after: 50, caret_line: 20 };

    #[test]
    fn the_caret_line_comes_last() {
        let text = "use a;\nfn f() {\n    le$0t\n}\n";
        assert_eq!(
            shown(FimOrder::PrefixSuffixMiddle, FileHeader::BeforeEverything, text, WIDE),
            "<F>src/a.rs\n<P>use a;\nfn f() {\n<S>t\n}\n<M>    le"
        );
        assert_eq!(
            shown(FimOrder::PrefixSuffixMiddle, FileHeader::InsidePrefix, text, WIDE),
            "<F><P>src/a.rs\nuse a;\nfn f() {\n<S>t\n}\n<M>    le"
        );
        assert_eq!(
            shown(FimOrder::SuffixPrefixMiddle, FileHeader::None, text, WIDE),
            "<S>t\n}\n<P>use a;\nfn f() {\n    le<M>"
        );
    }

    #[test]
    fn what_follows_is_cut_at_its_budget() {
        let budget = PromptBudget { after: 9, ..WIDE };
        assert_eq!(
            shown(FimOrder::PrefixSuffixMiddle, FileHeader::None, "$0\nab\ncd\nefghij\n", budget),
            "<P><S>\nab\ncd\n<M>"
        );
    }

    #[test]
    fn the_window_does_not_slide_while_lines_are_added() {
        let budget = PromptBudget { lines_before: 200, after: 50, caret_line: 20 };
        let mut assembler = Assembler::new(
            Arc::new(Characters),
            template(FimOrder::PrefixSuffixMiddle, FileHeader::None),
            budget,
        );
        let mut moves = 0;
        let mut first = String::new();
        let mut text = String::new();
        for n in 0..300 {
            text.push_str(&format!("line {n}\n"));
            let rope = ropey::Rope::from_str(&text);
            let excerpt = Excerpt::around(&rope, rope.len_chars());
            let prompt = show(&assembler.assemble("file:///a", "", &excerpt, "", PromptSize::Full));
            let window = prompt.lines().next().unwrap_or_default().to_owned();
            assert!(prompt.len() <= 200 + "<P><S><M>".len());
            moves += usize::from(window != first);
            first = window;
        }
        // 300 lines of 8 or 9 characters are 2,600 tokens; each move drops a quarter to a half of
        // 200.
        assert!((10..60).contains(&moves), "{moves} moves");
    }

    #[test]
    fn a_slow_machine_gets_a_shorter_prompt_and_a_short_one_is_shorter_still() {
        let whole = PromptBudget::of_context(2_048);
        assert_eq!(whole, PromptBudget { lines_before: 1_340, after: 172, caret_line: 216 });
        assert_eq!(whole.within(4_096), whole);
        let slow = PromptBudget { lines_before: 512, after: 32, caret_line: 216 };
        assert_eq!(whole.within(128), slow);
        assert_eq!(whole.within(1).after, 24);
        let short = PromptBudget { lines_before: 48, after: 16, caret_line: 32 };
        assert_eq!(whole.short(128), short);
        assert_eq!(whole.short(1_000_000).lines_before, 128);
    }

    #[test]
    fn blocks_end_before_lines_that_are_not_blank() {
        let lines: Vec<String> =
            ["a\n", "\n", "  \n", "b\n", "c\n"].iter().map(ToString::to_string).collect();
        assert_eq!(blocks_of(&lines, true), [0..3, 3..4, 4..5]);
        assert_eq!(blocks_of(&lines, false), vec![0..lines.len()]);
        assert!(blocks_of(&[], true).is_empty());
    }
}
