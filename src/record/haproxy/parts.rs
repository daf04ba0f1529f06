//! What lines of `HAProxy` consist of: words, numbers that slashes join, and the spans of one line.

use memchr::memchr;

use super::{Parts, SLOTS, Span, Stop};
use crate::record::slots::Spans;
use jiff::Timestamp;

/// So many captured headers of either side are fields of their own.
pub(super) const CAPTURES: usize = 8;

/// The places of a line, in the order of `SLOTS`.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    Client,
    Frontend,
    Backend,
    Server,
    TimeRequest,
    TimeQueue,
    TimeConnect,
    _TimeResponse,
    TimeTotal,
    Status,
    Bytes,
    RequestCookie,
    ResponseCookie,
    TerminationState,
    ActiveConnections,
    _FrontendConnections,
    _BackendConnections,
    _ServerConnections,
    _Retries,
    ServerQueue,
    _BackendQueue,
    RequestCaptures,
    ResponseCaptures,
    Request,
    Bind,
    Message,
}

impl At {
    /// How many there are.
    pub(super) const COUNT: usize = Self::Message as usize + 1;
}

/// The spans of one line while it is read.
#[derive(Debug)]
pub(super) struct Line {
    spans: Spans,
}

impl Line {
    pub(super) fn new() -> Self {
        Self { spans: smallvec::smallvec![Span::ABSENT; At::COUNT] }
    }

    pub(super) fn set(&mut self, at: At, span: Span) {
        self.put(at as usize, span);
    }

    /// The places from `first` on.
    pub(super) fn set_all<const N: usize>(&mut self, first: At, spans: [Span; N]) {
        for (at, span) in spans.into_iter().enumerate() {
            self.put(first as usize + at, span);
        }
    }

    fn put(&mut self, at: usize, span: Span) {
        if let Some(place) = self.spans.get_mut(at) {
            *place = span;
        }
    }

    /// The captured headers, with the bars between them.
    pub(super) fn captured(&mut self, line: &[u8], request: Span, response: Option<Span>) {
        self.set(At::RequestCaptures, request);
        self.capture(line, request, 0);
        if let Some(response) = response {
            self.set(At::ResponseCaptures, response);
            self.capture(line, response, CAPTURES);
        }
    }

    fn capture(&mut self, line: &[u8], group: Span, first: usize) {
        let mut start = group.start;
        for (at, text) in group.of(line).split(|byte| *byte == b'|').take(CAPTURES).enumerate() {
            self.add_capture(first + at, Span { start, end: start + text.len() });
            start += text.len() + 1;
        }
    }

    /// The captured header with this number, from 0.
    pub(super) fn add_capture(&mut self, number: usize, span: Span) {
        let at = At::COUNT + number;
        if at < SLOTS.len() {
            self.spans.resize(self.spans.len().max(at + 1), Span::ABSENT);
            self.put(at, span);
        }
    }

    pub(super) fn parts(self, date: Option<Span>, time: Option<Timestamp>) -> Parts {
        Parts { spans: self.spans, date, time }
    }
}

/// A line, word by word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words<'a> {
    pub(super) line: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Words<'a> {
    pub(super) fn rest(&self) -> &'a [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    /// The next word, which is not empty, and the blank after it.
    pub(super) fn next(&mut self, expected: &'static str) -> Result<Span, Stop> {
        let rest = self.rest();
        let length = memchr(b' ', rest).unwrap_or(rest.len());
        if length == 0 {
            return Err(Stop { at: self.at, expected });
        }
        let word = Span { start: self.at, end: self.at + length };
        self.at = (word.end + 1).min(self.line.len());
        Ok(word)
    }

    /// `BACKEND/SERVER`.
    pub(super) fn pair(&mut self) -> Result<[Span; 2], Stop> {
        let expected = "a backend and a server";
        let word = self.next(expected)?;
        let slash = memchr(b'/', word.of(self.line)).ok_or(Stop { at: word.start, expected })?;
        let slash = word.start + slash;
        Ok([Span { end: slash, ..word }, Span { start: slash + 1, ..word }])
    }

    /// The next word if it is exactly so many numbers with slashes between them.
    pub(super) fn numbers<const N: usize>(&mut self) -> Option<[Span; N]> {
        let mut words = *self;
        let word = words.next("numbers").ok()?;
        let mut spans = [Span::ABSENT; N];
        let mut start = word.start;
        let mut parts = word.of(self.line).split(|byte| *byte == b'/');
        for span in &mut spans {
            let part = parts.next()?;
            let sign = number(part)?;
            *span = Span { start: start + sign, end: start + part.len() };
            start += part.len() + 1;
        }
        if parts.next().is_some() {
            return None;
        }
        *self = words;
        Some(spans)
    }

    /// The next word, which is one number.
    pub(super) fn number(&mut self, expected: &'static str) -> Result<Span, Stop> {
        let at = self.at;
        let [number] = self.numbers::<1>().ok_or(Stop { at, expected })?;
        Ok(number)
    }

    /// A status; `-1` where none was sent. Nothing else is written in another way than a number is.
    pub(super) fn status(&mut self) -> Result<Span, Stop> {
        let expected = "a status";
        let word = self.next(expected)?;
        match word.of(self.line) {
            b"-1" | [b'0'..=b'9'] => Ok(word),
            [b'1'..=b'9', digits @ ..] if digits.len() < 3 && digits.iter().all(u8::is_ascii_digit) => {
                Ok(word)
            }
            _ => Err(Stop { at: word.start, expected }),
        }
    }
}

/// How long the `+` before a number is, which says that it grew still when it was logged; `-1` says that there is none.
fn number(text: &[u8]) -> Option<usize> {
    let sign = usize::from(text.first() == Some(&b'+'));
    let digits = text.get(sign..)?;
    let digits = digits.strip_prefix(b"-").filter(|_| sign == 0).unwrap_or(digits);
    (!digits.is_empty() && digits.iter().all(u8::is_ascii_digit)).then_some(sign)
}

/// Without blanks at either end.
pub(super) fn trimmed(line: &[u8], span: Span) -> Span {
    let text = span.of(line);
    let start = text.iter().take_while(|byte| **byte == b' ').count();
    let end = text.iter().rev().take(text.len() - start).take_while(|byte| **byte == b' ').count();
    Span { start: span.start + start, end: span.end - end }
}
