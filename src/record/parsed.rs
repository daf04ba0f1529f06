//! `Record`: one line, and what stands where in it.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

use jiff::Timestamp;

use super::Field;
use super::access::{Access, FORWARDED_FOR, Head, Span, without_return};
use super::client::{ClientFrom, PEER, Trace, TraceEnd};
use super::date::{Found, Reference};
use super::escape::{Escape, unescape};
use super::request::{Request, host};
use super::slots::{Parts, Role, Slot, Slots};
use crate::address::{Address, Allowlist};

/// How `HAProxy` ended a session: `PR--`.
const TERMINATION: Field = Field::named("termination_state");

/// One parsed line. Fields are found by position when the line is parsed, and decoded when they are asked for.
#[derive(Debug)]
pub struct Record<'a> {
    line: &'a [u8],
    /// Where the date stands, without brackets.
    date: Option<Span>,
    time: Option<Timestamp>,
    /// Whatever date it holds is none of its own.
    is_undated: bool,
    fields: Fields<'a>,
    /// What the format's own client field holds, read when it is first asked for.
    own: OnceCell<Option<Address>>,
    /// Where the client stands that a header names, and its address; set by `resolve`.
    derived: Option<(Span, Address)>,
    /// Unescaped and taken apart when a field of it is first asked for.
    request: OnceCell<Option<Request<'a>>>,
    /// What its log is about, where that is known otherwise.
    log_host: Option<&'a [u8]>,
}

/// Where the fields of a line stand.
#[derive(Debug)]
enum Fields<'a> {
    /// A raw line has none.
    None,
    /// The combined family: the formats that most lines have, and the fastest to read.
    Access(Access),
    /// Every other format.
    Slots(Slots<'a>),
}

impl<'a> Record<'a> {
    /// A line of the combined family; read raw, it has no fields.
    pub(super) fn access(line: &'a [u8], head: &Head, access: Option<Access>) -> Self {
        let fields = access.map_or(Fields::None, Fields::Access);
        Self::new(line, Some(head.date), Some(head.time), fields)
    }

    /// A line of a format with slots.
    pub(super) fn slots(line: &'a [u8], slots: &'a [Slot], parts: Parts) -> Self {
        let Parts { spans, date, time } = parts;
        Self::new(line, date, time, Fields::Slots(Slots::new(slots, spans)))
    }

    /// A line without fields, and the date that was found in it.
    pub(super) fn raw(line: &'a [u8], found: Option<&Found>, reference: Option<&Reference>) -> Self {
        let date = found.map(|found| found.span);
        let time = found.and_then(|found| found.time(reference));
        Self::new(line, date, time, Fields::None)
    }

    fn new(line: &'a [u8], date: Option<Span>, time: Option<Timestamp>, fields: Fields<'a>) -> Self {
        let (own, request) = (OnceCell::new(), OnceCell::new());
        let is_undated = false;
        Self { line, date, time, is_undated, fields, own, derived: None, request, log_host: None }
    }

    /// The same, of a log that is about one host: `host` is it where the format has no place for one. What a client names in
    /// its request comes after that.
    #[must_use]
    pub fn about(self, host: Option<&'a [u8]>) -> Self {
        Self { log_host: host, ..self }
    }

    /// The whole line.
    pub fn line(&self) -> &'a [u8] {
        self.line
    }

    /// The client's address; `None` where the field holds a name or nothing, or the format has no such field.
    pub fn address(&self) -> Option<Address> {
        match self.derived {
            Some((_, address)) => Some(address),
            None => self.own_address(),
        }
    }

    fn own_address(&self) -> Option<Address> {
        *self.own.get_or_init(|| Address::parse(self.own_client()?.of(self.line)))
    }

    /// From now on the client is the one that a header names, where one of the trusted proxies sent it; else it is the
    /// host that connected.
    pub fn resolve(&mut self, from: &ClientFrom, trusted: &Allowlist) {
        self.derived = self.derive(from, trusted, |_| {});
    }

    /// The proxies between that client and the server, the one that connected first; none where that one is the client.
    pub fn proxies(&self, from: &ClientFrom, trusted: &Allowlist) -> Vec<Address> {
        let mut passed = Vec::new();
        self.derive(from, trusted, |proxy| passed.push(proxy));
        passed
    }

    fn derive(
        &self,
        from: &ClientFrom,
        trusted: &Allowlist,
        passed: impl FnMut(Address),
    ) -> Option<(Span, Address)> {
        let field = from.field()?;
        let (peer_at, peer) = self.peer()?;
        let Some((span, escape)) = self.place(field) else { return Some((peer_at, peer)) };
        let written = span.of(self.line);
        let Some((at, client)) = from.walk(&escape.undo(written), peer, trusted, passed).reached else {
            return Some((peer_at, peer));
        };
        let place = |at| span.start + escape.place_of(written, at);
        Some((Span { start: place(at.start), end: place(at.end) }, client))
    }

    /// Who connected, and where that stands.
    fn peer(&self) -> Option<(Span, Address)> {
        let address = |span: Span| Some((span, Address::parse(span.of(self.line))?));
        let named = self.place(&PEER).and_then(|(span, _)| address(span));
        named.or_else(|| Some((self.own_client()?, self.own_address()?)))
    }

    /// How the client is found, step by step; `None` where the record names nobody.
    pub fn trace(&self, from: &ClientFrom, trusted: &Allowlist) -> Option<Trace> {
        let (_, peer) = self.peer()?;
        let ended = |hops, end| Some(Trace { hops, end, unread: String::new() });
        let Some(field) = from.field() else {
            let own = self.own_address()?;
            let hops = if own == peer { vec![own] } else { vec![peer, own] };
            return ended(hops, TraceEnd::Logged);
        };
        let place = self.place(field).map(|(span, escape)| escape.undo(span.of(self.line)));
        let Some(value) = place.filter(|value| !matches!(value.trim_ascii(), b"" | b"-")) else {
            return ended(vec![peer], TraceEnd::NoHeader);
        };
        let mut hops = Vec::new();
        let walk = from.walk(&value, peer, trusted, |hop| hops.push(hop));
        let client = walk.reached.map_or(peer, |(_, client)| client);
        hops.push(client);
        let end = match (walk.garbage, trusted.find(client)) {
            (true, _) => TraceEnd::Garbage,
            (false, None) => TraceEnd::NotTrusted,
            (false, Some(_)) => TraceEnd::First,
        };
        let unread = String::from_utf8_lossy(walk.unread.trim_ascii()).into_owned();
        Some(Trace { hops, end, unread })
    }

    /// Where a field that only its format names stands.
    fn place(&self, field: &Field) -> Option<(Span, Escape)> {
        match &self.fields {
            Fields::Access(access) if *field == FORWARDED_FOR => {
                Some((access.forwarded_for?, Escape::Server))
            }
            Fields::None | Fields::Access(_) => None,
            Fields::Slots(slots) => slots.place(field),
        }
    }

    /// Where the client's address stands in the line; `None` where the format has no client field.
    pub fn client_range(&self) -> Option<Range<usize>> {
        Some(self.client()?.range())
    }

    fn client(&self) -> Option<Span> {
        self.derived.map_or_else(|| self.own_client(), |(span, _)| Some(span))
    }

    /// The format's own client field.
    fn own_client(&self) -> Option<Span> {
        match &self.fields {
            Fields::None => None,
            Fields::Access(access) => Some(access.client),
            Fields::Slots(slots) => slots.find(&Role::Client).map(|(span, _)| span),
        }
    }

    /// Whether the line ends in a quoted list whose last item is an address, or in `"-"`, behind the fields of `combined`. The
    /// last one was written by the nearest proxy; before it a client may have put anything.
    pub(super) fn ends_in_addresses(&self) -> bool {
        let Fields::Access(Access { forwarded_for: Some(span), .. }) = self.fields else { return false };
        let list = span.of(self.line);
        let is_address = |item: &[u8]| Address::parse(item.trim_ascii()).is_some();
        let ends = span.end + 1 == without_return(self.line).len();
        ends && (list == b"-" || list.rsplit(|byte| *byte == b',').next().is_some_and(is_address))
    }

    /// The line's own time. Of a line without zone or year only if it was parsed with a reference.
    pub fn time(&self) -> Option<Timestamp> {
        self.time
    }

    /// The same of a log that notes times beside its lines: a date in one is text that somebody wrote.
    #[must_use]
    pub fn undated(self) -> Self {
        Self { date: None, time: None, is_undated: true, ..self }
    }

    /// Whether no date is to be looked for.
    pub fn is_undated(&self) -> bool {
        self.is_undated
    }

    /// Where the date stands in the line, without brackets or quotes around it. A raw line may have one whose time
    /// is not known.
    pub fn time_range(&self) -> Option<Range<usize>> {
        Some(self.date?.range())
    }

    /// A field's value, unescaped by the server's rules; `-` stays `-`, and the `""` that Apache writes for an empty
    /// user is empty. `None` where the record has no such field. The normalised path is computed once for a record.
    pub fn field(&self, field: &Field) -> Option<Cow<'_, [u8]>> {
        let own = match &self.fields {
            Fields::None => None,
            Fields::Access(access) => access.value(self.line, field),
            Fields::Slots(slots) => slots.value(self.line, field),
        };
        match (field, own) {
            (Field::Host, Some(Cow::Owned(named))) => host(&named).map(|host| Cow::Owned(host.into_owned())),
            (Field::Host, Some(Cow::Borrowed(named))) => host(named),
            (_, Some(value)) => Some(value),
            (_, None) => self.of_request(field),
        }
    }

    /// A field that the request line, or the target, has.
    fn of_request(&self, field: &Field) -> Option<Cow<'_, [u8]>> {
        match field {
            Field::Method => self.request()?.method().map(Cow::Borrowed),
            Field::Path => self.request()?.path().map(Cow::Borrowed),
            Field::RequestUri => Some(Cow::Borrowed(self.request()?.uri())),
            Field::Query => self.request()?.query().map(Cow::Borrowed),
            Field::Protocol => self.request()?.protocol().map(Cow::Borrowed),
            Field::Host => match self.log_host {
                Some(named) => host(named),
                None => host(self.request()?.authority()?),
            },
            _ => None,
        }
    }

    /// A numeric field: status or bytes (`-` bytes are 0; a number beyond 64 bits is the greatest), or one that a format
    /// names, where it holds nothing but digits.
    pub fn number(&self, field: &Field) -> Option<u64> {
        match (&self.fields, field) {
            (Fields::Access(access), Field::Status) => Some(number(access.status.of(self.line))),
            (_, Field::Status | Field::Bytes) => Some(number(&self.field(field)?)),
            (_, Field::Named(_)) => {
                let value = self.field(field)?;
                let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
                is_number.then(|| number(&value))
            }
            _ => None,
        }
    }

    /// Whether a gate refused it: 403 or 444, or `HAProxy`'s `PR--` (the proxy itself, by a rule).
    pub fn refused(&self) -> bool {
        match &self.fields {
            Fields::None => false,
            Fields::Access(access) => is_refusal(access.status.of(self.line)),
            Fields::Slots(slots) => {
                let value = |field| slots.value(self.line, field);
                value(&Field::Status).is_some_and(|status| is_refusal(&status))
                    || value(&TERMINATION).is_some_and(|state| state.starts_with(b"PR"))
            }
        }
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
        let request = || match &self.fields {
            Fields::None => None,
            Fields::Access(access) => Some(Request::new(unescape(access.request.of(self.line)))),
            Fields::Slots(slots) => request_of(slots, self.line),
        };
        self.request.get_or_init(request).as_ref()
    }
}

fn request_of<'a>(slots: &Slots<'a>, line: &'a [u8]) -> Option<Request<'a>> {
    if let Some((span, escape)) = slots.find(&Role::Request) {
        return Some(Request::new(escape.undo(span.of(line))));
    }
    let (span, escape) = slots.find(&Role::Target)?;
    let method = slots.value(line, &Field::Method);
    Some(Request::of_target(escape.undo(span.of(line)), method.as_deref()))
}

fn is_refusal(status: &[u8]) -> bool {
    matches!(status, b"403" | b"444")
}

/// Digits as a number, saturating; anything else counts nothing.
fn number(digits: &[u8]) -> u64 {
    let digits = digits.iter().filter(|byte| byte.is_ascii_digit());
    digits.fold(0_u64, |value, digit| value.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
}
