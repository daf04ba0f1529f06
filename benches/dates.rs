//! How fast a raw line's date is found, by what stands in the line, and what a crafted line costs.
#![allow(missing_docs, reason = "criterion's macros write functions without docs")]

use std::hint::black_box;

use banmap::filter::{DateContext, DateDetector};
use banmap::record::Reference;
use criterion::{Criterion, criterion_group, criterion_main};
use jiff::tz::TimeZone;

const LINES: [(&str, &str, &str); 6] = [
    (
        "clf",
        "{DEFAULT}",
        r#"203.0.113.7 - - [01/May/2026:10:00:00 +0000] "GET /wp-login.php HTTP/1.1" 404 548 "-" "curl/7.88.1""#,
    ),
    (
        "clf_own_pattern",
        "%d/%b/%Y:%H:%M:%S %z",
        r#"203.0.113.7 - - [01/May/2026:10:00:00 +0000] "GET /wp-login.php HTTP/1.1" 404 548 "-" "curl/7.88.1""#,
    ),
    (
        "nginx_error",
        "{^LN-BEG}",
        r#"2026/05/01 10:00:00 [error] 11#11: *77 user "x": password mismatch, client: 203.0.113.7, server: _"#,
    ),
    (
        "syslog",
        "{DEFAULT}",
        "May  1 10:00:00 host sshd[4711]: Failed password for root from 203.0.113.7 port 4711 ssh2",
    ),
    (
        "apache_error",
        r"^[^\[]*\[({DATE})",
        "[Fri May 01 10:00:00.123456 2026] [auth_basic:error] [pid 7] [client 203.0.113.7:4711] AH01618: user x not found",
    ),
    (
        "none",
        "{DEFAULT}",
        "a line without any date in it, of about the length that lines in a log have: client 203.0.113.7, user x",
    ),
];

/// What 64 kB of a client's choice may hold: nearly dates, parts of dates, brackets.
fn crafted() -> Vec<String> {
    ["2026-05-01 10:00:0", "May  1 10:", "1:", "[[", "1 ", "CET May ", "audit(", "+01 ", "é", "2026-05-01 "]
        .iter()
        .map(|piece| piece.repeat(65_536 / piece.len()))
        .collect()
}

fn finding(c: &mut Criterion) {
    let reference = Reference { now: "2026-05-01T11:00:00Z".parse().expect("a time"), zone: TimeZone::UTC };
    let mut group = c.benchmark_group("find");
    for (name, pattern, line) in LINES {
        let detector = DateDetector::compile(&[pattern.to_owned()]).expect("a known pattern");
        let first = detector.find(line.as_bytes(), &DateContext { reference: &reference, last: None });
        for (last, context) in [("first", None), ("next", first.as_ref())] {
            let context = DateContext { reference: &reference, last: context };
            group.bench_function(format!("{name}/{last}"), |b| {
                b.iter(|| detector.find(black_box(line.as_bytes()), &context));
            });
        }
    }
    group.finish();
}

fn worst(c: &mut Criterion) {
    let reference = Reference { now: "2026-05-01T11:00:00Z".parse().expect("a time"), zone: TimeZone::UTC };
    let context = DateContext { reference: &reference, last: None };
    let mut group = c.benchmark_group("crafted_64k");
    group.sample_size(10);
    for pattern in ["{DEFAULT}", r"^[^\[]*\[({DATE})", r"(?P<s>[-/])*%Y(?:x*x*)*%m"] {
        let Ok(detector) = DateDetector::compile(&[pattern.to_owned()]) else { continue };
        for (number, line) in crafted().iter().enumerate() {
            let ended = format!("{line} 2026-05-01 10:00:00");
            group.bench_function(format!("{pattern}/{number}"), |b| {
                b.iter(|| detector.find(black_box(ended.as_bytes()), &context));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, finding, worst);
criterion_main!(benches);
