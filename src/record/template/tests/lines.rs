//! Lines of formats as operators have them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::address::{AllowEntry, Allowlist};
use crate::record::{ClientFrom, Field, Format, FormatEscape, Record, Reference};

fn format(text: &str, escape: FormatEscape) -> Format {
    Format::compile(text, escape).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn default(text: &str) -> Format {
    format(text, FormatEscape::Default)
}

fn text(record: &Record<'_>, field: &str) -> String {
    let value = record.field(&Field::of_format(field));
    value.map_or_else(|| "NONE".to_owned(), |value| String::from_utf8_lossy(&value).into_owned())
}

#[track_caller]
fn assert_read(format: &Format, line: &str, expected: &[(&str, &str)]) {
    let record = format.parse(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert_eq!(record.address().map(|address| address.to_string()).as_deref(), Some("203.0.113.7"), "{line}");
    for (field, value) in expected {
        assert_eq!(text(&record, field), *value, "{field} of {line}");
    }
}

fn at(format: &Format, line: &str) -> Option<String> {
    let record = format.parse(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert_eq!(format.time(line.as_bytes()), record.time());
    record.time().map(|time| time.to_string())
}

#[test]
fn a_json_object_is_read_by_position() {
    let format = format(
        r#"{"ip":"$remote_addr","t":"$time_iso8601","req":"$request","status":$status,"rt":$request_time,"up":"$upstream_status","ua":"$http_user_agent"}"#,
        FormatEscape::Json,
    );
    let line = r#"{"ip":"203.0.113.7","t":"2026-11-20T16:51:57+01:00","req":"GET /a\"b\\?q=\u0001 HTTP/1.1","status":404,"rt":0.005,"up":"502, 504 : 200","ua":"x\",\"ip\":\"9.9.9.9\"}"}"#;
    assert_read(
        &format,
        line,
        &[
            ("path", "/a\"b\\"),
            ("query", "q=\u{1}"),
            ("status", "404"),
            ("request_time", "0.005"),
            ("upstream_status", "502, 504 : 200"),
            ("user_agent", "x\",\"ip\":\"9.9.9.9\"}"),
        ],
    );
    assert_eq!(at(&format, line).as_deref(), Some("2026-11-20T15:51:57Z"));
    assert_read(&format, &format!("{line}\r"), &[("status", "404")]);
    for wrong in [line.trim_end_matches('}'), &format!("{line}x"), &line.replace("404", "40"), ""] {
        assert!(format.parse(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn nginx_values_without_quotes_are_found_from_both_sides() {
    let named = default(
        r#"$remote_addr - $remote_user [$time_local] $scheme "$request_method $host$request_uri $server_protocol" $status $body_bytes_sent rt=$request_time ua="$upstream_addr" us="$upstream_status""#,
    );
    let line = r#"203.0.113.7 - 9.9.9.9 - x [01/Jan/2001:00:00:00 +0000] y [20/Nov/2026:15:51:57 +0000] https "GET shop.example/a//b/../c?d HTTP/2.0" 502 157 rt=0.123 ua="10.0.0.1:80, unix:/run/x.sock" us="502, 200" more="1""#;
    assert_read(
        &named,
        line,
        &[
            ("user", "9.9.9.9 - x [01/Jan/2001:00:00:00 +0000] y"),
            ("scheme", "https"),
            ("method", "GET"),
            ("host", "shop.example"),
            ("path", "/a/c"),
            ("request_uri", "/a//b/../c?d"),
            ("query", "d"),
            ("protocol", "HTTP/2.0"),
            ("status", "502"),
            ("bytes", "157"),
            ("upstream_addr", "10.0.0.1:80, unix:/run/x.sock"),
            ("upstream_status", "502, 200"),
        ],
    );
    let none = r#"203.0.113.7 - - [20/Nov/2026:15:51:57 +0000] http "- _- -" 400 0 rt=0.000 ua="-" us="-""#;
    let absent = [("method", "NONE"), ("path", "NONE"), ("protocol", "NONE"), ("request_uri", "")];
    assert_read(&named, none, &absent);
    let last = default("$remote_addr:$remote_port|$status|$msec|$http_x_forwarded_for");
    let line = "203.0.113.7:1234|200|1763653917.123|9.9.9.9|200|1, x";
    assert_read(&last, line, &[("x_forwarded_for", "9.9.9.9|200|1, x"), ("remote_port", "1234")]);
    assert_eq!(at(&last, line).as_deref(), Some("2025-11-20T15:51:57.123Z"));
    let six = last.parse(b"2001:db8::1:1234|200|1763653917.123|-").unwrap();
    assert_eq!(six.address().unwrap().to_string(), "2001:db8::1");
}

#[test]
fn apache_writes_an_empty_user_as_two_quotes() {
    let format = default(r#"%a "%{X-Forwarded-For}i" %l %u %t \"%m %U%q %H\" %>s %D "%u" %{UNIQUE_ID}e"#);
    let line = |user: &str, quoted: &str| {
        format!(
            r#"203.0.113.7 "9.9.9.9, \"x" - {user} [20/Nov/2026:15:51:57 +0000] "POST /a b?c?d HTTP/1.1" 401 99 "{quoted}" a-1"#
        )
    };
    for (user, value) in [
        ("\"\"", ""),
        ("-", "-"),
        (r#"x\" [20/Nov/2020:15:51:57 +0000] \"y"#, "x\" [20/Nov/2020:15:51:57 +0000] \"y"),
    ] {
        assert_read(
            &format,
            &line(user, user),
            &[
                ("user", value),
                ("x_forwarded_for", "9.9.9.9, \"x"),
                ("method", "POST"),
                ("path", "/a b"),
                ("query", "c?d"),
                ("request_uri", "/a b?c?d"),
                ("protocol", "HTTP/1.1"),
                ("status", "401"),
                ("request_time_us", "99"),
                ("env_unique_id", "a-1"),
            ],
        );
    }
    assert!(format.parse(line("\"\" x", "-").as_bytes()).is_err());
}

#[test]
fn times_are_read_in_every_spelling() {
    let reference = Reference { now: Timestamp::UNIX_EPOCH, zone: TimeZone::get("Europe/Berlin").unwrap() };
    for (spelled, written, expected) in [
        ("%t", "[20/Nov/2026:15:51:57 +0100]", "2026-11-20T14:51:57Z"),
        (
            "%{%Y-%m-%dT%H:%M:%S}t.%{msec_frac}t%{%z}t",
            "2026-11-20T15:51:57.042+0100",
            "2026-11-20T14:51:57.042Z",
        ),
        ("%{begin:%F %T}t.%{usec_frac}t", "2026-11-20 15:51:57.000042", "2026-11-20T14:51:57.000042Z"),
        ("%{sec}t.%{usec_frac}t", "1763653917.000042", "2025-11-20T15:51:57.000042Z"),
        ("%{end:sec}t", "1763653917", "2025-11-20T15:51:57Z"),
        ("%{msec}t", "1763653917042", "2025-11-20T15:51:57.042Z"),
        ("%{usec}t", "1763653917042001", "2025-11-20T15:51:57.042001Z"),
        ("%{%c}t", "Fri Nov  6 15:51:57 2026", "2026-11-06T14:51:57Z"),
        ("%{%d/%b/%y %R}t", "06/Nov/26 15:51", "2026-11-06T14:51:00Z"),
    ] {
        let format = default(&format!("{spelled} %a %>s"));
        let line = format!("{written} 203.0.113.7 200");
        let record = format.parse_at(line.as_bytes(), &reference).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert_eq!(record.time().map(|time| time.to_string()).as_deref(), Some(expected), "{line}");
        let range = record.time_range().unwrap();
        assert_eq!(&line[range], written.trim_matches(['[', ']']), "{line}");
        // Not at the end either, where they are read backwards.
        let behind = default(&format!("%a %>s \"%r\" %u {spelled}"));
        let line = format!("203.0.113.7 200 \"GET / HTTP/1.1\" some body {written}");
        let record = behind.parse_at(line.as_bytes(), &reference).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert_eq!(record.time().map(|time| time.to_string()).as_deref(), Some(expected), "{line}");
        assert_eq!(text(&record, "user"), "some body");
    }
    let none = default("%a %>s");
    assert_eq!(at(&none, "203.0.113.7 200"), None);
    let wrong = default("%a %t");
    assert!(wrong.parse(b"203.0.113.7 [20/Nov/2026:25:51:57 +0100]").is_err());
}

#[test]
fn without_escapes_only_a_line_with_one_reading_is_read() {
    let format = format(
        r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#,
        FormatEscape::None,
    );
    let line = |user: &str, referer: &str, agent: &str| {
        format!(
            r#"203.0.113.7 - {user} [20/Nov/2026:15:51:57 +0000] "GET /a"b HTTP/1.1" 404 9 "{referer}" "{agent}""#
        )
    };
    assert_read(
        &format,
        &line("x", "https://h/\"q\"", "Mozilla/5.0"),
        &[("path", "/a\"b"), ("user", "x"), ("referer", "https://h/\"q\""), ("user_agent", "Mozilla/5.0")],
    );
    assert_eq!(at(&format, &line("-", "", "")).as_deref(), Some("2026-11-20T15:51:57Z"));
    for forged in [
        line("x", "a\" \"b", "Mozilla/5.0"),
        line("x [20/Nov/2026:15:51:57 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"-", "-", "-"),
        line("x [20/Nov/2001:15:51:57 +0000] \"y", "-", "-"),
        line("-", "-", "x\" 404 9 \"-\" \"y"),
    ] {
        assert!(format.parse(forged.as_bytes()).is_err(), "{forged}");
    }
    assert_eq!(format.template().unwrap().forgeable().len(), 4);
}

#[test]
fn the_client_can_be_taken_from_a_header_of_the_format() {
    let from: ClientFrom = "x_forwarded_for".parse().unwrap();
    let proxy = AllowEntry { prefix: "10.0.0.1/32".parse().unwrap(), origin: "test".into() };
    let trusted: Allowlist = std::iter::once(proxy).collect();
    let own = default(r#"$remote_addr "$http_x_forwarded_for" $status"#);
    for (format, line) in [
        (
            Format::CombinedXff,
            r#"10.0.0.1 - - [20/Nov/2026:15:51:57 +0000] "GET / HTTP/1.1" 200 1 "-" "ua" "9.9.9.9, 203.0.113.7""#,
        ),
        (own, r#"10.0.0.1 "9.9.9.9, 203.0.113.7" 200"#),
    ] {
        let mut record = format.parse(line.as_bytes()).unwrap();
        record.resolve(&from, &trusted);
        assert_eq!(record.address().unwrap().to_string(), "203.0.113.7", "{line}");
        assert_eq!(&line[record.client_range().unwrap()], "203.0.113.7");
    }
}

#[test]
fn combined_with_addresses_behind_it_is_detected() {
    let line = |last: &str| {
        format!(r#"203.0.113.7 - - [20/Nov/2026:15:51:57 +0000] "GET / HTTP/1.1" 200 1 "-" "ua"{last}"#)
    };
    let detected = |last: &str| Format::detect(std::iter::once(line(last).as_bytes()));
    for last in [" \"-\"", " \"9.9.9.9\"", " \"9.9.9.9, 2001:db8::1\"", " \"9.9.9.9,10.0.0.1\"\r"] {
        assert_eq!(detected(last), Some(Format::CombinedXff), "{last}");
    }
    for last in ["", " \"x\"", " \"9.9.9.9\" 1", " 9.9.9.9", " \"\"", " \"9.9.9.9, junk\""] {
        assert_eq!(detected(last), Some(Format::Combined), "{last}");
    }
    assert_read(&Format::CombinedXff, &line(" \"9.9.9.9, \\x22\""), &[("x_forwarded_for", "9.9.9.9, \"")]);
    assert!(Format::CombinedXff.parse(line("").as_bytes()).is_err());
    let both = [line(" \"-\""), line(" \"junk\"")];
    assert_eq!(Format::detect(both.iter().map(String::as_bytes)), Some(Format::Combined));
    assert_eq!(Format::named("combined-xff"), Some(Format::CombinedXff));
}

#[test]
fn long_hostile_lines_take_no_longer_than_their_length() {
    let formats = [
        default("$remote_addr [$time_local] $http_a $status"),
        default("$remote_addr:$server_port|$upstream_addr|\"$http_a\" $status"),
        format(
            "$remote_addr $http_a $upstream_addr \"$http_b\"|$scheme|$request_id|$http_c",
            FormatEscape::None,
        ),
    ];
    for unit in ["a, ", "| ", "\\\"", "\" ", "1", ":", "a ", "|a", "\" \"|a|a|", " 1, 1 \"|"] {
        let hostile = unit.repeat((1 << 20) / unit.len());
        for line in [
            hostile.clone(),
            format!("203.0.113.7 [20/Nov/2026:15:51:57 +0000] {hostile} 200"),
            format!("203.0.113.7:80|{hostile}|\"{hostile}\" 200"),
            format!("203.0.113.7 {hostile} 10.0.0.1:80 \"{hostile}\"|https|1|x"),
        ] {
            for format in &formats {
                let _ = format.parse(line.as_bytes());
            }
        }
    }
}
