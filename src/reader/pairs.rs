//! A search for hundreds of literals at once, many of them short: each is looked for by three of its bytes, rare ones.
//!
//! Whether their first two are wanted stands in a table of 64 KiB, of which a log's text uses a small part, and no look-up
//! waits for the one before it: about a cycle a byte, where an automaton, which goes from state to state, takes five. Where
//! the pair is wanted, the three bytes are looked up in a table of bits, and only then are literals compared.

use super::prefilter::Chosen;
use crate::filter;

/// So many pairs are looked up before it is asked whether one was wanted.
const AT_ONCE: usize = 8;
/// How many pairs of bytes there are.
const ALL: usize = 1 << 16;
/// What a pair is wanted for: literals that go on, or such as end with it.
const GOING_ON: u8 = 1;
const ENDING: u8 = 2;

/// The literals, by the pair of bytes that each is looked for by.
#[derive(Debug)]
pub(super) struct Pairs {
    /// What each pair is wanted for; 0 where it is not. The first byte is the lower one of the index.
    wanted: Box<[u8; ALL]>,
    /// A bit for each hash of three bytes that a literal goes on with.
    triples: Box<[u64; ALL / 64]>,
    /// For each pair the place of its entry, where it is wanted.
    places: Vec<u16>,
    entries: Vec<Vec<Literal>>,
}

/// What is searched for, and for which filters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) bytes: Vec<u8>,
    /// Any case of its ASCII letters.
    pub(super) any_case: bool,
    pub(super) filters: Chosen,
}

#[derive(Clone, Debug)]
struct Literal {
    wanted: Wanted,
    /// Where its pair stands in it.
    offset: usize,
}

impl Pairs {
    /// A search for these literals. One of a single byte is found with whatever follows it.
    pub(super) fn new(literals: Vec<Wanted>) -> Self {
        let wanted = vec![0; ALL].into_boxed_slice().try_into().expect("it has that length");
        let triples = Box::new([0; ALL / 64]);
        let mut pairs = Self { wanted, triples, places: vec![0; ALL], entries: Vec::new() };
        for wanted in literals {
            let offset = rarest(&wanted.bytes);
            pairs.add(&Literal { wanted, offset });
        }
        pairs
    }

    fn add(&mut self, literal: &Literal) {
        for first in literal.spellings(0) {
            for second in literal.spellings(1) {
                let pair = u16::from_le_bytes([first, second]);
                self.entry(pair).push(literal.clone());
                let ends = literal.offset + 2 >= literal.wanted.bytes.len();
                self.wanted[usize::from(pair)] |= if ends { ENDING } else { GOING_ON };
                for next in literal.spellings(2).into_iter().filter(|_| !ends) {
                    let (word, bit) = triple([first, second, next]);
                    self.triples[word] |= bit;
                }
            }
        }
    }

    fn entry(&mut self, pair: u16) -> &mut Vec<Literal> {
        let pair = usize::from(pair);
        if self.wanted[pair] == 0 {
            self.places[pair] = u16::try_from(self.entries.len()).expect("there are no more pairs than that");
            self.entries.push(Vec::new());
        }
        &mut self.entries[usize::from(self.places[pair])]
    }

    /// A place inside the first line that holds a literal, at or after `from`, where a line begins.
    pub(super) fn find(&self, buffer: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        while let Some(block) = block(buffer, at) {
            if self.wants_any(block) {
                let found =
                    self.places_in(block, at).find(|at| self.literals_at(buffer, *at).next().is_some());
                if found.is_some() {
                    return found;
                }
            }
            at += AT_ONCE;
        }
        (at..buffer.len()).find(|at| self.literals_at(buffer, *at).next().is_some())
    }

    /// The filters whose literals have their pair between `from` and `end`.
    pub(super) fn filters(&self, buffer: &[u8], from: usize, end: usize) -> Chosen {
        let (mut chosen, mut at) = (Chosen::NONE, from);
        let mut add = |at| {
            for literal in self.literals_at(buffer, at) {
                chosen = chosen.with(literal.wanted.filters);
            }
        };
        while let Some(block) = block(buffer, at).filter(|_| at < end) {
            if self.wants_any(block) {
                self.places_in(block, at).take_while(|at| *at < end).for_each(&mut add);
            }
            at += AT_ONCE;
        }
        (at..end).for_each(add);
        chosen
    }

    /// Whether a wanted pair begins in the block.
    #[inline]
    fn wants_any(&self, block: &[u8; AT_ONCE + 1]) -> bool {
        let [even @ .., _] = *block;
        let [_, odd @ ..] = *block;
        let (even, odd) = (u64::from_le_bytes(even), u64::from_le_bytes(odd));
        let wanted = |pairs: u64, i: usize| self.wanted[usize::from((pairs >> (16 * i)) as u16)];
        (0..AT_ONCE / 2).fold(0, |any, i| any | wanted(even, i) | wanted(odd, i)) != 0
    }

    /// Where wanted pairs begin in the block, which stands at `at`.
    #[inline]
    fn places_in(&self, block: &[u8; AT_ONCE + 1], at: usize) -> impl Iterator<Item = usize> {
        let wanted = |i: usize| self.wanted[usize::from(u16::from_le_bytes([block[i], block[i + 1]]))] != 0;
        let mut bits = (0..AT_ONCE).fold(0_u32, |bits, i| bits | u32::from(wanted(i)) << i);
        std::iter::from_fn(move || {
            let place = (bits != 0).then(|| at + bits.trailing_zeros() as usize);
            bits &= bits.wrapping_sub(1);
            place
        })
    }

    /// The literals that have their pair at `at`. Behind the buffer's end a line ends.
    #[inline]
    fn literals_at<'a>(&'a self, buffer: &'a [u8], at: usize) -> impl Iterator<Item = &'a Literal> {
        let byte = |at: usize| buffer.get(at).copied().unwrap_or(b'\n');
        let bytes = [byte(at), byte(at + 1), byte(at + 2)];
        let pair = usize::from(u16::from_le_bytes([bytes[0], bytes[1]]));
        let (word, bit) = triple(bytes);
        let goes_on = self.wanted[pair] & GOING_ON != 0 && self.triples[word] & bit != 0;
        let holds = goes_on || self.wanted[pair] & ENDING != 0;
        let entry = holds.then(|| self.entries[usize::from(self.places[pair])].as_slice());
        entry.unwrap_or_default().iter().filter(move |literal| literal.stands_around(buffer, at))
    }
}

/// The bytes whose pairs are looked up at once, and the one behind them.
fn block(buffer: &[u8], at: usize) -> Option<&[u8; AT_ONCE + 1]> {
    buffer.get(at..)?.first_chunk()
}

/// The place of three bytes in the table of bits.
fn triple([first, second, third]: [u8; 3]) -> (usize, u64) {
    let hash = u32::from_le_bytes([first, second, third, 0]).wrapping_mul(0x9E37_79B1) >> 16;
    (hash as usize / 64, 1 << (hash % 64))
}

/// Where the bytes begin that are rarest in a log.
fn rarest(literal: &[u8]) -> usize {
    let share = |offset: usize, end: usize| {
        filter::share(literal.get(offset..end.min(literal.len())).unwrap_or(literal))
    };
    let rarity = |offset: &usize| share(*offset, *offset + 2) + share(*offset, *offset + 3);
    let offsets = 0..literal.len().saturating_sub(1).max(1);
    offsets.min_by(|a, b| rarity(a).total_cmp(&rarity(b))).unwrap_or_default()
}

impl Literal {
    /// The bytes that may stand `after` the first of its pair; any, where it is shorter.
    fn spellings(&self, after: usize) -> Vec<u8> {
        let Some(byte) = self.wanted.bytes.get(self.offset + after) else { return (0..=u8::MAX).collect() };
        if self.wanted.any_case && byte.is_ascii_alphabetic() {
            vec![byte.to_ascii_lowercase(), byte.to_ascii_uppercase()]
        } else {
            vec![*byte]
        }
    }

    fn stands_around(&self, buffer: &[u8], at: usize) -> bool {
        let Wanted { bytes, any_case, .. } = &self.wanted;
        let there = at.checked_sub(self.offset).and_then(|start| buffer.get(start..)?.get(..bytes.len()));
        there.is_some_and(|there| if *any_case { there.eq_ignore_ascii_case(bytes) } else { there == bytes })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Chosen, Pairs, Wanted};

    /// The filters that a line is for, one literal after the other.
    fn plainly(literals: &[Wanted], line: &[u8]) -> Chosen {
        let holds = |literal: &&Wanted| {
            let Wanted { bytes, any_case, .. } = literal;
            line.windows(bytes.len())
                .any(|w| if *any_case { w.eq_ignore_ascii_case(bytes) } else { w == bytes })
        };
        literals.iter().filter(holds).fold(Chosen::NONE, |all, literal| all.with(literal.filters))
    }

    proptest! {
        #[test]
        fn a_line_is_found_exactly_if_it_holds_a_literal_and_for_its_filters(
            literals in prop::collection::vec(("[a-cA-C./]{1,5}", any::<bool>()), 1..6),
            lines in prop::collection::vec("[a-cA-C./ ]{0,90}", 0..12),
        ) {
            let literals: Vec<Wanted> = literals
                .into_iter()
                .enumerate()
                .map(|(i, (l, any_case))| Wanted { bytes: l.into_bytes(), any_case, filters: Chosen::of(i) })
                .collect();
            let pairs = Pairs::new(literals.clone());
            let text = lines.concat_lines();
            let (mut from, mut number) = (0, 0);
            let mut found = Vec::new();
            while let Some(at) = pairs.find(&text, from) {
                number += memchr::memchr_iter(b'\n', &text[from..at]).count();
                let end = at + text[at..].iter().position(|b| *b == b'\n').unwrap();
                found.push((number, pairs.filters(&text, at, end)));
                number += 1;
                from = end + 1;
            }
            let expected = lines.iter().map(|line| plainly(&literals, line.as_bytes())).enumerate();
            prop_assert_eq!(found, expected.filter(|(_, filters)| *filters != Chosen::NONE).collect::<Vec<_>>());
        }
    }

    trait ConcatLines {
        fn concat_lines(&self) -> Vec<u8>;
    }

    impl ConcatLines for Vec<String> {
        fn concat_lines(&self) -> Vec<u8> {
            self.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect()
        }
    }
}
