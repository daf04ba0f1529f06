//! What a crafted line costs: never more than in proportion to its length, whatever the filter.

use std::time::Duration;

use super::super::*;
use super::{compile, cost};
use crate::record::Format;

/// A line of 64 kB is compared with one of a quarter of it.
const LONG: usize = 64 << 10;
/// In proportion it is four times as much; with every pair of places looked at, sixteen times.
const MOST_TIMES: u32 = 9;
/// Below this nothing can be told.
const NOISE: Duration = Duration::from_millis(2);

/// What is repeated, in the target and in the user agent.
const FILLS: [&str; 8] = ["a", "%41", "/../", "?a=", "wp-login.php", "\\x22", "select ", "%25"];

fn crafted(fill: &str, length: usize) -> [String; 2] {
    let filled = fill.repeat(length / fill.len());
    let line = |target: &str, agent: &str| {
        format!(
            "192.0.2.7 - - [01/May/2026:10:00:00 +0000] \"POST /{target} HTTP/1.1\" 404 0 \"-\" \"{agent}\""
        )
    };
    [line(&filled, "x"), line("x", &filled)]
}

fn judging(filter: &Filter, line: &str, times: usize) -> Duration {
    let record = Format::Combined.parse(line.as_bytes()).unwrap();
    cost(times, || {
        std::hint::black_box(filter.judge(&record));
    })
}

/// Whether the cost grows faster than the line; measured again before that is believed.
fn grows(filter: &Filter, long: &str, quarter: &str) -> bool {
    [2, 8, 32].into_iter().all(|times| {
        let (long, quarter) = (judging(filter, long, times), judging(filter, quarter, times));
        long > NOISE && long > quarter.max(NOISE / MOST_TIMES) * MOST_TIMES
    })
}

#[test]
fn no_shipped_filter_takes_longer_than_in_proportion_to_a_line() {
    for shipped in SHIPPED {
        let filter = compile(shipped.text);
        for fill in FILLS {
            for (long, quarter) in crafted(fill, LONG).iter().zip(&crafted(fill, LONG / 4)) {
                assert!(!grows(&filter, long, quarter), "{} on `{fill}`", shipped.name);
            }
        }
    }
}
