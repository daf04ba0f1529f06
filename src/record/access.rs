//! The combined family by position: `[%v:%p ]%h %l %u [date] "%r" status bytes[ "referer" "user agent"]`.
//!
//! Servers escape every quote that a client sends, so a raw `"` is always one of theirs. Blanks and brackets they
//! let through in the user, which anybody can choose: a user may spell a whole line, date and all, except a raw quote.
//! So the client is the first token, and the date is what stands directly before the first raw quote.

use std::borrow::Cow;
use std::ops::Range;

use jiff::Timestamp;
use memchr::{memchr, memchr2};

use super::escape::unescape;
use super::{Field, clf};

/// A part of a line, in bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Where reading stopped, and what should have stood there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    pub(super) at: usize,
    pub(super) expected: &'static str,
}

/// Which fields a line has besides those of `common`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// It begins with `%v:%p`.
    pub(super) vhost: bool,
    /// Referer and user agent follow the bytes.
    pub(super) agents: bool,
    /// X-Forwarded-For follows them.
    pub(super) forwarded: bool,
}

/// The fields up to the date.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) vhost: Option<Span>,
    pub(super) client: Span,
    pub(super) user: Span,
    pub(super) date: Span,
    pub(super) time: Timestamp,
    /// Where the request's opening quote stands.
    quote: usize,
}

/// All fields of a line, as they stand in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Access {
    pub(super) vhost: Option<Span>,
    pub(super) client: Span,
    pub(super) user: Span,
    pub(super) request: Span,
    pub(super) status: Span,
    pub(super) bytes: Span,
    pub(super) referer: Option<Span>,
    pub(super) user_agent: Option<Span>,
    pub(super) forwarded_for: Option<Span>,
}

/// What `combined_xff` has beside the fields of every format.
pub(super) const FORWARDED_FOR: Field = Field::named("x_forwarded_for");

impl Access {
    /// The value of a field that stands by itself in the line; the host as it was logged.
    pub(super) fn value<'l>(&self, line: &'l [u8], field: &Field) -> Option<Cow<'l, [u8]>> {
        match field {
            Field::Status => Some(Cow::Borrowed(self.status.of(line))),
            Field::Bytes => Some(Cow::Borrowed(self.bytes.of(line))),
            Field::User => Some(user(self.user.of(line))),
            Field::Referer => Some(unescape(self.referer?.of(line))),
            Field::UserAgent => Some(unescape(self.user_agent?.of(line))),
            Field::Host => Some(Cow::Borrowed(self.vhost?.of(line))),
            field if *field == FORWARDED_FOR => Some(unescape(self.forwarded_for?.of(line))),
            _ => None,
        }
    }
}

fn user(logged: &[u8]) -> Cow<'_, [u8]> {
    if logged == b"\"\"" { Cow::Borrowed(b"") } else { unescape(logged) }
}

/// How Apache writes an empty user: the one raw quote before the request.
const EMPTY_USER: &[u8] = b"\"\" ";

/// `[`, the date, `]` and a blank: what stands between the user's blank and the request's quote.
const DATE_ROOM: usize = clf::LENGTH + 3;

impl Span {
    /// No place: what a line does not have.
    pub(super) const ABSENT: Self = Self { start: usize::MAX, end: usize::MAX };

    /// The bytes it covers.
    pub(super) fn of(self, line: &[u8]) -> &[u8] {
        line.get(self.start..self.end).unwrap_or_default()
    }

    pub(super) fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// A line without the `\r` that it may end in.
pub(super) fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Reads a line up to its date. Zero bytes before the first field are skipped: they fill the hole that a writer
/// leaves who goes on at his old offset after the file was truncated.
pub(super) fn head(line: &[u8], vhost: bool) -> Result<Head, Stop> {
    let start = if line.first() == Some(&0) { line.iter().take_while(|byte| **byte == 0).count() } else { 0 };
    let mut cursor = Cursor { line, at: start };
    let vhost = if vhost { Some(cursor.token("a virtual host")?) } else { None };
    let client = cursor.token("a client address")?;
    cursor.token("an identity")?;
    let start = cursor.at;
    let quote = cursor.opening_quote()?;
    let open = quote.saturating_sub(DATE_ROOM);
    let date = Span { start: open + 1, end: open + 1 + clf::LENGTH };
    let time =
        cursor.bracketed_date(open).ok_or(Stop { at: open, expected: "[DD/Mon/YYYY:HH:MM:SS +ZZZZ]" })?;
    let user = Span { start, end: open.saturating_sub(1) };
    if user.end <= start || line.get(user.end) != Some(&b' ') {
        return Err(Stop { at: start, expected: "a user" });
    }
    Ok(Head { vhost, client, user, date, time, quote })
}

/// Reads a whole line. After its last field anything may follow a blank: operators append fields of their own.
pub(super) fn read(line: &[u8], layout: Layout) -> Result<(Head, Access), Stop> {
    let line = without_return(line);
    let head = head(line, layout.vhost)?;
    let mut cursor = Cursor { line, at: head.quote };
    let request = cursor.quoted("a request in quotes")?;
    cursor.blank()?;
    let status = cursor.status()?;
    cursor.blank()?;
    let bytes = cursor.bytes()?;
    let (mut referer, mut user_agent, mut forwarded_for) = (None, None, None);
    if layout.agents {
        cursor.blank()?;
        referer = Some(cursor.quoted("a referer in quotes")?);
        cursor.blank()?;
        user_agent = Some(cursor.quoted("a user agent in quotes")?);
    }
    if layout.forwarded {
        cursor.blank()?;
        forwarded_for = Some(cursor.quoted("X-Forwarded-For in quotes")?);
    }
    cursor.end_of_field()?;
    let Head { vhost, client, user, .. } = head;
    let access = Access { vhost, client, user, request, status, bytes, referer, user_agent, forwarded_for };
    Ok((head, access))
}

/// A line, and how far it is read.
struct Cursor<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    fn stop<T>(&self, expected: &'static str) -> Result<T, Stop> {
        Err(Stop { at: self.at, expected })
    }

    /// A token that is not empty, and the blank after it.
    fn token(&mut self, expected: &'static str) -> Result<Span, Stop> {
        match memchr(b' ', self.rest()) {
            None | Some(0) => self.stop(expected),
            Some(length) => {
                let span = Span { start: self.at, end: self.at + length };
                self.at = span.end + 1;
                Ok(span)
            }
        }
    }

    fn blank(&mut self) -> Result<(), Stop> {
        if self.rest().first() != Some(&b' ') {
            return self.stop("a blank");
        }
        self.at += 1;
        Ok(())
    }

    /// Where the request's quote stands: the first raw one from the user on, past Apache's `""`.
    fn opening_quote(&self) -> Result<usize, Stop> {
        let rest = self.rest();
        // Most users are `-`: a quote at that distance, if the date between proves to be one, is the first.
        let user = if rest.starts_with(EMPTY_USER) { EMPTY_USER.len() } else { b"- ".len() };
        let quote = user + DATE_ROOM;
        if rest.get(user - 1) == Some(&b' ') && rest.get(quote - 2..=quote) == Some(b"] \"") {
            return Ok(self.at + quote);
        }
        self.raw_quote().map_or_else(|| self.stop("a user, a date and a request in quotes"), Ok)
    }

    /// The first quote that no backslash escapes.
    fn raw_quote(&self) -> Option<usize> {
        let rest = self.rest();
        let mut from = 0;
        loop {
            let at = from + memchr2(b'"', b'\\', rest.get(from..)?)?;
            if rest.get(at) == Some(&b'"') {
                return Some(self.at + at);
            }
            from = at + 2;
        }
    }

    /// The date whose bracket opens at `open`, if a blank stands after it.
    fn bracketed_date(&self, open: usize) -> Option<Timestamp> {
        let [b'[', text @ .., b']', b' '] = self.line.get(open..)?.first_chunk::<DATE_ROOM>()? else {
            return None;
        };
        clf::read(text)
    }

    /// A string in quotes; a backslash takes the next byte with it.
    fn quoted(&mut self, expected: &'static str) -> Result<Span, Stop> {
        if self.rest().first() != Some(&b'"') {
            return self.stop(expected);
        }
        let start = self.at + 1;
        let inside = Cursor { line: self.line, at: start };
        match inside.raw_quote() {
            Some(end) => {
                self.at = end + 1;
                Ok(Span { start, end })
            }
            None => Err(Stop { at: self.line.len(), expected: "a closing quote" }),
        }
    }

    /// Three digits.
    fn status(&mut self) -> Result<Span, Stop> {
        match self.rest() {
            [a, b, c, ..] if a.is_ascii_digit() && b.is_ascii_digit() && c.is_ascii_digit() => {
                let span = Span { start: self.at, end: self.at + 3 };
                self.at = span.end;
                Ok(span)
            }
            _ => self.stop("a status of three digits"),
        }
    }

    /// A number or `-`.
    fn bytes(&mut self) -> Result<Span, Stop> {
        let rest = self.rest();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let length = if digits == 0 && rest.first() == Some(&b'-') { 1 } else { digits };
        if length == 0 {
            return self.stop("a number of bytes or `-`");
        }
        let span = Span { start: self.at, end: self.at + length };
        self.at = span.end;
        Ok(span)
    }

    fn end_of_field(&self) -> Result<(), Stop> {
        if matches!(self.rest(), [] | [b' ', ..]) { Ok(()) } else { self.stop("a blank or the line's end") }
    }
}
