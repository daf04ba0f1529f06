//! The fields that rules speak of.

use std::fmt;
use std::str::FromStr;

/// A field of a record.
///
/// A request line is HTTP where it has a method (a token of RFC 9110), a target, and a last word `HTTP/…`; without that
/// word, as HTTP/0.9 has it, where the target begins with `/`. Anything else (`-`, nothing, bytes of another protocol)
/// has no method, path, query and protocol, and its `request_uri` is the whole line: so a rule recognises it by the
/// method that it has not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// The request's method.
    Method,
    /// The path: without query, percent-decoded once, slashes merged, dot segments resolved, scheme and authority
    /// removed. `CONNECT host:port` has none.
    Path,
    /// The request target as logged (the server's log escapes undone); where the request is no HTTP, all of it.
    RequestUri,
    /// What follows the first `?` of the target, not decoded; absent without one.
    Query,
    /// The response's status.
    Status,
    /// The virtual host, where the format has it, else the authority of an absolute-form target or of `CONNECT`: in
    /// lower case, without user, port and trailing dot.
    Host,
    /// The Referer header.
    Referer,
    /// The User-Agent header.
    UserAgent,
    /// The authenticated, or claimed, user.
    User,
    /// `HTTP/1.1` and the like.
    Protocol,
    /// The response's size in bytes.
    Bytes,
}

/// A field that no format has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no field; fields are {list}", list = Field::NAMES.join(", "))]
pub struct FieldError(pub String);

impl Field {
    /// All fields, in the order of `NAMES`.
    pub const ALL: [Self; 11] = [
        Self::Method,
        Self::Path,
        Self::RequestUri,
        Self::Query,
        Self::Status,
        Self::Host,
        Self::Referer,
        Self::UserAgent,
        Self::User,
        Self::Protocol,
        Self::Bytes,
    ];

    /// Their names in rules.
    pub const NAMES: [&'static str; 11] = [
        "method",
        "path",
        "request_uri",
        "query",
        "status",
        "host",
        "referer",
        "user_agent",
        "user",
        "protocol",
        "bytes",
    ];

    /// Whether its value is a number, and conditions on it are numbers and ranges.
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Status | Self::Bytes)
    }
}

impl FromStr for Field {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        let at = Self::NAMES.iter().position(|name| *name == text);
        at.map(|at| Self::ALL[at].clone()).ok_or_else(|| FieldError(text.to_owned()))
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = Self::ALL.iter().position(|field| field == self).expect("ALL lists every field");
        f.write_str(Self::NAMES[at])
    }
}
