//! How much of the text around a caret a prompt holds, by the context and by the machine's speed.

/// Tokens of the path in the header.
pub(super) const PATH_TOKENS: usize = 48;

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
    pub(super) fn within(self, tokens_per_second: u64) -> Self {
        let in_seconds = |seconds: f64| (tokens_per_second as f64 * seconds) as usize;
        Self {
            after: self.after.min(in_seconds(0.25).max(24)),
            lines_before: self.lines_before.min(in_seconds(4.0).max(192)),
            ..self
        }
    }

    /// For an answer before the rest of the text is evaluated.
    pub(super) fn short(self, tokens_per_second: u64) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
