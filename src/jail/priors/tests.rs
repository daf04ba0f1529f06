//! Which earlier bans count, and who gives way.

use jiff::{SignedDuration, Timestamp};

use super::{EndedBan, Priors};
use crate::address::Prefix;
use crate::jail::{Escalation, Scope};
use crate::terms::JailName;

const DECAY: SignedDuration = SignedDuration::from_secs(1000);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn rule(scope: Scope) -> Escalation {
    Escalation { decay: Some(DECAY), scope, ..Escalation::default() }
}

fn add(priors: &mut Priors, prefix: &str, jail: &str, since: i64, until: i64, goes_on: bool) {
    let (prefix, jail): (Prefix, JailName) = (prefix.parse().unwrap(), jail.parse().unwrap());
    let (since, until) = (at(since), at(until));
    priors.add(&EndedBan { prefix, jail: &jail, since, until, decay: Some(DECAY), goes_on });
    priors.check_invariants();
}

/// How many count in jail `a`, in jail `b`, in all.
fn earlier(priors: &Priors, prefix: &str, second: i64) -> [u32; 3] {
    let (prefix, a, b) = (prefix.parse().unwrap(), "a".parse().unwrap(), "b".parse().unwrap());
    let count = |jail, scope| priors.earlier(prefix, jail, &rule(scope), at(second));
    [count(&a, Scope::Jail), count(&b, Scope::Jail), count(&a, Scope::All)]
}

#[test]
fn a_quiet_while_takes_one_back() {
    let mut priors = Priors::new(10);
    add(&mut priors, "192.0.2.1", "a", 0, 100, false);
    add(&mut priors, "192.0.2.1", "a", 200, 300, false);
    add(&mut priors, "192.0.2.1", "b", 400, 500, false);
    assert_eq!(earlier(&priors, "192.0.2.1", 600), [2, 1, 3]);
    assert_eq!(earlier(&priors, "192.0.2.2", 600), [0, 0, 0]);
    assert_eq!(earlier(&priors, "192.0.2.1", 1299), [2, 1, 3]);
    assert_eq!(earlier(&priors, "192.0.2.1", 1300), [1, 1, 3]);
    assert_eq!(earlier(&priors, "192.0.2.1", 2500), [0, 0, 1]);
    // What was forgotten does not come back with the next ban.
    add(&mut priors, "192.0.2.1", "a", 5000, 5100, false);
    assert_eq!(earlier(&priors, "192.0.2.1", 5200), [1, 0, 1]);
}

#[test]
fn bans_of_several_jails_at_once_count_once() {
    let mut priors = Priors::new(10);
    add(&mut priors, "192.0.2.1", "a", 0, 100, true);
    add(&mut priors, "192.0.2.1", "b", 50, 150, false);
    assert_eq!(earlier(&priors, "192.0.2.1", 200), [1, 1, 1]);
    // Found when they were over.
    add(&mut priors, "192.0.2.1", "a", 300, 400, false);
    add(&mut priors, "192.0.2.1", "b", 350, 420, false);
    assert_eq!(earlier(&priors, "192.0.2.1", 500), [2, 2, 2]);
}

#[test]
fn the_store_hears_of_each_change_once_and_gives_it_back() {
    let mut priors = Priors::new(2);
    for (last, since) in [(1, 0), (1, 200), (2, 300), (3, 400)] {
        add(&mut priors, &format!("192.0.2.{last}"), "a", since, since + 100, false);
    }
    assert_eq!((priors.len(), priors.evicted()), (2, 1));
    assert_eq!(earlier(&priors, "192.0.2.1", 500), [2, 0, 2], "who came back stays");
    assert_eq!(earlier(&priors, "192.0.2.2", 500), [0, 0, 0]);
    let changed = priors.take_changed();
    assert_eq!(changed.iter().filter(|entry| entry.bans == 0).count(), 2);
    assert!(priors.take_changed().is_empty());
    let mut again = Priors::new(2);
    again.restore(&changed);
    again.check_invariants();
    assert_eq!(again.entries(), priors.entries());
    assert!(again.take_changed().is_empty());
}

#[test]
fn what_no_longer_counts_is_let_go() {
    let mut priors = Priors::new(10);
    add(&mut priors, "192.0.2.1", "a", 0, 100, false);
    add(&mut priors, "192.0.2.1", "a", 100, 200, false);
    add(&mut priors, "192.0.2.2", "a", 0, 300, false);
    priors.sweep(at(1299), Some(DECAY), 9);
    assert_eq!(priors.len(), 2);
    priors.sweep(at(1300), Some(DECAY), 9);
    assert_eq!(priors.len(), 1);
    priors.sweep(at(9999), None, 9);
    assert_eq!(priors.len(), 1, "without decay nothing is forgotten");
    priors.sweep(at(2200), Some(DECAY), 9);
    assert!(priors.is_empty());
    priors.check_invariants();
}

#[test]
fn forgetting_takes_the_prefix_and_all_inside_it() {
    let mut priors = Priors::new(10);
    for prefix in ["192.0.2.1", "192.0.2.0/24", "198.51.100.1"] {
        add(&mut priors, prefix, "a", 0, 100, false);
        add(&mut priors, prefix, "b", 200, 300, false);
    }
    let (a, net) = ("a".parse().unwrap(), "192.0.2.0/24".parse().unwrap());
    assert_eq!(priors.forget(&["192.0.2.1".parse().unwrap()], Some(&a)).len(), 1);
    assert_eq!(earlier(&priors, "192.0.2.1", 300), [0, 1, 2]);
    assert_eq!(priors.forget(&[net], None).len(), 2);
    assert_eq!(earlier(&priors, "192.0.2.1", 300), [0, 0, 0]);
    assert_eq!(priors.forget(&[net], None).len(), 0);
    assert_eq!(priors.forget_all(None), 1);
    let gone = priors.take_changed();
    assert!(gone.len() == 9 && gone.iter().all(|entry| entry.bans == 0), "{gone:?}");
    priors.check_invariants();
}
