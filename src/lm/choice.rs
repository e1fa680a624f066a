//! Which of some texts comes next. Each is one path of a trie of tokens, and the model is asked
//! only where paths part: one evaluation where all part at their first token, and what several
//! begin with is evaluated once. The answer is what sampling under a grammar of these texts would
//! give.

use std::ops::Range;

use crate::lm::runtime::{Runtime, check};
use crate::lm::task::{TaskError, Usage};
use crate::lm::vocabulary::Token;
use crate::stdx::cancel::CancelFlag;

/// Texts of which one comes after a prompt.
#[derive(Debug, Clone)]
pub struct ChooseTask {
    pub prompt: Vec<Token>,
    /// The tokens of each; none is empty, and no two are the same. One that another begins with is
    /// told from it by the end token.
    pub choices: Vec<Vec<Token>>,
}

/// How likely each text is.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// In the order of the task; they add up to 1.
    pub probabilities: Vec<f64>,
    pub usage: Usage,
}

/// Paths that have the first `depth` tokens in common.
struct Branch {
    paths: Range<usize>,
    depth: usize,
    probability: f64,
}

impl Runtime {
    /// Says how likely each text is. After it was pre-empted it begins again, with what is in the
    /// KV cache by then.
    ///
    /// # Errors
    /// The model gives no text, something does not fit its context, two choices are the same or one
    /// has no tokens; else those of [`Runtime::evaluate`].
    pub fn choose(&mut self, task: &ChooseTask, flag: &CancelFlag) -> Result<Choice, TaskError> {
        self.require(self.info().capabilities.score, "score texts")?;
        let paths = paths(&task.choices, self.info().end)?;
        let longest = paths.iter().map(|it| it.1.len()).max().unwrap_or_default();
        self.check_length(task.prompt.len())?;
        self.check_length(task.prompt.len() + longest)?;
        let mut usage = Usage::default();
        let mut probabilities = vec![0.0; paths.len()];
        let mut left = vec![Branch { paths: 0..paths.len(), depth: 0, probability: 1.0 }];
        while let Some(Branch { paths: range, depth, probability }) = left.pop() {
            let (first, last) = (&paths[range.start], &paths[range.end - 1]);
            if range.len() == 1 {
                probabilities[first.0] = probability;
                continue;
            }
            check(flag)?;
            // They are in order, so what the first and the last share all of them do.
            let n_more = first.1[depth..].iter().zip(&last.1[depth..]);
            let depth = depth + n_more.take_while(|(a, b)| a == b).count();
            let prompt = [&task.prompt, &first.1[..depth]].concat();
            let n_cached = self.prefill_prompt(&prompt, flag)?;
            usage.evaluated_tokens += prompt.len() - n_cached;
            if range.len() == paths.len() {
                usage.cached_tokens = n_cached;
            }
            let parts = paths[range.clone()].chunk_by(|a, b| a.1[depth] == b.1[depth]);
            let ends = parts.scan(range.start, |start, part| {
                let range = *start..*start + part.len();
                *start = range.end;
                Some((range, part[0].1[depth]))
            });
            let parts: Vec<(Range<usize>, Token)> = ends.collect();
            let logit = |token: Token| {
                let found =
                    usize::try_from(token).ok().and_then(|it| self.backend.logits().get(it));
                found.map_or(f64::NEG_INFINITY, |it| f64::from(*it))
            };
            let logits: Vec<f64> = parts.iter().map(|it| logit(it.1)).collect();
            let shares = shares(&logits);
            // The first one is taken next, so that what it has in common with the next is there.
            for ((paths, _), share) in parts.into_iter().zip(shares).rev() {
                left.push(Branch { paths, depth, probability: probability * share });
            }
        }
        Ok(Choice { probabilities, usage })
    }
}

/// The choices with their places, in the order of their tokens, none the beginning of another.
fn paths(choices: &[Vec<Token>], end: Token) -> Result<Vec<(usize, Vec<Token>)>, TaskError> {
    let failed = |what: &str| Err(TaskError::Failed(what.to_owned()));
    let mut paths: Vec<(usize, Vec<Token>)> = choices.iter().cloned().enumerate().collect();
    paths.sort_by(|a, b| a.1.cmp(&b.1));
    if paths.first().is_none_or(|it| it.1.is_empty()) {
        return failed("a text to choose from has no tokens");
    }
    for at in 1..paths.len() {
        let (before, after) = paths.split_at_mut(at);
        let (shorter, longer) = (&mut before[at - 1].1, &after[0].1);
        if shorter == longer {
            return failed("two texts to choose from are the same to the model");
        }
        if longer.starts_with(shorter) {
            shorter.push(end);
        }
    }
    paths.sort_by(|a, b| a.1.cmp(&b.1));
    Ok(paths)
}

/// Softmax; the same for all where nothing is finite.
fn shares(logits: &[f64]) -> Vec<f64> {
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !most.is_finite() {
        return vec![1.0 / logits.len() as f64; logits.len()];
    }
    let powers: Vec<f64> = logits.iter().map(|it| (it - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|it| it / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_that_another_begins_with_ends() {
        let choices = [vec![5, 6], vec![5], vec![5, 6, 7], vec![1]];
        let found = paths(&choices, 9).unwrap();
        assert_eq!(found, [(3, vec![1]), (2, vec![5, 6, 7]), (0, vec![5, 6, 9]), (1, vec![5, 9])]);
    }

    #[test]
    fn what_is_no_choice_is_refused() {
        assert!(paths(&[vec![1], vec![]], 9).is_err());
        assert!(paths(&[], 9).is_err());
        assert!(paths(&[vec![1], vec![1]], 9).is_err());
    }

    #[test]
    fn shares_add_up_whatever_the_logits() {
        assert_eq!(shares(&[f64::NEG_INFINITY; 4]), [0.25; 4]);
        let sum: f64 = shares(&[1e9, -1e9, 0.0]).iter().sum();
        assert!((sum - 1.0).abs() < 1e-12);
    }
}
