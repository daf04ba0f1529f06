//! A search for hundreds of literals at once, many of them short: each is looked for by three of its bytes, rare ones.
//!
//! Whether their first two are wanted is one bit of a table of 8 KiB, and no look-up waits for the one before it: about a
//! cycle a byte, where an automaton, which goes from state to state, takes five. Where the bit is set, the third byte is
//! looked up, and only then are literals compared.

use crate::filter;

/// So many pairs are looked up before it is asked whether one was wanted.
const AT_ONCE: usize = 32;
/// How many pairs of bytes there are.
const ALL: usize = 1 << 16;

/// The literals, by the pair of bytes that each is looked for by.
#[derive(Debug)]
pub(super) struct Pairs {
    /// A bit for each pair.
    wanted: Box<[u64; ALL / 64]>,
    /// For each pair the place of its entry, where it is wanted.
    places: Vec<u16>,
    entries: Vec<Entry>,
}

/// What begins with a pair.
#[derive(Debug, Default)]
struct Entry {
    /// A bit for each byte that may follow.
    next: [u64; 4],
    literals: Vec<Literal>,
}

#[derive(Clone, Debug)]
struct Literal {
    bytes: Vec<u8>,
    /// Where its pair stands in it.
    offset: usize,
    any_case: bool,
}

impl Pairs {
    /// A search for `exact` literals, and for those that stand for `any_case` of their ASCII letters. A literal of one byte
    /// is found with whatever follows it.
    pub(super) fn new(exact: Vec<Vec<u8>>, any_case: Vec<Vec<u8>>) -> Self {
        let mut pairs = Self { wanted: Box::new([0; ALL / 64]), places: vec![0; ALL], entries: Vec::new() };
        let any_case = any_case.into_iter().map(|bytes| (bytes, true));
        for (bytes, any_case) in exact.into_iter().map(|bytes| (bytes, false)).chain(any_case) {
            let share =
                |offset: usize, length| filter::share(bytes.get(offset..offset + length).unwrap_or(&bytes));
            let rarest = |offset: &usize| share(*offset, 2) + share(*offset, 3);
            let offsets = 0..bytes.len().saturating_sub(2).max(1);
            let offset = offsets.min_by(|a, b| rarest(a).total_cmp(&rarest(b))).unwrap_or_default();
            pairs.add(&Literal { bytes, offset, any_case });
        }
        pairs
    }

    fn add(&mut self, literal: &Literal) {
        for first in literal.spellings(0) {
            for second in literal.spellings(1) {
                let entry = self.entry(u16::from_be_bytes([first, second]));
                for next in literal.spellings(2) {
                    entry.next[usize::from(next >> 6)] |= 1 << (next & 63);
                }
                entry.literals.push(literal.clone());
            }
        }
    }

    fn entry(&mut self, pair: u16) -> &mut Entry {
        let (bits, bit) = (&mut self.wanted[usize::from(pair >> 6)], 1 << (pair & 63));
        if *bits & bit == 0 {
            *bits |= bit;
            self.places[usize::from(pair)] =
                u16::try_from(self.entries.len()).expect("there are no more pairs than that");
            self.entries.push(Entry::default());
        }
        &mut self.entries[usize::from(self.places[usize::from(pair)])]
    }

    /// A place inside the first line that holds a literal, at or after `from`, where a line begins.
    pub(super) fn find(&self, buffer: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        while let Some(block) = buffer.get(at..).and_then(<[u8]>::first_chunk::<{ AT_ONCE + 1 }>) {
            let mut wanted = self.wanted_in(block);
            while wanted != 0 {
                let place = at + wanted.trailing_zeros() as usize;
                if self.holds(buffer, place) {
                    return Some(place);
                }
                wanted &= wanted - 1;
            }
            at += AT_ONCE;
        }
        (at..buffer.len()).find(|at| self.holds(buffer, *at))
    }

    /// A bit for each place where a wanted pair begins.
    #[inline]
    fn wanted_in(&self, block: &[u8; AT_ONCE + 1]) -> u32 {
        (0..AT_ONCE)
            .fold(0, |bits, i| bits | (self.wants(u16::from_be_bytes([block[i], block[i + 1]])) as u32) << i)
    }

    #[inline]
    fn wants(&self, pair: u16) -> u64 {
        (self.wanted[usize::from(pair >> 6)] >> (pair & 63)) & 1
    }

    /// Whether one of the literals has its pair at `at`. Behind the buffer's end a line ends.
    fn holds(&self, buffer: &[u8], at: usize) -> bool {
        let byte = |at: usize| buffer.get(at).copied().unwrap_or(b'\n');
        let pair = u16::from_be_bytes([byte(at), byte(at + 1)]);
        self.wants(pair) == 1 && self.entries[usize::from(self.places[usize::from(pair)])].holds(buffer, at)
    }
}

impl Entry {
    fn holds(&self, buffer: &[u8], at: usize) -> bool {
        let next = buffer.get(at + 2).copied().unwrap_or(b'\n');
        (self.next[usize::from(next >> 6)] >> (next & 63)) & 1 == 1
            && self.literals.iter().any(|literal| literal.stands_around(buffer, at))
    }
}

impl Literal {
    /// The bytes that may stand `after` the first of its pair; any, where it is shorter.
    fn spellings(&self, after: usize) -> Vec<u8> {
        let Some(byte) = self.bytes.get(self.offset + after) else { return (0..=u8::MAX).collect() };
        if self.any_case && byte.is_ascii_alphabetic() {
            vec![byte.to_ascii_lowercase(), byte.to_ascii_uppercase()]
        } else {
            vec![*byte]
        }
    }

    fn stands_around(&self, buffer: &[u8], at: usize) -> bool {
        let there =
            at.checked_sub(self.offset).and_then(|start| buffer.get(start..)?.get(..self.bytes.len()));
        there.is_some_and(|there| {
            if self.any_case { there.eq_ignore_ascii_case(&self.bytes) } else { there == self.bytes }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Pairs;

    fn plainly(literals: &[(Vec<u8>, bool)], line: &[u8]) -> bool {
        literals.iter().any(|(literal, any_case)| {
            line.windows(literal.len())
                .any(|w| if *any_case { w.eq_ignore_ascii_case(literal) } else { w == literal })
        })
    }

    proptest! {
        #[test]
        fn a_line_is_found_exactly_if_it_holds_a_literal(
            literals in prop::collection::vec(("[a-cA-C./]{1,5}", any::<bool>()), 1..6),
            lines in prop::collection::vec("[a-cA-C./ ]{0,90}", 0..12),
        ) {
            let literals: Vec<(Vec<u8>, bool)> = literals.into_iter().map(|(l, any)| (l.into_bytes(), any)).collect();
            let of = |case: bool| literals.iter().filter(|(_, any)| *any == case).map(|(l, _)| l.clone()).collect();
            let pairs = Pairs::new(of(false), of(true));
            let text = lines.concat_lines();
            let (mut from, mut number) = (0, 0);
            let mut found = Vec::new();
            while let Some(at) = pairs.find(&text, from) {
                number += memchr::memchr_iter(b'\n', &text[from..at]).count();
                found.push(number);
                number += 1;
                from = at + text[at..].iter().position(|b| *b == b'\n').unwrap() + 1;
            }
            let holding = lines.iter().enumerate().filter(|(_, line)| plainly(&literals, line.as_bytes()));
            prop_assert_eq!(found, holding.map(|(i, _)| i).collect::<Vec<_>>());
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
