//! The tracker: caps, eviction, what survives.

use jiff::{SignedDuration, Timestamp};

use super::{Counted, Offender, SPARE_MARKS, Tracker};
use crate::address::{Address, Prefix};
use crate::jail::{Settings, TextId};
use crate::terms::{JailName, Mark, TrackerEntry};

impl Tracker {
    /// Panics where lists, index and sums contradict the entries, or a cap does not hold.
    pub(crate) fn check_invariants(&self) {
        let live: Vec<u32> = (0..self.entries.len() as u32)
            .filter(|id| !self.entries[*id as usize].window.is_empty())
            .collect();
        assert_eq!(live.len(), self.tracked(), "lists and entries");
        assert_eq!(live.len(), self.index.len(), "index and entries");
        assert_eq!(self.marks, live.iter().map(|id| self.entries[*id as usize].window.len()).sum::<usize>());
        for id in &live {
            let entry = &self.entries[*id as usize];
            assert_eq!(self.find(entry.prefix), Some(*id));
            let marks = entry.window.marks();
            assert!(marks.is_sorted_by_key(|mark| mark.at));
            assert!(marks.len() <= self.rule.maxretry * 2);
        }
        assert!(self.tracked() <= self.cap);
        assert!(self.marks <= self.cap * 3 / 2 + SPARE_MARKS || self.tracked() == 1);
        assert!(self.changed.len() <= self.entries.len());
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn settings(maxretry: u32, max_tracked: usize) -> Settings {
    Settings {
        maxretry,
        findtime: SignedDuration::from_secs(60),
        max_tracked,
        ..Settings::new("j".parse().unwrap())
    }
}

fn host(number: u32) -> Prefix {
    Prefix::host(Address::from(std::net::IpAddr::from(number.to_be_bytes())))
}

fn count(tracker: &mut Tracker, number: u32, second: i64) -> bool {
    let offender = Offender { prefix: host(number), now: at(second) };
    let verdict =
        tracker.count(offender, Counted { at: at(second), distinct: 0, weight: 1, text: TextId::NONE });
    tracker.check_invariants();
    verdict.is_some()
}

fn current(tracker: &Tracker, number: u32, second: i64) -> usize {
    tracker.near(host(number), at(second)).count()
}

#[test]
fn a_flood_of_single_offences_does_not_push_out_who_came_back() {
    let mut tracker = Tracker::new(&settings(5, 16));
    count(&mut tracker, 1, 100);
    count(&mut tracker, 1, 100);
    (10..200).for_each(|number| assert!(!count(&mut tracker, number, 101)));
    assert_eq!((tracker.tracked(), current(&tracker, 1, 101)), (16, 2));
    assert_eq!((current(&tracker, 10, 101), current(&tracker, 199, 101)), (0, 1), "the oldest gave way");
    assert_eq!(tracker.evicted(), 191 - 16);
}

#[test]
fn a_flood_of_those_who_came_back_leaves_room_for_new_ones() {
    let mut tracker = Tracker::new(&settings(5, 16));
    for number in 10..100 {
        count(&mut tracker, number, 100);
        count(&mut tracker, number, 100);
    }
    count(&mut tracker, 1, 101);
    count(&mut tracker, 2, 101);
    assert_eq!((current(&tracker, 1, 101), current(&tracker, 2, 101)), (1, 1));
}

#[test]
fn marks_are_capped_as_addresses_are() {
    let mut tracker = Tracker::new(&settings(100_000, 10));
    for number in 0..10 {
        for _ in 0..10_000 {
            let offender = Offender { prefix: host(number), now: at(100) };
            tracker.count(offender, Counted { at: at(100), distinct: 0, weight: 1, text: TextId::NONE });
        }
    }
    tracker.check_invariants();
    assert!(tracker.evicted() > 0);
    assert_eq!(current(&tracker, 9, 100), 10_000, "the newest stays");
}

#[test]
fn idle_addresses_are_forgotten_but_not_those_that_late_lines_may_complete() {
    let mut tracker = Tracker::new(&settings(5, 100));
    (0..50).for_each(|number| assert!(!count(&mut tracker, number, 1000)));
    tracker.sweep(at(1000 + 60 + 600), 1000);
    assert_eq!(tracker.tracked(), 50);
    tracker.sweep(at(1000 + 60 + 601), 20);
    assert_eq!(tracker.tracked(), 30);
    tracker.sweep(at(1000 + 60 + 601), 1000);
    tracker.check_invariants();
    assert_eq!(tracker.tracked(), 0);
}

#[test]
fn the_store_is_told_each_change_once_and_what_is_gone_only_if_it_has_it() {
    let jail: JailName = "j".parse().unwrap();
    let mut tracker = Tracker::new(&settings(5, 100));
    let asked = |tracker: &mut Tracker| {
        let mut changed: Vec<TrackerEntry> = Vec::new();
        tracker.take_changed(&jail, &mut changed);
        changed.iter().map(|entry| (entry.prefix, entry.marks.len())).collect::<Vec<_>>()
    };
    count(&mut tracker, 1, 100);
    count(&mut tracker, 1, 101);
    count(&mut tracker, 2, 101);
    tracker.consume(host(2), None);
    assert_eq!(asked(&mut tracker), [(host(1), 2)], "2 came and went unseen");
    assert_eq!(asked(&mut tracker), []);
    tracker.forget_where(|prefix| prefix == host(1));
    count(&mut tracker, 3, 102);
    assert_eq!(asked(&mut tracker), [(host(1), 0), (host(3), 1)]);
    tracker.forget_where(|prefix| "0.0.0.0/24".parse::<Prefix>().unwrap().covers(prefix));
    count(&mut tracker, 3, 103);
    assert_eq!(asked(&mut tracker), [(host(3), 0), (host(3), 1)], "gone, and tracked anew");
}

#[test]
fn windows_survive_the_store_and_a_change_of_thresholds() {
    let mut tracker = Tracker::new(&settings(5, 100));
    let marks = [100, 101].map(|second| Mark { at: at(second), distinct: 0, weight: 1 });
    let entry = TrackerEntry {
        jail: "j".parse().unwrap(),
        prefix: host(1),
        what: crate::terms::Tracked::Offences,
        marks: marks.to_vec(),
        fresh: false,
    };
    tracker.restore(&entry, at(110));
    tracker.restore(&entry, at(110));
    tracker.check_invariants();
    tracker.adapt(&settings(3, 100));
    assert!(count(&mut tracker, 1, 111));
    tracker.adapt(&Settings { distinct: true, ..settings(3, 100) });
    assert_eq!(tracker.tracked(), 0, "offences are no values");
    tracker.check_invariants();
}

#[test]
fn an_entry_is_as_small_as_memory_is_planned_for() {
    assert_eq!(size_of::<super::Entry>(), 80);
}
