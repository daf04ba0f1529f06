//! Lines whose values are not escaped (`escape=none`): a client can write quotes, and what looks like the rest of the line.
//!
//! What the server writes between the values that clients choose is looked for twice: as early in the line as it can
//! be, and as late. Only where both find the same places is there one way to read the line; any other is refused.

use memchr::memmem;

use super::TemplateError;
use super::piece::{Piece, Shape};
use super::plan::{Step, forwards, unbounded};
use super::reading::{expected, hole, keep_free};
use super::shape;
use crate::record::access::{Span, Stop, without_return};
use crate::record::slots::Spans;

/// How such a line is read.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Loose {
    /// Up to the first value that a client chooses.
    head: Vec<Step>,
    gaps: Vec<Gap>,
}

/// A value that a client chooses, and what the server writes behind it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Gap {
    shape: Shape,
    slot: Option<usize>,
    /// Begins with a text; empty at the line's end only.
    behind: Vec<Step>,
}

/// Plans how pieces are read whose values may hold anything.
pub(super) fn plan(pieces: &[Piece]) -> Result<Loose, TemplateError> {
    let mut loose = Loose { head: Vec::new(), gaps: Vec::new() };
    let mut last: Option<&Piece> = None;
    for (at, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Variable(variable) if variable.shape.is_chosen() => {
                if let Some(before) = last.and_then(Piece::variable) {
                    return Err(unbounded(before, variable));
                }
                loose.gaps.push(Gap { shape: variable.shape, slot: variable.slot, behind: Vec::new() });
            }
            Piece::Variable(variable) if last.and_then(Piece::chosen).is_some() => {
                return Err(unbounded(variable, variable));
            }
            _ => {
                let step = forwards(piece, pieces.get(at + 1), pieces.get(at + 2..).unwrap_or_default())?;
                loose.gaps.last_mut().map_or(&mut loose.head, |gap| &mut gap.behind).push(step);
            }
        }
        last = Some(piece);
    }
    Ok(loose)
}

impl Loose {
    /// Reads a line; refused where there is more than one way to.
    pub(super) fn read(&self, line: &[u8], places: usize) -> Result<Spans, Stop> {
        let line = without_return(line);
        let mut spans = Spans::from_elem(Span::ABSENT, places);
        let start = take(line, &self.head, hole(line), &mut Some(&mut spans))?;
        let early = self.early(line, start)?;
        let mut limit = line.len();
        let mut at = self.gaps.len();
        for (gap, early) in self.gaps.iter().zip(&early).rev() {
            at -= 1;
            let is_last = at + 1 == self.gaps.len();
            let late = if is_last && gap.behind.is_empty() {
                line.len()
            } else {
                late(line, &gap.behind, *early, limit, is_last)
            };
            if late != *early {
                return Err(Stop { at: *early, expected: "one way to read the line; there are more, and" });
            }
            limit = late;
        }
        let mut from = start;
        for (gap, end) in self.gaps.iter().zip(early) {
            keep_free(&mut spans, gap.shape, gap.slot, Span { start: from, end }, line);
            from = take(line, &gap.behind, end, &mut Some(&mut spans))?;
        }
        if from == line.len() { Ok(spans) } else { Err(Stop { at: from, expected: "the line's end" }) }
    }

    /// Where each gap ends at the earliest.
    fn early(&self, line: &[u8], mut from: usize) -> Result<Vec<usize>, Stop> {
        let mut ends = Vec::with_capacity(self.gaps.len());
        for (at, gap) in self.gaps.iter().enumerate() {
            let is_last = at + 1 == self.gaps.len();
            let end = match gap.behind.first() {
                Some(Step::Text(text)) => memmem::find_iter(line.get(from..).unwrap_or_default(), text)
                    .map(|found| from + found)
                    .find(|at| fits(line, &gap.behind, *at, line.len(), is_last)),
                _ => Some(line.len()),
            };
            let end = end.ok_or(Stop { at: from, expected: "the text that the format has behind here" })?;
            from = take(line, &gap.behind, end, &mut None)?;
            ends.push(end);
        }
        Ok(ends)
    }
}

/// The last place, from `early` on, where `behind` stands and ends at `limit` at most.
fn late(line: &[u8], behind: &[Step], early: usize, limit: usize, is_last: bool) -> usize {
    let Some(Step::Text(text)) = behind.first() else { return limit };
    let within = line.get(early..limit).unwrap_or_default();
    memmem::rfind_iter(within, text)
        .map(|found| early + found)
        .find(|at| fits(line, behind, *at, limit, is_last))
        .unwrap_or(early)
}

fn fits(line: &[u8], behind: &[Step], at: usize, limit: usize, is_last: bool) -> bool {
    let end = take(line, behind, at, &mut None);
    end.is_ok_and(|end| if is_last { end == line.len() } else { end <= limit })
}

/// Reads steps forwards; where they end.
fn take(line: &[u8], steps: &[Step], mut at: usize, spans: &mut Option<&mut Spans>) -> Result<usize, Stop> {
    for step in steps {
        let rest = line.get(at..).unwrap_or_default();
        at = match step {
            Step::Text(text) if rest.starts_with(text) => at + text.len(),
            Step::Take(take) => {
                let end = shape::end(take, line, at).ok_or(Stop { at, expected: expected(take.shape) })?;
                if let Some(place) = spans.as_mut().and_then(|spans| spans.get_mut(take.slot?)) {
                    *place = Span { start: at, end };
                }
                end
            }
            _ => return Err(Stop { at, expected: "the text that the format has here" }),
        };
    }
    Ok(at)
}
