//! Ordinary lines, formats and their detection, raw lines.

use jiff::tz::TimeZone;

use crate::record::{Field, Format, Record, Reference};

const COMBINED: &str = r#"203.0.113.7 - - [01/May/2026:10:00:00 +0000] "POST /wp-login.php?a=1 HTTP/1.1" 200 1234 "https://h/" "Mozilla/5.0""#;
const COMMON: &str = r#"203.0.113.7 - - [01/May/2026:10:00:00 +0000] "GET / HTTP/1.1" 304 -"#;
const VHOST: &str =
    r#"Shop.example:443 2001:db8::7 - bob [01/May/2026:10:00:00 +0000] "GET / HTTP/1.1" 403 5 "-" "-""#;

fn parse<'a>(format: &'a Format, line: &'a str) -> Record<'a> {
    format.parse(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn text(record: &Record<'_>, field: &Field) -> Option<String> {
    record.field(field).map(|value| String::from_utf8_lossy(&value).into_owned())
}

fn fields(record: &Record<'_>) -> Vec<Option<String>> {
    Field::ALL.iter().map(|field| text(record, field)).collect()
}

fn some(values: [&str; 11]) -> Vec<Option<String>> {
    values.iter().map(|value| (*value != "NONE").then(|| (*value).to_owned())).collect()
}

fn detect(lines: &[&str]) -> Option<Format> {
    Format::detect(lines.iter().map(|line| line.as_bytes()))
}

#[test]
fn a_combined_line_has_its_fields() {
    let record = parse(&Format::Combined, COMBINED);
    let expected = [
        "POST",
        "/wp-login.php",
        "/wp-login.php?a=1",
        "a=1",
        "200",
        "NONE",
        "https://h/",
        "Mozilla/5.0",
        "-",
        "HTTP/1.1",
        "1234",
    ];
    assert_eq!(fields(&record), some(expected));
    assert_eq!(record.address().unwrap().to_string(), "203.0.113.7");
    assert_eq!(&COMBINED[record.client_range().unwrap()], "203.0.113.7");
    assert_eq!(record.time().unwrap().to_string(), "2026-05-01T10:00:00Z");
    assert_eq!(&COMBINED[record.time_range().unwrap()], "01/May/2026:10:00:00 +0000");
    assert_eq!(Format::Combined.time(COMBINED.as_bytes()), record.time());
    assert_eq!((record.number(&Field::Status), record.number(&Field::Bytes)), (Some(200), Some(1234)));
    assert!(!record.refused());
}

#[test]
fn a_common_line_has_no_agents_and_may_have_no_bytes() {
    let record = parse(&Format::Common, COMMON);
    let none = [Field::Referer, Field::UserAgent, Field::Host].map(|field| text(&record, &field));
    assert_eq!(none, [None, None, None]);
    assert_eq!(text(&record, &Field::Bytes).unwrap(), "-");
    assert_eq!(record.number(&Field::Bytes), Some(0));
    assert_eq!(record.number(&Field::User), None);
    assert!(Format::Combined.parse(COMMON.as_bytes()).is_err());
    assert_eq!(text(&parse(&Format::Common, COMBINED), &Field::Referer), None);
}

#[test]
fn a_virtual_host_stands_before_the_client() {
    let record = parse(&Format::VhostCombined, VHOST);
    assert_eq!(text(&record, &Field::Host).unwrap(), "shop.example");
    assert_eq!(record.address().unwrap().to_string(), "2001:db8::7");
    assert_eq!(text(&record, &Field::User).unwrap(), "bob");
    assert!(record.refused());
    assert_eq!(&VHOST[record.client_range().unwrap()], "2001:db8::7");
    assert_eq!(Format::VhostCombined.time(VHOST.as_bytes()), record.time());
}

#[test]
fn the_host_of_other_formats_is_the_targets_own() {
    let line = COMMON.replace("GET / ", "GET http://User@Evil.example:80/x ");
    assert_eq!(text(&parse(&Format::Common, &line), &Field::Host).unwrap(), "evil.example");
    let line = VHOST.replace("GET / ", "GET http://evil.example/ ");
    assert_eq!(text(&parse(&Format::VhostCombined, &line), &Field::Host).unwrap(), "shop.example");
}

#[test]
fn a_gate_refuses_with_403_or_444() {
    for (status, refused) in [("403", true), ("444", true), ("404", false), ("401", false), ("200", false)] {
        let line = COMMON.replace("304", status);
        assert_eq!(parse(&Format::Common, &line).refused(), refused, "{status}");
    }
}

#[test]
fn operators_append_fields_of_their_own_after_a_blank() {
    for (format, line) in
        [(Format::Combined, COMBINED), (Format::Common, COMMON), (Format::VhostCombined, VHOST)]
    {
        for tail in ["\r", " ", r#" "10.0.0.1, x" 0.003"#, " 0.003 \"", "\x20\u{fc}\0"] {
            let longer = format!("{line}{tail}");
            assert_eq!(fields(&parse(&format, &longer)), fields(&parse(&format, line)), "{longer}");
        }
    }
    assert!(Format::Combined.parse(format!("{COMBINED}x").as_bytes()).is_err());
    assert!(Format::Common.parse(format!("{COMMON}1").as_bytes()).is_err());
}

#[test]
fn a_hole_of_zero_bytes_before_a_line_is_skipped() {
    for (format, line) in [(Format::Combined, COMBINED), (Format::VhostCombined, VHOST)] {
        let holed = format!("\0\0\0{line}");
        let record = parse(&format, &holed);
        assert_eq!(fields(&record), fields(&parse(&format, line)));
        assert_eq!(record.address(), parse(&format, line).address());
    }
}

#[test]
fn an_error_tells_where_and_what() {
    for (line, message) in [
        ("", "no combined line: a client address expected at byte 0"),
        (" - - [", "no combined line: a client address expected at byte 0"),
        ("1.2.3.4 - ", "no combined line: a user, a date and a request in quotes expected at byte 10"),
        (
            r#"1.2.3.4 - - [31/Apr/2026:10:00:00 +0000] "GET /""#,
            "no combined line: [DD/Mon/YYYY:HH:MM:SS +ZZZZ] expected at byte 12",
        ),
        (
            r#"1.2.3.4 - [01/Apr/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1"#,
            "no combined line: a user expected at byte 10",
        ),
        (
            r#"1.2.3.4 - - [01/Apr/2026:10:00:00 +0000] "GET /\" 200"#,
            "no combined line: a closing quote expected at byte 53",
        ),
        (
            r#"1.2.3.4 - - [01/Apr/2026:10:00:00 +0000] "" 20 1 "-" "-""#,
            "no combined line: a status of three digits expected at byte 44",
        ),
        (
            r#"1.2.3.4 - - [01/Apr/2026:10:00:00 +0000] "" 200 x "-" "-""#,
            "no combined line: a number of bytes or `-` expected at byte 48",
        ),
        (
            r#"1.2.3.4 - - [01/Apr/2026:10:00:00 +0000] "" 200 1"#,
            "no combined line: a blank expected at byte 49",
        ),
    ] {
        assert_eq!(Format::Combined.parse(line.as_bytes()).unwrap_err().to_string(), message, "{line}");
    }
}

#[test]
fn names_are_read_and_shown() {
    for (format, name) in Format::ALL.into_iter().zip(Format::NAMES) {
        assert_eq!((format.to_string().as_str(), name.parse()), (name, Ok(format)));
    }
    let error = "auto".parse::<Format>().unwrap_err().to_string();
    let names = Format::NAMES.join(", ");
    assert_eq!(error, format!("`auto` is no log format; formats are {names}"));
}

#[test]
fn the_format_with_most_fields_is_detected() {
    assert_eq!(detect(&[COMBINED, COMBINED, "junk", ""]), Some(Format::Combined));
    assert_eq!(detect(&[COMMON, COMMON, COMBINED]), Some(Format::Common));
    assert_eq!(detect(&[VHOST, COMBINED, VHOST]), Some(Format::VhostCombined));
    assert_eq!(detect(&[COMBINED, "junk"]), None);
    assert_eq!(detect(&["Nov 20 10:00:00 host sshd[1]: x"]), None);
    assert_eq!(detect(&[]), None);
}

/// A line of each format that no line of another can be taken for.
const OF_EACH: [(&str, Format); 7] = [
    (COMBINED, Format::Combined),
    (COMMON, Format::Common),
    (VHOST, Format::VhostCombined),
    (
        "[Sat Nov 21 11:13:29.603684 2026] [core:error] [pid 1:tid 2] [client 203.0.113.7:1] AH1: x",
        Format::ApacheError,
    ),
    (
        r#"2026/11/21 11:06:41 [error] 1#1: *5 access forbidden by rule, client: 203.0.113.7, server: s, request: "GET / HTTP/1.1""#,
        Format::NginxError,
    ),
    (
        r#"203.0.113.7:1 [21/Nov/2026:11:11:51.774] fe be/s 0/0/0/0/0 200 1 - - ---- 1/1/0/0/0 0/0 "GET / HTTP/1.1""#,
        Format::Haproxy,
    ),
    ("Nov 20 10:00:00 host sshd[1]: Failed password for root from 203.0.113.7", Format::Raw),
];

#[test]
fn a_line_is_recognised_as_what_it_is_and_read_as_nothing_else() {
    for (line, of) in OF_EACH {
        assert_eq!(detect(&[line]), Some(of.clone()).filter(|of| *of != Format::Raw), "{line}");
        for other in Format::ALL.into_iter().filter(|other| *other != of && *other != Format::Raw) {
            if !(of.is_combined() && other.is_combined()) {
                assert!(other.parse(line.as_bytes()).is_err(), "{other}: {line}");
            }
        }
    }
    let clf = r#"203.0.113.7 - - [21/Nov/2026:11:11:51 +0000] "GET / HTTP/1.1" 503 217 "" "" 57782 866 "clf" "empty" "<NOSRV>" 0 -1 -1 -1 0 SC-- 1 1 0 0 0 0 0 "" "" "#;
    assert_eq!(detect(&[clf]), Some(Format::Haproxy), "it reads as combined, too");
    let empty =
        r#"203.0.113.7 - - [21/Nov/2026:11:11:51 +0000] "GET / HTTP/1.1" 503 217 "" "" 57782 866 "more""#;
    assert_eq!(detect(&[empty]), Some(Format::Combined));
}

#[test]
fn a_virtual_host_is_never_taken_for_the_client() {
    let named = VHOST.replace("2001:db8::7", "client.example");
    let numbered = VHOST.replace("Shop.example:443", "192.0.2.80:443");
    let bare = VHOST.replace("Shop.example:443", "192.0.2.80");
    for line in [VHOST, &named, &numbered, &bare] {
        assert_eq!(detect(&[line]), Some(Format::VhostCombined), "{line}");
    }
    let resolved = COMBINED.replace("203.0.113.7", "client.example");
    let spaced = COMBINED.replace("- - [", "- 9.9.9.9 and more [");
    for line in [COMBINED, &resolved, &spaced] {
        assert_eq!(detect(&[line]), Some(Format::Combined), "{line}");
    }
}

#[test]
fn a_name_or_nothing_is_no_address() {
    for client in ["client.example", "-", "unix:", "1.2.3.4,", "1.2.3"] {
        let line = COMMON.replace("203.0.113.7", client);
        assert_eq!(parse(&Format::Common, &line).address(), None, "{client}");
    }
}

#[test]
fn a_status_has_its_literal_in_every_line() {
    for (format, line) in
        [(Format::Combined, COMBINED), (Format::Common, COMMON), (Format::VhostCombined, VHOST)]
    {
        let status = parse(&format, line).number(&Field::Status).unwrap() as u16;
        let literal = String::from_utf8(format.status_literal(status).unwrap()).unwrap();
        assert!(line.contains(&literal), "{literal}");
    }
    assert_eq!(Format::Combined.status_literal(9).unwrap(), b"\" 009 ");
    assert_eq!(Format::Raw.status_literal(404), None);
}

#[test]
fn a_raw_line_has_a_time_and_nothing_else() {
    let line = "Nov 20 10:00:00 host sshd[1]: Failed password from 192.0.2.1";
    let record = parse(&Format::Raw, line);
    assert_eq!((record.time(), record.address(), record.client_range()), (None, None, None));
    assert_eq!(fields(&record), vec![None; 11]);
    assert_eq!(&line[record.time_range().unwrap()], "Nov 20 10:00:00");
    assert_eq!(record.number(&Field::Status), None);
    let reference = Reference { now: "2026-11-20T10:00:05Z".parse().unwrap(), zone: TimeZone::UTC };
    let time = Format::Raw.parse_at(line.as_bytes(), &reference).unwrap().time();
    assert_eq!(time.unwrap().to_string(), "2026-11-20T10:00:00Z");
    assert_eq!(Format::Raw.time_at(line.as_bytes(), &reference), time);
    assert_eq!(Format::Raw.time(line.as_bytes()), None);
}

#[test]
fn a_date_is_cut_and_ranges_find_back() {
    for (format, line, cut) in [
        (Format::Common, COMMON, r#"203.0.113.7 - - [] "GET / HTTP/1.1" 304 -"#),
        (Format::Raw, "Nov 20 10:00:00 h x[1]: 192.0.2.1\r", " h x[1]: 192.0.2.1"),
        (Format::Raw, "h 2026-11-20T10:00:00Z", "h "),
        (Format::Raw, "no date\r", "no date"),
    ] {
        let record = parse(&format, line);
        let mut buffer = b"left over".to_vec();
        let shown = record.without_date(&mut buffer);
        assert_eq!(String::from_utf8_lossy(shown), cut);
        for start in 0..cut.len() {
            for end in start + 1..=cut.len() {
                let range = record.uncut(start..end);
                let date =
                    record.time_range().filter(|date| range.start <= date.start && date.end <= range.end);
                let kept = line[range].replace(date.map_or("", |date| &line[date]), "");
                assert_eq!(kept, cut[start..end], "{start}..{end}");
            }
            assert!(record.uncut(start..start).is_empty());
            let around = record.uncut(start..start + 1);
            assert_eq!(around.len(), 1, "a single byte never takes the date with it");
        }
    }
}
