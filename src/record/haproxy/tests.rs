//! Lines as `HAProxy` 2.6 logs them, for clients that mean well and for others; lines written by its rules and read back.

use std::net::IpAddr;

use jiff::tz::TimeZone;
use jiff::{Timestamp, fmt::strtime};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::address::Address;
use crate::record::tests::fields::check;
use crate::record::tests::pieces::hostile;
use crate::record::{Field, Format, Record, Reference};

fn reference() -> Reference {
    Reference { now: "2026-11-22T00:00:00Z".parse().unwrap(), zone: TimeZone::UTC }
}

#[track_caller]
fn read(line: &str) -> Record<'_> {
    let read = Format::Haproxy.parse_at(line.as_bytes(), &reference());
    let record = read.unwrap_or_else(|error| panic!("{error}: {line}"));
    // Each record takes part in the test by its line alone.
    assert_eq!(Format::detect([line.as_bytes()].into_iter()), Some(Format::Haproxy), "{line}");
    record
}

const HTTP: &str = r#"203.0.113.7:51072 [21/Nov/2026:11:11:48.768] http-in~ static/s1 10/0/30/69/+109 200 +2750 - - ---- 1/2/3/4/+5 6/7 {a#7Bb#7Cc#7Dd#22e#23f g#80\x|9.9.9.9|} {nginx||} "GET /#22x{|}\?q HTTP/1.1""#;

#[test]
fn an_http_line_has_its_fields() {
    let record = read(HTTP);
    assert_eq!(record.address().unwrap().to_string(), "203.0.113.7");
    assert_eq!(&HTTP[record.time_range().unwrap()], "21/Nov/2026:11:11:48.768");
    assert_eq!(record.time().unwrap().to_string(), "2026-11-21T11:11:48.768Z");
    assert_eq!(Format::Haproxy.parse(HTTP.as_bytes()).unwrap().time(), None, "it names no zone");
    check(
        &record,
        &[
            ("frontend", "http-in"),
            ("backend", "static"),
            ("server", "s1"),
            ("time_request", "10"),
            ("time_queue", "0"),
            ("time_connect", "30"),
            ("time_response", "69"),
            ("time_total", "109"),
            ("status", "200"),
            ("bytes", "2750"),
            ("request_cookie", "-"),
            ("response_cookie", "-"),
            ("termination_state", "----"),
            ("active_connections", "1"),
            ("frontend_connections", "2"),
            ("backend_connections", "3"),
            ("server_connections", "4"),
            ("retries", "5"),
            ("server_queue", "6"),
            ("backend_queue", "7"),
            ("request_captures", "a{b|c}d\"e#f g\u{fffd}\\x|9.9.9.9|"),
            ("response_captures", "nginx||"),
            ("capture_1", "a{b|c}d\"e#f g\u{fffd}\\x"),
            ("capture_2", "9.9.9.9"),
            ("capture_3", ""),
            ("capture_4", "NONE"),
            ("response_capture_1", "nginx"),
            ("method", "GET"),
            ("path", "/\"x{|}\\"),
            ("query", "q"),
            ("protocol", "HTTP/1.1"),
            ("message", "NONE"),
            ("bind", "NONE"),
        ],
    );
    assert_eq!(record.number(&Field::of_format("time_total")), Some(109));
    assert_eq!((record.number(&Field::Status), record.number(&Field::Bytes)), (Some(200), Some(2750)));
    assert!(!record.refused());
}

#[test]
fn a_line_of_tcp_and_of_clf_have_theirs() {
    let tcp = "2001:db8::7:58416 [21/Nov/2026:11:11:54.870] tcp tdead/s1 1/-1/3001 12 cC 1/1/0/0/3 0/0";
    let record = read(tcp);
    assert_eq!(record.address().unwrap().to_string(), "2001:db8::7");
    let fields = [("frontend", "tcp"), ("time_queue", "1"), ("time_connect", "-1"), ("time_total", "3001")];
    check(&record, &fields);
    check(&record, &[("bytes", "12"), ("termination_state", "cC"), ("status", "NONE"), ("method", "NONE")]);
    assert_eq!(record.number(&Field::of_format("time_connect")), None);
    let clf = r#"203.0.113.7 - - [21/Nov/2026:12:11:51 +0100] "GET /a#22b\ HTTP/1.1" 503 217 "" "" 57782 866 "clf~" "empty" "<NOSRV>" 0 -1 -1 -1 7 PR-- 1 1 0 0 0 0 0 "sid=a" "" "u#22#7B x" "" "#;
    let record = read(clf);
    assert_eq!(record.address().unwrap().to_string(), "203.0.113.7");
    assert_eq!(record.time().unwrap().to_string(), "2026-11-21T11:11:51Z");
    check(
        &record,
        &[
            ("frontend", "clf"),
            ("backend", "empty"),
            ("server", "<NOSRV>"),
            ("time_total", "7"),
            ("path", "/a\"b\\"),
            ("request_cookie", "sid=a"),
            ("capture_1", "u\"{ x"),
            ("capture_2", ""),
        ],
    );
    assert!(record.refused());
}

#[test]
fn a_failed_connection_has_a_message_and_a_notice_has_no_client() {
    let line = "::1:59644 [21/Nov/2026:11:11:51.864] tls/1: SSL handshake failure";
    let record = read(line);
    assert_eq!(record.address().unwrap().to_string(), "::1");
    check(&record, &[("frontend", "tls"), ("bind", "1"), ("message", "SSL handshake failure")]);
    check(&record, &[("backend", "NONE"), ("status", "NONE")]);
    let notice = read("Server be/s1 is DOWN, reason: Layer4 connection problem");
    assert_eq!((notice.client_range(), notice.time_range()), (None, None));
    check(&notice, &[("message", "Server be/s1 is DOWN, reason: Layer4 connection problem")]);
}

#[test]
fn what_ends_a_session_is_known() {
    for (from, to, refused) in [("----", "PR--", true), ("200 +", "403 ", true), ("----", "PH--", false)] {
        assert_eq!(read(&HTTP.replacen(from, to, 1)).refused(), refused, "{to}");
    }
    let aborted = read(&HTTP.replacen(" 200 ", " -1 ", 1)).number(&Field::Status);
    assert_eq!(aborted, Some(1), "no status that a rule asks for");
    assert_eq!(read("unix:1 [21/Nov/2026:11:11:51.864] tls/1: SSL handshake failure").address(), None);
}

#[test]
fn a_cookie_of_a_client_moves_nothing() {
    let line = r#"203.0.113.7:51102 [21/Nov/2026:11:11:51.774] http-in empty/<NOSRV> 0/-1/-1/-1/0 503 217 sid=a b - PR-- 1/1/1/1/0 0/0 {x} "GET /fake HTTP/1.1" - SC-- 1/1/0/0/0 0/0 {|} {} "GET /true HTTP/1.1""#;
    let record = read(line);
    check(&record, &[("path", "/true"), ("termination_state", "SC--"), ("response_cookie", "-")]);
    check(&record, &[("request_cookie", r#"sid=a b - PR-- 1/1/1/1/0 0/0 {x} "GET /fake HTTP/1.1""#)]);
}

#[test]
fn a_line_may_be_cut_or_go_on_behind_the_request() {
    let tls = r#"203.0.113.7:1 [21/Nov/2026:11:11:51.831] tls~ empty/<NOSRV> 0/-1/-1/-1/0 503 217 - - SC-- 1/1/0/0/0 0/0 "GET /ok HTTP/1.1" 0/0000/0/0/0 a" "x.example/TLSv1.3/TLS_AES_256_GCM_SHA384"#;
    check(&read(tls), &[("path", "/ok"), ("protocol", "HTTP/1.1"), ("termination_state", "SC--")]);
    let cut = &tls[..tls.find("/ok").unwrap() + 2];
    check(&read(cut), &[("path", "/o"), ("protocol", "NONE"), ("server", "<NOSRV>")]);
    assert!(Format::Haproxy.parse(&tls.as_bytes()[..tls.find('"').unwrap()]).is_err());
}

#[test]
fn what_haproxy_does_not_write_is_refused_and_told() {
    for (line, message) in [
        ("", "no haproxy line: a client and its port expected at byte 0"),
        (
            "203.0.113.7 [21/Nov/2026:11:11:48.768] x",
            "no haproxy line: a client and its port expected at byte 0",
        ),
        (
            "203.0.113.7:a [21/Nov/2026:11:11:48.768] x",
            "no haproxy line: a client and its port expected at byte 0",
        ),
        ("203.0.113.7:1 [x] y", "no haproxy line: a date expected at byte 15"),
        ("203.0.113.7:1 [21/Nov/2026:11:11:48.768 x] y", "no haproxy line: a date expected at byte 15"),
        (
            "203.0.113.7:1 [21/Nov/2026:11:11:48.768] f b",
            "no haproxy line: a backend and a server expected at byte 43",
        ),
        (
            "203.0.113.7:1 [21/Nov/2026:11:11:48.768] f b/s 1/2",
            "no haproxy line: three or five timers expected at byte 47",
        ),
        (
            "203.0.113.7:1 [21/Nov/2026:11:11:48.768] f b/s 1/2/3/4/5 0200",
            "no haproxy line: a status expected at byte 57",
        ),
    ] {
        assert_eq!(Format::Haproxy.parse(line.as_bytes()).unwrap_err().to_string(), message, "{line}");
    }
    for line in [HTTP, &HTTP.replace(" {nginx||}", "")] {
        for end in 0..line.len() {
            let _ = Format::Haproxy.parse(&line.as_bytes()[..end]).map(|record| record.address());
        }
    }
}

#[test]
fn it_has_other_names() {
    for name in ["haproxy", "haproxy_http", "haproxy-tcp", "haproxy_clf", "httplog", "tcplog"] {
        assert_eq!(name.parse(), Ok(Format::Haproxy), "{name}");
    }
    assert_eq!("vhost-combined".parse(), Ok(Format::VhostCombined));
}

/// What a client sent: as much as `HAProxy` lets through, and more.
#[derive(Clone, Debug)]
struct Sent {
    client: IpAddr,
    at: Timestamp,
    request: Vec<u8>,
    headers: Vec<Vec<u8>>,
    cookie: Option<Vec<u8>>,
    status: u16,
    state: &'static str,
    bad: bool,
}

fn escape(bytes: &[u8], also: &[u8]) -> Vec<u8> {
    let one = |byte: &u8| {
        let plain = matches!(byte, b' '..=b'~') && !b"\"#".contains(byte) && !also.contains(byte);
        if plain { vec![*byte] } else { format!("#{byte:02X}").into_bytes() }
    };
    bytes.iter().flat_map(one).collect()
}

impl Sent {
    fn write(&self, tail: &[u8]) -> Vec<u8> {
        let date = strtime::format("%d/%b/%Y:%H:%M:%S.%3f", self.at).unwrap();
        let head = format!("{}:4711 [{date}] fe~ be/s1 1/-1/2/3/4 {} 12 ", self.client, self.status);
        let mut line = head.into_bytes();
        line.extend(self.cookie.as_deref().unwrap_or(b"-"));
        line.extend(format!(" - {} 1/2/3/4/5 6/7 ", self.state).into_bytes());
        if !self.headers.is_empty() && !self.bad {
            let headers: Vec<Vec<u8>> = self.headers.iter().map(|header| escape(header, b"{|}")).collect();
            line.extend([b"{", &headers.join(&b'|')[..], b"} {} "].concat());
        }
        let request = if self.bad { b"<BADREQ>".to_vec() } else { escape(&self.request, b"") };
        line.extend([b"\"", &request[..], b"\"", tail].concat());
        line
    }
}

const FRAGMENTS: &[&[u8]] = &[
    b" ",
    b"\"",
    b"#",
    b"#22",
    b"{",
    b"|",
    b"} {",
    b"\\",
    b" - PR-- 1/1/1/1/0 0/0 ",
    b"9.9.9.9:1 [01/Jan/2001:00:00:00.000] fe be/s1 0/0/0/0/0 200 1 - - ---- 0/0/0/0/0 0/0 \"GET / HTTP/1.1\"",
    b"9.9.9.9 - - [01/Jan/2001:00:00:00 +0000] \"GET / HTTP/1.1\" 200 1 \"\" \"\" ",
    b"[01/Jan/2001:00:00:00.000] ",
    b"<BADREQ>",
    b" HTTP/1.1",
    b"\r",
    b"\0",
];

fn sent() -> impl Strategy<Value = Sent> {
    let texts = (hostile(FRAGMENTS), vec(hostile(FRAGMENTS), 0..4), proptest::option::of(hostile(FRAGMENTS)));
    let ends = (100_u16..600, select(vec!["----", "SC--", "PR--", "CD--", "LR--"]), any::<bool>());
    (any::<IpAddr>(), 946_684_800_i64..4_000_000_000, texts, ends).prop_map(
        |(client, second, texts, ends)| {
            let (request, headers, cookie) = texts;
            // A header has no line end.
            let cookie =
                cookie.map(|cookie| cookie.into_iter().filter(|byte| !b"\r\n".contains(byte)).collect());
            let (status, state, bad) = ends;
            Sent {
                client,
                at: Timestamp::from_second(second).unwrap(),
                request,
                headers,
                cookie,
                status,
                state,
                bad,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn what_was_sent_is_read_back(sent in sent()) {
        let line = sent.write(b"");
        let record = Format::Haproxy.parse_at(&line, &reference()).unwrap();
        prop_assert_eq!(record.address(), Some(Address::from(sent.client)));
        prop_assert_eq!(record.time(), Some(sent.at));
        prop_assert_eq!(record.number(&Field::Status), Some(u64::from(sent.status)));
        prop_assert_eq!(record.field(&Field::of_format("termination_state")).unwrap(), sent.state.as_bytes());
        if let Some(cookie) = sent.cookie.as_deref().filter(|cookie| cookie.trim_ascii() == *cookie && !cookie.is_empty()) {
            prop_assert_eq!(record.field(&Field::of_format("request_cookie")).unwrap(), cookie);
        }
        let request = if sent.bad { &b"<BADREQ>"[..] } else { &sent.request[..] };
        if record.field(&Field::Method).is_none() {
            prop_assert_eq!(record.field(&Field::RequestUri).unwrap(), request);
        }
        for (at, header) in sent.headers.iter().enumerate().filter(|_| !sent.bad) {
            let field = Field::of_format(&format!("capture_{}", at + 1));
            prop_assert_eq!(record.field(&field).unwrap(), &header[..]);
        }
        let literal = Format::Haproxy.status_literal(sent.status).unwrap();
        prop_assert!(memchr::memmem::find(&line, &literal).is_some());
    }

    #[test]
    fn what_stands_before_the_cookies_is_read_from_every_line(sent in sent(), tail in hostile(FRAGMENTS), end in any::<prop::sample::Index>()) {
        let mut line = sent.write(&[b" 0/0/0/0/0 ", &tail[..]].concat());
        line.truncate(end.index(line.len() + 1));
        let Ok(record) = Format::Haproxy.parse_at(&line, &reference()) else { return Ok(()) };
        prop_assert_eq!(record.address(), Some(Address::from(sent.client)));
        prop_assert_eq!(record.number(&Field::Status), Some(u64::from(sent.status)));
        let mut buffer = Vec::new();
        let cut = record.without_date(&mut buffer).len();
        prop_assert!(record.uncut(0..cut).end <= line.len());
    }
}
