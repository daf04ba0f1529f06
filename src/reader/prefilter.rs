//! Which lines of a buffer can be offences at all: one pass over the whole buffer for the literals that the filters
//! require, without looking at lines.

use aho_corasick::packed;
use aho_corasick::{AhoCorasick, MatchKind};
use memchr::memmem;

/// Literals that one of the filters needs, searched over whole buffers.
#[derive(Debug)]
pub(super) struct Prefilter {
    searches: Vec<Search>,
}

/// One way to find a set of byte strings.
#[derive(Debug)]
enum Search {
    /// A single literal: the fastest search there is.
    One(Box<memmem::Finder<'static>>),
    /// A few literals: SIMD.
    Few(Box<packed::Searcher>),
    /// Many, or in any case.
    Many(AhoCorasick),
    /// A line with `%` or `\` may spell a literal in another way.
    Spelled,
}

/// The most literals that the SIMD search takes; more go to an automaton.
const FEW: usize = 64;

impl Prefilter {
    /// `exact` are literals as logged, `any_case` those that match in any case; `spelled` also finds every line that
    /// may hold one of them in another spelling (percent-encoded, escaped).
    pub(super) fn new(exact: Vec<Vec<u8>>, any_case: Vec<Vec<u8>>, spelled: bool) -> Self {
        let mut searches: Vec<Search> = exact_search(minimal(exact)).into_iter().collect();
        searches.extend(automaton(&minimal(any_case), true));
        searches.extend(spelled.then_some(Search::Spelled));
        Self { searches }
    }

    /// Goes through `buffer` from its start.
    pub(super) fn scan<'a>(&'a self, buffer: &'a [u8]) -> Scan<'a> {
        Scan { buffer, next: self.searches.iter().map(|search| (search, search.find(buffer, 0))).collect() }
    }
}

fn exact_search(mut literals: Vec<Vec<u8>>) -> Option<Search> {
    if literals.len() == 1 {
        let only = literals.pop()?;
        return Some(Search::One(Box::new(memmem::Finder::new(&only).into_owned())));
    }
    if literals.is_empty() || literals.len() > FEW {
        return automaton(&literals, false);
    }
    let few = packed::Config::new()
        .match_kind(packed::MatchKind::LeftmostFirst)
        .builder()
        .extend(&literals)
        .build();
    few.map(|searcher| Search::Few(Box::new(searcher))).or_else(|| automaton(&literals, false))
}

fn automaton(literals: &[Vec<u8>], any_case: bool) -> Option<Search> {
    if literals.is_empty() {
        return None;
    }
    let mut builder = AhoCorasick::builder();
    builder.match_kind(MatchKind::LeftmostFirst).ascii_case_insensitive(any_case);
    Some(Search::Many(
        builder.build(literals).expect("the literals are short: no limit of the automaton is reached"),
    ))
}

/// Without literals that hold another one: where they are, the other is.
fn minimal(mut literals: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    literals.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for literal in literals {
        if !kept.iter().any(|short| memmem::find(&literal, short).is_some()) {
            kept.push(literal);
        }
    }
    kept
}

impl Search {
    /// The first place at or after `from`.
    fn find(&self, buffer: &[u8], from: usize) -> Option<usize> {
        let rest = buffer.get(from..)?;
        let found = match self {
            Self::One(finder) => finder.find(rest),
            Self::Few(searcher) => searcher.find(rest).map(|m| m.start()),
            Self::Many(automaton) => automaton.find(rest).map(|m| m.start()),
            Self::Spelled => memchr::memchr2(b'%', b'\\', rest),
        };
        found.map(|at| from + at)
    }
}

/// A pass over one buffer: where the next place of interest is.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    buffer: &'a [u8],
    /// Each search with its next place, found ahead.
    next: Vec<(&'a Search, Option<usize>)>,
}

impl Scan<'_> {
    /// The first place of interest at or after `from`; `from` never goes back.
    pub(super) fn find(&mut self, from: usize) -> Option<usize> {
        let mut first = None;
        for (search, at) in &mut self.next {
            if at.is_some_and(|place| place < from) {
                *at = search.find(self.buffer, from);
            }
            first = match (first, *at) {
                (Some(a), Some(b)) => Some(std::cmp::min::<usize>(a, b)),
                (a, b) => a.or(b),
            };
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::Prefilter;

    fn places(prefilter: &Prefilter, text: &str) -> Vec<usize> {
        let mut scan = prefilter.scan(text.as_bytes());
        std::iter::successors(scan.find(0), |last| scan.find(last + 1)).collect()
    }

    fn owned(literals: &[&str]) -> Vec<Vec<u8>> {
        literals.iter().map(|l| l.as_bytes().to_vec()).collect()
    }

    #[test]
    fn every_search_finds_the_same_places_in_order() {
        let text = "a wp-login.php b xmlrpc.php c WP-LOGIN.PHP";
        assert_eq!(places(&Prefilter::new(owned(&["wp-login"]), vec![], false), text), [2]);
        assert_eq!(
            places(&Prefilter::new(owned(&["wp-login", "xmlrpc", "wp-login.php"]), vec![], false), text),
            [2, 17]
        );
        assert_eq!(places(&Prefilter::new(vec![], owned(&["wp-login"]), false), text), [2, 30]);
        let many: Vec<String> =
            (0..100).map(|i| format!("needle{i:03}")).chain(["xmlrpc".to_owned()]).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(places(&Prefilter::new(owned(&many), vec![], false), text), [17]);
    }

    #[test]
    fn another_spelling_is_of_interest_only_where_asked() {
        assert_eq!(places(&Prefilter::new(owned(&["wp-login"]), vec![], true), r"%77p-login \x22"), [0, 11]);
        assert!(places(&Prefilter::new(owned(&["wp-login"]), vec![], false), r"%77p-login \x22").is_empty());
    }
}
