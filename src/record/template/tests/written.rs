//! Random formats, lines written in them by the servers' own rules from hostile values, and read back: whatever is not
//! refused is read exactly.

use std::net::IpAddr;

use jiff::Timestamp;
use jiff::fmt::strtime;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::address::Address;
use crate::record::tests::pieces::hostile;
use crate::record::{Field, Format, FormatEscape};

/// Whose rules a line is written by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Nginx(FormatEscape),
    Apache,
}

/// What a variable holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Client,
    Time,
    /// Any bytes of a client.
    Free,
    User,
    Method,
    Token,
    Number,
    Status,
    List,
}

type Known = (&'static str, Kind, &'static str);

const NGINX: [Known; 14] = [
    ("$remote_addr", Kind::Client, ""),
    ("$time_local", Kind::Time, ""),
    ("$remote_user", Kind::Free, "user"),
    ("$http_referer", Kind::Free, "referer"),
    ("${http_user_agent}", Kind::Free, "user_agent"),
    ("$http_x_forwarded_for", Kind::Free, "x_forwarded_for"),
    ("$cookie_sid", Kind::Free, "cookie_sid"),
    ("$my_own", Kind::Free, "my_own"),
    ("$request_method", Kind::Method, "method"),
    ("$scheme", Kind::Token, "scheme"),
    ("$request_length", Kind::Number, "request_length"),
    ("$body_bytes_sent", Kind::Number, "bytes"),
    ("$status", Kind::Status, "status"),
    ("$upstream_status", Kind::List, "upstream_status"),
];

const APACHE: [Known; 13] = [
    ("%a", Kind::Client, ""),
    ("%t", Kind::Time, ""),
    ("%u", Kind::User, "user"),
    ("%{Referer}i", Kind::Free, "referer"),
    ("%{X-Forwarded-For}i", Kind::Free, "x_forwarded_for"),
    ("%{sid}C", Kind::Free, "cookie_sid"),
    ("%f", Kind::Free, "filename"),
    ("%m", Kind::Method, "method"),
    ("%R", Kind::Free, "handler"),
    ("%L", Kind::Token, "log_id"),
    ("%D", Kind::Number, "request_time_us"),
    ("%O", Kind::Number, "bytes"),
    ("%>s", Kind::Status, "status"),
];

/// What stands between variables.
const BETWEEN: [&str; 14] =
    [" ", " ", " ", " - ", "\" \"", "\" ", " \"", "|", ", ", " [", "] ", ":", "\",\"k\":\"", " ua="];

/// Pieces of values that would mislead a search.
const FRAGMENTS: &[&[u8]] = &[
    b" ",
    b"\"",
    b"\\",
    b"\"\"",
    b"-",
    b" - ",
    b"\" \"",
    b"\" 200 ",
    b" 404 ",
    b"|",
    b", ",
    b" [",
    b"] ",
    b":",
    b"\",\"k\":\"",
    b" ua=",
    b"9.9.9.9",
    b"9.9.9.9 - - ",
    b" [01/Jan/2001:00:00:00 +0000] ",
    b"\\x22",
    b"1",
    b"GET",
];

/// Values of a line.
#[derive(Clone, Debug)]
struct Values {
    client: IpAddr,
    at: Timestamp,
    free: Vec<Vec<u8>>,
    method: String,
    token: String,
    number: u32,
    status: u16,
    list: Vec<u16>,
}

fn values() -> impl Strategy<Value = Values> {
    let answer = (any::<u32>(), 100_u16..600, vec(100_u16..600, 1..4));
    let words = ("[A-Z][A-Z_-]{0,9}", "[a-z0-9.-]{0,9}");
    (any::<IpAddr>(), 0_i64..4_000_000_000, vec(hostile(FRAGMENTS), 8), words, answer).prop_map(
        |(client, second, free, (method, token), (number, status, list))| {
            let at = Timestamp::from_second(second).unwrap();
            Values { client, at, free, method, token, number, status, list }
        },
    )
}

/// A format: variables, and the texts around them (one more).
#[derive(Clone, Debug)]
struct Made {
    server: Server,
    variables: Vec<Known>,
    texts: Vec<String>,
}

impl Made {
    fn text(&self) -> String {
        let mut text = self.texts.first().cloned().unwrap_or_default();
        for ((variable, ..), after) in self.variables.iter().zip(&self.texts[1..]) {
            text += variable;
            text += after;
        }
        text
    }

    /// The line, and for each variable its value as a client sent it.
    fn write(&self, values: &Values) -> (Vec<u8>, Vec<Vec<u8>>) {
        let mut line = self.texts.first().cloned().unwrap_or_default().into_bytes();
        let mut sent = Vec::new();
        for (at, ((_, kind, _), after)) in self.variables.iter().zip(&self.texts[1..]).enumerate() {
            let (written, value) = self.server.value(*kind, at, values);
            line.extend(written);
            line.extend(after.as_bytes());
            sent.push(value);
        }
        (line, sent)
    }
}

impl Server {
    fn escape(self) -> FormatEscape {
        match self {
            Self::Nginx(escape) => escape,
            Self::Apache => FormatEscape::Default,
        }
    }

    fn value(self, kind: Kind, at: usize, values: &Values) -> (Vec<u8>, Vec<u8>) {
        let plain = |text: String| (text.clone().into_bytes(), text.into_bytes());
        match kind {
            Kind::Client => plain(values.client.to_string()),
            Kind::Time => {
                let date = strtime::format("%d/%b/%Y:%H:%M:%S +0000", values.at).unwrap();
                plain(if self == Self::Apache { format!("[{date}]") } else { date })
            }
            Kind::Free | Kind::User => {
                let mut value = values.free[at % values.free.len()].clone();
                if self == Self::Nginx(FormatEscape::None) {
                    // No server lets these pass.
                    value.retain(|byte| !b"\n\r\0".contains(byte));
                }
                let is_empty_user = kind == Kind::User && value.is_empty();
                let written = if is_empty_user {
                    b"\"\"".to_vec()
                } else {
                    value.iter().flat_map(|b| self.byte(*b)).collect()
                };
                (written, value)
            }
            Kind::Method => plain(values.method.clone()),
            Kind::Token => plain(values.token.clone()),
            Kind::Number => plain(values.number.to_string()),
            Kind::Status => plain(values.status.to_string()),
            Kind::List => plain(values.list.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")),
        }
    }

    fn byte(self, byte: u8) -> Vec<u8> {
        match (self, byte) {
            (Self::Nginx(FormatEscape::Json) | Self::Apache, b'"' | b'\\') => vec![b'\\', byte],
            (Self::Nginx(FormatEscape::Json) | Self::Apache, b'\n') => b"\\n".to_vec(),
            (Self::Nginx(FormatEscape::Json), 0..0x20) => format!("\\u{byte:04X}").into_bytes(),
            (Self::Apache, 0..0x20 | 0x7f..) => format!("\\x{byte:02x}").into_bytes(),
            (Self::Nginx(FormatEscape::Default), 0..0x20 | 0x7f.. | b'"' | b'\\') => {
                format!("\\x{byte:02X}").into_bytes()
            }
            _ => vec![byte],
        }
    }
}

fn made() -> impl Strategy<Value = Made> {
    let server = select(vec![
        Server::Nginx(FormatEscape::Default),
        Server::Nginx(FormatEscape::Json),
        Server::Nginx(FormatEscape::None),
        Server::Apache,
    ]);
    let between = vec((select(BETWEEN.to_vec()), any::<bool>()), 9);
    (server, vec(any::<Index>(), 1..7), any::<Index>(), between).prop_map(
        |(server, picks, client, between)| {
            let known: &[Known] = if server == Server::Apache { &APACHE } else { &NGINX };
            let mut variables: Vec<Known> = Vec::new();
            for pick in picks {
                let one = known[1 + pick.index(known.len() - 1)];
                if !variables.contains(&one) {
                    variables.push(one);
                }
            }
            variables.insert(client.index(variables.len() + 1), known[0]);
            let mut texts = vec![String::new()];
            // Half of them stand in quotes of their own.
            for (at, variable) in variables.iter().enumerate() {
                let (text, quoted) = between[at];
                let quoted = quoted || (variable.1 == Kind::Free && text == " ");
                if quoted {
                    texts[at] += "\"";
                }
                let is_last = at + 1 == variables.len();
                let after = if is_last { "" } else { text };
                texts.push(format!("{}{after}", if quoted { "\"" } else { "" }));
            }
            Made { server, variables, texts }
        },
    )
}

fn check(made: &Made, values: &Values) -> Result<bool, TestCaseError> {
    let text = made.text();
    let Ok(format) = Format::compile(&text, made.server.escape()) else { return Ok(false) };
    let (line, sent) = made.write(values);
    let shown = String::from_utf8_lossy(&line).into_owned();
    let record = match format.parse(&line) {
        Ok(record) => record,
        // Where quotes can be forged, what has two readings is refused.
        Err(_) if made.server.escape() == FormatEscape::None => return Ok(false),
        Err(error) => return Err(TestCaseError::fail(format!("{error}\n{text}\n{shown}"))),
    };
    prop_assert_eq!(record.address(), Some(Address::from(values.client)), "{}\n{}", text, shown);
    for ((variable, kind, field), sent) in made.variables.iter().zip(&sent) {
        match kind {
            Kind::Client => {}
            Kind::Time => prop_assert_eq!(record.time(), Some(values.at), "{}\n{}", text, shown),
            _ => {
                let value = record.field(&Field::of_format(field));
                prop_assert_eq!(value.as_deref(), Some(&sent[..]), "{} of {}\n{}", variable, text, shown);
            }
        }
    }
    if let Some(literal) = format.status_literal(values.status)
        && made.variables.iter().any(|(_, kind, _)| *kind == Kind::Status)
    {
        prop_assert!(memchr::memmem::find(&line, &literal).is_some(), "{}\n{}", text, shown);
    }
    Ok(true)
}

proptest! {
    #![proptest_config(ProptestConfig { max_global_rejects: 400_000, ..ProptestConfig::with_cases(4096) })]

    #[test]
    fn what_is_not_refused_is_read_exactly(made in made(), values in values()) {
        check(&made, &values)?;
    }

    #[test]
    fn no_bytes_harm(
        made in made(),
        values in values(),
        changes in vec((any::<Index>(), any::<u8>()), 0..4),
        end in any::<Index>(),
    ) {
        if let Ok(format) = Format::compile(&made.text(), made.server.escape()) {
            let (mut line, _) = made.write(&values);
            for (at, byte) in changes {
                let at = at.index(line.len());
                line[at] = byte;
            }
            line.truncate(end.index(line.len() + 1));
            let _ = format.time(&line);
            if let Ok(record) = format.parse(&line) {
                let mut buffer = Vec::new();
                let cut = record.without_date(&mut buffer).len();
                prop_assert!(record.uncut(0..cut).end <= line.len());
                for name in format.field_names() {
                    let field = Field::of_format(&name);
                    let _ = (record.field(&field), record.number(&field));
                }
                prop_assert!(record.client_range().is_none_or(|range| range.end <= line.len()));
            }
        }
    }

    #[test]
    fn any_text_is_a_format_or_an_error(text in "([$%][a-z_{}A-Z>!0-9]{0,12}|[ \"\\\\:|\\[\\]]|[^\n]){0,12}") {
        for (_, escape) in FormatEscape::NAMES {
            if let Err(error) = Format::compile(&text, escape) {
                prop_assert!(error.at <= text.len() && !error.fix.is_empty());
            }
        }
    }
}

/// The property says something: enough of the random formats are read.
#[test]
fn many_random_formats_are_read() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let read = (0..1000).filter(|_| {
        let made = made().new_tree(&mut runner).unwrap().current();
        let values = values().new_tree(&mut runner).unwrap().current();
        check(&made, &values).unwrap_or(false)
    });
    let read = read.count();
    assert!(read > 250, "{read} of 1000");
}
