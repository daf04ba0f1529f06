//! The shipped filters: all there, all true to their samples, all cheap to search for.

use std::collections::BTreeSet;

use super::super::*;
use super::{compile, is_candidate};
use crate::record::Format;

/// Those that know themselves what they look for.
fn searched() -> impl Iterator<Item = (&'static str, Filter)> {
    shipped().filter(|(_, filter)| filter.definition().needs.is_empty())
}

fn shipped() -> impl Iterator<Item = (&'static str, Filter)> {
    SHIPPED.iter().map(|shipped| (shipped.name, compile(shipped.text)))
}

#[test]
fn every_file_is_shipped() {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/filters")).unwrap();
    let files: BTreeSet<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    let names: BTreeSet<String> = SHIPPED.iter().map(|shipped| format!("{}.toml", shipped.name)).collect();
    assert_eq!(files, names);
    assert!(SHIPPED.is_sorted_by_key(|shipped| shipped.name));
    assert!(SHIPPED.iter().all(|shipped| Shipped::find(shipped.name).unwrap().text == shipped.text));
    assert!(Shipped::find("no-such").is_none());
}

#[test]
fn they_are_whole() {
    for (name, filter) in shipped() {
        let definition = filter.definition();
        assert!(!definition.description.is_empty(), "{name}");
        let suggest = &definition.suggest;
        let counts = suggest.maxretry.is_some() && suggest.findtime.is_some();
        assert!(counts != suggest.rate.is_some(), "{name}");
        assert!(definition.samples.matching.len() >= 4 && definition.samples.missing.len() >= 4, "{name}");
    }
}

#[test]
fn their_samples_hold() {
    let failed: Vec<String> = shipped()
        .flat_map(|(name, filter)| samples(&filter).into_iter().map(move |sample| (name, sample)))
        .map(|(name, sample)| format!("{name} {}: {:?}\n  {}", sample.key(), sample.judgement, sample.line))
        .collect();
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

#[test]
fn what_they_match_is_a_candidate() {
    let of = |line: &str| Format::detect(std::iter::once(line.as_bytes())).unwrap_or(Format::Raw);
    for (name, filter) in searched() {
        let samples = &filter.definition().samples.matching;
        for format in Format::ALL {
            let is_read = |line: &str| of(line).is_combined() && format.parse(line.as_bytes()).is_ok();
            let is_combined = |line: &str| format.is_combined() && is_read(line);
            let lines = samples.iter().filter(|line| of(line) == format || is_combined(line));
            let lines: Vec<&String> = lines.collect();
            if lines.is_empty() && !format.is_combined() {
                continue;
            }
            let required =
                filter.required(&format).unwrap_or_else(|| panic!("{name} requires nothing of {format}"));
            for line in lines {
                assert!(is_candidate(line.as_bytes(), &required), "{name} misses {line} as {format}");
            }
        }
    }
}

#[test]
fn ordinary_lines_are_seldom_candidates() {
    let typical: Vec<&[u8]> =
        include_bytes!("../required/typical.txt").split(|byte| *byte == b'\n').collect();
    for (name, filter) in searched() {
        let required = filter.required(&Format::Combined).unwrap();
        let candidates = typical.iter().filter(|line| is_candidate(line, &required)).count();
        assert!(candidates * 5 < typical.len(), "{name}: {candidates} of {}", typical.len());
    }
}

#[test]
fn ordinary_lines_of_haproxy_are_no_candidates() {
    let line = "192.0.2.7:54278 [01/Jan/2026:00:41:31.000] web~ site/app1 0/0/1/12/13 200 14278 - - ---- \
                12/10/2/1/0 0/0 \"GET /blog/2026/05/spring/?page=2 HTTP/2.0\"";
    for (name, filter) in searched() {
        let required = filter.required(&Format::Haproxy).unwrap_or_else(|| panic!("{name} requires nothing"));
        assert!(!is_candidate(line.as_bytes(), &required), "{name}: {required:?}");
        let escaped = line.replace("page=2", "q=#27#2A");
        let decodes = ["exploit-requests", "injection-probes"].contains(&name);
        assert!(!decodes || is_candidate(escaped.as_bytes(), &required), "{name}: {required:?}");
    }
}

#[test]
fn ordinary_lines_are_no_offences() {
    // Crawlers are ordinary; whether one is false, a line alone does not tell.
    let not_by_line = ["http-errors", "seo-bots", "fake-crawlers"];
    let filters: Vec<_> = searched().filter(|(name, _)| !not_by_line.contains(name)).collect();
    let lines = include_bytes!("../required/typical.txt").split(|byte| *byte == b'\n');
    for line in lines.filter(|line| !line.is_empty()) {
        let record = Format::Combined.parse(line).unwrap();
        for (name, filter) in &filters {
            assert_eq!(filter.judge(&record), Judgement::Missed, "{name} {}", String::from_utf8_lossy(line));
        }
    }
}
