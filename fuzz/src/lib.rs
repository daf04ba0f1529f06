//! What several targets share: hostile lines, and every question that a record can be asked.

use std::sync::{Arc, LazyLock};

use banmap::filter::{Definition, Filter, Judgement, SHIPPED};
use banmap::record::{Field, Format, Record, Reference};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A shipped filter, and the lines that it says it takes.
#[derive(Debug)]
pub struct Known {
    pub name: &'static str,
    pub filter: Arc<Filter>,
    pub samples: Vec<String>,
}

/// All shipped filters.
pub static FILTERS: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let known = |shipped: &banmap::filter::Shipped| {
        let table = shipped.text.parse().expect("a shipped filter is TOML");
        let definition = Definition::read(&table).expect("a shipped filter is a filter");
        let filter = Arc::new(Filter::compile(&definition).expect("a shipped filter compiles"));
        let samples = [definition.samples.matching, definition.samples.missing].concat();
        Known { name: shipped.name, filter, samples }
    };
    SHIPPED.iter().map(known).collect()
});

/// The time at which every line is read.
pub static REFERENCE: LazyLock<Reference> = LazyLock::new(|| Reference {
    now: "2026-05-01T12:00:00Z".parse::<Timestamp>().expect("this is a time"),
    zone: TimeZone::UTC,
});

/// Asks a record everything: nothing may panic, and no place may lie outside the line.
pub fn ask_everything(format: &Format, line: &[u8]) {
    let (time, timed) = (format.time(line), format.time_at(line, &REFERENCE));
    let Ok(record) = format.parse_at(line, &REFERENCE) else { return };
    assert_eq!(record.time(), timed, "the time alone is the record's time");
    assert!(time.is_none() || timed.is_some(), "a reference only adds");
    for field in &Field::ALL {
        let _ = (record.field(field), record.number(field));
    }
    let _ = (record.address(), record.refused());
    ask_places(&record, line);
}

fn ask_places(record: &Record<'_>, line: &[u8]) {
    for range in [record.client_range(), record.time_range()].into_iter().flatten() {
        assert!(range.start <= range.end && range.end <= line.len(), "{range:?} lies in the line");
    }
    let mut buffer = Vec::new();
    let cut = record.without_date(&mut buffer).len();
    let whole = record.uncut(0..cut);
    assert!(whole.start <= whole.end && whole.end <= line.len(), "{whole:?} lies in the line");
}

/// Whether the filter by itself takes the line, for an address that the record names.
pub fn offends(filter: &Filter, format: &Format, line: &[u8]) -> bool {
    format.parse_at(line, &REFERENCE).is_ok_and(|record| {
        record.address().is_some() && matches!(filter.judge(&record), Judgement::Offence(_))
    })
}

/// A line of the filters' own samples, changed as `data` says: its first two bytes choose the line, each three more
/// replace, insert or double something; or, where the first byte is 255, the rest as it is. A newline ends a line.
pub fn line_from(data: &[u8]) -> Vec<u8> {
    let [which, sample, edits @ ..] = data else { return Vec::new() };
    let line = match *which {
        255 => edits.to_vec(),
        which => {
            let samples = &FILTERS[usize::from(which) % FILTERS.len()].samples;
            let line = samples[usize::from(*sample) % samples.len()].clone().into_bytes();
            edits.chunks_exact(3).take(64).fold(line, |line, edit| edited(line, edit[0], edit[1], edit[2]))
        }
    };
    line.split(|byte| *byte == b'\n').next().unwrap_or_default().to_vec()
}

/// Other ways to write a byte of a target, and what servers take out of a path.
fn edited(mut line: Vec<u8>, at: u8, how: u8, byte: u8) -> Vec<u8> {
    if line.is_empty() {
        return line;
    }
    let at = usize::from(at) % line.len();
    let old = line[at];
    let (taken, written): (usize, Vec<u8>) = match how % 12 {
        0 => (1, vec![byte]),
        1 => (0, vec![byte]),
        2 => (1, Vec::new()),
        3 => (1, format!("%{old:02x}").into_bytes()),
        4 => (1, format!("%25{old:02X}").into_bytes()),
        5 => (1, format!("\\x{old:02X}").into_bytes()),
        6 => (1, vec![old.to_ascii_uppercase()]),
        7 => (0, b"//".to_vec()),
        8 => (0, b"/./".to_vec()),
        9 => (0, b"/x/../".to_vec()),
        10 => (0, b"/%2e%2E/".to_vec()),
        _ => (0, b" HTTP/1.1\" 404 5 \"-\" \"-\"".to_vec()),
    };
    line.splice(at..at + taken, written);
    line
}
