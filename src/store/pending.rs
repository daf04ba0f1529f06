//! Transactions that wait to be written, as one: in order, and bounded however long saving fails.

use std::hash::Hash;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use jiff::Timestamp;

use super::Transaction;
use crate::address::Prefix;
use crate::ban::Change;
use crate::terms::{JailName, TrackerEntry};

/// Up to so many entries wait without being looked through for what later ones replace.
const TIDY_FROM: usize = 20_000;
/// So many changes of bans wait with their whole history; of more, only where each ban stands.
const MAX_CHANGES: usize = 200_000;
/// So many notes wait; of more, the newest.
const MAX_NOTES: usize = 20_000;
/// So many bytes of lines wait with the changes that they decided; of more, those of the newest changes.
const MAX_TEXTS: usize = 32 << 20;

/// Several transactions, merged: writing it does what writing them one after the other would.
#[derive(Debug)]
pub(super) struct Batch {
    /// All but the changes.
    pub(super) rest: Transaction,
    /// The changes, each with its time.
    pub(super) changes: Vec<(Timestamp, Change)>,
    /// The size from which it is tidied again: twice what remained, so that the work is amortised.
    tidy_from: usize,
    /// With more changes than this only where each ban stands is kept.
    max_changes: usize,
    /// Bytes of lines in the changes.
    texts: usize,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            rest: Transaction::default(),
            changes: Vec::new(),
            tidy_from: TIDY_FROM,
            max_changes: MAX_CHANGES,
            texts: 0,
        }
    }
}

impl Batch {
    /// For tests: tidied at each step, with only where each ban stands.
    #[cfg(test)]
    pub(super) fn tight() -> Self {
        Self { tidy_from: 0, max_changes: 0, ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.rest.is_empty()
    }

    /// Appends a transaction of the time `now`; returns how many entries of history, or their lines, had to be dropped.
    pub(super) fn add(&mut self, mut transaction: Transaction, now: Timestamp) -> usize {
        self.texts += transaction.changes.iter().map(texts).sum::<usize>();
        self.changes.extend(transaction.changes.drain(..).map(|change| (now, change)));
        self.add_rest(transaction);
        self.tidy() + self.drop_texts()
    }

    /// Appends what came later; returns how many entries of history, or their lines, had to be dropped.
    pub(super) fn append(&mut self, later: Self) -> usize {
        self.texts += later.texts;
        self.changes.extend(later.changes);
        self.add_rest(later.rest);
        self.tidy() + self.drop_texts()
    }

    /// Where too many bytes of lines wait, the oldest changes lose theirs, down to half of what may wait; returns how
    /// many changes that were.
    fn drop_texts(&mut self) -> usize {
        if self.texts <= MAX_TEXTS {
            return 0;
        }
        let mut dropped = 0;
        for (_, change) in &mut self.changes {
            let bytes = texts(change);
            if bytes > 0 {
                forget_texts(change);
                (self.texts, dropped) = (self.texts.saturating_sub(bytes), dropped + 1);
            }
            if self.texts <= MAX_TEXTS / 2 {
                break;
            }
        }
        dropped
    }

    fn add_rest(&mut self, later: Transaction) {
        let rest = &mut self.rest;
        rest.generation = later.generation.or(rest.generation);
        rest.pauses = later.pauses.or(rest.pauses.take());
        rest.allowed = later.allowed.or(rest.allowed.take());
        rest.names = later.names.or(rest.names.take());
        rest.trackers.extend(later.trackers);
        rest.priors.extend(later.priors);
        rest.held.extend(later.held);
        rest.checkpoints.extend(later.checkpoints);
        if !later.forgotten.is_empty() {
            rest.files
                .retain(|file| !later.forgotten.iter().any(|(o, p)| *o == file.output && *p == file.path));
        }
        rest.forgotten.extend(later.forgotten);
        rest.files.extend(later.files);
        rest.totals.extend(later.totals);
        rest.notes.extend(later.notes);
    }

    fn size(&self) -> usize {
        let rest = &self.rest;
        let latest = rest.trackers.len()
            + rest.priors.len()
            + rest.checkpoints.len()
            + rest.totals.len()
            + rest.held.len();
        latest + self.changes.len() + rest.files.len() + rest.forgotten.len() + rest.notes.len()
    }

    fn tidy(&mut self) -> usize {
        if self.size() <= self.tidy_from {
            return 0;
        }
        let before = self.changes.len() + self.rest.notes.len();
        let rest = &mut self.rest;
        keep_trackers(&mut rest.trackers);
        keep_last(&mut rest.priors, |entry| (entry.prefix, entry.jail.clone()));
        keep_last(&mut rest.held, |entry| (entry.prefix, entry.jail.clone()));
        // A finished position and a later one of the same inode are different files: both are kept.
        keep_last(&mut rest.checkpoints, |c| {
            (c.source.clone(), c.fingerprint.device, c.fingerprint.inode, c.finished)
        });
        keep_last(&mut rest.totals, |totals| totals.jail.clone());
        keep_last(&mut rest.files, |file| (file.output.clone(), file.path.clone()));
        keep_last(&mut rest.forgotten, Clone::clone);
        rest.notes.drain(..rest.notes.len().saturating_sub(MAX_NOTES));
        if self.changes.len() > self.max_changes {
            self.changes = outcome(std::mem::take(&mut self.changes));
            self.texts = self.changes.iter().map(|(_, change)| texts(change)).sum();
        }
        self.tidy_from = self.tidy_from.max(2 * self.size());
        before - (self.changes.len() + self.rest.notes.len())
    }
}

/// The bytes of the lines that a change carries.
fn texts(change: &Change) -> usize {
    change.ban().evidence.iter().map(|line| line.text.len()).sum()
}

fn forget_texts(change: &mut Change) {
    let (Change::Banned(ban)
    | Change::Prolonged(ban)
    | Change::Extended(ban)
    | Change::Withheld(ban)
    | Change::Held(ban)
    | Change::Past(ban)
    | Change::Ended(ban, _)) = change;
    Arc::make_mut(ban).evidence = Vec::new();
}

/// Keeps the newest state of each window. One that the store was never told of, and that is gone again, leaves nothing: under a
/// flood of forged addresses each would wait to be deleted.
fn keep_trackers(entries: &mut Vec<TrackerEntry>) {
    let key = |entry: &TrackerEntry| (entry.jail.clone(), entry.prefix, entry.what);
    // What the first one says: before it there may be a row, which a later one has to delete.
    let mut fresh: HashMap<_, bool> = HashMap::new();
    for entry in entries.iter() {
        fresh.entry(key(entry)).or_insert(entry.fresh);
    }
    keep_last(entries, key);
    for entry in entries.iter_mut() {
        entry.fresh = fresh.get(&key(entry)).copied().unwrap_or(false);
    }
    entries.retain(|entry| !(entry.fresh && entry.marks.is_empty()));
}

/// Drops each entry that a later one with the same key replaces.
fn keep_last<T, K: Hash + Eq>(entries: &mut Vec<T>, key: impl Fn(&T) -> K) {
    let mut seen = HashSet::new();
    entries.reverse();
    entries.retain(|entry| seen.insert(key(entry)));
    entries.reverse();
}

/// Where a ban stands after several changes.
struct Standing {
    /// Whether the store has a row of it: its first waiting change was not that it began.
    stored: bool,
    at: Timestamp,
    last: Change,
}

/// For each ban the one change that leads to the same table; what is history only is dropped.
fn outcome(changes: Vec<(Timestamp, Change)>) -> Vec<(Timestamp, Change)> {
    let mut standing: HashMap<(Prefix, JailName), Standing> = HashMap::new();
    for (at, change) in changes {
        if matches!(change, Change::Withheld(_) | Change::Held(_) | Change::Past(_)) {
            continue;
        }
        let key = (change.ban().prefix, change.ban().jail.clone());
        let before = standing.remove(&key);
        let stored = before.as_ref().map_or(!matches!(change, Change::Banned(_)), |before| before.stored);
        // A row that is stored is changed (`Prolonged`), one that is not begins: so the next look knows it, too.
        let last = match change {
            Change::Extended(ban) if stored => Change::Extended(ban),
            Change::Banned(ban) | Change::Prolonged(ban) if stored => Change::Prolonged(ban),
            Change::Prolonged(ban) | Change::Extended(ban) => Change::Banned(ban),
            change => change,
        };
        standing.insert(key, Standing { stored, at, last });
    }
    let lasting = |one: &Standing| one.stored || !matches!(one.last, Change::Ended(..));
    let mut outcome: Vec<_> = standing.into_values().filter(lasting).map(|one| (one.at, one.last)).collect();
    outcome.sort_by_key(|(at, _)| *at);
    outcome
}
