//! Texts that a part of a pattern can match, and how few of them are multiplied out.

use regex_syntax::hir::Class;

/// Most literals that a choice or a product inside a pattern may have.
pub(super) const MOST_INSIDE: usize = 100;
/// A class with more members than this is not multiplied out.
const MOST_MEMBERS: usize = 10;
/// A power whose texts are longer than this is not multiplied out.
const LONGEST_POWER: usize = 256;

/// A text; where `folded`, it is in lower case and stands for every case.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Literal {
    pub(super) bytes: Vec<u8>,
    pub(super) folded: bool,
}

impl Literal {
    pub(super) fn followed_by(&self, other: &Self) -> Self {
        Self { bytes: [self.bytes.as_slice(), &other.bytes].concat(), folded: self.folded || other.folded }
    }
}

/// Every text of the one followed by every text of the other, if these are few.
pub(super) fn product(before: &[Literal], after: &[Literal]) -> Option<Vec<Literal>> {
    if before.len() * after.len() > MOST_INSIDE {
        return None;
    }
    Some(before.iter().flat_map(|first| after.iter().map(|second| first.followed_by(second))).collect())
}

pub(super) fn power(texts: &[Literal], times: u32) -> Option<Vec<Literal>> {
    let longest = texts.iter().map(|text| text.bytes.len()).max().unwrap_or(0);
    if longest.saturating_mul(times as usize) > LONGEST_POWER {
        return None;
    }
    (0..times).try_fold(vec![Literal::default()], |product_so_far, _| product(&product_so_far, texts))
}

/// The members of a small class; a class that holds every letter in both cases becomes folded letters.
pub(super) fn members(class: &Class) -> Option<Vec<Literal>> {
    let mut bytes: Vec<u8> = Vec::new();
    let ranges: Vec<(u32, u32)> = match class {
        Class::Bytes(class) => class.iter().map(|range| (range.start().into(), range.end().into())).collect(),
        Class::Unicode(class) => {
            class.iter().map(|range| (range.start().into(), range.end().into())).collect()
        }
    };
    let ascii_only = matches!(class, Class::Unicode(_));
    for (first, last) in ranges {
        if last as usize - first as usize >= 2 * MOST_MEMBERS || (ascii_only && last > 0x7F) {
            return None;
        }
        bytes.extend((first..=last).filter_map(|code| u8::try_from(code).ok()));
    }
    let both_cases = |byte: &u8| !byte.is_ascii_alphabetic() || bytes.contains(&(byte ^ 0x20));
    let folded = bytes.iter().any(u8::is_ascii_alphabetic) && bytes.iter().all(both_cases);
    if folded {
        bytes.retain(|byte| !byte.is_ascii_uppercase());
    }
    let literals: Vec<Literal> =
        bytes.into_iter().map(|byte| Literal { bytes: vec![byte], folded }).collect();
    (literals.len() <= MOST_MEMBERS).then_some(literals)
}

/// Drops what holds another one of the set: where the longer stands, the shorter does.
pub(super) fn without_longer(mut literals: Vec<Literal>) -> Vec<Literal> {
    literals.sort_by(|a, b| (a.bytes.len(), &a.bytes, !a.folded).cmp(&(b.bytes.len(), &b.bytes, !b.folded)));
    let mut kept: Vec<Literal> = Vec::with_capacity(literals.len());
    for literal in literals {
        let lower = literal.bytes.to_ascii_lowercase();
        let holds = |short: &Literal| {
            let text = if short.folded { &lower } else { &literal.bytes };
            (short.folded || !literal.folded) && memchr::memmem::find(text, &short.bytes).is_some()
        };
        if !kept.iter().any(holds) {
            kept.push(literal);
        }
    }
    kept
}
