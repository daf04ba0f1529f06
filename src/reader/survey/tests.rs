//! What a log's end holds is found, counted from the time on, and refused where it is compressed.

use std::io::Write;
use std::path::PathBuf;

use jiff::tz::TimeZone;
use tempfile::TempDir;

use super::*;

const TEN: &str = "2026-05-01T10:00:00Z";

fn ten() -> Timestamp {
    TEN.parse().unwrap()
}

fn survey(since: Timestamp) -> Survey {
    let reference = Reference { now: ten(), zone: TimeZone::UTC };
    Survey::new(Clients::default(), FileReading::new(None), since, reference)
}

/// A line each second before ten, so many of them.
fn log(seconds: i64) -> String {
    let line = |second: i64| {
        let at = (ten() - jiff::SignedDuration::from_secs(second)).strftime("%d/%b/%Y:%H:%M:%S +0000");
        format!("203.0.113.{} - - [{at}] \"GET /{second} HTTP/1.1\" 200 5 \"-\" \"x\"\n", second % 200)
    };
    (1..=seconds).rev().map(line).collect()
}

fn file(text: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
    (directory, path)
}

/// How the log begins to matter, how many records did, and how many bytes were read.
fn looked_at(path: &Path, since: Timestamp) -> (Begin, usize, u64) {
    let (mut survey, mut records) = (survey(since), 0);
    let (mut lines, begin) = survey.open(path, &Meter::default()).unwrap();
    while let Some(buffer) = lines.next_buffer().unwrap() {
        survey.buffer(buffer, &mut |_| records += 1);
    }
    (begin, records, survey.reading().bytes)
}

#[test]
fn only_the_end_of_a_log_is_read() {
    let text = log(40_000);
    let (_directory, path) = file(&text);
    let (begin, records, bytes) = looked_at(&path, ten() - jiff::SignedDuration::from_secs(60));
    assert_eq!((begin, records), (Begin::Found, 60));
    assert!(bytes < 8_000, "{bytes} of {}", text.len());
    let late = looked_at(&path, ten() + jiff::SignedDuration::from_secs(1));
    assert_eq!(late.0, Begin::Nothing(Some(ten() - jiff::SignedDuration::from_secs(1))));
    assert_eq!(looked_at(&path, Timestamp::MIN), (Begin::Found, 40_000, text.len() as u64));
}

#[test]
fn a_late_line_of_an_earlier_time_does_not_count() {
    let text = log(10);
    let first = text.lines().next().unwrap().to_owned() + "\n";
    let (_directory, path) = file(&(text + &first));
    assert_eq!(looked_at(&path, ten() - jiff::SignedDuration::from_secs(3)).1, 3);
}

#[test]
fn the_last_part_of_a_log_without_times_is_read() {
    let line = "no time in this one, and nothing that anybody could parse\n";
    let (_directory, path) = file(&line.repeat(200_000));
    let (begin, records, bytes) = looked_at(&path, ten());
    assert_eq!((begin, records, bytes), (Begin::Timeless, 0, TIMELESS));
}

#[test]
fn compressed_logs_are_refused_with_what_to_do() {
    let (_directory, path) = file("");
    std::fs::File::create(&path).unwrap().write_all(b"\x1f\x8b\x08and so on").unwrap();
    let error = survey(ten()).open(&path, &Meter::default()).err().unwrap();
    assert!(error.to_string().contains("zcat LOG | banmap top -"), "{error}");
}
