//! Tests of the store on real files, with what they share.

mod crash;
mod keeping;
mod model;
mod places;
mod round_trip;

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;

use super::{HistoryQuery, Kept, Store, Transaction};
use crate::ban::{Ban, Change, Origin};
use crate::os::clock;
use crate::terms::{
    Allowance, Checkpoint, Evidence, Fingerprint, HistoryKind, JailName, Mark, Measure, PriorEntry,
    ResolvedName, Tracked, TrackerEntry,
};

/// A time `seconds` after an arbitrary moment, with nanoseconds that must survive.
fn at(seconds: i64) -> Timestamp {
    Timestamp::new(1_790_000_000 + seconds, 123_456_789).unwrap()
}

fn jail(name: &str) -> JailName {
    name.parse().unwrap()
}

fn ban(address: &str, name: &str, since: i64, lines: &[&str]) -> Ban {
    let line = |text: &&str| Evidence { at: at(since - 1), jail: jail(name), text: (*text).into() };
    Ban {
        prefix: address.parse().unwrap(),
        jail: jail(name),
        value: Measure::Ban,
        since: at(since),
        until: Some(at(since + 3600)),
        offences: lines.len() as u32,
        origin: Origin::Log,
        reason: None,
        simulated: false,
        evidence: lines.iter().map(line).collect(),
    }
}

fn bans(changes: Vec<Change>) -> Transaction {
    Transaction { changes, ..Transaction::default() }
}

fn banned(ban: &Ban) -> Change {
    Change::Banned(ban.clone().into())
}

fn tracker(address: &str, name: &str, marks: &[(i64, u64)]) -> TrackerEntry {
    let marks = marks
        .iter()
        .map(|(s, distinct)| Mark { at: at(*s), distinct: *distinct, weight: 1 + (s % 3) as u8 })
        .collect();
    TrackerEntry {
        jail: jail(name),
        prefix: address.parse().unwrap(),
        what: Tracked::Offences,
        marks,
        fresh: false,
    }
}

fn allowance(address: &str, until: Option<i64>) -> Allowance {
    let reason = Some("the \"new\" office".to_owned());
    Allowance {
        prefix: address.parse().unwrap(),
        since: at(1),
        until: until.map(at),
        uid: Some(1000),
        reason,
    }
}

fn resolved(name: &str, addresses: &[&str]) -> ResolvedName {
    let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
    ResolvedName { name: name.to_owned(), addresses }
}

fn prior(address: &str, name: Option<&str>, bans: u32) -> PriorEntry {
    PriorEntry { prefix: address.parse().unwrap(), jail: name.map(jail), bans, ended: at(5) }
}

fn checkpoint(inode: u64, offset: u64) -> Checkpoint {
    let fingerprint = Fingerprint { device: 1, inode, head_len: 64, head: u64::MAX - inode };
    Checkpoint {
        source: "site".parse().unwrap(),
        path: "/var/log/access.log".into(),
        fingerprint,
        offset,
        cursor: None,
        finished: false,
    }
}

/// The store's file in a directory of its own.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("banmap.sqlite3")
    }

    /// Opens it and asserts that there was nothing to tell. The seed, which is another in each store, is left out.
    fn open(&self) -> (Store, Kept) {
        let (store, mut kept, events) = Store::open(&self.path(), at(0)).unwrap();
        assert!(events.is_empty(), "{events:?}");
        assert!(kept.seed.take().is_some());
        (store, kept)
    }

    fn kept(&self) -> Kept {
        self.open().1
    }

    /// Names in the directory that contain `part`, sorted.
    fn names(&self, part: &str) -> Vec<String> {
        names(self.dir.path(), part)
    }
}

fn names(dir: &Path, part: &str) -> Vec<String> {
    let entries = dir.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.filter(|name| name.contains(part)).collect();
    names.sort();
    names
}

fn whole_history() -> HistoryQuery {
    HistoryQuery { address: None, since: None, jail: None, limit: usize::MAX, evidence: true }
}

/// The kinds and addresses of a history, oldest first.
fn story(store: &Store, query: &HistoryQuery) -> Vec<(HistoryKind, String)> {
    let rows = store.history(query).unwrap().into_iter().rev();
    rows.map(|row| (row.kind, row.address.map_or_else(String::new, |address| address.to_string()))).collect()
}

/// Waits until `condition` holds; fails after ten seconds.
#[track_caller]
fn wait_until(condition: impl Fn() -> bool) {
    let deadline = clock::monotonic() + Duration::from_secs(10);
    while !condition() {
        assert!(clock::monotonic() < deadline, "the condition did not come true in time");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}
