//! Filters in fail2ban's language on the logs of other programs: raw lines that nobody said are such, and lines that belong
//! together.

use std::path::Path;

use super::*;
use crate::filter::{Language, Recipe};

const LOGIN: &str = "failregex = ^\\s*\\S+ app\\[\\d+\\]: failed from <HOST>$\n  \"GET /bad HTTP\n";
const SESSIONS: &str = "prefregex = ^\\s*app\\[<F-MLFID>\\d+</F-MLFID>\\]: <F-CONTENT>.+</F-CONTENT>$\n\
    failregex = ^<F-NOFAIL>from</F-NOFAIL> <HOST>$\n ^failed$\n";
const WINDOW: &str = "maxlines = 5\nfailregex = ^\\s*from <HOST><SKIPLINES>^\\s*failed$\n";

fn told(jail: &str, text: &str) -> Lens {
    let text = format!("[Definition]\n{}", text.replace("\n  \"GET", "\n  ^<HOST> .*\"GET"));
    let read = |_: &Path| Ok(Some(text.clone()));
    let recipe = Recipe::read(Path::new("/d/f.conf"), &[], &read).unwrap();
    let filter = Arc::new(Filter::told(Language::compile(recipe).unwrap()));
    Lens { filter, ..lens(jail, PATHS) }
}

fn syslog(message: &str) -> String {
    format!("May  1 10:00:00 host app[7]: {message}\n")
}

fn access(client: u8, target: &str) -> String {
    line(client, target, 404, "-")
}

/// Who offended.
fn offenders(reader: &Reader, file: &mut FileReading, text: &str) -> Vec<String> {
    let found = read(reader, file, text.as_bytes());
    found.iter().filter(|one| !one.offences.is_empty()).map(|one| one.address.to_string()).collect()
}

#[test]
fn a_log_that_no_format_reads_is_read_raw_where_a_filter_wants_it() {
    let text = syslog("failed from 192.0.2.1") + &syslog("x") + &syslog("failed from 192.0.2.2");
    let reader = Reader::new(vec![told("j", LOGIN)], true);
    for times in [1, 50] {
        let mut file = FileReading::default();
        let found = offenders(&reader, &mut file, &text.repeat(times));
        assert_eq!((found.len(), file.unparsed), (2 * times, 0));
        assert_eq!((found[0].as_str(), found[1].as_str()), ("192.0.2.1", "192.0.2.2"));
        assert_eq!(file.taken().as_deref(), Some("raw"));
        assert!(!file.mostly_unparsed());
    }
    let found = read(&reader, &mut FileReading::default(), text.as_bytes());
    assert_eq!(found[0].logged, Some("2026-05-01T10:00:00Z".parse().unwrap()));
    let fields = Reader::new(vec![lens("j", PATHS)], true);
    let mut file = FileReading::default();
    assert!(offenders(&fields, &mut file, &text).is_empty());
    assert_eq!((file.unparsed, file.taken()), (3, None), "nobody else is served by raw lines");
}

#[test]
fn an_access_log_is_none_and_what_is_broken_in_it_is_read_by_nobody() {
    let reader = Reader::new(vec![told("j", LOGIN)], true);
    let forged = format!("198.51.100.9 x \"GET /bad HTTP/1.1\"\n{}", syslog("failed from 198.51.100.8"));
    for before in [3, 200] {
        let mut file = FileReading::default();
        let text = access(7, "/").repeat(before) + &forged + &access(8, "/bad");
        assert_eq!(offenders(&reader, &mut file, &text), ["203.0.113.8"]);
        assert_eq!((file.taken().as_deref(), file.unparsed), (Some("combined"), 2));
    }
}

#[test]
fn who_gets_a_line_of_another_format_into_a_raw_log_hides_nothing() {
    let reader = Reader::new(vec![told("j", LOGIN)], true);
    let offence = syslog("failed from 192.0.2.1");
    for decoy in [access(7, "/"), syslog(access(7, "/").trim_end())] {
        for before in [1, 30, 300] {
            let mut file = FileReading::default();
            let text = offence.repeat(before) + &decoy + &offence.repeat(2);
            assert_eq!(offenders(&reader, &mut file, &text).len(), before + 2, "{decoy}");
        }
    }
}

#[test]
fn lines_are_joined_within_one_log_only() {
    for text in [SESSIONS, WINDOW] {
        let (from, failed) = match text {
            SESSIONS => ("app[7]: from 192.0.2.1\n", "app[7]: failed\n"),
            _ => ("from 192.0.2.1\n", "failed\n"),
        };
        let reader = Reader::new(vec![told("j", text)], true);
        let [mut one, mut other] = [FileReading::default(), FileReading::default()];
        assert!(offenders(&reader, &mut one, from).is_empty());
        assert!(offenders(&reader, &mut other, failed).is_empty());
        assert!(offenders(&reader, &mut one, "app[8]: failed\n").is_empty());
        assert_eq!(offenders(&reader, &mut one, failed), ["192.0.2.1"], "{text}");
        // The log that comes after it goes on with them.
        assert!(offenders(&reader, &mut one, from).is_empty());
        let mut next = FileReading::default();
        next.go_on(&mut one);
        assert_eq!(offenders(&reader, &mut next, failed), ["192.0.2.1"]);
    }
}

#[allow(clippy::disallowed_methods, reason = "a test's own log")]
fn log(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

#[test]
fn what_was_read_before_a_restart_is_remembered() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    for (text, from, failed) in
        [(SESSIONS, "app[7]: from 192.0.2.1\n", "app[7]: failed\n"), (WINDOW, "from 192.0.2.1\n", "failed\n")]
    {
        log(&path, &format!("{failed}{from}{failed}"));
        let read_before = (failed.len() + from.len()) as u64;
        let reader = Reader::new(vec![told("j", text)], true);
        let mut file = FileReading::default();
        reader.recall(&mut file, &path, read_before, &reference());
        assert_eq!((file.lines, file.offences), (0, 0), "nothing comes of what was judged before");
        assert_eq!(offenders(&reader, &mut file, failed), ["192.0.2.1"], "{text}");
        let mut fresh = FileReading::default();
        assert!(offenders(&reader, &mut fresh, failed).is_empty());
    }
}

#[test]
fn a_network_in_a_line_is_told_as_one() {
    let reader = Reader::new(vec![told("j", "failregex = ^net <SUBNET>$\n")], true);
    let mut file = FileReading::new(Some(Format::Raw));
    let found = read(&reader, &mut file, b"net 203.0.113.7/24\nnet 203.0.113.7\nnet 203.0.113.7/32\n");
    let told: Vec<_> = found.iter().map(|o| (o.address.to_string(), o.offences[0].network)).collect();
    let told: Vec<_> = told.iter().map(|(address, network)| (address.as_str(), *network)).collect();
    assert_eq!(told, [("203.0.113.0", Some(24)), ("203.0.113.7", None), ("203.0.113.7", None)]);
}
