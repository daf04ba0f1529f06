//! What rules and raw patterns make of records.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::super::*;
use super::{compile, is_candidate, read};
use crate::record::Format;

const LINE: &str = r#"203.0.113.7 - - [01/May/2026:10:00:00 +0000] "POST /a/../b%2Fc?x=%253Cq HTTP/1.1" 404 9 "-" "ua \x22z\x22""#;

fn judge(filter: &Filter, format: &Format, line: &str) -> Judgement {
    filter.judge(&format.parse(line.as_bytes()).unwrap())
}

fn offence(rule: usize) -> Judgement {
    Judgement::Offence(Match { rule, host: None, weight: 1, told: None, exception: None })
}

#[test]
fn a_field_that_a_format_names_is_compared_with_numbers_where_one_is_written() {
    let text = r#"$remote_addr "$request" $status "$upstream_status""#;
    let format = Format::compile(text, crate::record::FormatEscape::Default).unwrap();
    for (wanted, upstream, expected) in [
        ("502", "502", true),
        ("[200, '500-599']", "503", true),
        ("[200, '500-599']", "400", false),
        ("[200, '500-599']", "502, 503", false),
        ("{ not = [502] }", "-", true),
        ("'500-599'", "503", false),
        ("['^50', '404']", "503", true),
        ("'^50'", "502, 200", true),
    ] {
        let filter = compile(&format!("[[rule]]\nupstream_status = {wanted}\n"));
        let line = format!("192.0.2.1 \"GET / HTTP/1.1\" 200 \"{upstream}\"");
        let judged = judge(&filter, &format, &line);
        assert_eq!(judged == offence(0), expected, "{wanted} {upstream}");
    }
    let wrong: toml::Table = "[[rule]]\nupstream_status = [502, 'x']\n".parse().unwrap();
    let problems = Definition::read(&wrong).unwrap_err();
    assert!(problems[0].message.contains("a number like 404 or a range"), "{problems:?}");
}

#[test]
fn all_conditions_of_a_rule_and_any_rule() {
    for (rules, expected) in [
        ("[[rule]]\nmethod = '^POST$'\npath = '^/b/c$'\nstatus = '400-499'\n", offence(0)),
        ("[[rule]]\nmethod = '^GET$'\npath = '^/b/c$'\n", Judgement::Missed),
        ("[[rule]]\nmethod = '^GET$'\n[[rule]]\nbytes = [1, 9]\n", offence(1)),
        ("[[rule]]\nmethod = ['^GET$', 'OS']\n", offence(0)),
        ("[[rule]]\nmethod = { not = ['^GET$', 'OS'] }\n", Judgement::Missed),
        ("[[rule]]\nhost = { not = 'x' }\n", offence(0)),
        ("[[rule]]\nquery = '<q'\n", Judgement::Missed),
        ("[[rule]]\nquery = { decoded = '<q' }\n", offence(0)),
        ("[[rule]]\ndecoded = '<q'\n", offence(0)),
        ("[[rule]]\ndecoded = { not = '<q' }\n", Judgement::Missed),
        ("[[rule]]\nuser_agent = '\"z\"'\n", offence(0)),
        ("[[rule]]\nstatus = { not = [200, '300-403'] }\n", offence(0)),
    ] {
        assert_eq!(judge(&compile(rules), &Format::Combined, LINE), expected, "{rules}");
    }
}

#[test]
fn an_exception_makes_it_none_after_all() {
    let filter = compile(
        "[[rule]]\nmethod = 'POST'\n[[ignore]]\nstatus = 404\npath = '^/b'\n[[ignore]]\nstatus = 500\n",
    );
    assert_eq!(
        judge(&filter, &Format::Combined, LINE),
        Judgement::Ignored(Match { rule: 0, host: None, weight: 1, told: None, exception: Some(0) })
    );
    let other = LINE.replace("/b%2F", "/c%2F");
    assert_eq!(judge(&filter, &Format::Combined, &other), offence(0));
}

#[test]
fn conditions_of_a_jail_are_the_same() {
    let set =
        ConditionSet::read(&"host = ['shop', 'blog']\nuser = { not = '^-$' }".parse().unwrap()).unwrap();
    let conditions = Conditions::compile(&set).unwrap();
    let hold = |line: &str| conditions.hold(&Format::VhostCombined.parse(line.as_bytes()).unwrap());
    let line =
        r#"shop.example:443 203.0.113.7 - bob [01/May/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "-""#;
    assert!(hold(line));
    assert!(!hold(&line.replace("bob", "-")));
    assert!(!hold(&line.replace("shop", "wiki")));
}

/// Where the host stood, as text; `None` where nothing matched.
fn host<'l>(pattern: &str, format: &Format, line: &'l str) -> Option<&'l str> {
    let filter = compile(&format!("failregex = '''{pattern}'''"));
    match judge(&filter, format, line) {
        Judgement::Offence(Match { host: Some(host), .. }) => Some(&line[host]),
        other => {
            assert_eq!(other, Judgement::Missed);
            None
        }
    }
}

#[test]
fn on_a_parsed_format_the_host_is_the_client() {
    let client = Some("203.0.113.7");
    for (pattern, expected) in [
        (r#"^<HOST> - - \[\] "POST "#, client),
        (r#"^<ADDR> -.*"(GET|POST) .*" (401|404)"#, client),
        (r"^<IP4> ", client),
        (r"<HOST>", client),
        (r"\b<HOST>\b -", client),
        (r"(?i)^<HOST> <F-USER>\S+</F-USER> -", client),
        (r"^<HOST>", client),
        (r"^<IP6> ", None),
        (r"^<HOST> - - \[01/May", None),
        (r"HTTP/<HOST>", None),
        (r"ua .*<HOST>", None),
    ] {
        assert_eq!(host(pattern, &Format::Combined, LINE), expected, "{pattern}");
    }
}

#[test]
fn an_address_that_somebody_wrote_is_not_the_client() {
    let forged =
        r#"203.0.113.7 - - [01/May/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 9 "-" "198.51.100.1 failed""#;
    assert_eq!(host("<HOST> failed", &Format::Combined, forged), None);
    let name = forged.replacen("203.0.113.7", "client.example", 1);
    assert_eq!(host("^<HOST> -", &Format::Combined, &name), Some("client.example"));
    assert_eq!(host("^<ADDR> -", &Format::Combined, &name), None);
    let v6 = forged.replacen("203.0.113.7", "2001:db8::7", 1);
    assert_eq!(host("^<IP6> -", &Format::Combined, &v6), Some("2001:db8::7"));
    assert_eq!(host("^<IP4> -", &Format::Combined, &v6), None);
    let nobody = forged.replacen("203.0.113.7", "-", 1);
    assert_eq!(host("^<HOST> ", &Format::Combined, &nobody), None);
}

#[test]
fn a_mark_cannot_be_forged() {
    let mut line = br#"203.0.113.7 - - [01/May/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 9 "-" "0"#.to_vec();
    line.extend_from_slice(b"\xF80 failed\"");
    let filter = compile("failregex = '<HOST> failed'");
    assert_eq!(filter.judge(&Format::Combined.parse(&line).unwrap()), Judgement::Missed);
    let mut error =
        b"[Fri Nov 20 15:51:57.123456 2026] [core:error] [pid 7:tid 9] [client 203.0.113.7:5] AH1: ".to_vec();
    error.extend_from_slice(b"\xF8\xFA");
    for (format, line, pattern) in
        [(Format::Combined, line, "^<HOST> - - \\[\\]"), (Format::ApacheError, error, "client <HOST>.* AH1")]
    {
        let judged = compile(&format!("failregex = '{pattern}'")).judge(&format.parse(&line).unwrap());
        assert!(matches!(judged, Judgement::Offence(_)), "the client's own mark stays: {judged:?}");
    }
}

#[test]
fn on_a_raw_line_the_host_is_where_the_tag_stood() {
    let line = "May  1 10:00:00 gate app[7]: failed from 2001:db8::9 port 5 (May)";
    for (pattern, expected) in [
        ("failed from <HOST> port", Some("2001:db8::9")),
        ("failed from <ADDR>", Some("2001:db8::9")),
        ("failed from <IP4>", None),
        (r"^\s*<HOST> app", Some("gate")),
        ("(?:login by <HOST>|from <ADDR> port)", Some("2001:db8::9")),
    ] {
        assert_eq!(host(pattern, &Format::Raw, line), expected, "{pattern}");
    }
    assert_eq!(
        host(r"from \[<ADDR>\]|from <HOST>", &Format::Raw, "from [2001:db8::1]:5"),
        Some("2001:db8::1")
    );
    assert_eq!(host("<HOST> denied", &Format::Raw, "198.51.100.4 denied"), Some("198.51.100.4"));
}

#[test]
fn a_piece_of_a_word_is_no_host() {
    for (pattern, line, expected) in [
        ("from <HOST>", "app: bob from 192.0.2.17", Some("192.0.2.17")),
        ("from <HOST>", "app: bob from 192.0.2.17.", Some("192.0.2.17")),
        ("from <HOST>", "app: bob from 192.0.2.17:4711", Some("192.0.2.17")),
        ("from <HOST>", "app: bob from 192.0.2.17.client.example", None),
        ("from <HOST>", "app: bob from 192.0.2.17-dsl.example", None),
        ("from <ADDR>", "app: bob from 192.0.2.171234", None),
        ("from .*<ADDR>$", "app: bob from 192.0.2.17", None),
        ("from .*<ADDR>$", "app: bob from 2001:db8::17", None),
        ("from .*<ADDR>$", "app: bob from [2001:db8::17", None),
        ("ip:<HOST>", "app: bob ip:2001:db8::17", Some("2001:db8::17")),
        ("ip:<HOST>", "app: bob ip:192.0.2.17", Some("192.0.2.17")),
        (r"from <HOST>:\d+ ", "haproxy: from 2001:db8::1:47902 x", Some("2001:db8::1")),
        (r"from \[<HOST>\]", "app: from [2001:db8::1]", Some("2001:db8::1")),
    ] {
        assert_eq!(host(pattern, &Format::Raw, line), expected, "{pattern}: {line}");
    }
}

#[test]
fn the_first_pattern_that_matches_is_told_and_exceptions_hold() {
    let filter =
        compile("failregex = ['^<HOST> x', '^<HOST> -', '<HOST>']\nignoreregex = ['\"GET', '404.*z']");
    assert!(filter.is_raw());
    let found = Match { rule: 1, host: Some(0..11), weight: 1, told: None, exception: None };
    let ignored = Match { exception: Some(1), ..found.clone() };
    assert_eq!(judge(&filter, &Format::Combined, LINE), Judgement::Ignored(ignored));
    assert_eq!(judge(&filter, &Format::Combined, &LINE.replace("404", "403")), Judgement::Offence(found));
}

#[test]
fn samples_that_fail_are_told() {
    let filter = compile(&format!(
        "[[rule]]\nmethod = 'POST'\n[samples]\nmatch = ['x', '''{LINE}''']\nmiss = ['''{LINE}''', 'y']\n"
    ));
    let keys: Vec<String> = samples(&filter).iter().map(FailedSample::key).collect();
    assert_eq!(keys, ["samples.match[0]", "samples.miss[0]"]);
}

static FILTERS: LazyLock<Vec<Filter>> =
    LazyLock::new(|| SHIPPED.iter().map(|shipped| compile(shipped.text)).collect());

/// Rules over every kind of value, whose words are those that the lines below are made of.
const RULES: [&str; 8] = [
    "path = '(?:^|/)wp-login\\.php'",
    "path = '/etc/.*\\.php$'",
    "query = { decoded = '<script|union.select' }",
    "decoded = '\\.\\./etc'",
    "user_agent = '(?i)sqlmap'\nstatus = [200, 404]",
    "status = ['400-404', 501]",
    "request_uri = '^https?://'",
    "method = 'POST'\npath = { not = 'wp' }",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_a_rule_matches_is_a_candidate(
        rule in proptest::sample::select(RULES.as_slice()),
        method in "GET|POST",
        target in "(http://h|https://h)?(/|//|/\\./|/\\.\\./|/a|%2e%2e|%252e|%2f|\\.\\.|etc|wp-login\\.php|%77p-login\\.php|\\?|q=|<script|%3Cscript|union|\\+|%20|select|\\.php){1,7}",
        status in "200|40[0-5]|501",
        agent in "(ua |SqlMap|\\.\\./etc|%2e%2e/etc|\\\\x22){0,3}",
    ) {
        let line = format!(r#"203.0.113.7 - - [01/May/2026:10:00:00 +0000] "{method} {target} HTTP/1.1" {status} 9 "-" "{agent}""#);
        let filter = compile(&format!("[[rule]]\n{rule}\n"));
        let offence = judge(&filter, &Format::Combined, &line) == offence(0);
        if let Some(required) = filter.required(&Format::Combined) && offence {
            prop_assert!(is_candidate(line.as_bytes(), &required), "{required:?}");
        }
    }

    #[test]
    fn what_a_raw_pattern_matches_is_a_candidate(
        pattern in proptest::sample::select([
            r#"^<HOST> -.*"(GET|POST) /(wp-login|xmlrpc)\.php.*" (401|403|200)"#,
            r#"^<HOST> - - \[\] "POST "#,
            r#"^<ADDR> .*\[\] "(?i:get) /\.env"#,
        ].as_slice()),
        line in r#"203\.0\.113\.7 - - \[01/May/2026:10:00:00 \+0000\] "(GET|POST) /(wp-login\.php|xmlrpc\.php|\.env|x) HTTP/1\.1" (200|401|404) 9 "-" "-""#,
    ) {
        let filter = compile(&format!("failregex = '''{pattern}'''"));
        let offence = matches!(judge(&filter, &Format::Combined, &line), Judgement::Offence(_));
        for format in [Format::Combined, Format::Raw] {
            if let Some(required) = filter.required(&format) && offence {
                prop_assert!(is_candidate(line.as_bytes(), &required), "{required:?}");
            }
        }
    }

    #[test]
    fn no_line_makes_a_shipped_filter_panic(line in proptest::collection::vec(any::<u8>(), 0..300), shipped in 0..SHIPPED.len()) {
        let filter = &FILTERS[shipped];
        for format in Format::ALL {
            if let Ok(record) = format.parse(&line) {
                let _ = filter.judge(&record);
            }
        }
    }
}

#[test]
fn the_heaviest_rule_that_holds_counts() {
    let found = |filter: &Filter, line: &str| match judge(filter, &Format::Combined, line) {
        Judgement::Offence(found) => Some((found.rule, found.weight)),
        _ => None,
    };
    let fields =
        "[[rule]]\nstatus = 404\n[[rule]]\nmethod = 'POST'\nweight = 5\n[[rule]]\nbytes = 9\nweight = 5\n";
    let raw = "failregex = ['^<HOST> .* 404 ', '^<HOST> .*POST', '^<HOST> .* 9 ']\nweight = [1, 5, 5]\n";
    for filter in [compile(fields), compile(raw)] {
        assert_eq!(found(&filter, LINE), Some((1, 5)));
        assert_eq!(found(&filter, &LINE.replace("POST", "GET")), Some((2, 5)));
        assert_eq!(found(&filter, &LINE.replace("POST", "GET").replace(" 9 ", " 8 ")), Some((0, 1)));
    }
    let plain = compile("failregex = ['^<HOST> x', 'from <HOST>$']\nweight = [2, 3]\n");
    let judged = judge(&plain, &Format::Raw, "203.0.113.7 x from 203.0.113.8");
    assert!(matches!(judged, Judgement::Offence(Match { rule: 1, weight: 3, .. })), "{judged:?}");
    assert_eq!(read("failregex = ['<HOST>', '<HOST> x']\nweight = 7\n").unwrap().weights, [7, 7]);
}
