//! What `top` counts records by.

use std::borrow::Cow;

use clap::ValueEnum;

use crate::address::Prefix;
use crate::record::{Field, Record};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum By {
    /// Clients
    Address,
    /// Their networks: IPv4 /24, IPv6 /48
    Prefix,
    /// Paths, as filters see them
    Path,
    /// User-Agent headers
    #[value(name = "user_agent")]
    UserAgent,
    /// Statuses of the answers
    Status,
    /// Virtual hosts
    Host,
}

impl By {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Prefix => "prefix",
            Self::Path => "path",
            Self::UserAgent => "user_agent",
            Self::Status => "status",
            Self::Host => "host",
        }
    }

    /// What a record counts for; `-` where it has no such thing.
    pub(super) fn value<'r>(self, record: &'r Record<'_>) -> Cow<'r, [u8]> {
        let field = |field| record.field(field).unwrap_or(Cow::Borrowed(b"-"));
        match self {
            Self::Address => client(record, |address| address),
            Self::Prefix => {
                client(record, |address| address.widened(if address.is_ipv4() { 24 } else { 48 }))
            }
            Self::Path => field(&Field::Path),
            Self::UserAgent => field(&Field::UserAgent),
            Self::Status => field(&Field::Status),
            Self::Host => field(&Field::Host),
        }
    }

    /// Whom a value names.
    pub(super) fn client(self, value: &[u8]) -> Option<Prefix> {
        let is_client = matches!(self, Self::Address | Self::Prefix);
        std::str::from_utf8(value).ok().filter(|_| is_client)?.parse().ok()
    }
}

/// The client, else the name that stands in its place.
fn client<'r>(record: &'r Record<'_>, of: impl Fn(Prefix) -> Prefix) -> Cow<'r, [u8]> {
    if let Some(address) = record.address() {
        return Cow::Owned(of(Prefix::host(address)).to_string().into_bytes());
    }
    let named = record.client_range().and_then(|range| record.line().get(range));
    Cow::Borrowed(named.filter(|named| !named.is_empty()).unwrap_or(b"-"))
}
