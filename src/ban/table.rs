//! The table of bans: one row for each (prefix, jail), found by address and by the time it ends.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use smallvec::SmallVec;

use super::Ban;
use super::prefix_map::PrefixMap;
use crate::address::{Address, Prefix};
use crate::terms::Measure;

/// A jail, by the number that the engine gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JailId(u32);

impl JailId {
    /// The jail with this number.
    pub fn new(number: usize) -> Self {
        Self(u32::try_from(number).expect("fewer than 2^32 jails"))
    }

    /// Its number.
    pub fn number(self) -> usize {
        self.0 as usize
    }
}

/// One row.
#[derive(Clone, Debug)]
pub struct Row {
    /// The ban.
    pub ban: Arc<Ban>,
    /// The jail whose ban it is.
    pub jail: JailId,
    /// The generation that published it first.
    pub generation: u64,
    /// Hits that the gate let pass.
    pub passed: u32,
    /// As in the ban; here so that a snapshot need not follow the pointer.
    pub simulated: bool,
    /// As in the ban, likewise.
    pub value: Measure,
    /// An allowed or trusted entry lies inside.
    pub holed: bool,
}

impl Row {
    /// The row of a new ban.
    pub fn new(ban: Ban, jail: JailId, generation: u64) -> Self {
        let Ban { simulated, value, .. } = ban;
        Self { ban: Arc::new(ban), jail, generation, passed: 0, simulated, value, holed: false }
    }

    /// What it does to clients; `None`: nothing, it is simulated.
    pub fn force(&self) -> Option<Measure> {
        (!self.simulated).then_some(self.value)
    }
}

/// What became of an insertion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// There was no such row, or only a weaker one, which it replaced: simulated, or a challenge.
    New(Arc<Ban>),
    /// There was one, and it now ends later.
    Prolonged(Arc<Ban>),
    /// There was one, and it does not end earlier.
    Unchanged,
}

/// All active bans.
#[derive(Default)]
pub struct Table {
    rows: PrefixMap<SmallVec<[Row; 1]>>,
    deadlines: BTreeSet<(Timestamp, Prefix, JailId)>,
    /// How many rows each jail has.
    counts: Vec<usize>,
}

impl Table {
    /// Adds a row. Of a row that exists the later end is kept, and all else stays as it was; but a ban replaces a challenge,
    /// and either a simulated one.
    pub fn insert(&mut self, row: Row) -> Inserted {
        let (prefix, jail, ban) = (row.ban.prefix, row.jail, row.ban.clone());
        let rows = self.rows.or_default(prefix);
        let Some(existing) = rows.iter_mut().find(|other| other.jail == jail) else {
            rows.push(row);
            self.expect_end(&ban, jail);
            self.count(jail, 1);
            return Inserted::New(ban);
        };
        let before = existing.ban.until;
        let inserted = merge(existing, row);
        if inserted != Inserted::Unchanged {
            let now = existing.ban.clone();
            before.map(|until| self.deadlines.remove(&(until, prefix, jail)));
            self.expect_end(&now, jail);
        }
        inserted
    }

    fn expect_end(&mut self, ban: &Ban, jail: JailId) {
        self.deadlines.extend(ban.until.map(|until| (until, ban.prefix, jail)));
    }

    fn count(&mut self, jail: JailId, change: isize) {
        if self.counts.len() <= jail.number() {
            self.counts.resize(jail.number() + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(jail.number()) {
            *count = count.saturating_add_signed(change);
        }
    }

    /// Takes a row out.
    pub fn remove(&mut self, prefix: Prefix, jail: JailId) -> Option<Row> {
        let rows = self.rows.get_mut(prefix)?;
        let at = rows.iter().position(|row| row.jail == jail)?;
        let row = rows.remove(at);
        if rows.is_empty() {
            self.rows.remove(prefix);
        }
        row.ban.until.map(|until| self.deadlines.remove(&(until, prefix, jail)));
        self.count(jail, -1);
        Some(row)
    }

    /// The first row that is over at `now`, in the order of the ends.
    pub fn first_over(&self, now: Timestamp) -> Option<(Prefix, JailId)> {
        self.deadlines.first().filter(|(until, ..)| *until <= now).map(|(_, prefix, jail)| (*prefix, *jail))
    }

    /// When the next row ends.
    pub fn next_end(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(until, ..)| *until)
    }

    /// The rows whose prefix holds `address`, the narrowest first.
    pub fn around(&self, address: Address) -> impl Iterator<Item = &Row> {
        self.rows.around(address).flat_map(|(_, rows)| rows)
    }

    /// The rows whose prefix holds all of `prefix`, the narrowest first.
    pub fn covering(&self, prefix: Prefix) -> impl Iterator<Item = &Row> {
        self.rows.covering(prefix).flat_map(|(_, rows)| rows)
    }

    /// The rows of exactly this prefix.
    pub fn at(&self, prefix: Prefix) -> &[Row] {
        self.rows.get(prefix).map_or(&[], SmallVec::as_slice)
    }

    /// One row, to count on it.
    pub fn row_mut(&mut self, prefix: Prefix, jail: JailId) -> Option<&mut Row> {
        self.rows.get_mut(prefix)?.iter_mut().find(|row| row.jail == jail)
    }

    /// The rows by prefix, in no order.
    pub fn prefixes(&self) -> impl Iterator<Item = (Prefix, &[Row])> {
        self.rows.iter().map(|(prefix, rows)| (prefix, rows.as_slice()))
    }

    /// All rows, in no order.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().flat_map(|(_, rows)| rows)
    }

    /// All rows, to note on them what changed around them.
    pub fn rows_mut(&mut self) -> impl Iterator<Item = &mut Row> {
        self.rows.iter_mut().flat_map(|(_, rows)| rows)
    }

    /// How many different prefixes are banned.
    pub fn prefix_count(&self) -> usize {
        self.rows.len()
    }

    /// How many rows a jail has.
    pub fn count_of(&self, jail: JailId) -> usize {
        self.counts.get(jail.number()).copied().unwrap_or(0)
    }

    /// Panics where the indexes contradict the rows.
    #[cfg(test)]
    pub(crate) fn check_invariants(&self) {
        let ends: BTreeSet<_> =
            self.rows().filter_map(|row| Some((row.ban.until?, row.ban.prefix, row.jail))).collect();
        assert_eq!(ends, self.deadlines);
        assert_eq!(self.counts.iter().sum::<usize>(), self.rows().count());
        for (prefix, rows) in self.prefixes() {
            assert!(!rows.is_empty(), "{prefix} without a row");
            let jails: BTreeSet<JailId> = rows.iter().map(|row| row.jail).collect();
            assert_eq!(jails.len(), rows.len(), "two rows of a jail at {prefix}");
            assert!(rows.iter().all(|row| row.ban.prefix == prefix && row.simulated == row.ban.simulated));
            assert!(rows.iter().all(|row| row.value == row.ban.value));
        }
    }
}

/// Puts a ban on a row that exists.
fn merge(existing: &mut Row, row: Row) -> Inserted {
    if row.force() > existing.force() {
        *existing = row;
        return Inserted::New(existing.ban.clone());
    }
    if row.force() < existing.force() {
        return Inserted::Unchanged;
    }
    if !ends_later(existing.ban.until, row.ban.until) {
        return Inserted::Unchanged;
    }
    let ban = Arc::make_mut(&mut existing.ban);
    ban.until = row.ban.until;
    if row.ban.reason.is_some() {
        ban.reason.clone_from(&row.ban.reason);
    }
    Inserted::Prolonged(existing.ban.clone())
}

/// Whether a ban that ends at `new` lasts longer than one that ends at `old`; `None` is never.
pub fn ends_later(old: Option<Timestamp>, new: Option<Timestamp>) -> bool {
    match (old, new) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(old), Some(new)) => new > old,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::{Inserted, JailId, Row, Table};
    use crate::ban::{Ban, Origin};
    use crate::terms::Measure;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn row(prefix: &str, jail: usize, until: Option<i64>) -> Row {
        let ban = Ban {
            prefix: prefix.parse().unwrap(),
            jail: format!("j{jail}").parse().unwrap(),
            value: Measure::Ban,
            since: at(0),
            until: until.map(at),
            offences: 5,
            origin: Origin::Log,
            reason: None,
            simulated: false,
            evidence: Vec::new(),
        };
        Row::new(ban, JailId::new(jail), 1)
    }

    fn simulated(mut row: Row) -> Row {
        Arc::make_mut(&mut row.ban).simulated = true;
        Row { simulated: true, ..row }
    }

    #[test]
    fn banning_again_keeps_the_later_end() {
        let mut table = Table::default();
        assert!(matches!(table.insert(row("192.0.2.1", 1, Some(100))), Inserted::New(_)));
        assert_eq!(table.insert(row("192.0.2.1", 1, Some(90))), Inserted::Unchanged);
        assert_eq!(table.next_end(), Some(at(100)));
        assert!(matches!(table.insert(row("192.0.2.1", 1, Some(200))), Inserted::Prolonged(_)));
        assert_eq!(table.next_end(), Some(at(200)));
        assert!(matches!(table.insert(row("192.0.2.1", 1, None)), Inserted::Prolonged(_)));
        assert_eq!(table.insert(row("192.0.2.1", 1, Some(300))), Inserted::Unchanged);
        assert_eq!(table.next_end(), None);
        table.check_invariants();
    }

    #[test]
    fn a_ban_in_force_replaces_a_simulated_one() {
        let mut table = Table::default();
        table.insert(simulated(row("192.0.2.1", 1, None)));
        assert!(matches!(table.insert(row("192.0.2.1", 1, Some(50))), Inserted::New(_)));
        assert_eq!((table.next_end(), table.count_of(JailId::new(1))), (Some(at(50)), 1));
        assert_eq!(table.insert(simulated(row("192.0.2.1", 1, None))), Inserted::Unchanged);
        table.check_invariants();
    }

    #[test]
    fn a_ban_replaces_a_challenge_and_outlasts_it() {
        let challenge = |until| {
            let mut row = row("192.0.2.1", 1, until);
            Arc::make_mut(&mut row.ban).value = Measure::Challenge;
            Row { value: Measure::Challenge, ..row }
        };
        let mut table = Table::default();
        table.insert(simulated(row("192.0.2.1", 1, None)));
        assert!(matches!(table.insert(challenge(Some(90))), Inserted::New(_)));
        assert!(matches!(table.insert(challenge(Some(100))), Inserted::Prolonged(_)));
        assert!(matches!(table.insert(row("192.0.2.1", 1, Some(50))), Inserted::New(_)));
        assert_eq!(table.insert(challenge(None)), Inserted::Unchanged);
        assert_eq!((table.next_end(), table.count_of(JailId::new(1))), (Some(at(50)), 1));
        table.check_invariants();
    }

    #[test]
    fn rows_end_in_order_and_an_address_is_free_after_its_last_row() {
        let mut table = Table::default();
        for (prefix, jail, until) in [("192.0.2.1", 1, 30), ("192.0.2.1", 2, 20), ("192.0.2.0/24", 1, 10)] {
            table.insert(row(prefix, jail, Some(until)));
        }
        let mut order = Vec::new();
        while let Some((prefix, jail)) = table.first_over(at(25)) {
            table.remove(prefix, jail);
            order.push(format!("{prefix} {}", jail.number()));
            table.check_invariants();
        }
        assert_eq!(order, ["192.0.2.0/24 1", "192.0.2.1 2"]);
        assert_eq!(table.around("192.0.2.1".parse().unwrap()).count(), 1);
        assert_eq!(table.around("192.0.2.2".parse().unwrap()).count(), 0);
    }
}
