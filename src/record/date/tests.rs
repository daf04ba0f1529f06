//! Dates as programs write them into their logs.

use jiff::tz::TimeZone;

use super::{Reference, find};

/// 20 November 2026, noon in Berlin.
fn reference() -> Reference {
    Reference { now: "2026-11-20T11:00:00Z".parse().unwrap(), zone: TimeZone::get("Europe/Berlin").unwrap() }
}

fn date(line: &str) -> Option<&str> {
    find(line.as_bytes()).map(|found| &line[found.span.range()])
}

fn time(line: &str) -> Option<String> {
    Some(find(line.as_bytes())?.time(Some(&reference()))?.to_string())
}

#[test]
fn each_spelling_is_found_and_read() {
    for (line, written, time_read) in [
        ("2026-11-20T10:00:00.5Z x", "2026-11-20T10:00:00.5Z", "2026-11-20T10:00:00.5Z"),
        ("2026-11-20T10:00:00,123+01:00 x", "2026-11-20T10:00:00,123+01:00", "2026-11-20T09:00:00.123Z"),
        (
            "2026-11-20 10:00:00.123456789Z",
            "2026-11-20 10:00:00.123456789Z",
            "2026-11-20T10:00:00.123456789Z",
        ),
        ("2026-11-20 10:00:00 -0500 x", "2026-11-20 10:00:00 -0500", "2026-11-20T15:00:00Z"),
        ("2026-11-20 10:00:00 UTC x", "2026-11-20 10:00:00 UTC", "2026-11-20T10:00:00Z"),
        ("2026-11-20 10:00:00, x", "2026-11-20 10:00:00", "2026-11-20T09:00:00Z"),
        ("2026-07-01  9:00:00 Zebra", "2026-07-01  9:00:00", "2026-07-01T07:00:00Z"),
        ("2026/11/20 10:00:00 [error] 1#1: *1 x", "2026/11/20 10:00:00", "2026-11-20T09:00:00Z"),
        ("2026.11.20 10:00:00 x", "2026.11.20 10:00:00", "2026-11-20T09:00:00Z"),
        ("Nov  3 10:00:00 host sshd[1]: x", "Nov  3 10:00:00", "2026-11-03T09:00:00Z"),
        ("Nov 13 10:00:00 2001:db8::1 sshd[1]: x", "Nov 13 10:00:00", "2026-11-13T09:00:00Z"),
        ("Nov 20 2026 10:00:00 host x", "Nov 20 2026 10:00:00", "2026-11-20T09:00:00Z"),
        ("Nov 20 20:26:00 host x", "Nov 20 20:26:00", "2026-11-20T19:26:00Z"),
        (
            "[Fri Nov 20 10:00:00.123456 2026] [error] x",
            "Fri Nov 20 10:00:00.123456 2026",
            "2026-11-20T09:00:00.123456Z",
        ),
        ("x [20/Nov/2026:10:00:00 +0000] y", "20/Nov/2026:10:00:00 +0000", "2026-11-20T10:00:00Z"),
        ("x [20/Nov/2026:10:00:00] y", "20/Nov/2026:10:00:00", "2026-11-20T09:00:00Z"),
        ("20-Nov-2026 10:00:00.25 x", "20-Nov-2026 10:00:00.25", "2026-11-20T09:00:00.25Z"),
        ("1763632800 x", "1763632800", "2025-11-20T10:00:00Z"),
        ("[1763632800.123] x", "1763632800.123", "2025-11-20T10:00:00.123Z"),
        ("2026-06-30 23:59:60Z", "2026-06-30 23:59:60Z", "2026-06-30T23:59:59Z"),
    ] {
        assert_eq!(date(line), Some(written), "{line}");
        assert_eq!(time(line).as_deref(), Some(time_read), "{line}");
    }
}

#[test]
fn what_is_no_date_is_none() {
    for line in [
        "",
        "x",
        "10:00:00",
        "12026-11-20 10:00:00",
        "2026-11/20 10:00:00",
        "2026-13-20 10:00:00",
        "2026-11-20 24:00:00",
        "2026-11-20 10:00:001",
        "2026-11-20x10:00:00",
        "x 1763632800 y",
        "17636328001 y",
        "Novx 3 10:00:00",
        "xNov 3 10:00:00",
        "20/Nov/1026:10:00:00",
    ] {
        assert_eq!(date(line), None, "{line}");
    }
}

#[test]
fn an_impossible_day_has_no_time() {
    assert_eq!(date("2026-02-30 10:00:00 x"), Some("2026-02-30 10:00:00"));
    assert_eq!(time("2026-02-30 10:00:00 x"), None);
}

#[test]
fn the_lines_own_date_comes_before_those_in_its_message() {
    let line = "Nov 20 10:00:00 host app: user 2001-01-01 00:00:00 failed";
    assert_eq!(date(line), Some("Nov 20 10:00:00"));
    let line = "[20/Nov/2026:10:00:00 +0000] 2001-01-01 00:00:00";
    assert_eq!(date(line), Some("20/Nov/2026:10:00:00 +0000"));
}

#[test]
fn a_missing_year_is_the_latest_that_is_not_after_tomorrow() {
    assert_eq!(time("Nov 21 11:59:59 x").unwrap(), "2026-11-21T10:59:59Z");
    assert_eq!(time("Nov 21 12:00:01 x").unwrap(), "2025-11-21T11:00:01Z");
    assert_eq!(time("Dec 31 23:59:59 x").unwrap(), "2025-12-31T22:59:59Z");
    assert_eq!(time("Feb 29 10:00:00 x").unwrap(), "2024-02-29T09:00:00Z");
    let new_year = Reference { now: "2026-12-31T22:00:00Z".parse().unwrap(), ..reference() };
    let found = find(b"Jan  1 00:30:00 x").unwrap();
    assert_eq!(found.time(Some(&new_year)).unwrap().to_string(), "2026-12-31T23:30:00Z");
}

#[test]
fn without_a_reference_only_complete_dates_have_a_time() {
    for (line, known) in [
        ("2026-11-20T10:00:00Z", true),
        ("20/Nov/2026:10:00:00 +0100", true),
        ("1763632800", true),
        ("2026-11-20T10:00:00", false),
        ("Nov 20 10:00:00", false),
    ] {
        assert_eq!(find(line.as_bytes()).unwrap().time(None).is_some(), known, "{line}");
    }
}
