//! Whole logs of hostile requests, through `test` and `replay`.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use super::oracle::{Exchange, FILTERS, Offences, assert_same, bans, expected, jails, json, tested};
use super::requests::{client, peer};
use super::sites::{Limits, Site};
use super::{exchange, list, send_all, send_all_through, wire};
use crate::harness::Haproxy;

#[test]
fn nginx_at_its_default_limits() {
    let site = Site::nginx(Limits::Default);
    let exchanges = send_all(&site, 1, list::all());
    let expected = expected(&exchanges);
    for filter in FILTERS {
        let offences = expected.keys().filter(|(known, _)| *known == filter).count();
        assert!(offences > 9, "{filter}: {offences} offences say little");
    }
    assert_judged(&site, &exchanges);
}

/// In the other order: a log may begin with anything when its format is found.
#[test]
fn nginx_with_large_limits() {
    let site = Site::nginx(Limits::Large);
    let exchanges = send_all(&site, 1, list::all().into_iter().rev().collect());
    let largest = exchanges.iter().find(|exchange| exchange.hostile.name == "64 kB in each field").unwrap();
    assert!(largest.offends("wordpress-login"), "{:?}", largest.answer);
    assert_judged(&site, &exchanges);
}

#[test]
fn apache_at_its_default_limits() {
    let site = Site::apache(Limits::Default);
    assert_judged(&site, &send_all(&site, 1, list::all()));
}

#[test]
fn apache_with_large_limits() {
    let site = Site::apache(Limits::Large);
    let exchanges = send_all(&site, 1, list::all().into_iter().rev().collect());
    let largest = exchanges.iter().find(|exchange| exchange.hostile.name == "64 kB in each field").unwrap();
    assert!(largest.offends("wordpress-login"), "{:?}", largest.answer);
    assert_judged(&site, &exchanges);
}

#[test]
fn nginx_behind_haproxy() {
    behind_haproxy(&Site::nginx(Limits::Default));
}

#[test]
fn apache_behind_haproxy() {
    behind_haproxy(&Site::apache(Limits::Default));
}

fn behind_haproxy(site: &Site) {
    let haproxy = Haproxy::start(site.port());
    let exchanges = send_all_through(&haproxy, site, list::all());
    let reached =
        |what: &str| exchanges.iter().filter(|exchange| exchange.hostile.name.contains(what)).count();
    assert!(reached("a chain") > 15 && reached("another header") > 15, "HAProxy passes most chains on");
    assert_judged(site, &exchanges);
}

/// Several requests in one packet: each is its own client's.
#[test]
fn pipelined_requests_are_judged_one_by_one() {
    for site in [Site::nginx(Limits::Default), Site::apache(Limits::Default)] {
        let alone = send_all(&site, 1, list::all());
        // Whatever is no complete request, or ends its connection, would take those behind it along.
        let orderly = |exchange: &&Exchange| {
            let kept =
                matches!(exchange.answer.status, Some(200 | 401 | 404)) && exchange.answer.client.is_some();
            kept && !exchange.hostile.half_closes()
        };
        let orderly: Vec<&Exchange> = alone.iter().filter(orderly).collect();
        assert!(orderly.len() > 200, "{}", orderly.len());
        let mut all = alone.clone();
        for (n, together) in (5_000..).zip(orderly.chunks(7)) {
            all.extend(pipeline(&site, n, together));
        }
        assert_judged(&site, &all);
    }
}

/// Sends requests in one go, on one connection, for the clients after the `n * 8`-th.
fn pipeline(site: &Site, n: u16, together: &[&Exchange]) -> Vec<Exchange> {
    let clients: Vec<IpAddr> = (n * 8..).map(client).take(together.len()).collect();
    let last = together.len() - 1;
    let bytes = together.iter().zip(&clients).enumerate();
    let bytes: Vec<u8> =
        bytes.flat_map(|(at, (exchange, client))| exchange.hostile.bytes(*client, at == last)).collect();
    let answers = wire::exchange(peer(n), site.port(), &bytes, false);
    let statuses =
        |all: &mut dyn Iterator<Item = &wire::Answer>| all.map(|answer| answer.status).collect::<Vec<_>>();
    let before = statuses(&mut together.iter().map(|exchange| &exchange.answer));
    assert_eq!(statuses(&mut answers.iter()), before, "{together:#?}");
    let each = together.iter().zip(clients).zip(answers);
    each.map(|((alone, client), answer)| exchange(site, alone.hostile.clone(), client, peer(n), answer))
        .collect()
}

/// Every log of the site holds these offences and no others, for `test` and for `replay`.
#[track_caller]
fn assert_judged(site: &Site, exchanges: &[Exchange]) {
    let expected = expected(exchanges);
    let lines = exchanges.iter().filter(|exchange| exchange.logged_status().is_some()).count();
    let config = site.place.write("banmap.toml", &jails(1));
    for log in site.logs() {
        assert_same(&log.display().to_string(), &expected, &tested(&config, &log), exchanges);
        assert_replayed(&config, &log, lines, &expected);
    }
}

/// Who would have been banned at the first offence: all of them, but not those on loopback.
#[track_caller]
fn assert_replayed(config: &Path, log: &Path, lines: usize, expected: &Offences) {
    let events = json(config, &["replay", log.to_str().unwrap()]);
    let summary = events.last().unwrap();
    assert_eq!((&summary["lines"], &summary["unparsed"]), (&lines.into(), &0.into()), "{}", log.display());
    let bannable = expected.keys().filter(|(_, address)| !address.is_loopback());
    let wanted: BTreeSet<(String, IpAddr)> =
        bannable.map(|(filter, address)| ((*filter).to_owned(), *address)).collect();
    assert_eq!(bans(events.iter().filter(|event| event["event"] == "ban")), wanted, "{}", log.display());
}
