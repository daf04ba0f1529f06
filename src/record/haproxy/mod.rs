//! `HAProxy`'s lines, as they stand in one file or arrive by syslog, without the syslog header: `option httplog` and
//! `httpslog`, `tcplog`, `httplog clf`, errors of a connection, and what it says about its own servers.
//!
//! `CLIENT:PORT [DATE] FRONTEND BACKEND/SERVER TIMERS STATUS BYTES COOKIES STATE COUNTS QUEUES {CAPTURES} "REQUEST"`.
//! The client stands first, and no byte of it is the client's to choose; an IPv6 address has no brackets, so the port is
//! behind the last colon. `HAProxy` writes `#XX` for `"` and `#` in a request, and for `{`, `|` and `}` too in captured
//! headers. A captured cookie it writes as it came, blanks and quotes and all: so what stands behind the cookies is read
//! from the line's end, where a client can put no quote. Where a line does not end with the request (`httpslog`, or cut
//! by `log … len`) its first quote opens the request; only there, and only with `capture cookie`, can a client's cookie
//! pass for his own request and end of session. Client, time, status and bytes stand before it.
//! `HAProxy` 2.6, configuration manual, chapter 8 (logging).

mod clf;
mod parts;
#[cfg(test)]
mod tests;

use memchr::{memchr, memrchr};

use super::Field;
use super::access::{Span, Stop, without_return};
use super::date::{self, Reference};
use super::escape::Escape;
use super::slots::{Parts, Reading, Role, Slot};
use parts::{At, Line, Words};

/// A field as it stands.
const fn plain(name: &'static str) -> Slot {
    Slot::new(Role::Is(Field::named(name)), Escape::None)
}

/// A field with `#XX` in it.
const fn escaped(name: &'static str) -> Slot {
    Slot::new(Role::Is(Field::named(name)), Escape::Haproxy)
}

/// In the order of `At`; then the captures.
pub(super) static SLOTS: [Slot; At::COUNT + 2 * parts::CAPTURES] = [
    Slot::new(Role::Client, Escape::None),
    plain("frontend"),
    plain("backend"),
    plain("server"),
    plain("time_request"),
    plain("time_queue"),
    plain("time_connect"),
    plain("time_response"),
    plain("time_total"),
    Slot::new(Role::Is(Field::Status), Escape::None),
    Slot::new(Role::Is(Field::Bytes), Escape::None),
    plain("request_cookie"),
    plain("response_cookie"),
    plain("termination_state"),
    plain("active_connections"),
    plain("frontend_connections"),
    plain("backend_connections"),
    plain("server_connections"),
    plain("retries"),
    plain("server_queue"),
    plain("backend_queue"),
    escaped("request_captures"),
    escaped("response_captures"),
    Slot::new(Role::Request, Escape::Haproxy),
    plain("bind"),
    plain("message"),
    escaped("capture_1"),
    escaped("capture_2"),
    escaped("capture_3"),
    escaped("capture_4"),
    escaped("capture_5"),
    escaped("capture_6"),
    escaped("capture_7"),
    escaped("capture_8"),
    escaped("response_capture_1"),
    escaped("response_capture_2"),
    escaped("response_capture_3"),
    escaped("response_capture_4"),
    escaped("response_capture_5"),
    escaped("response_capture_6"),
    escaped("response_capture_7"),
    escaped("response_capture_8"),
];

/// How lines begin that tell of a server, a proxy or a check, and concern no client.
const NOTICES: [&[u8]; 9] = [
    b"Server ",
    b"Backup Server ",
    b"backend ",
    b"Proxy ",
    b"Stopping ",
    b"Pausing ",
    b"Health check for ",
    b"[WARNING]",
    b"[NOTICE]",
];

/// Reads one line. It needs a reference for the time, but in CLF: `HAProxy` logs local time without its offset.
pub(super) fn read(line: &[u8], reference: Option<&Reference>) -> Reading {
    let line = without_return(line);
    if NOTICES.iter().any(|notice| line.starts_with(notice)) {
        let mut read = Line::new();
        read.set(At::Message, Span { start: 0, end: line.len() });
        return Ok(read.parts(None, None));
    }
    let mut words = Words { line, at: 0 };
    let client = words.next("a client and its port")?;
    if line.get(words.at..).is_some_and(|rest| rest.starts_with(b"- - [")) {
        return clf::read(words, client);
    }
    let client = without_port(line, client)?;
    let date = bracketed(&mut words)?;
    let found = date::at_start(date.of(line)).filter(|found| found.span.end == date.end - date.start);
    let time = found.ok_or(Stop { at: date.start, expected: "a date" })?.time(reference);
    let mut read = Line::new();
    read.set(At::Client, client);
    session(&mut words, &mut read)?;
    Ok(read.parts(Some(date), time))
}

/// What stands before the last colon; behind it there are digits only.
fn without_port(line: &[u8], client: Span) -> Result<Span, Stop> {
    let stop = Stop { at: client.start, expected: "a client and its port" };
    let colon = memrchr(b':', client.of(line)).filter(|colon| *colon > 0).ok_or(stop)?;
    let port = client.of(line).get(colon + 1..).unwrap_or_default();
    let is_port = !port.is_empty() && port.iter().all(u8::is_ascii_digit);
    if is_port { Ok(Span { end: client.start + colon, ..client }) } else { Err(stop) }
}

/// What stands in the brackets of the next word.
fn bracketed(words: &mut Words<'_>) -> Result<Span, Stop> {
    let stop = Stop { at: words.at, expected: "a date in brackets" };
    let rest = words.rest().strip_prefix(b"[").ok_or(stop)?;
    let length = memchr(b']', rest).filter(|length| rest.get(length + 1) == Some(&b' ')).ok_or(stop)?;
    let date = Span { start: words.at + 1, end: words.at + 1 + length };
    words.at = date.end + 2;
    Ok(date)
}

/// What follows the date: of a connection that failed `FRONTEND/BIND: MESSAGE`, else the session.
fn session(words: &mut Words<'_>, read: &mut Line) -> Result<(), Stop> {
    let line = words.line;
    let frontend = words.next("a frontend")?;
    if let Some((name, bind)) = failed(line, frontend) {
        read.set(At::Frontend, name);
        read.set(At::Bind, bind);
        read.set(At::Message, Span { start: words.at, end: line.len() });
        return Ok(());
    }
    // `~` marks TLS.
    let tls = usize::from(frontend.of(line).ends_with(b"~"));
    read.set(At::Frontend, Span { end: frontend.end - tls, ..frontend });
    let [backend, server] = words.pair()?;
    read.set(At::Backend, backend);
    read.set(At::Server, server);
    if let Some(timers) = words.numbers::<5>() {
        read.set_all(At::TimeRequest, timers);
        http(words, read)
    } else if let Some([queue, connect, total]) = words.numbers::<3>() {
        read.set(At::TimeQueue, queue);
        read.set(At::TimeConnect, connect);
        read.set(At::TimeTotal, total);
        tcp(words, read)
    } else {
        Err(Stop { at: words.at, expected: "three or five timers" })
    }
}

/// `FRONTEND/BIND:`, which no name of a frontend looks like.
fn failed(line: &[u8], word: Span) -> Option<(Span, Span)> {
    let names = word.of(line).strip_suffix(b":")?;
    let slash = memchr(b'/', names)?;
    let end = word.start + names.len();
    Some((Span { start: word.start, end: word.start + slash }, Span { start: word.start + slash + 1, end }))
}

/// `BYTES STATE COUNTS QUEUES`.
fn tcp(words: &mut Words<'_>, read: &mut Line) -> Result<(), Stop> {
    read.set(At::Bytes, words.number("a number of bytes")?);
    let state = words.next("the session's end")?;
    counts(words, read, state, 2)
}

/// `STATE` was taken: of so many characters; `COUNTS QUEUES` follow.
fn counts(words: &mut Words<'_>, read: &mut Line, state: Span, length: usize) -> Result<(), Stop> {
    if state.end - state.start != length {
        return Err(Stop { at: state.start, expected: "how the session ended" });
    }
    let at = words.at;
    let counts = words.numbers::<5>().ok_or(Stop { at, expected: "five numbers of connections" })?;
    let queues = words.numbers::<2>().ok_or(Stop { at: words.at, expected: "two lengths of queues" })?;
    read.set(At::TerminationState, state);
    read.set_all(At::ActiveConnections, counts);
    read.set_all(At::ServerQueue, queues);
    Ok(())
}

/// `STATUS BYTES`, and what follows.
fn http(words: &mut Words<'_>, read: &mut Line) -> Result<(), Stop> {
    read.set(At::Status, words.status()?);
    read.set(At::Bytes, words.number("a number of bytes")?);
    let line = words.line;
    let (open, close) = request(line, words.at)?;
    read.set(At::Request, Span { start: open + 1, end: close });
    let before = captures(line, Span { start: words.at, end: open }, read);
    let state =
        last_words(line, before, 3).ok_or(Stop { at: words.at, expected: "how the session ended" })?;
    let mut rest = Words { line: line.get(..before.end).unwrap_or(line), at: state };
    let state = rest.next("how the session ended")?;
    counts(&mut rest, read, state, 4)?;
    cookies(line, Span { start: words.at, end: state.start }, read);
    Ok(())
}

/// Where the request's quotes stand, from `at` on; a line that was cut has no closing one.
fn request(line: &[u8], at: usize) -> Result<(usize, usize), Stop> {
    let rest = line.get(at..).unwrap_or_default();
    let stop = Stop { at, expected: "a request in quotes" };
    let whole = rest.strip_suffix(b"\"").and_then(|before| Some((memrchr(b'"', before)?, before.len())));
    let (open, close) = if let Some(quotes) = whole {
        quotes
    } else {
        let open = memchr(b'"', rest).ok_or(stop)?;
        let inside = rest.get(open + 1..).unwrap_or_default();
        (open, memchr(b'"', inside).map_or(rest.len(), |length| open + 1 + length))
    };
    Ok((at + open, at + close))
}

/// Takes up to two groups in braces off the end of `before`; one alone is taken for the request's.
fn captures(line: &[u8], before: Span, read: &mut Line) -> Span {
    let mut rest = parts::trimmed(line, before);
    let mut group = || {
        let inside = rest.of(line).strip_suffix(b"}")?;
        let open = memrchr(b'{', inside)?;
        let span = Span { start: rest.start + open + 1, end: rest.start + inside.len() };
        rest = parts::trimmed(line, Span { end: rest.start + open, ..rest });
        Some(span)
    };
    match (group(), group()) {
        (Some(response), Some(request)) => read.captured(line, request, Some(response)),
        (Some(request), None) => read.captured(line, request, None),
        (None, _) => {}
    }
    rest
}

/// Where the last so many words begin.
fn last_words(line: &[u8], span: Span, count: usize) -> Option<usize> {
    let mut end = span.end;
    for word in 0..count {
        let text = Span { start: span.start, end }.of(line);
        match memrchr(b' ', text) {
            Some(blank) if word + 1 == count => return Some(span.start + blank + 1),
            Some(blank) => end = span.start + blank,
            None if word + 1 == count && !text.is_empty() => return Some(span.start),
            None => return None,
        }
    }
    None
}

/// The client's cookie, which may hold blanks, and the server's.
fn cookies(line: &[u8], span: Span, read: &mut Line) {
    let both = parts::trimmed(line, span);
    if let Some(blank) = memrchr(b' ', both.of(line)) {
        read.set(At::RequestCookie, Span { end: both.start + blank, ..both });
        read.set(At::ResponseCookie, Span { start: both.start + blank + 1, ..both });
    }
}
