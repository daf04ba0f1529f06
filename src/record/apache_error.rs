//! Apache's error log (2.4, `ErrorLogFormat` not set):
//! `[date] [module:level] [pid N:tid N] file.c(N): (errno)words: [client A:P] message, referer: R`.
//!
//! What stands before the client is the server's own; Apache escapes what a client put into the message. What a program
//! writes that Apache runs (CGI) goes into the file as it is, whole lines too.
//! <https://httpd.apache.org/docs/2.4/mod/core.html#errorlogformat>

use memchr::{memchr, memmem, memrchr};

use super::Field;
use super::access::{Span, Stop, without_return};
use super::date::{self, Reference};
use super::escape::Escape;
use super::slots::{Parts, Reading, Role, Slot};
use crate::address::Address;

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
            let address =
                without_port(line, Span { start: inside.start + b"client ".len(), end: inside.end });
            let message = Span { start: (inside.end + 2).min(line.len()), ..rest };
            return (Some(address), message);
        }
        let Some(colon) = memmem::find(here, b": ").filter(|_| is_origin(here)) else { break };
        at += colon + 2;
    }
    (None, rest)
}

/// Apache writes the port after a colon, and no brackets around IPv6: what follows the last colon is the port, if an
/// address stands before it.
fn without_port(line: &[u8], client: Span) -> Span {
    let colon = memrchr(b':', client.of(line)).map(|colon| Span { end: client.start + colon, ..client });
    colon.filter(|address| Address::parse(address.of(line)).is_some()).unwrap_or(client)
}

/// `core.c(4739): ` or `(13)Permission denied: `.
fn is_origin(text: &[u8]) -> bool {
    let words = text.split(|byte| *byte == b' ').next().unwrap_or_default();
    text.first() == Some(&b'(') || words.ends_with(b"):")
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;
    use proptest::sample::select;

    use crate::address::Address;
    use crate::record::{Field, Format, Record};

    /// What a client sent, by Apache's rules.
    fn escape(bytes: &[u8]) -> Vec<u8> {
        let one = |byte: &u8| match byte {
            b'"' | b'\\' => vec![b'\\', *byte],
            b'\n' => b"\\n".to_vec(),
            b'\r' => b"\\r".to_vec(),
            b'\t' => b"\\t".to_vec(),
            0..0x20 | 0x7f.. => format!("\\x{byte:02x}").into_bytes(),
            _ => vec![*byte],
        };
        bytes.iter().flat_map(one).collect()
    }

    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        let fragments = [
            &b"[client 9.9.9.9:1] "[..],
            b": [client 9.9.9.9:1] x",
            b"\n[Sat Nov 21 11:06:41.123456 2026] [core:error] [pid 1:tid 1] [client 9.9.9.9:1] x",
            b"]",
            b"\"",
            b"\\",
            b"(13)x: ",
            b"a.c(1): ",
            b"\xff",
            b"word ",
        ];
        prop::collection::vec(select(fragments.to_vec()), 0..6).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn what_was_sent_is_read_back(
            client in any::<IpAddr>(),
            word in select(vec!["client", "remote"]),
            before in select(vec!["", "(13)Permission denied: ", "core.c(1): (2)No such file: "]),
            sent in hostile(),
            referer in hostile(),
        ) {
            let head = format!("[Sat Nov 21 11:13:29.603684 2026] [core:error] [pid 1:tid 2] {before}[{word} {client}:4711] AH1: ");
            let line = [head.as_bytes(), &escape(&sent), b", referer: ", &escape(&referer)].concat();
            let record = Format::ApacheError.parse(&line).unwrap();
            prop_assert_eq!(record.address(), Some(Address::from(client)));
            prop_assert_eq!(record.field(&Field::Referer).unwrap(), &referer[..]);
            let message = [b"AH1: ", &sent[..]].concat();
            prop_assert_eq!(record.field(&Field::named("message")).unwrap(), &message[..]);
        }
    }

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

    /// As Apache 2.4.71 writes them: HTTP/2 (`remote`), TLS, log-ins, an address that `mod_remoteip` found, `ModSecurity` 2.
    #[test]
    fn lines_of_every_module_have_their_client() {
        let head = "[Sat Nov 21 11:13:29.603684 2026]";
        for (rest, client, module) in [
            (
                "[authz_core:error] [pid 31236:tid 31340] [remote 203.0.113.7:47800] AH01630: client denied by server configuration: /w/a",
                "203.0.113.7",
                "authz_core",
            ),
            (
                "[authz_core:error] [pid 31236:tid 31369] [client 2001:db8::7:0] AH01630: client denied by server configuration: /w/a\\n[Sat Nov 21 11:06:41.123456 2026] [core:error] [pid 1:tid 1] [client 9.9.9.9:1] x",
                "2001:db8::7",
                "authz_core",
            ),
            (
                "[auth_basic:error] [pid 31236:tid 31347] [client ::1:58416] AH01617: user bob: authentication failure for \"/auth/a\": Password Mismatch",
                "::1",
                "auth_basic",
            ),
            (
                "[auth_basic:error] [pid 31235:tid 31269] [client 203.0.113.7:58444] AH01618: user x\\n[client 9.9.9.9:1] not found: /auth/a",
                "203.0.113.7",
                "auth_basic",
            ),
            (
                "[ssl:info] [pid 31235:tid 31270] (70014)End of file found: [client 203.0.113.7:47780] AH02006: SSL handshake stopped: connection was closed",
                "203.0.113.7",
                "ssl",
            ),
            (
                "[core:error] [pid 31236:tid 31360] (36)File name too long: [client 203.0.113.7:58582] AH00036: access to /A: [client 9.9.9.9:1]",
                "203.0.113.7",
                "core",
            ),
            (
                "[:error] [pid 19383] [client 203.0.113.7:52711] [client 203.0.113.7] ModSecurity: Warning. [data \"[client 9.9.9.9]\"]",
                "203.0.113.7",
                "",
            ),
        ] {
            let line = format!("{head} {rest}");
            let record = read(&line);
            assert_eq!(record.address().unwrap().to_string(), client, "{line}");
            assert_eq!(text(&record, "module").as_deref(), Some(module), "{line}");
            assert_eq!(Format::detect([line.as_bytes()].into_iter()), Some(Format::ApacheError), "{line}");
        }
        for rest in [
            "[proxy:error] [pid 31235:tid 31295] (111)Connection refused: AH00957: http: attempt to connect to 9.9.9.9:1 (9.9.9.9:1) failed",
            "[ssl:info] [pid 31236:tid 31374] SSL Library Error: error:0A00009C:SSL routines::http request",
        ] {
            assert_eq!(read(&format!("{head} {rest}")).client_range(), None, "{rest}");
        }
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
