//! One pass over a line that is a JSON object (RFC 8259): the wanted values are found, all else is passed over. Nothing is
//! built and nothing decoded; what is no JSON is refused wherever it stands.
//!
//! Two things are taken that the RFC has not, since they stand where a server fills a template without an encoder:
//! any byte in a string, and no value, or `-`, where there was none to write. Neither makes a line ambiguous.

use memchr::memchr;
use smallvec::SmallVec;

use super::paths::Paths;
use super::{Place, Want};
use crate::record::access::{Span, Stop};
use crate::record::slots::Spans;

/// Objects and arrays inside of each other; more is refused.
const DEEPEST: usize = 64;

/// Where the wanted values stand. Of several for one place the one of the best rank, and of those the first.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) spans: Spans,
    pub(super) time: Span,
    /// The rank of each span, then of the time.
    ranks: SmallVec<[u8; 16]>,
}

struct Scan<'a> {
    line: &'a [u8],
    at: usize,
    paths: &'a Paths,
    found: Found,
}

/// A value that is no object and no array: where it stands, without quotes.
type Scalar = Option<Span>;

/// Reads a line with so many places.
pub(super) fn scan(line: &[u8], paths: &Paths, slots: usize) -> Result<Found, Stop> {
    let found = Found {
        spans: SmallVec::from_elem(Span::ABSENT, slots),
        time: Span::ABSENT,
        ranks: SmallVec::from_elem(u8::MAX, slots + 1),
    };
    // Zero bytes fill the hole that a writer leaves who goes on at his old offset after the file was truncated.
    let at = line.iter().take_while(|byte| **byte == 0).count();
    let mut scan = Scan { line, at, paths, found };
    scan.blanks();
    if scan.peek() != Some(b'{') {
        return scan.stop("an object in braces");
    }
    scan.object(Some(0), 1)?;
    scan.blanks();
    if scan.at < line.len() { scan.stop("the line's end") } else { Ok(scan.found) }
}

impl Found {
    fn take(&mut self, want: Want, span: Span) {
        let (place, rank) = match want.place {
            Place::Time => (&mut self.time, self.ranks.last_mut()),
            Place::Slot(slot) => match self.spans.get_mut(slot) {
                Some(place) => (place, self.ranks.get_mut(slot)),
                None => return,
            },
        };
        if let Some(rank) = rank.filter(|rank| want.rank < **rank) {
            (*rank, *place) = (want.rank, span);
        }
    }
}

impl<'a> Scan<'a> {
    fn stop<T>(&self, expected: &'static str) -> Result<T, Stop> {
        Err(Stop { at: self.at, expected })
    }

    fn rest(&self) -> &'a [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    /// Whether `byte` comes next; then it is read.
    fn skip(&mut self, byte: u8) -> bool {
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// An object whose brace comes next; `node` is where its keys lead from, if anywhere.
    fn object(&mut self, node: Option<usize>, depth: usize) -> Result<(), Stop> {
        self.enter(depth)?;
        self.blanks();
        if self.skip(b'}') {
            return Ok(());
        }
        loop {
            self.blanks();
            let key = self.string("a key in quotes")?;
            self.blanks();
            if !self.skip(b':') {
                return self.stop("a colon");
            }
            self.blanks();
            let next = node.and_then(|node| self.paths.step(node, key.of(self.line)));
            self.member(next, depth)?;
            if !self.goes_on(b'}', "a comma or a closing brace")? {
                return Ok(());
            }
        }
    }

    /// The value of a key.
    fn member(&mut self, node: Option<usize>, depth: usize) -> Result<(), Stop> {
        if matches!(self.peek(), Some(b',' | b'}')) {
            return Ok(());
        }
        let value = self.value(node, depth)?;
        self.take(node, value);
        Ok(())
    }

    /// An array. Its value is its first element; where all are strings, it is all of them, from the first one's beginning
    /// to the last one's end: a header that was sent several times.
    fn array(&mut self, node: Option<usize>, depth: usize) -> Result<Scalar, Stop> {
        self.enter(depth)?;
        self.blanks();
        if self.skip(b']') {
            return Ok(None);
        }
        let mut strings = self.peek() == Some(b'"');
        let first = self.value(node, depth)?;
        let mut end = first.map(|first| first.end);
        while self.goes_on(b']', "a comma or a closing bracket")? {
            self.blanks();
            strings &= self.peek() == Some(b'"');
            end = self.value(None, depth)?.map(|last| last.end);
        }
        Ok(first.map(|first| if strings { Span { end: end.unwrap_or(first.end), ..first } } else { first }))
    }

    fn enter(&mut self, depth: usize) -> Result<(), Stop> {
        if depth > DEEPEST {
            return self.stop("no more than 64 objects and arrays inside of each other");
        }
        self.at += 1;
        Ok(())
    }

    /// Whether another element follows.
    fn goes_on(&mut self, close: u8, expected: &'static str) -> Result<bool, Stop> {
        self.blanks();
        if self.skip(b',') {
            return Ok(true);
        }
        if self.skip(close) { Ok(false) } else { self.stop(expected) }
    }

    /// Any value; what stands in an object is taken there.
    fn value(&mut self, node: Option<usize>, depth: usize) -> Result<Scalar, Stop> {
        match self.peek() {
            Some(b'"') => self.string("a string").map(Some),
            Some(b'{') => self.object(node, depth + 1).map(|()| None),
            Some(b'[') => self.array(node, depth + 1),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn take(&mut self, node: Option<usize>, value: Scalar) {
        if let (Some(node), Some(span)) = (node, value) {
            for want in self.paths.wants(node) {
                self.found.take(*want, span);
            }
        }
    }

    /// What stands between quotes; a quote that a backslash escapes is inside.
    fn string(&mut self, expected: &'static str) -> Result<Span, Stop> {
        let start = self.at + 1;
        if !self.skip(b'"') {
            return self.stop(expected);
        }
        while let Some(length) = quote(self.rest()) {
            let end = self.at + length;
            self.at = end + 1;
            let before = self.line.get(start..end).unwrap_or_default();
            // Each run of backslashes is counted for one quote only.
            if before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 0 {
                return Ok(Span { start, end });
            }
        }
        Err(Stop { at: self.line.len(), expected: "a closing quote" })
    }

    /// A number; a single `-` is none.
    fn number(&mut self) -> Result<Scalar, Stop> {
        let start = self.at;
        let negative = self.skip(b'-');
        let whole = self.digits();
        let leading_zero = whole > 1 && self.line.get(self.at - whole) == Some(&b'0');
        if negative && whole == 0 {
            return Ok(None);
        }
        let fraction = !self.skip(b'.') || self.digits() > 0;
        let exponent = !(self.skip(b'e') || self.skip(b'E')) || {
            let _signed = self.skip(b'+') || self.skip(b'-');
            self.digits() > 0
        };
        if leading_zero || !fraction || !exponent {
            return Err(Stop { at: start, expected: "a number" });
        }
        Ok(Some(Span { start, end: self.at }))
    }

    /// Reads digits, and says how many.
    fn digits(&mut self) -> usize {
        let count = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }

    fn word(&mut self) -> Result<Scalar, Stop> {
        let rest = self.rest();
        let Some(word) = [&b"null"[..], b"true", b"false"].into_iter().find(|word| rest.starts_with(word))
        else {
            return self.stop("a value");
        };
        let span = Span { start: self.at, end: self.at + word.len() };
        self.at = span.end;
        Ok((word != b"null").then_some(span))
    }
}

/// Where the next quote stands. Most strings are short: a few bytes are looked at before a search begins.
fn quote(rest: &[u8]) -> Option<usize> {
    const SHORT: usize = 8;
    match rest.iter().take(SHORT).position(|byte| *byte == b'"') {
        Some(at) => Some(at),
        None => Some(memchr(b'"', rest.get(SHORT..)?)? + SHORT),
    }
}
