//! `option httplog clf`:
//! `CLIENT - - [DATE] "REQUEST" STATUS BYTES "" "" PORT MS "FRONTEND" "BACKEND" "SERVER" TIMERS STATE COUNTS "COOKIES" "CAPTURES"`,
//! each number a word. What a client may write raw, the cookie, stands behind everything that matters.

use memchr::memchr;

use super::parts::{At, Line, Words};
use super::{Reading, Span, Stop};
use crate::record::clf;

/// What stands between the client and the date.
const NOBODY: &[u8] = b"- - ";
/// Between bytes and port: Referer and User-Agent, which `HAProxy` does not know.
const EMPTY: &[u8] = b"\"\" \"\" ";

/// Reads what follows the client.
pub(super) fn read(mut words: Words<'_>, client: Span) -> Reading {
    let line = words.line;
    words.at += NOBODY.len();
    let date = super::bracketed(&mut words)?;
    let text = <&[u8; clf::LENGTH]>::try_from(date.of(line)).ok();
    let time = text.and_then(clf::read).ok_or(Stop { at: date.start, expected: "a date" })?;
    let mut read = Line::new();
    read.set(At::Client, client);
    read.set(At::Request, quoted(&mut words, "a request in quotes")?);
    read.set(At::Status, words.status()?);
    read.set(At::Bytes, words.number("a number of bytes")?);
    if !words.rest().starts_with(EMPTY) {
        return Err(Stop { at: words.at, expected: "an empty Referer and User-Agent" });
    }
    words.at += EMPTY.len();
    words.number("a port")?;
    words.number("milliseconds")?;
    for at in [At::Frontend, At::Backend, At::Server] {
        let name = quoted(&mut words, "a name in quotes")?;
        let tls = usize::from(matches!(at, At::Frontend) && name.of(line).ends_with(b"~"));
        read.set(at, Span { end: name.end - tls, ..name });
    }
    numbers(&mut words, &mut read)?;
    cookies(&mut words, &mut read);
    Ok(read.parts(Some(date), Some(time)))
}

/// Timers, the session's end, connections and queues.
fn numbers(words: &mut Words<'_>, read: &mut Line) -> Result<(), Stop> {
    read.set_all(At::TimeRequest, each::<5>(words)?);
    let state = words.next("how the session ended")?;
    if state.end - state.start != "----".len() {
        return Err(Stop { at: state.start, expected: "how the session ended" });
    }
    read.set(At::TerminationState, state);
    let [active, frontend, backend, server, retries, server_queue, backend_queue] = each(words)?;
    read.set_all(At::ActiveConnections, [active, frontend, backend, server, retries]);
    read.set_all(At::ServerQueue, [server_queue, backend_queue]);
    Ok(())
}

fn each<const N: usize>(words: &mut Words<'_>) -> Result<[Span; N], Stop> {
    let mut spans = [Span::ABSENT; N];
    for span in &mut spans {
        *span = words.number("a number")?;
    }
    Ok(spans)
}

/// Both cookies, then the captured headers: those of the request and of the response are not told apart.
fn cookies(words: &mut Words<'_>, read: &mut Line) {
    for at in [At::RequestCookie, At::ResponseCookie] {
        let Ok(cookie) = quoted(words, "a cookie in quotes") else { return };
        read.set(at, cookie);
    }
    read.set(
        At::RequestCaptures,
        super::parts::trimmed(words.line, Span { start: words.at, end: words.line.len() }),
    );
    let captures = std::iter::from_fn(|| quoted(words, "a header in quotes").ok());
    for (number, capture) in captures.take(super::parts::CAPTURES).enumerate() {
        read.add_capture(number, capture);
    }
}

/// What stands in quotes, and the blank after it; an escaped quote is `#22`.
fn quoted(words: &mut Words<'_>, expected: &'static str) -> Result<Span, Stop> {
    let stop = Stop { at: words.at, expected };
    let inside = words.rest().strip_prefix(b"\"").ok_or(stop)?;
    let length = memchr(b'"', inside).ok_or(stop)?;
    let span = Span { start: words.at + 1, end: words.at + 1 + length };
    words.at = (span.end + 1).min(words.line.len());
    if words.rest().first() == Some(&b' ') {
        words.at += 1;
    }
    Ok(span)
}
