//! Each figure of a rehearsal from a few offences and bans.

use super::*;
use crate::ban::Origin;
use crate::terms::Measure;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

fn jail() -> JailName {
    "login".parse().unwrap()
}

fn ledger(most: usize) -> Ledger {
    Ledger::new(&[jail::Settings::new(jail())], most)
}

fn offend(ledger: &mut Ledger, address: &str, second: i64) {
    ledger.offence(
        &Offence { jail: jail(), distinct: None, weight: 1, network: None },
        address.parse().unwrap(),
        at(second),
    );
}

fn ban(ledger: &mut Ledger, prefix: &str, since: i64, until: Option<i64>) -> Option<Timestamp> {
    ledger.banned(&Arc::new(Ban {
        prefix: prefix.parse().unwrap(),
        jail: jail(),
        since: at(since),
        until: until.map(at),
        value: Measure::Ban,
        offences: 3,
        origin: Origin::Log,
        reason: None,
        simulated: false,
        evidence: Vec::new(),
    }))
}

#[test]
fn a_ban_knows_its_first_offence_and_the_last_one_before_it_ends() {
    let mut ledger = ledger(10);
    for second in [0, 5, 9] {
        offend(&mut ledger, "203.0.113.7", second);
    }
    assert_eq!(ban(&mut ledger, "203.0.113.7", 9, Some(100)), Some(at(0)));
    for second in [50, 99, 100, 130] {
        offend(&mut ledger, "203.0.113.7", second);
    }
    assert_eq!(ban(&mut ledger, "203.0.113.7", 130, None), Some(at(100)));
    offend(&mut ledger, "203.0.113.7", 500);
    let rows: Vec<_> = ledger.bans.iter().map(|row| (row.first, row.last)).collect();
    assert_eq!(rows, [(Some(at(0)), at(99)), (Some(at(100)), at(500))]);
    let totals = ledger.jails().next().unwrap();
    assert_eq!((totals.offences, totals.while_banned, totals.addresses, totals.bans), (8, 3, 1, 2));
    assert_eq!(totals.span, Some((at(0), at(500))));
    assert_eq!((totals.longest, totals.forever), (Some(SignedDuration::from_secs(91)), true));
}

#[test]
fn no_more_bans_are_kept_than_are_shown_but_all_are_counted() {
    let mut ledger = ledger(2);
    for host in 1..=5 {
        ban(&mut ledger, &format!("203.0.113.{host}"), host, Some(10 * host));
    }
    let totals = ledger.jails().next().unwrap();
    assert_eq!((ledger.bans.len(), ledger.addresses(), totals.bans), (2, 5, 5));
    assert_eq!((totals.longest, totals.forever), (Some(SignedDuration::from_secs(45)), false));
}

#[test]
fn an_address_that_is_banned_alone_has_the_offences_of_its_group() {
    let mut ledger = ledger(10);
    offend(&mut ledger, "2001:db8::7", 3);
    assert_eq!(ban(&mut ledger, "2001:db8::7", 3, Some(9)), Some(at(3)));
    assert_eq!(ban(&mut ledger, "2001:db8::/48", 4, Some(9)), None);
}

#[test]
fn networks_are_told_by_how_many_of_their_addresses_were_banned() {
    let mut ledger = ledger(0);
    for host in 1..=5 {
        ban(&mut ledger, &format!("198.51.100.{host}"), host, None);
    }
    for host in [1, 1, 2] {
        ban(&mut ledger, &format!("203.0.113.{host}"), host, None);
    }
    ban(&mut ledger, "203.0.112.0/23", 9, None);
    ban(&mut ledger, "192.0.2.1", 9, None);
    let told: Vec<_> = ledger
        .neighbourhoods()
        .iter()
        .map(|found| {
            (found.prefix.to_string(), found.addresses, found.bans, found.whole, found.may_be_widened())
        })
        .collect();
    assert_eq!(
        told,
        [("198.51.100.0/24".to_owned(), 5, 5, false, true), ("203.0.113.0/24".to_owned(), 2, 3, true, false)]
    );
}
