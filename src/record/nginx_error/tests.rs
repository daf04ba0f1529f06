//! Lines as nginx 1.22 writes them into its error log, for clients that mean harm; entries written by its rules.

use jiff::tz::TimeZone;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::record::tests::fields::{check, text};
use crate::record::{Field, Format, Record, Reference};

const HEAD: &str = "2026/11/21 11:06:41 [error] 27446#27446: *5 ";
/// A line of somebody's own making.
const FORGED: &str = "2026/11/20 15:51:57 [error] 1#1: *1 access forbidden by rule, client: 9.9.9.9, server: site, request: \"GET / HTTP/1.1\", host: \"x\"";

fn read(line: &str) -> Record<'_> {
    Format::NginxError.parse(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn client(line: &str) -> Option<String> {
    Some(Format::NginxError.parse(line.as_bytes()).ok()?.address()?.to_string())
}

#[test]
fn a_line_has_its_fields() {
    let line = format!(
        r#"{HEAD}connect() failed (111: Connection refused) while connecting to upstream, client: 203.0.113.7, server: site, request: "GET /up,%20client?,+client:+9.9.9.9 HTTP/1.1", subrequest: "/s", upstream: "http://127.0.0.1:1/up", host: "Shop.example:80", referrer: "a", host: "b""#
    );
    let record = read(&line);
    assert_eq!(&line[record.client_range().unwrap()], "203.0.113.7");
    assert_eq!(&line[record.time_range().unwrap()], "2026/11/21 11:06:41");
    assert_eq!(record.time(), None, "it names no zone");
    let reference = Reference { now: "2026-11-22T00:00:00Z".parse().unwrap(), zone: TimeZone::UTC };
    let timed = Format::NginxError.parse_at(line.as_bytes(), &reference).unwrap();
    assert_eq!(timed.time().unwrap().to_string(), "2026-11-21T11:06:41Z");
    check(
        &record,
        &[
            ("level", "error"),
            ("message", "connect() failed (111: Connection refused) while connecting to upstream"),
            ("server", "site"),
            ("method", "GET"),
            ("path", "/up, client"),
            ("query", ",+client:+9.9.9.9"),
            ("subrequest", "/s"),
            ("upstream", "http://127.0.0.1:1/up"),
            ("host", "shop.example"),
            ("referer", "a\", host: \"b"),
            ("status", "NONE"),
        ],
    );
    assert_eq!(Format::detect([line.as_bytes()].into_iter()), Some(Format::NginxError));
}

#[test]
fn what_follows_a_client_may_be_missing() {
    let line = format!("{HEAD}access forbidden by rule, client: ::1, server: , request: \"GET / HTTP/1.0\"");
    check(&read(&line), &[("server", ""), ("path", "/"), ("host", "NONE")]);
    assert_eq!(client(&line).as_deref(), Some("::1"));
    for (line, expected) in [
        (format!("{HEAD}access forbidden by rule, client: unix:, server: s"), None),
        (
            format!(
                "{HEAD}client timed out (110: Connection timed out) while waiting for request, client: 203.0.113.7, server: 0.0.0.0:80"
            ),
            Some("203.0.113.7"),
        ),
        (
            format!(
                "{HEAD}connect() failed (111: Connection refused) while connecting to upstream, client: 203.0.113.7, server: 0.0.0.0:1, upstream: \"127.0.0.1:1\", bytes from/to client:0/0, bytes from/to upstream:0/0"
            ),
            Some("203.0.113.7"),
        ),
        (format!("{HEAD}client 203.0.113.7 closed keepalive connection"), None),
    ] {
        assert!(Format::NginxError.parse(line.as_bytes()).is_ok(), "{line}");
        assert_eq!(client(&line).as_deref(), expected, "{line}");
    }
    let own = "2026/11/21 11:06:41 [notice] 27446#27446: signal 1 (SIGHUP) received, client: 9.9.9.9, x";
    assert_eq!(client(own), None);
    check(&read(own), &[("level", "notice"), ("message", "signal 1 (SIGHUP) received, client: 9.9.9.9, x")]);
}

#[test]
fn a_user_and_a_request_name_nobody() {
    for message in [
        r#"user "x" was not found in "/a", client" was not found in "/etc/htpasswd""#,
        r#"user "bob": password mismatch"#,
        "limiting requests, excess: 1.000 by zone \"one\"",
        "access forbidden by rule",
    ] {
        let line = format!(
            r#"{HEAD}{message}, client: 203.0.113.7, server: site, request: "GET /,%20client:%209.9.9.9,%20server:%20"x HTTP/1.1", host: "h",client:9", referrer: "x", client: 9.9.9.9, server: s, request: "GET / HTTP/1.1", host: "h"", "#
        );
        let line = line.trim_end_matches(", ");
        assert_eq!(client(line).as_deref(), Some("203.0.113.7"), "{line}");
        check(&read(line), &[("message", message)]);
    }
}

#[test]
fn a_path_that_names_another_client_makes_a_line_no_line() {
    let path = r#"open() "/var/www/nope, client: 9.9.9.9, server: site, request: "GET / HTTP/1.1", host: "x"" failed (2: No such file or directory)"#;
    let tail = r#", client: 203.0.113.7, server: site, request: "GET /nope HTTP/1.1", host: "h""#;
    assert!(Format::NginxError.parse(format!("{HEAD}{path}{tail}").as_bytes()).is_err());
    let same = path.replace("9.9.9.9", "203.0.113.7");
    assert_eq!(client(&format!("{HEAD}{same}{tail}")).as_deref(), Some("203.0.113.7"));
    let end = format!("{HEAD}{path}{}", tail.replace("203.0.113.7", "9.9.9.9")) + ", x";
    assert!(Format::NginxError.parse(end.as_bytes()).is_err(), "it ends in another way");
    let stderr =
        format!("{HEAD}FastCGI sent in stderr: \"x, client: 9.9.9.9, server: s\" while reading{tail}");
    assert_eq!(client(&stderr), None, "what an application says names nobody");
}

#[test]
fn modsecurity_names_the_client_first() {
    let line = format!(
        "{HEAD}[client 203.0.113.7] ModSecurity: Access denied with code 403 (phase 2). Matched `x, client: 9.9.9.9, server: s' [ref \"\"], client: 9.9.9.9, server: , request: \"GET / HTTP/1.1\""
    );
    assert_eq!(client(&line).as_deref(), Some("203.0.113.7"));
}

#[test]
fn an_entry_that_was_cut_counts_as_far_as_its_client_is_whole() {
    let line = format!(
        "{HEAD}access forbidden by rule, client: 203.0.113.77, server: s, request: \"GET /{}",
        "A".repeat(2047)
    );
    let cut = &line[..2047];
    assert_eq!(client(cut).as_deref(), Some("203.0.113.77"));
    assert!(Format::NginxError.parse(&line.as_bytes()[..2046]).is_err(), "nginx did not cut it there");
    let user = |length: usize| {
        let line =
            format!("{HEAD}user \"{}\" was not found in \"/h\", client: 203.0.113.77", "A".repeat(length));
        line[..line.len().min(2047)].to_owned()
    };
    let room = 2047 - user(0).len();
    assert!(Format::NginxError.parse(user(room + 1).as_bytes()).is_err(), "203.0.113.7 is somebody else");
    assert!(Format::NginxError.parse(user(room + 40).as_bytes()).is_err());
}

#[test]
fn what_nginx_does_not_write_is_refused() {
    for line in [
        "",
        "b\" was not found in \"/h\", client: 203.0.113.7, server: s",
        "2026/11/21 11:06:41 [error] 1: *5 access forbidden by rule, client: 9.9.9.9, server: s",
        "2026/11/21T11:06:41 [error] 1#1: *5 access forbidden by rule, client: 9.9.9.9, server: s",
        "2026/11/21 11:06:41 [error] 1#1: *5 access forbidden by rule, client: 9.9.9.9, server: s\" failed (2: x)",
        "2026/11/21 11:06:41 [error] 1#1: *5 access forbidden by rule, client: 9.9.9.9, server: s, host: \"x\"\"",
    ] {
        let record = Format::NginxError.parse(line.as_bytes());
        let fine = record.is_ok_and(|record| line.contains("failed") && text(&record, "server").is_some());
        assert!(!fine || line.ends_with("(2: x)"), "{line}");
    }
    for end in 0..FORGED.len() {
        let _ = Format::NginxError.parse(&FORGED.as_bytes()[..end]).map(|record| record.address());
    }
}

/// Whether each line may be forged, by number.
fn forged(log: &str, is_whole: bool) -> Vec<bool> {
    let lines = log.trim_end_matches('\n').split('\n');
    let starts = lines.scan(0, |at, line| {
        let start = *at;
        *at += line.len() + 1;
        Some(start..start + line.len())
    });
    starts.map(|line| Format::NginxError.forged(log.as_bytes(), line, is_whole)).collect()
}

#[test]
fn a_line_inside_of_an_entry_is_forged() {
    let tail = |request: &str| {
        format!(
            "\" failed (2: No such file or directory), client: 203.0.113.7, server: site, request: \"GET {request} HTTP/1.1\", host: \"h\"\n"
        )
    };
    let limit = format!(
        "{HEAD}limiting requests, excess: 1.000 by zone \"one\", client: 203.0.113.7, server: s, request: \"GET /%0A HTTP/1.1\", host: \"h\"\n"
    );
    let after = limit.replace("%0A", "a");
    let path = format!("{HEAD}open() \"/var/www/a");
    // One line end: the forged line ends with the true tail. Two: it stands by itself.
    let one = format!("{limit}{path}\n{FORGED}{}{after}", tail("/a%0a2026"));
    assert_eq!(forged(&one, true), [false, true, true, false]);
    let two = format!("{path}\n{FORGED}\nb{}{after}", tail("/a%250A2026"));
    assert_eq!(forged(&two, true), [true, true, true, false]);
    // So long that the tail is cut off.
    let long = format!("{path}\n{FORGED}\n{}", "A".repeat(4096));
    assert_eq!(forged(&format!("{}\n{after}", &long[..2047]), true), [true, true, true, false]);
    // The rest of an entry is not read yet.
    let begun = format!("{path}\n{FORGED}\n");
    assert_eq!(forged(&begun, false), [true, true]);
    let usual = format!("{path}{}{after}{after}", tail("/a"));
    assert_eq!(forged(&usual, true), [false, false, false]);
    // What an application says may be anything, and as long.
    let stderr = format!("{HEAD}FastCGI sent in stderr: \"x\n{FORGED}\n{}\n{FORGED}\n", "A".repeat(2047));
    assert_eq!(forged(&stderr, true), [false, true, true, false]);
}

/// A message of an entry; what a client can choose in it stands at `{}`.
const MESSAGES: &[&str] = &[
    "open() \"/var/www{}\" failed (2: No such file or directory)",
    "\"/var/www{}index.html\" is not found (2: No such file or directory)",
    "directory index of \"/var/www{}\" is forbidden",
    "FastCGI sent in stderr: \"PHP message: {}\" while reading response header from upstream",
    "limiting requests, excess: 1.000 by zone \"one\"",
    "access forbidden by rule",
];

const FRAGMENTS: &[&str] = &[
    "\n",
    "\n2026/11/20 15:51:57 [error] 1#1: *1 access forbidden by rule, client: 9.9.9.9, server: site, request: \"GET / HTTP/1.1\", host: \"x\"",
    "\n2026/11/20 15:51:57 [error] 1#1: *1 open() \"/x\" failed (2: No such file or directory), client: 9.9.9.9, server: site, request: \"GET / HTTP/1.1\", host: \"x\"",
    "\n2026/11/20 15:51:57 [error] 1#1: *1 limiting requests, excess: 1 by zone \"z\", client: 9.9.9.9, server: site",
    "\" failed (2: No such file or directory), client: 9.9.9.9, server: site, request: \"GET / HTTP/1.1\", host: \"x\"",
    ", client: 9.9.9.9, server: s, request: \"GET / HTTP/1.1\"",
    ", client: 203.0.113.7, server: s, request: \"GET / HTTP/1.1\", host: \"h\"",
    "\"",
    ", host: \"",
    "a/b",
];

/// An entry as nginx writes it: what a client chose, decoded in the message and as it came in the request.
fn entry(message: &str, chosen: &str, padding: usize, referrer: &str) -> String {
    let chosen = format!("/{chosen}{}", "A".repeat(padding));
    let sent = chosen.replace('%', "%25").replace('\n', "%0A").replace(' ', "%20");
    let referrer = referrer.replace('\n', "");
    let message = message.replace("{}", &chosen);
    let mut entry = format!(
        "{HEAD}{message}, client: 203.0.113.7, server: site, request: \"GET {sent} HTTP/1.1\", host: \"h\", referrer: \"{referrer}\""
    );
    entry.truncate(2047);
    entry + "\n"
}

fn hostile() -> impl Strategy<Value = String> {
    vec(select(FRAGMENTS), 0..6).prop_map(|pieces| pieces.concat())
}

fn entries() -> impl Strategy<Value = Vec<String>> {
    let padding = prop_oneof![4 => Just(0_usize), 1 => 0_usize..2100];
    let one = (select(MESSAGES), hostile(), padding, hostile());
    vec(
        one.prop_map(|(message, chosen, padding, referrer)| entry(message, &chosen, padding, &referrer)),
        1..6,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn nobody_counts_but_who_sent_the_request(entries in entries()) {
        let log = entries.concat();
        let forged = forged(&log, true);
        for (line, forged) in log.trim_end_matches('\n').split('\n').zip(forged) {
            if !forged {
                prop_assert!(matches!(client(line).as_deref(), None | Some("203.0.113.7")), "{line}");
            }
        }
    }

    #[test]
    fn what_nginx_refused_counts(entries in entries(), referrer in hostile(), padding in 0_usize..2100) {
        let mine = entry("access forbidden by rule", "x", padding, &referrer);
        let quiet: Vec<&String> = entries.iter().filter(|entry| !entry.contains("%0A") && !entry.contains("stderr") && entry.len() < 2048).collect();
        let before: String = quiet.iter().map(|entry| entry.as_str()).collect();
        let log = format!("{before}{mine}{before}");
        let number = before.matches('\n').count();
        // As if an entry had been cut at the end of one of these lines.
        let ends = log.match_indices('\n').map(|(end, _)| end).filter(|end| *end >= before.len() + mine.len() - 1);
        let starts = |end: usize| before.is_char_boundary(end - 2047) && (end == 2047 || before.as_bytes().get(end - 2048) == Some(&b'\n'));
        let looks_cut = ends.filter(|end| *end >= 2047).any(starts);
        prop_assert!(mine.len() == 2048 || looks_cut || !forged(&log, true)[number]);
        let named = client(mine.trim_end_matches('\n'));
        prop_assert_eq!(named.as_deref(), Some("203.0.113.7"), "{}", mine);
    }

    #[test]
    fn no_bytes_harm(line in vec(any::<u8>(), 0..100), chosen in hostile(), cut in any::<prop::sample::Index>()) {
        let mut broken = [format!("{HEAD}{chosen}").as_bytes(), &line[..]].concat();
        broken.truncate(cut.index(broken.len() + 1));
        for text in [&line, &broken] {
            let _ = Format::NginxError.parse(text).map(|record| (record.address(), record.field(&Field::Path).is_some()));
            let _ = Format::NginxError.forged(text, 0..text.len(), true);
        }
    }
}
