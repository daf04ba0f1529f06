//! Which lines of a buffer can be offences at all: one pass over the whole buffer for the literals that the filters
//! require, without looking at lines.

use aho_corasick::packed;
use memchr::memmem;

use super::pairs::Pairs;
use super::targets::Spelled;
use crate::filter::Required;
use crate::record::Targets;

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
    /// A few longer literals: SIMD.
    Few(Box<packed::Searcher>),
    /// Many, short ones, or in any case.
    Many(Pairs),
    /// A line with `%` or `\` may spell a literal in another way.
    Encoded,
    /// So may a line whose target has slashes and dots that a server takes out, or, where targets are found, `%` or `\`.
    Spelled(Box<Spelled>),
}

/// The most literals that the SIMD search is fast with, and the fewest bytes of each.
const FEW: usize = 32;
const LONG: usize = 4;

impl Prefilter {
    /// Finds every line that holds what one of the filters requires, or a spelling that this excepts; `targets` is where
    /// the lines' format has its targets.
    pub(super) fn new(all: Vec<Required>, targets: Option<Targets<'_>>) -> Self {
        let any = |excepts: fn(&Required) -> bool| all.iter().any(excepts);
        let encoded = any(|required| required.except_encoded).then_some(Search::Encoded);
        let target = any(|required| required.except_encoded_target);
        let slashes = any(|required| required.except_slashes);
        let spelled = targets.map(|targets| Spelled::searches(targets, target, slashes)).unwrap_or_default();
        let spelled = spelled.into_iter().map(|spelled| Search::Spelled(Box::new(spelled)));
        let (any_case, exact): (Vec<_>, Vec<_>) = all.into_iter().partition(|required| required.ignore_case);
        let found = search(minimal(literals(exact)), minimal(literals(any_case)));
        Self { searches: [found, encoded].into_iter().flatten().chain(spelled).collect() }
    }

    /// Goes through `buffer` from its start.
    pub(super) fn scan<'a>(&'a self, buffer: &'a [u8]) -> Scan<'a> {
        Scan { buffer, next: self.searches.iter().map(|search| (search, search.find(buffer, 0))).collect() }
    }
}

fn literals(required: Vec<Required>) -> Vec<Vec<u8>> {
    required.into_iter().flat_map(|required| required.literals).collect()
}

fn search(exact: Vec<Vec<u8>>, any_case: Vec<Vec<u8>>) -> Option<Search> {
    if !any_case.is_empty() || exact.len() > FEW || exact.iter().any(|literal| literal.len() < LONG) {
        return Some(Search::Many(Pairs::new(exact, any_case)));
    }
    if let [only] = exact.as_slice() {
        return Some(Search::One(Box::new(memmem::Finder::new(only).into_owned())));
    }
    if exact.is_empty() {
        return None;
    }
    let few =
        packed::Config::new().match_kind(packed::MatchKind::LeftmostFirst).builder().extend(&exact).build();
    Some(few.map_or_else(|| Search::Many(Pairs::new(exact, Vec::new())), |few| Search::Few(Box::new(few))))
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
    /// The first place at or after `from`, where a line begins.
    fn find(&self, buffer: &[u8], from: usize) -> Option<usize> {
        let rest = buffer.get(from..)?;
        let found = match self {
            Self::One(finder) => finder.find(rest),
            Self::Few(searcher) => searcher.find(rest).map(|m| m.start()),
            Self::Many(pairs) => return pairs.find(buffer, from),
            Self::Encoded => memchr::memchr2(b'%', b'\\', rest),
            Self::Spelled(spelled) => spelled.find(rest),
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
    /// The first place of interest at or after `from`, where a line begins; `from` never goes back.
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
    use crate::filter::Required;
    use crate::record::Targets;

    fn required(literals: &[&str], ignore_case: bool) -> Required {
        let literals = literals.iter().map(|literal| literal.as_bytes().to_vec()).collect();
        Required {
            literals,
            ignore_case,
            except_encoded: false,
            except_encoded_target: false,
            except_slashes: false,
        }
    }

    /// The numbers of the lines that are found.
    fn found(required: Vec<Required>, text: &str) -> Vec<usize> {
        let prefilter = Prefilter::new(required, Some(Targets::FirstQuoted));
        let mut scan = prefilter.scan(text.as_bytes());
        let (mut from, mut found) = (0, Vec::new());
        while let Some(at) = scan.find(from) {
            found.push(text[..at].matches('\n').count());
            from = at + text[at..].find('\n').map_or(text.len(), |end| end + 1);
        }
        found
    }

    #[test]
    fn every_search_finds_the_same_lines_in_order() {
        let text = "a wp-login.php\nb xmlrpc.php\nc WP-LOGIN.PHP\nd";
        assert_eq!(found(vec![required(&["wp-login"], false)], text), [0]);
        assert_eq!(
            found(vec![required(&["wp-login", "xmlrpc"], false), required(&["wp-log"], false)], text),
            [0, 1]
        );
        assert_eq!(found(vec![required(&["wp-login"], true)], text), [0, 2]);
        assert_eq!(found(vec![required(&["d"], false), required(&["wp-login"], true)], text), [0, 2, 3]);
        let many: Vec<String> =
            (0..100).map(|i| format!("needle{i:03}")).chain(["xmlrpc".to_owned()]).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(found(vec![required(&many, false)], text), [1]);
    }

    #[test]
    fn another_spelling_is_of_interest_only_where_asked() {
        let text = concat!(
            "- - [] \"GET /%77p-log%69n HTTP/1.1\"\n",
            "- - [] \"GET /\\x22 HTTP/1.1\"\n",
            "- - [] \"GET //x HTTP/1.1\" \"https://h.example/\"\n",
            "- - [] \"GET /x/./y HTTP/1.1\"\n",
            "- - [] \"GET /x HTTP/1.1\" \"https://h.example/.x\"\n",
            "- \"\" [] \"GET http://h.example HTTP/1.1\"\n",
        );
        let with = |except_encoded, except_slashes| {
            vec![Required { except_encoded, except_slashes, ..required(&["wp-login"], false) }]
        };
        assert_eq!(found(with(false, false), text), [0; 0]);
        assert_eq!(found(with(true, false), text), [0, 1]);
        assert_eq!(found(with(false, true), text), [2, 3, 5]);
    }
}
