//! The keeper: acks, questions, and a disk that is full for a while.
#![allow(clippy::disallowed_methods, reason = "the tests damage files on purpose")]

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::Connection;

use super::super::keeper::Pace;
use super::super::pending::Batch;
use super::super::{Ack, Event, Keeper, StoreError, Transaction};
use super::{Place, at, ban, banned, bans, checkpoint, tracker, wait_until, whole_history};
use crate::ban::{Change, Ended};
use crate::terms::TrackerEntry;

const QUICK: Pace = Pace {
    gather: Duration::from_millis(1),
    first_retry: Duration::from_millis(2),
    last_retry: Duration::from_millis(5),
};
/// So slow that nothing happens but what is urgent.
const SLOW: Pace = Pace {
    gather: Duration::from_hours(1),
    first_retry: Duration::from_hours(1),
    last_retry: Duration::from_hours(1),
};

type Outcome = Result<(), Arc<StoreError>>;

fn ack() -> (Ack, Receiver<Outcome>) {
    let (sender, receiver): (Sender<Outcome>, _) = channel();
    (Box::new(move |outcome| sender.send(outcome).unwrap()), receiver)
}

fn ok(receiver: &Receiver<Outcome>) -> bool {
    receiver.recv_timeout(Duration::from_secs(10)).unwrap().is_ok()
}

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<Event>>>);

impl Heard {
    fn sink(&self) -> impl Fn(Event) + Send + 'static {
        let heard = Arc::clone(&self.0);
        move |event| heard.lock().unwrap().push(event)
    }

    fn any(&self, wanted: impl Fn(&Event) -> bool) -> bool {
        self.0.lock().unwrap().iter().any(wanted)
    }
}

fn one(n: u32) -> Transaction {
    bans(vec![banned(&ban(&format!("10.0.{}.{}", n / 250, n % 250), "login", i64::from(n), &["a line"]))])
}

#[test]
fn an_ack_means_that_it_is_on_disk() {
    let place = Place::new();
    let keeper = Keeper::with_pace(place.open().0, |event| panic!("{event}"), SLOW).unwrap();
    for n in 0..20 {
        keeper.save(one(2 * n), at(0), None);
        let (ack, told) = ack();
        keeper.save(one(2 * n + 1), at(0), Some(ack));
        assert!(ok(&told));
        assert_eq!(place.kept().bans.len() as u32, 2 * n + 2);
    }
    keeper.stop().unwrap();
}

#[test]
fn a_question_sees_what_was_given_before() {
    let place = Place::new();
    let keeper = Keeper::with_pace(place.open().0, |event| panic!("{event}"), SLOW).unwrap();
    for n in 1..5 {
        keeper.save(one(n), at(0), None);
        let (sender, receiver) = channel();
        keeper.history(whole_history(), Box::new(move |rows| sender.send(rows.unwrap()).unwrap()));
        let rows = receiver.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(rows.len() as u32, n);
        let (sender, receiver) = channel();
        let asked = ban(&format!("10.0.0.{n}"), "login", 0, &[]);
        keeper.evidence(
            asked.prefix,
            asked.jail,
            Box::new(move |lines| sender.send(lines.unwrap()).unwrap()),
        );
        assert_eq!(receiver.recv_timeout(Duration::from_secs(10)).unwrap().len(), 1);
    }
}

#[test]
fn stopping_writes_what_waits() {
    let place = Place::new();
    let keeper = Keeper::with_pace(place.open().0, |event| panic!("{event}"), SLOW).unwrap();
    let (ack, told) = ack();
    keeper.flush(ack);
    assert!(ok(&told));
    for n in 0..100 {
        keeper.save(one(n), at(0), None);
    }
    keeper.stop().unwrap();
    assert_eq!(place.kept().bans.len(), 100);
}

#[test]
fn a_full_disk_is_told_to_who_gave_a_command() {
    let place = Place::new();
    let (store, _) = place.open();
    let full = store.limit_pages(1) + 4;
    store.limit_pages(full);
    let heard = Heard::default();
    let keeper = Keeper::with_pace(store, heard.sink(), QUICK).unwrap();
    for n in 0..2000 {
        keeper.save(one(n), at(0), None);
    }
    let failed = |event: &Event| matches!(event, Event::SaveFailed { .. });
    wait_until(|| heard.any(failed));
    assert!(heard.any(|event| event.to_string().contains("free some space")));
    let (refused, told) = ack();
    keeper.save(one(2000), at(0), Some(refused));
    assert!(!ok(&told), "who gave a command hears that it is not on disk");
    // The page limit belongs to the connection: dropping this keeper stands for an end in that state.
    let lost = keeper.stop().unwrap_err();
    assert!(lost.to_string().contains("cannot save"), "{lost}");
}

#[test]
fn what_failed_is_written_in_order_when_it_works_again() {
    let place = Place::new();
    let heard = Heard::default();
    let keeper = Keeper::with_pace(place.open().0, heard.sink(), QUICK).unwrap();
    let other = Connection::open(place.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let first = ban("192.0.2.7", "login", 1, &["one"]);
    keeper.save(bans(vec![banned(&first)]), at(1), None);
    let busy = |event: &Event| event.to_string().contains("another program is writing");
    wait_until(|| heard.any(busy));
    keeper.save(bans(vec![Change::Ended(first.clone().into(), Ended::Unbanned)]), at(2), None);
    keeper.save(Transaction { checkpoints: vec![checkpoint(1, 10)], ..Transaction::default() }, at(3), None);
    keeper.save(Transaction { checkpoints: vec![checkpoint(1, 20)], ..Transaction::default() }, at(3), None);
    other.execute_batch("COMMIT").unwrap();
    wait_until(|| heard.any(|event| matches!(event, Event::SavedAgain { .. })));
    keeper.stop().unwrap();
    let (store, kept) = place.open();
    assert_eq!((kept.bans, kept.checkpoints), (vec![], vec![checkpoint(1, 20)]));
    let times: Vec<_> = store.history(&whole_history()).unwrap().iter().map(|row| row.at).collect();
    assert_eq!(times, [at(2), at(1)], "with the times at which it happened");
}

#[test]
fn damage_while_running_costs_no_ban() {
    let place = Place::new();
    let heard = Heard::default();
    let keeper = Keeper::with_pace(place.open().0, heard.sink(), QUICK).unwrap();
    let (stored, told) = ack();
    keeper.save(one(1), at(0), Some(stored));
    assert!(ok(&told));
    // The write-ahead log still holds all: put the pages into the file, then ruin a table that each save writes to.
    let other = Connection::open(place.path()).unwrap();
    other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let root: i64 = other
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'history'", [], |row| row.get(0))
        .unwrap();
    drop(other);
    let mut file = std::fs::OpenOptions::new().write(true).open(place.path()).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start((root as u64 - 1) * 4096)).unwrap();
    std::io::Write::write_all(&mut file, &[0xa5; 4096]).unwrap();
    // A change by another program makes SQLite read its pages anew.
    let other = Connection::open(place.path()).unwrap();
    other.execute_batch("INSERT INTO pauses VALUES (NULL, NULL)").unwrap();
    drop(other);
    let (stored, told) = ack();
    keeper.save(one(2), at(0), Some(stored));
    assert!(ok(&told));
    assert!(heard.any(|event| matches!(event, Event::SetAside { bans: 1, positions: true, .. })));
    keeper.stop().unwrap();
    assert_eq!(place.kept().bans.len(), 2);
    assert!(!place.names("corrupt").is_empty());
}

#[test]
fn what_waits_is_bounded() {
    let mut batch = Batch::default();
    let mut dropped = 0;
    for n in 0..600_000_u32 {
        let short = ban(&format!("10.{}.{}.1", n / 200 % 200, n % 200), "login", 0, &[]);
        let mut save = bans(vec![banned(&short), Change::Ended(short.into(), Ended::Expired)]);
        save.checkpoints = vec![checkpoint(1, u64::from(n))];
        dropped += batch.add(save, at(0));
    }
    assert!(batch.changes.len() < 500_000 && dropped > 500_000, "{} {dropped}", batch.changes.len());
    assert!(batch.rest.checkpoints.len() < 500_000);
    assert_eq!(batch.rest.checkpoints.last(), Some(&checkpoint(1, 599_999)));
}

#[test]
fn lines_that_wait_are_bounded_and_the_newest_stay() {
    let mut batch = Batch::default();
    let mut dropped = 0;
    let text = "x".repeat(1_000);
    for n in 0..5_000_u32 {
        let lines: Vec<&str> = vec![&text; 20];
        let ban = ban(&format!("10.{}.{}.1", n / 200, n % 200), "login", 0, &lines);
        dropped += batch.add(bans(vec![banned(&ban)]), at(0));
    }
    let waiting: usize = batch.changes.iter().map(|(_, change)| change.ban().evidence.len() * 1_000).sum();
    assert!(waiting <= 32 << 20, "{waiting}");
    let last = batch.changes.last().map(|(_, change)| change.ban().evidence.len());
    assert_eq!((batch.changes.len(), last), (5_000, Some(20)));
    assert!(dropped > 3_000, "{dropped}");
}

#[test]
fn a_flood_of_windows_that_are_gone_again_leaves_nothing_to_write() {
    let mut batch = Batch::tight();
    let entries = |trackers| Transaction { trackers, ..Transaction::default() };
    batch.add(entries(vec![tracker("10.0.0.1", "login", &[])]), at(0));
    for n in 0..3_000_u32 {
        let address = format!("10.1.{}.{}", n / 200, n % 200);
        let new = TrackerEntry { fresh: true, ..tracker(&address, "login", &[(0, 0)]) };
        batch.add(entries(vec![new]), at(0));
        batch.add(entries(vec![tracker(&address, "login", &[])]), at(0));
    }
    // One that has a row, was let go, came back and is gone again: the row must go.
    let back = TrackerEntry { fresh: true, ..tracker("10.0.0.1", "login", &[(0, 0)]) };
    batch.add(entries(vec![back]), at(0));
    batch.add(entries(vec![tracker("10.0.0.1", "login", &[])]), at(0));
    assert_eq!(batch.rest.trackers, [tracker("10.0.0.1", "login", &[])]);
}
