//! Random changes saved, in any portions and through the keeper's merging, give the table that applying them gives.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proptest::prelude::*;

use super::super::Transaction;
use super::super::pending::Batch;
use super::{Place, at, jail, tracker};
use crate::ban::{Ban, Change, Ended, Origin};
use crate::terms::Measure;

/// One step: which change, for which of a few bans, lasting how long.
#[derive(Clone, Debug)]
struct Step {
    kind: u8,
    who: u8,
    hours: Option<u16>,
    marks: Vec<(i64, u64)>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let marks = prop::collection::vec((0..5000_i64, any::<u64>()), 0..4);
    let step = (0..6_u8, 0..12_u8, prop::option::of(0..1000_u16), marks)
        .prop_map(|(kind, who, hours, marks)| Step { kind, who, hours, marks });
    prop::collection::vec(step, 1..60)
}

fn subject(step: &Step, n: i64) -> Ban {
    let address = if step.who.is_multiple_of(3) {
        format!("2001:db8::{:x}:0:0:0:0/64", step.who)
    } else {
        format!("192.0.2.{}", step.who)
    };
    Ban {
        prefix: address.parse().unwrap(),
        jail: jail(if step.who.is_multiple_of(2) { "even" } else { "odd" }),
        value: if step.who.is_multiple_of(3) { Measure::Challenge } else { Measure::Ban },
        since: at(n),
        until: step.hours.map(|hours| at(n + i64::from(hours) * 3600)),
        offences: u32::from(step.kind),
        origin: if step.kind.is_multiple_of(2) { Origin::Log } else { Origin::Hand },
        reason: step.hours.map(|hours| format!("{hours} h")),
        simulated: step.who > 9,
        evidence: Vec::new(),
    }
}

type Table = BTreeMap<(crate::address::Prefix, crate::terms::JailName), Ban>;

/// The change that the engine would report: a ban begins only where there is none, and so on.
fn change(table: &mut Table, step: &Step, n: i64) -> Change {
    let ban = subject(step, n);
    let key = (ban.prefix, ban.jail.clone());
    let shared = || ban.clone().into();
    match (step.kind, table.contains_key(&key)) {
        (0, _) => Change::Withheld(shared()),
        (1, _) => Change::Past(shared()),
        (2 | 3, true) => {
            table.remove(&key);
            Change::Ended(shared(), Ended::Expired)
        }
        (_, true) => {
            table.insert(key, ban.clone());
            Change::Prolonged(shared())
        }
        (_, false) => {
            table.insert(key, ban.clone());
            Change::Banned(shared())
        }
    }
}

fn transaction(table: &mut Table, step: &Step, n: i64) -> Transaction {
    Transaction {
        generation: Some(n as u64),
        changes: vec![change(table, step, n)],
        trackers: vec![tracker(&format!("198.51.100.{}", step.who), "even", &step.marks)],
        ..Transaction::default()
    }
}

/// What was told before tells which windows are new to the store.
fn freshen(all: &mut [Transaction]) {
    let mut known = BTreeSet::new();
    for entry in all.iter_mut().flat_map(|one| &mut one.trackers) {
        entry.fresh = !known.contains(&entry.prefix);
        if entry.marks.is_empty() {
            known.remove(&entry.prefix)
        } else {
            known.insert(entry.prefix)
        };
    }
}

fn windows(steps: &[Step]) -> Vec<crate::terms::TrackerEntry> {
    let last: BTreeMap<_, _> = steps.iter().map(|step| (step.who, &step.marks)).collect();
    let mut entries: Vec<_> = last
        .into_iter()
        .filter(|(_, marks)| !marks.is_empty())
        .map(|(who, marks)| tracker(&format!("198.51.100.{who}"), "even", marks))
        .collect();
    entries.sort_by_key(|entry| entry.prefix.to_string());
    entries
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_start_finds_what_applying_the_changes_gives(steps in steps(), reopen in 1..20_usize) {
        let place = Place::new();
        let mut table = Table::new();
        let (mut store, _) = place.open();
        for (n, step) in steps.iter().enumerate() {
            if n % reopen == 0 {
                drop(store);
                store = place.open().0;
            }
            store.save(&transaction(&mut table, step, n as i64), at(n as i64)).unwrap();
        }
        let kept = place.kept();
        prop_assert_eq!(sorted(kept.bans), table.into_values().collect::<Vec<_>>());
        prop_assert_eq!(kept.trackers, windows(&steps));
        prop_assert_eq!(kept.generation, steps.len() as u64 - 1);
    }

    #[test]
    fn merging_what_waits_changes_nothing(steps in steps(), cut in 0..60_usize, tight: bool) {
        let place = Place::new();
        let mut table = Table::new();
        let (mut store, _) = place.open();
        let mut all: Vec<Transaction> =
            steps.iter().enumerate().map(|(n, step)| transaction(&mut table, step, n as i64)).collect();
        freshen(&mut all);
        let late = all.split_off(cut.min(all.len()));
        for part in [all, late] {
            let mut batch = if tight { Batch::tight() } else { Batch::default() };
            for (n, one) in part.into_iter().enumerate() {
                batch.add(one, at(n as i64));
            }
            store.write(&batch.rest, batch.changes.iter().map(|(at, change): &(Timestamp, Change)| (*at, change))).unwrap();
        }
        let kept = place.kept();
        prop_assert_eq!(sorted(kept.bans), table.into_values().collect::<Vec<_>>());
        prop_assert_eq!(kept.trackers, windows(&steps));
        prop_assert_eq!(kept.generation, steps.len() as u64 - 1);
    }
}

#[test]
fn a_ban_that_ended_and_began_again_still_has_its_stored_row() {
    let place = Place::new();
    let (mut store, _) = place.open();
    let one = super::ban("192.0.2.7", "login", 0, &[]);
    store.save(&super::bans(vec![super::banned(&one)]), at(0)).unwrap();
    let mut batch = Batch::tight();
    let end = Change::Ended(one.clone().into(), Ended::Unbanned);
    for change in [end.clone(), super::banned(&one), end] {
        batch.add(super::bans(vec![change]), at(1));
    }
    store.write(&batch.rest, batch.changes.iter().map(|(at, change)| (*at, change))).unwrap();
    assert_eq!(place.kept().bans, []);
}

fn sorted(mut bans: Vec<Ban>) -> Vec<Ban> {
    bans.sort_by(|a, b| (a.prefix, &a.jail).cmp(&(b.prefix, &b.jail)));
    bans
}
