//! No spelling hides an offence: the shipped filters on hostile variants of their samples, searched and not searched.

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::sample::{Index, select};

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

static FILTERS: LazyLock<Vec<(Arc<Filter>, Vec<String>)>> = LazyLock::new(|| {
    let read = |text: &str| {
        let definition = Definition::read(&text.parse().unwrap()).unwrap();
        let samples = definition.samples.matching.clone();
        (Arc::new(Filter::compile(&definition).unwrap()), samples)
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
        "\t",
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
    let named = Format::detect(std::iter::once(line))?;
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

fn lens(filter: &Arc<Filter>, jail: &str) -> Lens {
    let filter = Arc::clone(filter);
    Lens { jail: jail.parse().unwrap(), filter, only: vec![], ignore: vec![], distinct: None }
}

/// All filters at once, which judge only what is theirs: more than are told apart, so some share a mark.
static TOGETHER: LazyLock<Reader> = LazyLock::new(|| {
    let compile = |(filter, _): &(Arc<Filter>, _)| Arc::new(Filter::compile(filter.definition()).unwrap());
    let all = (0..5).flat_map(|round| FILTERS.iter().enumerate().map(move |(i, f)| (round, i, compile(f))));
    Reader::new(all.map(|(round, i, filter)| lens(&filter, &format!("r{round}-f{i}"))).collect(), false)
});

/// Whether the filter finds the line by itself, and each time it stands among all others.
fn found(filter: &Arc<Filter>, line: &str) -> bool {
    let alone = jails(&Reader::new(vec![lens(filter, "alone")], false), detected(line), line.as_bytes());
    let index = FILTERS.iter().position(|(other, _)| Arc::ptr_eq(other, filter)).unwrap();
    let together = jails(&TOGETHER, detected(line), line.as_bytes());
    !alone.is_empty() && (0..5).all(|round| together.contains(&format!("r{round}-f{index}")))
}

fn detected(line: &str) -> Option<Format> {
    Format::detect(std::iter::once(line.as_bytes())).or(Some(Format::Raw))
}

/// Whether the filter finds by itself a line of this format.
fn found_as(filter: &Arc<Filter>, format: Option<Format>, line: &[u8]) -> bool {
    !jails(&Reader::new(vec![lens(filter, "alone")], false), format, line).is_empty()
}

/// The jails that the line is an offence for, between lines of a combined log: such a line takes the sample that is always
/// parsed, whether it can be or not.
fn jails(reader: &Reader, format: Option<Format>, line: &[u8]) -> Vec<String> {
    let mut file = FileReading::new(format);
    let mut out = Vec::new();
    reader.read(
        &mut file,
        &[FILLER.as_bytes(), line, FILLER.as_bytes(), b""].join(&b'\n'),
        Basis::Logged,
        &reference(),
        &mut out,
    );
    out.iter().flat_map(|observation| &observation.offences).map(|offence| offence.jail.to_string()).collect()
}

#[test]
fn every_sample_is_found_by_the_search() {
    let mut hidden = Vec::new();
    for (filter, samples) in FILTERS.iter() {
        for line in samples.iter().flat_map(|sample| lines(sample.as_bytes())) {
            let text = String::from_utf8_lossy(line).into_owned();
            if offends(filter, line) && !found(filter, &text) {
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
    for (filter, samples) in FILTERS.iter().filter(|(filter, _)| !filter.is_raw()) {
        for line in samples.iter().flat_map(|sample| lines(sample.as_bytes())) {
            for which in 0..TEMPLATES.len() {
                let Some((format, own)) = rewritten(line, which) else { continue };
                let is_found = offends_as(filter, &format, &own) && found_as(filter, Some(format), &own);
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
        let (filter, samples) = &FILTERS[which.index(FILTERS.len())];
        let line = &samples[sample.index(samples.len())];
        let line = changes.iter().fold(line.clone(), |line, (change, at)| respelled(&line, change, *at));
        prop_assert!(!offends(filter, line.as_bytes()) || found(filter, &line), "{line}");
        for which in 0..TEMPLATES.len() {
            let Some((format, own)) = rewritten(line.as_bytes(), which) else { continue };
            let hidden = offends_as(filter, &format, &own) && !found_as(filter, Some(format), &own);
            prop_assert!(!hidden, "{}", String::from_utf8_lossy(&own));
        }
    }
}
