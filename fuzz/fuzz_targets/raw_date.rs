//! The date of a raw line: the same with and without a reference, and taken out of the line without a rest.
#![no_main]

use banmap::record::Format;
use banmap_fuzz::REFERENCE;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    let (plain, timed) = (Format::Raw.parse(line), Format::Raw.parse_at(line, &REFERENCE));
    let (plain, timed) = (plain.expect("every line is raw"), timed.expect("every line is raw"));
    assert_eq!(plain.time_range(), timed.time_range());
    if let Some(time) = plain.time() {
        assert_eq!(timed.time(), Some(time), "a date that is complete needs no reference");
    }
    if let Some(range) = timed.time_range() {
        assert!(range.len() >= 10, "no date is so short: {range:?}");
        let mut buffer = Vec::new();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        assert_eq!(timed.without_date(&mut buffer).len(), line.len() - range.len());
    }
    banmap_fuzz::ask_everything(&Format::Raw, line);
});
