//! No spelling hides an offence: the shipped filters on hostile variants of their samples, searched and not searched.

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::scan::lines;
use super::{Basis, FileReading, Lens, Reader};
use crate::filter::{Definition, Filter, Judgement, SHIPPED};
use crate::record::{Format, Reference};

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

fn offends(filter: &Filter, line: &[u8]) -> bool {
    let format = Format::detect(std::iter::once(line)).unwrap_or(Format::Raw);
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
    let alone = jails(&Reader::new(vec![lens(filter, "alone")], false), line);
    let index = FILTERS.iter().position(|(other, _)| Arc::ptr_eq(other, filter)).unwrap();
    let together = jails(&TOGETHER, line);
    !alone.is_empty() && (0..5).all(|round| together.contains(&format!("r{round}-f{index}")))
}

/// The jails that the line is an offence for.
fn jails(reader: &Reader, line: &str) -> Vec<String> {
    let format = Format::detect(std::iter::once(line.as_bytes()));
    let mut file = FileReading::new(format.or(Some(Format::Raw)));
    let mut out = Vec::new();
    reader.read(
        &mut file,
        format!("{FILLER}\n{line}\n{FILLER}\n").as_bytes(),
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_spelling_hides_an_offence(which in any::<Index>(), sample in any::<Index>(), changes in changes()) {
        let (filter, samples) = &FILTERS[which.index(FILTERS.len())];
        let line = &samples[sample.index(samples.len())];
        let line = changes.iter().fold(line.clone(), |line, (change, at)| respelled(&line, change, *at));
        prop_assert!(!offends(filter, line.as_bytes()) || found(filter, &line), "{line}");
    }
}
