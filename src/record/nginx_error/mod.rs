//! nginx's error log: `DATE [level] PID#TID: *N MESSAGE, client: A, server: S, request: "R", upstream: "U", host: "H",
//! referrer: "F"`. <https://nginx.org/en/docs/ngx_core_module.html#error_log>
//!
//! nginx escapes nothing here. A message may hold the decoded path (`open() "/www/…" failed`), and with `%0A` in it whole
//! lines of the client's choice; request, host and referrer are written as they came, without line ends. An entry has at
//! most 2,047 bytes, so that a long message pushes the true client out of it. Hence:
//!
//! * A message of a fixed shape (`limiting requests`, `access forbidden by rule`, `user "…" was not found`, a `ModSecurity`
//!   alert …) is followed by its client, or names it at its own beginning, and nothing else in the line counts.
//! * A message with a path, or with something that a client sent, has its client only where every `, client: ` of the
//!   line names the same, and the line ends as nginx ends one.
//! * Any other message (an application's own, in `FastCGI sent in stderr`) names nobody.
//! * Whether a line is an entry by itself or was written inside of one is not to be seen in it: `forged` looks at its
//!   neighbours, and a line that a request with `%0A` may have made is refused.
//!
//! So a client can have up to 2 kB of lines around his own requests refused, other people's and his own, and these are
//! counted as unparsed. He cannot make a line count for another address: but where the application decodes a path a second
//! time, or writes line ends of a client's choice on its own. Over `error_log syslog:` each entry is one message, and
//! nothing of this is possible.

mod forged;
#[cfg(test)]
mod tests;

use memchr::memmem;

use super::Field;
use super::access::{Span, Stop, without_return};
use super::date::{self, Reference};
use super::escape::Escape;
use super::slots::{Parts, Reading, Role, Slot};
pub(super) use forged::{WINDOW, is_forgeable};

/// In the order of the spans that `read` returns.
pub(super) static SLOTS: [Slot; 9] = [
    Slot::new(Role::Client, Escape::None),
    Slot::new(Role::Is(Field::named("level")), Escape::None),
    Slot::new(Role::Is(Field::named("message")), Escape::None),
    Slot::new(Role::Is(Field::named("server")), Escape::None),
    Slot::new(Role::Request, Escape::None),
    Slot::new(Role::Is(Field::named("subrequest")), Escape::None),
    Slot::new(Role::Is(Field::named("upstream")), Escape::None),
    Slot::new(Role::Is(Field::Host), Escape::None),
    Slot::new(Role::Is(Field::Referer), Escape::None),
];

/// The longest entry, without its line end (`NGX_MAX_ERROR_STR`): what is longer is cut.
const LONGEST: usize = 2047;

/// `2026/11/20 15:51:57`.
const DATE: usize = 19;

/// What stands before a client.
const CLIENT: &[u8] = b", client: ";

/// What can be told of a client from the beginning of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// No client can choose a `, client: ` in it: the first is the server's.
    Fixed,
    /// It begins with `[client A] `.
    Named,
    /// It may hold something that a client sent, on one line.
    Single,
    /// It holds a path, decoded.
    Path,
    /// Anything may stand in it.
    Other,
}

/// How messages begin that hold nothing of a client's but a user, and that ends at its colon: no `, client: ` in it.
const FIXED: [&[u8]; 18] = [
    b"limiting requests, ",
    b"limiting connections ",
    b"delaying request, ",
    b"access forbidden by rule, client: ",
    b"user \"",
    b"no user/password was provided for basic authentication, client: ",
    b"client intended to send too large ",
    b"client sent invalid method while reading client request line, client: ",
    b"client sent invalid request while reading client request line, client: ",
    b"client sent plain HTTP request to HTTPS port while ",
    b"connect() failed (",
    b"recv() failed (",
    b"send() failed (",
    b"writev() failed (",
    b"upstream timed out (",
    b"upstream prematurely closed connection while ",
    b"no live upstreams while ",
    b"SSL_do_handshake() failed (",
];

/// How messages begin that hold no line end of a client's.
const SINGLE: [&[u8]; 9] = [
    b"client ",
    b"upstream ",
    b"connect() to ",
    b"peer closed connection in SSL handshake ",
    b"SSL_",
    b"a client request body is buffered to a temporary file ",
    b"an upstream response is buffered to a temporary file ",
    b"auth request unexpected status: ",
    b"http2 ",
];

/// How messages begin that hold a path.
const PATHS: [&[u8]; 13] = [
    b"open() \"",
    b"openat() \"",
    b"stat() \"",
    b"fstat() \"",
    b"lstat() \"",
    b"opendir() \"",
    b"realpath() \"",
    b"unlink() \"",
    b"mkdir() \"",
    b"directory index of \"",
    b"rewrite or internal redirection cycle ",
    b"the requested file \"",
    b"\"/",
];

/// A line up to its message.
#[derive(Clone, Copy, Debug)]
struct Head {
    level: Span,
    /// Whether a connection has a number: without one the message is the server's own.
    numbered: bool,
    message: usize,
}

/// Reads one line.
pub(super) fn read(line: &[u8], reference: Option<&Reference>) -> Reading {
    let line = without_return(line);
    let head = head(line).ok_or(Stop { at: 0, expected: "a date, a level and a process" })?;
    let date = Span { start: 0, end: DATE };
    let time = date::at_start(date.of(line)).and_then(|found| found.time(reference));
    let body = line.get(head.message..).unwrap_or_default();
    let message = Span { start: head.message, end: line.len() };
    let ends = match kind(body) {
        _ if !head.numbered => Ends::message(message),
        Kind::Other => Ends::message(message),
        Kind::Named => Ends::named(line, message)?,
        Kind::Fixed => Ends::fixed(line, message)?,
        Kind::Single | Kind::Path => Ends::unanimous(line, message)?,
    };
    let spans = [ends.client, head.level, ends.message].into_iter().chain(ends.more);
    Ok(Parts { spans: spans.collect(), date: Some(date), time })
}

/// What follows the head.
#[derive(Clone, Copy, Debug)]
struct Ends {
    client: Span,
    message: Span,
    /// Server, request, subrequest, upstream, host, referrer.
    more: [Span; 6],
}

impl Ends {
    /// A message that names nobody: the field is there, and empty, so that no raw pattern looks for a host elsewhere.
    fn message(message: Span) -> Self {
        let nobody = Span { start: message.start, end: message.start };
        Self { client: nobody, message, more: [Span::ABSENT; 6] }
    }

    /// The client is what follows the first `, client: `.
    fn fixed(line: &[u8], message: Span) -> Result<Self, Stop> {
        let Some(at) = memmem::find(message.of(line), CLIENT) else {
            return if line.len() >= LONGEST { Err(uncertain(message)) } else { Ok(Self::message(message)) };
        };
        let client = client_at(line, message.start + at);
        let message = Span { end: message.start + at, ..message };
        // A long user may leave room for the beginning of an address only.
        if client.end == line.len() && line.len() >= LONGEST {
            return Err(uncertain(message));
        }
        let more =
            tail(line, client.end).ok_or(Stop { at: client.end, expected: "server, request and host" })?;
        Ok(Self { client, message, more })
    }

    /// The same, if no other client is named anywhere.
    fn unanimous(line: &[u8], message: Span) -> Result<Self, Stop> {
        let mut named =
            memmem::find_iter(message.of(line), CLIENT).map(|at| client_at(line, message.start + at));
        let Some(first) = named.next() else { return Ok(Self::message(message)) };
        let first = first.of(line);
        if line.len() >= LONGEST || named.any(|other| other.of(line) != first) {
            return Err(uncertain(message));
        }
        let last = memmem::rfind(message.of(line), CLIENT).map_or(message.start, |at| message.start + at);
        let client = client_at(line, last);
        let more = tail(line, client.end).ok_or(uncertain(message))?;
        Ok(Self { client, message: Span { end: last, ..message }, more })
    }

    /// `[client A] ModSecurity: …`: the client stands first, and what the rule found behind it.
    fn named(line: &[u8], message: Span) -> Result<Self, Stop> {
        let start = message.start + NAMED.len();
        let inside = line.get(start..).unwrap_or_default();
        let length = memchr::memchr(b']', inside).ok_or(uncertain(message))?;
        let client = Span { start, end: start + length };
        Ok(Self { client, ..Self::message(message) })
    }
}

/// How a `ModSecurity` alert begins.
const NAMED: &[u8] = b"[client ";

fn uncertain(message: Span) -> Stop {
    Stop { at: message.start, expected: "one client, and server, request and host to the line's end" }
}

/// The client that is named at `at`.
fn client_at(line: &[u8], at: usize) -> Span {
    let start = at + CLIENT.len();
    let rest = line.get(start..).unwrap_or_default();
    Span { start, end: start + memmem::find(rest, b", ").unwrap_or(rest.len()) }
}

/// The date, level, process and connection that every entry begins with.
fn head(line: &[u8]) -> Option<Head> {
    let date = line.get(..DATE)?;
    let is_date = b"dddd/dd/dd dd:dd:dd".iter().zip(date).all(|(shape, byte)| match shape {
        b'd' => byte.is_ascii_digit(),
        mark => byte == mark,
    });
    let rest = line.get(DATE..)?.strip_prefix(b" [").filter(|_| is_date)?;
    let length = rest.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
    let level = Span { start: DATE + 2, end: DATE + 2 + length };
    let mut at = level.end + digits_after(line, level.end, b"] ")?;
    at += digits_after(line, at, b"#")?;
    line.get(at..)?.strip_prefix(b": ")?;
    at += 2;
    let number = digits_after(line, at, b"*").filter(|length| line.get(at + length) == Some(&b' '));
    Some(Head { level, numbered: number.is_some(), message: at + number.map_or(0, |length| length + 1) })
}

/// How long `mark` and the digits that must follow it are.
fn digits_after(line: &[u8], at: usize, mark: &[u8]) -> Option<usize> {
    let rest = line.get(at..)?.strip_prefix(mark)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits > 0).then_some(mark.len() + digits)
}

fn kind(message: &[u8]) -> Kind {
    match () {
        () if message.starts_with(NAMED) => Kind::Named,
        () if FIXED.iter().any(|fixed| message.starts_with(fixed)) => Kind::Fixed,
        () if SINGLE.iter().any(|single| message.starts_with(single)) => Kind::Single,
        () if PATHS.iter().any(|path| message.starts_with(path)) => Kind::Path,
        () => Kind::Other,
    }
}

/// What may follow `server`, in this order.
const QUOTED: [&[u8]; 5] =
    [b", request: \"", b", subrequest: \"", b", upstream: \"", b", host: \"", b", referrer: \""];

/// Server, request, subrequest, upstream, host, referrer, from behind the client to the line's end. `None` where it ends in
/// another way; an entry that was cut may lack its last quote.
fn tail(line: &[u8], at: usize) -> Option<[Span; 6]> {
    let mut more = [Span::ABSENT; 6];
    let rest = line.get(at..)?;
    if rest.is_empty() {
        return Some(more);
    }
    let is_cut = line.len() >= LONGEST;
    let Some(server) = rest.strip_prefix(b", server: ") else { return is_cut.then_some(more) };
    let start = at + b", server: ".len();
    // The name is the operator's, and has no comma and blank.
    let length = memmem::find(server, b", ");
    let mut from = start + length.unwrap_or(server.len());
    more[0] = Span { start, end: from };
    for (place, mark) in QUOTED.iter().enumerate() {
        let Some(value) = line.get(from..)?.strip_prefix(*mark) else { continue };
        let start = from + mark.len();
        // The quote that closes it is followed by the next mark, or by nothing.
        let later =
            QUOTED.get(place + 1..)?.iter().chain([&BYTES]).filter_map(|next| closing(value, next)).min();
        let closed = later.or_else(|| value.strip_suffix(b"\"").map(<[u8]>::len));
        let length = closed.or(is_cut.then_some(value.len()))?;
        *more.get_mut(place + 1)? = Span { start, end: start + length };
        from = (start + length + 1).min(line.len());
    }
    let rest = line.get(from..)?;
    (rest.is_empty() || rest.starts_with(BYTES)).then_some(more)
}

/// What a line of a `stream` server ends with.
const BYTES: &[u8] = b", bytes from/to client:";

/// Where the quote stands that is followed by `next`.
fn closing(value: &[u8], next: &[u8]) -> Option<usize> {
    memmem::find_iter(value, next)
        .find_map(|at| at.checked_sub(1).filter(|quote| value.get(*quote) == Some(&b'"')))
}
