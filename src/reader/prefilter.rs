//! Which lines of a buffer can be offences at all, and of which filters: one pass over the whole buffer for the literals
//! that the filters require, without looking at lines.

use aho_corasick::packed;
use memchr::{memchr2, memmem};

use super::pairs::{Pairs, Wanted};
use super::targets::{Spelled, Spellings};
use crate::filter::Required;
use crate::record::Targets;

/// Some of a reader's filters, by their index: a bit each. Those from the 64th on share the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chosen(u64);

/// Literals that one of the filters needs, searched over whole buffers.
#[derive(Debug)]
pub(super) struct Prefilter {
    searches: Vec<Search>,
    /// The filters that require nothing: every line is theirs.
    always: Chosen,
}

/// A way to find lines, and whose they are.
#[derive(Debug)]
struct Search {
    what: What,
    /// Of `Many` each literal has its own.
    filters: Chosen,
}

/// What is searched for.
#[derive(Debug)]
enum What {
    /// A single literal: the fastest search there is.
    One(Box<memmem::Finder<'static>>),
    /// A few longer literals of the same filters: SIMD.
    Few(Box<packed::Searcher>),
    /// Many, short ones, of several filters, or in any case.
    Many(Pairs),
    /// A line with `%` or `\` may spell a literal in another way.
    Encoded,
    /// So may a line whose target has slashes and dots that a server takes out, or, where targets are found, `%` or `\`.
    Spelled(Box<Spelled>),
}

/// The most literals that the SIMD search is fast with, and the fewest bytes of each.
const FEW: usize = 32;
const LONG: usize = 4;

impl Chosen {
    /// No filter.
    pub(super) const NONE: Self = Self(0);
    /// All of them.
    pub(super) const ALL: Self = Self(u64::MAX);

    /// The filter with this index.
    pub(super) fn of(index: usize) -> Self {
        Self(1 << index.min(63))
    }

    /// These, if it holds.
    pub(super) fn when(self, holds: bool) -> Self {
        if holds { self } else { Self::NONE }
    }

    /// Those and these.
    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the filter with this index is one of them.
    pub(super) fn has(self, index: usize) -> bool {
        self.0 & Self::of(index).0 != 0
    }

    /// Whether there are no others among `those`.
    fn has_all(self, those: Self) -> bool {
        self.0 | those.0 == self.0
    }
}

impl Prefilter {
    /// Finds every line that holds what one of the filters requires, or a spelling that this excepts; `targets` is where
    /// the lines' formats have their targets. `None`: the filter with that index requires nothing.
    pub(super) fn new(all: &[Option<Required>], targets: &[Targets<'_>]) -> Self {
        let always = chosen(all, |required| required.is_none());
        let excepting =
            |excepts: fn(&Required) -> bool| chosen(all, |required| required.is_some_and(excepts));
        let spellings = Spellings {
            encoded: excepting(|required| required.except_encoded_target),
            slashes: excepting(|required| required.except_slashes),
            dots: excepting(|required| required.except_dots),
        };
        let spelled = targets.iter().flat_map(|targets| Spelled::searches(*targets, spellings));
        let spelled = spelled.map(|spelled| (What::Spelled(Box::new(spelled)), Chosen::NONE));
        let literals = searches(minimal(literals(all)), excepting(|required| required.except_encoded));
        let searches = literals.into_iter().chain(spelled).map(|(what, filters)| Search { what, filters });
        Self { searches: searches.collect(), always }
    }

    /// The filters for which every line is a candidate.
    pub(super) fn always(&self) -> Chosen {
        self.always
    }

    /// Goes through `buffer` from its start.
    pub(super) fn scan<'a>(&'a self, buffer: &'a [u8]) -> Scan<'a> {
        let next = self.searches.iter().map(|search| (search, search.find(buffer, 0))).collect();
        Scan { buffer, always: self.always, next }
    }
}

/// Those of `all` for which this holds.
fn chosen(all: &[Option<Required>], holds: impl Fn(Option<&Required>) -> bool) -> Chosen {
    let those = all.iter().enumerate().filter(|(_, required)| holds(required.as_ref()));
    those.fold(Chosen::NONE, |chosen, (index, _)| chosen.with(Chosen::of(index)))
}

fn literals(all: &[Option<Required>]) -> Vec<Wanted> {
    let all = all.iter().enumerate().filter_map(|(index, required)| Some((index, required.as_ref()?)));
    let wanted = |(index, required): (usize, &Required)| {
        let (any_case, filters) = (required.ignore_case, Chosen::of(index));
        let wanted = |bytes: &Vec<u8>| Wanted { bytes: bytes.clone(), any_case, filters };
        required.literals.iter().map(wanted).collect::<Vec<_>>()
    };
    all.flat_map(wanted).collect()
}

/// The fastest searches for these literals, and for what is encoded.
fn searches(wanted: Vec<Wanted>, encoded: Chosen) -> Vec<(What, Chosen)> {
    let any_encoded = (encoded != Chosen::NONE).then_some((What::Encoded, encoded));
    let Some(first) = wanted.first() else { return any_encoded.into_iter().collect() };
    let filters = first.filters;
    let simple = |one: &Wanted| !one.any_case && one.filters == filters && one.bytes.len() >= LONG;
    let few = if wanted.len() <= FEW && wanted.iter().all(simple) { few(&wanted) } else { None };
    match few {
        Some(few) => [Some((few, filters)), any_encoded].into_iter().flatten().collect(),
        None => vec![(What::Many(Pairs::new([wanted, spelled(encoded)].concat())), Chosen::NONE)],
    }
}

fn few(wanted: &[Wanted]) -> Option<What> {
    if let [only] = wanted {
        return Some(What::One(Box::new(memmem::Finder::new(&only.bytes).into_owned())));
    }
    let literals = wanted.iter().map(|wanted| &wanted.bytes);
    let config =
        packed::Config::new().match_kind(packed::MatchKind::LeftmostFirst).builder().extend(literals).build();
    config.map(|searcher| What::Few(Box::new(searcher)))
}

/// The search for many literals takes these two bytes along for nothing.
fn spelled(encoded: Chosen) -> Vec<Wanted> {
    let bytes: &[u8] = if encoded == Chosen::NONE { b"" } else { b"%\\" };
    bytes.iter().map(|byte| Wanted { bytes: vec![*byte], any_case: false, filters: encoded }).collect()
}

/// Each literal once, and without those that hold another one for the same filters: where they are, the other is.
fn minimal(mut literals: Vec<Wanted>) -> Vec<Wanted> {
    literals
        .sort_by(|a, b| (a.bytes.len(), &a.bytes, !a.any_case).cmp(&(b.bytes.len(), &b.bytes, !b.any_case)));
    let mut kept: Vec<Wanted> = Vec::new();
    for literal in literals {
        match kept.iter_mut().find(|known| known.bytes == literal.bytes && known.any_case == literal.any_case)
        {
            Some(known) => known.filters = known.filters.with(literal.filters),
            None => kept.push(literal),
        }
    }
    let needed = |(at, literal): (usize, &Wanted)| !kept[..at].iter().any(|short| short.stands_in(literal));
    kept.iter().enumerate().filter(|one| needed(*one)).map(|(_, literal)| literal.clone()).collect()
}

impl Wanted {
    /// Whether every place that holds `longer` is found by this one, for the same filters.
    fn stands_in(&self, longer: &Self) -> bool {
        self.filters.has_all(longer.filters)
            && (self.any_case || !longer.any_case)
            && memmem::find(
                &if self.any_case { longer.bytes.to_ascii_lowercase() } else { longer.bytes.clone() },
                &self.bytes,
            )
            .is_some()
    }
}

impl Search {
    /// The first place at or after `from`, where a line begins.
    fn find(&self, buffer: &[u8], from: usize) -> Option<usize> {
        let rest = buffer.get(from..)?;
        let found = match &self.what {
            What::One(finder) => finder.find(rest),
            What::Few(searcher) => searcher.find(rest).map(|m| m.start()),
            What::Many(pairs) => return pairs.find(buffer, from),
            What::Encoded => memchr2(b'%', b'\\', rest),
            What::Spelled(spelled) => spelled.find(rest),
        };
        found.map(|at| from + at)
    }

    /// Whose the line is that ends at `end`; `at` is the first place in it.
    fn filters(&self, buffer: &[u8], at: usize, end: usize) -> Chosen {
        match &self.what {
            What::Many(pairs) => pairs.filters(buffer, at, end),
            What::Spelled(spelled) => buffer.get(at..end).map_or(Chosen::NONE, |rest| spelled.filters(rest)),
            _ => self.filters,
        }
    }
}

/// A pass over one buffer: where the next place of interest is.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    buffer: &'a [u8],
    always: Chosen,
    /// Each search with its next place, found ahead.
    next: Vec<(&'a Search, Option<usize>)>,
}

impl Scan<'_> {
    /// The first place of interest at or after `from`, where a line begins; `from` never goes back.
    pub(super) fn find(&mut self, from: usize) -> Option<usize> {
        let every = self.always != Chosen::NONE && from < self.buffer.len();
        let mut first = every.then_some(from);
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

    /// Whose the line is that ends at `end` and that the last `find` found.
    pub(super) fn filters(&self, end: usize) -> Chosen {
        let found = self.next.iter().filter_map(|(search, at)| Some((search, at.filter(|at| *at < end)?)));
        found.fold(self.always, |all, (search, at)| all.with(search.filters(self.buffer, at, end)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Chosen, Prefilter};
    use crate::filter::Required;
    use crate::record::Targets;

    fn required(literals: &[&str], ignore_case: bool) -> Required {
        let literals = literals.iter().map(|literal| literal.as_bytes().to_vec()).collect();
        Required::one_of(literals, ignore_case)
    }

    /// The numbers of the lines that are found.
    fn found(required: Vec<Required>, text: &str) -> Vec<usize> {
        chosen(&required.into_iter().map(Some).collect::<Vec<_>>(), text)
            .into_iter()
            .map(|(n, _)| n)
            .collect()
    }

    /// The lines that are found, and for which filters.
    fn chosen(required: &[Option<Required>], text: &str) -> Vec<(usize, Chosen)> {
        let prefilter = Prefilter::new(required, &[Targets::FirstQuoted]);
        let mut scan = prefilter.scan(text.as_bytes());
        let (mut from, mut found) = (0, Vec::new());
        while let Some(at) = scan.find(from) {
            let end = text[at..].find('\n').map_or(text.len(), |length| at + length);
            found.push((text[..at].matches('\n').count(), scan.filters(end)));
            from = end + 1;
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
    fn a_line_is_for_those_whose_literals_it_holds_and_for_those_that_need_none() {
        let text = "a wp-login xmlrpc\nb xmlrpc wp-login\nc XMLRPC\nd\ne /%41\n";
        let encoded = Required { except_encoded: true, ..required(&["nothing"], false) };
        let [login, xmlrpc] = [required(&["wp-login"], false), required(&["xmlrpc"], true)];
        let of = |indices: &[usize]| indices.iter().fold(Chosen::NONE, |all, i| all.with(Chosen::of(*i)));
        assert_eq!(
            chosen(&[Some(login.clone()), Some(xmlrpc.clone()), Some(encoded.clone())], text),
            [(0, of(&[0, 1])), (1, of(&[0, 1])), (2, of(&[1])), (4, of(&[2]))]
        );
        assert_eq!(
            chosen(&[Some(login), None, Some(encoded)], text),
            [(0, of(&[0, 1])), (1, of(&[0, 1])), (2, of(&[1])), (3, of(&[1])), (4, of(&[1, 2]))]
        );
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
        let with = |except_encoded, except_slashes, except_dots| {
            let wanted = required(&["wp-login"], false);
            vec![Required { except_encoded, except_slashes, except_dots, ..wanted }]
        };
        assert_eq!(found(with(false, false, false), text), [0; 0]);
        assert_eq!(found(with(true, false, false), text), [0, 1]);
        assert_eq!(found(with(false, true, false), text), [2, 5]);
        assert_eq!(found(with(false, false, true), text), [3]);
        assert_eq!(found(with(false, true, true), text), [2, 3, 5]);
    }
}
