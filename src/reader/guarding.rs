//! The wrong-client guard on whole buffers: whatever filters like, and before anything is judged.

use std::io::Write;
use std::sync::Arc;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::{Basis, Clients, FileReading, Lens, Reader, Surroundings};
use crate::address::{AllowEntry, Allowlist};
use crate::filter::{Definition, Filter};
use crate::record::{Format, Reference};

fn reference() -> Reference {
    Reference { now: "2026-05-01T12:00:00Z".parse().unwrap(), zone: TimeZone::UTC }
}

fn line(client: &str, target: &str) -> String {
    format!("{client} - - [01/May/2026:10:00:00 +0000] \"GET {target} HTTP/1.1\" 404 5 \"-\" \"x\"\n")
}

/// Many other clients, none of whom is a candidate.
fn others(count: usize) -> Vec<String> {
    (0..count).map(|n| line(&format!("203.0.{}.{}", n / 250 % 250, n % 250), "/")).collect()
}

fn reader(guard: bool) -> Reader {
    let definition = Definition::read(&"rule = [{ path = '^/attack$' }]".parse().unwrap()).unwrap();
    let filter = Arc::new(Filter::compile(&definition).unwrap());
    let jail = "j".parse().unwrap();
    let trusted = AllowEntry { prefix: "198.51.100.0/24".parse().unwrap(), origin: "t".into() };
    let around = Surroundings::new(Allowlist::new([trusted]), vec!["192.0.2.80".parse().unwrap()]);
    let lens = Lens::new(jail, filter);
    Reader::new(vec![lens], false).telling(Clients { guard, around, ..Clients::default() })
}

fn read(reader: &Reader, file: &mut FileReading, text: &str) {
    reader.read(file, text.as_bytes(), Basis::Arrival, &reference(), &mut Vec::new());
}

fn crowd(reader: &Reader, text: &str) -> Option<String> {
    let mut file = FileReading::new(Some(Format::Combined));
    read(reader, &mut file, text);
    file.crowd.map(|crowd| crowd.address.to_string())
}

#[test]
fn only_who_can_be_no_client_is_a_crowd() {
    for (address, is) in [
        ("10.0.0.5", Some("a private address")),
        ("fd00::5", Some("a private address")),
        ("127.0.0.1", Some("this host itself")),
        ("192.0.2.80", Some("this host itself")),
        ("198.51.100.7", Some("a trusted proxy")),
        ("203.0.113.7", None),
        ("host.example", None),
    ] {
        let mut file = FileReading::new(Some(Format::Combined));
        read(&reader(true), &mut file, &line(address, "/attack").repeat(20));
        let told = file.crowd.map(|crowd| crowd.to_string());
        assert_eq!(told.is_some(), is.is_some(), "{address}");
        let (told, is) = (told.unwrap_or_default(), is.unwrap_or_default());
        assert!(
            told.contains(is) && (is.is_empty() || told.contains(&format!("set_real_ip_from {address};")))
        );
    }
    assert_eq!(crowd(&reader(true), &line("10.0.0.5", "/").repeat(19)), None, "few lines");
    assert_eq!(crowd(&reader(false), &line("10.0.0.5", "/").repeat(50)), None, "it is switched off");
    let mut raw = FileReading::new(Some(Format::Raw));
    read(&reader(true), &mut raw, &line("10.0.0.5", "/").repeat(50));
    assert!(raw.crowd.is_none());
}

#[test]
fn a_crowd_is_found_and_forgotten_while_lines_come_one_by_one() {
    let reader = reader(true);
    let mut file = FileReading::new(Some(Format::Combined));
    for other in others(1000) {
        read(&reader, &mut file, &other);
    }
    let mut lines = 0;
    while file.crowd.is_none() {
        read(&reader, &mut file, &line("10.0.0.5", "/"));
        lines += 1;
        assert!(lines <= 600, "the server does not know its clients any more");
    }
    lines = 0;
    while file.crowd.is_some() {
        read(&reader, &mut file, &others(7)[lines % 7]);
        lines += 1;
        assert!(lines <= 600, "it knows them again");
    }
}

#[test]
fn a_trusted_proxy_that_is_named_while_reading_counts() {
    let reader = reader(true);
    let text = line("203.0.113.7", "/").repeat(50);
    assert_eq!(crowd(&reader, &text), None);
    let trusted = AllowEntry { prefix: "203.0.113.7".parse().unwrap(), origin: "t".into() };
    reader.around().replace(Allowlist::new([trusted]), Vec::new());
    assert_eq!(crowd(&reader, &text).as_deref(), Some("203.0.113.7"));
}

#[test]
fn a_file_s_end_is_counted_before_its_first_line_is_judged() {
    let log = tempfile::NamedTempFile::new().unwrap();
    log.as_file().write_all((others(5000).concat() + &line("10.0.0.5", "/").repeat(900)).as_bytes()).unwrap();
    for format in [None, Some(Format::Combined)] {
        let file = reader(true).first_look(FileReading::new(format.clone()), log.path(), &reference());
        assert_eq!(file.crowd.as_ref().map(|crowd| crowd.address.to_string()).as_deref(), Some("10.0.0.5"));
        assert_eq!(
            (file.taken(), file.lines, file.parsed),
            (format.map(|format| format.to_string()), 0, 0),
            "nothing else is known of it"
        );
    }
    assert!(reader(false).first_look(FileReading::new(None), log.path(), &reference()).crowd.is_none());
    assert!(
        reader(true).first_look(FileReading::new(None), &log.path().join("x"), &reference()).crowd.is_none()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    /// Of a big buffer a part is counted: not what filters like.
    #[test]
    fn who_attacks_much_is_no_crowd_and_who_sends_most_is(most: bool, attacks: bool, seed: u64) {
        let (share, target) = (if most { 75 } else { 35 }, if attacks { "/attack" } else { "/" });
        let mut random = seed | 1;
        let mut whose = |other: String| {
            // Marsaglia's xorshift.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            if random % 100 < share { line("10.0.0.5", target) } else { other }
        };
        let reader = reader(true);
        let mut file = FileReading::new(Some(Format::Combined));
        read(&reader, &mut file, &others(40).concat());
        for _ in 0..40 {
            let text: String = others(1500).into_iter().map(&mut whose).collect();
            read(&reader, &mut file, &text);
        }
        let crowd = file.crowd.map(|crowd| crowd.address.to_string());
        prop_assert_eq!(crowd.as_deref(), most.then_some("10.0.0.5"));
    }
}
