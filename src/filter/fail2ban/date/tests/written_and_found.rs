//! What is written by a pattern is found again, wherever it stands; and no bytes do harm.

use jiff::fmt::strtime;
use jiff::tz::Offset;
use proptest::prelude::*;

use super::{DateContext, DateDetector, Timestamp, detector, reference};

/// Patterns that name whole times, and the format that writes them.
const PAIRS: [(&str, &str); 9] = [
    ("%Y-%m-%d %H:%M:%S %z", "%Y-%m-%d %H:%M:%S %z"),
    ("%d/%b/%Y:%H:%M:%S %z", "%d/%b/%Y:%H:%M:%S %z"),
    ("%a %b %d %I:%M:%S %p %Y %z", "%a %b %d %I:%M:%S %p %Y %z"),
    ("%A, %d. %B %Y %k.%M.%S %Exz", "%A, %e. %B %Y %k.%M.%S UTC%:z"),
    ("%ExY%Exm%ExdT%ExH%ExM%ExS%z", "%Y%m%dT%H%M%S%z"),
    ("%Y %j %l:%M:%S%p %z", "%Y %j %l:%M:%S%P %z"),
    ("%Y %U %w %H:%M:%S %z", "%Y %U %w %H:%M:%S %z"),
    ("%Y %W %a %H:%M:%S %z", "%Y %W %a %H:%M:%S %z"),
    ("{EPOCH}", "%s"),
];

proptest! {
    #[test]
    fn a_time_is_found_as_it_was_written(
        pair in 0..PAIRS.len(),
        second in 1_000_000_000_i64..4_102_000_000,
        east in -1199_i32..=1199,
        before in "[ -/:-@]{0,3}|[a-z ]{0,20} ",
        after in "|[ -/:-@][ -~]{0,20}",
    ) {
        let (pattern, format) = PAIRS[pair];
        let time = Timestamp::from_second(second).unwrap();
        let zone = Offset::from_seconds(east / 15 * 15 * 60).unwrap().to_time_zone();
        let date = strtime::format(format, &time.to_zoned(zone)).unwrap();
        let after = if pattern == "{EPOCH}" { after.replace('.', " ") } else { after };
        let line = format!("{before}{date}{after}");
        let reference = reference();
        let found = detector(&[pattern]).find(line.as_bytes(), &DateContext { reference: &reference, last: None });
        let found = found.map(|found| (found.range, found.time));
        prop_assert_eq!(found, Some((before.len()..before.len() + date.len(), time)), "{}", line);
    }

    #[test]
    fn no_bytes_do_harm(
        line in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            "[0-9:/ T.+@()audit-]{0,60}".prop_map(String::into_bytes),
            "((Jan|Feb|Mon|CET|Z|20|26|:| |/|-|\\[|1|0){1,20}){1,3}".prop_map(String::into_bytes),
        ],
    ) {
        let reference = reference();
        for detector in detectors() {
            if let Some(found) = detector.find(&line, &DateContext { reference: &reference, last: None }) {
                prop_assert!(found.range.start <= found.range.end && found.range.end <= line.len());
                prop_assert!(found.pattern < detector.patterns().count());
                let again = DateContext { reference: &reference, last: Some(&found) };
                prop_assert_eq!(detector.find(&line, &again).map(|found| found.range.start), Some(found.range.start));
            }
        }
    }

    #[test]
    fn no_pattern_does_harm(pattern in "[%a-zA-Z0-9(){}\\[\\]^$*?.|\\\\<>=: é-]{0,30}") {
        let reference = reference();
        if let Ok(detector) = DateDetector::compile(std::slice::from_ref(&pattern)) {
            detector.find(b"[2026-08-14 09:00:00] x", &DateContext { reference: &reference, last: None });
        }
    }
}

fn detectors() -> &'static [DateDetector] {
    static DETECTORS: std::sync::LazyLock<Vec<DateDetector>> = std::sync::LazyLock::new(|| {
        let patterns =
            ["{DEFAULT}", r"^[^\[]*\[({DATE})", "{UNB}%d%b%Y%k%M%S%f%Exz", "{LEPOCH}", r"\b(%H)\s%j"];
        patterns.map(|pattern| detector(&[pattern])).to_vec()
    });
    &DETECTORS
}
