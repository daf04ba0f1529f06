//! The shipped filters: all there, all true to their samples, all cheap to search for.

use std::collections::BTreeSet;

use super::*;
use crate::record::Format;

fn definition(text: &str) -> Definition {
    Definition::read(&text.parse().unwrap()).unwrap()
}

fn shipped() -> impl Iterator<Item = (&'static str, Filter)> {
    SHIPPED.iter().map(|shipped| (shipped.name, Filter::compile(&definition(shipped.text)).unwrap()))
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
fn shipped_filters_are_whole() {
    for (name, filter) in shipped() {
        let definition = filter.definition();
        assert!(!definition.description.is_empty(), "{name}");
        assert!(definition.suggest.maxretry.is_some() && definition.suggest.findtime.is_some(), "{name}");
        assert!(definition.samples.matching.len() >= 4 && definition.samples.missing.len() >= 4, "{name}");
    }
}

#[test]
fn shipped_samples_hold() {
    let mut failed = String::new();
    for (name, filter) in shipped() {
        for sample in samples(&filter) {
            failed += &format!("{name} {}: {:?}\n  {}\n", sample.key(), sample.judgement, sample.line);
        }
    }
    assert!(failed.is_empty(), "\n{failed}");
}

/// What a reader takes as a candidate, written as plainly as can be.
fn is_candidate(line: &str, required: &Required) -> bool {
    let folded = if required.ignore_case { line.to_ascii_lowercase() } else { line.to_owned() };
    let holds =
        required.literals.iter().any(|literal| folded.contains(std::str::from_utf8(literal).unwrap()));
    let after_date = line.split_once("] \"").map_or("", |(_, rest)| rest);
    let target = after_date.split('?').next().unwrap();
    let respelled = ["%", "//", "/.", "\\"].iter().any(|spelling| target.contains(spelling));
    let encoded = after_date.contains(['%', '\\']);
    holds || (required.except_respelled && respelled) || (required.except_encoded && encoded)
}

#[test]
fn what_shipped_filters_match_is_a_candidate() {
    for (name, filter) in shipped() {
        for format in [Format::Combined, Format::Common, Format::VhostCombined] {
            let required =
                filter.required(&format).unwrap_or_else(|| panic!("{name} requires nothing of {format:?}"));
            println!(
                "{name}: {} ignore_case={} respelled={} encoded={} {:?}",
                required.literals.len(),
                required.ignore_case,
                required.except_respelled,
                required.except_encoded,
                required.literals.iter().map(|l| String::from_utf8_lossy(l)).collect::<Vec<_>>()
            );
            for line in &filter.definition().samples.matching {
                assert!(is_candidate(line, &required), "{name} misses {line}");
            }
        }
    }
}
