//! Apache's error log (2.4, `ErrorLogFormat` not set):
//! `[date] [module:level] [pid N:tid N] file.c(N): (errno)words: [client A:P] message, referer: R`.
//!
//! What stands before the client is the server's own; Apache escapes what a client put into the message.
//! <https://httpd.apache.org/docs/2.4/mod/core.html#errorlogformat>

use memchr::{memchr, memmem};

use super::Field;
use super::access::{Span, Stop, without_return};
use super::date::{self, Reference};
use super::escape::Escape;
use super::slots::{Parts, Reading, Role, Slot};

/// In the order of the spans that `read` returns.
pub(super) static SLOTS: [Slot; 5] = [
    Slot::new(Role::Client, Escape::None),
    Slot::new(Role::Is(Field::named("module")), Escape::None),
    Slot::new(Role::Is(Field::named("level")), Escape::None),
    Slot::new(Role::Is(Field::named("message")), Escape::Server),
    Slot::new(Role::Is(Field::Referer), Escape::Server),
];

/// Between message and Referer; the last one is the server's.
const REFERER: &[u8] = b", referer: ";

/// Reads one line. A message without a client is the server's own: its line has no address.
pub(super) fn read(line: &[u8], reference: Option<&Reference>) -> Reading {
    let line = without_return(line);
    let (date, origin) = (bracketed(line, 0)?, |at| bracketed(line, at));
    let found = date::at_start(date.of(line)).ok_or(Stop { at: 1, expected: "a date" })?;
    let by = origin(date.end + 2)?;
    let colon = memchr(b':', by.of(line)).ok_or(Stop { at: by.start, expected: "module:level" })?;
    let process = origin(by.end + 2)?;
    if !process.of(line).starts_with(b"pid ") {
        return Err(Stop { at: process.start, expected: "pid" });
    }
    let rest = Span { start: (process.end + 2).min(line.len()), end: line.len() };
    let (client, message) = client(line, rest);
    let referer = memmem::rfind(message.of(line), REFERER).map(|at| message.start + at);
    let referer_span = referer.map(|at| Span { start: at + REFERER.len(), end: line.len() });
    let spans = [
        client.unwrap_or(Span::ABSENT),
        Span { end: by.start + colon, ..by },
        Span { start: by.start + colon + 1, ..by },
        Span { end: referer.unwrap_or(message.end), ..message },
        referer_span.unwrap_or(Span::ABSENT),
    ];
    Ok(Parts { spans: spans.into_iter().collect(), date: Some(date), time: found.time(reference) })
}

/// What stands in the brackets that open at `at`.
fn bracketed(line: &[u8], at: usize) -> Result<Span, Stop> {
    let inside = line.get(at..).and_then(|rest| rest.strip_prefix(b"["));
    let length = inside.and_then(|inside| memchr(b']', inside));
    let length = length.ok_or(Stop { at: at.min(line.len()), expected: "a part in brackets" })?;
    Ok(Span { start: at + 1, end: at + 1 + length })
}

/// The client without its port, and the message. Before the client stand at most the source file and the system's words
/// for an error: both end in a colon and a blank.
fn client(line: &[u8], rest: Span) -> (Option<Span>, Span) {
    let mut at = rest.start;
    for _ in 0..3 {
        let here = line.get(at..).unwrap_or_default();
        if here.starts_with(b"[client ") || here.starts_with(b"[remote ") {
            let Ok(inside) = bracketed(line, at) else { break };
            let address = Span { start: inside.start + b"client ".len(), end: inside.end };
            let message = Span { start: (inside.end + 2).min(line.len()), ..rest };
            return (Some(address), message);
        }
        let Some(colon) = memmem::find(here, b": ").filter(|_| is_origin(here)) else { break };
        at += colon + 2;
    }
    (None, rest)
}

/// `core.c(4739): ` or `(13)Permission denied: `.
fn is_origin(text: &[u8]) -> bool {
    let words = text.split(|byte| *byte == b' ').next().unwrap_or_default();
    text.first() == Some(&b'(') || words.ends_with(b"):")
}

#[cfg(test)]
mod tests {
    use crate::record::{Field, Format, Record};

    fn read(line: &str) -> Record<'_> {
        Format::ApacheError.parse(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    fn text(record: &Record<'_>, field: &str) -> Option<String> {
        let value = record.field(&Field::of_format(field))?;
        Some(String::from_utf8_lossy(&value).into_owned())
    }

    #[test]
    fn a_line_has_client_module_level_and_message() {
        for before in
            ["", "(13)Permission denied: ", "mod_authz_core.c(879): ", "core.c(1): (2)No such file: "]
        {
            let line = format!(
                "[Fri Nov 20 15:51:57.123456 2026] [authz_core:error] [pid 7:tid 140] {before}[client 203.0.113.7:50112] \
                 AH01630: client denied by server configuration: /x\\ny, referer: https://h/, referer: z"
            );
            let record = read(&line);
            assert_eq!(record.address().unwrap().to_string(), "203.0.113.7");
            assert_eq!(&line[record.time_range().unwrap()], "Fri Nov 20 15:51:57.123456 2026");
            assert_eq!(text(&record, "module").as_deref(), Some("authz_core"));
            assert_eq!(text(&record, "level").as_deref(), Some("error"));
            let message = "AH01630: client denied by server configuration: /x\ny, referer: https://h/";
            assert_eq!(text(&record, "message").as_deref(), Some(message));
            assert_eq!(text(&record, "referer").as_deref(), Some("z"));
            assert_eq!(text(&record, "status"), None);
        }
    }

    #[test]
    fn a_message_of_the_server_names_nobody_whatever_it_says() {
        for message in [
            "AH00489: Apache/2.4 configured [client 9.9.9.9:1] x",
            "AH00094: Command line: '[client 9.9.9.9:1]'",
            "(x [client 9.9.9.9:1] x",
        ] {
            let line = format!("[Fri Nov 20 15:51:57.123456 2026] [core:notice] [pid 7:tid 140] {message}");
            assert_eq!(read(&line).address(), None, "{line}");
        }
        let bracketed =
            "[Fri Nov 20 15:51:57 2026] [core:error] [pid 7] [client 2001:db8::7] x [client 9.9.9.9:1] y";
        assert_eq!(read(bracketed).address().unwrap().to_string(), "2001:db8::7");
    }

    #[test]
    fn what_is_cut_short_is_refused_or_read_as_far_as_it_goes() {
        let line =
            "[Fri Nov 20 15:51:57.123456 2026] [core:error] [pid 7:tid 1] [client 203.0.113.7:1] AH1: x";
        for end in 0..line.len() {
            let _ = Format::ApacheError.parse(&line.as_bytes()[..end]).map(|record| record.address());
        }
        assert!(Format::ApacheError.parse(b"[x] [core:error] [pid 7] y").is_err());
        assert!(Format::ApacheError.parse(b"[Fri Nov 20 15:51:57 2026] [core:error] [tid 7] y").is_err());
    }
}
