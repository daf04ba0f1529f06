//! The fields that rules speak of.

use std::borrow::Cow;
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
    /// Any other field of a format, by its name there: `upstream_status`, `message`. Letters are lower case, everything
    /// that is no letter or digit is `_`.
    Named(Cow<'static, str>),
}

/// A word that cannot be the name of a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no field; fields are {list}, and those that a log format names, in lower case with `_`",
    list = Field::NAMES.join(", ")
)]
pub struct FieldError(pub String);

impl Field {
    /// A field that a format names in its own way: `X-Request-ID` is `x_request_id`. A name of `NAMES` is that field.
    pub fn of_format(name: &str) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
        let name: String = name.chars().map(plain).collect();
        Self::known(&name).unwrap_or(Self::Named(Cow::Owned(name)))
    }

    /// One that a format of ours names.
    pub(super) const fn named(name: &'static str) -> Self {
        Self::Named(Cow::Borrowed(name))
    }

    fn known(name: &str) -> Option<Self> {
        let at = Self::NAMES.iter().position(|known| *known == name)?;
        Self::ALL.get(at).cloned()
    }

    /// The fields that every format may have, in the order of `NAMES`.
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
        let part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let is_name = text.bytes().all(part) && text.starts_with(|first: char| first.is_ascii_lowercase());
        let named = || is_name.then(|| Self::Named(Cow::Owned(text.to_owned())));
        Self::known(text).or_else(named).ok_or_else(|| FieldError(text.to_owned()))
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Self::ALL.iter().position(|field| field == self).and_then(|at| Self::NAMES.get(at));
        match self {
            Self::Named(name) => f.write_str(name),
            _ => f.write_str(known.expect("ALL lists every field that is not named")),
        }
    }
}
