//! What the KV cache of a model holds right now, and how much of it the next prompt can keep.
//!
//! The context holds a few sequences: prompts of several documents, and of one document the line
//! that is typed and the one that comes next. The shadow lists are cut before the context is
//! changed and grown after it has been, so that at any failure they claim too little rather than
//! too much (llama.cpp #9113 tells what the other order does).

use crate::lm::backend::Backend;
use crate::lm::vocabulary::Token;

/// A sequence that would lose more tokens than this to a prompt is left alone, and a copy of it
/// takes the prompt: what it would lose is asked for again when the caret goes back.
const WORTH_KEEPING: usize = 32;

/// The shadow of one context.
#[derive(Debug, Default)]
pub struct KvCache {
    sequences: Vec<Sequence>,
    /// Which one the last prompt went to.
    active: usize,
    /// The logits at hand belong to the last token of the active sequence.
    logits_valid: bool,
    clock: u64,
    /// Whether the model could drop a part of a sequence when it was to.
    can_roll_back: Option<bool>,
}

/// Whether the logits after a prompt have to come of its evaluation.
#[derive(Clone, Copy)]
enum LogitsAfter {
    Wanted,
    Known,
}

#[derive(Debug, Default)]
struct Sequence {
    tokens: Vec<Token>,
    last_used: u64,
}

impl Sequence {
    fn n_common(&self, prompt: &[Token]) -> usize {
        self.tokens.iter().zip(prompt).take_while(|(a, b)| a == b).count()
    }
}

impl KvCache {
    /// The tokens of the active sequence.
    pub fn tokens(&self) -> &[Token] {
        self.sequences.get(self.active).map_or(&[], |it| &it.tokens)
    }

    /// What was generated after this very prompt and is cached still, if anything.
    pub fn continuation_of(&self, prompt: &[Token]) -> &[Token] {
        let continuation = self.sequences.iter().find_map(|it| it.tokens.strip_prefix(prompt));
        continuation.unwrap_or_default()
    }

    /// How many of a prompt's first tokens some sequence has.
    pub fn n_cached_of(&self, prompt: &[Token]) -> usize {
        self.holder_of(prompt).map_or(0, |it| self.sequences[it].n_common(prompt))
    }

    /// The sequence that has most of a prompt; of several, the one that was used last.
    fn holder_of(&self, prompt: &[Token]) -> Option<usize> {
        let key = |at: &usize| {
            let sequence = &self.sequences[*at];
            (sequence.n_common(prompt), sequence.last_used)
        };
        (0..self.sequences.len()).max_by_key(key)
    }

    /// Whether the model can drop the last tokens of a sequence, as soon as that is known.
    pub fn can_roll_back(&self) -> Option<bool> {
        self.can_roll_back
    }

    /// Makes the context as long as the shadow has become. Where that can't be, both are empty.
    fn cut(&mut self, backend: &mut dyn Backend, sequence: usize, keep: usize) {
        let has_cut = backend.truncate(sequence, keep);
        if keep > 0 {
            self.can_roll_back = Some(has_cut);
        }
        if !has_cut {
            self.sequences[sequence].tokens.clear();
            self.logits_valid = false;
            backend.drop_sequence(sequence);
        }
    }

    /// Which sequence the next tokens go to.
    pub fn sequence(&self) -> usize {
        self.active
    }

    /// Makes a sequence hold as much of the beginning of `prompt` as there is without evaluating
    /// anything, and makes it the active one. Returns how many tokens are kept; the rest is to be
    /// evaluated. Unless the logits at hand are already those of the whole prompt, at least its
    /// last token is left to evaluate, because its logits are the answer.
    pub fn keep_prefix_of(&mut self, backend: &mut dyn Backend, prompt: &[Token]) -> usize {
        self.take_up(backend, prompt, None, LogitsAfter::Wanted)
    }

    /// The same for a background prompt: the active sequence stays as it is, because the next
    /// prompt most likely goes on with it.
    pub fn keep_prefix_beside(&mut self, backend: &mut dyn Backend, prompt: &[Token]) -> usize {
        self.take_up(backend, prompt, Some(self.active), LogitsAfter::Wanted)
    }

    /// Either of the two, for a prompt whose logits are known: all of it may be kept.
    pub fn keep_known(
        &mut self,
        backend: &mut dyn Backend,
        prompt: &[Token],
        beside: bool,
    ) -> usize {
        self.take_up(backend, prompt, beside.then_some(self.active), LogitsAfter::Known)
    }

    /// Makes the sequence that has most of a prompt the active one, as it is.
    pub fn turn_to(&mut self, prompt: &[Token]) {
        let Some(holder) = self.holder_of(prompt) else { return };
        self.logits_valid &= holder == self.active;
        self.active = holder;
        self.clock += 1;
        self.sequences[holder].last_used = self.clock;
    }

    fn take_up(
        &mut self,
        backend: &mut dyn Backend,
        prompt: &[Token],
        spared: Option<usize>,
        logits: LogitsAfter,
    ) -> usize {
        self.sequences.resize_with(backend.n_sequences().max(1), Sequence::default);
        let chosen = self.choose(backend, prompt, spared);
        let is_at_hand = self.logits_valid && chosen == self.active;
        self.active = chosen;
        self.clock += 1;
        let sequence = &mut self.sequences[chosen];
        sequence.last_used = self.clock;
        let common = sequence.n_common(prompt);
        if common == prompt.len() && common == sequence.tokens.len() && is_at_hand {
            return common;
        }
        self.logits_valid = false;
        let keep = match logits {
            LogitsAfter::Wanted => common.min(prompt.len().saturating_sub(1)),
            LogitsAfter::Known => common,
        };
        if keep < sequence.tokens.len() {
            sequence.tokens.truncate(keep);
            self.cut(backend, chosen, keep);
        }
        self.tokens().len()
    }

    /// The sequence that has most of the prompt, or a copy of it where it would lose much by it or
    /// is to be spared.
    fn choose(
        &mut self,
        backend: &mut dyn Backend,
        prompt: &[Token],
        spared: Option<usize>,
    ) -> usize {
        let all: Vec<usize> = (0..self.sequences.len()).collect();
        let n_common: Vec<usize> = self.sequences.iter().map(|it| it.n_common(prompt)).collect();
        let oldest = |among: &mut dyn Iterator<Item = usize>| {
            among.min_by_key(|it| self.sequences[*it].last_used)
        };
        let best = self.holder_of(prompt).unwrap_or_default();
        let others = || all.iter().copied().filter(|it| Some(*it) != spared);
        let lost = self.sequences[best].tokens.len() - n_common[best];
        let in_place = match spared {
            None => n_common[best] > 0 && lost <= WORTH_KEEPING,
            Some(it) => n_common[best] >= WORTH_KEEPING && it != best,
        };
        if in_place {
            return best;
        }
        if n_common[best] < WORTH_KEEPING {
            // Another text: it takes the place of what was not used for longest.
            return oldest(&mut others()).unwrap_or(best);
        }
        // Of one document two places are kept, so that its lines do not displace other documents.
        let others = || others().filter(|it| *it != best);
        let of_document = |it: &usize| 2 * n_common[*it] >= n_common[best];
        let place = oldest(&mut others().filter(of_document)).or_else(|| oldest(&mut others()));
        let Some(place) = place else { return best };
        self.sequences[place].tokens.clear();
        if !backend.fork(best, place) {
            return best;
        }
        self.sequences[place].tokens = self.sequences[best].tokens.clone();
        if place == self.active {
            self.logits_valid = false;
        }
        place
    }

    /// Gives up the last tokens of the active sequence, so that `n_left` more make a quick batch,
    /// where that costs less than evaluating few. Returns how many tokens it holds now.
    pub fn make_room_for(&mut self, backend: &mut dyn Backend, n_left: usize) -> usize {
        let batch = backend.quick_batch_tokens();
        let n_tokens = self.tokens().len();
        let worth_it = 5 * n_left > 3 * batch && n_left < batch;
        if worth_it && self.can_roll_back == Some(true) {
            self.take_back(backend, (batch - n_left).min(n_tokens));
        }
        self.tokens().len()
    }

    /// Notes tokens that were evaluated after the present ones.
    pub fn extend(&mut self, tokens: &[Token]) {
        if let Some(sequence) = self.sequences.get_mut(self.active) {
            sequence.tokens.extend_from_slice(tokens);
            self.logits_valid = true;
        }
    }

    /// Notes that an evaluation of `tokens` was stopped when the active sequence held `n_resident`
    /// in all.
    pub fn extend_until(&mut self, tokens: &[Token], n_resident: usize) {
        let done = n_resident.saturating_sub(self.tokens().len()).min(tokens.len());
        self.extend(&tokens[..done]);
        self.logits_valid = false;
    }

    /// Drops the last `n` tokens of the active sequence.
    pub fn take_back(&mut self, backend: &mut dyn Backend, n: usize) {
        let keep = self.tokens().len().saturating_sub(n);
        if n > 0 && !self.sequences.is_empty() {
            self.sequences[self.active].tokens.truncate(keep);
            self.logits_valid = false;
            self.cut(backend, self.active, keep);
        }
    }

    /// Empties the context.
    pub fn clear(&mut self, backend: &mut dyn Backend) {
        self.sequences.iter_mut().for_each(|it| it.tokens.clear());
        self.logits_valid = false;
        backend.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lm::backend::scripted::{Script, ScriptedBackend};
    use crate::stdx::cancel::Ticket;

    /// Evaluates prompts one after the other; how many tokens each could keep.
    fn kept(all_or_nothing: bool, prompts: &[&str]) -> Vec<usize> {
        let script = Script { all_or_nothing, n_sequences: 1, ..Script::saying("x") };
        kept_by(script, prompts)
    }

    fn kept_by(script: Script, prompts: &[&str]) -> Vec<usize> {
        let mut model = ScriptedBackend::new(script);
        let mut resident = KvCache::default();
        let ticket = Ticket::default();
        let mut out = Vec::new();
        for prompt in prompts {
            let prompt: Vec<Token> = prompt.bytes().map(Token::from).collect();
            let n = resident.keep_prefix_of(&mut model, &prompt);
            if n < prompt.len() {
                // The fake asserts that its context is as long as the shadow list says.
                model
                    .evaluate(resident.sequence(), &prompt[n..], n, &ticket.flag())
                    .expect("it evaluates");
                resident.extend(&prompt[n..]);
            }
            assert_eq!(resident.tokens(), prompt);
            out.push(n);
        }
        out
    }

    #[test]
    fn the_longest_common_prefix_is_kept() {
        assert_eq!(kept(false, &["abc", "abcd", "abx", "b"]), [0, 3, 2, 0]);
    }

    #[test]
    fn the_last_token_is_evaluated_unless_its_logits_are_at_hand() {
        assert_eq!(kept(false, &["abc", "abc", "ab", "abc"]), [0, 3, 1, 2]);
    }

    #[test]
    fn a_model_that_can_not_drop_a_part_starts_over() {
        assert_eq!(kept(true, &["abc", "abcd", "abx"]), [0, 3, 0]);
    }

    #[test]
    fn documents_keep_their_prompts_and_a_line_the_one_before_it() {
        let several = Script { n_sequences: 4, ..Script::saying("x") };
        let (a, b) = ("a".repeat(100), "b".repeat(100));
        let line =
            |document: &str, n: usize| format!("{document}{}{}", "l".repeat(n), "after".repeat(20));
        let prompts = [
            line(&a, 1),
            line(&b, 1),
            line(&a, 1) + "x",
            // Each next line takes the place of the last but one of its document.
            line(&a, 2),
            line(&a, 3),
            line(&a, 4),
            line(&a, 3) + "x",
            line(&b, 1) + "x",
        ];
        let prompts: Vec<&str> = prompts.iter().map(String::as_str).collect();
        assert_eq!(kept_by(several, &prompts), [0, 0, 201, 101, 102, 103, 203, 201]);
    }

    #[test]
    fn what_nobody_asked_goes_beside_what_is_typed() {
        let mut model = ScriptedBackend::new(Script { n_sequences: 2, ..Script::saying("x") });
        let mut resident = KvCache::default();
        let ticket = Ticket::default();
        let text = "t".repeat(100);
        let mut kept = Vec::new();
        for (prompt, is_asked) in
            [("l", true), ("next", false), ("li", true), ("next", false), ("next", true)]
        {
            let prompt: Vec<Token> = format!("{text}{prompt}").bytes().map(Token::from).collect();
            let n = match is_asked {
                true => resident.keep_prefix_of(&mut model, &prompt),
                false => resident.keep_prefix_beside(&mut model, &prompt),
            };
            let rest = &prompt[n..];
            if !rest.is_empty() {
                model.evaluate(resident.sequence(), rest, n, &ticket.flag()).expect("it evaluates");
                resident.extend(rest);
            }
            kept.push(n);
        }
        // The last token is evaluated again where other logits were asked for meanwhile.
        assert_eq!(kept, [0, 100, 101, 103, 104]);
    }

    #[test]
    fn what_is_turned_to_stays_when_something_else_is_done_beside() {
        let mut model = ScriptedBackend::new(Script { n_sequences: 2, ..Script::saying("x") });
        let mut resident = KvCache::default();
        let ticket = Ticket::default();
        let text = "t".repeat(100);
        let mut evaluate = |resident: &mut KvCache, prompt: &str, beside: bool| {
            let prompt: Vec<Token> = format!("{text}{prompt}").bytes().map(Token::from).collect();
            let n = match beside {
                false => resident.keep_prefix_of(&mut model, &prompt),
                true => resident.keep_prefix_beside(&mut model, &prompt),
            };
            let to = resident.sequence();
            model.evaluate(to, &prompt[n..], n, &ticket.flag()).expect("it evaluates");
            resident.extend(&prompt[n..]);
            (n, prompt)
        };
        let line = "l".repeat(40);
        let (_, typed) = evaluate(&mut resident, &line, false);
        evaluate(&mut resident, &"next".repeat(10), true);
        resident.turn_to(&typed);
        evaluate(&mut resident, &"other".repeat(10), true);
        let (kept, _) = evaluate(&mut resident, &format!("{line}m"), false);
        assert_eq!(kept, 140);
    }

    #[test]
    fn what_is_lost_of_a_copy_is_not_lost_of_the_original() {
        let script = Script { n_sequences: 2, ..Script::saying("x") };
        let text = "t".repeat(100);
        let (one, two) = (format!("{text}{}", "1".repeat(50)), format!("{text}{}", "2".repeat(50)));
        assert_eq!(kept_by(script, &[&one, &two, &one, &two]), [0, 100, 149, 149]);
    }
}
