//! Lines written by the servers' own rules from arbitrary bytes, and read back.

use std::net::IpAddr;

use jiff::Timestamp;
use jiff::fmt::strtime;
use proptest::collection::vec;
use proptest::prelude::*;

use super::pieces::hostile;
use crate::address::Address;
use crate::record::{Field, Format};

/// Whose escaping rules a line is written by.
#[derive(Clone, Copy, Debug)]
enum Server {
    Nginx,
    Apache,
}

/// What a client sent, and how it was answered.
#[derive(Clone, Debug)]
struct Sent {
    client: IpAddr,
    at: Timestamp,
    user: Vec<u8>,
    request: Vec<u8>,
    status: u16,
    bytes: Option<u32>,
    referer: Vec<u8>,
    user_agent: Vec<u8>,
}

impl Server {
    fn escape(self, bytes: &[u8]) -> Vec<u8> {
        bytes.iter().flat_map(|byte| self.escape_byte(*byte)).collect()
    }

    fn escape_byte(self, byte: u8) -> Vec<u8> {
        match (self, byte) {
            (Self::Apache, b'"' | b'\\') => vec![b'\\', byte],
            (Self::Apache, b'\n') => b"\\n".to_vec(),
            (Self::Apache, b'\r') => b"\\r".to_vec(),
            (Self::Apache, b'\t') => b"\\t".to_vec(),
            (Self::Apache, 0x08) => b"\\b".to_vec(),
            (Self::Apache, 0x0b) => b"\\v".to_vec(),
            (Self::Apache, 0..0x20 | 0x7f..) => format!("\\x{byte:02x}").into_bytes(),
            (Self::Nginx, 0..0x20 | 0x7f.. | b'"' | b'\\') => format!("\\x{byte:02X}").into_bytes(),
            _ => vec![byte],
        }
    }

    /// An empty user is `-` for nginx, and two raw quotes for Apache.
    fn user(self, user: &[u8]) -> Vec<u8> {
        match (self, user) {
            (Self::Nginx, b"") => b"-".to_vec(),
            (Self::Apache, b"") => b"\"\"".to_vec(),
            _ => self.escape(user),
        }
    }

    fn write(self, sent: &Sent) -> Vec<u8> {
        let date = strtime::format("%d/%b/%Y:%H:%M:%S +0000", sent.at).unwrap();
        let bytes = sent.bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
        let mut line = format!("{} - ", sent.client).into_bytes();
        line.extend(self.user(&sent.user));
        line.extend(format!(" [{date}] \"").into_bytes());
        line.extend(self.escape(&sent.request));
        line.extend(format!("\" {:03} {bytes} \"", sent.status).into_bytes());
        line.extend(self.escape(&sent.referer));
        line.extend(b"\" \"");
        line.extend(self.escape(&sent.user_agent));
        line.push(b'"');
        line
    }
}

/// Pieces of lines that would mislead a search.
const FRAGMENTS: &[&[u8]] = &[
    b" ",
    b"\"",
    b"\\",
    b"\"\"",
    b"\"\" ",
    b"-",
    b"- ",
    b"- - ",
    b"[",
    b"] \"",
    b" [01/Jan/2001:00:00:00 +0000] ",
    b"[01/Jan/2001:00:00:00 +0000] \"",
    b"9.9.9.9 - - [01/Jan/2001:00:00:00 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\"",
    b"\" 200 1 \"-\" \"-\"",
    b"\\x22",
    b"\r",
    b"\n",
    b"\0",
    b" HTTP/1.1",
    b"2001-01-01 00:00:00 ",
];

fn sent() -> impl Strategy<Value = Sent> {
    let answer = (100_u16..600, proptest::option::of(any::<u32>()));
    let texts = (hostile(FRAGMENTS), hostile(FRAGMENTS), hostile(FRAGMENTS), hostile(FRAGMENTS));
    (any::<IpAddr>(), 0_i64..4_000_000_000, answer, texts).prop_map(
        |(client, second, (status, bytes), (user, request, referer, user_agent))| {
            let at = Timestamp::from_second(second).unwrap();
            Sent { client, at, user, request, status, bytes, referer, user_agent }
        },
    )
}

fn server() -> impl Strategy<Value = Server> {
    prop_oneof![Just(Server::Nginx), Just(Server::Apache)]
}

fn check(format: &Format, line: &[u8], server: Server, sent: &Sent) -> Result<(), TestCaseError> {
    let record = format.parse(line).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let user: &[u8] = match (server, &sent.user[..]) {
        (Server::Nginx, b"") => b"-",
        (_, user) => user,
    };
    prop_assert_eq!(record.address(), Some(Address::from(sent.client)));
    prop_assert_eq!(record.time(), Some(sent.at));
    prop_assert_eq!(format.time(line), Some(sent.at));
    prop_assert_eq!(record.field(&Field::User).unwrap(), user);
    prop_assert_eq!(record.number(&Field::Status), Some(u64::from(sent.status)));
    prop_assert_eq!(record.number(&Field::Bytes), Some(u64::from(sent.bytes.unwrap_or(0))));
    prop_assert_eq!(record.field(&Field::Referer).unwrap(), &sent.referer[..]);
    prop_assert_eq!(record.field(&Field::UserAgent).unwrap(), &sent.user_agent[..]);
    if record.field(&Field::Method).is_none() {
        prop_assert_eq!(record.field(&Field::RequestUri).unwrap(), &sent.request[..]);
    }
    let literal = format.status_literal(sent.status).unwrap();
    prop_assert!(memchr::memmem::find(line, &literal).is_some());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn what_was_sent_is_read_back(server in server(), sent in sent()) {
        let line = server.write(&sent);
        check(&Format::Combined, &line, server, &sent)?;
        let with_host = [b"shop.example:443 ", &line[..]].concat();
        check(&Format::VhostCombined, &with_host, server, &sent)?;
    }

    #[test]
    fn lines_are_detected_as_what_they_are(server in server(), sent in sent()) {
        let line = server.write(&sent);
        prop_assert_eq!(Format::detect([&line[..]].into_iter()), Some(Format::Combined));
        let with_host = [b"192.0.2.80:443 ", &line[..]].concat();
        prop_assert_eq!(Format::detect([&with_host[..]].into_iter()), Some(Format::VhostCombined));
        let raw = Format::Raw.parse(&line).unwrap();
        prop_assert_eq!(raw.time(), Some(sent.at));
    }

    #[test]
    fn words_of_a_request_are_read_back(
        server in server(),
        method in "[A-Z_-]{1,9}",
        target in "/[!-~]{0,20}( [!-~]{1,8})?",
        protocol in "HTTP/[0-9]\\.[0-9]",
    ) {
        let request = format!("{method} {target} {protocol}");
        let at = Timestamp::UNIX_EPOCH;
        let client = IpAddr::from([192, 0, 2, 1]);
        let empty = Vec::new;
        let sent = Sent {
            client, at, user: empty(), request: request.into_bytes(), status: 200, bytes: None, referer: empty(), user_agent: empty(),
        };
        let line = server.write(&sent);
        let record = Format::Combined.parse(&line).unwrap();
        prop_assert_eq!(record.field(&Field::Method).unwrap(), method.as_bytes());
        prop_assert_eq!(record.field(&Field::RequestUri).unwrap(), target.as_bytes());
        prop_assert_eq!(record.field(&Field::Protocol).unwrap(), protocol.as_bytes());
        let query = target.split_once('?').map(|(_, query)| query.as_bytes().to_vec());
        prop_assert_eq!(record.field(&Field::Query).map(std::borrow::Cow::into_owned), query);
        prop_assert!(record.field(&Field::Path).unwrap().starts_with(b"/"));
    }

    #[test]
    fn no_bytes_harm(line in prop_oneof![vec(any::<u8>(), 0..200), hostile(FRAGMENTS), broken()]) {
        for format in Format::ALL {
            let _ = format.time(&line);
            let Ok(record) = format.parse(&line) else { continue };
            let mut buffer = Vec::new();
            let cut = record.without_date(&mut buffer).len();
            for field in &Field::ALL {
                let _ = (record.field(field), record.number(field));
            }
            let whole = record.uncut(0..cut);
            prop_assert!(whole.end <= line.len());
            for range in [record.client_range(), record.time_range()].into_iter().flatten() {
                prop_assert!(range.start <= range.end && range.end <= line.len());
            }
        }
        let _ = Format::detect([&line[..]].into_iter());
    }
}

/// A written line with a few bytes changed, cut at any place.
fn broken() -> impl Strategy<Value = Vec<u8>> {
    let changes = vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (server(), sent(), changes, any::<prop::sample::Index>()).prop_map(|(server, sent, changes, end)| {
        let mut line = server.write(&sent);
        for (at, byte) in changes {
            let at = at.index(line.len());
            line[at] = byte;
        }
        line.truncate(end.index(line.len() + 1));
        line
    })
}
