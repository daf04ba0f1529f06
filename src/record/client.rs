//! Which address of a record is its client's: the peer's, or the one that a trusted chain of proxies tells of.
//!
//! A list is walked from the right, since each proxy appends whom it saw: what a client made up stands to the left of what
//! the first proxy saw, and is never reached. As `mod_remoteip` and nginx with `real_ip_recursive on` walk it.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use memchr::{memchr, memchr_iter, memrchr};

use super::{Field, FieldError};
use crate::address::{Address, Allowlist};

/// Where the server names the host that connected to it, beside a client that it took from a header itself:
/// `$realip_remote_addr`, `%{c}a`.
pub(super) const PEER: Field = Field::named("peer");

/// Where the client of a source's records stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientFrom {
    /// The format's client field: the server itself knows its clients.
    #[default]
    RemoteAddr,
    /// A field with the list that proxies wrote, or with one address. It counts where the peer is a trusted proxy.
    List(Field),
    /// The same in the syntax of RFC 7239.
    Forwarded(Field),
}

/// A word that names no field a client could be taken from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// It cannot be the name of a field.
    #[error(
        "`{0}` is no field; write \"remote_addr\", \"x_forwarded_for\", \"forwarded\", \"x_real_ip\", or how the format names the header"
    )]
    NoField(String),
    /// It holds something else.
    #[error(
        "the field `{0}` never holds a client's address; write \"remote_addr\", or a header such as \"x_forwarded_for\""
    )]
    OtherField(Field),
}

impl ClientFrom {
    /// The name of the format's own client field in the configuration.
    pub const REMOTE_ADDR: &'static str = "remote_addr";

    /// The field it is taken from; `None` for the format's own.
    pub fn field(&self) -> Option<&Field> {
        match self {
            Self::RemoteAddr => None,
            Self::List(field) | Self::Forwarded(field) => Some(field),
        }
    }

    /// The client that a header with this value names to a server that `peer` connected to.
    pub fn client(&self, value: &[u8], peer: Address, trusted: &Allowlist) -> Address {
        self.walk(value, peer, trusted, |_| {}).reached.map_or(peer, |(_, client)| client)
    }

    /// Where `value` leads to from the peer on. `passed` hears of each proxy on the way, the peer first.
    pub(super) fn walk<'v>(
        &self,
        value: &'v [u8],
        peer: Address,
        trusted: &Allowlist,
        mut passed: impl FnMut(Address),
    ) -> Walk<'v> {
        let (separator, node): (Separator, Node) = match self {
            Self::RemoteAddr => return Walk::default(),
            Self::List(_) => (|text| memrchr(b',', text), listed),
            Self::Forwarded(_) => (last_comma, forwarded),
        };
        let (mut reached, mut garbage) = (None, false);
        let mut at = peer;
        let mut left = Some(value);
        while let Some(rest) = left
            && trusted.find(at).is_some()
        {
            let start = separator(rest).map_or(0, |comma| comma + 1);
            left = start.checked_sub(1).and_then(|comma| rest.get(..comma));
            let element = trimmed(rest, start..rest.len());
            if element.is_empty() {
                continue;
            }
            let Some((range, address)) = node(rest, element) else {
                (left, garbage) = (Some(rest), true);
                break;
            };
            passed(at);
            (at, reached) = (address, Some((range, address)));
        }
        Walk { reached, unread: left.unwrap_or_default(), garbage }
    }
}

/// How a walk ended.
#[derive(Debug, Default)]
pub(super) struct Walk<'v> {
    /// The address it came to, and where that stands; `None`: it is the peer itself.
    pub(super) reached: Option<(Range<usize>, Address)>,
    /// What stands before that.
    pub(super) unread: &'v [u8],
    /// What stands next is no address.
    pub(super) garbage: bool,
}

/// How the client of a record is found, step by step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Who connected, then each whom the one before named; the last is the client.
    pub hops: Vec<Address>,
    /// Why it is the last.
    pub end: TraceEnd,
    /// What stands in the header before the client, lossily decoded: nobody who is trusted has written it.
    pub unread: String,
}

/// Why nobody was asked for another client than the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceEnd {
    /// The server itself says who its client is.
    Logged,
    /// The record has no such header, or an empty one.
    NoHeader,
    /// It is no trusted proxy.
    NotTrusted,
    /// It is a trusted proxy, and the header names nobody before it.
    First,
    /// It is a trusted proxy, and what it names is no address.
    Garbage,
}

/// Where the last element of a list begins: behind this comma.
type Separator = fn(&[u8]) -> Option<usize>;

/// Reads the element of a list that stands at a range of it; `None` is garbage, which ends the walk.
type Node = fn(&[u8], Range<usize>) -> Option<(Range<usize>, Address)>;

/// An address, perhaps in quotes.
fn listed(text: &[u8], element: Range<usize>) -> Option<(Range<usize>, Address)> {
    let quoted = element.len() > 1
        && text.get(element.start) == Some(&b'"')
        && text.get(element.end - 1) == Some(&b'"');
    host(text, if quoted { element.start + 1..element.end - 1 } else { element })
}

/// The one `for=` of a forwarded-element (RFC 7239, section 4).
fn forwarded(text: &[u8], element: Range<usize>) -> Option<(Range<usize>, Address)> {
    let mut named = None;
    for pair in pairs(text, element)? {
        let equals = pair.start + memchr(b'=', text.get(pair.clone())?)?;
        if !text.get(pair.start..equals)?.eq_ignore_ascii_case(b"for") {
            continue;
        }
        // A second one may not be there: somebody wrote it who had no right to.
        if named.replace(equals + 1..pair.end).is_some() {
            return None;
        }
    }
    listed(text, named?)
}

/// The pairs of a forwarded-element, split at semicolons outside of quotes; `None` where a quote is not closed.
fn pairs(text: &[u8], element: Range<usize>) -> Option<Vec<Range<usize>>> {
    let (mut pairs, mut start, mut quoted, mut at) = (Vec::new(), element.start, false, element.start);
    while at < element.end {
        match text.get(at)? {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            b';' if !quoted => {
                pairs.push(trimmed(text, start..at));
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    pairs.push(trimmed(text, start..element.end));
    pairs.retain(|pair| !pair.is_empty());
    (!quoted).then_some(pairs)
}

/// The last comma outside of quotes, read from the right: a quote that a client left open on the left takes in nothing
/// of what a proxy appended.
fn last_comma(text: &[u8]) -> Option<usize> {
    let mut quoted = false;
    for (at, byte) in text.iter().enumerate().rev() {
        match byte {
            b'"' if !is_escaped(text, at) => quoted = !quoted,
            b',' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

fn is_escaped(text: &[u8], at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// An address, perhaps with a port, an IPv6 one perhaps in brackets. The range is that of the address alone.
fn host(text: &[u8], place: Range<usize>) -> Option<(Range<usize>, Address)> {
    let whole = text.get(place.clone())?;
    let (range, port) = if let Some(inside) = whole.strip_prefix(b"[") {
        let close = memchr(b']', inside)?;
        memchr(b':', inside.get(..close)?)?;
        (1..=close, inside.get(close + 1..)?)
    } else {
        let mut colons = memchr_iter(b':', whole);
        match (colons.next(), colons.next()) {
            (Some(colon), None) => (0..=colon.checked_sub(1)?, whole.get(colon..)?),
            _ => (0..=whole.len().checked_sub(1)?, &b""[..]),
        }
    };
    let address = Address::parse(whole.get(range.clone())?).filter(|_| is_port(port))?;
    Some((place.start + range.start()..place.start + range.end() + 1, address))
}

/// Nothing, `:443`, or the hidden port of RFC 7239: `:_name`.
fn is_port(text: &[u8]) -> bool {
    let hidden = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    match text {
        [] => true,
        [b':', b'_', name @ ..] => !name.is_empty() && name.iter().all(hidden),
        [b':', port @ ..] => (1..=5).contains(&port.len()) && port.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// A range without the blanks and tabs at its ends.
fn trimmed(text: &[u8], range: Range<usize>) -> Range<usize> {
    let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t');
    let part = text.get(range.clone()).unwrap_or_default();
    let end = range.end - part.iter().rev().take_while(is_blank).count();
    let start = range.start + part.iter().take_while(is_blank).count();
    start.min(end)..end
}

impl FromStr for ClientFrom {
    type Err = ClientError;

    fn from_str(text: &str) -> Result<Self, ClientError> {
        if text == Self::REMOTE_ADDR {
            return Ok(Self::RemoteAddr);
        }
        let field: Field = text.parse().map_err(|FieldError(name)| ClientError::NoField(name))?;
        match &field {
            Field::Named(name) if name == "forwarded" => Ok(Self::Forwarded(field)),
            Field::Named(_) => Ok(Self::List(field)),
            _ => Err(ClientError::OtherField(field)),
        }
    }
}

impl fmt::Display for ClientFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field() {
            None => f.write_str(Self::REMOTE_ADDR),
            Some(field) => field.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
