//! The strings inside a pattern of which every match holds one, the rarest that can be had.
//!
//! Works on the pattern's structure: neighbouring parts with few possible texts are multiplied out, the alternatives of
//! a choice are united, anchors are transparent, everything else holds no literal. The result is always a superset: a
//! pattern never matches a text that holds none of them.

use regex_syntax::hir::{Hir, HirKind, Repetition};

use super::rarity::share;
use super::texts::{Literal, MOST_INSIDE, members, power, product, without_longer};
use crate::record::Format;

/// Most literals of a whole condition.
const MOST: usize = 512;
/// The shortest literal that is searched for, and how much of a longer one.
const SHORTEST: usize = 2;
const LONGEST: usize = 32;
/// A single byte that stands in fewer lines than this is searched for, too.
const RARE_SIGN: f32 = 0.01;
/// A set whose literals stand in more lines than this saves nothing.
const TOO_COMMON: f32 = 0.5;
/// The searcher looks for the first bytes and verifies: where these are common, that costs.
const FIRST_BYTES: usize = 3;
const VERIFYING: f32 = 0.05;
/// What ignoring case costs the searcher.
const FOLDED: f32 = 0.0002;
/// Each literal more costs a little.
const EACH: f32 = 0.0002;

/// Where a text that a pattern sees differs from the line, so that no literal may lie across.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cut<'f> {
    /// A field's value: the server may have escaped some bytes.
    Escaped(&'f Format),
    /// The same value, looked at in every decoding: where it holds a byte with a backslash, or `%`, the line is a
    /// candidate anyway.
    Encoded(&'f Format),
    /// A normalised path: the same; and between its segments the line may have other slashes and dots.
    Segments(&'f Format),
    /// The line without its date, which stood inside brackets: `[]`.
    Brackets,
    /// The line without a date that stood anywhere, but never touched a letter or digit.
    Boundaries,
}

/// One of these stands in every text that matches.
#[derive(Clone, Debug)]
pub(super) struct Set {
    literals: Vec<Literal>,
    cost: f32,
}

/// What is known of a part of a pattern.
#[derive(Default)]
struct Part {
    /// All texts that it can match; `None`: too many.
    exact: Option<Vec<Literal>>,
    /// The best set found inside of it.
    inner: Option<Set>,
}

/// The best set that the pattern requires, if it requires any that is worth searching for.
pub(super) fn best(hir: &Hir, cut: Cut<'_>) -> Option<Set> {
    Finder { cut }.whole(hir).inner
}

struct Finder<'f> {
    cut: Cut<'f>,
}

impl Finder<'_> {
    /// A pattern or a branch of one; its `inner` already is the best of all, its own exact texts included.
    fn whole(&self, hir: &Hir) -> Part {
        let mut parts = Vec::new();
        self.parts(hir, &mut parts);
        self.joined(parts)
    }

    /// Takes sequences, groups and open repetitions apart.
    fn parts(&self, hir: &Hir, parts: &mut Vec<Part>) {
        match hir.kind() {
            HirKind::Concat(children) => children.iter().for_each(|child| self.parts(child, parts)),
            HirKind::Capture(group) => self.parts(&group.sub, parts),
            HirKind::Repetition(repetition)
                if repetition.min > 0 && repetition.max != Some(repetition.min) =>
            {
                self.open_repetition(repetition, parts);
            }
            _ => append(parts, self.part(hir)),
        }
    }

    /// `x{2,}` begins with `xx` and ends with `xx`, whatever is between.
    fn open_repetition(&self, repetition: &Repetition, parts: &mut Vec<Part>) {
        let once = self.whole(&repetition.sub);
        let least =
            || once.exact.as_deref().and_then(|texts| power(texts, repetition.min)).map(Part::exactly);
        for part in
            [least(), Some(Part { exact: None, inner: once.inner.clone() }), least()].into_iter().flatten()
        {
            append(parts, part);
        }
    }

    fn part(&self, hir: &Hir) -> Part {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => Part::exactly(vec![Literal::default()]),
            HirKind::Literal(text) => Part::exactly(vec![Literal { bytes: text.0.to_vec(), folded: false }]),
            HirKind::Class(class) => {
                Part { exact: members(class).map(|texts| self.needed(texts)), inner: None }
            }
            HirKind::Repetition(repetition) => self.repetition(repetition),
            HirKind::Alternation(branches) => self.choice(branches),
            HirKind::Capture(_) | HirKind::Concat(_) => self.whole(hir),
        }
    }

    /// Each sequence of neighbouring exact parts is a candidate, and what stands inside the others.
    fn joined(&self, parts: Vec<Part>) -> Part {
        let mut candidates = Vec::new();
        for start in 0..parts.len() {
            let mut texts = vec![Literal::default()];
            for part in &parts[start..] {
                let Some(more) = part.exact.as_deref().and_then(|exact| product(&texts, exact)) else {
                    break;
                };
                texts = more;
                candidates.extend(self.refined(&texts));
            }
        }
        let first = Some(vec![Literal::default()]);
        let exact = parts.iter().try_fold(first, |texts, part| {
            Some(texts.and_then(|texts| product(&texts, part.exact.as_deref()?)))
        });
        candidates.extend(parts.into_iter().filter_map(|part| part.inner));
        Part { exact: exact.flatten(), inner: cheapest(candidates) }
    }

    /// One that is fixed, or that may be absent; the others are taken apart.
    fn repetition(&self, repetition: &Repetition) -> Part {
        if repetition.max == Some(0) {
            return Part::exactly(vec![Literal::default()]);
        }
        let once = self.whole(&repetition.sub);
        if repetition.min == 0 {
            let mut exact = if repetition.max == Some(1) { once.exact } else { None };
            if let Some(texts) = &mut exact {
                texts.push(Literal::default());
            }
            return Part { exact, inner: None };
        }
        Part { exact: once.exact.and_then(|texts| power(&texts, repetition.min)), inner: once.inner }
    }

    fn choice(&self, branches: &[Hir]) -> Part {
        let branches: Vec<Part> = branches.iter().map(|branch| self.whole(branch)).collect();
        let exact: Option<Vec<Vec<Literal>>> = branches.iter().map(|branch| branch.exact.clone()).collect();
        let exact = exact.map(|texts| texts.concat()).filter(|texts| texts.len() <= MOST_INSIDE);
        let inner: Option<Vec<Set>> = branches.into_iter().map(|branch| branch.inner).collect();
        Part { exact, inner: inner.map(Set::union).filter(|set| set.literals.len() <= MOST) }
    }

    /// Without the texts that make their line a candidate in any case: so does every longer text that holds them.
    fn needed(&self, mut texts: Vec<Literal>) -> Vec<Literal> {
        texts.retain(|text| !self.cut.excepts(&text.bytes));
        texts
    }

    /// The part of each text that may be searched for and is rarest; `None` where one of them has no such part.
    fn refined(&self, texts: &[Literal]) -> Option<Set> {
        let needed = texts.iter().filter(|text| !self.cut.excepts(&text.bytes));
        needed.map(|text| self.rarest(text)).collect::<Option<Vec<Literal>>>().map(Set::of)
    }

    fn rarest(&self, text: &Literal) -> Option<Literal> {
        let pieces = self.cut.pieces(&text.bytes);
        let suffixes = pieces.into_iter().flat_map(|piece| {
            (0..piece.len().saturating_sub(SHORTEST - 1))
                .map(move |start| &piece[start..piece.len().min(start + LONGEST)])
        });
        let sign = Some(&text.bytes[..]).filter(|sign| self.is_rare_sign(sign));
        let wanted = suffixes.filter(|bytes| !self.cut.is_usual(bytes)).chain(sign);
        let (_, bytes) = wanted.map(|bytes| (cost(bytes), bytes)).min_by(|(a, _), (b, _)| a.total_cmp(b))?;
        Some(Literal { bytes: bytes.to_vec(), folded: text.folded })
    }

    /// A single byte that no usual line holds: a quote, an asterisk.
    fn is_rare_sign(&self, text: &[u8]) -> bool {
        let [byte] = text else { return false };
        byte.is_ascii_punctuation() && share(text) < RARE_SIGN && !self.cut.pieces(text).concat().is_empty()
    }
}

impl Cut<'_> {
    /// Whether it stands in most lines of the format.
    fn is_usual(self, text: &[u8]) -> bool {
        match self {
            Self::Escaped(format) | Self::Encoded(format) | Self::Segments(format) => format.is_usual(text),
            Self::Brackets | Self::Boundaries => false,
        }
    }

    /// Whether a line that holds this text is a candidate without it.
    fn excepts(self, text: &[u8]) -> bool {
        match self {
            Self::Encoded(format) | Self::Segments(format) => {
                text.iter().any(|byte| format.always_escapes(*byte) || *byte == b'%')
            }
            Self::Escaped(_) | Self::Brackets | Self::Boundaries => false,
        }
    }

    fn pieces(self, text: &[u8]) -> Vec<&[u8]> {
        match self {
            Self::Escaped(format) => text.split(|byte| !format.never_escapes(*byte)).collect(),
            Self::Encoded(format) => text.split(|byte| is_hidden(format, *byte)).collect(),
            Self::Segments(format) => text.split(|byte| *byte == b'/' || is_hidden(format, *byte)).collect(),
            Self::Brackets => text.chunk_by(|a, b| !(*a == b'[' && *b == b']')).collect(),
            Self::Boundaries => {
                text.chunk_by(|a, b| a.is_ascii_alphanumeric() || b.is_ascii_alphanumeric()).collect()
            }
        }
    }
}

/// Whether a server may write this byte in a way that makes its line no candidate.
fn is_hidden(format: &Format, byte: u8) -> bool {
    !format.never_escapes(byte) && !format.escapes_with_mark(byte)
}

impl Literal {
    fn cost(&self) -> f32 {
        cost(&self.bytes) + if self.folded { FOLDED } else { 0.0 }
    }
}

impl Part {
    fn exactly(texts: Vec<Literal>) -> Self {
        Self { exact: Some(texts), inner: None }
    }
}

impl Set {
    fn of(literals: Vec<Literal>) -> Self {
        let literals = without_longer(literals);
        let cost = literals.iter().map(Literal::cost).sum();
        Self { literals, cost }
    }

    /// These very strings, as the line holds them.
    pub(super) fn of_whole(literals: Vec<Vec<u8>>) -> Self {
        Self::of(literals.into_iter().map(|bytes| Literal { bytes, folded: false }).collect())
    }

    /// One of either.
    pub(super) fn union(sets: impl IntoIterator<Item = Self>) -> Self {
        Self::of(sets.into_iter().flat_map(|set| set.literals).collect())
    }

    /// What searching for it costs: about the share of lines that hold one of its literals.
    pub(super) fn cost(&self) -> f32 {
        self.cost
    }

    /// The literals, and whether the case of letters does not count; `None` where the set is not worth searching for.
    pub(super) fn finish(self) -> Option<(Vec<Vec<u8>>, bool)> {
        let share_of_lines: f32 = self.literals.iter().map(|literal| share(&literal.bytes)).sum();
        if share_of_lines > TOO_COMMON || self.literals.len() > MOST {
            return None;
        }
        let ignore_case = self.literals.iter().any(|literal| literal.folded);
        let case = |literal: Literal| Literal {
            bytes: if ignore_case { literal.bytes.to_ascii_lowercase() } else { literal.bytes },
            folded: ignore_case,
        };
        let literals = without_longer(self.literals.into_iter().map(case).collect());
        Some((literals.into_iter().map(|literal| literal.bytes).collect(), ignore_case))
    }
}

/// Below the floors one literal is as good as another, and the longer is the safer: the estimate knows no words.
fn cost(bytes: &[u8]) -> f32 {
    let first = bytes.get(..FIRST_BYTES).unwrap_or(bytes);
    let short = 0.05 / (bytes.len() as f32).powi(3);
    share(bytes).max(0.0002) + VERIFYING * share(first).max(0.02) + EACH + short
}

fn cheapest(sets: impl IntoIterator<Item = Set>) -> Option<Set> {
    sets.into_iter().min_by(|a, b| a.cost.total_cmp(&b.cost))
}

/// Adds a part; neighbours that can match one text only become one, unless only one of them is folded.
fn append(parts: &mut Vec<Part>, part: Part) {
    match (parts.last().and_then(single), single(&part)) {
        (Some(last), Some(next)) if last.folded == next.folded || next.bytes.is_empty() => {
            let joined = last.followed_by(next);
            parts.pop();
            parts.push(Part::exactly(vec![joined]));
        }
        _ => parts.push(part),
    }
}

fn single(part: &Part) -> Option<&Literal> {
    match part.exact.as_deref() {
        Some([text]) => Some(text),
        _ => None,
    }
}
