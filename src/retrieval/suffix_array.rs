//! The tokens of many files in a suffix array, in which the longest matches of a history are found
//! by bisection: the workspace as it lies on the disk.
//!
//! Suffixes are compared by their first tokens (Manber and Myers, 1990). The array is built once
//! for each change of the files, in the background, and read from then on.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use crate::lm::{PrefixConstraint, Token};

/// Longer matches are not told apart.
const MAX_ORDER: usize = 12;

/// Stands between files: no history has it, and it follows no context.
pub const SEPARATOR: Token = -1;
/// How many tokens of a suffix are compared: a match, and something of what follows it.
const SORTED_TOKENS: usize = MAX_ORDER + 4;
/// Of more matches than these, as many are looked at, evenly spread.
const MAX_MATCHES: usize = 1_024;

/// The files' tokens, and the array.
#[derive(Debug, Default)]
pub struct SuffixArray {
    tokens: Vec<Token>,
    /// Where files begin in `tokens`.
    starts: Vec<u32>,
    /// Positions in `tokens`, ordered by the tokens from there on.
    sorted: Vec<u32>,
    /// By token, where its positions start in `sorted`.
    by_token: Vec<u32>,
}

/// An index without some of its files: those that are open, whose text is more recent.
#[derive(Debug, Clone, Default)]
pub struct IndexView {
    index: Arc<SuffixArray>,
    /// Ranges of tokens, in order.
    without: Vec<Range<u32>>,
}

impl SuffixArray {
    /// Sorts the tokens of files, each as
    /// [`tokenize_lines`](crate::retrieval::datastore::tokenize_lines) makes them. Takes a second
    /// for a few million.
    pub fn new<T: AsRef<[Token]>>(files: impl IntoIterator<Item = T>) -> Self {
        let mut tokens = Vec::new();
        let mut starts = Vec::new();
        for file in files {
            starts.push(tokens.len() as u32);
            tokens.extend_from_slice(file.as_ref());
            tokens.push(SEPARATOR);
        }
        let suffix = |at: u32| {
            let at = at as usize;
            &tokens[at..(at + SORTED_TOKENS).min(tokens.len())]
        };
        let mut sorted: Vec<u32> =
            (0..tokens.len() as u32).filter(|at| tokens[*at as usize] != SEPARATOR).collect();
        sorted.sort_unstable_by(|a, b| suffix(*a).cmp(suffix(*b)).then(a.cmp(b)));
        let n_tokens = tokens.iter().max().map_or(0, |it| *it as usize + 1);
        let mut by_token = vec![0; n_tokens + 1];
        for at in &sorted {
            by_token[tokens[*at as usize] as usize + 1] += 1;
        }
        let mut sum = 0;
        for count in &mut by_token {
            sum += *count;
            *count = sum;
        }
        Self { tokens, starts, sorted, by_token }
    }

    /// How many tokens it holds, separators included.
    pub fn n_tokens(&self) -> usize {
        self.tokens.len()
    }

    pub fn n_files(&self) -> usize {
        self.starts.len()
    }

    /// The tokens of one file.
    pub fn file(&self, index: usize) -> &[Token] {
        let Range { start, end } = self.range_of(index);
        &self.tokens[start as usize..end as usize - 1]
    }

    fn range_of(&self, file: usize) -> Range<u32> {
        let end = self.starts.get(file + 1).copied();
        self.starts[file]..end.unwrap_or(self.tokens.len() as u32)
    }

    fn of_token(&self, token: Token) -> Range<usize> {
        let at = |index: Option<usize>| index.and_then(|it| self.by_token.get(it)).copied();
        let index = usize::try_from(token).ok();
        match (at(index), at(index.map(|it| it + 1))) {
            (Some(from), Some(to)) => from as usize..to as usize,
            _ => 0..0,
        }
    }

    /// Where in `sorted` the suffixes are that start with `history`, which is not empty.
    fn matches(&self, history: &[Token]) -> Range<usize> {
        let Some((first, rest)) = history.split_first() else { return 0..0 };
        let all = self.of_token(*first);
        let compare = |at: &u32| -> Ordering {
            let from = *at as usize + 1;
            let to = (from + rest.len()).min(self.tokens.len());
            self.tokens[from..to].cmp(rest)
        };
        let of_first = &self.sorted[all.clone()];
        let from = of_first.partition_point(|at| compare(at) == Ordering::Less);
        let n = of_first[from..].partition_point(|at| compare(at) == Ordering::Equal);
        all.start + from..all.start + from + n
    }
}

impl IndexView {
    /// `index` without the files of these numbers.
    pub fn without(index: Arc<SuffixArray>, files: impl IntoIterator<Item = usize>) -> Self {
        let mut without: Vec<Range<u32>> = files.into_iter().map(|it| index.range_of(it)).collect();
        without.sort_by_key(|it| it.start);
        Self { index, without }
    }

    /// All tokens, of files that are left out as well.
    pub fn tokens(&self) -> &[Token] {
        &self.index.tokens
    }

    /// The longest matches of the end of `history`, at most `n_max`, each as the index of its last
    /// token, longest first; of too many equally long ones some, evenly spread over the tokens that
    /// follow. With a constraint, only matches count that are followed by what satisfies it, and a
    /// match may be of no token at all: the text's own words are of use wherever they stand.
    pub fn longest_matches(
        &self,
        history: &[Token],
        constraint: Option<&dyn PrefixConstraint>,
        n_max: usize,
    ) -> Vec<usize> {
        // What matches twelve tokens matches eleven, so the longest is found by bisection as well.
        let (mut longest, mut too_long) = (0, MAX_ORDER.min(history.len()) + 1);
        while longest + 1 < too_long {
            let middle = usize::midpoint(longest, too_long);
            if self.matches(history, middle, constraint).next().is_none() {
                too_long = middle;
            } else {
                longest = middle;
            }
        }
        let mut found: Vec<usize> = Vec::new();
        for order in (usize::from(constraint.is_none())..=longest).rev() {
            let matches = self.matches(history, order, constraint);
            let matches: Vec<usize> = matches.filter(|it| !found.contains(it)).collect();
            let step = matches.len().div_ceil((n_max - found.len()).max(1)).max(1);
            found.extend(matches.into_iter().skip(step / 2).step_by(step));
            if found.len() >= n_max {
                break;
            }
        }
        found.truncate(n_max);
        found
    }

    /// The matches of the last `order` tokens of `history`, [`MAX_MATCHES`] of them at most.
    fn matches<'a>(
        &'a self,
        history: &[Token],
        order: usize,
        constraint: Option<&'a dyn PrefixConstraint>,
    ) -> impl Iterator<Item = usize> + use<'a> {
        let index = &*self.index;
        let ranges: Vec<Range<usize>> = match (order, constraint) {
            (0, None) => Vec::new(),
            (0, Some(it)) => it.first_tokens().iter().map(|it| index.of_token(*it)).collect(),
            _ => vec![index.matches(&history[history.len() - order..])],
        };
        let n: usize = ranges.iter().map(Range::len).sum();
        let all = ranges.into_iter().flatten().step_by(n.div_ceil(MAX_MATCHES).max(1));
        let goes_on = move |at: usize| {
            let at = index.sorted[at];
            let next = at as usize + order;
            let spells = |it: &dyn PrefixConstraint| it.is_spelled_by(&index.tokens[next..]);
            let follows = index.tokens.get(next).is_some_and(|it| *it != SEPARATOR);
            (follows && !self.is_without(at) && constraint.is_none_or(spells)).then_some(next)
        };
        all.filter_map(goes_on).filter_map(|next| next.checked_sub(1))
    }

    fn is_without(&self, at: u32) -> bool {
        let until = self.without.partition_point(|it| it.start <= at);
        until > 0 && at < self.without[until - 1].end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token> {
        text.bytes().map(Token::from).collect()
    }

    fn index(files: &[&str]) -> Arc<SuffixArray> {
        Arc::new(SuffixArray::new(files.iter().map(|it| tokens(it))))
    }

    fn view(files: &[&str], without: &[usize]) -> IndexView {
        IndexView::without(index(files), without.iter().copied())
    }

    /// What follows the matches, in their order.
    fn followers(view: &IndexView, history: &str, word: Option<&str>, most: usize) -> String {
        let word = word.map(|it| Word(tokens(it)));
        let constraint = word.as_ref().map(|it| it as &dyn PrefixConstraint);
        let matches = view.longest_matches(&tokens(history), constraint, most);
        matches.into_iter().map(|at| view.tokens()[at + 1] as u8 as char).collect()
    }

    #[test]
    fn matches_are_of_all_files_but_those_left_out_and_the_longest_first() {
        let files = ["xabc ab_", "abd abd", "abd"];
        let all =
            |without: &[usize], history: &str| followers(&view(&files, without), history, None, 9);
        // "xab" is followed by c; "ab" by _ and d as well.
        assert_eq!(all(&[], "xab"), "c_ddd");
        assert_eq!(all(&[1], "xab"), "c_d");
        assert_eq!(all(&[0], "xab"), "ddd");
        assert_eq!(all(&[0, 1, 2], "xab"), "");
        // Nothing reaches across a file's end, and a file's end is followed by nothing.
        assert_eq!(all(&[], "b_a"), "bbbbb");
        assert_eq!(all(&[1], "abd"), "");
        assert_eq!(all(&[], ""), "");
        assert_eq!(followers(&IndexView::default(), "ab", None, 9), "");
    }

    #[test]
    fn of_too_many_matches_those_that_are_kept_are_spread_over_what_follows() {
        let text = ["ab", "ac", "ad"].map(|it| it.repeat(2_000)).concat() + "xae";
        let view = view(&[&text], &[]);
        assert_eq!(followers(&view, "za", None, 6), "bbccdd");
        assert_eq!(followers(&view, "xa", None, 4), "ebcd");
    }

    struct Word(Vec<Token>);

    impl PrefixConstraint for Word {
        fn first_tokens(&self) -> &[Token] {
            &self.0[..1]
        }
        fn is_spelled_by(&self, it: &[Token]) -> bool {
            it.starts_with(&self.0)
        }
    }

    #[test]
    fn what_does_not_satisfy_the_constraint_is_no_match() {
        let view = view(&["xab xac acd acd", "zcd"], &[]);
        assert_eq!(followers(&view, "xa", Some("cd"), 9), "ccc");
        let before = |history: &str| -> String {
            let matches = view.longest_matches(&tokens(history), Some(&Word(tokens("cd"))), 9);
            matches.into_iter().map(|at| view.tokens()[at] as u8 as char).collect()
        };
        // Those behind "a" first, then the one behind "z"; "xac" is not all that was typed.
        assert_eq!(before("xa"), "aaz");
        assert_eq!(before("z"), "zaa");
        assert_eq!(before("y"), "zaa");
    }

    #[test]
    fn it_finds_what_looking_everywhere_finds() {
        let mut numbers = crate::stdx::random::Random::new(7);
        let mut random = move |n: usize| numbers.below(n);
        for _ in 0..200 {
            let mut text = || (0..random(60)).map(|_| random(4) as Token).collect::<Vec<_>>();
            let files = [text(), text(), text()];
            let history = text();
            let view = IndexView::without(Arc::new(SuffixArray::new(&files)), []);
            let all = view.tokens();
            let order = |at: usize| {
                (0..MAX_ORDER.min(history.len()).min(at + 1))
                    .take_while(|back| all[at - back] == history[history.len() - 1 - back])
                    .count()
            };
            let goes_on = |at: &usize| order(*at) > 0 && all[at + 1] != SEPARATOR;
            let mut expected: Vec<usize> = (0..all.len() - 1).filter(goes_on).collect();
            let found = view.longest_matches(&history, None, 1_000);
            assert!(found.windows(2).all(|it| order(it[0]) >= order(it[1])), "{found:?}");
            let mut found = found;
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "{files:?} {history:?}");
            for (number, file) in files.iter().enumerate() {
                assert_eq!(view.index.file(number), file);
            }
        }
    }
}
