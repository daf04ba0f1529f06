//! The reader against the plain way: parse every line, judge every record.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::scan::lines;
use super::{Basis, FileReading, Lens, Reader};
use crate::filter::{Definition, Filter, Judgement, Language, Recipe};
use crate::record::{Format, Reference};
use crate::terms::{Crawler, Observation};

mod joined;
mod mixed;

const PATHS: &str = r"
[[rule]]
path = '/wp-login\.php(?:/|$)'
status = [200, 401]
[[rule]]
path = '(?:^|/)\.git/'
[[rule]]
user_agent = '(?i)sqlmap'
";
const RAW: &str = r#"failregex = ['^<HOST> -.*"(GET|POST) /(wp-login|xmlrpc)\.php.*" (401|403|200)']"#;

fn lens(jail: &str, toml: &str) -> Lens {
    let definition = Definition::read(&toml.parse().unwrap()).unwrap();
    let filter = Arc::new(Filter::compile(&definition).unwrap());
    Lens::new(jail.parse().unwrap(), filter)
}

fn reference() -> Reference {
    Reference { now: "2026-05-01T12:00:00Z".parse().unwrap(), zone: TimeZone::UTC }
}

fn line(client: u8, target: &str, status: u16, agent: &str) -> String {
    format!(
        "203.0.113.{client} - - [01/May/2026:10:00:00 +0000] \"GET {target} HTTP/1.1\" {status} 5 \"https://x.example/a\" \"{agent}\"\n"
    )
}

fn read(reader: &Reader, file: &mut FileReading, buffer: &[u8]) -> Vec<Observation> {
    let mut out = Vec::new();
    reader.read(file, buffer, Basis::Logged, &reference(), &mut out);
    out
}

/// A buffer in pieces of whole lines, as a follower hands them out.
fn pieces(text: &[u8], at_most: usize) -> Vec<&[u8]> {
    let (mut rest, mut pieces) = (text, Vec::new());
    while !rest.is_empty() {
        let room = &rest[..rest.len().min(at_most)];
        let end = memchr::memrchr(b'\n', room)
            .or_else(|| memchr::memchr(b'\n', rest))
            .map_or(rest.len(), |n| n + 1);
        pieces.push(&rest[..end]);
        rest = &rest[end..];
    }
    pieces
}

fn any_line() -> impl Strategy<Value = String> {
    let targets = prop::sample::select(vec![
        "/",
        "/wp-login.php",
        "/wp-login.php/x",
        "/%77p-login.php",
        "/a/../wp-login.php",
        "//wp-login.php",
        "/x/.git/config",
        "/x/.git//config",
        "/x/./.git/",
        "/x/%2egit/HEAD",
        "http://h.example/wp-login.php",
        "/xmlrpc.php",
        "/x?y=/wp-login.php",
        "/wp-login.phpx",
        "/x.git",
        r"/\x22wp-login.php",
    ]);
    let agents = prop::sample::select(vec!["Mozilla/5.0", "SQLmap/1.7", "sqlma p", r"a\x22 /wp-login.php"]);
    let status = prop::sample::select(vec![200_u16, 302, 401, 403, 404]);
    (1..250_u8, targets, status, agents)
        .prop_map(|(client, target, status, agent)| line(client, target, status, agent))
}

proptest! {
    #[test]
    fn candidates_hide_no_offence(all in prop::collection::vec(any_line(), 0..60), at_most in 50..3000_usize) {
        let text = all.concat();
        for (name, toml) in [("fields", PATHS), ("raw", RAW)] {
            let lens = lens(name, toml);
            let filter = Arc::clone(&lens.filter);
            let offending = lines(text.as_bytes()).filter(|line| {
                let record = Format::Combined.parse_at(line, &reference()).unwrap();
                matches!(filter.judge(&record), Judgement::Offence(_))
            });
            let expected: Vec<String> = offending.map(|line| String::from_utf8_lossy(line).into_owned()).collect();
            let reader = Reader::new(vec![lens], true);
            let mut file = FileReading::settled(true, &[Format::Combined]);
            let found = pieces(text.as_bytes(), at_most).into_iter().flat_map(|piece| read(&reader, &mut file, piece));
            let found: Vec<String> = found.filter_map(|o| o.text.map(String::from)).collect();
            prop_assert_eq!(&found, &expected, "{}", name);
            prop_assert_eq!(file.lines, all.len() as u64);
            prop_assert_eq!(file.bytes, text.len() as u64);
        }
    }

    #[test]
    fn samples_are_steady_however_the_file_is_cut(count in 0..5000_usize, at_most in 100..40_000_usize) {
        let text = line(7, "/", 200, "Mozilla/5.0").repeat(count);
        let reader = Reader::new(vec![lens("raw", RAW)], false);
        let mut file = FileReading::new(Some(Format::Combined));
        for piece in pieces(text.as_bytes(), at_most) {
            read(&reader, &mut file, piece);
        }
        // The first 64 lines are all looked at.
        prop_assert_eq!(file.parsed, (count.min(64) + count.saturating_sub(1) / 1024) as u64);
        prop_assert_eq!(file.lines, count as u64);
    }
}

#[test]
fn a_line_of_another_format_is_counted_with_an_example() {
    let reader = Reader::new(vec![lens("raw", RAW)], true);
    let mut file = FileReading::new(Some(Format::Combined));
    let out = read(&reader, &mut file, b"{\"json\": true}\n{\"json\": 2}\n");
    assert!(out.is_empty());
    assert_eq!((file.lines, file.unparsed), (2, 2));
    assert_eq!(file.example.unwrap().text, "{\"json\": true}");
}

#[test]
fn a_format_that_nobody_knows_is_said_and_tried_again() {
    let reader = Reader::new(vec![lens("fields", PATHS)], true);
    let mut file = FileReading::new(None);
    assert!(read(&reader, &mut file, b"one\ntwo\n").is_empty());
    assert_eq!((file.taken(), file.lines, file.unparsed), (None, 2, 2));
    let found = read(&reader, &mut file, line(9, "/wp-login.php", 200, "-").as_bytes());
    assert_eq!(file.taken().as_deref(), Some("combined"));
    assert_eq!(found[0].offences.len(), 1);
}

#[test]
fn only_offences_of_jails_that_ask_say_which_crawler_their_client_is() {
    let rule = "rule = [{ status = 404 }]";
    let asking =
        |crawlers| Reader::new(vec![Lens { crawlers, ..lens("j", rule) }, lens("other", rule)], false);
    let bot = "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)";
    let log = [line(7, "/a", 404, bot), line(8, "/b", 200, bot)].concat();
    for (crawlers, expected) in [(true, Some(Crawler::Bing)), (false, None)] {
        let seen = read(&asking(crawlers), &mut FileReading::new(Some(Format::Combined)), log.as_bytes());
        assert_eq!(seen.iter().find(|o| !o.offences.is_empty()).unwrap().claims, expected);
        assert!(seen.iter().filter(|o| o.offences.is_empty()).all(|o| o.claims.is_none()));
    }
}

#[test]
fn jails_of_one_filter_share_its_judgement_but_not_their_conditions() {
    let strict = lens("strict", PATHS);
    let conditions = crate::filter::ConditionSet::read(&"user_agent = 'Mozilla'".parse().unwrap()).unwrap();
    let only = vec![Arc::new(crate::filter::Conditions::compile(&conditions).unwrap())];
    let browsers = Lens { jail: "browsers".parse().unwrap(), only, ..strict.clone() };
    let distinct =
        Lens { jail: "paths".parse().unwrap(), distinct: Some(crate::record::Field::Path), ..strict.clone() };
    let seeded = Lens { seed: 1, ..distinct.clone() };
    let reader = Reader::new(vec![strict, browsers, distinct, seeded], false);
    let mut file = FileReading::new(Some(Format::Combined));
    let text = line(1, "/wp-login.php", 200, "Mozilla/5.0") + &line(2, "/.git/HEAD", 404, "curl");
    let found = read(&reader, &mut file, text.as_bytes());
    let jails = |at: usize| found[at].offences.iter().map(|o| o.jail.to_string()).collect::<Vec<_>>();
    assert_eq!(jails(0), ["strict", "browsers", "paths", "paths"]);
    assert_eq!(jails(1), ["strict", "paths", "paths"]);
    assert_ne!(found[0].offences[2].distinct, found[1].offences[1].distinct);
    assert_ne!(found[0].offences[2].distinct, found[0].offences[3].distinct, "who does not know the seed");
    assert_eq!(found[0].offences[0].distinct, None);
}

#[test]
fn event_time_is_arrival_when_caught_up_and_never_in_the_future() {
    let reader = Reader::new(vec![lens("raw", RAW)], false);
    let text = line(1, "/xmlrpc.php", 200, "-");
    let at = |basis, now: &str| {
        let mut out = Vec::new();
        let reference = Reference { now: now.parse().unwrap(), zone: TimeZone::UTC };
        reader.read(
            &mut FileReading::new(Some(Format::Combined)),
            text.as_bytes(),
            basis,
            &reference,
            &mut out,
        );
        out[0].at
    };
    let logged: Timestamp = "2026-05-01T10:00:00Z".parse().unwrap();
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    assert_eq!(at(Basis::Arrival, "2026-05-01T10:00:09Z"), time("2026-05-01T10:00:09Z"));
    assert_eq!(at(Basis::Logged, "2026-05-01T10:00:09Z"), logged);
    assert_eq!(at(Basis::Logged, "2026-05-01T09:00:00Z"), time("2026-05-01T09:00:00Z"));
}

#[test]
fn a_wrong_clock_is_noticed_after_three_records() {
    let reader = Reader::new(vec![lens("raw", RAW)], false);
    let mut file = FileReading::new(Some(Format::Combined));
    let text = line(1, "/xmlrpc.php", 200, "-");
    for _ in 0..2 {
        reader.read(&mut file, text.as_bytes(), Basis::Arrival, &reference(), &mut Vec::new());
        assert_eq!(file.skew, None);
    }
    reader.read(&mut file, text.as_bytes(), Basis::Arrival, &reference(), &mut Vec::new());
    assert_eq!(file.skew, Some(("2026-05-01T10:00:00Z".parse().unwrap(), reference().now)));
}

#[test]
fn filters_that_name_the_same_host_judge_one_record() {
    let raw = |jail: &str, pattern: &str| lens(jail, &format!("failregex = ['{pattern}']"));
    let lenses = vec![
        raw("one", "failed for .* from <HOST>$"),
        raw("two", "^app: .* from <HOST>"),
        raw("three", "^app: <HOST>"),
    ];
    let reader = Reader::new(lenses, true);
    let mut file = FileReading::new(Some(Format::Raw));
    let found = read(&reader, &mut file, b"app: 203.0.113.9 failed for bob from 203.0.113.7\n");
    let seen: Vec<_> = found
        .iter()
        .map(|o| (o.address.to_string(), o.offences.iter().map(|o| o.jail.to_string()).collect::<Vec<_>>()))
        .collect();
    let expected = [("203.0.113.7", vec!["one", "two"]), ("203.0.113.9", vec!["three"])];
    let expected =
        expected.map(|(address, jails)| (address.to_owned(), jails.into_iter().map(String::from).collect()));
    assert_eq!(seen, expected);
    assert_eq!((file.nameless, file.parsed), (0, 1));
}

#[test]
fn a_log_of_host_names_is_noticed() {
    let reader = Reader::new(vec![lens("fields", "rule = [{ path = '/x' }]")], true);
    let mut file = FileReading::new(Some(Format::Combined));
    let text = line(1, "/xy", 404, "-").replace("203.0.113.1", "client.example.net").repeat(30);
    assert!(read(&reader, &mut file, text.as_bytes()).is_empty());
    assert!(file.mostly_nameless());
    let mut file = FileReading::new(Some(Format::Combined));
    read(&reader, &mut file, (line(1, "/xy", 404, "-").repeat(40) + &text).as_bytes());
    assert!(!file.mostly_nameless());
}

#[test]
fn a_format_that_changes_after_many_good_lines_is_noticed() {
    let reader = Reader::new(vec![lens("fields", "rule = [{ status = 404 }]")], true);
    let mut file = FileReading::new(Some(Format::Combined));
    read(&reader, &mut file, line(1, "/", 404, "-").repeat(50_000).as_bytes());
    assert!(!file.mostly_unparsed());
    read(&reader, &mut file, "203.0.113.1 other \"x\" 404 y\n".repeat(200).as_bytes());
    assert!(file.mostly_unparsed());
}

/// A filter in fail2ban's language.
fn told(text: &str) -> Arc<Filter> {
    let file = |path: &std::path::Path| Ok(path.ends_with("f.conf").then(|| text.to_owned()));
    let recipe = Recipe::read("/d/f.conf".as_ref(), &[], &file).unwrap();
    Arc::new(Filter::told(Language::compile(recipe).unwrap()))
}

#[test]
fn a_date_in_a_line_whose_time_is_noted_beside_it_stays() {
    let own = lens("raw", r"failregex = ['^web app: at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ from <HOST>$']");
    let pattern = r"^web app: at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ from <HOST>$";
    let theirs = Lens { filter: told(&format!("[Definition]\nfailregex = {pattern}\n")), ..lens("raw", RAW) };
    let line = b"web app: at 2001-01-01T10:00:00Z from 203.0.113.7\n";
    for lens in [own, theirs] {
        let reader = Reader::new(vec![lens], false);
        let offences = |mut file: FileReading| {
            let mut out = Vec::new();
            reader.read(&mut file, line, Basis::Arrival, &reference(), &mut out);
            (out.iter().map(|one| one.offences.len()).sum::<usize>(), file.last_line)
        };
        let file = FileReading::new(Some(Format::Raw));
        assert_eq!(offences(file.clone().undated()), (1, Some(reference().now)));
        let logged = Some("2001-01-01T10:00:00Z".parse().unwrap());
        assert_eq!(offences(file), (0, logged), "of a file it is cut out");
    }
}
