//! Wrapped lines as the runtimes and syslog senders write them, and what must not pass for one.

use jiff::tz::TimeZone;

use super::*;

const LINE: &str = "203.0.113.7 - - [20/Nov/2026:12:00:00 +0000] \"GET /a: b HTTP/1.1\" 404 5 \"-\" \"x\"";

fn reference() -> Reference {
    Reference { now: "2026-11-20T12:00:00Z".parse().unwrap(), zone: TimeZone::UTC }
}

/// The payload, whether it ends, and the time.
fn unwrapped(container: Container, line: &str) -> Option<(String, bool, String)> {
    let mut payload = b"before".to_vec();
    let part = container.unwrap(line.as_bytes(), &mut payload);
    assert!(payload.starts_with(b"before") && (part.is_some() || payload.len() == 6), "{line}");
    let part = part?;
    let text = String::from_utf8_lossy(&payload[6..]).into_owned();
    Some((text, part.ends, line[part.time].to_owned()))
}

#[test]
fn docker_lines_are_read() {
    let end = r#","stream":"stdout","time":"2026-11-20T15:51:57.1Z"}"#;
    for (log, text, ends) in [
        (r"a\n", "a", true),
        (r"a", "a", false),
        (r"", "", false),
        (r"\n", "", true),
        (r#"GET \"\\x22\" \u003c\u00e9\t\r\n"#, "GET \"\\x22\" <\u{e9}\t\r", true),
        (r"two\nlines\u000aand\n\n", "two lines and ", true),
        (r"\\n", "\\n", false),
        (r#"\",\"stream\":\"stderr\",\"time\":\"x\"}\n"#, r#"","stream":"stderr","time":"x"}"#, true),
    ] {
        let line = format!("{{\"log\":\"{log}\"{end}");
        let expected = (text.to_owned(), ends, "2026-11-20T15:51:57.1Z".to_owned());
        assert_eq!(unwrapped(Container::Docker, &line), Some(expected), "{line}");
    }
    let labelled = r#"{"log":"a\n","stream":"stderr","attrs":{"time":"\"time\":\"no"},"time":"now"}"#;
    assert_eq!(unwrapped(Container::Docker, labelled), Some(("a".into(), true, "now".into())));
    let mut payload = Vec::new();
    let part = Container::Docker.unwrap(labelled.as_bytes(), &mut payload).unwrap();
    assert_eq!(part.stream, Stream::Error);
    let holed = format!("\0\0\0{labelled}");
    assert_eq!(unwrapped(Container::Docker, &holed), Some(("a".into(), true, "now".into())));
}

#[test]
fn what_is_no_docker_line_is_refused() {
    let whole = r#"{"log":"a\"b\\\n","stream":"stdout","time":"2026-11-20T15:51:57.1Z"}"#;
    for end in 0..whole.len() {
        assert_eq!(unwrapped(Container::Docker, &whole[..end]), None, "{end}");
    }
    for line in
        [LINE, r#"{"log":"a","stream":"x","time":"t"}"#, r#"{"msg":"a","stream":"stdout","time":"t"}"#]
    {
        assert_eq!(unwrapped(Container::Docker, line), None, "{line}");
    }
}

#[test]
fn cri_lines_are_read() {
    let time = "2026-11-20T15:51:57.123456789Z";
    for (rest, text, ends) in [
        ("stdout F a b", "a b", true),
        ("stderr P a ", "a ", false),
        ("stdout F:x:y  a", " a", true),
        ("stdout F ", "", true),
        ("stdout F", "", true),
    ] {
        let found = unwrapped(Container::Cri, &format!("{time} {rest}"));
        assert_eq!(found, Some((text.to_owned(), ends, time.to_owned())), "{rest}");
    }
    for line in
        [LINE, "2026-11-20T15:51:57Z stdin F a", "2026-11-20T15:51:57Z stdout X a", "now stdout F a", "", " "]
    {
        assert_eq!(unwrapped(Container::Cri, line), None, "{line}");
    }
}

#[test]
fn syslog_headers_are_found() {
    for (head, time) in [
        ("<190>Nov 20 12:00:00 web1 nginx: ", "Nov 20 12:00:00"),
        ("<134>Nov  2 12:00:00 haproxy[12]: ", "Nov  2 12:00:00"),
        ("Nov 20 12:00:00 web1 haproxy[12]: ", "Nov 20 12:00:00"),
        ("Nov 20 12:00:00.123 2001:db8::1 nginx: ", "Nov 20 12:00:00.123"),
        ("2026-11-20T12:00:00.123456+01:00 web1 postfix/smtpd[7]: ", "2026-11-20T12:00:00.123456+01:00"),
        ("<134>2026-11-20T12:00:00Z haproxy[7]: ", "2026-11-20T12:00:00Z"),
        ("<134>1 2026-11-20T12:00:00.1Z web1 haproxy 12 - - ", "2026-11-20T12:00:00.1Z"),
        (r#"<134>1 2026-11-20T12:00:00Z web1 a 1 ID [x@1 k="]\"[" l="-"][y] "#, "2026-11-20T12:00:00Z"),
        ("<134>1 2026-11-20T12:00:00Z web1 a 1 - - \u{feff}", "2026-11-20T12:00:00Z"),
        ("<134>", ""),
    ] {
        let line = format!("{head}{LINE}");
        let found = header(line.as_bytes()).unwrap_or_else(|| panic!("{line}"));
        assert_eq!(String::from_utf8_lossy(found.message(line.as_bytes())), LINE, "{line}");
        assert_eq!(&line[found.time], time);
        assert_eq!(found.is_sent, head.starts_with('<'));
    }
    for line in [
        LINE,
        "<1234>y",
        "<x>y",
        "<13",
        "<>x",
        "",
        // No tag: what a client writes must not be taken for one.
        "<13>Nov 20 12:00:00 203.0.113.7 - evil: [x] \"GET /\"",
        "Nov 20 12:00:00 203.0.113.7 - evil: [x] \"GET /\"",
        "<13>1 2026-11-20T12:00:00Z a b c d [never closed",
        "Nov 20 12:00:00 web1 two words: x",
        "Nov 20 12:00:00 web1 nginx[x]: x",
        "Nov 20 12-00-00 web1 nginx: x",
    ] {
        assert_eq!(header(line.as_bytes()), None, "{line}");
    }
}

#[test]
fn the_header_goes_where_a_format_with_fields_reads_the_rest() {
    let with = |head: &str| format!("{head}{LINE}");
    let vote = |line: &str, format: Option<Format>| is_syslog(line.as_bytes(), format.as_ref());
    for format in [None, Some(Format::Combined)] {
        assert_eq!(vote(&with("Nov 20 12:00:00 web1 nginx: "), format.clone()), Some(true));
        assert_eq!(vote(LINE, format.clone()), Some(false));
        assert_eq!(vote("Nov 20 12:00:00 web1 cron[1]: something else", format.clone()), None);
        assert_eq!(vote("nothing known", format), None);
    }
    assert_eq!(vote(&with("Nov 20 12:00:00 web1 nginx: "), Some(Format::Raw)), Some(false));
    let sent = "<190>Nov 20 12:00:00 web1 nginx: ";
    assert_eq!(vote(&with(sent), Some(Format::Raw)), Some(false));
    assert_eq!(
        (vote(&format!("{sent}x"), None), vote(&format!("{sent}x"), Some(Format::Combined))),
        (Some(true), Some(true))
    );
}

#[test]
fn one_line_alone_is_unwrapped_as_deep_as_it_goes() {
    let syslog = format!("Nov 20 12:00:00 web1 nginx: {LINE}");
    let docker = |inside: &str| {
        let log = inside.replace('\\', "\\\\").replace('"', "\\\"");
        format!("{{\"log\":\"{log}\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-20T13:00:00Z\"}}")
    };
    let cri = format!("2026-11-20T13:00:00Z stdout F {syslog}");
    for line in [LINE.to_owned(), syslog.clone(), docker(LINE), docker(&syslog), cri.clone()] {
        assert_eq!(String::from_utf8_lossy(&payload(line.as_bytes())), LINE, "{line}");
    }
    let auth = "Nov 20 12:00:00 web1 sshd[7]: Failed password for root from 203.0.113.7 port 1 ssh2";
    assert_eq!(String::from_utf8_lossy(&payload(auth.as_bytes())), auth);
    let time = |line: &str, format: Option<Format>| {
        time_of(line.as_bytes(), format.as_ref(), &reference()).unwrap().to_string()
    };
    assert_eq!(time(&cri, None), "2026-11-20T13:00:00Z");
    assert_eq!(time(&docker("x"), Some(Format::Combined)), "2026-11-20T13:00:00Z");
    assert_eq!(time(&syslog, Some(Format::Combined)), "2026-11-20T12:00:00Z");
    assert_eq!(time(auth, Some(Format::Raw)), "2026-11-20T12:00:00Z");
}
