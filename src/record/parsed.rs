//! `Record`: one line, and what stands where in it.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

use jiff::Timestamp;

use super::Field;
use super::access::{Access, Head, Span, without_return};
use super::date::{Found, Reference};
use super::escape::unescape;
use super::request::{Request, host};
use crate::address::Address;

/// One parsed line. Fields are found by position when the line is parsed, and decoded when they are asked for.
#[derive(Debug)]
pub struct Record<'a> {
    line: &'a [u8],
    /// Where the date stands, without brackets.
    date: Option<Span>,
    time: Option<Timestamp>,
    /// `None` for raw lines.
    access: Option<Access>,
    /// Unescaped and taken apart when a field of it is first asked for.
    request: OnceCell<Request<'a>>,
}

impl<'a> Record<'a> {
    /// A line of the combined family; read raw, it has no fields.
    pub(super) fn access(line: &'a [u8], head: &Head, access: Option<Access>) -> Self {
        let (date, time) = (Some(head.date), Some(head.time));
        Self { line, date, time, access, request: OnceCell::new() }
    }

    /// A line without fields, and the date that was found in it.
    pub(super) fn raw(line: &'a [u8], found: Option<&Found>, reference: Option<&Reference>) -> Self {
        let date = found.map(|found| found.span);
        let time = found.and_then(|found| found.time(reference));
        Self { line, date, time, access: None, request: OnceCell::new() }
    }

    /// The whole line.
    pub fn line(&self) -> &'a [u8] {
        self.line
    }

    /// The client's address; `None` where the field holds a name or nothing, or the format has no such field.
    pub fn address(&self) -> Option<Address> {
        Address::parse(self.access?.client.of(self.line))
    }

    /// Where the client field stands in the line; `None` where the format has none.
    pub fn client_range(&self) -> Option<Range<usize>> {
        Some(self.access?.client.range())
    }

    /// The line's own time. Of a raw line without zone or year only if it was parsed with a reference.
    pub fn time(&self) -> Option<Timestamp> {
        self.time
    }

    /// Where the date stands in the line, without brackets or quotes around it. A raw line may have one whose time
    /// is not known.
    pub fn time_range(&self) -> Option<Range<usize>> {
        Some(self.date?.range())
    }

    /// A field's value, unescaped by the server's rules; `-` stays `-`, and the `""` that Apache writes for an empty
    /// user is empty. `None` where the record has no such field. The normalised path is computed once for a record.
    pub fn field(&self, field: &Field) -> Option<Cow<'_, [u8]>> {
        let access = self.access.as_ref()?;
        match field {
            Field::Method => self.request()?.method().map(Cow::Borrowed),
            Field::Path => self.request()?.path().map(Cow::Borrowed),
            Field::RequestUri => Some(Cow::Borrowed(self.request()?.uri())),
            Field::Query => self.request()?.query().map(Cow::Borrowed),
            Field::Protocol => self.request()?.protocol().map(Cow::Borrowed),
            Field::Host => match access.vhost {
                Some(vhost) => host(vhost.of(self.line)),
                None => host(self.request()?.authority()?),
            },
            Field::Status => Some(Cow::Borrowed(access.status.of(self.line))),
            Field::Bytes => Some(Cow::Borrowed(access.bytes.of(self.line))),
            Field::User => Some(user(access.user.of(self.line))),
            Field::Referer => Some(unescape(access.referer?.of(self.line))),
            Field::UserAgent => Some(unescape(access.user_agent?.of(self.line))),
        }
    }

    /// A numeric field: status or bytes (`-` bytes are 0; a number beyond 64 bits is the greatest).
    pub fn number(&self, field: &Field) -> Option<u64> {
        let access = self.access.as_ref()?;
        match field {
            Field::Status => Some(number(access.status.of(self.line))),
            Field::Bytes => Some(number(access.bytes.of(self.line))),
            _ => None,
        }
    }

    /// Whether a gate refused it: 403 or 444.
    pub fn refused(&self) -> bool {
        self.access.is_some_and(|access| matches!(access.status.of(self.line), b"403" | b"444"))
    }

    /// The line with exactly the date's bytes cut out (brackets stay: `- - [] "POST …`), and without the `\r` that it
    /// may end in: what raw patterns see. `buffer` is used where something is cut, and holds nothing to keep.
    pub fn without_date<'b>(&'b self, buffer: &'b mut Vec<u8>) -> &'b [u8] {
        let line = without_return(self.line);
        let Some(date) = self.date else {
            return line;
        };
        buffer.clear();
        buffer.extend_from_slice(line.get(..date.start).unwrap_or_default());
        buffer.extend_from_slice(line.get(date.end..).unwrap_or_default());
        buffer
    }

    /// Where a range of the cut line stands in the whole one. A range that spans the cut covers the date too.
    pub fn uncut(&self, range: Range<usize>) -> Range<usize> {
        let Some(date) = self.date else {
            return range;
        };
        let length = date.end - date.start;
        // The start belongs to the byte that follows it, the end to the byte before it.
        let start = if range.start < date.start { range.start } else { range.start + length };
        if range.is_empty() {
            return start..start;
        }
        let end = if range.end <= date.start { range.end } else { range.end + length };
        start..end
    }

    fn request(&self) -> Option<&Request<'a>> {
        let span = self.access?.request;
        Some(self.request.get_or_init(|| Request::new(self.line.get(span.range()).unwrap_or_default())))
    }
}

fn user(logged: &[u8]) -> Cow<'_, [u8]> {
    if logged == b"\"\"" { Cow::Borrowed(b"") } else { unescape(logged) }
}

/// Digits as a number, saturating; anything else counts nothing.
fn number(digits: &[u8]) -> u64 {
    let digits = digits.iter().filter(|byte| byte.is_ascii_digit());
    digits.fold(0_u64, |value, digit| value.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
}
