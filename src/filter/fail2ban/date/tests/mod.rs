//! What is found in a line, where, and what time it is: by known spellings, by patterns, and by what stands around.

mod known;
mod patterns;
mod written_and_found;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{DateContext, DateDetector, FoundDate};
use crate::record::Reference;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A zone with a summer time, two hours east of Greenwich at that time.
fn reference() -> Reference {
    Reference { now: at("2026-08-14T10:00:00Z"), zone: TimeZone::get("Europe/Berlin").unwrap() }
}

fn detector(patterns: &[&str]) -> DateDetector {
    DateDetector::compile(&patterns.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
}

fn find_at(now: &str, pattern: &str, line: &str) -> Option<FoundDate> {
    let reference = Reference { now: at(now), ..reference() };
    detector(&[pattern]).find(line.as_bytes(), &DateContext { reference: &reference, last: None })
}

/// The text that is cut, and the time.
fn find<'l>(pattern: &str, line: &'l str) -> Option<(&'l str, Timestamp)> {
    let found = find_at("2026-08-14T10:00:00Z", pattern, line)?;
    Some((&line[found.range], found.time))
}

/// A pattern, a line, what is cut from it and the time; nothing where no date may be found.
type Row<'r> = (&'r str, &'r str, Option<(&'r str, &'r str)>);

fn hold(rows: &[Row<'_>]) {
    for (pattern, line, expected) in rows {
        let expected = expected.map(|(cut, time)| (cut, at(time)));
        assert_eq!(find(pattern, line), expected, "{pattern} in {line}");
    }
}
