//! Verdicts that wait: why, until when, and what becomes of them then. Bounded in number and in the lines they keep.

use std::collections::BTreeSet;

use hashbrown::{HashMap, HashSet};
use jiff::Timestamp;

use crate::address::Prefix;
use crate::ban::{HeldBan, HeldEntry, JailId};
use crate::terms::{Evidence, JailName};

/// Whose verdict about whom.
type Key = (Prefix, JailId);

/// All held verdicts, by whom they are about and by their end.
pub(super) struct Held {
    all: HashMap<Key, HeldBan>,
    /// The first to end first.
    ends: BTreeSet<(Timestamp, Key)>,
    /// Bytes of the lines that are kept.
    bytes: usize,
    cap: usize,
    gave_way: u64,
    /// What the store does not know yet.
    changed: BTreeSet<Key>,
    /// What it has: of the others it need not be told that they are gone.
    stored: HashSet<Key>,
    /// The jails' names, for the store: what is held no longer has none of its own.
    names: HashMap<JailId, JailName>,
}

impl Default for Held {
    fn default() -> Self {
        Self::new(Self::CAP)
    }
}

impl Held {
    /// At most so many verdicts wait: some 10 MB. Of more, those give way that would end first.
    pub(super) const CAP: usize = 20_000;
    /// So many bytes of lines are kept with them; later ones wait without their lines.
    const LINES: usize = 4 << 20;

    pub(super) fn new(cap: usize) -> Self {
        Self {
            all: HashMap::new(),
            ends: BTreeSet::new(),
            bytes: 0,
            cap,
            gave_way: 0,
            changed: BTreeSet::new(),
            stored: HashSet::new(),
            names: HashMap::new(),
        }
    }

    /// Holds a verdict, in the place of one that was held before of the same jail about the same prefix; returns that one.
    pub(super) fn hold(&mut self, jail: JailId, mut held: HeldBan) -> Option<HeldBan> {
        let key = (held.ban.prefix, jail);
        let before = self.take(key.0, jail);
        let bytes = bytes(&held.ban.evidence);
        if self.bytes + bytes > Self::LINES {
            held.ban.evidence = Vec::new();
        } else {
            self.bytes += bytes;
        }
        self.names.entry(jail).or_insert_with(|| held.ban.jail.clone());
        self.ends.insert((held.until, key));
        self.all.insert(key, held);
        self.changed.insert(key);
        while self.all.len() > self.cap {
            let Some((_, (prefix, jail))) = self.ends.first().copied() else { break };
            self.take(prefix, jail);
            self.gave_way += 1;
        }
        before
    }

    /// The same for one that the store kept.
    pub(super) fn restore(&mut self, jail: JailId, held: HeldBan) {
        let key = (held.ban.prefix, jail);
        self.hold(jail, held);
        self.changed.remove(&key);
        self.stored.insert(key);
    }

    /// Has the store forget one that it kept for a jail that is no more.
    pub(super) fn let_go(&mut self, jail: JailId, held: &HeldBan) {
        self.names.entry(jail).or_insert_with(|| held.ban.jail.clone());
        self.note((held.ban.prefix, jail), true);
    }

    fn note(&mut self, key: Key, is_stored: bool) {
        if is_stored || self.stored.contains(&key) {
            self.changed.insert(key);
        } else {
            self.changed.remove(&key);
        }
    }

    /// Takes a verdict out, if it is held.
    pub(super) fn take(&mut self, prefix: Prefix, jail: JailId) -> Option<HeldBan> {
        let held = self.all.remove(&(prefix, jail))?;
        self.ends.remove(&(held.until, (prefix, jail)));
        self.bytes -= bytes(&held.ban.evidence);
        self.note((prefix, jail), false);
        Some(held)
    }

    /// Takes out the one that is over the longest at `now`.
    pub(super) fn take_over(&mut self, now: Timestamp) -> Option<(JailId, HeldBan)> {
        let (until, (prefix, jail)) = self.ends.first().copied()?;
        if until > now {
            return None;
        }
        self.take(prefix, jail).map(|held| (jail, held))
    }

    /// Takes out all for which `is_meant` says so, the oldest verdict first.
    pub(super) fn take_where(
        &mut self,
        is_meant: impl Fn(JailId, &HeldBan) -> bool,
    ) -> Vec<(JailId, HeldBan)> {
        let meant = self.all.iter().filter(|((_, jail), held)| is_meant(*jail, held));
        let mut keys: Vec<_> = meant.map(|(key, held)| (held.judged, *key)).collect();
        keys.sort_unstable();
        let taken = keys.into_iter().filter_map(|(_, (prefix, jail))| Some((jail, self.take(prefix, jail)?)));
        taken.collect()
    }

    /// The verdict of a jail about exactly this prefix.
    pub(super) fn get(&self, prefix: Prefix, jail: JailId) -> Option<&HeldBan> {
        self.all.get(&(prefix, jail))
    }

    /// Those about prefixes that hold all of `asked`, in no order.
    pub(super) fn around(&self, asked: Prefix) -> impl Iterator<Item = &HeldBan> {
        self.all.values().filter(move |held| held.ban.prefix.covers(asked))
    }

    /// How many wait of one jail.
    pub(super) fn count(&self, jail: JailId) -> usize {
        self.all.keys().filter(|(_, of)| *of == jail).count()
    }

    /// How many wait, how many may, and how many gave way.
    pub(super) fn load(&self) -> (usize, usize, u64) {
        (self.all.len(), self.cap, self.gave_way)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// When the first one ends.
    pub(super) fn next_end(&self) -> Option<Timestamp> {
        self.ends.first().map(|(until, _)| *until)
    }

    /// What changed since this was last asked, for the store.
    pub(super) fn take_changed(&mut self) -> Vec<HeldEntry> {
        let changed = std::mem::take(&mut self.changed).into_iter();
        let mut entries = Vec::new();
        for key in changed {
            let held = self.all.get(&key).cloned();
            if held.is_some() {
                self.stored.insert(key)
            } else {
                self.stored.remove(&key)
            };
            let name = self.names.get(&key.1).cloned();
            entries.extend(name.map(|jail| HeldEntry { prefix: key.0, jail, held }));
        }
        entries
    }

    /// Panics where it contradicts itself.
    #[cfg(test)]
    pub(super) fn check_invariants(&self) {
        assert!(self.all.len() <= self.cap && self.bytes <= Self::LINES);
        assert_eq!(self.ends.len(), self.all.len());
        assert_eq!(self.bytes, self.all.values().map(|held| bytes(&held.ban.evidence)).sum::<usize>());
        for ((prefix, jail), held) in &self.all {
            assert_eq!(held.ban.prefix, *prefix);
            assert!(self.ends.contains(&(held.until, (*prefix, *jail))));
        }
    }
}

fn bytes(lines: &[Evidence]) -> usize {
    lines.iter().map(|line| line.text.len()).sum()
}
