//! Reading a line by the steps of its format.

use memchr::memchr2;

use super::piece::Shape;
use super::plan::{Step, Take};
use super::shape;
use crate::record::access::{Span, Stop, without_return};
use crate::record::slots::Spans;

/// Reads a line; the spans of all places, `ABSENT` where the line has none. A blank, and anything behind it, may follow
/// what the format ends in.
pub(super) fn read(line: &[u8], steps: &[Step], places: usize) -> Result<Spans, Stop> {
    let line = without_return(line);
    let mut reading = Forwards { line, at: hole(line), spans: Spans::from_elem(Span::ABSENT, places) };
    for step in steps {
        match step {
            Step::Text(text) => reading.text(text)?,
            Step::Take(take) => reading.take(take)?,
            Step::Free { shape, slot, closed, behind } => reading.free(*shape, *slot, *closed, behind)?,
        }
    }
    match line.get(reading.at..) {
        None | Some([] | [b' ', ..]) => Ok(reading.spans),
        Some(_) => Err(Stop { at: reading.at, expected: "a blank or the line's end" }),
    }
}

/// Zero bytes before the first field: they fill the hole that a writer leaves who goes on at his old offset after the
/// file was truncated.
pub(super) fn hole(line: &[u8]) -> usize {
    line.iter().take_while(|byte| **byte == 0).count()
}

/// A line, and how far it is read.
struct Forwards<'l> {
    line: &'l [u8],
    at: usize,
    spans: Spans,
}

impl Forwards<'_> {
    fn text(&mut self, text: &[u8]) -> Result<(), Stop> {
        if self.line.get(self.at..).is_some_and(|rest| rest.starts_with(text)) {
            self.at += text.len();
            return Ok(());
        }
        Err(Stop { at: self.at, expected: "the text that the format has here" })
    }

    fn take(&mut self, take: &Take) -> Result<(), Stop> {
        let stop = Stop { at: self.at, expected: expected(take.shape) };
        let end = shape::end(take, self.line, self.at).ok_or(stop)?;
        keep(&mut self.spans, take.slot, Span { start: self.at, end });
        self.at = end;
        Ok(())
    }

    /// Reads what a client chose: it ends where what is behind it begins.
    fn free(&mut self, shape: Shape, slot: Option<usize>, closed: bool, behind: &[Step]) -> Result<(), Stop> {
        let start = self.at;
        let rest = self.line.get(start..).unwrap_or_default();
        // The only raw quotes that stand for a value: Apache's empty user.
        let is_empty = shape == Shape::User && rest.starts_with(b"\"\"");
        let least = if is_empty { start + 2 } else { start };
        let quote = raw_quote(self.line, least);
        let limit = match (quote, closed) {
            (Some(quote), true) => quote,
            (None, false) => self.line.len(),
            (None, true) => return Err(Stop { at: self.line.len(), expected: "a quote" }),
            (Some(quote), false) => return Err(Stop { at: quote, expected: "no quote" }),
        };
        let mut end = limit;
        for step in behind {
            end = back(self.line, step, least, end, &mut self.spans)?;
        }
        let value = if is_empty { Span { start: start + 1, end: start + 1 } } else { Span { start, end } };
        if is_empty && end != least {
            return Err(Stop { at: least, expected: "the text that the format has here" });
        }
        keep_free(&mut self.spans, shape, slot, value, self.line);
        self.at = limit;
        Ok(())
    }
}

/// Reads a step backwards from `end`; where it begins.
fn back(line: &[u8], step: &Step, floor: usize, end: usize, spans: &mut Spans) -> Result<usize, Stop> {
    let text = line.get(floor..end).unwrap_or_default();
    match step {
        Step::Text(expected) if text.ends_with(expected) => Ok(end - expected.len()),
        Step::Take(take) => {
            let unread = Stop { at: end, expected: expected(take.shape) };
            let start = shape::start(take, line, floor, end).ok_or(unread)?;
            keep(spans, take.slot, Span { start, end });
            Ok(start)
        }
        _ => Err(Stop { at: end, expected: "the text that the format has before here" }),
    }
}

fn keep(spans: &mut Spans, slot: Option<usize>, span: Span) {
    if let Some(place) = slot.and_then(|slot| spans.get_mut(slot)) {
        *place = span;
    }
}

/// Keeps what a client chose, taken apart where it is more than one field.
pub(super) fn keep_free(spans: &mut Spans, shape: Shape, slot: Option<usize>, value: Span, line: &[u8]) {
    let Some(slot) = slot else { return };
    let mark = || memchr::memchr(b'?', value.of(line)).map(|at| value.start + at);
    match shape {
        Shape::Query => {
            let query = if value.of(line).starts_with(b"?") { value.start + 1 } else { value.start };
            let is_there = value.start < value.end;
            keep(spans, Some(slot), if is_there { Span { start: query, ..value } } else { Span::ABSENT });
        }
        Shape::PathAndQuery => {
            keep(spans, Some(slot), value);
            keep(spans, Some(slot + 1), Span { end: mark().unwrap_or(value.end), ..value });
            keep(spans, Some(slot + 2), mark().map_or(Span::ABSENT, |at| Span { start: at + 1, ..value }));
        }
        _ => keep(spans, Some(slot), value),
    }
}

/// The first quote from `from` on that no backslash escapes.
fn raw_quote(line: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let at = from + memchr2(b'"', b'\\', line.get(from..)?)?;
        if line.get(at) == Some(&b'"') {
            return Some(at);
        }
        from = at + 2;
    }
}

/// What should have stood where a value of this shape was looked for.
pub(super) const fn expected(shape: Shape) -> &'static str {
    match shape {
        Shape::Address => "an address",
        Shape::Number | Shape::Decimal => "a number",
        Shape::Status => "a status of three digits",
        Shape::Clf => "DD/Mon/YYYY:HH:MM:SS +ZZZZ",
        Shape::Iso => "YYYY-MM-DDTHH:MM:SS+ZZ:ZZ",
        Shape::Part(_) => "a part of a time",
        _ => "a word",
    }
}
