//! No spelling hides an offence: the shipped filters on hostile variants of their samples, searched and not searched.

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use super::scan::lines;
use super::{Basis, FileReading, Lens, Reader};
use crate::filter::{Definition, Filter, Judgement, SHIPPED};
use crate::record::{Field, Format, FormatEscape, Reference};

/// A line that no filter matches; it takes the sample that is always parsed.
const FILLER: &str = r#"192.0.2.1 - - [01/May/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 5 "https://x.example/" "Mozilla/5.0""#;

fn reference() -> Reference {
    Reference { now: "2026-05-01T12:00:00Z".parse::<Timestamp>().unwrap(), zone: TimeZone::UTC }
}

/// What an operator may write beside them.
const OWN: [&str; 4] = [
    r#"rule = [{ path = '/\.git/' }]
    samples.match = ['192.0.2.1 - - [01/May/2026:10:00:00 +0000] "GET /.git/config HTTP/1.1" 404 5 "-" "-"']"#,
    r#"rule = [{ request_uri = '^//' }]
    samples.match = ['192.0.2.1 - - [01/May/2026:10:00:00 +0000] "GET //x HTTP/1.1" 404 5 "-" "-"']"#,
    r#"rule = [{ request_uri = '/\./' }, { path = '^/old/(?:\.svn|cgi)/' }]
    samples.match = ['192.0.2.1 - - [01/May/2026:10:00:00 +0000] "GET /old/./cgi/x HTTP/1.1" 404 5 "-" "-"']"#,
    r#"failregex = ['^<HOST> -.*"GET /old/(?:\.svn|cgi)/']
    samples.match = ['192.0.2.1 - - [01/May/2026:10:00:00 +0000] "GET /old/.svn/x HTTP/1.1" 404 5 "-" "-"']"#,
];

/// A filter with its samples, and the reader of a jail that has it.
struct Searched {
    filter: Arc<Filter>,
    samples: Vec<String>,
    reader: Reader,
}

static FILTERS: LazyLock<Vec<Searched>> = LazyLock::new(|| {
    let read = |text: &str| {
        let definition = Definition::read(&text.parse().unwrap()).unwrap();
        let samples = definition.samples.matching.clone();
        let filter = Arc::new(Filter::compile(&definition).unwrap());
        let reader = Reader::new(vec![lens(&filter, "alone")], false);
        Searched { filter, samples, reader }
    };
    SHIPPED.iter().map(|shipped| shipped.text).chain(OWN).map(read).collect()
});

/// Another spelling of a line, by a change at `at` inside its request.
fn respelled(line: &str, change: &str, at: Index) -> String {
    let Some((before, rest)) = line.split_once('"') else { return line.to_owned() };
    let Some((request, after)) = rest.split_once('"') else { return line.to_owned() };
    let slashes: Vec<usize> = request.match_indices('/').map(|(at, _)| at).collect();
    let mut request = request.to_owned();
    if change.starts_with('/') && !slashes.is_empty() {
        let slash = slashes[at.index(slashes.len())];
        request.replace_range(slash..=slash, change);
    } else if let Some(byte) =
        request.as_bytes().get(at.index(request.len().max(1))).copied().filter(u8::is_ascii)
    {
        let at = at.index(request.len());
        let text = match change {
            "percent" => format!("%{byte:02x}"),
            "double" => format!("%25{byte:02X}"),
            "upper" => char::from(byte).to_ascii_uppercase().to_string(),
            "escape" => format!("\\x{byte:02X}"),
            inserted => inserted.to_owned() + &char::from(byte).to_string(),
        };
        request.replace_range(at..=at, &text);
    }
    format!("{before}\"{request}\"{after}")
}

fn changes() -> impl Strategy<Value = Vec<(&'static str, Index)>> {
    let change = select(vec![
        "//",
        "/./",
        "/x/../",
        "/%2e/",
        "/.//",
        "/../",
        "percent",
        "double",
        "upper",
        "escape",
        " ",
        "?",
        "#",
        ";",
        "http://h.example",
        "+",
        // As servers write a tab: none of them leaves a control byte as it is.
        "\\t",
        "\\x09",
    ]);
    prop::collection::vec((change, any::<Index>()), 0..4)
}

/// Format strings, and the bytes that their server escapes in a value.
static TEMPLATES: LazyLock<Vec<(Format, FormatEscape)>> = LazyLock::new(|| {
    let compile = |(text, escape)| (Format::compile(text, escape).unwrap(), escape);
    [
        (r#"{"c":"$remote_addr","t":"$time_local","r":"$request","s":$status,"b":$body_bytes_sent,"f":"$http_referer","u":"$http_user_agent","n":"$remote_user"}"#, FormatEscape::Json),
        (r#"$time_local|$remote_addr|$status|$body_bytes_sent|"$request_method" "$request_uri" "$server_protocol" "$http_referer" "$http_user_agent" "$remote_user""#, FormatEscape::Default),
        (r#"%{%d/%b/%Y:%H:%M:%S %z}t %a "%r" "%{Referer}i" "%{User-Agent}i" %u %>s %b"#, FormatEscape::Default),
    ]
    .map(compile)
    .into()
});

/// The line of a named format as one of `TEMPLATES` has it; none where its record has no request line.
fn rewritten(line: &[u8], which: usize) -> Option<(Format, Vec<u8>)> {
    let (format, escape) = TEMPLATES.get(which)?;
    let named = Format::detect(std::iter::once(line)).filter(Format::is_combined)?;
    let record = named.parse(line).ok()?;
    let value = |name: &str| {
        let plain = record.field(&Field::of_format(name)).map_or(b"-".to_vec(), std::borrow::Cow::into_owned);
        let escaped = |byte: &u8| match (escape, *byte) {
            (FormatEscape::Json, b'"' | b'\\') => vec![b'\\', *byte],
            (FormatEscape::Json, 0..0x20) => format!("\\u{byte:04X}").into_bytes(),
            (FormatEscape::Default, 0..0x20 | 0x7f.. | b'"' | b'\\') => format!("\\x{byte:02X}").into_bytes(),
            _ => vec![*byte],
        };
        plain.iter().flat_map(escaped).collect::<Vec<u8>>()
    };
    let request = [value("method"), value("request_uri"), value("protocol")];
    let date = line.get(record.time_range()?)?.to_vec();
    let client = line.get(record.client_range()?)?.to_vec();
    let [method, uri, protocol] = request.clone();
    let whole = if record.field(&Field::Method).is_none() { uri.clone() } else { request.join(&b' ') };
    let (status, bytes) = (value("status"), value("bytes"));
    let (referer, agent, user) = (value("referer"), value("user_agent"), value("user"));
    let parts: Vec<&[u8]> = match which {
        0 => vec![
            b"{\"c\":\"",
            &client,
            b"\",\"t\":\"",
            &date,
            b"\",\"r\":\"",
            &whole,
            b"\",\"s\":",
            &status,
            b",\"b\":",
            &bytes,
            b",\"f\":\"",
            &referer,
            b"\",\"u\":\"",
            &agent,
            b"\",\"n\":\"",
            &user,
            b"\"}",
        ],
        1 => vec![
            &date, b"|", &client, b"|", &status, b"|", &bytes, b"|\"", &method, b"\" \"", &uri, b"\" \"",
            &protocol, b"\" \"", &referer, b"\" \"", &agent, b"\" \"", &user, b"\"",
        ],
        _ => vec![
            &date, b" ", &client, b" \"", &whole, b"\" \"", &referer, b"\" \"", &agent, b"\" ", &user, b" ",
            &status, b" ", &bytes,
        ],
    };
    Some((format.clone(), parts.concat()))
}

fn offends(filter: &Filter, line: &[u8]) -> bool {
    let format = Format::detect(std::iter::once(line)).unwrap_or(Format::Raw);
    offends_as(filter, &format, line)
}

fn offends_as(filter: &Filter, format: &Format, line: &[u8]) -> bool {
    let record = format.parse_at(line, &reference());
    record.is_ok_and(|record| {
        record.address().is_some() && matches!(filter.judge(&record), Judgement::Offence(_))
    })
}

/// The same request as another log has it: an object of the given shape, written by one of the encoders. `None` where the
/// line is of no format with fields.
fn as_json(line: &str, shape: usize, encoder: usize) -> Option<String> {
    let format = Format::detect(std::iter::once(line.as_bytes())).filter(Format::is_combined)?;
    let record = format.parse(line.as_bytes()).ok()?;
    let value = |field: Field| {
        record.field(&field).map_or(Value::Null, |value| String::from_utf8_lossy(&value).into_owned().into())
    };
    let (client, time) = (record.address()?.to_string(), record.time()?.to_string());
    let (status, agent, referer) =
        (record.number(&Field::Status), value(Field::UserAgent), value(Field::Referer));
    let (method, uri, protocol) = (value(Field::Method), value(Field::RequestUri), value(Field::Protocol));
    let words: Vec<&str> = [&method, &uri, &protocol].into_iter().filter_map(Value::as_str).collect();
    let object = match shape % 4 {
        0 => json!({ "request": words.join(" "), "time_iso8601": time, "remote_addr": client,
            "status": status.map(|s| s.to_string()), "http_referer": referer, "http_user_agent": agent,
            "host": value(Field::Host) }),
        1 => {
            json!({ "ts": time, "logger": "http.log.access", "request": { "client_ip": client, "method": method, "uri": uri,
            "host": value(Field::Host), "headers": { "User-Agent": [agent], "Referer": [referer],
            "Sec-Ch-Ua": ["\"Chromium\";v=\"131\""] } }, "status": status })
        }
        2 => json!({ "ClientHost": client, "RequestMethod": method, "RequestPath": uri, "StartUTC": time,
            "DownstreamStatus": status, "request_User-Agent": agent, "request_Referer": referer }),
        _ => json!({ "timestamp": time, "clientip": client, "verb": method, "path": uri, "status": status,
            "agent": agent, "referrer": referer, "x": { "uri": "/x", "request": "//" } }),
    };
    Some(encoded(&object, encoder))
}

/// What different encoders write for one object.
fn encoded(object: &Value, encoder: usize) -> String {
    let text = object.to_string();
    let with = |text: String, escaped: &[(char, &str)]| {
        escaped.iter().fold(text, |text, (plain, escape)| text.replace(*plain, escape))
    };
    let html = [('<', "\\u003c"), ('>', "\\u003e"), ('&', "\\u0026")];
    match encoder % 5 {
        0 => text,
        1 => with(text, &html),
        2 => with(text, &[('/', "\\/")]),
        3 => with(
            with(text, &html),
            &[('\'', "\\u0027"), ('+', "\\u002B"), ('`', "\\u0060"), ('=', "\\u003d")],
        ),
        _ => serde_json::to_string_pretty(object).expect("an object of texts").replace('\n', " "),
    }
}

fn lens(filter: &Arc<Filter>, jail: &str) -> Lens {
    Lens::new(jail.parse().unwrap(), Arc::clone(filter))
}

/// All filters at once, which judge only what is theirs: more than are told apart, so some share a mark.
static TOGETHER: LazyLock<Reader> = LazyLock::new(|| {
    let compile = |searched: &Searched| Arc::new(Filter::compile(searched.filter.definition()).unwrap());
    let all = (0..5).flat_map(|round| FILTERS.iter().enumerate().map(move |(i, f)| (round, i, compile(f))));
    Reader::new(all.map(|(round, i, filter)| lens(&filter, &format!("r{round}-f{i}"))).collect(), false)
});

/// Whether the filter finds the line; where it is recognised, also in a file that has every format.
fn found(searched: &Searched, line: &str) -> bool {
    let format = Format::recognise(line.as_bytes());
    let mixed = format.is_some().then(|| FileReading::settled(false, &Format::DETECTED));
    found_as(searched, &format.unwrap_or(Format::Raw), line.as_bytes())
        && mixed.is_none_or(|file| found_in(searched, &file, line.as_bytes()))
}

fn found_as(searched: &Searched, format: &Format, line: &[u8]) -> bool {
    found_in(searched, &FileReading::settled(true, std::slice::from_ref(format)), line)
}

/// Whether the filter finds the line by itself, and each time it stands among all others.
fn found_in(Searched { filter, reader, .. }: &Searched, file: &FileReading, line: &[u8]) -> bool {
    let index = FILTERS.iter().position(|other| Arc::ptr_eq(&other.filter, filter)).unwrap();
    let together = jails(&TOGETHER, file.clone(), line);
    let is_alone = !jails(reader, file.clone(), line).is_empty();
    is_alone && (0..5).all(|round| together.contains(&format!("r{round}-f{index}")))
}

/// The jails that the line is an offence for. It stands between lines of a combined log: such a line takes the sample
/// that is always parsed, whether it can be or not.
fn jails(reader: &Reader, mut file: FileReading, line: &[u8]) -> Vec<String> {
    let mut out = Vec::new();
    let text = [FILLER.as_bytes(), line, FILLER.as_bytes(), b""].join(&b'\n');
    reader.read(&mut file, &text, Basis::Logged, &reference(), &mut out);
    out.iter().flat_map(|observation| &observation.offences).map(|offence| offence.jail.to_string()).collect()
}

#[test]
fn every_sample_is_found_by_the_search() {
    let mut hidden = Vec::new();
    for searched @ Searched { filter, samples, .. } in FILTERS.iter() {
        for line in samples.iter().flat_map(|sample| lines(sample.as_bytes())) {
            let text = String::from_utf8_lossy(line).into_owned();
            if offends(filter, line) && !found(searched, &text) {
                hidden.push(format!("{}: {text}", filter.definition().description));
            }
        }
    }
    assert_eq!(hidden, [""; 0], "{} hidden", hidden.len());
}

/// A line says the same in every format: what is an offence in one is one in the others, and is found there.
#[test]
fn every_sample_is_an_offence_in_format_strings_too() {
    let mut hidden = Vec::new();
    for searched @ Searched { filter, samples, .. } in
        FILTERS.iter().filter(|searched| !searched.filter.is_raw())
    {
        for line in samples.iter().flat_map(|sample| lines(sample.as_bytes())) {
            for which in 0..TEMPLATES.len() {
                let Some((format, own)) = rewritten(line, which) else { continue };
                let is_found = offends_as(filter, &format, &own) && found_as(searched, &format, &own);
                if offends(filter, line) && !is_found {
                    hidden.push(format!("{which} {}", String::from_utf8_lossy(&own)));
                }
            }
        }
    }
    assert_eq!(hidden, [""; 0], "{} hidden", hidden.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_spelling_hides_an_offence(which in any::<Index>(), sample in any::<Index>(), changes in changes()) {
        let searched @ Searched { filter, samples, .. } = &FILTERS[which.index(FILTERS.len())];
        let line = &samples[sample.index(samples.len())];
        let line = changes.iter().fold(line.clone(), |line, (change, at)| respelled(&line, change, *at));
        prop_assert!(!offends(filter, line.as_bytes()) || found(searched, &line), "{line}");
        for which in 0..TEMPLATES.len() {
            let Some((format, own)) = rewritten(line.as_bytes(), which) else { continue };
            let hidden = offends_as(filter, &format, &own) && !found_as(searched, &format, &own);
            prop_assert!(!hidden, "{}", String::from_utf8_lossy(&own));
        }
    }

    #[test]
    fn nor_does_a_json_encoder(
        which in any::<Index>(),
        sample in any::<Index>(),
        changes in changes(),
        shape in 0..4_usize,
        encoder in 0..5_usize,
    ) {
        let searched @ Searched { filter, samples, .. } = &FILTERS[which.index(FILTERS.len())];
        let line = &samples[sample.index(samples.len())];
        let line = changes.iter().fold(line.clone(), |line, (change, at)| respelled(&line, change, *at));
        let Some(object) = as_json(&line, shape, encoder) else { return Ok(()) };
        prop_assert!(!offends(filter, object.as_bytes()) || found(searched, &object), "{object}");
    }
}

/// A filter sees in each shape of object what it sees in the combined line.
#[test]
fn what_offends_in_a_line_offends_in_an_object() {
    let mut lost = Vec::new();
    for searched @ Searched { filter, samples, .. } in
        FILTERS.iter().filter(|searched| !searched.filter.is_raw())
    {
        let samples = samples.iter().filter(|line| offends(filter, line.as_bytes()));
        for (line, turn) in samples.zip(0..) {
            for shape in 0..4 {
                let Some(object) = as_json(line, shape, turn + shape) else { continue };
                if !offends(filter, object.as_bytes()) || !found(searched, &object) {
                    lost.push(format!("{}: {object}", filter.definition().description));
                }
            }
        }
    }
    assert_eq!(lost, [""; 0], "{} lost", lost.len());
}
