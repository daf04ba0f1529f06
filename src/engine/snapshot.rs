//! What an output has to publish: the union of its jails' bans, without those who are protected.

use super::Engine;
use crate::address::{Prefix, subtract};
use crate::ban::{JailId, Row, Snapshot};
use crate::terms::{Measure, OutputName};

/// A ban of a prefix with protected members.
struct Holed {
    prefix: Prefix,
    holes: Vec<Prefix>,
}

/// The bans, or the challenges, of an output.
#[derive(Default)]
struct Gathered {
    /// Whose members are all meant.
    prefixes: Vec<Prefix>,
    split: Vec<Holed>,
}

impl Engine {
    /// What `output` has to publish now. Exactly those addresses are banned that lie inside one of the prefixes and in
    /// none of the holes; likewise those that are challenged.
    pub fn snapshot(&self, output: &OutputName) -> Snapshot {
        let carried = self.slots.carried_by(self.outputs.number(output));
        let is_carried = |row: &Row| carried.get(row.jail.number()).is_some_and(|carried| *carried);
        let (mut banned, mut challenged) = (Gathered::default(), Gathered::default());
        banned.prefixes.reserve(self.table.prefix_count());
        let rows = self.table.prefixes().flat_map(|(prefix, rows)| rows.iter().map(move |row| (prefix, row)));
        for (prefix, row) in rows.filter(|(_, row)| is_carried(row)) {
            let gathered = match row.force() {
                Some(Measure::Ban) => &mut banned,
                Some(Measure::Challenge) => &mut challenged,
                None => continue,
            };
            if row.holed {
                gathered.split.push(self.holed(prefix, row.jail));
            } else {
                gathered.prefixes.push(prefix);
            }
        }
        let (prefixes, holes) =
            self.split(banned, |row| is_carried(row) && row.force() == Some(Measure::Ban));
        let (challenged, spared) =
            self.split(challenged, |row| is_carried(row) && row.force() == Some(Measure::Challenge));
        Snapshot { generation: self.generation, output: output.clone(), prefixes, holes, challenged, spared }
    }

    fn split(
        &self,
        Gathered { mut prefixes, split }: Gathered,
        is_carried: impl Fn(&Row) -> bool,
    ) -> (Vec<Prefix>, Vec<Prefix>) {
        sort(&mut prefixes);
        let holes = self.add_holed(&mut prefixes, &split, is_carried);
        (prefixes, holes)
    }

    fn holed(&self, prefix: Prefix, jail: JailId) -> Holed {
        let holes = self.guard.inside(&self.slots.get(jail).settings.allow, prefix).collect();
        Holed { prefix, holes }
    }

    /// Adds prefixes with protected members, and returns the holes.
    ///
    /// A hole is for all bans of the output. Where a jail protects an address that another jail bans, the prefix is
    /// therefore split here, and has no holes.
    fn add_holed(
        &self,
        prefixes: &mut Vec<Prefix>,
        split: &[Holed],
        is_carried: impl Fn(&Row) -> bool,
    ) -> Vec<Prefix> {
        if split.is_empty() {
            return Vec::new();
        }
        let mut banned: Vec<Prefix> =
            prefixes.iter().copied().chain(split.iter().map(|h| h.prefix)).collect();
        sort(&mut banned);
        let mut holes = Vec::new();
        for each in split {
            let clean = |hole: &Prefix| {
                let around = self.table.covering(*hole).filter(|row| is_carried(row));
                !is_banned_within(&banned, *hole) && self.is_free_of(around, *hole)
            };
            if each.holes.iter().all(clean) {
                prefixes.push(each.prefix);
                holes.extend(&each.holes);
            } else {
                prefixes.extend(subtract(each.prefix, &each.holes));
            }
        }
        sort(prefixes);
        sort(&mut holes);
        holes
    }

    /// Whether every one of these bans, which lie around `hole`, leaves it out.
    fn is_free_of<'a>(&self, mut around: impl Iterator<Item = &'a Row>, hole: Prefix) -> bool {
        around.all(|row| self.guard.covers(&self.slots.get(row.jail).settings.allow, hole))
    }
}

/// Whether one of the sorted prefixes lies strictly inside `hole`. (Rows of the same prefix count as around it.)
fn is_banned_within(sorted: &[Prefix], hole: Prefix) -> bool {
    let start = sorted.partition_point(|prefix| *prefix <= hole);
    sorted.get(start).is_some_and(|prefix| hole.covers(*prefix))
}

/// Sorts, and takes out what is there twice.
fn sort(prefixes: &mut Vec<Prefix>) {
    prefixes.sort_unstable();
    prefixes.dedup();
}
