//! Earlier bans: how often who was banned, with a hard cap, for the bans that grow with it.

use std::collections::{BTreeSet, HashSet};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use jiff::{SignedDuration, Timestamp};
use smallvec::SmallVec;

use super::{Escalation, Scope};
use crate::address::{Prefix, aggregate, holds};
use crate::terms::{JailName, PriorEntry};

/// The ended bans of one prefix, in one jail or in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Prior {
    /// How many count; at least 1.
    bans: u32,
    /// When the last of them ended.
    ended: Timestamp,
}

impl Prior {
    /// How many still count at `at`: one less for each `decay` since the last one ended.
    fn left(self, decay: Option<SignedDuration>, at: Timestamp) -> u32 {
        let quiet = at.duration_since(self.ended).max(SignedDuration::ZERO);
        let forgotten = decay.map_or(0, |decay| quiet.as_nanos() / decay.as_nanos().max(1));
        self.bans.saturating_sub(u32::try_from(forgotten).unwrap_or(u32::MAX))
    }

    /// One more. Bans that were in force at the same time are one.
    fn add(&mut self, ended: &EndedBan<'_>) {
        if ended.since >= self.ended {
            self.bans = self.left(ended.decay, ended.since).saturating_add(1);
        }
        self.ended = self.ended.max(ended.until);
    }
}

/// A ban that ended, or was over when it was found.
#[derive(Clone, Copy, Debug)]
pub struct EndedBan<'a> {
    /// Who was banned.
    pub prefix: Prefix,
    /// By which jail.
    pub jail: &'a JailName,
    /// When it began.
    pub since: Timestamp,
    /// When it ended.
    pub until: Timestamp,
    /// The decay of its jail.
    pub decay: Option<SignedDuration>,
    /// Another jail's ban of the same prefix is still in force: together they count when that one ends.
    pub goes_on: bool,
}

/// What is known of one prefix.
#[derive(Debug, Default)]
struct Record {
    all: Option<Prior>,
    jails: SmallVec<[(JailName, Prior); 1]>,
}

impl Record {
    fn of(&self, jail: Option<&JailName>) -> Option<Prior> {
        match jail {
            None => self.all,
            Some(jail) => self.jails.iter().find(|(name, _)| name == jail).map(|(_, prior)| *prior),
        }
    }

    fn all(&self) -> impl Iterator<Item = (Option<&JailName>, Prior)> {
        let jails = self.jails.iter().map(|(jail, prior)| (Some(jail), *prior));
        self.all.map(|all| (None, all)).into_iter().chain(jails)
    }

    fn set(&mut self, jail: Option<&JailName>, prior: Prior) {
        let Some(jail) = jail else {
            self.all = Some(prior);
            return;
        };
        match self.jails.iter_mut().find(|(name, _)| name == jail) {
            Some((_, known)) => *known = prior,
            None => self.jails.push((jail.clone(), prior)),
        }
    }

    /// Where it stands among those that give way: whether it tells of more than one ban, and of when.
    fn rank(&self) -> Option<(usize, Timestamp)> {
        let ended = self.all().map(|(_, prior)| prior.ended).max()?;
        Some((usize::from(self.all().any(|(_, prior)| prior.bans > 1)), ended))
    }
}

/// Earlier bans by prefix. When the cap is reached, those who were banned once give way first, the longest free one of
/// them; while they are less than an eighth, the longest free of the others.
pub struct Priors {
    records: HashMap<Prefix, Record, RandomState>,
    /// By rank: those of one ban, and of several.
    order: [BTreeSet<(Timestamp, Prefix)>; 2],
    cap: usize,
    evicted: u64,
    /// What the store has to be told.
    changed: HashSet<(Prefix, Option<JailName>), RandomState>,
}

impl Default for Priors {
    fn default() -> Self {
        Self::new(Self::LIMIT)
    }
}

impl Priors {
    /// How many prefixes are remembered: some 25 MB.
    pub const LIMIT: usize = 100_000;

    /// Remembers nobody yet, and never more than `cap` prefixes.
    pub fn new(cap: usize) -> Self {
        let (records, changed) = (HashMap::default(), HashSet::default());
        Self { records, order: [BTreeSet::new(), BTreeSet::new()], cap, evicted: 0, changed }
    }

    /// How many earlier bans count for a ban that begins at `since`.
    pub fn earlier(&self, prefix: Prefix, jail: &JailName, rule: &Escalation, since: Timestamp) -> u32 {
        let jail = (rule.scope == Scope::Jail).then_some(jail);
        let prior = self.records.get(&prefix).and_then(|record| record.of(jail));
        prior.map_or(0, |prior| prior.left(rule.decay, since))
    }

    /// Counts a ban that is over.
    pub fn add(&mut self, ended: &EndedBan<'_>) {
        let jails = [Some(ended.jail), None];
        for jail in jails.into_iter().filter(|jail| jail.is_some() || !ended.goes_on) {
            let known = self.records.get(&ended.prefix).and_then(|record| record.of(jail));
            let mut prior = known.unwrap_or(Prior { bans: 0, ended: Timestamp::MIN });
            prior.add(ended);
            self.set(ended.prefix, jail, prior);
            self.changed.insert((ended.prefix, jail.cloned()));
        }
        self.make_room();
    }

    /// Takes over what the store kept.
    pub fn restore(&mut self, entries: &[PriorEntry]) {
        for entry in entries.iter().filter(|entry| entry.bans > 0) {
            let prior = Prior { bans: entry.bans, ended: entry.ended };
            self.set(entry.prefix, entry.jail.as_ref(), prior);
        }
        self.make_room();
    }

    /// Whether this tells of more bans, or of later ones, than are known.
    pub fn is_news(&self, told: &PriorEntry) -> bool {
        let known = self.records.get(&told.prefix).and_then(|record| record.of(told.jail.as_ref()));
        told.bans > 0 && known.is_none_or(|known| told.bans > known.bans || told.ended > known.ended)
    }

    /// Remembers what another program knew: of the counts and the times the greater one. The same twice is the same once.
    pub fn learn(&mut self, told: &[PriorEntry]) {
        for news in told.iter().filter(|told| told.bans > 0) {
            let known = self.records.get(&news.prefix).and_then(|record| record.of(news.jail.as_ref()));
            let known = known.unwrap_or(Prior { bans: 0, ended: Timestamp::MIN });
            let prior = Prior { bans: known.bans.max(news.bans), ended: known.ended.max(news.ended) };
            self.set(news.prefix, news.jail.as_ref(), prior);
            self.changed.insert((news.prefix, news.jail.clone()));
        }
        self.make_room();
    }

    /// Forgets the earlier bans of these prefixes and of all that lies inside them, in one jail or in all; returns those
    /// that had any. All that is remembered is passed over once at most.
    pub fn forget(&mut self, prefixes: &[Prefix], jail: Option<&JailName>) -> Vec<Prefix> {
        let meant: Vec<Prefix> = if prefixes.iter().all(|prefix| prefix.is_host()) {
            prefixes.iter().copied().filter(|prefix| self.records.contains_key(prefix)).collect()
        } else {
            let wanted = aggregate(prefixes);
            self.records.keys().copied().filter(|prefix| holds(&wanted, *prefix)).collect()
        };
        meant.into_iter().filter(|prefix| self.forget_one(*prefix, jail)).collect()
    }

    /// Forgets all, or all of one jail.
    pub fn forget_all(&mut self, jail: Option<&JailName>) -> usize {
        let all: Vec<Prefix> = self.records.keys().copied().collect();
        all.into_iter().filter(|prefix| self.forget_one(*prefix, jail)).count()
    }

    fn forget_one(&mut self, prefix: Prefix, jail: Option<&JailName>) -> bool {
        let Some(mut record) = self.take(prefix) else { return false };
        let gone = |name: &JailName| jail.is_none_or(|jail| jail == name);
        let before = record.jails.len() + usize::from(record.all.is_some());
        let names: Vec<JailName> = record.jails.iter().map(|(name, _)| name.clone()).collect();
        self.changed.extend(names.into_iter().filter(gone).map(|name| (prefix, Some(name))));
        record.jails.retain(|(name, _)| !gone(name));
        if jail.is_none() || record.jails.is_empty() {
            record.all = None;
            self.changed.insert((prefix, None));
        }
        let changed = record.jails.len() + usize::from(record.all.is_some()) < before;
        self.put(prefix, record);
        changed
    }

    /// Lets go of at most `limit` prefixes of each rank whose last ban is so long ago that none counts any more.
    pub fn sweep(&mut self, now: Timestamp, decay: Option<SignedDuration>, limit: usize) {
        for rank in [0, 1] {
            for _ in 0..limit {
                let Some(oldest) = self.oldest(rank) else { break };
                let over = |(_, prior): (_, Prior)| prior.left(decay, now) == 0;
                if !self.records.get(&oldest).is_some_and(|record| record.all().all(over)) {
                    break;
                }
                self.drop(oldest);
            }
        }
    }

    /// Appends what changed since this was last asked; an entry without bans is gone.
    pub fn take_changed(&mut self) -> Vec<PriorEntry> {
        let changed = std::mem::take(&mut self.changed);
        let entry = |(prefix, jail): (Prefix, Option<JailName>)| {
            let prior = self.records.get(&prefix).and_then(|record| record.of(jail.as_ref()));
            let prior = prior.unwrap_or(Prior { bans: 0, ended: Timestamp::UNIX_EPOCH });
            PriorEntry { prefix, jail, bans: prior.bans, ended: prior.ended }
        };
        changed.into_iter().map(entry).collect()
    }

    /// How many prefixes are remembered.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether nobody is remembered.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many may be.
    pub fn cap(&self) -> usize {
        self.cap
    }

    /// How many gave way because the cap was reached, since the start.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    fn set(&mut self, prefix: Prefix, jail: Option<&JailName>, prior: Prior) {
        let mut record = self.take(prefix).unwrap_or_default();
        record.set(jail, prior);
        self.put(prefix, record);
    }

    fn take(&mut self, prefix: Prefix) -> Option<Record> {
        let record = self.records.remove(&prefix)?;
        if let Some((rank, ended)) = record.rank()
            && let Some(order) = self.order.get_mut(rank)
        {
            order.remove(&(ended, prefix));
        }
        Some(record)
    }

    fn put(&mut self, prefix: Prefix, record: Record) {
        let Some((rank, ended)) = record.rank() else { return };
        if let Some(order) = self.order.get_mut(rank) {
            order.insert((ended, prefix));
        }
        self.records.insert(prefix, record);
    }

    fn oldest(&self, rank: usize) -> Option<Prefix> {
        self.order.get(rank)?.first().map(|(_, prefix)| *prefix)
    }

    fn make_room(&mut self) {
        while self.records.len() > self.cap {
            let single_first = self.order[0].len() > self.records.len() / 8;
            let ranks = if single_first { [0, 1] } else { [1, 0] };
            let Some(oldest) = ranks.into_iter().find_map(|rank| self.oldest(rank)) else { return };
            self.drop(oldest);
            self.evicted += 1;
        }
    }

    fn drop(&mut self, prefix: Prefix) {
        let Some(record) = self.take(prefix) else { return };
        self.changed.extend(record.all().map(|(jail, _)| (prefix, jail.cloned())));
    }

    /// Panics where the order contradicts the records.
    #[cfg(test)]
    pub(crate) fn check_invariants(&self) {
        assert!(self.records.len() <= self.cap);
        assert_eq!(self.order.iter().map(BTreeSet::len).sum::<usize>(), self.records.len());
        for (prefix, record) in &self.records {
            let (rank, ended) = record.rank().expect("no record without a ban");
            assert!(self.order[rank].contains(&(ended, *prefix)), "{prefix}");
            assert!(record.all().all(|(_, prior)| prior.bans > 0));
        }
    }

    /// What is remembered, sorted.
    #[cfg(test)]
    pub(crate) fn entries(&self) -> Vec<PriorEntry> {
        let mut entries: Vec<PriorEntry> = Vec::new();
        for (prefix, record) in &self.records {
            entries.extend(record.all().map(|(jail, prior)| {
                let (jail, Prior { bans, ended }) = (jail.cloned(), prior);
                PriorEntry { prefix: *prefix, jail, bans, ended }
            }));
        }
        entries.sort_by(|a, b| (a.prefix, &a.jail).cmp(&(b.prefix, &b.jail)));
        entries
    }
}

#[cfg(test)]
mod tests;
