//! Killed at any moment, the store is some past state: whole, and not older than what was acknowledged.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use super::super::{Kept, Store, Transaction};
use super::{Place, at, ban, banned, checkpoint, tracker};
use crate::ban::{Change, Ended};

const DIRECTORY: &str = "BANMAP_TEST_CRASH_DIRECTORY";
/// Each ban lasts so many saves.
const LASTING: u64 = 50;

fn address(n: u64) -> String {
    format!("10.{}.{}.{}", n >> 16 & 255, n >> 8 & 255, n & 255)
}

/// The `n`-th save: one ban begins, one ends, the position and the windows move on.
fn save(n: u64) -> Transaction {
    let one = |n: u64| ban(&address(n), "login", n as i64, &["a line", "and another"]);
    let mut changes = vec![banned(&one(n))];
    if n > LASTING {
        changes.push(Change::Ended(one(n - LASTING).into(), Ended::Expired));
    }
    Transaction {
        generation: Some(n),
        changes,
        trackers: vec![
            tracker(&address(n), "login", &[(n as i64, n)]),
            tracker(&address(n.saturating_sub(LASTING)), "login", &[]),
        ],
        checkpoints: vec![checkpoint(1, n * 100)],
        ..Transaction::default()
    }
}

/// Not a test by itself: saves on and on, and says the number of each save once it is done, until it is killed.
#[test]
fn child() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let path = Path::new(&directory).join("banmap.sqlite3");
    let (mut store, kept, events) = Store::open(&path, at(0)).unwrap();
    assert!(events.is_empty(), "{events:?}");
    let mut out = std::io::stdout().lock();
    for n in kept.generation + 1.. {
        store.save(&save(n), at(n as i64)).unwrap();
        writeln!(out, "saved {n}").unwrap();
    }
}

/// Lets a child save until it acknowledged `saves` of them, and kills it; returns the last one acknowledged.
fn run_and_kill(place: &Place, saves: usize) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["store::tests::crash::child", "--exact", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, place.dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let number = |line: std::io::Result<String>| line.unwrap().strip_prefix("saved ")?.parse().ok();
    let last: u64 = lines.by_ref().filter_map(number).take(saves).last().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    // What it had still written into the pipe counts as acknowledged, too; the last line may be cut.
    lines.filter_map(number).last().unwrap_or(last)
}

fn check(kept: &Kept, acknowledged: u64) {
    let n = kept.generation;
    assert!(n >= acknowledged, "save {acknowledged} was acknowledged, found {n}");
    let first = n.saturating_sub(LASTING) + 1;
    let mut expected: Vec<String> = (first..=n).map(address).collect();
    expected.sort();
    let found: Vec<String> = kept.bans.iter().map(|ban| ban.prefix.to_string()).collect();
    assert_eq!(found, expected);
    let tracked: Vec<String> = kept.trackers.iter().map(|entry| entry.prefix.to_string()).collect();
    assert_eq!(tracked, expected);
    assert_eq!(kept.checkpoints, [checkpoint(1, n * 100)]);
}

#[test]
fn killed_at_any_moment_it_is_whole() {
    let place = Place::new();
    for round in 0..12 {
        let acknowledged = run_and_kill(&place, 1 + round * 37 % 101);
        let (store, kept) = place.open();
        check(&kept, acknowledged);
        for ban in &kept.bans {
            assert_eq!(store.evidence(ban.prefix, &ban.jail).unwrap().len(), 2);
        }
    }
}
