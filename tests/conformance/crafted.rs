//! What a crafted line costs: never more than in proportion to its length, whichever filter of fail2ban's it is.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use super::*;

/// A line of so many bytes is compared with one of a quarter of it: both are too long for what the engines keep for short
/// lines. In proportion it costs four times as much; with every pair of places looked at, sixteen times.
const LONG: usize = 128 << 10;
const MOST_TIMES: u32 = 9;
/// Below this nothing can be told.
const NOISE: Duration = Duration::from_millis(4);

/// The CPU time of judging a line, the least of some runs: what else the machine does hardly shows in it.
fn cost(filter: &Filter, line: &str, times: usize) -> Duration {
    let used = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
    let reference = Reference { now: "2005-08-14T10:00:00Z".parse().unwrap(), zone: TimeZone::UTC };
    let once = |_| {
        let began = used();
        let record = Format::Raw.parse_at(line.as_bytes(), &reference).unwrap();
        std::hint::black_box(filter.judge_after(&record, &mut Memory::default(), Some(&reference)));
        used().saturating_sub(began)
    };
    (0..times).map(once).min().unwrap()
}

/// A sample in which something is repeated at a place.
fn crafted(line: &str, at: usize, fill: &str, length: usize) -> String {
    let (before, behind) = line.split_at(at);
    format!("{before}{}{behind}", fill.repeat(length / fill.len()))
}

/// Whether the cost grows faster than the line. An engine may change to a slower one where a line is long: that is believed only
/// where still longer lines tell the same.
fn grows(filter: &Filter, line: &str, at: usize, fill: &str) -> bool {
    [(LONG, 1), (LONG, 4), (4 * LONG, 2)].into_iter().all(|(length, times)| {
        let [long, quarter] = [length, length / 4].map(|length| crafted(line, at, fill, length));
        let long = cost(filter, &long, times);
        long > NOISE && long > cost(filter, &quarter, times).max(NOISE / MOST_TIMES) * MOST_TIMES
    })
}

/// What a client writes makes no filter of fail2ban's slow, whatever stands in its place in a line that is an offence.
/// `cargo bench --bench crafted` tells how much it costs.
#[test]
fn no_filter_takes_longer_than_in_proportion_to_a_line() {
    let (installed, mut slow) = (Installed::find(), Vec::new());
    for log in installed.logs().into_iter().filter(|log| installed.filter(log).is_file()) {
        let Ok(filter) = installed.compile(&log, &[]) else { continue };
        let is_offence = |case: &Case| {
            case.note.as_ref().is_some_and(|note| note.get("match") == Some(&Value::Bool(true)))
        };
        let offences = cases(&installed, &log).into_iter().map(|(_, case)| case).filter(is_offence);
        let lines: Vec<String> =
            offences.map(|case| String::from_utf8_lossy(&case.line).into_owned()).collect();
        let Some(line) = lines.first() else { continue };
        let words: Vec<usize> = line.match_indices(' ').map(|(at, _)| at + 1).collect();
        for at in words.iter().copied().step_by(words.len().div_ceil(2).max(1)) {
            let fills = ["a", " ", "from 192.0.2.1 ", &line[..at]];
            let those = fills.into_iter().filter(|fill| grows(&filter, line, at, fill));
            slow.extend(those.map(|fill| format!("{log}: {fill:?} at {at} of {line}")));
        }
    }
    assert!(slow.is_empty(), "{}", slow.join("\n"));
}
