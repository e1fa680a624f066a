//! From an excerpt to prompt tokens, in an order in which a keystroke only appends.
//!
//! Order (models with a middle marker): `[file header] <prefix> whole lines before the caret's line
//! <suffix> text after the caret <middle> the caret's line up to the caret`. While a line is typed
//! only its own tokens change, at the very end, so the resident prompt is valid up to there.
//! A model without markers is shown the text before the caret alone, as it stands.
//!
//! Two things keep the rest still. The window's first line is remembered per document and moves
//! only when the budget is exceeded or the caret leaves the window, and then far enough not to move
//! again soon. And text is tokenised in cached blocks of lines, which also makes a prompt of a
//! thousand tokens a matter of look-ups (llama.cpp tokenises about 3 MB a second).

use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;

use crate::lm::fim::{FileHeader, FimOrder, FimTemplate, PromptTemplate};
use crate::lm::{TextSplits, Token, Tokenizer};
use crate::prompt::blocks::{TextBlock, blocks_of, cut_off_last_break};
use crate::prompt::budget::PATH_TOKENS;
pub use crate::prompt::budget::{PromptBudget, PromptSize, max_generated_tokens};
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

/// Builds prompts for one model. Keeps no text beyond its cache of tokens.
pub struct Assembler {
    tokenizer: Arc<dyn Tokenizer>,
    template: PromptTemplate,
    budget: PromptBudget,
    blocks: LruCache<Box<str>, Arc<[Token]>>,
    /// The first line of each document's window, in prompts that are whole and in short ones.
    windows: [LruCache<Box<str>, usize>; 2],
}

impl Assembler {
    pub fn new(
        tokenizer: Arc<dyn Tokenizer>,
        template: PromptTemplate,
        budget: PromptBudget,
    ) -> Self {
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
        let template = self.template.clone();
        let (mut prompt, before_line) = match &template {
            PromptTemplate::FillInTheMiddle(template) => {
                self.markers_and_text((uri, window), path, excerpt, (template, budget))
            }
            PromptTemplate::TextBefore { begin_of_text } => {
                let (before, line_break) =
                    self.lines_before((uri, window), excerpt, budget.lines_before, true);
                (begin_of_text.iter().copied().chain(before).collect(), line_break)
            }
        };
        let mut line = Vec::new();
        self.tokenizer.tokenize(&format!("{before_line}{caret_line}"), &mut line);
        prompt.extend(&line[tail(line.len(), budget.caret_line)]);
        match &template {
            PromptTemplate::FillInTheMiddle(it) if it.order == FimOrder::SuffixPrefixMiddle => {
                prompt.extend(it.middle);
            }
            // There is no beginning of nothing.
            PromptTemplate::TextBefore { .. } if prompt.is_empty() => {
                self.tokenizer.tokenize("\n", &mut prompt);
            }
            _ => {}
        }
        prompt
    }

    /// All of a prompt before the caret's line, and the text that is to be tokenised together with
    /// that line.
    fn markers_and_text(
        &mut self,
        document: (&str, usize),
        path: &str,
        excerpt: &Excerpt,
        (template, budget): (&FimTemplate, PromptBudget),
    ) -> (Vec<Token>, String) {
        let is_line_next = template.order == FimOrder::SuffixPrefixMiddle;
        let (before, before_line) =
            self.lines_before(document, excerpt, budget.lines_before, is_line_next);
        let after = self.after(excerpt, budget.after);
        let mut path_line = Vec::new();
        if template.header != FileHeader::None {
            self.tokenizer.tokenize(&format!("{}\n", path_tail(path)), &mut path_line);
            path_line.drain(..path_line.len().saturating_sub(PATH_TOKENS));
        }

        let mut prompt = Vec::with_capacity(before.len() + after.len() + 128);
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
            }
            FimOrder::SuffixPrefixMiddle => {
                prompt.push(template.suffix);
                prompt.extend(&after);
                prompt.push(template.prefix);
                prompt.extend(inside_prefix);
                prompt.extend(&before);
            }
        }
        (prompt, before_line)
    }

    /// The tokens of the lines before the caret's, and the text at their end that is to be
    /// tokenised together with what is next, where that is the caret's line (`is_line_next`).
    fn lines_before(
        &mut self,
        (uri, window): (&str, usize),
        excerpt: &Excerpt,
        budget: usize,
        is_line_next: bool,
    ) -> (Vec<Token>, String) {
        let splits = self.tokenizer.splits();
        let mut blocks = blocks_of(&excerpt.lines_before, splits);
        let before_line = match splits {
            TextSplits::AfterLines if is_line_next => cut_off_last_break(&mut blocks),
            _ => String::new(),
        };
        let tokens: Vec<Arc<[Token]>> = blocks.iter().map(|it| self.tokens_of(&it.text)).collect();
        let starts: Vec<Block> = blocks
            .iter()
            .zip(&tokens)
            .map(|(block, tokens)| Block {
                first_line: excerpt.first_line + block.first_line,
                n_tokens: tokens.len(),
                top_level: excerpt.lines_before[block.first_line]
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
        (out, before_line)
    }

    fn after(&mut self, excerpt: &Excerpt, budget: usize) -> Vec<Token> {
        let mut lines = Vec::with_capacity(1 + excerpt.lines_after.len());
        let line_break = if excerpt.lines_after.is_empty() { "" } else { "\n" };
        lines.push(format!("{}{line_break}", excerpt.line_after));
        lines.extend(excerpt.lines_after.iter().cloned());
        let mut out: Vec<Token> = Vec::new();
        for TextBlock { text, .. } in blocks_of(&lines, self.tokenizer.splits()) {
            let tokens = self.tokens_of(&text);
            if !out.is_empty() && out.len() + tokens.len() > budget {
                break;
            }
            out.extend(tokens.iter());
        }
        out.truncate(budget);
        out
    }

    fn tokens_of(&mut self, text: &str) -> Arc<[Token]> {
        if let Some(tokens) = self.blocks.get(text) {
            return Arc::clone(tokens);
        }
        let mut tokens = Vec::new();
        self.tokenizer.tokenize(text, &mut tokens);
        let tokens: Arc<[Token]> = tokens.into();
        if text.len() <= MAX_CACHED_BLOCK {
            self.blocks.put(text.into(), Arc::clone(&tokens));
        }
        tokens
    }
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
        fn splits(&self) -> TextSplits {
            TextSplits::BeforeLines
        }
    }

    fn template(order: FimOrder, header: FileHeader) -> PromptTemplate {
        PromptTemplate::FillInTheMiddle(FimTemplate {
            family: "test",
            order,
            header,
            begin_of_text: None,
            prefix: -1,
            suffix: -2,
            middle: Some(-3),
            file_separator: Some(-4),
            ends: vec![],
        })
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
    fn without_markers_the_text_before_the_caret_is_all() {
        let shown = |marked: &str, begin_of_text: Option<Token>| {
            let excerpt = excerpt::at(marked);
            let template = PromptTemplate::TextBefore { begin_of_text };
            let mut assembler = Assembler::new(Arc::new(Characters), template, WIDE);
            let line = excerpt.line_before.clone();
            show(&assembler.assemble("file:///a", "src/a.rs", &excerpt, &line, PromptSize::Full))
        };
        let text = "use a;\n\nfn f() {\n    le$0t\n}\n";
        assert_eq!(shown(text, None), "use a;\n\nfn f() {\n    le");
        assert_eq!(shown(text, Some(-1)), "<P>use a;\n\nfn f() {\n    le");
        // A model can't be asked about nothing.
        assert_eq!(shown("$0\nlet a;", None), "\n");
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
}
