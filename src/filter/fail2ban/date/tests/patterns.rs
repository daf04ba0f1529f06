//! Patterns that are written in a filter.

use super::{DateContext, DateDetector, at, detector, find, find_at, hold, reference};

#[test]
fn every_field_is_read() {
    for (pattern, line, time) in [
        ("%Y-%m-%d %H:%M:%S", "1999-08-14 9:00:00", "1999-08-14T07:00:00Z"),
        ("%y%m%d %H%M", "260814 0900", "2026-08-14T07:00:00Z"),
        ("%Exy%Exm%Exd %ExH%ExM%ExS", "260814 090000", "2026-08-14T07:00:00Z"),
        ("%B %d %Y %k:%M", "august  4 2026  9:00", "2026-08-04T07:00:00Z"),
        ("%A, %d %b %Y %Exk:%M", "Friday, 14 Aug 2026 9:00", "2026-08-14T07:00:00Z"),
        ("%Y %j %H", "2026 226 09", "2026-08-14T07:00:00Z"),
        ("%Y %W %a", "2026 32 Fri", "2026-08-13T22:00:00Z"),
        ("%Y %U %w", "2026 32 5", "2026-08-13T22:00:00Z"),
        ("%Y-%m-%d %I:%M %p", "2026-08-14 12:30 am", "2026-08-13T22:30:00Z"),
        ("%Y-%m-%d %l:%M%p", "2026-08-14  1:30PM", "2026-08-14T11:30:00Z"),
        ("%Y-%m-%d %Exl:%M", "2026-08-14 12:30", "2026-08-13T22:30:00Z"),
        ("%Y-%m-%d %H:%M:%S.%f", "2026-08-14 09:00:60.25", "2026-08-14T07:00:59.25Z"),
        ("%Y-%m-%d %H:%M %z", "2026-08-14 09:00 -01", "2026-08-14T10:00:00Z"),
        ("%Y-%m-%d %H:%M %Z", "2026-08-14 09:00 EST", "2026-08-14T14:00:00Z"),
        ("%Y-%m-%d %H:%M %ExZ", "2026-08-14 09:00 B", "2026-08-14T07:00:00Z"),
        ("%Y-%m-%d %H:%M %Exz", "2026-08-14 09:00 UTC+01:30", "2026-08-14T07:30:00Z"),
        ("%Y-%m-%d %H:%M %Exz", "2026-08-14 09:00 CET-01", "2026-08-14T09:00:00Z"),
        ("%F %T", "2026-08-14 09:00:00", "2026-08-14T07:00:00Z"),
        ("%c", "Fri Aug 14 09:00:00 2026", "2026-08-14T07:00:00Z"),
        ("%x %X", "08/14/26 09:00:00", "2026-08-14T07:00:00Z"),
        ("t=%s", "t=1786694400", "2026-08-14T08:00:00Z"),
        ("t={EPOCH}", "t=1786694400.123456", "2026-08-14T08:00:00.123456Z"),
        ("t={LEPOCH}", "t=1786694400123", "2026-08-14T08:00:00.123Z"),
        ("lepoch", "1786694400123456", "2026-08-14T08:00:00.123456Z"),
        ("EPOCH", "1786694400", "2026-08-14T08:00:00Z"),
        ("ISO8601", "2026-08-14T09:00:00Z", "2026-08-14T09:00:00Z"),
        ("%Y%% %m-%d", "2026% 08-14", "2026-08-13T22:00:00Z"),
        ("{DATE}", "1786694400", "2026-08-14T08:00:00Z"),
    ] {
        assert_eq!(find(pattern, line), Some((line, at(time))), "{pattern}");
    }
}

#[test]
fn the_first_group_is_cut_and_else_the_whole() {
    let midnight = "2026-08-13T22:00:00Z";
    hold(&[
        (r"^\[%Y-%m-%d\]", "[2026-08-14] x", Some(("[2026-08-14]", midnight))),
        (r"^\[(%Y-%m-%d)\]", "[2026-08-14] x", Some(("2026-08-14", midnight))),
        (r"(?:x|y) (%Y)-%m-%d", "x 2026-08-14", Some(("2026", midnight))),
        (r"{^LN-BEG}(%Y-%m-%d) x", "[2026-08-14 x", Some(("2026-08-14", midnight))),
        (r"^[^\[]*\[({DATE})", "x y [2026-08-14 00:00:00] z", Some(("2026-08-14 00:00:00", midnight))),
        (
            r#"^<co ts="{DATE}"\s+"#,
            r#"<co ts="20260814T000000" x"#,
            Some((r#"<co ts="20260814T000000" "#, midnight)),
        ),
        ("^{DATE}", "[1786694400] x", Some(("1786694400", "2026-08-14T08:00:00Z"))),
        ("^{DATE}", "[2026-08-14 00:00:00 x", None),
        ("{DATE}", "x 09:00:00 x", Some(("09:00:00", "2026-08-14T07:00:00Z"))),
        (r"^WARNING:()**", "WARNING:x", Some(("", "2026-08-14T10:00:00Z"))),
        ("{NONE}", "2026-08-14 x", Some(("", "2026-08-14T10:00:00Z"))),
    ]);
}

#[test]
fn words_bound_a_date_unless_the_pattern_says_otherwise() {
    let date = Some(("2026-08-14", "2026-08-13T22:00:00Z"));
    hold(&[
        ("%Y-%m-%d", "x 2026-08-14: y", date),
        ("%Y-%m-%d", "x2026-08-14", None),
        ("%Y-%m-%d", "2026-08-145", None),
        ("%Y-%m-%d", "2026-08-14y", None),
        ("{UNB}%Y-%m-%d", "x2026-08-14y", date),
        ("**%Y-%m-%d", "x2026-08-14", date),
        ("**%Y-%m-%d", "x2026-08-14y", None),
        ("%Y-%m-%d**", "2026-08-14y", date),
        ("%Y-%m-%d**", "x2026-08-14y", None),
        ("%Y-%m-%d$", "x 2026-08-14", date),
        ("%Y-%m-%d$", "2026-08-14 x", None),
        (r"\b%Y-%m-%d\b", "x 2026-08-14 x", date),
        (r"\b\[%Y-%m-%d", "x[2026-08-14 x", Some(("[2026-08-14", "2026-08-13T22:00:00Z"))),
        (r"(?:^|x)%Y-%m-%d", "yx2026-08-14", Some(("x2026-08-14", "2026-08-13T22:00:00Z"))),
        ("^%Y-%m-%d", "x 2026-08-14", None),
    ]);
}

#[test]
fn python_and_this_engine_read_the_same() {
    let midnight = "2026-08-13T22:00:00Z";
    hold(&[
        (r"%Y(?P<_sep>[-/.])%m(?P=_sep)%d", "2026/08/14", Some(("2026/08/14", midnight))),
        (r"%Y(?P<_sep>[-/.])%m(?P=_sep)%d", "2026/08-14", None),
        (r"(?P<q>ab|c)%Y-%m-%d(?P=q)", "ab2026-08-14ab", Some(("ab2026-08-14ab", midnight))),
        (r"\<%Y-%m-%d\>", "<2026-08-14>", Some(("<2026-08-14>", midnight))),
        (r"[[(]%Y-%m-%d[])]", "[2026-08-14)", Some(("[2026-08-14)", midnight))),
        (r"{%Y-%m-%d}", "{2026-08-14}", Some(("{2026-08-14}", midnight))),
        (r"[a&&b]{2}%Y-%m-%d", "a&2026-08-14", Some(("a&2026-08-14", midnight))),
        ("é%Y-%m-%d", "é2026-08-14", Some(("é2026-08-14", midnight))),
        (r"T%Y-%m-%d\Z", "T2026-08-14", Some(("T2026-08-14", midnight))),
        ("T%Y-%m-%d", "t2026-08-14", None),
        ("(?i)T%Y-%m-%d", "t2026-08-14", Some(("t2026-08-14", midnight))),
        // A pattern with names is read in any case as a whole.
        ("T%d-%b-%Y", "t14-AUG-2026", Some(("t14-AUG-2026", midnight))),
    ]);
}

#[test]
fn a_year_that_is_missing_is_the_latest_that_can_be() {
    let time = |now, line| find_at(now, "%b %d %H:%M", line).unwrap().time;
    assert_eq!(time("2026-08-14T10:00:00Z", "Aug 15 11:59"), at("2026-08-15T09:59:00Z"));
    assert_eq!(time("2026-08-14T10:00:00Z", "Aug 15 12:01"), at("2025-08-15T10:01:00Z"));
    assert_eq!(time("2026-01-01T00:00:00Z", "Dec 31 23:00"), at("2025-12-31T22:00:00Z"));
    assert_eq!(time("2026-12-31T22:30:00Z", "Jan  1 00:00"), at("2026-12-31T23:00:00Z"));
    assert_eq!(time("2026-08-14T10:00:00Z", "Feb 29 09:00"), at("2024-02-29T08:00:00Z"));
}

#[test]
fn a_date_that_is_missing_is_today_or_yesterday() {
    let time = |line| find("%H:%M", line).unwrap().1;
    assert_eq!(time("11:59"), at("2026-08-14T09:59:00Z"));
    assert_eq!(time("12:01"), at("2026-08-14T10:01:00Z"), "the reference may be a little old");
    assert_eq!(time("12:02"), at("2026-08-13T10:02:00Z"));
    assert_eq!(find("%Y", "2024").unwrap().1, at("2024-08-13T22:00:00Z"));
}

#[test]
fn a_clock_that_is_put_forward_or_back_has_one_time() {
    let time = |line| find("%Y-%m-%d %H:%M", line).unwrap().1;
    assert_eq!(
        time("2026-03-29 02:30"),
        at("2026-03-29T01:30:00Z"),
        "no such time: as if not put forward yet"
    );
    assert_eq!(time("2026-10-25 02:30"), at("2026-10-25T00:30:00Z"), "twice: the first");
}

#[test]
fn a_date_that_cannot_be_is_cut_and_takes_the_last_time() {
    let (reference, detector) = (reference(), detector(&["^%Y-%m-%d %k:%M", "^%m %H", "^WARNING()**"]));
    let find =
        |line: &str, last| detector.find(line.as_bytes(), &DateContext { reference: &reference, last });
    let first = find("2026-08-01 09:00 x", None).unwrap();
    for (line, end) in [("2026-02-30 09:00 x", 16), ("2026-08-14 24:00", 16), ("08 09", 5)] {
        assert_eq!(
            find(line, None).map(|found| (found.range, found.time)),
            Some((0..end, reference.now)),
            "{line}"
        );
        assert_eq!(find(line, Some(&first)).unwrap().time, first.time, "{line}");
    }
    let warning = find("WARNING x", Some(&first)).unwrap();
    assert_eq!((warning.range, warning.time, warning.pattern), (7..7, first.time, 2));
}

#[test]
fn several_patterns_stand_in_one_text_or_in_several() {
    let several =
        DateDetector::compile(&["%Y-%m-%d\n  ^%H:%M:%S\n\n".to_owned(), "Epoch".to_owned()]).unwrap();
    assert_eq!(several.patterns().collect::<Vec<_>>(), ["%Y-%m-%d", "^%H:%M:%S", "Epoch"]);
    let context = DateContext { reference: &reference(), last: None };
    let pattern = |line: &str| several.find(line.as_bytes(), &context).map(|found| found.pattern);
    assert_eq!(pattern("x 2026-08-14"), Some(0));
    assert_eq!(pattern("09:00:00 x"), Some(1));
    assert_eq!(pattern("1786694400"), Some(2));
    assert_eq!(pattern("x"), None);
}

#[test]
fn what_cannot_be_read_is_named() {
    let problem = |pattern: &str| {
        let problems = DateDetector::compile(&[pattern.to_owned()]).unwrap_err();
        assert_eq!(problems[0].key, "datepattern");
        problems[0].message.clone()
    };
    assert!(problem("%Q-%m").contains("%Q is no field of a date"));
    assert!(problem("%Ex").contains("%Ex is no field"));
    assert!(problem("%").contains("% is no field"));
    assert!(problem("(?<!x)%Y").contains("look-around"), "{}", problem("(?<!x)%Y"));
    assert!(problem("%Y %Y").contains("duplicate"), "{}", problem("%Y %Y"));
    assert!(problem(r"(?P<x>\d+)%Y(?P=x)").contains("(?P=x)"));
    assert!(problem("(%Y").contains("unclosed"), "{}", problem("(%Y"));
    assert!(problem("{UNB}").contains("{NONE}"));
    let both = DateDetector::compile(&["%Q\n%Y\n%q".to_owned()]).unwrap_err();
    assert_eq!(both.len(), 2);
}
