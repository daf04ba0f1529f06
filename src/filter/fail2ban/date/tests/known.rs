//! The spellings that are known without a pattern.

use super::{DateContext, at, detector, find, hold, reference};

#[test]
fn every_known_spelling_is_found_and_cut() {
    for (line, cut, time) in [
        ("2026-08-14 09:00:00 host", "2026-08-14 09:00:00", "2026-08-14T07:00:00Z"),
        ("2026/08/14 09:00:00 [error]", "2026/08/14 09:00:00", "2026-08-14T07:00:00Z"),
        ("[2026.8.4  9:00:00] host", "2026.8.4  9:00:00", "2026-08-04T07:00:00Z"),
        ("2026-08-14T09:00:00Z host", "2026-08-14T09:00:00Z", "2026-08-14T09:00:00Z"),
        ("2026-08-14T09:00:00.5+01:00 host", "2026-08-14T09:00:00.5+01:00", "2026-08-14T08:00:00.5Z"),
        ("2026-08-14 09:00:00,123 -0130 x", "2026-08-14 09:00:00,123 -0130", "2026-08-14T10:30:00.123Z"),
        ("Aug 14 09:00:00 host", "Aug 14 09:00:00", "2026-08-14T07:00:00Z"),
        ("Aug  4 9:00:00 host", "Aug  4 9:00:00", "2026-08-04T07:00:00Z"),
        ("[Fri Aug 14 09:00:00.25 2026] x", "Fri Aug 14 09:00:00.25 2026", "2026-08-14T07:00:00.25Z"),
        ("AUG 14 2026 09:00:00 host", "AUG 14 2026 09:00:00", "2026-08-14T07:00:00Z"),
        ("14/08/2026 09:00:00 x", "14/08/2026 09:00:00", "2026-08-14T07:00:00Z"),
        ("14-08-26 09:00:00 x", "14-08-26 09:00:00", "2026-08-14T07:00:00Z"),
        ("- - [14/Aug/2026:09:00:00 +0000] x", "14/Aug/2026:09:00:00 +0000", "2026-08-14T09:00:00Z"),
        ("14-Aug-2026 09:00:00.123 client", "14-Aug-2026 09:00:00.123", "2026-08-14T07:00:00.123Z"),
        ("08/14/2026:09:00:00 x", "08/14/2026:09:00:00", "2026-08-14T07:00:00Z"),
        ("08-14-2026 09:00:00.5 x", "08-14-2026 09:00:00.5", "2026-08-14T07:00:00.5Z"),
        ("1786694400 x", "1786694400", "2026-08-14T08:00:00Z"),
        ("[1786694400.123] x", "1786694400.123", "2026-08-14T08:00:00.123Z"),
        ("msg=audit(1786694400.123:45): x", "1786694400.123", "2026-08-14T08:00:00.123Z"),
        ("260814 09:00:00 x", "260814 09:00:00", "2026-08-14T07:00:00Z"),
        ("Aug 14, 2026 12:30:00 AM x", "Aug 14, 2026 12:30:00 AM", "2026-08-13T22:30:00Z"),
        ("20260814T090000Z x", "20260814T090000Z", "2026-08-14T09:00:00Z"),
        ("CEST Aug 14 09:00:00 x", "CEST Aug 14 09:00:00", "2026-08-14T07:00:00Z"),
        ("x PST Aug 13 09:00:00 2026", "PST Aug 13 09:00:00 2026", "2026-08-13T17:00:00Z"),
        ("host Aug 14 09:00:00 x", "host Aug 14 09:00:00", "2026-08-14T07:00:00Z"),
        ("+0100 Aug 14 09:00:00 x", "+0100 Aug 14 09:00:00", "2026-08-14T08:00:00Z"),
        ("@400000006a7d7f4012345678 x", "@400000006a7d7f4012345678", "2026-08-13T08:24:32.305419896Z"),
        ("<08/14/26@09:00:00> x", "<08/14/26@09:00:00>", "2026-08-14T07:00:00Z"),
        ("Aug-14-26 09:00:00 x", "Aug-14-26 09:00:00", "2026-08-14T07:00:00Z"),
        ("09:00:00 x", "09:00:00", "2026-08-14T07:00:00Z"),
    ] {
        assert_eq!(find("{DEFAULT}", line), Some((cut, at(time))), "{line}");
    }
}

#[test]
fn a_line_may_hold_no_date() {
    hold(&[
        ("{DEFAULT}", "no date here", None),
        ("{DEFAULT}", "x 1786694400 x", None),
        ("{DEFAULT}", "x 09:00:00 x", None),
        ("{DEFAULT}", "2026-08-14 24:00:00 x", None),
        ("{DEFAULT}", "2026-08-14 09:00 x", None),
        ("{DEFAULT}", "2026-13-14 09:00:00 x", None),
        ("{DEFAULT}", "2026-08/14 09:00:00 x", None),
        ("{DEFAULT}", "x_2026-08-14 09:00:00 x", None),
        ("{DEFAULT}", "12026-08-14 09:00:00 x", None),
        ("{DEFAULT}", "2026-08-14 09:00:001 x", None),
        ("{DEFAULT}", "", None),
    ]);
}

#[test]
fn the_first_date_of_a_line_is_its_own() {
    hold(&[
        (
            "{DEFAULT}",
            "Aug 14 09:00:00 x 2026-01-02 03:04:05",
            Some(("Aug 14 09:00:00", "2026-08-14T07:00:00Z")),
        ),
        (
            "{DEFAULT}",
            "- [14/Aug/2026:09:00:00 +0000] 2026-01-02 03:04:05",
            Some(("14/Aug/2026:09:00:00 +0000", "2026-08-14T09:00:00Z")),
        ),
        ("{DEFAULT}", "09:00:00 x 2026-01-02 03:04:05", Some(("09:00:00", "2026-08-14T07:00:00Z"))),
    ]);
}

#[test]
fn anchored_dates_stand_behind_two_signs_at_most() {
    let date = Some(("2026-08-14 09:00:00", "2026-08-14T07:00:00Z"));
    hold(&[
        ("{^LN-BEG}", "2026-08-14 09:00:00 x", date),
        ("{^LN-BEG}", "[[2026-08-14 09:00:00 x", date),
        ("{^LN-BEG}", "\u{feff}2026-08-14 09:00:00 x", date),
        ("{^LN-BEG}", "[[[2026-08-14 09:00:00 x", None),
        ("{^LN-BEG}", "x 2026-08-14 09:00:00 x", None),
        ("{^LN-BEG}", "é2026-08-14 09:00:00 x", None),
        ("{DEFAULT}", "[[[2026-08-14 09:00:00 x", date),
    ]);
}

#[test]
fn of_two_readings_the_one_that_fitted_last_is_taken() {
    let (reference, detector) = (reference(), detector(&[]));
    let find =
        |line: &str, last| detector.find(line.as_bytes(), &DateContext { reference: &reference, last });
    let ambiguous = "08-04-2026 09:00:00.5 x";
    assert_eq!(find(ambiguous, None).unwrap().time, at("2026-04-08T07:00:00Z"));
    let american = find("08-14-2026 09:00:00.5 x", None).unwrap();
    let next = find(ambiguous, Some(&american)).unwrap();
    assert_eq!((next.time, next.range), (at("2026-08-04T07:00:00.5Z"), 0..21));
    // An earlier date of another spelling is still the line's own.
    let other = find("2026-08-14 09:00:00 08-04-2026 09:00:00", Some(&american)).unwrap();
    assert_eq!(other.range, 0..19);
}

#[test]
fn every_known_spelling_has_a_name() {
    let detector = detector(&[]);
    let names: Vec<&str> = detector.patterns().collect();
    assert_eq!(names.len(), 31);
    let found = find("{DEFAULT}", "09:00:00 x");
    assert!(found.is_some());
    assert!(names.contains(&"{^LN-BEG}%H:%M:%S"), "{names:?}");
}
