//! The tokens of many files, sorted by how they go on, so that the longest match of a history is found by
//! bisection: the workspace as it lies on the disk.
//!
//! A suffix array over a few tokens a suffix (Manber and Myers, 1990): built once a change of the files, in the
//! background, and read from then on. Counts mixed longest match first are those of Hellendoorn and
//! Devanbu (FSE 2017).

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use crate::adapt::matches::{MAX_ORDER, Match, counted};
use crate::generation::{HalfTyped, Token};

/// Stands between files: no history has it, and nothing follows with it.
pub const BORDER: Token = -1;
/// How many tokens of a suffix are compared: a match, and something of what follows it.
const SORTED_TOKENS: usize = MAX_ORDER + 4;
/// Of more places than these, as many are looked at, evenly spread.
const MAX_PLACES: usize = 1_024;

/// The files' tokens, and the array.
#[derive(Debug, Default)]
pub struct TextIndex {
    tokens: Vec<Token>,
    /// Where files begin in `tokens`.
    starts: Vec<u32>,
    /// Places in `tokens`, ordered by the tokens from there on.
    sorted: Vec<u32>,
    /// By token, where its places begin in `sorted`.
    by_token: Vec<u32>,
}

/// An index without some of its files: those that are open, whose text is known better.
#[derive(Debug, Clone, Default)]
pub struct IndexView {
    index: Arc<TextIndex>,
    /// Ranges of tokens, in order.
    without: Vec<Range<u32>>,
}

impl TextIndex {
    /// Sorts the tokens of files, each as [`text_tokens`](crate::adapt::document::text_tokens) makes them.
    /// Takes a second for a few million.
    pub fn new<T: AsRef<[Token]>>(files: impl IntoIterator<Item = T>) -> Self {
        let mut tokens = Vec::new();
        let mut starts = Vec::new();
        for file in files {
            starts.push(tokens.len() as u32);
            tokens.extend_from_slice(file.as_ref());
            tokens.push(BORDER);
        }
        let suffix = |at: u32| {
            let at = at as usize;
            &tokens[at..(at + SORTED_TOKENS).min(tokens.len())]
        };
        let mut sorted: Vec<u32> =
            (0..tokens.len() as u32).filter(|at| tokens[*at as usize] != BORDER).collect();
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

    /// How many tokens it holds, borders included.
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

    /// Where in `sorted` the suffixes are that begin with `history`, which is not empty.
    fn places(&self, history: &[Token]) -> Range<usize> {
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

/// Places in an index, as ranges of `sorted`.
struct Places {
    ranges: Vec<Range<usize>>,
    n: usize,
    /// Each of so many is looked at, and stands for them all.
    step: usize,
}

impl IndexView {
    /// `index` without the files of these numbers.
    pub fn without(index: Arc<TextIndex>, files: impl IntoIterator<Item = usize>) -> Self {
        let mut without: Vec<Range<u32>> = files.into_iter().map(|it| index.range_of(it)).collect();
        without.sort_by_key(|it| it.start);
        Self { index, without }
    }

    /// As [`longest_matches`](crate::adapt::matches::longest_matches), over all files.
    pub fn longest_matches(
        &self,
        history: &[Token],
        half_typed: Option<&dyn HalfTyped>,
    ) -> [Option<Match>; 2] {
        // What matches twelve tokens matches eleven, so the longest is found by bisection as well.
        let (mut order, mut too_long) = (0, MAX_ORDER.min(history.len()) + 1);
        while order + 1 < too_long {
            let middle = usize::midpoint(order, too_long);
            let places = self.places(history, middle, half_typed);
            match self.followers(&places, middle, half_typed).next() {
                Some(_) => order = middle,
                None => too_long = middle,
            }
        }
        let least = usize::from(half_typed.is_none());
        if order < least {
            return [None, None];
        }
        let Some(longest) = self.matched(history, order, half_typed, 0) else {
            return [None, None];
        };
        let shorter = (least..order)
            .rev()
            .find_map(|order| self.matched(history, order, half_typed, 2 * longest.total));
        [Some(longest), shorter]
    }

    /// Where the last `order` tokens of `history` are.
    fn places(
        &self,
        history: &[Token],
        order: usize,
        half_typed: Option<&dyn HalfTyped>,
    ) -> Places {
        let index = &self.index;
        let ranges: Vec<Range<usize>> = match (order, half_typed) {
            (0, None) => Vec::new(),
            (0, Some(it)) => it.first_tokens().iter().map(|it| index.of_token(*it)).collect(),
            _ => vec![index.places(&history[history.len() - order..])],
        };
        let n: usize = ranges.iter().map(Range::len).sum();
        Places { ranges, n, step: n.div_ceil(MAX_PLACES).max(1) }
    }

    /// What follows these places.
    fn followers<'a>(
        &'a self,
        places: &'a Places,
        order: usize,
        half_typed: Option<&'a dyn HalfTyped>,
    ) -> impl Iterator<Item = Token> + 'a {
        let index = &*self.index;
        let places = places.ranges.iter().cloned().flatten().step_by(places.step);
        places.map(|it| index.sorted[it]).filter_map(move |at| {
            let next = at as usize + order;
            let spells = |it: &dyn HalfTyped| it.is_spelled_by(&index.tokens[next..]);
            let token = *index.tokens.get(next).filter(|it| **it != BORDER)?;
            (!self.is_without(at) && half_typed.is_none_or(spells)).then_some(token)
        })
    }

    /// What follows the last `order` tokens of `history`, if it does `at_least` so often.
    fn matched(
        &self,
        history: &[Token],
        order: usize,
        half_typed: Option<&dyn HalfTyped>,
        at_least: u32,
    ) -> Option<Match> {
        let places = self.places(history, order, half_typed);
        if places.n.next_multiple_of(places.step) < at_least as usize {
            return None;
        }
        let followers = self.followers(&places, order, half_typed).collect();
        counted(followers, order, places.step).filter(|it| it.total >= at_least)
    }

    fn is_without(&self, at: u32) -> bool {
        let until = self.without.partition_point(|it| it.start <= at);
        until > 0 && at < self.without[until - 1].end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapt::matches::longest_matches;

    fn tokens(text: &str) -> Vec<Token> {
        text.bytes().map(Token::from).collect()
    }

    fn shown(found: &[Option<Match>; 2]) -> String {
        let one = |it: &Match| {
            let next: String =
                it.next.iter().map(|(t, n)| format!(" {}{n}", *t as u8 as char)).collect();
            format!("{}:{next}", it.order)
        };
        found.iter().flatten().map(one).collect::<Vec<_>>().join(", ")
    }

    fn index(files: &[&str]) -> Arc<TextIndex> {
        Arc::new(TextIndex::new(files.iter().map(|it| tokens(it))))
    }

    fn view(files: &[&str], without: &[usize]) -> IndexView {
        IndexView::without(index(files), without.iter().copied())
    }

    #[test]
    fn matches_are_of_all_files_but_those_left_out() {
        let files = ["xabc ab_", "abd abd", "abd"];
        let all = |without: &[usize], history: &str| {
            shown(&view(&files, without).longest_matches(&tokens(history), None))
        };
        assert_eq!(all(&[], "xab"), "3: c1, 2: d3 _1 c1");
        assert_eq!(all(&[1], "xab"), "3: c1, 2: _1 c1 d1");
        assert_eq!(all(&[0], "xab"), "2: d3");
        assert_eq!(all(&[0, 1, 2], "xab"), "");
        // Nothing reaches across a file's border, and a file's end is followed by nothing.
        assert_eq!(all(&[], "b_a"), "1: b5");
        assert_eq!(all(&[1], "abd"), "");
        assert_eq!(all(&[], ""), "");
        assert_eq!(shown(&IndexView::default().longest_matches(&tokens("ab"), None)), "");
    }

    struct Word(Vec<Token>);

    impl HalfTyped for Word {
        fn first_tokens(&self) -> &[Token] {
            &self.0[..1]
        }
        fn is_spelled_by(&self, it: &[Token]) -> bool {
            it.starts_with(&self.0)
        }
    }

    #[test]
    fn what_does_not_spell_a_half_typed_word_is_no_match() {
        let all = |history: &str| {
            let word = Word(tokens("cd"));
            shown(
                &view(&["xab xac acd acd", "zcd"], &[])
                    .longest_matches(&tokens(history), Some(&word)),
            )
        };
        assert_eq!(all("xa"), "1: c2");
        assert_eq!(all("y"), "0: c3");
        assert_eq!(all(""), "0: c3");
    }

    #[test]
    fn it_finds_what_looking_everywhere_finds() {
        let mut state = 7_u64;
        let mut random = move |n: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % n
        };
        for _ in 0..200 {
            let mut text = || (0..random(60)).map(|_| random(4) as Token).collect::<Vec<_>>();
            let files = [text(), text(), text()];
            let history = text();
            let mut joined: Vec<Token> = Vec::new();
            for file in &files {
                joined.extend(file);
                joined.push(BORDER);
            }
            let view = IndexView::without(Arc::new(TextIndex::new(&files)), []);
            let expected = longest_matches(&joined, &[], &history, None);
            assert_eq!(view.longest_matches(&history, None), expected, "{files:?} {history:?}");
            for (number, file) in files.iter().enumerate() {
                assert_eq!(view.index.file(number), file);
            }
        }
    }

    #[test]
    fn of_very_many_places_some_stand_for_all() {
        let text = "ab".repeat(10_000) + "ac";
        let found = view(&[&text], &[]).longest_matches(&tokens("za"), None);
        let found = found[0].as_ref().expect("a match");
        assert_eq!(found.next[0].0, Token::from(b'b'));
        assert!((9_000..12_000).contains(&found.total), "{found:?}");
    }
}
