//! Lines as nginx and Apache log them for clients that mean harm: what a client writes moves no other field.

use crate::record::{Field, Format, Record};

fn field<'r>(record: &'r Record<'_>, field: &Field) -> Option<std::borrow::Cow<'r, [u8]>> {
    record.field(field)
}

/// Address, user, request URI, status and time that a combined line must have.
fn check(line: &str, user: &str, uri: &str, status: u64) {
    let record = Format::Combined.parse(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert_eq!(record.address().unwrap().to_string(), "127.0.0.1", "{line}");
    assert_eq!(field(&record, &Field::User).unwrap(), user.as_bytes(), "{line}");
    assert_eq!(field(&record, &Field::RequestUri).unwrap(), uri.as_bytes(), "{line}");
    assert_eq!(record.number(&Field::Status), Some(status), "{line}");
    assert_eq!(record.time().unwrap().to_string(), "2026-11-20T15:51:57Z", "{line}");
    assert_eq!(Format::Combined.time(line.as_bytes()), record.time());
    let raw = Format::Raw.parse(line.as_bytes()).unwrap();
    assert_eq!(raw.time_range(), record.time_range(), "a raw line's date is found by position too: {line}");
}

#[test]
fn a_user_with_blanks_and_brackets_stays_the_user() {
    check(
        r#"127.0.0.1 - bob [x] \x22GET / HTTP/1.1\x22 200 [20/Nov/2026:15:51:57 +0000] "GET /auth HTTP/1.1" 401 5 "-" "-""#,
        r#"bob [x] "GET / HTTP/1.1" 200"#,
        "/auth",
        401,
    );
}

#[test]
fn a_user_that_spells_a_date_does_not_set_the_time() {
    for user in [
        "[01/Jan/2001:00:00:00 +0000]",
        " [01/Jan/2001:00:00:00 +0000] ",
        "- [01/Jan/2001:00:00:00 +0000]",
        "- - [01/Jan/2001:00:00:00 +0000]",
        r"- [01/Jan/2001:00:00:00 +0000] \x22GET /fake HTTP/1.1\x22 200 1 \x22-\x22 \x22-\x22",
        r"x [01/Jan/2001:00:00:00 +0000] \x22",
    ] {
        let line =
            format!(r#"127.0.0.1 - {user} [20/Nov/2026:15:51:57 +0000] "GET /auth HTTP/1.1" 401 5 "-" "-""#);
        check(&line, &user.replace(r"\x22", "\""), "/auth", 401);
    }
}

#[test]
fn apache_escapes_quotes_in_a_user_with_a_backslash() {
    for (logged, user) in [
        (
            r#"- [01/Jan/2001:00:00:00 +0000] \"GET /fake HTTP/1.1\" 200 1"#,
            r#"- [01/Jan/2001:00:00:00 +0000] "GET /fake HTTP/1.1" 200 1"#,
        ),
        (r#"\"\""#, r#""""#),
        (r#"\"\" [01/Jan/2001:00:00:00 +0000] \"x"#, r#""" [01/Jan/2001:00:00:00 +0000] "x"#),
        (r"a\\", r"a\"),
        (r#"a\\\" [01/Jan/2001:00:00:00 +0000] \"b\\"#, r#"a\" [01/Jan/2001:00:00:00 +0000] "b\"#),
        (r"bob\n9.9.9.9 - x", "bob\n9.9.9.9 - x"),
    ] {
        let line = format!(
            r#"127.0.0.1 - {logged} [20/Nov/2026:15:51:57 +0000] "GET /auth HTTP/1.1" 401 5 "-" "-""#
        );
        check(&line, user, "/auth", 401);
    }
}

#[test]
fn apaches_empty_user_is_two_raw_quotes() {
    check(
        r#"127.0.0.1 - "" [20/Nov/2026:15:51:57 +0000] "GET /auth HTTP/1.1" 401 5 "-" "-""#,
        "",
        "/auth",
        401,
    );
}

#[test]
fn what_no_server_writes_before_the_request_is_no_line() {
    for line in [
        r#"127.0.0.1 - xy[20/Nov/2026:15:51:57 +0000] "GET /auth HTTP/1.1" 401 5 "-" "-""#,
        r#"127.0.0.1 - - [20/Nov/2026:15:51:57 +0000]  "GET /auth HTTP/1.1" 401 5 "-" "-""#,
        r#"127.0.0.1 - - [20/Nov/2026:15:51:57 +0000] x "GET /auth HTTP/1.1" 401 5 "-" "-""#,
        r#"127.0.0.1 - x "" [20/Nov/2026:15:51:57 +0000] "GET /auth HTTP/1.1" 401 5 "-" "-""#,
        r#"127.0.0.1 - "" x [20/Nov/2026:15:51:57 +0000] "GET /auth HTTP/1.1" 401 5 "-" "-""#,
        r#"127.0.0.1 - ""x [20/Nov/2026:15:51:57 +0000] "GET /auth HTTP/1.1" 401 5 "-" "-""#,
    ] {
        assert!(Format::Combined.parse(line.as_bytes()).is_err(), "{line}");
        assert_eq!(Format::Combined.time(line.as_bytes()), None, "{line}");
    }
}

#[test]
fn a_request_need_not_have_three_words() {
    for (logged, uri, status) in [
        ("GET /a", "/a", 200),
        ("", "", 400),
        ("-", "-", 408),
        (
            r"\x16\x03\x01\x22x\x5Cy 1.2.3.4 - - [fake] \x22GET / HTTP/1.1\x22 401",
            "\u{16}\u{3}\u{1}\"x\\y 1.2.3.4 - - [fake] \"GET / HTTP/1.1\" 401",
            400,
        ),
        (r#"GET /x\" 200 5 \"-\" \"-"#, r#"/x" 200 5 "-" "-"#, 400),
        (r#"GET /x\" 401 0 \"-\" \"a HTTP/1.1"#, r#"/x" 401 0 "-" "a"#, 400),
        (r"GET /\\", r"/\", 404),
        ("GET /[20/Nov/2001:15:51:57 +0000] HTTP/1.1", "/[20/Nov/2001:15:51:57 +0000]", 404),
    ] {
        let line = format!(r#"127.0.0.1 - - [20/Nov/2026:15:51:57 +0000] "{logged}" {status} 0 "-" "-""#);
        check(&line, "-", uri, status);
    }
}

#[test]
fn referer_and_user_agent_may_spell_another_line() {
    let fake = r"a\x22 9.9.9.9 - - [01/Jan/2001:00:00:00 +0000] \x22GET /fake HTTP/1.1\x22 200 1";
    let line =
        format!(r#"127.0.0.1 - - [20/Nov/2026:15:51:57 +0000] "GET / HTTP/1.1" 404 5 "{fake}" "{fake}""#);
    check(&line, "-", "/", 404);
    let record = Format::Combined.parse(line.as_bytes()).unwrap();
    let meant = fake.replace(r"\x22", "\"");
    assert_eq!(field(&record, &Field::Referer).unwrap(), meant.as_bytes());
    assert_eq!(field(&record, &Field::UserAgent).unwrap(), meant.as_bytes());
}

#[test]
fn a_virtual_host_line_keeps_its_client_too() {
    let line = r#"h.example:80 127.0.0.1 - 9.9.9.9 [01/Jan/2001:00:00:00 +0000] \" [20/Nov/2026:15:51:57 +0000] "GET / HTTP/1.1" 401 5 "-" "-""#;
    let record = Format::VhostCombined.parse(line.as_bytes()).unwrap();
    assert_eq!(record.address().unwrap().to_string(), "127.0.0.1");
    assert_eq!(record.time().unwrap().to_string(), "2026-11-20T15:51:57Z");
    let raw = Format::Raw.parse(line.as_bytes()).unwrap();
    assert_eq!(raw.time_range(), record.time_range());
}

#[test]
fn a_path_has_one_spelling() {
    for target in [
        "/wp-login.php",
        "//wp-login.php",
        "/./wp-login.php?x",
        "/blog/../wp-login.php",
        "/%77p-login%2Ephp",
        "http://h.example/wp-login.php",
        "HTTP://h.example//x/..//wp-login.php#y",
        r"/\x77p-login.php",
    ] {
        let line =
            format!(r#"127.0.0.1 - - [20/Nov/2026:15:51:57 +0000] "POST {target} HTTP/1.1" 200 5 "-" "-""#);
        let record = Format::Combined.parse(line.as_bytes()).unwrap();
        assert_eq!(field(&record, &Field::Path).unwrap(), &b"/wp-login.php"[..], "{target}");
    }
}
