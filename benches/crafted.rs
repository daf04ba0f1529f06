//! What a crafted line of 64 kB costs at most, by filter: each of fail2ban's own, as installed, against its own samples with
//! something repeated at each place where a client may write.
//!
//! `cargo bench --bench crafted -- [FILTER…]`; the slowest of each filter in milliseconds, the worst last. A line of an eighth of the
//! length finds out what is slow.
#![allow(missing_docs, reason = "a program that prints")]
#![allow(clippy::unwrap_used, reason = "what is not as expected ends it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use banmap::filter::{Filter, Language, Memory, Recipe};
use banmap::record::{Format, Reference};
use jiff::tz::TimeZone;
use nix::time::{ClockId, clock_gettime};

const LONG: usize = 64 << 10;
/// So many samples of a filter, and so many places in each.
const MOST: (usize, usize) = (10, 20);
/// What is repeated, besides what stands before the place.
const FILLS: [&str; 16] = [
    "a",
    "A1",
    " ",
    "(",
    "[",
    "<",
    "\"",
    "'",
    "1",
    "1.",
    ":",
    "a b ",
    "user=",
    "from 192.0.2.1 ",
    ": x",
    "\u{e9}",
];

fn root() -> PathBuf {
    std::env::var_os("BANMAP_FAIL2BAN").map_or_else(|| PathBuf::from("/"), PathBuf::from)
}

fn compile(path: &Path, mode: &str) -> Option<Filter> {
    let read = |path: &Path| match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let parameters = [("mode".to_owned(), mode.to_owned())];
    let recipe = Recipe::read(path, if mode.is_empty() { &[] } else { &parameters }, &read).ok()?;
    Some(Filter::told(Language::compile(recipe).ok()?))
}

/// Lines that fail2ban's suite says are offences.
fn samples(log: &Path) -> Vec<String> {
    let text = String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned();
    let (mut is_offence, mut found) = (false, Vec::new());
    for line in text.lines() {
        if line.starts_with('#') {
            is_offence = line.contains("failJSON") && line.contains("\"match\": true");
        } else if std::mem::take(&mut is_offence) {
            found.push(line.to_owned());
        }
    }
    let step = found.len().div_ceil(MOST.0).max(1);
    found.into_iter().step_by(step).collect()
}

/// Where words begin.
fn places(line: &str) -> Vec<usize> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric();
    let bytes = line.as_bytes();
    let begins = (1..bytes.len()).filter(|at| is_word(bytes[*at]) && !is_word(bytes[*at - 1]));
    let begins: Vec<usize> = begins.filter(|at| line.is_char_boundary(*at)).collect();
    let step = begins.len().div_ceil(MOST.1).max(1);
    begins.into_iter().step_by(step).chain([line.len()]).collect()
}

fn crafted(line: &str, at: usize, fill: &str, length: usize) -> String {
    let (before, behind) = line.split_at(at);
    format!("{before}{}{behind}", fill.repeat(length / fill.len().max(1)))
}

/// The CPU time of the least of some runs, in milliseconds.
fn cost(filter: &Filter, line: &str, times: usize) -> f64 {
    let zone = TimeZone::get("Europe/Zurich").unwrap();
    let reference = Reference { now: "2005-08-14T10:00:00Z".parse().unwrap(), zone };
    let used = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
    let once = |_| {
        let began = used();
        let record = Format::Raw.parse_at(line.as_bytes(), &reference).unwrap();
        std::hint::black_box(filter.judge_after(&record, &mut Memory::default(), Some(&reference)));
        used().saturating_sub(began).as_secs_f64() * 1e3
    };
    (0..times).map(once).fold(f64::MAX, f64::min)
}

/// The slowest line of a filter: what it costs, and how it was made.
fn worst(filter: &Filter, lines: &[String]) -> Option<(f64, String)> {
    let mut found = Vec::new();
    for line in lines {
        for at in places(line) {
            let before = &line[..at];
            let word = before.rfind(' ').map_or(before, |blank| &before[blank..]);
            for fill in FILLS.into_iter().chain([before, word, line.as_str()]) {
                found.push((cost(filter, &crafted(line, at, fill, LONG / 8), 1), line, at, fill));
            }
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let longest = found.into_iter().take(6);
    let measured = longest.map(|(_, line, at, fill)| {
        (cost(filter, &crafted(line, at, fill, LONG), 3), format!("{fill:?} at {at} of {line}"))
    });
    measured.max_by(|a, b| a.0.total_cmp(&b.0))
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    let (filters, logs) = (
        root().join("etc/fail2ban/filter.d"),
        root().join("usr/lib/python3/dist-packages/fail2ban/tests/files/logs"),
    );
    let mut table = Vec::new();
    for entry in fs::read_dir(&logs).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !wanted.is_empty() && !wanted.contains(&name) {
            continue;
        }
        let lines = samples(&entry.path());
        for mode in ["", "aggressive"] {
            let Some(filter) = compile(&filters.join(format!("{name}.conf")), mode) else { continue };
            let given_up = || filter.language().map_or(0, Language::given_up);
            if let Some((cost, made)) = worst(&filter, &lines) {
                table.push((cost, format!("{name} {mode}"), made, given_up()));
            }
        }
    }
    table.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (cost, name, made, given_up) in table {
        println!(
            "{cost:8.2} ms  {name}: {} ({given_up} given up)",
            made.chars().take(160).collect::<String>()
        );
    }
}
